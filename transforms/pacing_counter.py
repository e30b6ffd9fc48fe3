"""A goal's counter-metric beside it: what got better, what got worse, and whether the improvement is hollow."""

from collections.abc import Sequence

import polars as pl

from contracts.accountability import AccountabilityMap
from transforms.goal_paths import GOAL, ROW
from transforms.intervals import newcombe
from transforms.methods.hollow import hollow_improvement
from transforms.periods import ROLLING_DAYS

_ENDS = ("value", "value_low", "value_high")
_CHANGES = ("change", "change_low", "change_high")
_TOLD = (
    "counter_n", "counter_value", "counter_value_low", "counter_value_high", *_CHANGES, "change_since_date",
    *(f"counter_{one}" for one in _CHANGES), "is_hollow", "hollow_reason",
)  # fmt: skip
_UNKNOWN = ("portfolio", "mix", "who_answered", "response_rate_before", "response_rate_after")
"""Other causes of an improvement, which a split of the change tells."""


def counters(weeks: pl.LazyFrame, card: pl.LazyFrame, atlas: AccountabilityMap) -> pl.LazyFrame:
    """How goals and their counter-metrics changed since before the goal, by `ROW`.

    Both compare the 28 days that end with the week with the last 28 days before the goal began, or the first ones there
    are; only while the two do not overlap. The interval of a difference combines those of its ends by squares, as
    Newcombe's does (Zou and Donner 2008).

    Args:
        weeks: What `goal_weeks` returned, collected.
        card: ScorecardTouchpoint.
        atlas: The map, for the counter-metrics' directions.
    """
    windows = card.filter(
        pl.col("period") == "rolling_28d", ~pl.col("is_stale"), pl.col("value").is_not_null()
    ).select("touchpoint_id", "metric", "n", *_ENDS, window_end="period_end")
    directions = {one.id: one.direction for one in atlas.metrics}
    countered = windows.rename({"metric": "counter_metric"})
    now = countered.select(
        "touchpoint_id", "counter_metric", counter_n="n", **{f"counter_{end}": pl.col(end) for end in _ENDS},
        period_end="window_end",
    )  # fmt: skip
    beside = weeks.join(now, on=["touchpoint_id", "counter_metric", "period_end"], how="left")
    beside = beside.join(_before(weeks, windows, "metric", "before"), on=GOAL, how="left")
    beside = beside.join(_before(weeks, countered, "counter_metric", "counter_before"), on=GOAL, how="left")
    counter_direction = pl.col("counter_metric").replace_strict(
        directions, default=None, return_dtype=pl.String
    )
    changed = beside.with_columns(
        *_change("", "before", pl.col("direction").cast(pl.String)),
        *_change("counter_", "counter_before", counter_direction),
        change_since_date="before_end",
    )
    is_known = pl.col("counter_change").is_not_null()
    reason = hollow_improvement().cast(pl.String)
    improved = (pl.col("change") > 0) & (pl.col("change_low") > 0)
    return (
        changed.with_columns(
            counter_high="counter_change_high",
            **{name: pl.lit(None, dtype=pl.Float64) for name in _UNKNOWN},
        )
        .with_columns(hollow_reason=reason)
        .with_columns(is_hollow=pl.when(improved & is_known).then(pl.col("hollow_reason").is_not_null()))
        .select(*ROW, *_TOLD)
    )


def _before(rows: pl.LazyFrame, windows: pl.LazyFrame, metric: str, prefix: str) -> pl.LazyFrame:
    """The window that a goal's change is measured from: `GOAL`, and its end and ends, prefixed.

    The last one that ended before the goal began, else the first one.
    """
    goals = rows.select(*dict.fromkeys([*GOAL, metric])).unique()
    every = goals.join(windows, on=["touchpoint_id", metric])
    is_before = pl.col("window_end") <= pl.col("in_force_from_date")
    place = (
        pl.when(is_before)
        .then(-pl.col("window_end").cast(pl.Int32))
        .otherwise(pl.col("window_end").cast(pl.Int32))
    )
    chosen = every.with_columns(__later=~is_before, __place=place).sort(*GOAL, "__later", "__place")
    named = {f"{prefix}_{name.removeprefix('value_')}": pl.col(name) for name in _ENDS}
    return (
        chosen.group_by(GOAL, maintain_order=True)
        .first()
        .select(*GOAL, pl.col("window_end").alias(f"{prefix}_end"), **named)
    )


def _change(side: str, before: str, direction: pl.Expr) -> Sequence[pl.Expr]:
    """How much better a value is than before, with its interval; null where windows overlap."""
    value, low, high = (pl.col(f"{side}{end}") for end in _ENDS)
    was, was_low, was_high = (pl.col(f"{before}_{end}") for end in ("value", "low", "high"))
    down, up = newcombe((low, high), (was_low, was_high), value, was)
    apart = pl.col(f"{before}_end") <= pl.col("period_end").dt.offset_by(f"-{ROLLING_DAYS}d")
    known = apart & ~pl.col("is_stale") & direction.is_not_null()
    is_higher = direction == "higher"
    return [
        pl.when(known)
        .then(pl.when(is_higher).then(value - was).otherwise(was - value))
        .alias(f"{side}change"),
        pl.when(known).then(pl.when(is_higher).then(down).otherwise(-up)).alias(f"{side}change_low"),
        pl.when(known).then(pl.when(is_higher).then(up).otherwise(-down)).alias(f"{side}change_high"),
    ]
