"""Quantiles for every card and every period, gathered by array kernels: they are the one kind of metric that does not add up.

The readable way is `quantiles.ordered_values`: a list of values for every period and key. An observation is in
eight periods and on five cards, which makes forty of it. Here it stays one, in its place by value. Groups are
numbers, and those of one card in periods that do not overlap are put in order at once, by a sort that leaves
values ascending; then every quantile and every end of its interval is a look-up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from contracts.accountability import Metric
from transforms.groups import numbered
from transforms.observations import Layer, Observations
from transforms.quantiles import (
    estimate_waiting,
    is_censored,
    quantile_families,
    ranked_estimate,
    ranks_of,
    waiting_curves,
)

RADIX = 1 << 16


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
        return found.astype(np.uint16) if self.size < RADIX else found

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
        if self.size >= RADIX:
            high = numbers[order] >> 16
            again = high.astype(np.uint16) if self.size < RADIX**2 else high
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


def told(observations: Observations) -> pl.DataFrame:
    """Which combinations there are in which periods: `PERIOD_COLUMNS`, `PARTS`; no row twice."""
    every = np.arange(observations.parts.height)
    groups = [_Groups(observations, layer, every) for layer in observations.layers]
    named = [one.named(one.there) for one in groups]
    parts, spans = (_joined([one[place] for one in named]) for place in (0, 1))
    return observations.spans[spans].hstack(observations.parts[parts])


def gathered(observations: Observations, cards: Sequence[pl.DataFrame]) -> Gathered:
    """The groups of some cards.

    Args:
        observations: All of them.
        cards: For every card: `part`, the number of a combination that belongs to it, and its keys with `metric`.
    """
    keys, groups, spans, rows = [], [], [], []
    begin = 0
    for card in cards:
        key, own = numbered(card.drop("part"))
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


def quantiles(found: Gathered, metrics: Sequence[Metric]) -> list[pl.LazyFrame]:
    """Every quantile of every row with its intervals.

    Args:
        found: Rows whose `metric` is the number of the first metric of its family.
        metrics: The map's metrics, from number 1.

    Returns:
        For every quantile metric the keys, metric, n, excluded and the `ESTIMATED` columns.
    """
    rows = found.rows.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    censored = [number for number in quantile_families(metrics) if is_censored(metrics[number - 1])]
    waits = pl.col("metric").is_in(censored) & (pl.col("open") > 0)
    waiting, complete = rows.filter(waits), rows.filter(~waits).drop("open")
    looked = [
        _Looked(family, metrics[number - 1].quantile or 0.5, number)
        for first, members in quantile_families(metrics).items()
        for family in (complete.filter(pl.col("metric") == first),)
        for number in members
    ]
    found.look_up([one for each in looked for one in each.wanted.values()])
    made = [each.estimate().drop("row") for each in looked]
    return [*made, *_waiting(found, waiting, metrics)] if waiting.height else made


def _waiting(found: Gathered, rows: pl.DataFrame, metrics: Sequence[Metric]) -> list[pl.LazyFrame]:
    """Quantiles of rows of which some cases are open."""
    members = found.members(rows["row"].to_numpy()).lazy()
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
