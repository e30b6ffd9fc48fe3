"""Where a goal should stand on every day of its way."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

import polars as pl

from contracts.accountability import AccountabilityMap, Goal
from transforms.methods.pace import expected_by

GOAL = ["touchpoint_id", "metric", "in_force_from_date"]
"""Key of a goal."""
ROW = ["goal_number", "period_end"]
"""Key of a goal's week, by the goal's place in DimGoal: numbers join faster than names."""
_FIRST, _LAST = date(1900, 1, 1), date(2500, 1, 1)
_Leg = tuple[date, date, float | None, float | None]
"""First day, first day after, and the levels at both."""
_SCHEMA = {
    "touchpoint_id": pl.String,
    "metric": pl.String,
    "in_force_from_date": pl.Date,
    "leg_start": pl.Date,
    "leg_end": pl.Date,
    "leg_low": pl.Float64,
    "leg_high": pl.Float64,
}


def path_legs(atlas: AccountabilityMap) -> pl.DataFrame:
    """Every goal's path as straight legs: `GOAL`, leg_start, leg_end (half-open), their two levels.

    linear: from the baseline to the level when due. step: the baseline until it is due. waypoints: straight from
    one to the next, from the baseline if there is one; without it nothing is expected before the first. Without a
    path the level counts from the first day on.
    """
    rows = [
        (touchpoint.id, goal.metric, goal.first_day, *leg)
        for touchpoint in atlas.touchpoints
        for goal in touchpoint.goals
        for leg in _legs(goal)
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def with_expected(rows: pl.LazyFrame, legs: pl.DataFrame, on: pl.Expr, name: str) -> pl.LazyFrame:
    """Rows of goals with what their path expects on a day; the rows' order is not kept.

    Args:
        rows: Frame with `GOAL`.
        legs: What `path_legs` returned.
        on: The day.
        name: Of the new column; null where nothing is expected yet.
    """
    start, end = (pl.col(edge).cast(pl.Int32).cast(pl.Float64) for edge in ("leg_start", "leg_end"))
    at = pl.col("__on").cast(pl.Int32).cast(pl.Float64)
    expected = expected_by(at, start, end, pl.col("leg_low"), pl.col("leg_high"))
    return (
        rows.with_columns(__on=on)
        .join(legs.lazy(), on=GOAL)
        .filter(pl.col("leg_start") <= pl.col("__on"), pl.col("__on") < pl.col("leg_end"))
        .with_columns(expected.alias(name))
        .drop("__on", "leg_start", "leg_end", "leg_low", "leg_high")
    )


def _legs(goal: Goal) -> Iterator[_Leg]:
    due, baseline = goal.due.date(), goal.baseline
    if goal.path == "step":
        yield _FIRST, due, baseline, baseline
    elif goal.path is not None:
        yield from _on_the_way(goal)
    else:
        yield _FIRST, due, goal.level, goal.level
    yield due, _LAST, goal.level, goal.level


def _on_the_way(goal: Goal) -> Iterator[_Leg]:
    """Straight legs from corner to corner, until the goal is due."""
    due = goal.due.date()
    ways = [(point.by.date(), point.level) for point in goal.path] if isinstance(goal.path, tuple) else []
    corners = [(day, level) for day, level in ways if day < due] + [(due, goal.level)]
    if goal.baseline is not None and goal.baseline_at is not None:
        corners.insert(0, (goal.baseline_at.date(), goal.baseline))
        yield _FIRST, corners[0][0], goal.baseline, goal.baseline
    else:
        yield _FIRST, corners[0][0], None, None
    for (start, low), (end, high) in pairwise(corners):
        yield start, end, low, high
