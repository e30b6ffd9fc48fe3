"""The stages of a run after landing: absorb, score, publish. Each is callable without Prefect.

The audit, which comes between the last two, stands in `flows.auditing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from contracts.deliveries import Delivery
from contracts.events import TOKENS
from contracts.identity import Resolution
from contracts.tables import (
    Column,
    FactAttribution,
    FactCustomerCohort,
    FactCustomerFlow,
    FactCustomerLoss,
    FactHandoff,
    FactIssueFlow,
    MeasureDaily,
    MetricWindow,
    ScoreDistribution,
    Table,
)
from flows.kept_ranks import keep_ages, keep_ranks, known_ages, known_ranks
from flows.landing import FeedLanding
from flows.named_cases import NamedCases
from flows.passes import Measured
from flows.workspace import LoadedWorkspace
from transforms.attribution import change_parts, fact_attribution
from transforms.backlog import Span
from transforms.behind import frozen
from transforms.cards import by_period, cards, touchpoint_counts
from transforms.case_tables import PASSED, attribute_columns, fact_handoff, fact_issue_flow, passed_on
from transforms.credit import Credit, Scoring, credited_daily
from transforms.customers import fact_customer_cohort, fact_customer_flow, fact_customer_loss
from transforms.found import NONE
from transforms.identity import customer_of, resolve, resolve_more, unknown_links
from transforms.land import last_told
from transforms.map_tables import dim_goal
from transforms.observations import observed
from transforms.score import measure_daily, score_distribution, scorecards
from transforms.trust import data_trust, stale_since
from transforms.windows import charted, metric_windows, window_sums, window_values
from warehouse.store import Absorbed, EventStore, State

Tables = dict[type[Table], pl.DataFrame]


def absorb(
    workspace: LoadedWorkspace, store: EventStore, state: State, landings: Sequence[FeedLanding]
) -> Absorbed:
    """Add the events of fresh deliveries to the store, in one commit.

    Nothing fresh, nothing committed.
    """
    deliveries = [delivery for landing in landings for delivery in landing.deliveries]
    known = {feed.name for feed in workspace.feeds}
    # A feed that has left the workspace leaves the store too.
    superseded = frozenset(d.id for d in state.deliveries if d.feed not in known)
    superseded |= {name for landing in landings for name in landing.superseded}
    if not superseded and tuple(deliveries) == tuple(state.deliveries):
        return Absorbed(state)
    fresh = [delivery for landing in landings for delivery in landing.fresh]
    resolution = _resolved(workspace, store, state, fresh)
    told = [store.landed(delivery.parts["events"]) for delivery in fresh]
    told = [*_of_people_told_apart(store, deliveries, fresh, state.resolution, resolution), *told]
    events = last_told(pl.concat(told, how="diagonal")) if told else _no_events()
    named = pl.concat([events[name].alias("token") for name in TOKENS]).unique()
    people = resolution.tokens.filter(pl.col("token").is_in(named.implode()))
    coded = events.with_columns(customer_of(people)).drop(TOKENS)
    return store.absorb(state, coded, deliveries, resolution, superseded=superseded)


def _resolved(
    workspace: LoadedWorkspace, store: EventStore, state: State, fresh: Sequence[Delivery]
) -> Resolution:
    """Who is who, with what fresh deliveries tell of it."""
    known, limit = state.resolution, workspace.settings.identity.shared_key_limit
    links = [store.landed(d.parts["links"]) for d in fresh if "links" in d.parts]
    if known.limit == limit:
        more = unknown_links(pl.concat(links), known) if links else known.links.clear()
        found = resolve_more(more, known) if more.height else known
        if found is not None:
            return found
    return resolve(pl.concat([known.links, *links]).unique().sort(TOKENS), known, limit)


def _of_people_told_apart(
    store: EventStore,
    deliveries: Sequence[Delivery],
    fresh: Sequence[Delivery],
    before: Resolution,
    after: Resolution,
) -> list[pl.DataFrame]:
    """Events absorbed before, of people who have turned out to be somebody else: to be told again.

    Their address had joined them until so many had it that it is a shared one.
    """
    if after is before:
        return []
    moved = (
        before.tokens.filter(~pl.col("is_shared"))
        .join(after.tokens, on="token", suffix="_now")
        .join(after.aliases, on="customer", how="left")
        .filter(pl.coalesce("merged_into", "customer") != pl.col("customer_now"))["token"]
    )
    if moved.is_empty():
        return []
    theirs = pl.any_horizontal(pl.col(name).is_in(moved.implode()) for name in TOKENS)
    known = [d for d in deliveries if "events" in d.parts and d not in fresh]
    events = [store.landed(d.parts["events"]) for d in known]
    # With every telling of them: the last one counts, whoever it names.
    ids = pl.concat([frame.filter(theirs).select("event_id") for frame in events]).unique()
    return [frame.join(ids, on="event_id", how="semi") for frame in events]


def _no_events() -> pl.DataFrame:
    from contracts.events import EVENT  # noqa: PLC0415

    return pl.DataFrame(schema=dict(EVENT))


def scoring_of(workspace: LoadedWorkspace, measured: Measured, state: State) -> Scoring:
    """What scoring needs besides the sums."""
    delivered = data_trust(workspace.feeds, state.deliveries, workspace.now)
    return Scoring(
        workspace.atlas,
        measured.slots,
        measured.calendar,
        workspace.now,
        dim_goal(workspace.atlas),
        _segments(workspace, measured),
        workspace.settings.inherited.grace_days,
        late(workspace, measured, delivered),
    )


def late(workspace: LoadedWorkspace, measured: Measured, delivered: pl.DataFrame) -> pl.DataFrame:
    """What is known until when, of metrics with a feed behind them that is late; `delivered` is DataTrust."""
    stale = stale_since(delivered)
    return frozen(measured.behind, measured.codebook, stale, workspace.settings.zone)


def score(workspace: LoadedWorkspace, measured: Measured, state: State) -> Tables:
    """Scorecards, daily measures, handoffs and issue flow; all but the cases themselves, see `named_cases`."""
    scoring = scoring_of(workspace, measured, state)
    daily = credited_daily(measured.sums.lazy(), scoring).collect()
    periods, spans = pl.collect_all([by_period(daily.lazy(), scoring), scoring.calendar.spans()])
    known = known_ranks(measured.kept)
    values = observed(measured.values, spans, scoring, known)
    # Made once, then used by several scorecards: collected in between.
    made, counts, changes = pl.collect_all(
        [
            cards(periods.lazy(), values, scoring),
            touchpoint_counts(periods.lazy(), values, scoring),
            change_parts(periods.lazy(), scoring),
        ]
    )
    plans = scorecards(made.lazy(), counts.lazy(), changes.lazy(), scoring)
    plans[FactAttribution] = fact_attribution(changes.lazy(), scoring)
    plans[MetricWindow] = metric_windows(
        cards(
            window_sums(daily.lazy(), scoring),
            window_values(values, scoring),
            scoring,
            ["touchpoint"],
            charted(scoring),
        ),
        scoring,
    )
    keep_ranks(measured.kept, known)
    plans[MeasureDaily] = measure_daily(daily.lazy(), scoring)
    plans[ScoreDistribution] = score_distribution(measured.answers.lazy(), scoring)
    plans |= _case_plans(workspace, measured, state, scoring)
    plans |= _customer_plans(workspace, measured)
    return dict(zip(plans, pl.collect_all(list(plans.values())), strict=True))


def _case_plans(
    workspace: LoadedWorkspace, measured: Measured, state: State, scoring: Scoring
) -> dict[type[Table], pl.LazyFrame]:
    if not measured.made.height:
        return {table: table.empty().lazy() for table in (FactHandoff, FactIssueFlow)}
    zone = workspace.settings.zone
    opened = measured.made.lazy().select(pl.col("opened_at").min()).collect().item()
    first = opened.astimezone(zone).date()
    last_event = max(moment.astimezone(zone).date() for moment in state.span() or ())
    known = known_ages(measured.kept)
    flow = fact_issue_flow(measured.made, scoring.touchpoints, Span(first, last_event, zone), known)
    keep_ages(measured.kept, known)
    return {
        FactHandoff: fact_handoff(_passed(measured, scoring).lazy(), workspace.atlas, measured.codebook),
        FactIssueFlow: flow.lazy(),
    }


def _passed(measured: Measured, scoring: Scoring) -> pl.DataFrame:
    """What handoffs come to; of those of long ago it is remembered."""

    def count(handoffs: pl.DataFrame) -> pl.DataFrame:
        return passed_on(handoffs.lazy(), scoring).collect()

    return measured.handed.summed("passed", count, PASSED)


def named_cases(workspace: LoadedWorkspace, measured: Measured, state: State) -> NamedCases:
    """The cases under the names that FactCase has."""
    credit = Credit(workspace.atlas, measured.slots)
    return NamedCases(
        measured.made, credit, measured.codebook, state.customer_keys, state.hashes, state.texts
    )


def _customer_plans(workspace: LoadedWorkspace, measured: Measured) -> dict[type[Table], pl.LazyFrame]:
    groups, calendar, codebook = workspace.atlas.customers, measured.calendar, measured.codebook
    counts = measured.customers
    if counts["starts"].is_empty() and counts["months"].is_empty():
        return {t: t.empty().lazy() for t in (FactCustomerFlow, FactCustomerLoss, FactCustomerCohort)}
    return {
        FactCustomerFlow: fact_customer_flow(counts, groups, calendar, codebook),
        FactCustomerLoss: fact_customer_loss(counts, groups, calendar, codebook),
        FactCustomerCohort: fact_customer_cohort(counts, groups, calendar),
    }


def customers_by_touchpoint(measured: Measured) -> dict[str, int]:
    """Customers of the last 28 days, by touchpoint."""
    return {name: customers for name, (_, customers) in measured.lately.stakes.items()}


def case_attributes(workspace: LoadedWorkspace, measured: Measured) -> dict[str, Column]:
    """The columns that the workspace adds to FactCase."""
    return attribute_columns(workspace.atlas.cases, measured.codebook) if measured.made.height else {}


@dataclass(frozen=True)
class Segment:
    """What one number of a dimension stands for."""

    metric: int
    dimension: int
    segment: int
    dimension_name: str
    segment_name: str


def _segments(workspace: LoadedWorkspace, measured: Measured) -> pl.DataFrame:
    rows = [
        Segment(number, place, code, name, value or NONE)
        for number, metric in enumerate(workspace.atlas.metrics, start=1)
        for place, name in enumerate(metric.by, start=1)
        for code, value in enumerate(measured.codebook.series(measured.codebook.column(name)))
    ]
    schema = {
        "metric": pl.UInt16,
        "dimension": pl.UInt8,
        "segment": pl.UInt32,
        "dimension_name": pl.String,
        "segment_name": pl.String,
    }
    return pl.DataFrame([vars(row) for row in rows], schema=schema)
