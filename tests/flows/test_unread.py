"""Files that no stream reads are named once, wherever somebody looks; nothing fails for them."""

import json
from pathlib import Path

import pytest

from flows.unread import listed, unclaimed
from tests.conftest import Sandbox

GOOD = "a,a@x.de,2026-02-01T10:00:00,web,order,5"
SAID = "No stream reads inbox/answer.csv, inbox/notes.txt"


@pytest.fixture
def crowded(sandbox: Sandbox) -> Sandbox:
    """One file that is read, two that are not, and one that nobody is to look at."""
    sandbox.answers(GOOD)
    for name in ("answer.csv", "notes.txt", ".hidden"):
        sandbox.write(f"inbox/{name}", "x\n")
    sandbox.write("inbox/older/answers.csv", "x\n")
    return sandbox


@pytest.mark.parametrize("words", [["check"], ["run", "--dry-run"], ["run"], ["doctor"]])
def test_every_command_that_looks_names_them(crowded: Sandbox, call, words: list[str]):
    said = call(words[0], crowded.root, *words[1:])
    assert " ".join(said.out.split()).count(SAID) == 1
    if words[0] != "doctor":  # it has other things to say
        assert said.code == 0


def test_they_are_told_as_values(crowded: Sandbox, call):
    names = ["inbox/answer.csv", "inbox/notes.txt"]
    assert json.loads(call("check", crowded.root, "--json").out)["unclaimed"] == names
    assert json.loads(call("run", crowded.root, "--json").out)["unclaimed"] == names


def test_without_any_nothing_is_said(sandbox: Sandbox, call):
    sandbox.answers(GOOD)
    assert "No stream reads" not in call("check", sandbox.root).out + call("run", sandbox.root).out


@pytest.mark.parametrize(
    ("pattern", "found", "left"),
    [
        ("inbox/a*.csv", ["inbox/a.csv"], ["inbox/b.txt"]),
        ("inbox/b.txt", ["inbox/b.txt"], ["inbox/a.csv"]),
        ("inbox/**/*.csv", ["inbox/a.csv", "inbox/deep/c.csv"], []),
        ("*/a.csv", ["inbox/a.csv"], []),
        ("*.yaml", ["map.yaml"], []),
        ("nowhere/*", [], []),
    ],
)
def test_what_is_found_is_what_a_glob_finds(tmp_path: Path, pattern: str, found: list[str], left: list[str]):
    for name in ("map.yaml", "inbox/a.csv", "inbox/b.txt", "inbox/deep/c.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    paths, beside = listed(pattern, tmp_path)
    assert sorted(paths) == sorted(path for path in tmp_path.glob(pattern) if path.is_file())
    assert sorted(str(path.relative_to(tmp_path)) for path in paths) == found
    assert sorted(beside) == left


def test_a_file_of_another_stream_is_read(tmp_path: Path):
    (tmp_path / "in/deep").mkdir(parents=True)
    for name in ("in/a.csv", "in/b.csv", "in/c.csv"):
        (tmp_path / name).touch()
    left = {"in/b.csv", "in/c.csv"}
    assert unclaimed(["in/a.csv", "in/b*"], left, tmp_path) == ["in/c.csv"]
    assert unclaimed(["in/a.csv", "in/b*", "**/c.csv"], left, tmp_path) == []
