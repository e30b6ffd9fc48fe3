"""The letters of SMART that goals in force miss, from what the map says and what was measured."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from contracts.accountability import Goal, Touchpoint
from contracts.tables import GoalLint
from contracts.tenures import EARLIEST, LATEST, instant
from transforms.audit.evidence import Evidence
from transforms.methods.pace import GoalFacts, Lint, lint_goal

SAID: Mapping[str, str] = {
    "no_metric": "a metric",
    "no_level": "a level",
    "never_measured": "any observation of its metric",
    "no_baseline": "its baseline",
    "passed_from_the_start": "a level beyond its baseline",
    "beyond_the_best_without_lever": "a lever: no whole month ever reached the level",
    "no_why": "why",
    "no_start": "since when it counts ('from')",
    "no_due": "when it is due",
    "due_before_start": "time between 'from' and 'due'",
}
"""What a goal lacks, by the lint's reason."""
LETTERS: Mapping[str, str] = {
    "S": "specific",
    "M": "measurable",
    "A": "achievable",
    "R": "relevant",
    "T": "time-bound",
}


@dataclass(frozen=True)
class LintedGoal:
    """A goal in force and the letters that it misses."""

    touchpoint: Touchpoint
    goal: Goal
    missing: Sequence[Lint]


def linted(evidence: Evidence) -> Iterator[LintedGoal]:
    """Every goal in force, in the map's order."""
    for touchpoint in evidence.living:
        for goal in evidence.standing.goals(touchpoint):
            yield LintedGoal(touchpoint, goal, lint_goal(_facts(touchpoint, goal, evidence)))


def goal_lint(evidence: Evidence) -> pl.DataFrame:
    """GoalLint."""
    rows = [
        {
            "touchpoint_id": one.touchpoint.id,
            "metric": one.goal.metric,
            "in_force_from_date": one.goal.first_day,
            "letter": lint.letter,
            "reason": lint.reason,
            "sentence": f"Not {LETTERS[lint.letter]}: it lacks {SAID[lint.reason]}.",
        }
        for one in linted(evidence)
        for lint in one.missing
    ]
    return pl.DataFrame(rows, schema=GoalLint.published_schema()).sort(GoalLint.primary_key())


def _facts(touchpoint: Touchpoint, goal: Goal, evidence: Evidence) -> GoalFacts:
    pair, zone = (touchpoint.id, goal.metric), evidence.atlas.zone
    begins = goal.in_force_from
    return GoalFacts(
        metric=goal.metric,
        is_measured=pair in evidence.observed,
        level=goal.level,
        direction=goal.direction,
        why=goal.why,
        start=instant(begins, zone, EARLIEST) if begins else None,
        due=instant(goal.due, zone, LATEST),
        baseline=goal.baseline,
        best=evidence.best.get(pair),
        lever=goal.lever,
    )
