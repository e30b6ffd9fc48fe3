"""Quantiles for every card and every period, gathered by array kernels: they are the one kind of metric that does not add up.

The readable way is `quantiles.ordered_values`: a list of values for every period and key. An observation is in
eight periods and on five cards, which makes forty of it. Here it stays one, in its cell. Groups are numbers, and
how many observations they have and the mark of these add up from cells. Only sets that no other group and no run
before has had are gathered, and of these only the values at the ranks that a quantile and its interval are read off.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl

from contracts.accountability import Metric
from transforms.groups import numbered
from transforms.observations import Layer, Observations
from transforms.quantiles import (
    LOW,
    is_censored,
    quantile_families,
    ranked_estimate,
    ranks_of,
    told_estimate,
)
from transforms.ranked import KEPT_FROM, mixed, put_in_place
from transforms.valued import Cells
from transforms.waiting import WAITED, waited


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
        return found.astype(np.min_scalar_type(self.size))

    @cached_property
    def events(self) -> np.ndarray:
        """How many observations with a value every group has, open cases aside."""
        return self._added_up(self.observations.events.counts)

    @cached_property
    def open(self) -> np.ndarray:
        """How many of open cases."""
        return self._added_up(self.observations.open.counts)

    @cached_property
    def counts(self) -> np.ndarray:
        """How many with a value."""
        return self.events + self.open

    @cached_property
    def excluded(self) -> np.ndarray:
        """How many without one."""
        return self._added_up(self.observations.excluded)

    @cached_property
    def marks(self) -> np.ndarray:
        """The mark of every group's values, open cases aside."""
        return self._marked(self.observations.events)

    @cached_property
    def open_marks(self) -> np.ndarray:
        """The mark of every group's open cases."""
        return self._marked(self.observations.open)

    @cached_property
    def there(self) -> np.ndarray:
        """Numbers of the groups that have any observation, ascending."""
        return np.flatnonzero(self.counts + self.excluded)

    def named(self, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The keys and the periods of some groups, by their numbers."""
        key, place = np.divmod(groups, max(len(self.layer.spans), 1))
        return key, self.layer.spans[place]

    def values(self, of: str, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A copy of some groups' values, group by group in any order; and where each group's begin, and the last one's end.

        Args:
            of: `events` or `open`.
            numbers: The groups' numbers, ascending.
        """
        is_wanted = np.zeros(self.size + 1, dtype=bool)
        is_wanted[numbers] = True
        cells = np.flatnonzero(is_wanted[self.of_cell])
        in_turn = cells[np.argsort(self.of_cell[cells], kind="stable")]
        values = getattr(self.observations, of).of(in_turn)
        return values, np.concatenate([[0], np.cumsum(getattr(self, of)[numbers])])

    def _marked(self, of: Cells) -> np.ndarray:
        summed = np.zeros(self.size + 1, dtype=np.uint64)
        np.add.at(summed, self.of_cell, of.marks)
        return summed[: self.size]

    def _added_up(self, counts: np.ndarray) -> np.ndarray:
        if not counts.any():
            return np.zeros(self.size, dtype=np.int64)
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

    def _marks(self, of: str) -> np.ndarray:
        """The marks that groups have under a name, of every row."""
        return np.concatenate([np.zeros(0, np.uint64), *(getattr(one, of)[one.there] for one in self.groups)])

    def look_up(self, rows: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """Values of some rows by rank.

        Args:
            rows: Rows without open cases, ascending.
            ranks: Which of each row's values, from 0, a column for every row; -1 for none.

        Returns:
            The values; anything where there is none.
        """
        found, ranked = np.zeros(ranks.shape), self.observations.ranked
        marks, first, of_row = np.unique(self._marks("marks")[rows], return_index=True, return_inverse=True)
        is_large = self.rows["n"].to_numpy()[rows[first]] >= KEPT_FROM
        large, large_marks = first[is_large], marks[is_large]
        found[:, large], is_known = ranked.find(large_marks, ranks[:, large])
        lacking = np.sort(np.concatenate([first[~is_large], large[~is_known]]))
        for groups, piece in self._stretches():
            own = lacking[slice(*np.searchsorted(rows[lacking], [piece.start, piece.stop]))]
            if own.size:
                values, begins = groups.values("events", groups.there[rows[own] - piece.start])
                put_in_place(values, begins, ranks[:, own])
                if values.size:
                    found[:, own] = values.take(begins[:-1] + ranks[:, own], mode="clip")
        ranked.note(large_marks, ranks[:, large], found[:, large], has_learnt=not is_known.all())
        return found[:, first[of_row]]

    def wait(self, rows: np.ndarray, shares: Sequence[float], ranks: np.ndarray) -> np.ndarray:
        """By when shares of cases have come to it.

        Args:
            rows: Rows with open cases, ascending.
            shares: The shares.
            ranks: What `waiting.waited` takes, by row.

        Returns:
            What `waiting.waited` says, by row, share and column.
        """
        alike = self._marks("marks")[rows] + mixed(self._marks("open_marks")[rows])
        _, first, of_row = np.unique(alike, return_index=True, return_inverse=True)
        order = np.argsort(first)
        first = first[order]
        sets, found = rows[first], []
        for groups, piece in self._stretches():
            own = slice(*np.searchsorted(sets, [piece.start, piece.stop]))
            if own.start == own.stop:
                continue
            numbers = groups.there[sets[own] - piece.start]
            over, so_far = (_one_by_one(*groups.values(of, numbers)) for of in ("events", "open"))
            found.append(waited(zip(over, so_far, strict=True), shares, ranks[first[own]]))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return np.concatenate(found)[place[of_row]]


def _one_by_one(values: np.ndarray, begins: np.ndarray) -> Iterator[np.ndarray]:
    """Sets of values that stand one after the other, each in order."""
    for begin, end in pairwise(begins.tolist()):
        values[begin:end].sort()
        yield values[begin:end]


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
    families = quantile_families(metrics)
    censored = [number for number in families if is_censored(metrics[number - 1])]
    waits = pl.col("metric").is_in(censored) & (pl.col("open") > 0)
    waiting, complete = (rows.filter(one).drop("open") for one in (waits, ~waits))
    made = []
    for first, members in families.items():
        family = complete.filter(pl.col("metric") == first)
        made += _complete(found, family, {number: metrics[number - 1].quantile or 0.5 for number in members})
    for first in censored:
        family = waiting.filter(pl.col("metric") == first)
        if family.height:
            shares = {number: metrics[number - 1].quantile or 0.5 for number in families[first]}
            made += _waiting(found, family, shares)
    return [one.drop("row") for one in made]


def _waiting(found: Gathered, rows: pl.DataFrame, shares: Mapping[int, float]) -> Iterator[pl.LazyFrame]:
    """Quantiles of a family's rows of which some cases are open, by the numbers of their metrics."""
    asked = [rows.select(ranks_of(share)[name].alias(name) for name in LOW) for share in shares.values()]
    ranks = np.stack([one.fill_null(-1).to_numpy() for one in asked], axis=1)
    times = found.wait(rows["row"].to_numpy(), list(shares.values()), ranks)
    for place, number in enumerate(shares):
        told = {name: pl.Series(times[:, place, at]) for at, name in enumerate(WAITED)}
        estimated = rows.lazy().with_columns(**told).with_columns(pl.col(WAITED).fill_nan(None))
        yield told_estimate(estimated, "brookmeyer_crowley", number)


def _complete(found: Gathered, rows: pl.DataFrame, shares: Mapping[int, float]) -> Iterator[pl.LazyFrame]:
    """Quantiles of a family's rows without open cases, by the numbers of their metrics."""
    asked = [rows.select(**ranks_of(share)).fill_null(-1) for share in shares.values()]
    ranks = np.vstack([one.to_numpy().T for one in asked])
    values = iter(found.look_up(rows["row"].to_numpy(), ranks))
    for (number, share), one in zip(shares.items(), asked, strict=True):
        told = {rank.name: pl.Series(next(values)).set(rank < 0, None) for rank in one}
        yield ranked_estimate(rows.with_columns(**told).lazy(), share, number)
