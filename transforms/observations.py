"""Observations of quantiles, each of them once, and the cells and periods that they are told apart by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from transforms.credit import PARTS, Scoring
from transforms.groups import grouped, numbered, order_of
from transforms.measure import CELL
from transforms.periods import PERIOD_COLUMNS
from transforms.ranked import Ranked, marks_of


@dataclass(frozen=True)
class Layer:
    """Periods that do not overlap.

    Attributes:
        spans: Their numbers.
        of_day: Which of them a day is in, by its place among the days; -1 for none.
    """

    spans: np.ndarray
    of_day: np.ndarray


@dataclass(frozen=True)
class Cells:
    """Values cell by cell, those of one cell in any order.

    Attributes:
        value: All of them.
        begins: Where each cell's begin; and how many there are.
    """

    value: np.ndarray
    begins: np.ndarray

    @cached_property
    def counts(self) -> np.ndarray:
        """How many values every cell has."""
        return np.diff(self.begins)

    @cached_property
    def marks(self) -> np.ndarray:
        """Every cell's mark, see `ranked.marks_of`."""
        return marks_of(self.value, self.begins)

    def of(self, cells: np.ndarray) -> np.ndarray:
        """A copy of the values of some cells, in their order."""
        if not cells.size:
            return self.value[:0].copy()
        # Cells that follow each other are copied at once.
        ends = np.flatnonzero(np.diff(cells, append=-1) != 1)
        firsts = cells[np.concatenate([[0], ends[:-1] + 1])]
        stretches = zip(self.begins[firsts].tolist(), self.begins[cells[ends] + 1].tolist(), strict=True)
        return np.concatenate([self.value[begin:end] for begin, end in stretches])


@dataclass(frozen=True)
class Observations:
    """Observations by cell: what happened to one combination on one day, in one or more cells.

    Attributes:
        parts: One row per combination that occurs: `PARTS`.
        spans: Periods: `PERIOD_COLUMNS`.
        layers: The periods in layers.
        since: The first of the days, days since 1970.
        days: How many days there are.
        part: Every cell's combination, its row in `parts`; ascending.
        day: Every cell's day, its place among the days; ascending within a combination.
        excluded: How many of every cell's observations have no value.
        events: Values of what has come to it.
        open: Values so far of cases that have not come to it yet.
        ranked: What is known of sets of values by rank.
    """

    parts: pl.DataFrame
    spans: pl.DataFrame
    layers: Sequence[Layer]
    since: int
    days: int
    part: np.ndarray
    day: np.ndarray
    excluded: np.ndarray
    events: Cells
    open: Cells
    ranked: Ranked = field(default_factory=Ranked)

    def over(self, spans: pl.DataFrame) -> "Observations":
        """The same in other periods.

        Args:
            spans: `PERIOD_COLUMNS`, and `first` and `last`, the days that each holds.
        """
        layers = list(_layers(spans, self.since, self.days))
        return replace(self, spans=spans.select(PERIOD_COLUMNS), layers=layers)


def observed(
    values: pl.DataFrame, spans: pl.DataFrame, scoring: Scoring, ranked: Ranked | None = None
) -> Observations:
    """Observations credited to the owner in force, cell by cell: it is cells that are credited.

    Args:
        values: What `measure.case_values` returned, collected.
        spans: Periods: `PERIOD_COLUMNS`, and `first` and `last`, the days that each holds.
        scoring: What they are credited by.
        ranked: What is known of sets of values by rank; nothing when absent.
    """
    found = grouped({name: values[name].to_numpy() for name in CELL})
    told = pl.DataFrame(dict(found.keys)).with_columns(scoring.slots.credited())
    cells = told.with_columns(**scoring.credit())
    part, parts = numbered(cells.select(PARTS))
    day = cells["date"].to_physical().to_numpy().astype(np.int64)
    since, days = (int(day.min()), int(np.ptp(day)) + 1) if day.size else (0, 0)
    order = np.lexsort((day, part))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    cell = place.astype(np.min_scalar_type(len(order)))[found.group_at].take(found.place)
    is_told, is_event = values["value"].is_not_null().to_numpy(), values["is_event"].to_numpy()
    value = values["value"].to_numpy()
    every = Observations(
        parts=parts,
        spans=spans,
        layers=(),
        since=since,
        days=days,
        part=part[order],
        day=day[order] - since,
        excluded=np.bincount(cell[~is_told], minlength=len(order)),
        events=_by_cell(value, cell, is_told & is_event, len(order)),
        open=_by_cell(value, cell, is_told & ~is_event, len(order)),
        ranked=Ranked() if ranked is None else ranked,
    )
    return every.over(spans)


def _by_cell(value: np.ndarray, cell: np.ndarray, wanted: np.ndarray, cells: int) -> Cells:
    if not wanted.all():
        value, cell = value[wanted], cell[wanted]
    begins = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=cells))])
    # 0.0 and -0.0 are one value: which of them is published must not depend on the order of cases.
    return Cells(value.take(order_of(cell, cells)) + 0.0, begins)


def _layers(spans: pl.DataFrame, since: int, days: int) -> Iterator[Layer]:
    """Periods in as few layers as hold them."""
    held = spans.select(pl.col("first", "last").to_physical()).with_row_index("span")
    layers: list[list[tuple[int, int, int]]] = []
    for span, first, last in held.sort("first", "last", "span").select("span", "first", "last").iter_rows():
        free = next((one for one in layers if one[-1][2] < first), None)
        if free is None:
            layers.append(free := [])
        free.append((span, first, last))
    for layer in layers:
        of_day = np.full(days, -1, dtype=np.int64)
        for place, (_, first, last) in enumerate(layer):
            of_day[max(first - since, 0) : max(last - since + 1, 0)] = place
        yield Layer(np.array([span for span, _, _ in layer]), of_day)
