"""The same events under two maps: matched by both, cut where either changes hands, summed once.

Events are summed by *pair*: which touchpoint they belong to in the old map and in the new one. Slots end
wherever either map changes hands, at any hour. So one pass over events gives sums that are exact under
both maps, whatever differs: owners, rules, metrics or goals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np
import polars as pl

from contracts.accountability import AccountabilityMap, Metric
from contracts.events import Codebook
from contracts.tenures import Tenure
from transforms.credit import Scoring
from transforms.map_tables import dim_goal
from transforms.match import Matcher, match
from transforms.measure import SUMS
from transforms.moves import Stretch, renames, stretches
from transforms.periods import ROLLING_DAYS, Calendar
from transforms.rules import compile_rules
from transforms.slots import Slots, microseconds, slots

SIDES = ("before", "after")
_UNJUDGED = {"id", "name", "unit", "direction", "by"}
"""What a metric says besides how it is measured."""


@dataclass(frozen=True)
class Side:
    """One of the two maps, ready to match and to credit.

    Attributes:
        atlas: The map.
        tenures: Its tenures.
        matcher: Its rules, on slots that both maps share.
        scoring: What its sums are credited and judged by.
    """

    atlas: AccountabilityMap
    tenures: Sequence[Tenure]
    matcher: Matcher
    scoring: Scoring

    @property
    def slots(self) -> Slots:
        """Slots that both maps share, and who is accountable in them in this map."""
        return self.matcher.slots

    @cached_property
    def touchpoints(self) -> list[str]:
        """Ids of touchpoints by number; 0 is `unmatched`."""
        return self.matcher.names


@dataclass(frozen=True)
class Comparison:
    """Two maps over the same events.

    Attributes:
        before: The old map.
        after: The new one.
        codebook: What the events' codes stand for.
        now: The instant it is.
        window: The days that consequences are counted over, the running one included.
        renamed: New id by old id of touchpoints.
        differing: Where the two name different holders.
        metrics: Every metric that is measured in one of the two maps, once each, without dimensions.
    """

    before: Side
    after: Side
    codebook: Codebook
    now: datetime
    window: Calendar
    renamed: Mapping[str, str]
    differing: Sequence[Stretch]
    metrics: Sequence[Metric] = field(default=())

    @property
    def sides(self) -> Mapping[str, Side]:
        """The two maps by name: `before` and `after`."""
        return {"before": self.before, "after": self.after}

    @property
    def columns(self) -> list[str]:
        """Stored columns that matching reads."""
        return sorted({*self.before.matcher.columns, *self.after.matcher.columns})

    def first_slot(self, day: date) -> int:
        """The first slot of a day or of the next one there is."""
        return int(np.searchsorted(self.after.slots.dates, (day - date(1970, 1, 1)).days, side="left"))

    @cached_property
    def stretch_of(self) -> pl.Series:
        """Number of the stretch (from 1; 0 where both agree), by touchpoint of the new map and slot."""
        starts = self.after.slots.starts
        table = np.zeros((len(self.after.touchpoints), len(starts)), dtype=np.uint32)
        code = {name: index for index, name in enumerate(self.after.touchpoints)}
        for number, stretch in enumerate(self.differing, start=1):
            if stretch.touchpoint in code:
                begins, ends = np.searchsorted(
                    starts, [microseconds(stretch.start), microseconds(stretch.end)]
                )
                table[code[stretch.touchpoint], begins:ends] = number
        return pl.Series(table.reshape(-1))

    @cached_property
    def same_touchpoint(self) -> pl.Series:
        """The number in the new map of each touchpoint of the old one; 0 where it is gone."""
        code = {name: index for index, name in enumerate(self.after.touchpoints)}
        names = [self.renamed.get(name, name) for name in self.before.touchpoints]
        return pl.Series([code.get(name, 0) for name in names], dtype=pl.UInt16)


def compare(
    maps: tuple[AccountabilityMap, AccountabilityMap],
    tenures: tuple[Sequence[Tenure], Sequence[Tenure]],
    codebook: Codebook,
    span: tuple[date, date],
    now: datetime,
    window_days: int,
) -> Comparison:
    """Make two maps ready for the same events.

    Args:
        maps: The old map and the new one; days are the new one's.
        tenures: Their tenures.
        codebook: What the events' codes stand for, with the attributes that either workspace declares.
        span: First and last day of the events.
        now: The instant it is.
        window_days: Length of the window: so many whole days, and the running one.
    """
    zone = maps[1].zone
    today = now.astimezone(zone).date()
    first, last = min(span[0], today), max(span[1], today) + timedelta(days=1)
    window = Calendar(max(today - timedelta(days=window_days), first), today)
    edges = [edge for held in tenures for tenure in held for edge in (tenure.start, tenure.end)]
    old = compile_rules(maps[0].rules, codebook)
    new = old if maps[0].rules == maps[1].rules else compile_rules(maps[1].rules, codebook)
    sides = []
    for atlas, held, decision in zip(maps, tenures, (old, new), strict=True):
        names = [touchpoint.id for touchpoint in atlas.touchpoints]
        shared = slots(held, names, first, last, zone, edges)
        scoring = Scoring(atlas, shared, window, now, dim_goal(atlas), _NO_SEGMENTS)
        sides.append(Side(atlas, held, Matcher(decision, shared, names), scoring))
    renamed = renames(*maps)
    return Comparison(
        *sides, codebook, now, window, renamed, stretches(*tenures, renamed), measured_metrics(*maps)
    )


_NO_SEGMENTS = pl.DataFrame(
    schema={
        "metric": pl.UInt16,
        "dimension": pl.UInt8,
        "segment": pl.UInt32,
        "dimension_name": pl.String,
        "segment_name": pl.String,
    }
)


def measured_metrics(*maps: AccountabilityMap) -> list[Metric]:
    """The maps' metrics, those that are measured alike once, without dimensions."""
    found: list[Metric] = []
    for metric in (metric for atlas in maps for metric in atlas.metrics):
        if not any(measured_alike(metric, known) for known in found):
            found.append(metric.model_copy(update={"by": ()}))
    return found


def measured_alike(one: Metric, other: Metric) -> bool:
    """Whether two metrics make the same sums of the same events."""
    return one.model_dump(exclude=_UNJUDGED) == other.model_dump(exclude=_UNJUDGED)


def match_both(events: pl.LazyFrame, comparison: Comparison) -> pl.LazyFrame:
    """Find each event's slot, and its rule and touchpoint in both maps.

    Returns:
        The same rows in the same order with `slot` and, for each map, `rule_before`, `rule_after`,
        `touchpoint_before` and `touchpoint_after` (0 where no rule matched).
    """
    found = match(events, comparison.before.matcher).rename(
        {"rule": "rule_before", "touchpoint": "touchpoint_before"}
    )
    if comparison.before.atlas.rules == comparison.after.atlas.rules and not comparison.renamed:
        same = pl.lit(comparison.same_touchpoint).gather(pl.col("touchpoint_before"))
        return found.with_columns(rule_after="rule_before", touchpoint_after=same)
    return match(found, comparison.after.matcher).rename(
        {"rule": "rule_after", "touchpoint": "touchpoint_after"}
    )


@dataclass(frozen=True)
class Pairs:
    """Which touchpoints events belong to in the old and in the new map, numbered as they are met.

    Attributes:
        known: Number in the old map and in the new one, by number of the pair; pair 0 is matched by neither.
        shape: How many touchpoints the maps have, `unmatched` included.
    """

    shape: tuple[int, int]
    known: Sequence[tuple[int, int]] = ((0, 0),)

    def seen(self, met: pl.DataFrame) -> "Pairs":
        """The pairs with those of some events: touchpoint_before, touchpoint_after."""
        fresh = sorted({*met.select("touchpoint_before", "touchpoint_after").iter_rows()} - {*self.known})
        return Pairs(self.shape, (*self.known, *fresh))

    def number(self) -> pl.Expr:
        """The pair's number, from touchpoint_before and touchpoint_after."""
        table = np.zeros(self.shape, dtype=np.uint16)
        for number, pair in enumerate(self.known):
            table[pair] = number
        place = pl.col("touchpoint_before").cast(pl.UInt32) * self.shape[1] + pl.col("touchpoint_after")
        return pl.lit(pl.Series(table.reshape(-1))).gather(place)

    def touchpoint(self, side: str) -> pl.Expr:
        """The touchpoint's number in one map, from the pair's number in `touchpoint`."""
        place = SIDES.index(side)
        numbers = pl.Series([pair[place] for pair in self.known], dtype=pl.UInt16)
        return pl.lit(numbers).gather(pl.col("touchpoint")).alias("touchpoint")


@dataclass(frozen=True)
class Cube:
    """What one pass over the events left behind; `touchpoint` is the number of a pair throughout.

    Attributes:
        pairs: What the numbers of pairs stand for.
        counted: slot, rule_before, rule_after, touchpoint, n: every event.
        sums: `SUMS` of the comparison's metrics over events, in slots of both maps.
        customers: touchpoint, stretch, tenure_before, tenure_after, is_window, is_recent, customer, n:
            every event.
        unmatched: By side: feed, kind, channel, customer, n, first_at, last_at.
        case_sums: By side: `SUMS` of that map's metrics over cases, with its numbers.
        values: By side: observations of quantiles, with its numbers.
        handoffs: By side: handoffs, as codes.
        open_cases: By side: touchpoint, n: cases that are not closed.
        behind: By side: touchpoint, metric (id), feed (code): which feeds gave it observations.
    """

    pairs: Pairs
    counted: pl.DataFrame
    sums: pl.DataFrame
    customers: pl.DataFrame
    unmatched: Mapping[str, pl.DataFrame]
    case_sums: Mapping[str, pl.DataFrame]
    values: Mapping[str, pl.DataFrame]
    handoffs: Mapping[str, pl.DataFrame]
    behind: Mapping[str, pl.DataFrame]
    open_cases: Mapping[str, pl.DataFrame]


def count_both(matched: pl.LazyFrame) -> pl.LazyFrame:
    """How many events the rules of both maps put where: slot, rule_before, rule_after, touchpoint, n."""
    return matched.group_by("slot", "rule_before", "rule_after", "touchpoint").agg(n=pl.len().cast(pl.Int64))


def count_customers(matched: pl.LazyFrame, comparison: Comparison) -> pl.LazyFrame:
    """Events by customer and by whom either map credits them to; see `Cube.customers`."""
    since_window = comparison.first_slot(comparison.window.first)
    since_recent = comparison.first_slot(comparison.window.today - timedelta(days=ROLLING_DAYS))
    width = len(comparison.after.slots.starts)
    old, new = pl.col("touchpoint_before"), pl.col("touchpoint_after")
    stays = pl.lit(comparison.same_touchpoint).gather(old) == new
    stretch = pl.lit(comparison.stretch_of).gather(new.cast(pl.UInt32) * width + pl.col("slot"))
    keys = {
        "stretch": pl.when(stays).then(stretch).otherwise(0),
        **{f"tenure_{name}": _tenure(side, name) for name, side in comparison.sides.items()},
        "is_window": pl.col("slot") >= since_window,
        "is_recent": pl.col("slot") >= since_recent,
    }
    return (
        matched.select("touchpoint", "customer", **keys)
        .group_by("touchpoint", *keys, "customer")
        .agg(n=pl.len().cast(pl.Int64))
    )


def _tenure(side: Side, name: str) -> pl.Expr:
    """The tenure in force in one map, from its touchpoint and the slot."""
    table = pl.Series(side.slots.tenure_of.reshape(-1), dtype=pl.UInt32)
    place = pl.col(f"touchpoint_{name}").cast(pl.UInt32) * side.slots.tenure_of.shape[1] + pl.col("slot")
    return pl.lit(table).gather(place)


def side_sums(cube: Cube, comparison: Comparison, name: str) -> pl.LazyFrame:
    """`SUMS` as one map measures them: its touchpoints, its metrics' numbers, cases and volume included."""
    side = comparison.sides[name]
    numbers = [(0, 0)] + [
        (number, own)
        for own, metric in enumerate(side.atlas.metrics, start=1)
        for number, measured in enumerate(comparison.metrics, start=1)
        if measured_alike(metric, measured)
    ]
    metrics = pl.LazyFrame(numbers, schema={"metric": pl.UInt16, "own": pl.UInt16}, orient="row")
    events = cube.sums.lazy().join(metrics, on="metric").with_columns(metric="own").select(list(SUMS))
    both = pl.concat([events, cube.case_sums[name].lazy()])
    projected = both.with_columns(touchpoint=cube.pairs.touchpoint(name))
    # What the other map alone matches is unmatched here: it happened, but it judges nobody.
    return projected.filter((pl.col("touchpoint") > 0) | (pl.col("metric") == 0))


def side_values(cube: Cube, name: str) -> pl.LazyFrame:
    """Observations of quantiles as one map has them."""
    projected = cube.values[name].lazy().with_columns(touchpoint=cube.pairs.touchpoint(name))
    return projected.filter(pl.col("touchpoint") > 0)
