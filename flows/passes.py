"""The one pass over events: matched month by month, summed, and put together.

Memory is bounded by a partition of months, not by the history; sums of partitions add up to the sums
of the whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from contracts.accountability import UNMATCHED, AccountabilityMap, Cases
from contracts.events import INSTANT, Codebook
from flows.progress import Tell
from flows.workspace import LoadedWorkspace
from transforms.behind import feeds_of_cases, feeds_of_events
from transforms.case_tables import with_slots
from transforms.cases import case_columns, cases, handoffs
from transforms.credit import named
from transforms.customers import customer_moves, moves_columns
from transforms.match import Matcher, match
from transforms.measure import (
    answers,
    case_values,
    count_events,
    measure_cases,
    measure_events,
    volume,
)
from transforms.periods import Calendar
from transforms.rules import compile_rules
from transforms.sampling import asked_and_answered, sample_columns
from transforms.slots import Slots, slots
from transforms.stakes import disowned_events, recent_events, unmatched_events
from warehouse.store import State

PARTITION_ROWS = 2_000_000
_ALWAYS = ("feed", "kind", "channel", "customer")


@dataclass(frozen=True)
class Measured:
    """What the passes over events and cases left behind.

    Attributes:
        codebook: What the codes of events stand for.
        calendar: The days that are reported on.
        matcher: The compiled map.
        counted: slot, rule, touchpoint, n: every event.
        sums: `SUMS` of every metric, volume included.
        answers: slot, touchpoint, metric, score, n.
        values: Observations of quantiles: slot, touchpoint, metric, dimension, segment, value.
        cases: Cases with slots, as codes.
        handoffs: Handoffs, as codes.
        recent: touchpoint, rule, customer, n: events of the last 28 days.
        disowned: tenure, customer, n: events while nobody was accountable.
        unmatched: feed, kind, channel, customer, n, first_at, last_at.
        behind: touchpoint, metric, feed: which feeds stand behind which numbers.
        moves: `MOVES`: events that make or end a customer.
        told: Who was asked and who answered, see `transforms.sampling`.
        lived: Sums of those who could have been asked.
    """

    codebook: Codebook
    calendar: Calendar
    matcher: Matcher
    counted: pl.DataFrame
    sums: pl.DataFrame
    answers: pl.DataFrame
    values: pl.DataFrame
    cases: pl.DataFrame
    handoffs: pl.DataFrame
    recent: pl.DataFrame
    disowned: pl.DataFrame
    unmatched: pl.DataFrame
    behind: pl.DataFrame
    moves: pl.DataFrame
    told: pl.DataFrame
    lived: pl.DataFrame

    @property
    def slots(self) -> Slots:
        """The slots that everything is credited by."""
        return self.matcher.slots


def matcher_of(workspace: LoadedWorkspace, state: State) -> tuple[Matcher, Codebook, Calendar]:
    """The compiled map, what the codes stand for, and the days that are reported on."""
    zone, atlas = workspace.settings.zone, workspace.atlas
    today = workspace.now.astimezone(zone).date()
    span = state.span()
    first, last = (moment.astimezone(zone).date() for moment in span) if span else (today, today)
    codebook = Codebook(state.codebook.values, {**declared_attributes(workspace), **state.attributes})
    touchpoints = [touchpoint.id for touchpoint in atlas.touchpoints]
    days = slots(workspace.tenures, touchpoints, first, max(last, today) + timedelta(days=1), zone)
    matcher = Matcher(compile_rules(atlas.rules, codebook), days, touchpoints)
    return matcher, codebook, Calendar(min(first, today), today)


def measure(workspace: LoadedWorkspace, state: State, tell: Tell) -> Measured:
    """Match every stored event and sum it up.

    Args:
        workspace: Map and clock.
        state: The events.
        tell: Told of every partition.
    """
    atlas = workspace.atlas
    matcher, codebook, calendar = matcher_of(workspace, state)
    columns = pass_columns(atlas, matcher, codebook)
    parts: list[list[pl.DataFrame]] = []
    subjects: list[pl.DataFrame] = []
    partitions = list(pass_partitions(state))
    for done, months in enumerate(partitions, start=1):
        matched = match(state.scan(columns, months), matcher).collect()
        parts.append(pl.collect_all(_plans(matched.lazy(), atlas, matcher, codebook, calendar)))
        if atlas.cases:
            subjects.append(matched.filter(pl.col("subject_id") > 0))
        tell("measure", done, len(partitions))
    counted, sums, answered, recent, disowned, unmatched, behind, moves, told, lived = (
        pl.concat(part) for part in zip(*parts, strict=True)
    )
    found, handed = _cases(subjects, atlas.cases, matcher, codebook)
    case_sums, values, behind_cases = pl.collect_all(
        [
            measure_cases(found.lazy(), atlas.metrics, codebook),
            case_values(found.lazy(), atlas.metrics, codebook),
            feeds_of_cases(found.lazy(), atlas.metrics, codebook),
        ]
    )
    volumes = volume(counted.lazy()).collect()
    return Measured(
        codebook,
        calendar,
        matcher,
        counted,
        pl.concat([volumes, sums, case_sums]),
        answered,
        values,
        found,
        handed,
        recent,
        disowned,
        unmatched,
        pl.concat([behind, behind_cases]).unique(maintain_order=True),
        moves,
        told,
        lived,
    )


def credited_events(workspace: LoadedWorkspace, state: State) -> pl.DataFrame:
    """Every stored event with who it is credited to, in stored order.

    Returns:
        event_id, occurred_at, touchpoint_id, rule_id, owner_id, and current_owner_id: who is accountable
        for the touchpoint now.
    """
    matcher, _, _ = matcher_of(workspace, state)
    names = [UNMATCHED, *matcher.touchpoints]
    owners = matcher.slots.owners()["owner_id"]
    now = matcher.slots.find(pl.lit(workspace.now).cast(INSTANT))
    rules = [None, *(rule.id for rule in matcher.decision.rules)]
    matched = match(state.scan(["event_id", *matcher.columns]), matcher)
    return (
        matched.with_columns(matcher.slots.credited())
        .with_columns(owner_id=pl.lit(owners).gather(pl.col("tenure")), slot=now)
        .with_columns(matcher.slots.credited())
        .select(
            "event_id",
            "occurred_at",
            touchpoint_id=named("touchpoint", names),
            rule_id=named("rule", rules),
            owner_id="owner_id",
            current_owner_id=pl.lit(owners).gather(pl.col("tenure")),
        )
        .collect()
    )


def _plans(
    matched: pl.LazyFrame,
    atlas: AccountabilityMap,
    matcher: Matcher,
    codebook: Codebook,
    calendar: Calendar,
) -> list[pl.LazyFrame]:
    metrics = atlas.metrics
    return [
        count_events(matched),
        measure_events(matched, metrics, codebook),
        answers(matched, metrics, codebook),
        recent_events(matched, matcher.slots, calendar),
        disowned_events(matched, matcher.slots),
        unmatched_events(matched),
        feeds_of_events(matched, metrics, codebook),
        customer_moves(matched, atlas.customers, matcher.slots, codebook),
        *asked_and_answered(matched, metrics, codebook),
    ]


def _cases(
    subjects: list[pl.DataFrame], specs: Sequence[Cases], matcher: Matcher, codebook: Codebook
) -> tuple[pl.DataFrame, pl.DataFrame]:
    if not specs or not subjects:
        return _no_cases(), pl.DataFrame()
    told = pl.concat(subjects).lazy()
    plans = [with_slots(cases(told, spec, codebook), matcher.slots) for spec in specs]
    handed = [handoffs(told, spec, codebook) for spec in specs]
    found, moved = pl.collect_all([pl.concat(plans, how="diagonal"), pl.concat(handed)])
    return found, moved


def _no_cases() -> pl.DataFrame:
    slot_columns = {f"slot_{name}": pl.UInt32 for name in ("opened", "resolved", "closed")}
    return pl.DataFrame(schema={"touchpoint": pl.UInt16, "feed": pl.UInt16, **slot_columns})


def pass_columns(atlas: AccountabilityMap, matcher: Matcher, codebook: Codebook) -> list[str]:
    """Stored columns that the pass reads."""
    wanted = {*matcher.columns, *_ALWAYS}
    for metric in atlas.metrics:
        if metric.of == "events":
            named = [*metric.where, *metric.good, *metric.by, *([metric.value] if metric.value else [])]
            wanted |= {codebook.column(name) for name in named}
    wanted |= moves_columns(atlas.customers, codebook)
    wanted |= sample_columns(atlas.metrics, codebook)
    for spec in atlas.cases:
        wanted |= set(case_columns(spec, codebook))
    return sorted(wanted)


def pass_partitions(state: State) -> Iterator[list[str]]:
    """Months in groups of at most `PARTITION_ROWS` events, at least one group."""
    group: list[str] = []
    rows = 0
    for name in sorted(state.months):
        if group and rows + state.months[name].rows > PARTITION_ROWS:
            yield group
            group, rows = [], 0
        group.append(name)
        rows += state.months[name].rows
    yield group


def declared_attributes(workspace: LoadedWorkspace) -> dict[str, str]:
    """Attributes that feeds declare; those that no event has had yet count as text."""
    return {
        name: "text"
        for feed in workspace.feeds
        for stream in feed.declared.streams
        for template in stream.events
        for name in template.attributes
    }
