"""Events as a month's file has them: by month, customer, instant and id, cut into buckets of whole customers.

Rows are sorted as one number each, and copied once, some buckets at a time. To copy them month by month first, or all
before any is written, takes memory that the system has to clear; to copy them bucket by bucket, columns that do not fit
into the cache are gone through as often.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
import polars as pl

from warehouse.event_ids import keys_of

_SORTED_BY = ("event_id", "occurred_at", "customer")
_DAY = 86_400_000_000
_AT_ONCE = 2**20
"""So many rows are copied before they are written."""


@dataclass(frozen=True)
class Some:
    """Some of the rows of a frame of events.

    Attributes:
        events: The frame, every column in one piece, without those that have one value in all rows.
        fixed: Those, a row of each.
        columns: The columns in order.
        keys: What its event ids are found by, see `warehouse.event_ids`.
        rows: Numbers of the rows.
    """

    events: pl.DataFrame
    fixed: Sequence[pl.Series]
    columns: Sequence[str]
    keys: np.ndarray
    rows: np.ndarray

    @classmethod
    def all(cls, events: pl.DataFrame, keys: np.ndarray | None = None) -> Self:
        """All rows of a frame; with what its ids are found by, where that is known."""
        fixed = [column.head(1) for column in events.get_columns() if _is_fixed(column)]
        whole = events.drop(column.name for column in fixed).rechunk()
        keys = keys_of(whole["event_id"]) if keys is None else keys
        return cls(whole, fixed, events.columns, keys, np.arange(whole.height))

    @property
    def height(self) -> int:
        """How many events."""
        return len(self.rows)

    def frame(self) -> pl.DataFrame:
        """The events by themselves."""
        return self.taken(self.rows)

    def taken(self, rows: np.ndarray) -> pl.DataFrame:
        """Some rows of the frame, in this order."""
        made = self.events[pl.Series(rows.astype(np.uint32))]
        fixed = [column.new_from_index(0, made.height) for column in self.fixed]
        return made.with_columns(fixed).select(self.columns)


def _is_fixed(column: pl.Series) -> bool:
    """Whether all rows have one number: who writes a delivery, and what no feed of it tells."""
    if column.name in _SORTED_BY or not column.len() or column.null_count():
        return False
    return column[0] == column[-1] and column.min() == column.max()


def by_month(events: pl.DataFrame, keys: np.ndarray | None = None) -> dict[str, Some]:
    """Events by the month (UTC) that they are of; with what their ids are found by, where that is known."""
    if not events.height:
        return {}
    every = Some.all(events, keys)
    day = every.events["occurred_at"].to_physical().to_numpy() // _DAY
    first = int(day.min())
    day -= first
    days = first + np.arange(int(day.max()) + 1)
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    number = (month - month[0]).astype(np.min_scalar_type(int(month[-1] - month[0]))).take(day)
    counts = np.bincount(number)
    # Of bytes a stable sort is one by counting.
    order, ends = np.argsort(number, kind="stable"), np.cumsum(counts)
    return {
        _name(int(month[0]) + int(one)): replace(every, rows=order[ends[one] - counts[one] : ends[one]])
        for one in np.flatnonzero(counts)
    }


def _name(number: int) -> str:
    """The name of a month that begins so many months after 1970 does."""
    return f"{1970 + number // 12:04}-{number % 12 + 1:02}"


@dataclass(frozen=True)
class Arranged:
    """Events of a month by customer, instant and id.

    Attributes:
        some: The events.
        order: Their rows, in order.
        ends: Where every bucket begins and ends: each has all events of its customers.
    """

    some: Some
    order: np.ndarray
    ends: list[tuple[int, int]]

    @classmethod
    def of(cls, some: Some, buckets: int) -> Self:
        """Arrange events.

        Args:
            some: At least one.
            buckets: How many at most; all about as large, unless one customer has more.
        """
        customer = some.events["customer"].to_numpy().take(some.rows)
        since = some.events["occurred_at"].to_physical().to_numpy().take(some.rows)
        since -= since.min()
        # One number says it all, so that numbers are sorted and no places of numbers: customer, as much of the instant
        # as there is room for, row. What is alike in all but the row is sorted by the rest.
        row_bits = (some.height - 1).bit_length()
        bits = 64 - int(customer.max()).bit_length() - row_bits
        keys = customer.astype(np.uint64)
        for further, told in (
            (bits, since.view(np.uint64) >> np.uint64(max(int(since.max()).bit_length() - bits, 0))),
            (row_bits, np.arange(some.height, dtype=np.uint32)),
        ):
            keys <<= np.uint64(further % 64)  # a row alone needs no bit, and has all of them for its instant
            keys |= told
        keys.sort()
        # Every bucket but the first begins with the customer whose row would be its first.
        firsts = keys[np.arange(1, buckets) * some.height // buckets]
        begins = np.searchsorted(keys, firsts & ~np.uint64(2 ** (bits + row_bits) - 1))
        ends = list(pairwise(np.unique([0, *begins, some.height]).tolist()))
        order = some.rows.take((keys & np.uint64(2**row_bits - 1)).view(np.int64))
        keys >>= np.uint64(row_bits)
        is_next = keys[1:] == keys[:-1]
        if is_next.any():
            _sort_alike(some.events, keys, np.append(is_next, False), order)
        return cls(some, order, ends)

    @property
    def keys(self) -> np.ndarray:
        """What the ids are found by, in order."""
        return self.some.keys.take(self.order)

    def sample(self, rows: int) -> pl.DataFrame:
        """About so many of the events, from all over them; all of them if they are fewer."""
        return self.some.taken(self.order[:: -(-len(self.order) // rows)])

    def buckets(self) -> Iterator[pl.DataFrame]:
        """The events, bucket after bucket."""
        for begin, end in self._turns():
            first = self.ends[begin][0]
            taken = self.some.taken(self.order[first : self.ends[end - 1][1]])
            yield from (taken[one - first : other - first] for one, other in self.ends[begin:end])

    def _turns(self) -> Iterator[tuple[int, int]]:
        """Which buckets are copied at once."""
        begin = 0
        for number, (_, end) in enumerate(self.ends, start=1):
            if number == len(self.ends) or end - self.ends[begin][0] >= _AT_ONCE:
                yield begin, number
                begin = number


def _sort_alike(events: pl.DataFrame, keys: np.ndarray, is_next: np.ndarray, order: np.ndarray) -> None:
    """Put rows whose keys are alike in the order of their instants and ids.

    Args:
        events: The frame that they are rows of.
        keys: A key for every row, ascending.
        is_next: Whether the next key is the same.
        order: The rows, by key.
    """
    alike = np.flatnonzero(is_next | np.roll(is_next, 1))
    some = events.select("occurred_at", "event_id")[pl.Series(order[alike])]
    by = [pl.Series("key", keys[alike]), *some.get_columns(), pl.Series("row", order[alike])]
    order[alike] = pl.DataFrame(by).sort("key", "occurred_at", "event_id")["row"].to_numpy()
