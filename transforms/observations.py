"""Observations of quantiles by value, each of them once, and the cells and periods that they are told apart by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from transforms.credit import PARTS, Scoring
from transforms.groups import numbered
from transforms.periods import PERIOD_COLUMNS
from transforms.quantiles import ASCENDING


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
class Observations:
    """Observations by value, those without a value first.

    Attributes:
        parts: One row per combination that occurs: `PARTS`.
        spans: Periods: `PERIOD_COLUMNS`.
        layers: The periods in layers.
        since: The first of the days, days since 1970.
        days: How many days there are.
        part: Every cell's combination, its row in `parts`.
        day: Every cell's day, its place among the days. A cell is what happened to one combination on one day.
        cell: Every observation's cell.
        value: Values, ascending.
        is_open: Whether it is a case that has not come to that yet.
        lacking: How many have no value.
    """

    parts: pl.DataFrame
    spans: pl.DataFrame
    layers: Sequence[Layer]
    since: int
    days: int
    part: np.ndarray
    day: np.ndarray
    cell: np.ndarray
    value: np.ndarray
    is_open: np.ndarray
    lacking: int

    def over(self, spans: pl.DataFrame) -> "Observations":
        """The same in other periods.

        Args:
            spans: `PERIOD_COLUMNS`, and `first` and `last`, the days that each holds.
        """
        layers = list(_layers(spans, self.since, self.days))
        return replace(self, spans=spans.select(PERIOD_COLUMNS), layers=layers)

    @cached_property
    def counts(self) -> np.ndarray:
        """How many observations with a value every cell has."""
        return self._counted(self.cell[self.lacking :])

    @cached_property
    def excluded(self) -> np.ndarray:
        """How many without one."""
        return self._counted(self.cell[: self.lacking])

    @cached_property
    def open(self) -> np.ndarray:
        """How many of those with a value are of open cases."""
        return self._counted(self.cell[self.lacking :][self.is_open[self.lacking :]])

    def _counted(self, cells: np.ndarray) -> np.ndarray:
        return np.bincount(cells, minlength=len(self.part))


def credited_values(values: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """Observations of quantiles credited to the owner in force: date, `PARTS`, value, is_event.

    Args:
        values: slot, touchpoint, metric, dimension, segment, value, is_event.
        scoring: What they are credited by.
    """
    return scoring.credited(values).select("date", *PARTS, "value", "is_event")


def observed(credited: pl.DataFrame, spans: pl.DataFrame) -> Observations:
    """Observations in order.

    Args:
        credited: What `credited_values` returned, collected.
        spans: Periods: `PERIOD_COLUMNS`, and `first` and `last`, the days that each holds.
    """
    number, parts = numbered(credited.select(PARTS))
    day = credited["date"].to_physical().to_numpy().astype(np.int64)
    since, days = (int(day.min()), int(np.ptp(day)) + 1) if day.size else (0, 0)
    cell, cells = numbered(pl.DataFrame({"part": number, "day": day - since}))
    ordered = credited.select("value", "is_event", cell=pl.Series(cell)).sort(*ASCENDING)
    every = Observations(
        parts=parts,
        spans=spans,
        layers=(),
        since=since,
        days=days,
        part=cells["part"].to_numpy(),
        day=cells["day"].to_numpy(),
        cell=ordered["cell"].to_numpy(),
        value=ordered["value"].fill_null(0.0).to_numpy(),
        is_open=~ordered["is_event"].to_numpy(),
        lacking=ordered["value"].null_count(),
    )
    return every.over(spans)


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
