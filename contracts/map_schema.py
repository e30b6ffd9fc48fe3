"""The JSON Schema of the map's files, made from the models: editors complete and check with it."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from contracts.accountability import MapFile

_SCALARS = [{"type": kind} for kind in ("string", "number", "boolean", "null")]
_ATTRIBUTE = re.compile(r"^    (\w+): (.+)$")


def map_schema() -> dict[str, Any]:
    """The schema of one file of `map/`, draft 2020-12.

    It knows every key, type and word; what things of different files say of each other only
    `answerable check` can tell.
    """
    schema = MapFile.model_json_schema(by_alias=True)
    parts = schema["$defs"]
    # What validators accept besides the declared type.
    parts["Condition"] = {
        "description": "A value, a list of values, null, or a comparison like '>= 9'.",
        "anyOf": [*_SCALARS, {"type": "array", "items": {"anyOf": _SCALARS}, "minItems": 1}],
    }
    touchpoint = parts["Touchpoint"]["properties"]
    seats = {"type": "array", "items": {"$ref": "#/$defs/Assignment"}, "minItems": 1}
    touchpoint["accountable"] = {"title": "Accountable", "anyOf": [{"type": "string"}, seats]}
    held = {"$ref": "#/$defs/Hands"}
    parts["Metric"]["properties"]["independence"] = {
        "title": "Independence",
        "anyOf": [held, {"type": "array", "items": held}],
    }
    for model in _models(MapFile):
        _describe(schema if model is MapFile else parts[model.__name__], model)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Accountability map"}
    return head | {name: value for name, value in schema.items() if name != "title"}


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model and every model below it."""
    yield model
    for spec in model.model_fields.values():
        for kind in _below(spec.annotation):
            yield from _models(kind)


def _below(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _below(argument)


def _describe(part: dict[str, Any], model: type[BaseModel]) -> None:
    """Put the docstring where editors show it: its text on the thing, its attributes on the keys."""
    text, _, attributes = (inspect.getdoc(model) or "").partition("\n\nAttributes:\n")
    part["description"] = " ".join(text.split())
    for name, said in _attributes(attributes):
        part["properties"][model.model_fields[name].alias or name]["description"] = said


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    name, said = "", ""
    for line in text.splitlines():
        if begins := _ATTRIBUTE.match(line):
            if name:
                yield name, said
            name, said = begins[1], begins[2]
        else:
            said = f"{said} {line.strip()}"
    if name:
        yield name, said
