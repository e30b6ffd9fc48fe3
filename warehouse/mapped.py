"""Tables whose columns lie in a file as they lie in memory: they are mapped instead of read, and no row is copied.

columns, each from a multiple of 64 bytes on | what they are, as JSON | length of that (8 bytes) | MAGIC

A column is its numbers, then its bits (one for each row, 1 where there is a value) if any value is missing.

A file that is mapped may be deleted or replaced by another one at any time, but must not be cut: nobody here does.
"""

import json
import mmap
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from contracts.errors import StoreError
from warehouse.files import Summed

MAGIC = b"tables01"
WRITTEN_BYTES = 1 << 20
"""So much is written at once: what is made for it stays in the processor's cache."""
_ALIGNED = 64
_KINDS: tuple[pl.DataType, ...] = (
    *(kind() for kind in (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Int8, pl.Int16, pl.Int32, pl.Int64)),
    *(pl.Float32(), pl.Float64(), pl.Boolean(), pl.Datetime("us", "UTC")),
)
_BY_NAME = {str(kind): kind for kind in _KINDS}
_ARROW = {name: pl.Series(dtype=kind).to_arrow().type for name, kind in _BY_NAME.items()}
_BOOLEAN = str(pl.Boolean())


def is_mappable(tables: Mapping[str, pl.DataFrame]) -> bool:
    """Whether all columns are of numbers, instants or yes and no."""
    return all(str(kind) in _BY_NAME for frame in tables.values() for kind in frame.dtypes)


def write(path: Path, tables: Mapping[str, pl.DataFrame]) -> str:
    """Write tables, all of them mappable; returns what `digest_of_sums` says of the file."""
    told: dict[str, Any] = {}
    with path.open("wb") as opened:
        file = Summed(opened)
        for name, frame in tables.items():
            columns = []
            for column in frame.get_columns():
                kind, at = str(column.dtype), []
                for some in _numbers_and_bits(column):
                    at.append(file.skip_to_multiple(_ALIGNED))
                    for piece in some:
                        file.write(piece)
                columns.append([column.name, kind, *at])
            told[name] = {"rows": frame.height, "columns": columns}
        said = json.dumps(told).encode()
        file.write(np.frombuffer(said + len(said).to_bytes(8, "little") + MAGIC, np.uint8))
    return file.digest(path)


class Tables(dict[str, pl.DataFrame]):
    """Tables by name, whose columns are a file's pages."""

    def __init__(self, tables: Mapping[str, pl.DataFrame], pages: mmap.mmap | bytes) -> None:
        super().__init__(tables)
        self._pages = pages

    def let_go(self) -> None:
        """Have the system take back the memory of what was looked at: whoever looks again has it from the file."""
        if not isinstance(self._pages, bytes) and hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED)


def read(path: Path, names: Collection[str] | None = None) -> Tables:
    """The tables of a file, or some of them: their columns are the file's pages.

    Raises:
        StoreError: It is written in another way.
    """
    with path.open("rb") as file:
        try:
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError:  # there are file systems that cannot: it is read then
            pages = file.read()
    end = len(pages) - len(MAGIC)
    if pages[end:] != MAGIC:
        raise StoreError.at(str(path), "is written in another way.", "Delete it: it is computed again.")
    length = int.from_bytes(pages[end - 8 : end], "little")
    whole, tables = pa.py_buffer(pages), json.loads(pages[end - 8 - length : end - 8])
    found = {name: _frame(whole, told) for name, told in tables.items() if names is None or name in names}
    return Tables(found, pages)


def _frame(whole: pa.Buffer, told: Mapping[str, Any]) -> pl.DataFrame:
    """A table's rows, as they lie in the file."""
    arrays = {name: _array(whole, kind, told["rows"], *at) for name, kind, *at in told["columns"]}
    return pl.DataFrame(pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays)))


def _array(whole: pa.Buffer, kind: str, rows: int, at: int, bits_at: int | None = None) -> pa.Array:
    """A column, with bits where a value is missing."""
    numbers = whole.slice(at, _size(kind, rows))
    bits = None if bits_at is None else whole.slice(bits_at, _bytes(rows))
    return pa.Array.from_buffers(_ARROW[kind], rows, [bits, numbers], 0 if bits is None else -1)


def _numbers_and_bits(column: pl.Series) -> Iterator[Iterable[np.ndarray]]:
    """A column's numbers, then its bits if any value is missing: pieces that follow each other."""
    if column.dtype == pl.Boolean:
        yield [_as_bits(column.fill_null(False) if column.null_count() else column)]
    else:
        yield _numbers(column)
    if column.null_count():
        yield [_as_bits(column.is_not_null())]


def _numbers(column: pl.Series) -> Iterator[np.ndarray]:
    """A column's numbers piece by piece, as they lie: whole ones of as many bytes, 0 where there is no value."""
    for chunk in column.get_chunks():
        held = chunk.to_arrow()
        bits, numbers = held.buffers()
        size = held.type.bit_width // 8
        rows = np.frombuffer(numbers, f"u{size}", held.offset + len(held))[held.offset :]
        for begin in range(0, len(held), WRITTEN_BYTES // size):
            piece = rows[begin : begin + WRITTEN_BYTES // size]
            if held.null_count:
                piece = piece * _unpacked(bits, held.offset + begin, piece.size)
            yield piece


def _as_bits(column: pl.Series) -> np.ndarray:
    """What is yes or no and never missing, as bits; 0 behind the last one."""
    held = column.rechunk().to_arrow()
    return np.packbits(_unpacked(held.buffers()[1], held.offset, len(held)), bitorder="little")


def _unpacked(bits: pa.Buffer, first: int, size: int) -> np.ndarray:
    """Some bits, from the first one on, as 0 and 1."""
    byte, ahead = divmod(first, 8)
    return np.unpackbits(np.frombuffer(bits, np.uint8)[byte:], count=ahead + size, bitorder="little")[ahead:]


def _size(kind: str, rows: int) -> int:
    """Bytes of a column."""
    return _bytes(rows) if kind == _BOOLEAN else rows * _ARROW[kind].bit_width // 8


def _bytes(bits: int) -> int:
    return -(-bits // 8)
