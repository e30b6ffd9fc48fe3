"""Tables whose columns lie in a file as they lie in memory: they are mapped instead of read, and no row is copied.

columns, each from a multiple of 64 bytes on | what they are, as JSON | length of that (8 bytes) | MAGIC

A column is its numbers, then its bits (one for each row, 1 where there is a value) if any value is missing. There is
room behind the rows of every column, which takes no disk: rows can be added in a private copy of the pages, where rows
can be replaced too, at the cost of the pages that they are on. The file stays as it is, and so do others who map it.

A file that is mapped may be deleted or replaced by another one at any time, but must not be cut: nobody here does.
"""

import json
import mmap
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from contracts.errors import StoreError

MAGIC = b"tables01"
ROOM_SHARE, ROOM_ROWS = 1 / 32, 1024
"""There is room for so many more rows as this share of those there are, and so many at least."""
WRITTEN_ROWS = 1 << 17
"""So many numbers are written at once: what is made for it stays in the processor's cache."""
_ALIGNED = 64
_KINDS: tuple[pl.DataType, ...] = (
    *(kind() for kind in (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Int8, pl.Int16, pl.Int32, pl.Int64)),
    *(pl.Float32(), pl.Float64(), pl.Boolean(), pl.Datetime("us", "UTC")),
)
_BY_NAME = {str(kind): kind for kind in _KINDS}
_ARROW = {name: pl.Series(dtype=kind).to_arrow().type for name, kind in _BY_NAME.items()}
_BOOLEAN = str(pl.Boolean())


@dataclass(frozen=True)
class Change:
    """Rows of a table that others take the place of.

    Attributes:
        gone: Numbers of the rows, ascending.
        rows: The others: the table's columns, perhaps more of them.
    """

    gone: np.ndarray
    rows: pl.DataFrame


def is_mappable(tables: Mapping[str, pl.DataFrame]) -> bool:
    """Whether all columns are of numbers, instants or yes and no."""
    return all(str(kind) in _BY_NAME for frame in tables.values() for kind in frame.dtypes)


def write(path: Path, tables: Mapping[str, pl.DataFrame]) -> None:
    """Write tables, all of them mappable."""
    told: dict[str, Any] = {}
    with path.open("wb") as file:
        for name, frame in tables.items():
            room = int(frame.height * ROOM_SHARE) + ROOM_ROWS
            columns = []
            for column in frame.get_columns():
                kind, at = str(column.dtype), []
                for some in _numbers_and_bits(column):
                    file.seek(-(-file.tell() // _ALIGNED) * _ALIGNED)
                    at.append(file.tell())
                    for piece in some:
                        file.write(piece.data.cast("B") if piece.size else b"")
                    file.seek(at[-1] + _size(kind if len(at) == 1 else _BOOLEAN, frame.height + room))
                columns.append([column.name, kind, *at])
            told[name] = {"rows": frame.height, "room": room, "columns": columns}
        said = json.dumps(told).encode()
        file.write(said + len(said).to_bytes(8, "little") + MAGIC)


def read(path: Path, names: Collection[str] | None = None) -> dict[str, pl.DataFrame]:
    """The tables of a file, or some of them: their columns are the file's pages.

    Raises:
        StoreError: It is written in another way.
    """
    return {name: table.frame() for name, table in _mapped(path, names, mmap.ACCESS_READ)}


def replaced(path: Path, changes: Mapping[str, Change]) -> dict[str, pl.DataFrame]:
    """Those of a file's tables that change, with rows that took the place of others; in no order.

    Raises:
        StoreError: It is written in another way.
    """
    private = _mapped(path, changes, mmap.ACCESS_COPY)
    return {name: table.replaced(changes[name]) for name, table in private}


def with_others(frame: pl.DataFrame, change: Change) -> pl.DataFrame:
    """A table with rows that took the place of others, all of it made anew."""
    stays = np.ones(frame.height, dtype=bool)
    stays[change.gone] = False
    return pl.concat([frame.filter(pl.Series(stays)), change.rows.select(frame.columns)])


@dataclass(frozen=True)
class _Column:
    """A column, rows that there is room for included; `bits` where a value is missing, or could be."""

    kind: str
    numbers: np.ndarray
    bits: np.ndarray | None

    def array(self, rows: int) -> pa.Array:
        """Its first rows, as they lie here."""
        bits = None if self.bits is None else pa.py_buffer(self.bits)
        buffers = [bits, pa.py_buffer(self.numbers)]
        return pa.Array.from_buffers(_ARROW[self.kind], rows, buffers, 0 if bits is None else -1)

    def place(self, at: np.ndarray, values: pl.Series) -> "_Column":
        """Place values in some rows; the column that has them, which is this one unless a value is the first to miss."""
        numbers, there = _numbers(values.cast(_BY_NAME[self.kind])), values.is_not_null().to_numpy()
        if self.kind == _BOOLEAN:
            _set(self.numbers, at, numbers)
        else:
            self.numbers[at] = numbers
        if self.bits is not None:
            _set(self.bits, at, there)
        elif not there.all():
            made = _Column(self.kind, self.numbers, np.full(_bytes(self._room()), 255, np.uint8))
            return made.place(at, values)
        return self

    def move(self, source: np.ndarray, to: np.ndarray) -> None:
        """Copy rows over others."""
        if self.kind == _BOOLEAN:
            _set(self.numbers, to, _get(self.numbers, source))
        else:
            self.numbers[to] = self.numbers[source]
        if self.bits is not None:
            _set(self.bits, to, _get(self.bits, source))

    def _room(self) -> int:
        return self.numbers.size * (8 if self.kind == _BOOLEAN else 1)


@dataclass(frozen=True)
class _Table:
    rows: int
    room: int
    columns: dict[str, _Column]

    def frame(self) -> pl.DataFrame:
        """Its rows."""
        return _frame({name: one.array(self.rows) for name, one in self.columns.items()})

    def replaced(self, change: Change) -> pl.DataFrame:
        """Its rows with others in place of some: in their places, then behind them.

        Where fewer come than go, the last rows move to where nothing comes.
        """
        gone, rows = change.gone, change.rows
        left = self.rows - gone.size + rows.height
        if left > self.rows + self.room:
            return with_others(self.frame(), change)
        behind = np.arange(self.rows, left)
        free = np.concatenate([gone[gone < left], behind])
        tail = np.setdiff1d(np.arange(left, self.rows), gone, assume_unique=True)
        to, at = free[: tail.size], free[tail.size :]
        made = {}
        for name, column in self.columns.items():
            column.move(tail, to)
            made[name] = column.place(at, rows[name]).array(left)
        return _frame(made)


def _frame(arrays: Mapping[str, pa.Array]) -> pl.DataFrame:
    return pl.DataFrame(pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays)))


def _mapped(path: Path, names: Collection[str] | None, access: int) -> Iterator[tuple[str, _Table]]:
    """The tables of a file, mapped."""
    with path.open("rb") as file:
        try:
            pages = mmap.mmap(file.fileno(), 0, access=access)
        except OSError:  # there are file systems that cannot: it is read then
            pages = bytearray(file.read())
    end = len(pages) - len(MAGIC)
    if pages[end:] != MAGIC:
        raise StoreError.at(str(path), "is written in another way.", "Delete it: it is computed again.")
    length = int.from_bytes(pages[end - 8 : end], "little")
    for name, told in json.loads(pages[end - 8 - length : end - 8]).items():
        if names is None or name in names:
            rows = told["rows"] + told["room"]
            columns = {named: _column(pages, kind, rows, *at) for named, kind, *at in told["columns"]}
            yield name, _Table(told["rows"], told["room"], columns)


def _column(
    pages: mmap.mmap | bytearray, kind: str, rows: int, at: int, bits_at: int | None = None
) -> _Column:
    bits = None if bits_at is None else np.frombuffer(pages, np.uint8, _bytes(rows), bits_at)
    if kind == _BOOLEAN:
        return _Column(kind, np.frombuffer(pages, np.uint8, _bytes(rows), at), bits)
    return _Column(kind, np.frombuffer(pages, _type(kind), rows, at), bits)


def _numbers_and_bits(column: pl.Series) -> Iterator[Iterable[np.ndarray]]:
    """A column's numbers, then its bits if any value is missing: pieces that follow each other."""
    if column.dtype == pl.Boolean:
        yield [np.packbits(_numbers(column), bitorder="little")]
    else:
        yield map(_numbers, _pieces(column))
    if column.null_count():
        yield [np.packbits(column.is_not_null().to_numpy(), bitorder="little")]


def _pieces(column: pl.Series) -> Iterator[pl.Series]:
    """A column piece by piece, none of which is copied."""
    for chunk in column.get_chunks():
        for begin in range(0, chunk.len(), WRITTEN_ROWS):
            yield chunk[begin : begin + WRITTEN_ROWS]


def _numbers(column: pl.Series) -> np.ndarray:
    """A column's numbers, 0 or false where there is no value."""
    whole = column.to_physical()
    if whole.null_count():
        whole = whole.fill_null(False if whole.dtype == pl.Boolean else 0)
    return np.ascontiguousarray(whole.to_numpy())


def _type(kind: str) -> np.dtype:
    return np.dtype(np.int64) if kind.startswith("Datetime") else np.dtype(kind.lower())


def _size(kind: str, rows: int) -> int:
    """Bytes of a column."""
    return _bytes(rows) if kind == _BOOLEAN else rows * _type(kind).itemsize


def _bytes(bits: int) -> int:
    return -(-bits // 8)


def _get(bits: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Some bits, as yes and no."""
    return (bits[at >> 3] >> (at & 7)) & 1 == 1


def _set(bits: np.ndarray, at: np.ndarray, values: np.ndarray) -> None:
    """Set some bits."""
    one = np.left_shift(1, at & 7).astype(np.uint8)
    np.bitwise_or.at(bits, at[values] >> 3, one[values])
    np.bitwise_and.at(bits, at[~values] >> 3, ~one[~values])
