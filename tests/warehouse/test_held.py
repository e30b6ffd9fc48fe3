"""Tables that a process holds: those of files as they are, never of one that has changed, and not more than fit."""

import os
from pathlib import Path

import polars as pl
import pytest

from warehouse import held
from warehouse.held import Held
from warehouse.kept import Kept

TABLES = {"one": pl.DataFrame({"x": list(range(1000))})}


def _file(folder: Path, name: str, content: bytes = b"x") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_what_was_noted_is_found_until_the_file_changes(tmp_path: Path):
    memory, path = Held(), _file(tmp_path, "a")
    assert memory.find(path) is None
    memory.note(path, TABLES)
    assert memory.find(path) is TABLES
    path.write_bytes(b"other")
    assert memory.find(path) is None


def test_a_file_that_is_gone_is_told(tmp_path: Path):
    memory, path = Held(), _file(tmp_path, "a")
    memory.note(path, TABLES)
    path.unlink()
    with pytest.raises(OSError, match="a"):
        memory.find(path)


def test_nothing_is_held_beyond_the_limit_and_what_is_idle_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(held, "BYTES_MAX", 20_000)
    memory = Held()
    a, b, c = (_file(tmp_path, name) for name in "abc")
    for path in (a, b, c):
        memory.note(path, TABLES)
    assert [memory.find(path) is TABLES for path in (a, b, c)] == [True, True, False]
    monkeypatch.setattr(held, "IDLE_SECONDS", -1.0)
    memory.note(c, TABLES)
    assert [memory.find(path) is TABLES for path in (a, b, c)] == [False, False, True]
    memory.note(b, {"much": pl.DataFrame({"x": list(range(10_000))})})
    assert memory.find(b) is None


def test_kept_tables_are_read_once_a_process_and_anew_once_they_are_damaged(tmp_path: Path):
    Kept(tmp_path).put("facts", "k", TABLES)
    (path,) = tmp_path.iterdir()
    first = Kept(tmp_path).find("facts", "k")
    assert first is not None
    assert Kept(tmp_path).find("facts", "k") is first
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(content[:-1])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    kept = Kept(tmp_path)
    assert kept.find("facts", "k") is None
    assert not path.exists()
    assert not kept.has("facts", "k")


def test_a_table_of_many_is_found_by_its_name(tmp_path: Path):
    tables = {**TABLES, "two": TABLES["one"] * 2}
    Kept(tmp_path).put("told", "k", tables)
    for _ in range(2):
        found = Kept(tmp_path).find("told", "k", ["two", "three"])
        assert found is not None
        assert list(found) == ["two"]
        assert found["two"].equals(tables["two"])
