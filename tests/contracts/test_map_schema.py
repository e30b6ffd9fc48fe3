"""The JSON Schema that editors use: it accepts what the check accepts, and knows every key."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from contracts.map_schema import map_schema
from tests.conftest import MAP, ROOT

MAPS = sorted((ROOT / "examples").glob("*/map/*.yaml"))


class _Plain(yaml.SafeLoader):
    """YAML as editors read it: a date is a text."""


_Plain.yaml_implicit_resolvers = {
    sign: [(tag, what) for tag, what in found if tag != "tag:yaml.org,2002:timestamp"]
    for sign, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def problems(text: str) -> list[str]:
    data: Any = yaml.load(text, _Plain)  # noqa: S506 - a safe loader
    return [error.message for error in jsonschema.Draft202012Validator(map_schema()).iter_errors(data)]


def test_the_schema_itself_is_sound():
    jsonschema.Draft202012Validator.check_schema(map_schema())


@pytest.mark.parametrize("path", MAPS, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_every_example_fits(path: Path):
    assert problems(path.read_text()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("stage: enter", "stagee: enter"),
        ("estimator: csat", "estimator: csatt"),
        ("due: 2026-12-31", "due: tomorrow"),
        ("id: ada", "id: Ada"),
        ("holders: [{person: ada}]", "holders: []"),
        ("at_least: 0.8", "at_least: lots"),
        ("where: {about: order}", "where: {about: {a: b}}"),
        ("accountable: head_of_sales", "accountable: 5"),
    ],
)
def test_what_the_check_refuses_in_one_place_is_marked_while_writing(old: str, new: str):
    assert problems(MAP) == []
    assert problems(MAP.replace(old, new, 1)) != []


def test_keys_explain_themselves():
    parts = map_schema()["$defs"]
    assert parts["Touchpoint"]["properties"]["was"]["description"].startswith("Ids it had before")
    assert parts["Goal"]["properties"]["from"]["description"] == "First moment it counts."
    assert all(part.get("description") for part in parts.values())


def test_the_starter_names_the_schema_that_lies_beside_it():
    first = (ROOT / "examples/starter/map/map.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../map.schema.json"
    assert (ROOT / "examples/starter/map.schema.json").is_file()
