"""Values of observations cell by cell: what happened in one slot at one touchpoint, by metric and segment.

How many a cell has and their mark add up, so they follow the change, see `transforms.renewed`. The values themselves
stand in order of cells, those of cases made long before in one long column that is only looked at; cells that
have others now stand behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from transforms.groups import numbered, order_of
from transforms.measure import CELL, SUMS
from transforms.ranked import marked
from transforms.renewed import Renewed, moved

_ORDER = ("touchpoint", "metric", "dimension", "segment", "slot")
"""What is asked for together stands together: a touchpoint's periods are stretches of it."""
COUNTED = {**{name: SUMS[name] for name in CELL}, "n": pl.Int64(), "excluded": pl.Int64(), "mark": pl.Int64()}
"""A cell, how many of its observations have a value, how many have none, and the mark of the values."""


@dataclass(frozen=True)
class Cells:
    """Values cell by cell, those of one cell in any order.

    Attributes:
        counts: How many values every cell has.
        marks: Every cell's mark: the sum, modulo 2^64, of numbers that stand for its values.
        begins: Where its values begin.
        value: Values.
        more: Others, which begin one place behind the end of these.
    """

    counts: np.ndarray
    marks: np.ndarray
    begins: np.ndarray
    value: np.ndarray
    more: np.ndarray

    def take(self, cells: np.ndarray) -> "Cells":
        """Some of the cells, in their order."""
        return Cells(self.counts[cells], self.marks[cells], self.begins[cells], self.value, self.more)

    def of(self, cells: np.ndarray) -> np.ndarray:
        """A copy of the values of some cells, in their order."""
        cells = cells[self.counts[cells] > 0]
        if not cells.size:
            return np.empty(0)
        begins = self.begins[cells]
        ends = begins + self.counts[cells]
        # Cells that follow each other are copied at once.
        breaks = np.flatnonzero(begins[1:] != ends[:-1]) + 1
        firsts, lasts = np.concatenate([[0], breaks]), np.append(breaks, cells.size) - 1
        behind = self.value.size + 1
        return np.concatenate(
            [
                self.value[begin:end] if begin < behind else self.more[begin - behind : end - behind]
                for begin, end in zip(begins[firsts].tolist(), ends[lasts].tolist(), strict=True)
            ]
        )


@dataclass(frozen=True)
class Values:
    """Observations of quantiles by cell.

    Attributes:
        cells: `CELL`, no row twice.
        excluded: How many of every cell's observations have no value.
        events: Values of what has come to it.
        open: Values so far of cases that have not come to it yet.
    """

    cells: pl.DataFrame
    excluded: np.ndarray
    events: Cells
    open: Cells

    @classmethod
    def of(cls, values: pl.DataFrame) -> "Values":
        """Of observations: `measure.VALUED`."""
        return _put_together(_Stretches.of(counted_values(values), events_of(values)), values)

    @classmethod
    def following(
        cls, cases: Renewed, observe: Callable[[pl.DataFrame], pl.DataFrame], made_by: str, *, waits: bool
    ) -> "Values":
        """Of cases; of those made long before it is remembered.

        Args:
            cases: The cases.
            observe: Their observations: `measure.VALUED`, each of one case alone.
            made_by: A hash of all that `observe` hangs on but the instant it is, which says how long open cases wait.
            waits: Whether open cases have values at all.
        """
        before = cases.remember(f"cells-{made_by}", lambda: counted_values(observe(cases.old)))
        column = cases.remember(f"values-{made_by}", lambda: events_of(observe(cases.old)).select("value"))
        came, left = observe(cases.came), observe(cases.left)
        now = moved(before, counted_values(came), counted_values(left), CELL)
        waiting = observe(cases.where(pl.col("closed_at").is_null()) if waits else cases.old.clear())
        old = _Stretches.of(before, column)
        return _put_together(old.with_others(now, events_of(came), events_of(left)), waiting)


@dataclass(frozen=True)
class _Stretches:
    """Where every cell's values stand.

    Attributes:
        counted: `COUNTED`, and `begin`: where the first one stands.
        value: Values.
        more: Others, see `Cells`.
    """

    counted: pl.DataFrame
    value: np.ndarray
    more: np.ndarray = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(cls, counted: pl.DataFrame, values: pl.DataFrame) -> "_Stretches":
        """Cells (`COUNTED`, in any order) whose values, as `events_of` has them, follow each other."""
        begun = counted.sort(_ORDER).with_columns(begin=pl.col("n").cum_sum() - pl.col("n"))
        return cls(begun, values["value"].to_numpy())

    def with_others(self, now: pl.DataFrame, came: pl.DataFrame, gone: pl.DataFrame) -> "_Stretches":
        """The cells as they are now, once some values have come and others are gone.

        Args:
            now: `COUNTED`: all cells that there are now.
            came: Values that have come: `CELL`, value.
            gone: Values that are no more.
        """
        touched = pl.concat([came, gone]).select(CELL).unique(maintain_order=True)
        told = self.cells_of(touched)
        new, no_more = (_by_cell(some, touched) for some in (came, gone))
        left = [
            np.concatenate([_without(told.of(np.array([cell])), no_more[cell]), new[cell]])
            for cell in range(touched.height)
        ]
        sizes = np.array([len(one) for one in left], dtype=np.int64)
        moved = touched.with_columns(moved=pl.Series(self.value.size + 1 + np.cumsum(sizes) - sizes))
        begins = self.counted.select(*CELL, "begin")
        begun = now.join(begins, on=CELL, how="left").join(moved, on=CELL, how="left")
        counted = begun.with_columns(begin=pl.coalesce("moved", "begin")).drop("moved")
        return _Stretches(counted, self.value, np.concatenate([np.empty(0), *left]))

    def cells_of(self, cells: pl.DataFrame) -> Cells:
        """Some cells; those that are not there have no values."""
        found = cells.join(self.counted, on=CELL, how="left", maintain_order="left").fill_null(0)
        marks = found["mark"].to_numpy().view(np.uint64)
        return Cells(found["n"].to_numpy(), marks, found["begin"].to_numpy(), self.value, self.more)


def _by_cell(values: pl.DataFrame, cells: pl.DataFrame) -> list[np.ndarray]:
    """Values of every cell, ascending."""
    numbers = cells.with_row_index("cell")
    found = values.join(numbers, on=CELL, how="left").sort("cell", "value")
    ends = np.cumsum(np.bincount(found["cell"].to_numpy(), minlength=cells.height))
    return np.split(found["value"].to_numpy(), ends[:-1]) if cells.height else []


def _without(values: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Values but for some of them, which are ascending."""
    if not gone.size:
        return values
    values = np.sort(values)
    # Of several that are alike, as many go as are gone.
    alike = np.arange(gone.size) - np.searchsorted(gone, gone)
    return np.delete(values, np.searchsorted(values, gone) + alike)


def _put_together(events: _Stretches, waiting: pl.DataFrame) -> Values:
    """Cells of events and of open cases, of which `waiting` has the observations, among others."""
    so_far = waiting.filter(_is_so_far()).with_columns(is_event=pl.lit(value=True))
    still = _Stretches.of(counted_values(so_far), events_of(so_far))
    cells = pl.concat([one.counted.select(CELL) for one in (events, still)]).unique().sort(_ORDER)
    excluded = cells.join(events.counted, on=CELL, how="left", maintain_order="left")["excluded"]
    return Values(cells, excluded.fill_null(0).to_numpy(), events.cells_of(cells), still.cells_of(cells))


def events_of(values: pl.DataFrame) -> pl.DataFrame:
    """Observations that have come to it, by cell: `CELL`, value."""
    events = values.filter(pl.col("is_event") & pl.col("value").is_not_null()).select(*CELL, "value")
    number, _ = numbered(events.select(_ORDER))
    ordered = events[order_of(number, int(number.max(initial=0)) + 1)]
    return ordered.with_columns(value=pl.Series(_normal(ordered["value"])))


def counted_values(values: pl.DataFrame) -> pl.DataFrame:
    """`COUNTED` of observations, open cases aside: no cell twice, unsorted."""
    told = values.filter(~_is_so_far())
    there = told["value"].is_not_null()
    marks = marked(_normal(told["value"].fill_null(0.0))).view(np.int64)
    counted = told.select(CELL).with_columns(
        n=there.cast(pl.Int64),
        excluded=(~there).cast(pl.Int64),
        mark=pl.Series(np.where(there.to_numpy(), marks, 0)),
    )
    return (
        counted.group_by(CELL)
        .agg(pl.exclude(CELL).sum())
        .select(pl.col(n).cast(k) for n, k in COUNTED.items())
    )


def _normal(values: pl.Series) -> np.ndarray:
    """Values, 0.0 for -0.0: which of them is published must not depend on the order of cases."""
    return values.to_numpy() + 0.0  # polars leaves out what adds nothing


def _is_so_far() -> pl.Expr:
    """Whether it is how long an open case has waited so far."""
    return ~pl.col("is_event") & pl.col("value").is_not_null()
