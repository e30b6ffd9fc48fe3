"""Rows by the whole numbers they have in common, by place in an array instead of by hash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import polars as pl

PLACES_PER_ROW = 8
PLACES_ALWAYS = 1 << 16
"""With more places than both allow, an array would be mostly empty: the places that there are are sorted."""
_LARGEST = (1 << 63) - 1

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Groups:
    """Rows by the numbers they have in common.

    Attributes:
        keys: The numbers of every group, by column; the groups are sorted by them.
        sizes: How many rows every group has.
        place: Every row's place.
        group_at: The group at every place.
    """

    keys: Columns
    sizes: np.ndarray
    place: np.ndarray
    group_at: np.ndarray

    @cached_property
    def of_row(self) -> np.ndarray:
        """Every row's group."""
        return self.group_at.take(self.place)

    def all(self, number: int, kind: type[np.number]) -> np.ndarray:
        """The same number for every group."""
        return np.full(len(self.sizes), number, dtype=kind)

    def add_up(self, values: np.ndarray) -> np.ndarray:
        """The sum of whole numbers in every group, exact up to 64 bits; or how many are true."""
        total = np.zeros(len(self.sizes), dtype=np.int64)
        np.add.at(total, self.of_row, values.astype(np.int64, copy=False))
        return total

    def total(self, values: np.ndarray) -> pl.Series:
        """The sum of whole numbers in every group, exact however large."""
        if _largest(values) * len(values) <= _LARGEST:
            return pl.Series(self.add_up(values)).cast(pl.Int128)
        return self._wide(values, pl.col("steps"))

    def squares(self, values: np.ndarray) -> pl.Series:
        """The sum of the squares of whole numbers in every group, exact."""
        if _largest(values) ** 2 * len(values) <= _LARGEST:
            return pl.Series(self.add_up(values * values)).cast(pl.Int128)
        return self._wide(values, pl.col("steps") * pl.col("steps"))

    def _wide(self, values: np.ndarray, of: pl.Expr) -> pl.Series:
        """The sum of something of whole numbers in every group, in 128 bits."""
        wide = pl.DataFrame({"group": self.of_row, "steps": values}, schema_overrides={"steps": pl.Int128})
        return wide.group_by("group").agg(of.sum()).sort("group")["steps"]


def _largest(values: np.ndarray) -> int:
    return max(-int(values.min(initial=0)), int(values.max(initial=0)))


def grouped(rows: Columns) -> Groups:
    """Rows by columns of whole numbers."""
    columns = list(rows.values())
    if not columns[0].size:
        nothing = np.empty(0, dtype=np.int64)
        return Groups(rows, nothing, nothing, nothing)
    lows = [column.min() for column in columns]
    spans = [int(column.max()) - int(low) + 1 for column, low in zip(columns, lows, strict=True)]
    if prod(spans) > max(PLACES_PER_ROW * columns[0].size, PLACES_ALWAYS):
        return _sorted(rows, lows, spans)
    place = np.zeros(columns[0].size, dtype=np.uint32)
    for column, low, span in zip(columns, lows, spans, strict=True):
        if span > 1:
            place = place * span + _above(column, low).astype(np.uint32, copy=False)
    sizes = np.bincount(place)
    there = np.flatnonzero(sizes)
    numbers = zip(rows, np.unravel_index(there, spans), lows, strict=True)
    keys = {name: number.astype(low.dtype) + low for name, number, low in numbers}
    return Groups(keys, sizes[there], place, np.cumsum(sizes > 0) - 1)


def _sorted(rows: Columns, lows: Sequence[np.number], spans: Sequence[int]) -> Groups:
    """Rows whose numbers are far apart."""
    place, places = np.zeros(1, dtype=np.int64), 1
    for column, low, span in zip(rows.values(), lows, spans, strict=True):
        if places * span > _LARGEST:
            place, places = _ranked(place)
        numbers = column
        if places * span > _LARGEST:
            (numbers, span), low = _ranked(column), np.int64(0)  # noqa: PLW2901 - its numbers, closer together
        place, places = place * span + _above(numbers, low).astype(np.int64, copy=False), places * span
    found, of_row, sizes = np.unique(place, return_inverse=True, return_counts=True)
    some = np.empty(found.size, dtype=np.int64)
    some[of_row] = np.arange(place.size)  # of each group one, whichever
    return Groups({name: column[some] for name, column in rows.items()}, sizes, of_row, np.arange(found.size))


def _above(numbers: np.ndarray, low: np.number) -> np.ndarray:
    """How far numbers are above the lowest of them, which may be more than their own type has room for."""
    return (numbers - low).view(f"u{numbers.dtype.itemsize}")


def _ranked(numbers: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers that are in the same order and follow each other, and how many."""
    found, rank = np.unique(numbers, return_inverse=True)
    return rank, found.size


def numbered(frame: pl.DataFrame) -> tuple[np.ndarray, pl.DataFrame]:
    """The number of every row's combination of values, and the combinations by number.

    Args:
        frame: Columns of whole numbers, or of what polars keeps as such, without nulls.
    """
    found = grouped({one.name: one.to_physical().to_numpy() for one in frame})
    number = found.of_row
    first = np.zeros(len(found.sizes), dtype=np.int64)
    first[number[::-1]] = np.arange(frame.height)[::-1]
    return number, frame[first]


def order_of(numbers: np.ndarray, size: int) -> np.ndarray:
    """Places of small whole numbers by number, those of one number as they came.

    Args:
        numbers: From 0.
        size: How many numbers there are.
    """
    # A sort by 16 bits looks at every number once; by more of them it compares.
    order = np.argsort(numbers.astype(np.uint16, copy=False), kind="stable")
    for bits in range(16, max(size - 1, 0).bit_length(), 16):
        order = order[np.argsort((numbers[order] >> bits).astype(np.uint16), kind="stable")]
    return order
