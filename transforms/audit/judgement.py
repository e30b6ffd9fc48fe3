"""Gaps of judgement: what nothing measures, aims for, looks at, or could be told from."""

from collections.abc import Iterator
from dataclasses import replace

from contracts.tenures import EARLIEST, instant
from transforms.audit.declare import Finding, about, rule
from transforms.audit.evidence import Evidence


@rule("warning", "{name} is not measured.", "Add a metric under 'metrics'.", "accountable")
def touchpoint_without_metric(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint that nothing judges."""
    return (about(evidence, touchpoint) for touchpoint in evidence.living if not touchpoint.metrics)


@rule(
    "warning",
    "{name} is judged by {metric!r}, but no event ever gave one.",
    "Check the metric's 'where' and the rules, or drop the metric.",
    "metrics",
)
def metric_never_observed(evidence: Evidence) -> Iterator[Finding]:
    """A metric that a touchpoint is judged by but that no event ever gave."""
    for touchpoint in evidence.living:
        for metric in touchpoint.metrics:
            if (touchpoint.id, metric) not in evidence.observed:
                yield about(evidence, touchpoint, metric, metric=metric)


@rule(
    "warning",
    "Metric {metric!r} tells nothing: what it counts ({events:,} so far) and what that is counted against match "
    "different touchpoints.",
    "Name the touchpoint at which both are counted: 'touchpoint' in the metric.",
    "metrics",
)
def rate_apart(evidence: Evidence) -> Iterator[Finding]:
    """A rate whose events match other touchpoints than what they are counted against: its value is 0 or missing."""
    for metric, events in sorted(evidence.rates_apart.items()):
        yield Finding(
            object_type="metric",
            object_id=metric,
            said={"metric": metric, "events": events},
            declared_at=evidence.atlas.where("metrics", metric),
        )


@rule(
    "warning",
    "{name} cannot be judged: no metric had the {enough} observations that it takes in 28 days ({counts}).",
    "Ask more customers, judge it by something that happens more often, or lower 'limits.answers'.",
    "accountable",
)
def too_few_answers(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint none of whose metrics had enough observations, though they were observed before."""
    counts = {
        (t, m): n for t, m, n in evidence.metric_standing.select("touchpoint_id", "metric", "n").iter_rows()
    }
    enough = evidence.limits.answers
    for touchpoint in evidence.living:
        told = {m: counts.get((touchpoint.id, m), 0) for m in touchpoint.metrics}
        seen = [metric for metric in told if (touchpoint.id, metric) in evidence.observed]
        if seen and all((touchpoint.id, m) in counts for m in seen) and max(told.values()) < enough:
            said = ", ".join(f"{metric} {n}" for metric, n in told.items())
            yield about(evidence, touchpoint, enough=enough, counts=said)


@rule("warning", "{name} is measured, but has no goal in force.", "Add one under 'goals'.", "goals")
def touchpoint_without_goal(evidence: Evidence) -> Iterator[Finding]:
    """A measured touchpoint without a goal in force."""
    for touchpoint in evidence.living:
        if touchpoint.metrics and not evidence.standing.goals(touchpoint):
            zone = evidence.atlas.zone
            ends = [instant(g.in_force_until, zone, EARLIEST) for g in touchpoint.goals if g.in_force_until]
            past = [end for end in ends if end <= evidence.now]
            yield replace(about(evidence, touchpoint), since=max(past, default=None))


@rule(
    "warning",
    "{name}'s goal for {metric!r} was due on {due}.",
    "Set the next goal, or end this one with 'until'.",
    "goals",
)
def goal_past_due(evidence: Evidence) -> Iterator[Finding]:
    """A goal in force whose due date has passed."""
    for touchpoint in evidence.living:
        for goal in evidence.standing.goals(touchpoint):
            if goal.due.date() < evidence.today:
                found = about(
                    evidence, touchpoint, goal.metric, metric=goal.metric, due=f"{goal.due:%Y-%m-%d}"
                )
                yield replace(found, since=instant(goal.due, evidence.atlas.zone, EARLIEST))


@rule(
    "warning",
    "No review looks at {name}.",
    "Add it to a review's 'touchpoints' or 'stages'; the review's chair has to be held.",
    "owners",
)
def touchpoint_without_review(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint that no review with a chair covers."""
    return (about(evidence, one) for one in evidence.living if not evidence.standing.reviews(one))


@rule(
    "info",
    "Nobody who works with customers has confirmed that {name} happens as the map says.",
    "Let somebody of the front line confirm it: 'validated_by', 'validated_at', 'validated_role: frontline'.",
    "accountable",
)
def never_validated_by_frontline(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint that nobody of the front line ever confirmed."""
    return (about(evidence, one) for one in evidence.living if one.validated_role != "frontline")


@rule(
    "info",
    "{name} was last confirmed on {last}, more than {limit} days ago.",
    "Let the front line confirm it again.",
    "accountable",
)
def validation_too_old(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint whose confirmation by the front line is older than the limit."""
    limit = evidence.limits.validation_days
    for touchpoint in evidence.living:
        last = touchpoint.validated_at
        if last is None or touchpoint.validated_role != "frontline":
            continue
        if (evidence.today - last.date()).days > limit:
            found = about(evidence, touchpoint, last=f"{last:%Y-%m-%d}", limit=limit)
            yield replace(found, since=instant(last, evidence.atlas.zone, EARLIEST))


@rule(
    "info", "Stage {stage} has no touchpoint.", "Add what customers live through there, or drop it.", "owners"
)
def stage_without_touchpoint(evidence: Evidence) -> Iterator[Finding]:
    """A stage that the map declares and no touchpoint is in."""
    used = {touchpoint.stage for touchpoint in evidence.living}
    for stage in evidence.atlas.stages:
        if stage.id not in used and ("stages", stage.id) in evidence.atlas.origin:
            yield Finding(
                object_type="stage",
                object_id=stage.id,
                said={"stage": stage.name},
                declared_at=evidence.atlas.where("stages", stage.id),
            )
