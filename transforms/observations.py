"""Observations of quantiles, each of them once, and the cells and periods that they are told apart by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from transforms.credit import PARTS, Scoring
from transforms.groups import numbered
from transforms.periods import PERIOD_COLUMNS
from transforms.ranked import Ranked
from transforms.valued import Cells, Values


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
    values: Values, spans: pl.DataFrame, scoring: Scoring, ranked: Ranked | None = None
) -> Observations:
    """Observations credited to the owner in force, cell by cell: it is cells that are credited.

    Args:
        values: The observations by cell.
        spans: Periods: `PERIOD_COLUMNS`, and `first` and `last`, the days that each holds.
        scoring: What they are credited by.
        ranked: What is known of sets of values by rank; nothing when absent.
    """
    told = values.cells.with_columns(scoring.slots.credited()).with_columns(**scoring.credit())
    part, parts = numbered(told.select(PARTS))
    day = told["date"].to_physical().to_numpy().astype(np.int64)
    since, days = (int(day.min()), int(np.ptp(day)) + 1) if day.size else (0, 0)
    order = np.lexsort((day, part))
    every = Observations(
        parts=parts,
        spans=spans,
        layers=(),
        since=since,
        days=days,
        part=part[order],
        day=day[order] - since,
        excluded=values.excluded[order],
        events=values.events.take(order),
        open=values.open.take(order),
        ranked=Ranked() if ranked is None else ranked,
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
