"""What a process that stays remembers of the tables it published."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import warehouse.releases
from contracts.tables import Column, QuarantineReason
from warehouse.memory import Memory, is_same
from warehouse.releases import Release, Releases, TableFile

LATE = 1e12
ROWS = pl.DataFrame({"feed": ["crm"], "stream": ["people"], "rule": ["email"], "n": [3]})


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases(tmp_path / "published", Memory())


def reasons(n: int = 3) -> pl.DataFrame:
    frame = QuarantineReason.empty()
    values = {
        name: "x" if kind == pl.String() else n if kind.is_integer() else None
        for name, kind in frame.schema.items()
    }
    return pl.DataFrame([values], schema=frame.schema)


def test_what_was_published_just_so_is_neither_checked_nor_written_again(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
):
    first = releases.put(QuarantineReason, reasons())
    monkeypatch.delattr(warehouse.releases, "as_published")  # whoever checks again fails
    again = releases.put(QuarantineReason, reasons())
    assert (first.is_reused, again.is_reused) == (False, True)
    assert (again.path, again.sha256, again.rows) == (first.path, first.sha256, 1)


def test_another_process_or_other_rows_or_other_columns_are_written(releases: Releases):
    first = releases.put(QuarantineReason, reasons())
    other = releases.put(QuarantineReason, reasons(4))
    assert other.path != first.path
    assert Releases(releases.root).put(QuarantineReason, reasons()).path == first.path
    mood = {"attribute_mood": Column(pl.String(), "How people are.", "mood")}
    with_mood = reasons(4).with_columns(attribute_mood=pl.lit("calm"))
    assert releases.put(QuarantineReason, with_mood, mood).path != other.path


def test_a_file_that_is_gone_or_damaged_is_not_taken_for_what_was_published(releases: Releases):
    path = releases.root / releases.put(QuarantineReason, reasons()).path
    path.unlink()
    made = releases.put(QuarantineReason, reasons())
    assert path.exists()
    assert not made.is_reused
    path.write_bytes(b"something else")
    with pytest.raises(warehouse.releases.StoreError, match="is damaged"):
        releases.put(QuarantineReason, reasons())


def test_a_file_that_is_remembered_counts_as_young(releases: Releases):
    import os

    path = releases.root / releases.put(QuarantineReason, reasons()).path
    os.utime(path, (1, 1))
    releases.put(QuarantineReason, reasons())
    releases.sweep(2, older_than=1_000_000_000)
    assert path.exists()


def test_a_table_that_is_too_large_is_not_remembered(monkeypatch: pytest.MonkeyPatch):
    memory: Memory[TableFile] = Memory()
    file = TableFile("t", "t.parquet", 1, 1, "0")
    memory.note("t", ROWS, {}, file)
    assert memory.find("t", ROWS, {}) == file
    monkeypatch.setattr("warehouse.memory.BYTES_MAX", 1)
    memory.note("t", ROWS, {}, file)
    assert memory.find("t", ROWS, {}) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([0.0, None], [0.0, None], True),
        ([0.0], [-0.0], False),
        ([float("nan")], [float("nan")], True),
        ([1.0, 2.0], [2.0, 1.0], False),
        ([None], [0.0], False),
        ([0.1 + 0.2], [0.3], False),
    ],
)
def test_frames_are_the_same_only_to_the_last_bit(one: list, other: list, *, same: bool):
    frames = [pl.DataFrame({"x": values}, schema={"x": pl.Float64}) for values in (one, other)]
    assert is_same(*frames) is same
    written = [np.array([v if v is not None else 7.0 for v in values]).tobytes() for values in (one, other)]
    assert (written[0] == written[1]) is same


def test_frames_of_other_types_are_not_the_same():
    one = pl.DataFrame({"x": [1]}, schema={"x": pl.Int64})
    assert not is_same(one, one.cast(pl.Int32))
    assert not is_same(one, one.rename({"x": "y"}))


def test_rows_of_a_table_that_is_asked_for_again_come_without_its_file(releases: Releases):
    def published(n: int) -> Release:
        return releases.publish(
            (releases.put(QuarantineReason, reasons(n)),), {}, lambda _folder, _manifest: {}
        )

    name = QuarantineReason.table_name()
    first = published(3)
    assert releases.frame(first, name)["row_count"].to_list() == [3], "from the file"
    second = published(4)
    (releases.root / second.tables[0].path).unlink()
    assert releases.frame(second, name)["row_count"].to_list() == [4]
    again = Releases(releases.root)
    with pytest.raises(warehouse.releases.StoreError):
        again.frame(second, name)
    assert releases.frame(first, name)["row_count"].to_list() == [3], "older ones are read"


def test_remembered_rows_are_those_of_the_file_to_the_last_bit(releases: Releases):
    name = QuarantineReason.table_name()
    releases.publish((releases.put(QuarantineReason, reasons(3)),), {}, lambda _folder, _manifest: {})
    shuffled = pl.concat([reasons(9).with_columns(stream=pl.lit("z")), reasons(8)])
    made = releases.publish((releases.put(QuarantineReason, shuffled),), {}, lambda _folder, _manifest: {})
    releases.frame(made, name)
    made = releases.publish(
        (releases.put(QuarantineReason, shuffled[::-1]),), {}, lambda _folder, _manifest: {}
    )
    remembered, read = releases.frame(made, name), Releases(releases.root).frame(made, name)
    assert remembered.schema == read.schema
    assert is_same(remembered, read)
