"""Observations of quantiles, which do not add up: gathered for every card and every period by array kernels.

The readable way is `quantiles.ordered_values`: a list of values for every period and key. An observation is in
eight periods and on five cards, which makes forty of it. Here it stays one, in its place by value. Groups are
numbers, and those of one card in periods that do not overlap are put in order at once, by a sort that leaves
values ascending; then every quantile and every end of its interval is a look-up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from contracts.accountability import Metric
from transforms.credit import PARTS, Scoring
from transforms.periods import PERIOD_COLUMNS
from transforms.quantiles import (
    ASCENDING,
    estimate_waiting,
    is_censored,
    quantile_families,
    ranked_estimate,
    ranks_of,
    waiting_curves,
)

_TABLE = 1 << 22
"""Up to so many numbers are made dense by a table; beyond, by sorting."""
_RADIX = 1 << 16


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

    @cached_property
    def told(self) -> pl.DataFrame:
        """Which combinations there are in which periods: `PERIOD_COLUMNS`, `PARTS`; no row twice."""
        every = np.arange(self.parts.height)
        groups = [_Groups(self, layer, every) for layer in self.layers]
        named = [one.named(one.there) for one in groups]
        parts, spans = (_joined([one[place] for one in named]) for place in (0, 1))
        return self.spans[spans].hstack(self.parts[parts])


@dataclass(frozen=True)
class _Groups:
    """Groups of observations: a key's number times the layer's periods, plus the period's place in the layer.

    Attributes:
        observations: All of them.
        layer: The periods.
        key_of: Number of a key by combination; -1 for those that are in none.
    """

    observations: Observations
    layer: Layer
    key_of: np.ndarray

    @cached_property
    def size(self) -> int:
        """How many groups there could be."""
        return int(self.key_of.max(initial=-1) + 1) * len(self.layer.spans)

    @cached_property
    def of_cell(self) -> np.ndarray:
        """Every cell's group; `size` for those that are in none."""
        key, day = self.key_of[self.observations.part], self.layer.of_day[self.observations.day]
        found = np.where((key >= 0) & (day >= 0), key * len(self.layer.spans) + day, self.size)
        return found.astype(np.uint16) if self.size < _RADIX else found

    @cached_property
    def counts(self) -> np.ndarray:
        """How many observations with a value every group has."""
        return self._added_up(self.observations.counts)

    @cached_property
    def excluded(self) -> np.ndarray:
        """How many without one."""
        return self._added_up(self.observations.excluded)

    @cached_property
    def open(self) -> np.ndarray:
        """How many of those with a value are of open cases."""
        return self._added_up(self.observations.open)

    @cached_property
    def there(self) -> np.ndarray:
        """Numbers of the groups that have any observation, ascending."""
        return np.flatnonzero(self.counts + self.excluded)

    def named(self, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The keys and the periods of some groups, by their numbers."""
        key, place = np.divmod(groups, max(len(self.layer.spans), 1))
        return key, self.layer.spans[place]

    def ordered(self) -> tuple[np.ndarray, np.ndarray]:
        """Places of observations with a value, by group and in it by value; and those observations' groups."""
        numbers = self.of_cell[self.observations.cell[self.observations.lacking :]]
        if self.size == 1 and self.counts[0] == len(numbers):
            return np.arange(len(numbers)), numbers
        # A sort by 16 bits looks at every number once; by more of them it compares.
        order = np.argsort(numbers.astype(np.uint16), kind="stable")
        if self.size >= _RADIX:
            high = numbers[order] >> 16
            again = high.astype(np.uint16) if self.size < _RADIX**2 else high
            order = order[np.argsort(again, kind="stable")]
        return order, numbers

    def _added_up(self, counts: np.ndarray) -> np.ndarray:
        # Counts are far below 2**53, so these floats are whole numbers.
        summed = np.bincount(self.of_cell, weights=counts, minlength=self.size + 1)
        return summed[: self.size].astype(np.int64)


@dataclass(frozen=True)
class Gathered:
    """The groups of several cards, each of which is a row.

    Attributes:
        observations: Theirs.
        rows: `PERIOD_COLUMNS`, the cards' keys, metric, n, excluded, open.
        groups: The groups that the rows stand for, in their order.
    """

    observations: Observations
    rows: pl.DataFrame
    groups: Sequence[_Groups]

    def _stretches(self) -> Iterator[tuple[_Groups, slice]]:
        begin = 0
        for groups in self.groups:
            end = begin + len(groups.there)
            yield groups, slice(begin, end)
            begin = end

    def look_up(self, wanted: Sequence["Wanted"]) -> None:
        """Look up values by rank, into `found` of what is wanted."""
        values = self.observations.value[self.observations.lacking :]
        for groups, rows in self._stretches():
            pieces = [(one, one.within(rows)) for one in wanted]
            if not any(piece.stop > piece.start for _, piece in pieces):
                continue
            ordered = values[groups.ordered()[0]]
            starts = (np.cumsum(groups.counts) - groups.counts)[groups.there]
            for one, piece in pieces:
                is_there = one.ranks[piece] >= 0
                at = starts[one.rows[piece] - rows.start] + one.ranks[piece]
                one.found[piece][is_there] = ordered[at[is_there]]

    def members(self, rows: np.ndarray) -> pl.DataFrame:
        """All observations with a value of some rows, in order: row, value, is_event."""
        lacking = self.observations.lacking
        values, is_open = self.observations.value[lacking:], self.observations.is_open[lacking:]
        is_wanted = np.zeros(self.rows.height, dtype=bool)
        is_wanted[rows] = True
        found = []
        for groups, piece in self._stretches():
            if not is_wanted[piece].any():
                continue
            row_of = np.full(groups.size + 1, -1, dtype=np.int64)
            row_of[groups.there] = np.where(is_wanted[piece], np.arange(piece.start, piece.stop), -1)
            order, numbers = groups.ordered()
            row = row_of[numbers[order]]
            order = order[row >= 0]
            columns = {"row": row[row >= 0], "value": values[order], "is_event": ~is_open[order]}
            found.append(pl.DataFrame(columns))
        return pl.concat(found)


class Wanted:
    """Values that are looked up by rank.

    Attributes:
        rows: Rows, ascending.
        ranks: Which of a row's values, from 0; -1 for none.
        found: The values, filled in by `Gathered.look_up`; anything where there is none.
    """

    def __init__(self, rows: np.ndarray, ranks: np.ndarray) -> None:
        self.rows, self.ranks, self.found = rows, ranks, np.zeros(len(rows))

    def within(self, rows: slice) -> slice:
        """Which of these are of a stretch of rows."""
        begin, end = np.searchsorted(self.rows, [rows.start, rows.stop])
        return slice(int(begin), int(end))


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
    number, parts = _numbered(credited.select(PARTS))
    day = credited["date"].to_physical().to_numpy().astype(np.int64)
    since, days = (int(day.min()), int(np.ptp(day)) + 1) if day.size else (0, 0)
    cell, cells = _numbered(pl.DataFrame({"part": number, "day": day - since}))
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


def gathered(observations: Observations, cards: Sequence[pl.DataFrame]) -> Gathered:
    """The groups of some cards.

    Args:
        observations: All of them.
        cards: For every card: `part`, the number of a combination that belongs to it, and its keys with `metric`.
    """
    keys, groups, spans, rows = [], [], [], []
    begin = 0
    for card in cards:
        key, own = _numbered(card.drop("part"))
        key_of = np.full(observations.parts.height, -1, dtype=np.int64)
        key_of[card["part"].to_numpy()] = key
        for layer in observations.layers if own.height else ():
            found = _Groups(observations, layer, key_of)
            groups.append(found)
            of_key, span = found.named(found.there)
            spans.append(span)
            rows.append(begin + of_key)
        keys.append(own)
        begin += own.height
    named = observations.spans[_joined(spans)].hstack(pl.concat(keys)[_joined(rows)])
    counted = {
        name: pl.Series(_joined([getattr(one, of)[one.there] for one in groups]))
        for name, of in (("n", "counts"), ("excluded", "excluded"), ("open", "open"))
    }
    return Gathered(observations, named.with_columns(**counted), groups)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def quantiles(told: Gathered, metrics: Sequence[Metric]) -> list[pl.LazyFrame]:
    """Every quantile of every row with its intervals.

    Args:
        told: Rows whose `metric` is the number of the first metric of its family.
        metrics: The map's metrics, from number 1.

    Returns:
        For every quantile metric the keys, metric, n, excluded and the `ESTIMATED` columns.
    """
    rows = told.rows.with_row_index("row", offset=0).with_columns(pl.col("row").cast(pl.Int64))
    censored = [number for number in quantile_families(metrics) if is_censored(metrics[number - 1])]
    waits = pl.col("metric").is_in(censored) & (pl.col("open") > 0)
    waiting, complete = rows.filter(waits), rows.filter(~waits).drop("open")
    looked = [
        _Looked(family, metrics[number - 1].quantile or 0.5, number)
        for first, members in quantile_families(metrics).items()
        for family in (complete.filter(pl.col("metric") == first),)
        for number in members
    ]
    told.look_up([one for each in looked for one in each.wanted.values()])
    made = [each.estimate().drop("row") for each in looked]
    return [*made, *_waiting(told, waiting, metrics)] if waiting.height else made


def _waiting(told: Gathered, rows: pl.DataFrame, metrics: Sequence[Metric]) -> list[pl.LazyFrame]:
    """Quantiles of rows of which some cases are open."""
    members = told.members(rows["row"].to_numpy()).lazy()
    keyed = rows.lazy().select(pl.exclude("n", "excluded", "open"))
    curves = waiting_curves(
        members.join(keyed.select("row", "metric"), on="row", maintain_order="left"), ["row"]
    )
    counted = rows.lazy().select("row", pl.col("excluded").alias("__excluded"))
    return [
        one.join(keyed.drop("metric"), on="row")
        .join(counted, on="row")
        .with_columns(excluded="__excluded")
        .drop("row", "__excluded")
        for one in estimate_waiting(curves.cache(), metrics)
    ]


class _Looked:
    """One quantile of a family's rows, looked up."""

    def __init__(self, rows: pl.DataFrame, quantile: float, number: int) -> None:
        self.rows, self._quantile, self._number = rows, quantile, number
        ranks = rows.select(**ranks_of(quantile)).fill_null(-1)
        self.wanted = {one.name: Wanted(rows["row"].to_numpy(), one.to_numpy()) for one in ranks}

    def estimate(self) -> pl.LazyFrame:
        found = {
            name: pl.Series(one.found).set(pl.Series(one.ranks < 0), None)
            for name, one in self.wanted.items()
        }
        return ranked_estimate(self.rows.with_columns(**found).lazy(), self._quantile, self._number)


def _numbered(frame: pl.DataFrame) -> tuple[np.ndarray, pl.DataFrame]:
    """The number of every row's combination of values, and the combinations by number."""
    code, size = np.zeros(frame.height, dtype=np.int64), 1
    for one in frame.get_columns():
        values = one.to_physical().to_numpy().astype(np.int64)
        span = int(values.max(initial=0)) + 1
        if size * span > _TABLE:
            code, size = _dense(code, size)
        code, size = code * span + values, size * span
    number, count = _dense(code, size)
    first = np.zeros(count, dtype=np.int64)
    first[number[::-1]] = np.arange(frame.height)[::-1]
    return number, frame[first]


def _dense(code: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """Numbers without gaps, in the same order, and how many there are."""
    if size > _TABLE:
        known, number = np.unique(code, return_inverse=True)
        return number, len(known)
    is_there = np.zeros(size, dtype=bool)
    is_there[code] = True
    numbers = np.cumsum(is_there) - 1
    return numbers[code], int(numbers[-1]) + 1 if size else 0


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
