"""Stored events some at a time, as arrays: so few that all that is made of them stays in the processor's caches."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa

PIECE_ROWS = 131_072
"""With more events an array of theirs no longer stays in the caches from one step to the next."""
PIECE_LEAST = 32_768
"""With fewer events what every step costs by itself weighs more than putting pieces together."""


@dataclass(frozen=True)
class Piece:
    """Some stored events.

    Attributes:
        events: The events; each column in one piece.
    """

    events: pl.DataFrame

    @property
    def height(self) -> int:
        """How many events."""
        return self.events.height

    def whole(self, column: str) -> np.ndarray:
        """A column of whole numbers none of which misses: codes, or instants in microseconds since 1970."""
        return self.values(column)[0]

    def values(self, column: str) -> tuple[np.ndarray, np.ndarray | None]:
        """A column as numbers, with anything where one misses; and 1 where there is one, 0 elsewhere.

        The second is None where none misses.
        """
        if column not in self._values:
            self._values[column] = _as_it_lies(self.events.get_column(column))
        return self._values[column]

    @cached_property
    def _values(self) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
        """What was asked for: several ask for the same."""
        return {}


def _as_it_lies(values: pl.Series) -> tuple[np.ndarray, np.ndarray | None]:
    if not values.null_count():
        found = values.to_numpy()
        return (found.view(np.int64) if found.dtype.kind == "M" else found), None
    # Filled it would be copied, and what misses told of bit by bit.
    held = values.cast(pl.Float64).to_arrow()
    bits, numbers = held.buffers()
    end = held.offset + len(held)
    there = np.unpackbits(np.frombuffer(bits, np.uint8), count=end, bitorder="little")
    return np.frombuffer(numbers, np.float64, end)[held.offset :], there[held.offset :]


class Some:
    """Columns of some events, from one piece after the other."""

    def __init__(self, kinds: Mapping[str, pl.DataType]) -> None:
        """Of no event yet.

        Args:
            kinds: Which columns, and their types.
        """
        self.rows = 0
        self._kinds = kinds
        self._values: dict[str, list[np.ndarray]] = {name: [] for name in kinds}
        self._there: dict[str, list[np.ndarray]] = {name: [] for name in kinds}

    def add(self, piece: Piece, rows: np.ndarray, **others: np.ndarray) -> None:
        """More of them.

        Args:
            piece: A piece.
            rows: Which of its events, by their places ascending.
            others: Columns of their own, of these events alone.
        """
        self.rows += rows.size
        is_whole = rows.size == piece.height
        for name, found in self._values.items():
            if name in others:
                found.append(others[name])
                continue
            values, there = piece.values(name)
            found.append(values if is_whole else values.take(rows))
            if there is not None or self._there[name]:
                # From the first that misses on it is known of each: of those before none does.
                known = sum(map(len, self._there[name]))
                self._there[name].append(np.ones(self.rows - rows.size - known, np.uint8))
                self._there[name].append(
                    np.ones(rows.size, np.uint8) if there is None else there if is_whole else there.take(rows)
                )

    def frame(self) -> pl.DataFrame:
        """All of them, in order."""
        arrays = [self._array(name) for name in self._kinds]
        held = pl.DataFrame(pa.RecordBatch.from_arrays(arrays, names=list(self._kinds)))
        # Column by column: a query would wait for others who have queries.
        return pl.DataFrame([one.cast(self._kinds[one.name]) for one in held])

    def _array(self, name: str) -> pa.Array:
        """A column as it lies here: polars would copy it."""
        values = np.concatenate(self._values[name]) if self._values[name] else np.empty(0)
        bits = (
            np.packbits(np.concatenate(self._there[name]), bitorder="little") if self._there[name] else None
        )
        held = [None if bits is None else pa.py_buffer(bits), pa.py_buffer(values)]
        return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), values.size, held)


def pieces(events: pl.DataFrame) -> Iterator[Piece]:
    """Events piece by piece, in their order: as they were read, where that is neither too many nor too few at a time."""
    if not events.height:
        return
    ends = np.cumsum(events.to_series(0).chunk_lengths()).tolist()
    if events.height < PIECE_LEAST * len(ends):
        events, ends = events.rechunk(), [events.height]
    for begin, end in pairwise([0, *ends]):
        for first in range(begin, end, PIECE_ROWS):
            yield Piece(events[first : min(first + PIECE_ROWS, end)])
