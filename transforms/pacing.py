"""Where every goal stands on its way, week by week."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from contracts.accountability import AccountabilityMap
from contracts.tables import FactGoalPacing
from transforms.behaviour import SHARES
from transforms.goal_paths import GOAL, ROW, path_legs, with_expected
from transforms.methods.pace import attainment, project
from transforms.pacing_budget import budgets
from transforms.pacing_counter import counters
from transforms.periods import ROLLING_DAYS
from transforms.verdict import below_goal, frozen, verdict

POINTS = 26
"""A projection rests on at most so many weeks: older ones say little about where a line leads."""
SERIES = ["touchpoint_id", "metric"]
_WINDOW = (
    "n", "excluded_count", "numerator", "denominator", "value", "value_low", "value_high", "interval_method",
)  # fmt: skip
"""What is told of the 28 days."""


@dataclass(frozen=True)
class Pacing:
    """What pacing rests on.

    Attributes:
        card: ScorecardTouchpoint.
        daily: MeasureDaily.
        goals: DimGoal.
        atlas: The map.
    """

    card: pl.DataFrame
    daily: pl.DataFrame
    goals: pl.DataFrame
    atlas: AccountabilityMap

    @cached_property
    def legs(self) -> pl.DataFrame:
        """The goals' paths."""
        return path_legs(self.atlas)


def goal_weeks(pacing: Pacing) -> pl.LazyFrame:
    """Every goal's every week, held against its path: what the other columns are worked out from.

    Returns:
        goal_number, `GOAL`, what DimGoal says of the goal, is_share, period_start, period_end, expected,
        expected_in_window, the 28 days' value, path_verdict, is_on_path, attainment_share.
    """
    middle = pl.col("period_end").dt.offset_by(f"-{ROLLING_DAYS // 2}d")
    last_day = pl.col("period_end").dt.offset_by("-1d")
    paced = with_expected(_weeks(pacing), pacing.legs, last_day, "expected")
    paced = with_expected(paced, pacing.legs, middle, "expected_in_window")
    return _judged(_with_window(paced, pacing.card.lazy()))


def aspects(weeks: pl.DataFrame, pacing: Pacing) -> list[pl.LazyFrame]:
    """What else is told of every goal's every week, each by `ROW`: projections, budgets, counter-metrics.

    Args:
        weeks: What `goal_weeks` returned, collected.
        pacing: What it rests on.
    """
    return [
        projections(weeks.lazy(), pacing.card.lazy()),
        budgets(weeks.lazy(), pacing.daily.lazy(), pacing.legs),
        counters(weeks.lazy(), pacing.card.lazy(), pacing.atlas),
    ]


def fact_goal_pacing(weeks: pl.DataFrame, told: Sequence[pl.DataFrame], moved: pl.DataFrame) -> pl.LazyFrame:
    """FactGoalPacing, unsorted.

    Args:
        weeks: What `goal_weeks` returned, collected.
        told: What `aspects` returned, collected.
        moved: `GOAL`, moved_date: goals that were made easier while they ran.
    """
    rows = weeks.lazy()
    for one in told:
        rows = rows.join(one.lazy(), on=ROW, how="left")
    marked = rows.join(moved.lazy(), on=GOAL, how="left")
    return marked.with_columns(is_moved=pl.col("moved_date").is_not_null()).select(
        pl.col(name).cast(kind) for name, kind in FactGoalPacing.published_schema().items()
    )


def _weeks(pacing: Pacing) -> pl.LazyFrame:
    """Every goal and every whole week at whose end it was in force, from the first one with an event on."""
    ends_a_week = pl.col("period").is_in(["week", "rolling_28d"]) & (pl.col("period_end").dt.weekday() == 1)
    start, end = pl.col("period_start"), pl.col("period_end")
    first, last = start.filter(pl.col("period") == "week").min(), end.max().dt.offset_by("-1w")
    weeks = (
        pacing.card.lazy()
        .filter(ends_a_week, "is_final")
        .select(period_start=pl.date_ranges(first, last, "1w"))
        .explode("period_start")
        .drop_nulls()
        .with_columns(period_end=start.dt.offset_by("1w"))
    )
    last_day = pl.col("period_end").dt.offset_by("-1d")
    metrics = pacing.atlas.metrics
    units = {one.id: one.unit for one in metrics}
    shares = [one.id for one in metrics if one.estimator in SHARES]
    ends = pl.col("in_force_until_date")
    return (
        pacing.goals.with_row_index("goal_number")
        .lazy()
        .select(
            "goal_number",
            *GOAL,
            "in_force_until_date",
            "due_date",
            "level",
            "direction",
            "baseline",
            "counter_metric",
        )
        .with_columns(
            unit=pl.col("metric").replace_strict(units, return_dtype=pl.String),
            is_share=pl.col("metric").is_in(shares),
        )
        .join(weeks, how="cross")
        .filter(pl.col("in_force_from_date") <= last_day, ends.is_null() | (last_day < ends))
    )


def _with_window(weeks: pl.LazyFrame, card: pl.LazyFrame) -> pl.LazyFrame:
    """Weeks with the 28 days that end with them; nulls where these begin before the first event."""
    windows = card.filter(pl.col("period") == "rolling_28d").select(
        *SERIES, "period_end", "is_stale", *_WINDOW
    )
    begins = card.filter(pl.col("period") == "to_date").select(pl.col("period_start").min().alias("__first"))
    is_whole = pl.col("period_end").dt.offset_by(f"-{ROLLING_DAYS}d") >= pl.col("__first")
    beside = weeks.join(windows, on=[*SERIES, "period_end"], how="left").join(begins, how="cross")
    counted = beside.with_columns(pl.col("n", "excluded_count").fill_null(0))
    return (
        counted.with_columns(pl.when(is_whole).then(pl.col(_WINDOW)))
        .drop("__first")
        .with_columns(
            pl.col("is_stale").fill_null(value=False),
            pl.col("interval_method").fill_null("none"),
        )
    )


def _judged(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows held against what their path expects of the window."""
    judged = (
        rows.with_columns(goal=pl.col("expected_in_window"))
        .with_columns(verdict(), below_goal())
        .with_columns(frozen())
    )
    return judged.with_columns(
        path_verdict="verdict",
        is_on_path=~pl.col("is_below_goal"),
        attainment_share=attainment(pl.col("value"), pl.col("baseline"), pl.col("level")),
    ).drop("goal", "verdict", "is_below_goal")


def projections(weeks: pl.LazyFrame, card: pl.LazyFrame) -> pl.LazyFrame:
    """Where a line through the weeks so far leads, by `ROW`: point_count, projection and its ends, p_meet."""
    points = card.filter(
        pl.col("period") == "week", "is_final", ~pl.col("is_stale"), pl.col("value").is_not_null()
    ).select(*SERIES, time=pl.col("period_end").cast(pl.Int32), value="value")
    at, begins = pl.col("period_end").cast(pl.Int32), pl.col("in_force_from_date").cast(pl.Int32)
    so_far = (
        weeks.filter(~_is_over())
        .select(*ROW, *GOAL)
        .join(points, on=SERIES)
        .filter(pl.col("time") <= at, pl.col("time") > begins, pl.col("time") > at - 7 * POINTS)
    )
    ends = weeks.select(
        *ROW, "level", "direction", "unit", "is_stale", "due_date", due=pl.col("due_date").cast(pl.Int32)
    )
    line = project(so_far.select(*ROW, "time", "value"), ends, ROW).rename({
        "n": "point_count", "prediction": "projection", "prediction_low": "projection_low",
        "prediction_high": "projection_high", "chance_to_meet": "p_meet",
    })  # fmt: skip
    refused = pl.when("is_stale").then(pl.lit("is_stale")).when(_is_over()).then(pl.lit("is_due"))
    ahead = ("projection", "projection_low", "projection_high")
    # A share that a line carries beyond all of them is all of them.
    inside = [
        pl.when(pl.col("unit") == "share").then(pl.col(one).clip(0, 1)).otherwise(one).alias(one)
        for one in ahead
    ]
    return (
        line.drop("slope", "is_on_track")
        .join(ends, on=ROW, how="left")
        .with_columns(projection_refused=pl.coalesce(refused, "refused"))
        .select(*ROW, "point_count", *inside, "p_meet", "projection_refused")
    )


def _is_over() -> pl.Expr:
    """Whether nothing is ahead: the goal is due, or its newest weeks are not known."""
    return pl.col("is_stale") | (pl.col("period_end") > pl.col("due_date"))
