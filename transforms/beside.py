"""Rows of the same one beside each other, whoever they are of: subjects of cases, people who become customers.

Who it is takes two columns of whole numbers. Where rows stand in their order, those of a few are looked up, and many
of them are gone through stretch by stretch, without any hash.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

import numpy as np
import polars as pl

_WORD = 64
_MERGED = 8
"""Rows that come in so few stretches, each in order, are merged: beyond that it takes longer than to sort them."""


@dataclass(frozen=True)
class Placed:
    """Rows, and where they stand in an order.

    Attributes:
        rows: They, as they came.
        order: The numbers of the rows, in order; None where they came in order.
        whose: A number for whoever a row is of, in order.
        at: What the first column after those says, as a number, in order; of an order without one nothing.
    """

    rows: pl.DataFrame
    order: np.ndarray | None
    whose: np.ndarray
    at: np.ndarray


@dataclass(frozen=True)
class Order:
    """An order of rows.

    Attributes:
        of: Two columns that say whose a row is; the second of no more than 32 bits.
        then: Columns that say which of somebody's rows is later; ties are alike. None where nobody asks.
    """

    of: tuple[str, str]
    then: tuple[str, ...]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.of, *self.then)

    def narrow(self, told: pl.DataFrame) -> pl.DataFrame:
        """Rows with every column as narrow as its numbers, but for those that say whose they are.

        These are looked up among each other by halves, which takes one type for all.
        """
        return told.with_columns(
            _narrow(one) for one in told if one.dtype.is_integer() and one.name not in self.of
        )

    def beside(self, told: pl.DataFrame) -> pl.DataFrame:
        """Rows of each one beside each other, in order of the two columns: they stay in the order they are in."""
        told = told.rechunk()  # a look-up in columns of several pieces takes five times as long
        order, _ = self._order(told)
        return told if order is None else told[order]

    def rows_of(self, told: pl.DataFrame, some: pl.DataFrame) -> np.ndarray:
        """Numbers of the rows of some, ascending.

        Args:
            told: Rows as `beside` returns them. Only some of them are looked at: as many for each as it takes to
                halve all until one is left.
            some: The two columns: each pair once.
        """
        low = self.edges_of(told, some, "left")
        # Where another one's rows are, or none, there is no end to look for: most of whom something new is told are new.
        maybe = np.flatnonzero(low < told.height)
        is_there = np.ones(maybe.size, dtype=bool)
        for name in self.of:
            is_there &= told[name].to_numpy().take(low[maybe]) == some[name].to_numpy().take(maybe)
        there = maybe[is_there]
        low, high = low[there], self.edges_of(told, some[there], "right")
        return np.sort(_stretches(low, high - low))

    def edges_of(self, told: pl.DataFrame, some: pl.DataFrame, side: Literal["left", "right"]) -> np.ndarray:
        """Where the rows of some begin (`left`) or end (`right`), in the order of these.

        Args:
            told: Rows as `beside` returns them.
            some: The two columns; those of which there is no row begin and end where it would be.
            side: Which of both.
        """
        first, second = (told[name].to_numpy() for name in self.of)
        # Of the columns' own types: else all of them were copied into another one.
        outer, wanted = (some[name].to_numpy() for name in self.of)
        found = np.empty(some.height, dtype=np.int64)
        for one in np.unique(outer):
            low, high = (int(np.searchsorted(first, one, end)) for end in ("left", "right"))
            of_it = outer == one
            found[of_it] = low + np.searchsorted(second[low:high], wanted[of_it], side)
        return found

    def in_order(self, told: pl.DataFrame) -> pl.DataFrame:
        """Rows in this order."""
        found = self.placed(told)
        return found.rows if found.order is None else found.rows[found.order]

    def placed(self, told: pl.DataFrame) -> Placed:
        """Rows and where they stand in this order: whoever needs few of their columns gathers these alone.

        Rows of one mostly come in order, for files are by customer and time. So they are put beside each other, which
        leaves their order as it was, and only those that come otherwise are sorted: by time and, where the rest of the
        order has to say which of several at one instant is later, by all of it.
        """
        told = told.rechunk()  # a look-up in columns of several pieces takes five times as long
        order, whose = self._order(told)
        if not self.then:
            return Placed(told, order, whose, whose[:0])
        at = told[self.then[0]].to_physical().to_numpy()
        at = at if order is None else at.take(order)
        close = _not_later(whose, at)
        if (late := close[at.take(close) < at.take(close - 1)]).size:
            places = _rows_of(whose, whose[late])
            sorted_places = places[np.lexsort((at[places], whose[places]))]
            if order is None:
                order, at = np.arange(whose.size), at.copy()
            order[places], at[places] = order[sorted_places], at[sorted_places]
            close = _not_later(whose, at)
        if not self.then[1:] or not close.size:
            return Placed(told, order, whose, at)
        # Of rows at one instant it is the rest of the order that says which is later.
        rest, places = told.select(self.then[1:]), (close, close - 1)
        some, before = (rest[rows if order is None else order.take(rows)] for rows in places)
        later = pl.Series([False]).new_from_index(0, close.size)
        for name in reversed(self.then[1:]):
            later = (some[name] < before[name]) | ((some[name] == before[name]) & later)
        if later.any():
            places = _rows_of(whose, whose[close[later.to_numpy()]])
            order = np.arange(whose.size) if order is None else order
            theirs = order[places]
            order[places] = theirs[told[theirs].select(pl.arg_sort_by(self.columns)).to_series().to_numpy()]
        return Placed(told, order, whose, at)

    def together(self, told: Iterable[pl.DataFrame]) -> pl.DataFrame:
        """Rows of several tables in this order, each of them narrow in its own way.

        Whoever widens them does so afterwards: to move columns is most of what it costs. Tables that tell of other
        times than each other are best put one after the other, wherever they come in.
        """
        parts = list(told)
        if self.then:
            parts.sort(key=lambda one: cast("int", one[self.then[0]].to_physical().min() or 0))
        return self.in_order(pl.concat(parts, how="vertical_relaxed"))

    def bounds_of(self, some: pl.DataFrame, parts: int) -> pl.DataFrame:
        """With whom all parts but the first begin, so that each has about as many rows.

        Args:
            some: The two columns of some of the rows, drawn evenly.
            parts: How many parts.

        Returns:
            The two columns, ascending; of no rows the least there can be.
        """
        drawn = np.sort(self.numbered(some)) if some.height else np.zeros(1, np.uint64)
        found = drawn[np.arange(1, parts) * drawn.size // parts]
        pairs = dict(zip(self.of, (found >> np.uint64(32), found & np.uint64(2**32 - 1)), strict=True))
        return pl.DataFrame(pairs).cast({name: some.schema[name] for name in self.of})

    def differing(self, gone: Sequence[pl.DataFrame], came: Sequence[pl.DataFrame]) -> pl.DataFrame:
        """Whose rows are not the same before and after: the two columns, each pair once.

        Args:
            gone: Rows of before, whichever are not known to have stayed; all of the same columns.
            came: Rows of after.
        """
        sides = [(frame, side) for frames, side in ((gone, -1), (came, 1)) for frame in frames]
        rows = pl.concat([frame.with_columns(__side=pl.lit(side, dtype=pl.Int64)) for frame, side in sides])
        columns = [name for name in rows.columns if name != "__side"]
        changed = rows.group_by(columns).agg(pl.col("__side").sum()).filter(pl.col("__side") != 0)
        return changed.select(self.of).unique()

    def numbered(self, told: pl.DataFrame) -> np.ndarray:
        """Whose every row is, as one number (uint64)."""
        first, second = (told[name].to_numpy() for name in self.of)
        found = first.astype(np.uint64)
        found <<= np.uint64(32)
        found += second
        return found

    def _order(self, told: pl.DataFrame) -> tuple[np.ndarray | None, np.ndarray]:
        """In which order rows are beside each other, None when they are so already; and whose they are in that order."""
        first, second = (told[name].to_numpy() for name in self.of)
        # Half as wide, and there already, where the first column says the same of all.
        number = second if first.size and (first == first[0]).all() else self.numbered(told)
        stretches = np.count_nonzero(number[1:] < number[:-1]) + 1
        if stretches == 1:
            return None, number
        low, bits = number.min(), (told.height - 1).bit_length()
        if stretches <= _MERGED or int(number.max() - low).bit_length() + bits > _WORD:
            order = np.argsort(number, kind="stable")  # stretches that ascend are merged
            return order, number.take(order)
        # A row's own number after whose it is: sorted as numbers, which is quicker than any order of places, and stable.
        word = (number - low).astype(np.uint64, copy=False)
        word <<= np.uint64(bits)
        word |= np.arange(told.height, dtype=np.uint64)
        word.sort()
        order = (word & np.uint64((1 << bits) - 1)).view(np.int64)
        word >>= np.uint64(bits)
        return order, word


def _narrow(numbers: pl.Series) -> pl.Series:
    """Whole numbers in the narrowest type that has room for all of them; polars looks at each again as it casts it."""
    if not numbers.len() or numbers.null_count():
        return numbers.shrink_dtype()
    ends = pl.Series([numbers.min(), numbers.max()], dtype=numbers.dtype).shrink_dtype()
    if ends.dtype == numbers.dtype:
        return numbers
    return pl.Series(numbers.name, numbers.to_numpy().astype(ends.to_numpy().dtype))


def _not_later(whose: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Which rows are not later than the one before, of the same one."""
    found = at[1:] <= at[:-1]
    found &= whose[1:] == whose[:-1]
    return np.flatnonzero(found) + 1


def _rows_of(numbers: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Places of some numbers, which may be told more than once, among ascending ones."""
    wanted = np.unique(some)
    low, high = (np.searchsorted(numbers, wanted, side) for side in ("left", "right"))
    return _stretches(low, high - low)


def _stretches(low: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Numbers that follow each other, so many from each beginning on."""
    before = np.cumsum(counts) - counts
    return np.repeat(low - before, counts) + np.arange(counts.sum())
