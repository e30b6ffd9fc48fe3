"""What alerts are decided on, from published tables: whole weeks of every goal in force, and late feeds."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Any

import polars as pl

from contracts.accountability import AccountabilityMap, Goal, Metric, Rule, Touchpoint
from contracts.alerts import Evidence, FeedEvidence, Key, Week
from contracts.feeds import EventTemplate, Feed
from contracts.predicates import Condition
from contracts.tables import MetricTrust
from contracts.tables.findings import COMPONENTS
from contracts.tenures import EARLIEST, LATEST, instant
from transforms.business_days import monday
from transforms.verdict import below_goal

Pair = tuple[str, str]
"""Touchpoint and metric."""

_WEEK = timedelta(days=7)
_LITERAL = re.compile(r"^'([^']*)'$")
_DECLARED = set(EventTemplate.model_fields) - {"attributes"}


@dataclass(frozen=True)
class Numbers:
    """The tables that alerts are decided on.

    Attributes:
        card: ScorecardTouchpoint.
        trust: DataTrust.
        graded: MetricTrust; without it nothing is doubted.
    """

    card: pl.DataFrame
    trust: pl.DataFrame
    graded: pl.DataFrame = field(default_factory=MetricTrust.empty)


def evidence(
    numbers: Numbers,
    atlas: AccountabilityMap,
    feeds: Sequence[Feed],
    now: datetime,
    customers: Mapping[str, int] | None = None,
) -> list[Evidence]:
    """One for each goal in force on the last day of the last whole week, in the map's order.

    Args:
        numbers: What is published.
        atlas: The map.
        feeds: The feeds, for which of them a metric rests on.
        now: The instant it is; the last whole week is the one before its Monday.
        customers: Customers of the last 28 days by touchpoint.
    """
    judged = monday(now, atlas.zone)
    aimed = {(touchpoint.id, goal.metric) for touchpoint in atlas.touchpoints for goal in touchpoint.goals}
    weeks = _weeks(numbers, aimed)
    inherited = _inherited(numbers.card)
    late = _late(numbers.trust, datetime.combine(judged, time(), atlas.zone).astimezone(UTC))
    metrics = {metric.id: metric for metric in atlas.metrics}
    found = []
    for touchpoint in atlas.touchpoints:
        for goal in touchpoint.goals:
            if not _in_force(goal, touchpoint, judged - timedelta(days=1), atlas):
                continue
            metric = metrics[goal.metric]
            rests_on = suppliers(touchpoint.id, metric, atlas, feeds)
            found.append(
                Evidence(
                    key=Key("touchpoint", touchpoint.id, metric.id, _begins(goal)),
                    weeks=_filled(weeks.get((touchpoint.id, metric.id), {}), judged),
                    direction=goal.direction,
                    unit=metric.unit,
                    due=goal.due.date(),
                    late_feeds=tuple(name for name in rests_on if name in late),
                    customers=(customers or {}).get(touchpoint.id),
                    is_inherited=(touchpoint.id, metric.id) in inherited,
                )
            )
    return found


def feed_evidence(trust: pl.DataFrame) -> list[FeedEvidence]:
    """One for each feed that promises freshness or of which a delivery is held, by name."""
    held = pl.col("held_file_count").fill_null(0).sum()
    every = trust.sort("feed", "stream").group_by("feed", maintain_order=True).agg(
        pl.col("is_late").any(), pl.col("age_hours", "age_max_hours", "newest_event_at").first(), held=held
    )  # fmt: skip
    told = every.filter(pl.col("age_max_hours").is_not_null() | (pl.col("held") > 0))
    return [
        FeedEvidence(
            key=Key("feed", row["feed"], "freshness", "contract"),
            is_late=row["is_late"],
            age_hours=row["age_hours"],
            age_max_hours=row["age_max_hours"],
            newest_event_at=row["newest_event_at"],
            held_files=row["held"],
        )
        for row in told.iter_rows(named=True)
    ]


def suppliers(
    touchpoint: str, metric: Metric, atlas: AccountabilityMap, feeds: Sequence[Feed]
) -> tuple[str, ...]:
    """Feeds that can tell of what a metric judges at a touchpoint, by name.

    Worked out from declarations alone: an event whose declared constants contradict a rule or the
    metric's base is none of it. Where a feed declares the cases' subject as a constant, feeds that could
    only work it out to be the same are left out.
    """
    rules = [rule for rule in atlas.rules if rule.touchpoint == touchpoint]
    subjects = {cases.subject for cases in atlas.cases}

    def supplying(kinds: Collection[str | None]) -> tuple[str, ...]:
        def supplies(feed: Feed) -> bool:
            events = [event for stream in feed.declared.streams for event in stream.events]
            return any(
                _judges(metric, event, kinds) and any(_matches(rule, feed.name, event) for rule in rules)
                for event in events
            )

        return tuple(sorted(feed.name for feed in feeds if supplies(feed)))

    return supplying(subjects) or supplying({*subjects, None})


def _judges(metric: Metric, event: EventTemplate, subjects: Collection[str | None]) -> bool:
    if metric.of == "cases":
        is_case = event.subject_type is not None and event.subject is not None
        return is_case and _constant(event.subject_type) in subjects
    has_value = metric.value is None or _expression(event, metric.value) is not None
    return has_value and all(_can(event, name, condition) for name, condition in metric.where.items())


def _matches(rule: Rule, feed: str, event: EventTemplate) -> bool:
    kind, channel = _constant(event.kind), _constant(event.channel)
    return (
        (not rule.feed or feed in rule.feed)
        and (not rule.kind or kind is None or any(fnmatchcase(kind, one) for one in rule.kind))
        and (not rule.channel or channel is None or channel in rule.channel)
        and all(_can(event, name, condition) for name, condition in rule.where.items())
    )


def _can(event: EventTemplate, name: str, condition: Condition) -> bool:
    """Whether an event's column can satisfy a condition: unless its constant, or its absence, cannot."""
    if name == "feed":
        return True
    written = _expression(event, name)
    if written is None:
        return None in condition.any_of
    constant = _constant(written)
    return constant is None or not condition.any_of or constant in condition.any_of


def _expression(event: EventTemplate, name: str) -> str | None:
    return getattr(event, name) if name in _DECLARED else event.attributes.get(name)


def _constant(written: str | None) -> str | None:
    match = _LITERAL.match(written.strip()) if written else None
    return match[1] if match else None


def _in_force(goal: Goal, touchpoint: Touchpoint, day: date, atlas: AccountabilityMap) -> bool:
    noon = datetime.combine(day, time(12), atlas.zone)
    spans = (
        (goal.in_force_from, goal.in_force_until),
        (touchpoint.exists_from, touchpoint.exists_until),
    )
    return all(
        instant(begins, atlas.zone, EARLIEST) <= noon < instant(ends, atlas.zone, LATEST)
        for begins, ends in spans
    )


def _begins(goal: Goal) -> str:
    return goal.in_force_from.date().isoformat() if goal.in_force_from else "always"


def _late(trust: pl.DataFrame, until: datetime) -> set[str]:
    """Feeds that are late, or of which a delivery is held, and that have not delivered up to an instant."""
    newest = pl.col("newest_event_at")
    late = trust.filter(pl.col("is_stale"), newest.is_null() | (newest < until))
    return set(late["feed"])


def _weeks(numbers: Numbers, aimed: Collection[Pair]) -> dict[Pair, dict[date, Week]]:
    """Whole weeks by touchpoint and metric, those that there ever was a goal for, by their end."""
    on = ["touchpoint_id", "metric", "period_end"]
    wanted = pl.DataFrame(sorted(aimed), schema=dict.fromkeys(on[:2], pl.String), orient="row")
    whole = numbers.card.filter(pl.col("is_final")).join(wanted, on=on[:2], how="semi")
    pools = whole.filter(pl.col("period") == "rolling_28d", pl.col("period_end").dt.weekday() == 1)
    names = {"n": "pool_n", "value": "pool_value", "value_low": "pool_low", "value_high": "pool_high"}
    weekly = whole.filter(pl.col("period") == "week", pl.col("metric") != "events")
    rows = weekly.select(*on, "n", "value", "goal", "is_below_goal", "is_breach", "breach_bound").join(
        pools.select(*on, *names, below_goal().alias("is_pool_below")).rename(names), on=on, how="left"
    )
    windows = numbers.graded.filter(pl.col("period") == "rolling_28d").select(
        *on, trust=pl.col("grade").cast(pl.String), doubts=_doubts()
    )
    rows = rows.join(windows, on=on, how="left")
    found: dict[Pair, dict[date, Week]] = {}
    for row in rows.sort(on).iter_rows(named=True):
        found.setdefault((row["touchpoint_id"], row["metric"]), {})[row["period_end"]] = _week(row)
    return found


def _inherited(card: pl.DataFrame) -> set[Pair]:
    """Where a breach stands that whoever is accountable now has inherited: the owner to date is the present one."""
    now = card.filter(pl.col("period") == "to_date", "is_inherited")
    return set(now.select("touchpoint_id", "metric").iter_rows())


def _doubts() -> pl.Expr:
    """What is graded D, by name; not how precise the value is, for its bound is as wide as that."""
    doubted = [
        pl.when(pl.col(f"{name}_grade") == "D").then(pl.lit(name))
        for name in COMPONENTS
        if name != "precision"
    ]
    return pl.concat_list(doubted).list.drop_nulls()


def _week(row: Mapping[str, Any]) -> Week:
    return Week(
        end=row["period_end"],
        n=row["n"],
        value=row["value"],
        goal=row["goal"],
        is_below=bool(row["is_below_goal"]),
        is_breach=bool(row["is_breach"]),
        is_pool_below=row["is_pool_below"],
        pool_n=row["pool_n"] or 0,
        pool_value=row["pool_value"],
        pool_low=row["pool_low"],
        pool_high=row["pool_high"],
        bound=row["breach_bound"],
        trust=row["trust"],
        doubts=tuple(row["doubts"] or ()),
    )


def _filled(weeks: Mapping[date, Week], judged: date) -> tuple[Week, ...]:
    """Every week from the first one with a row to the judged one; without a row it has no data."""
    if not weeks:
        return ()
    return tuple(weeks.get(end) or Week(end=end) for end in _ends(min(weeks), judged))


def _ends(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += _WEEK


def prefixes(one: Evidence) -> Iterable[Evidence]:
    """The same evidence as it stood when each week had ended, the oldest first."""
    for length in range(1, len(one.weeks) + 1):
        yield Evidence(
            key=one.key,
            weeks=one.weeks[:length],
            direction=one.direction,
            unit=one.unit,
            due=one.due,
            has_goal=one.has_goal,
        )
