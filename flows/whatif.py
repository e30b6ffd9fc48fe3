"""What a change of the map would do to the events in the store: one pass, then questions to its cube."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import polars as pl

from contracts.accountability import Cases, Metric
from contracts.events import Codebook
from contracts.map_change import SEVERITIES, Gap, GapStatus, MapChange, Rung, Severity
from contracts.map_content import MapContent, Recorded, unversioned
from contracts.records import MapRecord
from contracts.tables import FactHandoff
from flows.briefs import declared_attributes
from flows.parts import pass_columns
from flows.passes import pass_partitions
from flows.sampling import published_doubts
from flows.workspace import LoadedWorkspace
from transforms.audit import HANDOFF_DAYS, RULES, AuditRule, Evidence, audit, open_findings
from transforms.behind import BEHIND, feeds_of_cases, feeds_of_events
from transforms.case_tables import fact_handoff, passed_on, with_slots
from transforms.cases import cases, handoffs
from transforms.consequences import (
    Found,
    flips,
    loads,
    moves,
    observed_pairs,
    plans,
    reroutes,
    score_changes,
    verdicts,
)
from transforms.credit import named
from transforms.found import Unmatched, events_unmatched
from transforms.goal_history import goal_history
from transforms.in_force import Standing
from transforms.ladder import Climb, accountability_ladder, gap_waterfall
from transforms.lived import Lived
from transforms.load import person_load
from transforms.measure import case_values, measure_cases, measure_events, volume
from transforms.moves import settled_at
from transforms.stakes import unmatched_events
from transforms.trust import data_trust, metric_standing
from transforms.whatif import (
    SIDES,
    Comparison,
    Cube,
    Pairs,
    Side,
    compare,
    count_both,
    count_customers,
    match_both,
)
from warehouse.store import State

Known = Iterable[tuple[str, str, str]]
NEEDS_EVENTS = frozenset(
    {
        "metric_never_observed",
        "unmatched_kind",
        "rule_without_events",
        "handoff_without_integrator",
        "touchpoint_without_events",
    }
)
"""Rules of the audit that say nothing as long as there are no events."""

NEEDS_RELEASE = frozenset(
    {
        "too_few_answers",
        "goal_beyond_reach",
        "metric_below_its_trust",
        "unmatched_share_missed",
        "internal_customer",
        "rule_gone_quiet",
        "attestation_declined",
        "late_feed",
        "declared_not_observed",
        "rate_apart",
        "sampling_drift",
        "waiver_of_nothing",
    }
)
"""Rules that look at what only a whole run makes or knows, or at every other finding: they are not asked."""


def map_change(
    before: LoadedWorkspace,
    after: LoadedWorkspace,
    state: State,
    window_days: int,
    names: tuple[str, str],
    known: Known | None = None,
) -> MapChange:
    """What the change from one map to the other would do.

    Args:
        before: The workspace as it was; its map and feeds count.
        after: The workspace as it would be; its clock and time zone count.
        state: The events. They are taken as they are stored: what a changed feed would have made of its
            deliveries is not asked.
        window_days: Days that consequences are counted over.
        names: What the two are called.
        known: Gaps that are accepted; those of the old map when absent.
    """
    comparison, codebook = compared(before, after, state, window_days)
    cube = cube_of(comparison, codebook, state)
    asked = plans(cube, comparison)
    found = Found.of(pl.collect_all(asked.all()))
    judged = dict(
        zip(SIDES, pl.collect_all([verdicts(found, comparison, name) for name in SIDES]), strict=True)
    )
    sides = {"before": before, "after": after}
    audits = {name: _audited(sides[name], name, comparison, cube, state) for name in SIDES}
    events, customers = _one(found.total)
    events_changed, customers_changed = _one(found.changed)
    return MapChange(
        base=names[0],
        head=names[1],
        zone=after.settings.timezone,
        first_date=comparison.window.first,
        last_date=comparison.window.today,
        settled_at=settled_at(comparison.differing, comparison.now),
        events=events,
        customers=customers,
        events_changed=events_changed,
        customers_changed=customers_changed,
        renamed=comparison.renamed,
        moves=moves(found, cube, comparison),
        reroutes=reroutes(found, cube, comparison),
        flips=flips(judged, comparison),
        loads=loads(found, judged, comparison),
        scores=score_changes(found, comparison),
        ladder=_rungs(
            *(_waterfall(sides[name], name, comparison, cube, state, judged[name]) for name in SIDES)
        ),
        gaps=_gaps(audits["before"], audits["after"], known, comparison.renamed),
        not_asked=sorted(_silent(state)),
    )


def compared(
    before: LoadedWorkspace, after: LoadedWorkspace, state: State, window_days: int
) -> tuple[Comparison, Codebook]:
    """The two maps ready for the store's events, and what their codes stand for."""
    zone = after.settings.zone
    today = after.now.astimezone(zone).date()
    span = state.span()
    first, last = (moment.astimezone(zone).date() for moment in span) if span else (today, today)
    declared = {**declared_attributes(before), **declared_attributes(after), **state.attributes}
    codebook = Codebook(state.codebook.values, declared)
    maps, held = (before.atlas, after.atlas), (before.tenures, after.tenures)
    return compare(maps, held, codebook, (first, last), after.now, window_days), codebook


def cube_of(comparison: Comparison, codebook: Codebook, state: State) -> Cube:
    """One pass over every stored event, month by month."""
    pairs = Pairs((len(comparison.before.touchpoints), len(comparison.after.touchpoints)))
    columns = sorted(
        {
            name
            for side in comparison.sides.values()
            for name in pass_columns(side.atlas, side.matcher, codebook)
        }
    )
    parts: list[list[pl.DataFrame]] = []
    subjects: list[pl.DataFrame] = []
    for months in pass_partitions(state):
        matched = match_both(state.scan(columns, months), comparison).collect()
        pairs = pairs.seen(matched.select("touchpoint_before", "touchpoint_after").unique())
        matched = matched.with_columns(pairs.number().alias("touchpoint"))
        parts.append(pl.collect_all(_passes(matched.lazy(), comparison, codebook)))
        if any(side.atlas.cases for side in comparison.sides.values()):
            subjects.append(matched.filter(pl.col("subject_id") > 0))
    counted, sums, customers, behind, *unmatched = (pl.concat(part) for part in zip(*parts, strict=True))
    named_events = _with_metric_ids(behind, comparison.metrics)
    made = {name: _cases(subjects, side, codebook, comparison.now) for name, side in comparison.sides.items()}
    return Cube(
        pairs,
        counted,
        pl.concat([volume(counted.lazy()).collect(), sums]),
        customers,
        dict(zip(SIDES, unmatched, strict=True)),
        *({name: made[name][place] for name in SIDES} for place in range(3)),
        {name: pl.concat([named_events, made[name][3]]).unique() for name in SIDES},
        {name: made[name][4] for name in SIDES},
    )


def _with_metric_ids(behind: pl.DataFrame, metrics: Sequence[Metric]) -> pl.DataFrame:
    ids = [None, *(metric.id for metric in metrics)]
    told = behind.filter(pl.col("metric") > 0)
    return told.select("touchpoint", "feed", metric=named("metric", ids))


def _passes(matched: pl.LazyFrame, comparison: Comparison, codebook: Codebook) -> list[pl.LazyFrame]:
    unmatched = [unmatched_events(matched.with_columns(touchpoint=f"touchpoint_{name}")) for name in SIDES]
    return [
        count_both(matched),
        measure_events(matched, comparison.metrics, codebook),
        count_customers(matched, comparison),
        feeds_of_events(matched, comparison.metrics, codebook),
        *unmatched,
    ]


def _cases(
    subjects: Sequence[pl.DataFrame], side: Side, codebook: Codebook, now: datetime
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """One map's cases: sums, observations of quantiles, handoffs, feeds behind them, how many are open."""
    told = pl.concat(subjects).lazy() if subjects else None
    specs: Sequence[Cases] = side.atlas.cases if told is not None else ()
    if told is None or not specs:
        none = pl.DataFrame(schema={"touchpoint": pl.UInt16, "feed": pl.UInt16, **_NO_SLOTS}).lazy()
        plain = [metric for metric in side.atlas.metrics if metric.of == "events"]
        sums, values = pl.collect_all(
            [measure_cases(none, plain, codebook, now), case_values(none, plain, codebook, now)]
        )
        return sums, values, pl.DataFrame(), _with_metric_ids(pl.DataFrame(schema=BEHIND), ()), _open(None)
    plans = [with_slots(cases(told, spec, codebook), side.slots) for spec in specs]
    found, handed = pl.collect_all(
        [pl.concat(plans, how="diagonal"), pl.concat([handoffs(told, spec, codebook) for spec in specs])]
    )
    metrics = side.atlas.metrics
    sums, values, behind = pl.collect_all(
        [
            measure_cases(found.lazy(), metrics, codebook, now),
            case_values(found.lazy(), metrics, codebook, now),
            feeds_of_cases(found.lazy(), metrics, codebook),
        ]
    )
    return sums, values, handed, _with_metric_ids(behind, metrics), _open(found)


def _open(cases: pl.DataFrame | None) -> pl.DataFrame:
    """touchpoint, n: cases that are not closed."""
    if cases is None:
        return pl.DataFrame(schema={"touchpoint": pl.UInt16, "n": pl.Int64})
    still = cases.filter(pl.col("closed_at").is_null(), pl.col("touchpoint") > 0)
    return still.group_by("touchpoint").agg(n=pl.len().cast(pl.Int64))


_NO_SLOTS = {f"slot_{name}": pl.UInt32 for name in ("opened", "resolved", "closed")}


def _silent(state: State) -> frozenset[str]:
    """Rules that are not asked."""
    return NEEDS_RELEASE if state.rows else NEEDS_RELEASE | NEEDS_EVENTS


def _audited(
    workspace: LoadedWorkspace, name: str, comparison: Comparison, cube: Cube, state: State
) -> pl.DataFrame:
    """The gap audit of one map, as a run with it would make it."""
    silent = _silent(state)
    rules: Sequence[AuditRule] = [rule for rule in RULES if rule.name not in silent]
    return open_findings(audit(_evidence(workspace, name, comparison, cube, state), rules))


def _evidence(
    workspace: LoadedWorkspace, name: str, comparison: Comparison, cube: Cube, state: State
) -> Evidence:
    side = comparison.sides[name]
    own = cube.customers.lazy().with_columns(cube.pairs.touchpoint(name), tenure=f"tenure_{name}")
    empty = pl.Series([False, *(tenure.person is None for tenure in side.tenures)])
    vacant = own.filter(pl.col("touchpoint") > 0, pl.lit(empty).gather(pl.col("tenure")))
    hits = cube.counted.lazy().group_by(rule=f"rule_{name}").agg(pl.col("n").sum())
    disowned, hit, seen = pl.collect_all(
        [
            vacant.select("customer", "n", touchpoint_id=pl.col("tenure").cast(pl.String)),
            hits,
            observed_pairs(cube, comparison, name),
        ]
    )
    rules = [None, *(rule.id for rule in side.matcher.decision.rules)]
    metrics = side.scoring.metric_ids
    standing, lived = Standing(side.atlas, side.tenures, comparison.now), _lived(name, comparison, cube)
    return Evidence(
        atlas=side.atlas,
        tenures=side.tenures,
        now=comparison.now,
        limits=workspace.settings.limits,
        observed=frozenset(
            (side.touchpoints[touchpoint], metrics[metric]) for touchpoint, metric in seen.iter_rows()
        ),
        recent=lived.stakes,
        lived=lived,
        disowned=Lived.told(disowned),
        unmatched=events_unmatched(Unmatched.of([cube.unmatched[name]]), comparison.codebook),
        shadowed_by=side.matcher.decision.shadowed_by,
        hits={rules[number] or "": count for number, count in hit.iter_rows() if number},
        handoffs=_recent_handoffs(cube, comparison, name),
        trust=data_trust(workspace.feeds, state.deliveries, comparison.now),
        # How many goals they miss is in no finding.
        load=person_load(standing, lived, {}, workspace.settings.limits),
        shared_tokens=_shared_tokens(state),
        **_promises(name, comparison),
    )


def _promises(name: str, comparison: Comparison) -> dict[str, Any]:
    """What the new map changes of what the old one promised; the old one changes nothing."""
    if name != SIDES[-1]:
        return {}
    recorded = [
        Recorded(MapRecord(number, side.atlas.version, comparison.now), MapContent.of(side.atlas))
        for number, side in enumerate(comparison.sides.values(), start=1)
    ]
    return {
        "goal_history": goal_history(recorded, comparison.after.atlas.zone, comparison.renamed),
        "formula_changes": unversioned(*(one.content for one in recorded)),
    }


def _waterfall(
    workspace: LoadedWorkspace,
    name: str,
    comparison: Comparison,
    cube: Cube,
    state: State,
    judged: pl.DataFrame,
) -> pl.DataFrame:
    """One map's waterfall, once everything that the change says is in force."""
    side = comparison.sides[name]
    touchpoint, recent = named("touchpoint", side.touchpoints), _lived(name, comparison, cube)
    whole = judged.filter(pl.col("owner").is_null()).select("touchpoint", "metric", "verdict", "n")
    verdicts = {(t, m): str(verdict) for t, m, verdict, _ in whole.iter_rows()}
    told = (
        cube.behind[name]
        .with_columns(cube.pairs.touchpoint(name))
        .filter(pl.col("touchpoint") > 0, pl.col("feed") > 0)
    )
    feeds: dict[tuple[str, str], list[str]] = {}
    for place, metric, feed in told.select(
        touchpoint, "metric", comparison.codebook.decoded("feed")
    ).iter_rows():
        feeds.setdefault((place, metric), []).append(feed)
    trust = metric_standing(
        [(one.id, metric) for one in side.atlas.touchpoints for metric in one.metrics],
        feeds,
        {(t, m): n for t, m, _, n in whole.iter_rows()},
        data_trust(workspace.feeds, state.deliveries, comparison.now),
        workspace.settings.limits.answers,
        {(side.atlas.current(t), m): said for (t, m), said in published_doubts(workspace).items()},
    )
    climb = Climb(
        standing=Standing(side.atlas, side.tenures, settled_at(comparison.differing, comparison.now)),
        lived=recent,
        trusted=frozenset(trust.filter("is_trusted").select("touchpoint_id", "metric").iter_rows()),
        why_not={},
        verdicts=verdicts,
    )
    return gap_waterfall(accountability_ladder(climb), recent, ())


def _lived(name: str, comparison: Comparison, cube: Cube) -> Lived:
    """Who lived through the last 28 days, by one map's touchpoints."""
    told = cube.customers.lazy().filter("is_recent").with_columns(cube.pairs.touchpoint(name))
    touchpoint = named("touchpoint", comparison.sides[name].touchpoints)
    return Lived.told(told.select("customer", "n", touchpoint_id=touchpoint).collect())


def _rungs(before: pl.DataFrame, after: pl.DataFrame) -> list[Rung]:
    both = before.join(after, on="step", suffix="_after", maintain_order="left")
    columns = ("step", "event_count", "event_count_after", "percent", "percent_after")
    return [
        Rung(step=str(step), events_before=old, events_after=new, percent_before=was, percent_after=becomes)
        for step, old, new, was, becomes in both.select(columns).iter_rows()
    ]


def _recent_handoffs(cube: Cube, comparison: Comparison, name: str) -> pl.DataFrame:
    if cube.handoffs[name].is_empty():
        return FactHandoff.empty()
    handed = cube.handoffs[name].lazy().with_columns(cube.pairs.touchpoint(name))
    since = comparison.window.today - timedelta(days=HANDOFF_DAYS)
    scoring = comparison.sides[name].scoring
    made = fact_handoff(passed_on(handed, scoring), scoring.atlas, comparison.codebook)
    return made.filter(pl.col("week_start") > since).collect()


def _shared_tokens(state: State) -> int:
    return state.resolution.tokens.filter("is_shared").height if state.identity else 0


def _gaps(
    before: pl.DataFrame, after: pl.DataFrame, known: Known | None, renamed: Mapping[str, str]
) -> list[Gap]:
    """Findings of both maps: new, known, closed; worst first, and of those the most customers first."""
    had = {_under_new_name(_key(row), renamed): row for row in before.iter_rows(named=True)}
    has = {_key(row): row for row in after.iter_rows(named=True)}
    accepted = set(had) if known is None else {_under_new_name(key, renamed) for key in known}
    made = [_gap(row, "known" if key in accepted else "new") for key, row in has.items()]
    made += [_gap(row, "closed") for key, row in had.items() if key not in has]
    return sorted(
        made, key=lambda gap: (SEVERITIES.index(gap.severity), -gap.customers, -gap.events, gap.key)
    )


def _under_new_name(key: tuple[str, str, str], renamed: Mapping[str, str]) -> tuple[str, str, str]:
    """A gap's key once its touchpoint is renamed; what is about a metric of one is called `touchpoint.metric`."""
    rule, object_type, object_id = key
    touchpoint, dot, metric = object_id.partition(".")
    if object_type != "touchpoint" or touchpoint not in renamed:
        return key
    return rule, object_type, f"{renamed[touchpoint]}{dot}{metric}"


def _key(row: Mapping[str, object]) -> tuple[str, str, str]:
    return str(row["rule"]), str(row["object_type"]), str(row["object_id"])


def _gap(row: Mapping[str, object], status: GapStatus) -> Gap:
    rule, object_type, object_id = _key(row)
    declared = row["declared_at"]
    return Gap(
        status=status,
        rule=rule,
        object_type=object_type,
        object_id=object_id,
        severity=cast("Severity", row["severity"]),
        sentence=str(row["sentence"]),
        remedy=str(row["remedy"]),
        declared_at=None if declared is None else str(declared),
        events=cast("int", row["event_count"]),
        customers=cast("int", row["customer_count"]),
    )


def _one(frame: pl.DataFrame) -> tuple[int, int]:
    """events, customers of a frame of one row or none."""
    return (frame["events"][0], frame["customers"][0]) if frame.height else (0, 0)
