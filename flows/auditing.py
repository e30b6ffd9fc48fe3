"""The stage that holds the map against the events: the ladder, the load, the audit, and what they rest on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl

from contracts.attestations import Attested
from contracts.map_content import Recorded
from contracts.tables import (
    AccountabilityLadder,
    DataTrust,
    DqRuleResults,
    DriverWeight,
    FactCase,
    FactEventUnmatched,
    FactHandoff,
    GapFinding,
    GapWaterfall,
    GoalHistory,
    GoalLint,
    Independence,
    MeasureDaily,
    MetricStanding,
    MetricTrust,
    ObservedAccountability,
    PersonLoad,
    PriorityMismatch,
    Quarantine,
    QuarantineReason,
    RuleHit,
    SampleMix,
    ScorecardCompany,
    ScorecardTouchpoint,
    UnmatchedShare,
    WhoAnswered,
)
from flows.engine import suited
from flows.named_cases import NamedCases
from flows.passes import Measured
from flows.sampling import sampled
from flows.stages import Tables, named_cases
from flows.workspace import LoadedWorkspace
from transforms.audit import HANDOFF_DAYS, Evidence, audit
from transforms.credit import named
from transforms.estimate import EVENTS
from transforms.found import events_unmatched, rule_hits
from transforms.goal_history import unversioned_changes
from transforms.goal_lint import goal_lint
from transforms.in_force import Standing
from transforms.independence import conflicted, independence
from transforms.ladder import Climb, accountability_ladder, gap_waterfall
from transforms.lived import Lived
from transforms.load import person_load
from transforms.metric_trust import Known, metric_trust, sample_doubts, scales_of
from transforms.observed import RESOLVED_BY, observed_accountability, resolved_lately
from transforms.priorities import driver_weights, priority_mismatches
from transforms.quality import dq_rule_results, quarantine
from transforms.trust import data_trust, metric_standing, quarantine_reasons
from transforms.unmatched import unmatched_share
from warehouse.store import State

Pair = tuple[str, str]
"""Touchpoint and metric."""


@dataclass(frozen=True)
class Seen:
    """What the last 28 days showed, in the map's words.

    Attributes:
        standing: The map as it stands now.
        lived: Events and customers.
        verdicts: Verdict over the last 28 whole days, by touchpoint and metric.
        observations: Observations in them.
    """

    standing: Standing
    lived: Lived
    verdicts: Mapping[Pair, str]
    observations: Mapping[Pair, int]

    @property
    def missed(self) -> Mapping[str, int]:
        """Goals missed, by touchpoint."""
        return Counter(touchpoint for (touchpoint, _), said in self.verdicts.items() if said == "missed")


@suited()
def audited(
    workspace: LoadedWorkspace,
    measured: Measured,
    state: State,
    scored: Tables,
    recorded: Sequence[Recorded],
    said: Sequence[Attested],
) -> Tables:
    """The gap audit and what it rests on: ladder, load, rules, unmatched events, trust, the map and its history.

    Args:
        workspace: Map, feeds and clock.
        measured: What the passes left behind.
        state: The events.
        scored: What scoring made.
        recorded: Versions of the map that were believed.
        said: What accountable people say of every touchpoint.
    """
    seen = _seen(workspace, measured, scored)
    limits = workspace.settings.limits
    delivered = data_trust(workspace.feeds, state.deliveries, workspace.now)
    samples = sampled(workspace, measured, delivered)
    found = {**_matching(workspace, measured, scored), **samples.tables, DataTrust: delivered}
    found |= _trust(workspace, measured, state, scored, seen, found)
    found |= _ladder(seen, found[MetricStanding])
    cases = named_cases(workspace, measured, state)
    found[DriverWeight] = driver_weights(_asked_of_drivers(cases, seen.standing), seen.standing)
    found[PriorityMismatch] = priority_mismatches(found[DriverWeight].lazy(), seen.standing).collect()
    found[PersonLoad] = person_load(seen.standing, seen.lived, seen.missed, limits)
    found[ObservedAccountability] = observed_accountability(
        cases.counted(resolved_lately(workspace.now), RESOLVED_BY), seen.standing
    )
    evidence = replace(
        _evidence(workspace, measured, state, scored, seen, found),
        drifts=samples.drifts,
        mismatches=found[PriorityMismatch],
        formula_changes=unversioned_changes(recorded),
        said=said,
    )
    return {
        **found,
        GapFinding: audit(evidence),
        GoalLint: goal_lint(evidence),
        QuarantineReason: quarantine_reasons(state.deliveries),
    }


def _asked_of_drivers(cases: NamedCases, standing: Standing) -> pl.DataFrame:
    """FactCase as far back as any analysis of drivers looks."""
    days = max((analysis.days for analysis in standing.atlas.drivers), default=0)
    since = standing.now - timedelta(days=days + 2)  # days begin at a midnight, and some have 25 hours
    return cases.rows(pl.col("opened_at") >= since) if days else FactCase.empty()


def _seen(workspace: LoadedWorkspace, measured: Measured, scored: Tables) -> Seen:
    judged = _last_window(scored[ScorecardTouchpoint]).select(
        "touchpoint_id", "metric", pl.col("verdict").cast(pl.String), "n"
    )
    return Seen(
        Standing(workspace.atlas, workspace.tenures, workspace.now),
        measured.lately,
        {(touchpoint, metric): verdict for touchpoint, metric, verdict, _ in judged.iter_rows()},
        {(touchpoint, metric): n for touchpoint, metric, _, n in judged.iter_rows()},
    )


def _matching(workspace: LoadedWorkspace, measured: Measured, scored: Tables) -> Tables:
    decision, goal = measured.matcher.decision, workspace.settings.limits.unmatched_share
    hits, share = pl.collect_all(
        [
            rule_hits(measured.counted.lazy(), measured.told_lately.hits.lazy(), decision, workspace.atlas),
            unmatched_share(scored[ScorecardTouchpoint].lazy(), scored[ScorecardCompany].lazy(), goal),
        ]
    )
    unmatched = events_unmatched(measured.told_lately.unmatched, measured.codebook)
    return {RuleHit: hits, FactEventUnmatched: unmatched, UnmatchedShare: share}


def _trust(
    workspace: LoadedWorkspace, measured: Measured, state: State, scored: Tables, seen: Seen, found: Tables
) -> Tables:
    delivered, ledger = found[DataTrust], independence(seen.standing)
    judged = [(one.id, metric) for one in workspace.atlas.touchpoints for metric in one.metrics]
    told = measured.behind.filter(pl.col("metric") > 0).select(
        touchpoint_id=named("touchpoint", measured.matcher.names),
        metric=named("metric", [None, *(metric.id for metric in workspace.atlas.metrics)]),
        feed=measured.codebook.decoded("feed"),
    )
    feeds: dict[Pair, list[str]] = {}
    for touchpoint, metric, feed in told.iter_rows():
        feeds.setdefault((touchpoint, metric), []).append(feed)
    enough = workspace.settings.limits.answers
    called = {
        "touchpoint": measured.matcher.names,
        "metric": [EVENTS.id, *(metric.id for metric in workspace.atlas.metrics)],
        "feed": measured.codebook.series("feed").to_list(),
    }
    known = Known(
        measured.behind,
        delivered,
        called,
        found[SampleMix],
        found[WhoAnswered],
        conflicted(ledger),
        scales_of(workspace.atlas.metrics),
    )
    card = scored[ScorecardTouchpoint].lazy()
    graded = metric_trust(card, known, workspace.settings.grades).collect()
    doubts = sample_doubts(graded)
    return {
        Independence: ledger,
        MetricTrust: graded,
        DqRuleResults: dq_rule_results(workspace.feeds, state.deliveries, workspace.settings.zone),
        Quarantine: quarantine(state.deliveries, state.landed),
        MetricStanding: metric_standing(judged, feeds, seen.observations, delivered, enough, doubts),
    }


def _ladder(seen: Seen, trust: pl.DataFrame) -> Tables:
    pairs = trust.select("touchpoint_id", "metric", "is_trusted", "why_not")
    climb = Climb(
        standing=seen.standing,
        lived=seen.lived,
        trusted=frozenset((one, metric) for one, metric, is_trusted, _ in pairs.iter_rows() if is_trusted),
        why_not={(one, metric): why for one, metric, _, why in pairs.iter_rows() if why},
        verdicts=seen.verdicts,
    )
    ladder = accountability_ladder(climb)
    stages = [stage.id for stage in seen.standing.atlas.stages]
    return {AccountabilityLadder: ladder, GapWaterfall: gap_waterfall(ladder, seen.lived, stages)}


def _evidence(
    workspace: LoadedWorkspace, measured: Measured, state: State, scored: Tables, seen: Seen, found: Tables
) -> Evidence:
    daily = scored[MeasureDaily].filter(pl.col("n") > 0)
    card = scored[ScorecardTouchpoint].filter(pl.col("period") == "to_date", pl.col("n") > 0)
    observed = pl.concat([frame.select("touchpoint_id", "metric") for frame in (daily, card)]).unique()
    hits = found[RuleHit].select("rule_id", "event_count", "event_28d_count")
    return Evidence(
        atlas=workspace.atlas,
        tenures=seen.standing.tenures,
        now=workspace.now,
        limits=workspace.settings.limits,
        observed=frozenset(observed.iter_rows()),
        best=_best(workspace, scored[ScorecardTouchpoint]),
        recent=seen.lived.stakes,
        lived=seen.lived,
        disowned=Lived.told(
            measured.disowned.rename({"tenure": "touchpoint_id"}).cast({"touchpoint_id": pl.String})
        ),
        unmatched=found[FactEventUnmatched],
        unmatched_share=found[UnmatchedShare],
        shadowed_by=measured.matcher.decision.shadowed_by,
        hits={name: ever for name, ever, _ in hits.iter_rows()},
        recent_hits={name: lately for name, _, lately in hits.iter_rows()},
        handoffs=_recent_handoffs(workspace, scored),
        trust=found[DataTrust],
        metric_standing=found[MetricStanding],
        load=found[PersonLoad],
        who_answered=found[WhoAnswered],
        ledger=found[Independence],
        resolved_by=found[ObservedAccountability],
        shared_tokens=state.resolution.tokens.filter("is_shared").height,
        goal_history=scored[GoalHistory],
        grades=_grades(found[MetricTrust]),
        rates_apart=_rates_apart(workspace, scored[MeasureDaily]),
    )


def _rates_apart(workspace: LoadedWorkspace, daily: pl.DataFrame) -> dict[str, int]:
    """Events counted by rates of which no touchpoint has both the events and what they are counted against."""
    rates = [one.id for one in workspace.atlas.metrics if one.estimator == "rate" and one.touchpoint is None]
    places = daily.filter(pl.col("metric").is_in(rates)).group_by("metric", "touchpoint_id")
    counted = places.agg(pl.col("n").sum(), events=pl.col("numerator").sum().cast(pl.Int64))
    has_both = (pl.col("n") > 0) & (pl.col("events") > 0)
    told = counted.group_by("metric").agg(pl.col("events").sum(), together=has_both.any())
    return dict(told.filter(~pl.col("together"), pl.col("events") > 0).select("metric", "events").iter_rows())


def _last_window(told: pl.DataFrame) -> pl.DataFrame:
    """What is told of the last 28 whole days."""
    windows = told.filter(pl.col("period") == "rolling_28d")
    return windows.filter(pl.col("period_end") == pl.col("period_end").max())


def _grades(trust: pl.DataFrame) -> dict[Pair, tuple[str, str | None]]:
    """Grade of the last 28 days and its weakest part, by touchpoint and metric."""
    told = _last_window(trust).select("touchpoint_id", "metric", pl.col("grade", "weakest").cast(pl.String))
    return {(touchpoint, metric): (grade, weakest) for touchpoint, metric, grade, weakest in told.iter_rows()}


def _best(workspace: LoadedWorkspace, card: pl.DataFrame) -> dict[Pair, float]:
    """The best value of any whole month with enough observations, by touchpoint and metric."""
    enough = pl.col("n") >= workspace.settings.limits.answers
    months = card.filter(pl.col("period") == "month", "is_final", enough, pl.col("value").is_not_null())
    ends = months.group_by("touchpoint_id", "metric").agg(
        low=pl.col("value").min(), high=pl.col("value").max(), direction=pl.col("direction").first()
    )
    return {
        (touchpoint, metric): high if direction == "higher" else low
        for touchpoint, metric, low, high, direction in ends.iter_rows()
    }


def _recent_handoffs(workspace: LoadedWorkspace, scored: Tables) -> pl.DataFrame:
    today = workspace.now.astimezone(workspace.settings.zone).date()
    since = pl.lit(today).dt.offset_by(f"-{HANDOFF_DAYS}d")
    return scored[FactHandoff].filter(pl.col("week_start") > since)
