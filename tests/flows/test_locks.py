"""Released contracts are frozen: a change asks for a version that says so."""

import json

import pytest

from contracts.errors import WorkspaceError
from flows.cli import app
from flows.locks import lock, wrong_versions
from tests.conftest import Sandbox

PATH = "contracts/survey.odcs.yaml"


def test_a_frozen_contract_is_not_changed_under_its_version(sandbox: Sandbox):
    assert [path.name for path in lock(sandbox.load())] == ["survey@1.0.0.json"]
    assert lock(sandbox.load()) == []
    sandbox.replace(PATH, "maximum: 5", "maximum: 4")
    with pytest.raises(
        WorkspaceError,
        match=r"version 1.0.0 is the same as 1.0.0, .* a major version. Write version 2.0.0",
    ):
        lock(sandbox.load())


@pytest.mark.parametrize(
    ("old", "new", "version", "is_right"),
    [
        ("maximum: 5", "maximum: 4", "1.1.0", False),
        ("maximum: 5", "maximum: 4", "2.0.0", True),
        ("maximum: 5", "maximum: 6", "1.0.1", False),
        ("maximum: 5", "maximum: 6", "1.1.0", True),
        ("status: active", "status: active\nname: Survey", "1.0.1", True),
        ("status: active", "status: active", "0.9.0", False),
    ],
)
def test_the_version_says_what_changed(sandbox: Sandbox, old: str, new: str, version: str, *, is_right: bool):
    lock(sandbox.load())
    sandbox.replace(PATH, old, new)
    sandbox.replace(PATH, "version: 1.0.0", f"version: {version}")
    assert (wrong_versions(sandbox.load()) == []) is is_right


def test_the_newest_version_counts_by_number_not_by_letter(sandbox: Sandbox):
    for version in ("1.9.0", "1.10.0"):
        text = (sandbox.root / PATH).read_text().replace("version: 1.0.0", f"version: {version}")
        sandbox.write(
            f"locks/survey@{version}.json", json.dumps({"id": "survey", "version": version, "schema": []})
        )
    sandbox.write(PATH, text.replace("1.10.0", "1.9.5"))
    assert "is not after 1.10.0" in wrong_versions(sandbox.load())[0].what


def test_a_damaged_lock_is_told_by_name(sandbox: Sandbox):
    sandbox.write("locks/survey@1.0.0.json", "{")
    with pytest.raises(WorkspaceError, match=r"locks/survey@1.0.0.json: is no frozen contract"):
        lock(sandbox.load())


def test_diff_prints_effects_and_ends_with_code_3(sandbox: Sandbox, capsys):
    lock(sandbox.load())
    sandbox.replace(PATH, "{value: email}, {value: web}", "{value: email}")
    with pytest.raises(SystemExit) as ended:
        app(["contracts", "diff", str(sandbox.root), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert ended.value.code == 3
    assert said["contracts"][0]["changes"] == [
        {"path": "answers.channel.enum", "what": "no longer web", "effect": "tightens", "needs": "major"}
    ]
    assert "Write version 2.0.0" in said["problems"][0]["remedy"]
