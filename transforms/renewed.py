"""Rows of which few take the place of others at a time, and sums over them that follow the change.

What was counted of all rows once is remembered. From then on the rows that are gone are taken off and those that came
are added, to the last bit: sums are of whole numbers. Whoever counts says of how many rows, whatever others there are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

_SPREAD = 2
"""Rows that are at most so many times as far apart as they are many are left over from all between: to look each up takes longer."""

Remember = Callable[[str, Callable[[], pl.DataFrame]], pl.DataFrame]
"""Returns what was made under a name before; else has it made and remembers it."""
Count = Callable[[pl.DataFrame], pl.DataFrame]
"""Counts rows: keys, and sums of whole numbers; of no rows no sums."""


@dataclass(frozen=True)
class Renewed:
    """Rows as they are now, and how they come from those that there were before.

    Attributes:
        old: Those before, in the order of their subjects.
        gone: Numbers of the old rows that are no more, ascending: all of the subjects that were touched.
        came: Rows of these subjects, and of new ones.
        touched: All subjects that were touched: feed, subject_id, and the number of the last change that did.
        been: States that the rows have been in, from the old ones to those of now, and how many changes there had been
            by then: whatever differs between any of them and now is of subjects that later changes touched. Empty when
            that is not known.
        remember: Remembers what is made of the old rows, customers aside, and of nothing else but what its name says.
    """

    old: pl.DataFrame
    gone: np.ndarray
    came: pl.DataFrame
    touched: pl.DataFrame = field(default_factory=pl.DataFrame)
    been: Sequence[tuple[str, int]] = ()
    remember: Remember = lambda _, make: make()

    @classmethod
    def whole(cls, rows: pl.DataFrame) -> "Renewed":
        """Rows of which none has taken another one's place."""
        return cls(rows, np.empty(0, dtype=np.int64), rows.clear())

    @property
    def height(self) -> int:
        """How many rows there are now."""
        return self.old.height - self.gone.size + self.came.height

    def lazy(self) -> pl.LazyFrame:
        """Rows as they are now, in any order: what is not asked for of the old ones is not touched."""
        if not self.gone.size and self.came.is_empty():
            return self.old.lazy()
        return pl.concat([self.old.lazy().filter(pl.lit(pl.Series(self._stays))), self.came.lazy()])

    def where(
        self,
        condition: pl.Expr,
        columns: Sequence[str] | None = None,
        among: tuple[int, int] | None = None,
    ) -> pl.DataFrame:
        """Rows as they are now of which something holds, in any order.

        Args:
            condition: What is asked of them.
            columns: Only these columns; all of them when absent.
            among: From which of the old rows on, and up to which, it may hold of any; of any of them when absent.
        """
        wanted = self.old.columns if columns is None else columns
        first, end = among or (0, self.old.height)
        rows = self.old[first:end].select(condition.arg_true()).to_series().to_numpy() + first
        if self.gone.size:
            rows = rows[self._stays[rows]]
        old = self.old.select(wanted)
        if rows.size and _SPREAD * rows.size > (span := int(rows[-1] - rows[0]) + 1):
            is_one = np.zeros(span, dtype=bool)
            is_one[rows - rows[0]] = True
            some = old[int(rows[0]) :][:span].filter(pl.Series(is_one))
        else:
            some = old[rows]
        # In one piece: whoever looks up rows of several takes three times as long.
        return pl.concat([some, self.came.filter(condition).select(wanted)], rechunk=True)

    @cached_property
    def left(self) -> pl.DataFrame:
        """The old rows that are no more."""
        return self.old[self.gone]

    @cached_property
    def _stays(self) -> np.ndarray:
        """Whether every old row is still there."""
        found = np.ones(self.old.height, dtype=bool)
        found[self.gone] = False
        return found

    def summed(self, name: str, count: Count, by: Sequence[str]) -> pl.DataFrame:
        """Sums over the rows as they are now.

        Args:
            name: What is counted, and by what: sums over the old rows are remembered under it.
            count: Counts.
            by: Its keys; all other columns are sums.

        Returns:
            As `count` returns it, unsorted; keys whose sums are all zero are left out.
        """
        before = self.remember(name, lambda: count(self.old))
        is_new = self.gone.size or self.came.height
        came, left = (count(rows) if is_new else before.clear() for rows in (self.came, self.left))
        return moved(before, came, left, by)


def moved(before: pl.DataFrame, came: pl.DataFrame, left: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Sums over rows, once some have come and others are gone.

    Args:
        before: Sums over those that there were.
        came: Sums over those that came.
        left: Sums over those that are no more.
        by: Their keys; all other columns are sums.

    Returns:
        As they are, unsorted; keys whose sums are all zero are left out.
    """
    sums = pl.exclude(by)
    if came.height or left.height:
        signed = [before, came, left.with_columns(sums * -1)]
        before = pl.concat(signed).group_by(by).agg(sums.sum())
    return before.filter(pl.any_horizontal(sums != 0)) if before.height else before
