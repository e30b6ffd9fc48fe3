"""Tables as they are in memory: what is read is what was written."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from contracts.errors import StoreError
from warehouse import mapped
from warehouse.files import digest_of_sums
from warehouse.mapped import is_mappable, read, write

KINDS = {
    "code": pl.UInt16,
    "count": pl.Int64,
    "hours": pl.Float64,
    "is_done": pl.Boolean,
    "at": pl.Datetime("us", "UTC"),
}
START = datetime(2026, 1, 1, tzinfo=UTC)
row = st.tuples(
    st.none() | st.integers(0, 2**16 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(allow_nan=False),
    st.none() | st.booleans(),
    st.none() | st.integers(0, 10**6).map(lambda hours: START + timedelta(hours=hours)),
)


def frame_of(rows: list[tuple]) -> pl.DataFrame:
    """A table of some drawn rows."""
    return pl.DataFrame(rows, schema=KINDS, orient="row")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file is written."""
    return tmp_path / "some.tables"


@settings(max_examples=200, deadline=None)
@given(st.lists(row, max_size=40))
def test_what_is_read_is_what_was_written(rows: list[tuple]):
    frame = frame_of(rows)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "some.tables"
        write(path, {"one": frame})
        found = read(path)["one"]
        assert_frame_equal(found, frame)
        assert found.null_count().equals(frame.null_count())
        assert found.n_chunks() == 1


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.lists(row, max_size=20), st.integers(0, 9)), min_size=1, max_size=4),
    st.integers(8, 72),
)
def test_a_table_in_pieces_is_written_as_one(parts: list[tuple[list[tuple], int]], written: int):
    pieces = pl.concat([frame_of(some)[first:] for some, first in parts], rechunk=False)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path, whole = Path(folder) / "pieces.tables", Path(folder) / "whole.tables"
        patch.setattr(mapped, "WRITTEN_BYTES", written)
        said = write(path, {"one": pieces})
        patch.undo()
        assert said == write(whole, {"one": pieces.rechunk()}) == digest_of_sums(path)
        assert_frame_equal(read(path)["one"], pieces)
        assert path.read_bytes() == whole.read_bytes()


def test_what_stands_where_a_value_misses_is_0(path: Path):
    there, ones = pa.py_buffer(b"\5"), pa.py_buffer(b"\xff" * 24)  # of three, the second misses
    kinds = {"hours": pa.float64(), "count": pa.int64(), "code": pa.int8(), "is_done": pa.bool_()}
    held = {name: pa.Array.from_buffers(kind, 3, [there, ones]) for name, kind in kinds.items()}
    write(path, {"one": pl.DataFrame({name: pl.Series(one) for name, one in held.items()})})
    written = path.read_bytes()
    for number, size in enumerate((8, 8, 1)):
        one = b"\xff" * size
        # Numbers and bits lie by turns, each from a multiple of 64 bytes on.
        assert written[number * 128 :].startswith(one + b"\0" * size + one)
        assert written[number * 128 + 64] == 5
    assert written[3 * 128] == written[3 * 128 + 64] == 5


def test_an_empty_table_is_lent_to_nobody(path: Path):
    write(path, {"none": frame_of([])})
    read(path)["none"].insert_column(0, pl.Series("more", [], pl.Int8))
    assert_frame_equal(read(path)["none"], frame_of([]))


def test_tables_are_read_by_name(path: Path):
    frame = frame_of([(1, 2, -0.0, None, START)] * 1000)
    write(path, {"one": frame, "none": frame.clear(), "two": frame[:3]})
    assert_frame_equal(read(path, ["two", "three"])["two"], frame[:3])
    assert read(path)["none"].is_empty()
    assert np.signbit(read(path)["one"]["hours"].to_numpy()).all()


def test_a_file_of_another_way_of_writing_is_told(path: Path):
    path.write_bytes(b"tables as they were long ago")
    with pytest.raises(StoreError, match="in another way"):
        read(path)


def test_what_cannot_be_mapped_is_read(path: Path, monkeypatch: pytest.MonkeyPatch):
    frame = frame_of([(1, 2, 0.5, None, START)] * 20)
    write(path, {"one": frame})

    def refuse(*_: object, **__: object) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr(mapped.mmap, "mmap", refuse)
    found = read(path)
    found.let_go()
    assert_frame_equal(found["one"], frame)


def test_what_was_let_go_is_there_when_it_is_looked_at_again(path: Path):
    frame = frame_of([(1, 2, 0.5, True, START)] * 5000)
    write(path, {"one": frame})
    found = read(path)
    for _ in range(2):
        assert_frame_equal(found["one"], frame)
        found.let_go()


def test_texts_are_not_mapped():
    assert is_mappable({"one": frame_of([])})
    assert not is_mappable({"one": frame_of([]), "two": pl.DataFrame({"name": ["x"]})})
