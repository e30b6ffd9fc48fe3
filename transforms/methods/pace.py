"""Goals: whether they are written well, where they should be by now, and the chance that they are met."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import polars as pl

from transforms.methods.distributions import in_order, student_quantile, student_tail

LEAST_POINTS = 6
"""Fewer points are refused: a line through five says nothing about where it leads."""


Letter = Literal["S", "M", "A", "R", "T"]


@dataclass(frozen=True)
class GoalFacts:
    """What is known about one goal.

    Attributes:
        metric: What is measured; None when the goal names none.
        is_measured: Whether anything was ever observed for it.
        level: To reach.
        direction: Whether more or less is better.
        why: What for.
        start: When it was set; None when not said.
        due: When it is to be met; None when not said.
        baseline: Value when it was set.
        best: The best value that the process ever reached over a whole period.
        lever: What is to be changed to get beyond the best.
    """

    metric: str | None = None
    is_measured: bool = False
    level: float | None = None
    direction: Literal["higher", "lower"] = "higher"
    why: str | None = None
    start: datetime | None = None
    due: datetime | None = None
    baseline: float | None = None
    best: float | None = None
    lever: str | None = None


@dataclass(frozen=True)
class Lint:
    """One letter of SMART that a goal misses.

    Attributes:
        letter: S, M, A, R or T.
        reason: Name of what is wrong.
    """

    letter: Letter
    reason: str


def lint_goal(goal: GoalFacts) -> Sequence[Lint]:
    """The letters of SMART that a goal misses, in their order.

    Specific: a metric and a level. Measurable: something was observed. Achievable: there is a baseline, the
    level is not passed already, and it is within the best ever reached or a lever is named. Relevant: a why.
    Time-bound: set and due, in this order. Source: Doran 1981.
    """
    better = 1 if goal.direction == "higher" else -1
    level, baseline, best = goal.level, goal.baseline, goal.best
    passed = level is not None and baseline is not None and better * (baseline - level) >= 0
    beyond = level is not None and best is not None and better * (level - best) > 0
    found: dict[tuple[Letter, str], bool] = {
        ("S", "no_metric"): goal.metric is None,
        ("S", "no_level"): level is None,
        ("M", "never_measured"): not goal.is_measured,
        ("A", "no_baseline"): baseline is None,
        ("A", "passed_from_the_start"): passed,
        ("A", "beyond_the_best_without_lever"): beyond and not goal.lever,
        ("R", "no_why"): not (goal.why or "").strip(),
        ("T", "no_start"): goal.start is None,
        ("T", "no_due"): goal.due is None,
        ("T", "due_before_start"): bool(goal.start and goal.due and goal.due <= goal.start),
    }
    return [Lint(letter, reason) for (letter, reason), is_wrong in found.items() if is_wrong]


def expected_by(at: pl.Expr, start: pl.Expr, due: pl.Expr, baseline: pl.Expr, level: pl.Expr) -> pl.Expr:
    """Where a straight path from baseline to goal is at an instant; the ends before and after.

    Unit: the metric's. Convention: linear in time.
    """
    passed = ((at - start) / (due - start)).clip(0, 1)
    return baseline + passed * (level - baseline)


def attainment(value: pl.Expr, baseline: pl.Expr, level: pl.Expr) -> pl.Expr:
    """How much of the way is done: (value - baseline) / (level - baseline), in either direction.

    Unit: share; below 0 when things got worse, above 1 beyond the goal. Source: Doran 1981.
    """
    return pl.when(level != baseline).then((value - baseline) / (level - baseline))


def standing(value: pl.Expr, ends: tuple[pl.Expr, pl.Expr], level: pl.Expr, is_higher: pl.Expr) -> pl.Expr:
    """confirmed: the interval's near edge clears the goal. provisional: the value alone does. Else missed."""
    low, high = ends
    near = pl.when(is_higher).then(low >= level).otherwise(high <= level)
    reached = pl.when(is_higher).then(value >= level).otherwise(value <= level)
    named = pl.when(near).then(pl.lit("confirmed")).when(reached).then(pl.lit("provisional"))
    return pl.when(value.is_not_null()).then(named.otherwise(pl.lit("missed")))


def project(
    points: pl.LazyFrame, goals: pl.LazyFrame, keys: Sequence[str], confidence: float = 0.95
) -> pl.LazyFrame:
    """Where a least-squares line leads on the due date, and the chance that the goal is met there.

    prediction = a + b due, error = s root (1 + 1/n + (due - mean t)^2 / sum (t - mean t)^2), s with n - 2 degrees
    of freedom; the chance to meet is Student's t at (prediction - level) / error. Units: the metric's; share.
    Source: Montgomery, Peck and Vining, Introduction to Linear Regression Analysis, 2.5.
    Convention: refused with fewer than 6 points; `is_on_track` when the interval reaches the goal. The
    points of a series that is no straight line make the chance too sure.

    Args:
        points: keys, `time` (any number, such as days) and `value`.
        goals: keys, `due` (the same unit), `level`, `direction`.
        keys: Columns that name a series.
        confidence: Of the prediction interval.

    Returns:
        keys, n, slope, prediction, prediction_low, prediction_high, chance_to_meet, is_on_track, refused
        (`too_few_points`, or null); numbers are null where refused.
    """
    # In the order of time, so that sums of floats are the same every time. A plain sum forgets its sort.
    time, value = (pl.col(name).cast(pl.Float64).sort_by("time", "value") for name in ("time", "value"))
    middle, mean = time.mean(), in_order(value) / value.len()
    apart, off = time - middle, value - mean
    known = points.filter(pl.col("value").is_not_null())
    slope = in_order(apart * off) / in_order(apart**2)
    sums = known.group_by(keys).agg(
        n=pl.len().cast(pl.Int64),
        slope=slope,
        __time=middle,
        __value=mean,
        __squares=in_order(apart**2),
        __rest=in_order((off - slope * apart) ** 2),
    )
    n, degrees = pl.col("n"), pl.col("n") - 2
    ahead = pl.col("due") - pl.col("__time")
    error = (pl.col("__rest") / degrees * (1 + 1 / n + ahead**2 / pl.col("__squares"))).sqrt()
    fitted = (
        goals.join(sums, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
        .with_columns(pl.col("n").fill_null(0))
        .with_columns(__enough=n >= LEAST_POINTS, prediction=pl.col("__value") + pl.col("slope") * ahead)
        .with_columns(__error=pl.when("__enough").then(error))
    )
    return _with_chance(fitted, keys, confidence)


def _with_chance(fitted: pl.LazyFrame, keys: Sequence[str], confidence: float) -> pl.LazyFrame:
    better = pl.when(pl.col("direction") == "higher").then(1).otherwise(-1)
    degrees, error = pl.col("n") - 2, pl.col("__error")
    margin = better * (pl.col("prediction") - pl.col("level"))
    # A line without scatter is certain: infinitely many errors on its side of the goal.
    errors = pl.when(error > 0).then(margin / error).otherwise(pl.when(margin >= 0).then(1e9).otherwise(-1e9))
    half = student_quantile(degrees, (1 + confidence) / 2) * error
    numbers = {
        "slope": pl.col("slope"),
        "prediction": pl.col("prediction"),
        "prediction_low": pl.col("prediction") - half,
        "prediction_high": pl.col("prediction") + half,
        "chance_to_meet": 1 - student_tail(errors, degrees),
        "is_on_track": margin + half >= 0,
    }
    refused = pl.when(~pl.col("__enough")).then(pl.lit("too_few_points"))
    shown = [pl.when("__enough").then(number).alias(name) for name, number in numbers.items()]
    return fitted.select(*keys, "n", *shown, refused.alias("refused"))


def drift(points: pl.LazyFrame, keys: Sequence[str], last: int = 3) -> pl.LazyFrame:
    """The step of a series a point, over its last few points: (last value - first of them) / (points - 1).

    Unit: the metric's a point. Convention: 3 points; null with fewer. A quick look that gives no chance.

    Returns:
        keys, value (the last), drift.
    """
    values = pl.col("value").drop_nulls()
    step = (values.last() - values.tail(last).first()) / (last - 1)
    return points.group_by(keys, maintain_order=True).agg(
        value=values.last(), drift=pl.when(values.len() >= last).then(step)
    )
