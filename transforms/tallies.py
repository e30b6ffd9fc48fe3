"""The pass's array kernels: what counts and adds up by small whole numbers, by place in an array instead of by hash.

`transforms.measure` and `transforms.behind` say the same of the same events as polars expressions. They are the
reference, and property tests hold these equal to them. What a row adds is said once, by `observed`; here a metric's
rows are looked for piece by piece, by bits that the codes of its columns have, and what they add is worked out of
many of them at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from contracts.accountability import Metric
from contracts.events import Codebook
from contracts.predicates import Condition
from transforms.behind import BEHIND
from transforms.groups import PLACES_ALWAYS, PLACES_PER_ROW, Groups, grouped
from transforms.match import Matched, Matcher
from transforms.measure import (
    ADDITIVE,
    ANSWERS,
    CELL,
    SCORED,
    SUMS,
    in_scale,
    is_summed,
    observed,
    value_of,
)
from transforms.pieces import Some
from transforms.predicates import accepted_codes, split

TOLD_ROWS = 1_000_000
"""So many events of metrics are held before what they add is worked out: the fewer times, the less it costs."""
_BITS = 64
_CELL = "__cell"
"""Slot and touchpoint as one number."""
_MARKS = {
    "__valid": "n",
    "__outside": "outside",
    "__good": "good",
    "__promoter": "promoters",
    "__detractor": "detractors",
}
"""What holds of a row or does not, and the sum that counts it."""
_Part = Mapping[str, np.ndarray | pl.Series]


@dataclass(frozen=True)
class _Wanted:
    """What is made of a metric's events, as expressions.

    Attributes:
        number: The metric's number.
        bits: By column of few values, whether the condition on it holds, by code.
        rest: Whether all other conditions hold; None where there are none.
        feed: The feed that tells of all its events; None where it may be any.
        columns: What of its events is needed, besides their cells.
        added: What each of them adds; of a metric whose events are not added up, only whether it counts.
        segments: Columns of `added` that hold the codes of its dimensions.
        is_summed: Whether it has sums.
        is_scored: Whether its answers are counted by score.
    """

    number: int
    bits: Mapping[str, np.ndarray]
    rest: pl.Expr | None
    feed: int | None
    columns: Sequence[str]
    added: Sequence[pl.Expr]
    segments: Sequence[str]
    is_summed: bool
    is_scored: bool


@dataclass(frozen=True)
class _Word:
    """Up to 64 metrics, each of which has a bit.

    Attributes:
        wanted: The metrics.
        kind: The smallest type that has so many bits.
        of_code: By code of a column, the bits of the metrics whose condition on it holds.
    """

    wanted: Sequence[_Wanted]
    kind: np.dtype
    of_code: Mapping[str, np.ndarray]

    def rows(self, matched: Matched) -> Iterator[tuple[_Wanted, np.ndarray]]:
        """The events of every metric by their places, as far as bits tell; only those that belong to a touchpoint."""
        is_owned = matched.rule > 0
        bits = is_owned.astype(self.kind)
        bits *= self.kind.type((1 << len(self.wanted)) - 1)
        for column, of_code in self.of_code.items():
            bits &= of_code.take(matched.events.whole(column))
        for place, wanted in enumerate(self.wanted):
            rows = np.flatnonzero((bits & self.kind.type(1 << place)) != 0 if wanted.bits else is_owned)
            if rows.size:
                yield wanted, rows


@dataclass(frozen=True)
class Tallies:
    """What is counted and added up of events.

    Attributes:
        matcher: The compiled map.
        metrics: The map's metrics; of rates, which add to two sums, there are no sums here.
        codebook: What the stored codes stand for.
    """

    matcher: Matcher
    metrics: Sequence[Metric]
    codebook: Codebook

    @cached_property
    def touchpoints(self) -> int:
        """How many codes of touchpoints there are, that of none included."""
        return len(self.matcher.names)

    def cells(self, matched: Matched, rows: np.ndarray) -> np.ndarray:
        """Slot and touchpoint of some events as one number."""
        touchpoint = matched.touchpoints.take(matched.rule.take(rows))
        cells = matched.slot.take(rows).view(np.uint32)
        cells *= np.uint32(self.touchpoints)
        cells += touchpoint
        return cells

    def places(self, cells: np.ndarray) -> dict[str, np.ndarray]:
        """The slots and touchpoints that cells stand for."""
        slot, touchpoint = np.divmod(cells, cells.dtype.type(self.touchpoints))
        return {"slot": slot.astype(np.uint32), "touchpoint": touchpoint.astype(np.uint16)}

    def begin(self) -> "Tally":
        """A tally of nothing yet."""
        return Tally(self)

    @cached_property
    def rules(self) -> int:
        """How many numbers of rules there are, that of none included."""
        return len(self.matcher.decision.rules) + 1

    @cached_property
    def feeds(self) -> int:
        """How many codes of feeds there are, that of none included."""
        return len(self.codebook.values.get("feed", ())) + 1

    @cached_property
    def feed_of_rule(self) -> np.ndarray | None:
        """The feed whose events each rule accepts, by its number; None if any rule accepts those of several."""
        found = [0]  # what no rule matches belongs to no touchpoint, whatever feed tells of it
        for rule in self.matcher.decision.rules:
            codes = accepted_codes("feed", Condition(any_of=tuple(rule.feed)), self.codebook)
            if not rule.feed or "feed" in rule.where or len(codes) > 1:
                return None
            found += codes or [0]
        return np.array(found)

    @cached_property
    def words(self) -> Sequence[_Word]:
        """The metrics over events, by bits."""
        wanted = [
            self._wanted_of(metric, number)
            for number, metric in enumerate(self.metrics, start=1)
            if metric.of == "events"
        ]
        return [self._word(wanted[begin : begin + _BITS]) for begin in range(0, len(wanted), _BITS)]

    def _word(self, wanted: Sequence[_Wanted]) -> _Word:
        kind = np.min_scalar_type((1 << len(wanted)) - 1)
        of_code = {}
        for column in sorted({column for one in wanted for column in one.bits}):
            bits = np.zeros(len(self.codebook.values.get(column, ())) + 1, dtype=kind)
            for place, one in enumerate(wanted):
                bits[one.bits.get(column, slice(None))] |= kind.type(1 << place)
            of_code[column] = bits
        return _Word(wanted, kind, of_code)

    def _wanted_of(self, metric: Metric, number: int) -> _Wanted:
        codebook, value = self.codebook, [metric.value] if metric.value else []
        where = split(metric.where, codebook)
        bits = where.by_code
        named = {codebook.column(name) for name in (*metric.by, *metric.good, *value)} | {*where.columns}
        feeds = np.flatnonzero(bits["feed"]) if "feed" in bits else np.empty(0, np.int64)
        feed = int(feeds[0]) if feeds.size == 1 else None
        segments = {
            f"__segment_{place}": codebook.column(name) for place, name in enumerate(metric.by, start=1)
        }
        told_by = [] if feed is not None else ["feed"]
        added = [pl.col(_CELL, *told_by), in_scale(metric, codebook).alias("__valid")]
        if is_summed(metric):
            codes = [pl.col(column).cast(pl.UInt32).alias(name) for name, column in segments.items()]
            score = value_of(metric, codebook).alias("__value")
            added = [pl.col(_CELL, *told_by), *codes, *observed(metric, codebook), score]
        return _Wanted(
            number=number,
            bits=bits,
            rest=where.rest,
            feed=feed,
            columns=sorted({*told_by, *named}),
            added=added,
            segments=list(segments),
            is_summed=is_summed(metric),
            is_scored=metric.estimator in SCORED,
        )


class Tally:
    """What is counted and added up of some events, piece by piece."""

    def __init__(self, of: Tallies) -> None:
        self._of = of
        # Where nothing is counted nothing is touched, and takes no memory.
        self._counts = np.zeros((len(of.matcher.slots.starts), of.rules), dtype=np.int64)
        self._pairs = np.zeros((of.rules, of.feeds), dtype=bool)
        self._slots = slice(0, 0)
        self._told: dict[int, Some] = {}
        self._held = self._times = 0
        self._sums: list[_Part] = []
        self._answers: list[_Part] = []
        self._behind: list[_Part] = []

    def add(self, matched: Matched) -> None:
        """Count and add up a piece of events."""
        self._count(matched)
        for word in self._of.words:
            for wanted, rows in word.rows(matched):
                if wanted.number not in self._told:
                    self._told[wanted.number] = Some({_CELL: pl.UInt32(), **matched.kinds(wanted.columns)})
                cells = self._of.cells(matched, rows)
                self._told[wanted.number].add(matched.events, rows, **{_CELL: cells})
                self._held += rows.size
        if self._held > TOLD_ROWS:
            self._work_out()

    def tables(self) -> dict[str, pl.DataFrame]:
        """`counted`, `sums`, `answers` and `behind`, as the references have them."""
        self._work_out()
        sums, answers = _together(self._sums, SUMS), _together(self._answers, ANSWERS)
        if self._times > 1:
            sums = sums.group_by(CELL).agg(pl.col(ADDITIVE).sum()).select(list(SUMS))
            answers = answers.group_by(pl.exclude("n")).agg(pl.col("n").sum()).select(list(ANSWERS))
        behind = _together([self._feeds(), *self._behind], BEHIND).unique(maintain_order=True)
        return {"counted": self._counted(), "sums": sums, "answers": answers, "behind": behind}

    def _count(self, matched: Matched) -> None:
        slot, rule, rules = matched.slot, matched.rule, self._of.rules
        if self._of.feed_of_rule is None:
            self._pairs[rule, matched.events.whole("feed")] = True
        low, slots = int(slot.min()), int(np.ptp(slot)) + 1
        seen = self._slots
        self._slots = slice(min(low, seen.start) if seen.stop else low, max(low + slots, seen.stop))
        if slots * rules > max(PLACES_PER_ROW * slot.size, PLACES_ALWAYS):
            found = grouped({"slot": slot, "rule": rule})
            self._counts[found.keys["slot"], found.keys["rule"]] += found.sizes
            return
        place = (slot - slot.dtype.type(low)) * slot.dtype.type(rules)
        place += rule
        counts = np.bincount(place, minlength=slots * rules)
        self._counts[low : low + slots] += counts.reshape(slots, rules)

    def _counted(self) -> pl.DataFrame:
        slot, rule = np.nonzero(self._counts[self._slots])
        slot += self._slots.start
        touchpoint = self._of.matcher.touchpoints_of_rules.take(rule)
        found = {"slot": slot, "rule": rule, "touchpoint": touchpoint, "n": self._counts[slot, rule]}
        kinds = {"slot": pl.UInt32, "rule": pl.UInt16, "touchpoint": pl.UInt16, "n": pl.Int64}
        return pl.DataFrame({name: pl.Series(found[name]).cast(kind) for name, kind in kinds.items()})

    def _feeds(self) -> dict[str, np.ndarray]:
        """The feeds behind the volume of every touchpoint."""
        if self._of.feed_of_rule is None:
            rule, feed = np.nonzero(self._pairs)
        else:
            rule = np.flatnonzero(self._counts[self._slots].any(axis=0))
            feed = self._of.feed_of_rule[rule]
        touchpoint = self._of.matcher.touchpoints_of_rules.take(rule)
        owned = touchpoint > 0
        return _metric_behind(touchpoint[owned], feed[owned], 0)

    def _work_out(self) -> None:
        """Work out what the events add that are held."""
        for wanted in (one for word in self._of.words for one in word.wanted):
            if held := self._told.pop(wanted.number, None):
                told = held.frame() if wanted.rest is None else held.frame().filter(wanted.rest)
                self._add_up(told.select(wanted.added), wanted)
        self._held, self._times = 0, self._times + 1

    def _add_up(self, told: pl.DataFrame, wanted: _Wanted) -> None:
        valid = told if told["__valid"].all() else told.filter("__valid")
        self._behind.append(self._seen(valid, wanted))
        if wanted.is_summed:
            self._sums += self._summed(told, wanted)
        if wanted.is_scored:
            self._answers.append(self._answered(valid, wanted.number))

    def _seen(self, valid: pl.DataFrame, wanted: _Wanted) -> dict[str, np.ndarray]:
        """The feeds behind a metric."""
        feeds = self._of.feeds
        cells, feed = valid[_CELL].to_numpy().astype(np.int64), wanted.feed
        place = cells * feeds + (valid["feed"].to_numpy() if feed is None else feed)
        is_seen = np.zeros(place.max(initial=0) + 1, dtype=bool)
        is_seen[place] = True
        cells, feed = np.divmod(np.flatnonzero(is_seen), feeds)
        return _metric_behind(self._of.places(cells)["touchpoint"], feed, wanted.number)

    def _summed(self, told: pl.DataFrame, wanted: _Wanted) -> Iterator[_Part]:
        """A metric's sums, as a whole and by each of its dimensions."""
        cells, steps = told[_CELL].to_numpy(), told["__steps"].to_numpy()
        # Most metrics have no use for most of these: what holds of all rows or of none is not counted.
        held = {name: told[name].sum() for name in _MARKS}
        counted = {name: told[name].to_numpy() for name, count in held.items() if 0 < count < told.height}
        for index, segment in enumerate(["", *wanted.segments]):
            by_segment = {"segment": told[segment].to_numpy()} if segment else {}
            found = grouped({_CELL: cells, **by_segment})
            nothing = found.all(0, np.int64)
            total = {
                name: found.add_up(counted[name]) if name in counted else found.sizes if count else nothing
                for name, count in held.items()
            }
            valid = total.pop("__valid")
            yield {
                **self._of.places(found.keys[_CELL]),
                "segment": found.keys.get("segment", found.all(0, np.uint32)),
                "metric": found.all(wanted.number, np.uint16),
                "dimension": found.all(index, np.uint8),
                "n": valid,
                "excluded": found.sizes - valid,
                **{_MARKS[name]: values for name, values in total.items()},
                **_totals(found, steps),
            }

    def _answered(self, valid: pl.DataFrame, number: int) -> _Part:
        score = valid["__value"].cast(pl.Int64).to_numpy()
        found = grouped({_CELL: valid[_CELL].to_numpy(), "score": score})
        metric = found.all(number, np.uint16)
        return {
            **self._of.places(found.keys[_CELL]),
            "score": found.keys["score"],
            "n": found.sizes,
            "metric": metric,
        }


def _totals(found: Groups, steps: np.ndarray) -> _Part:
    """What values in steps add up to, and their squares."""
    if steps.any():
        return {"total": found.total(steps), "squares": found.squares(steps)}
    nothing = pl.Series(found.all(0, np.int64)).cast(pl.Int128)
    return {"total": nothing, "squares": nothing}


def _metric_behind(touchpoint: np.ndarray, feed: np.ndarray, number: int) -> dict[str, np.ndarray]:
    codes = {"touchpoint": touchpoint, "feed": feed, "metric": np.full(touchpoint.size, number)}
    return {name: values.astype(np.uint16) for name, values in codes.items()}


def _together(
    parts: Sequence[Mapping[str, np.ndarray | pl.Series]], schema: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    """Parts one below the other."""
    if not parts:
        return pl.DataFrame(schema=dict(schema))
    whole = {name: _whole([part[name] for part in parts]) for name in schema}
    return pl.DataFrame(whole, schema=dict(schema))


def _whole(pieces: Sequence[np.ndarray | pl.Series]) -> np.ndarray | pl.Series:
    arrays = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    return np.concatenate(arrays) if arrays else pl.concat([pl.Series(piece) for piece in pieces])
