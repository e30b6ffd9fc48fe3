"""Gaps of promises: goals that are not written well, or were made easier, and metrics that changed unsaid."""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from transforms.audit.declare import Finding, about, rule
from transforms.audit.evidence import Evidence
from transforms.goal_lint import SAID, linted
from transforms.priorities import SAID as SAID_OF_PRIORITIES

_ELSEWHERE = {"never_measured", "beyond_the_best_without_lever"}
"""Letters that other rules tell of: `metric_never_observed`, `goal_beyond_reach`."""


@rule(
    "info",
    "{name}'s goal for {metric!r} misses {missing}.",
    "Add it: a goal is specific, measurable, achievable, relevant and has its time.",
    "goals",
)
def goal_incomplete(evidence: Evidence) -> Iterator[Finding]:
    """A goal in force that misses a letter of SMART (Doran 1981): a baseline, a beginning; or whoever agreed.

    Metric, level, due date and why are in every goal, or the map is refused.
    """
    for one in linted(evidence):
        missing = [
            f"{lint.letter} ({SAID[lint.reason]})" for lint in one.missing if lint.reason not in _ELSEWHERE
        ]
        if one.goal.approved_by is None:
            missing.append("who agreed ('approved_by')")
        if missing:
            said = " and ".join([", ".join(missing[:-1]), missing[-1]] if missing[1:] else missing)
            yield about(evidence, one.touchpoint, one.goal.metric, metric=one.goal.metric, missing=said)


@rule(
    "info",
    "{name}'s goal for {metric!r} is {level:g}; the best whole month so far was {best:.4g}.",
    "Name what will make the difference ('lever'), or set a level within reach.",
    "goals",
)
def goal_beyond_reach(evidence: Evidence) -> Iterator[Finding]:
    """A goal in force that no whole month ever reached, and that names no lever."""
    for one in linted(evidence):
        if any(lint.reason == "beyond_the_best_without_lever" for lint in one.missing):
            metric = one.goal.metric
            best = evidence.best[one.touchpoint.id, metric]
            yield about(evidence, one.touchpoint, metric, metric=metric, level=one.goal.level, best=best)


@rule(
    "info",
    "{name}'s goal for {metric!r} was made easier on {day} while it ran: {what}; agreed by {who}.",
    "Say so in the review, or put it back; the ledger keeps what it was.",
    "goals",
)
def goal_moved(evidence: Evidence) -> Iterator[Finding]:
    """A goal in force whose level was eased or whose due date was postponed while it ran."""
    moved = evidence.goal_history.filter("is_moved", pl.col("change") != "withdrawn").sort("record_number")
    last = {
        (row["touchpoint_id"], row["metric"], row["in_force_from_date"]): row
        for row in moved.iter_rows(named=True)
    }
    for touchpoint in evidence.living:
        for goal in evidence.standing.goals(touchpoint):
            row = last.get((touchpoint.id, goal.metric, goal.first_day))
            if row is None:
                continue
            parts = {
                "is_level_eased": f"{row['level_before']:g} became {row['level']:g}",
                "is_due_postponed": f"due {row['due_date_before']} became {row['due_date']}",
            }
            found = about(
                evidence,
                touchpoint,
                goal.metric,
                metric=goal.metric,
                day=f"{row['recorded_at'].astimezone(evidence.atlas.zone):%Y-%m-%d}",
                what=", ".join(said for flag, said in parts.items() if row[flag]),
                who=row["approved_by"] or "nobody",
            )
            yield replace(found, since=row["recorded_at"])


@rule(
    "warning",
    "Metric {metric!r} is made in another way ({parts}) under the same version, {version}.",
    "Raise 'version' by one: values before and after cannot be compared with what was published.",
    "metrics",
)
def metric_changed_without_version(evidence: Evidence) -> Iterator[Finding]:
    """A metric whose formula changed without its version."""
    for change in evidence.formula_changes:
        yield Finding(
            object_type="metric",
            object_id=change.metric,
            said={"metric": change.metric, "parts": ", ".join(change.parts), "version": change.version},
            declared_at=evidence.atlas.where("metrics", change.metric),
        )


@rule(
    "info",
    "{name}'s {metric!r} has trust {grade} over the last 28 days ({weakest} is the weakest), below its minimum, {least}.",
    "Do not rely on it: mend what is weakest, or lower its 'minimum_trust'.",
    "metrics",
)
def metric_below_its_trust(evidence: Evidence) -> Iterator[Finding]:
    """A metric whose grade of trust is weaker than the minimum that it declares."""
    least = {one.id: one.minimum_trust for one in evidence.atlas.metrics}
    for touchpoint in evidence.living:
        for metric in touchpoint.metrics:
            grade, weakest = evidence.grades.get((touchpoint.id, metric), ("A", None))
            if grade > least[metric]:
                yield about(
                    evidence,
                    touchpoint,
                    metric,
                    metric=metric,
                    grade=grade,
                    weakest=weakest,
                    least=least[metric],
                )


@rule(
    "warning",
    SAID_OF_PRIORITIES["driver_without_goal"],
    "Set a goal for it, or take it out of the analysis with a reason in the map.",
    "goals",
)
def driver_without_goal(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint that moves what customers think of the whole, and that has no goal in force."""
    yield from _mismatched(evidence, "driver_without_goal")


@rule(
    "info",
    SAID_OF_PRIORITIES["goal_on_no_driver"],
    "Ask in the next review whether the goal is worth its work, and set it where customers are moved.",
    "goals",
)
def goal_on_no_driver(evidence: Evidence) -> Iterator[Finding]:
    """A goal in force at a touchpoint that moves what customers think of the whole no more than chance does."""
    yield from _mismatched(evidence, "goal_on_no_driver")


def _mismatched(evidence: Evidence, which: str) -> Iterator[Finding]:
    """One finding for a touchpoint and a score, though several analyses explain that score."""
    living = {one.id: one for one in evidence.living}
    analyses = {one.id: one for one in evidence.atlas.drivers}
    told = set[tuple[str, str]]()
    for row in evidence.mismatches.filter(pl.col("mismatch") == which).iter_rows(named=True):
        touchpoint, analysis = living.get(row["touchpoint_id"]), analyses[row["analysis"]]
        if touchpoint and (touchpoint.id, analysis.outcome) not in told:
            told.add((touchpoint.id, analysis.outcome))
            yield about(evidence, touchpoint, analysis.id, rank=row["rank"], whole=analysis.name)
