"""Inherited or earned: whether a breach began before the person who is accountable took over."""

from datetime import timedelta

import polars as pl

from contracts.tenures import EARLIEST
from transforms.credit import Scoring
from transforms.periods import PERIOD_COLUMNS

_SERIES = ["touchpoint", "metric"]
_LED_UP = timedelta(days=21)
"""The breach rests on four weeks: the one in which it is found, and three that can have led up to it."""


def with_breach_began(rows: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """Rows with when the breach began that stood when their period closed: `breach_began_date`.

    A breach goes on for as long as every week with observations is one. It began with the unbroken run of
    weeks below the goal that led up to the first of them, at most three weeks before it.

    Args:
        rows: One touchpoint's metric and period each, weeks with `is_breach` and `is_below_goal`.
        scoring: Says which weeks have ended.

    Returns:
        The rows; null where no breach stood in the last week that ended within the period or at its
        beginning.
    """
    weeks = (
        rows.filter(pl.col("period") == "week", pl.col("period_end") <= scoring.calendar.today)
        .select(
            *_SERIES,
            "period_start",
            week_end="period_end",
            breach=pl.col("is_breach").fill_null(value=False),
            below=pl.col("is_below_goal").fill_null(value=False),
        )
        .sort(*_SERIES, "week_end")
        .with_columns(_first_of_run("below").alias("below_since"), _first_of_run("breach").alias("found"))
    )
    led_up = pl.max_horizontal("below_since", pl.col("found") - _LED_UP)
    began = weeks.with_columns(
        began=pl.when("breach")
        .then(led_up.filter(pl.col("period_start") == pl.col("found")).first())
        # The run of weeks below the goal may be longer than the breach: what counts is the first week found.
        .over(*_SERIES, "found")
    )
    states = began.select(*_SERIES, "week_end", "began").sort("week_end")
    joined = rows.sort("period_end").join_asof(
        states, left_on="period_end", right_on="week_end", by=_SERIES, check_sortedness=False
    )
    within = pl.col("week_end") >= pl.col("period_start")
    return joined.with_columns(breach_began_date=pl.when(within).then("began")).drop("week_end", "began")


def _first_of_run(flag: str) -> pl.Expr:
    """First day of the unbroken run of flagged weeks that a week belongs to; null outside of one."""
    run = (~pl.col(flag)).cast(pl.Int32).cum_sum().over(_SERIES)
    first = pl.col("period_start").filter(pl.col(flag)).min().over(*_SERIES, run)
    return pl.when(flag).then(first)


def with_inheritance(rows: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """Rows with how long the owner at their close had been accountable, and whether the breach is inherited.

    Args:
        rows: Rows with `tenure` (who was accountable when the period closed), `breach_began_date`.
        scoring: The slots, the clock, the days of grace.

    Returns:
        The rows with `owner_since_at`, `owner_days` and `is_inherited`.
    """
    ever = pl.lit(scoring.owner_since()).gather(pl.col("tenure"))
    since = pl.when(ever != EARLIEST).then(ever)
    taken_over = since.dt.convert_time_zone(str(scoring.atlas.zone)).dt.date()
    closed = pl.min_horizontal("period_end", pl.lit(scoring.calendar.today))
    dated = rows.with_columns(owner_since_at=since, __since=taken_over).with_columns(
        owner_days=(closed - pl.col("__since")).dt.total_days().clip(0, None)
    )
    later = (pl.col("__since") > pl.col("breach_began_date")) & (pl.col("owner_days") < scoring.grace_days)
    inherited = pl.when(pl.col("breach_began_date").is_not_null()).then(later.fill_null(value=False))
    return dated.with_columns(is_inherited=inherited).drop("__since")


def inherited_counts(touchpoints: pl.LazyFrame, parts: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """How many of the goals that a person misses they have inherited.

    Args:
        touchpoints: What `with_inheritance` returned.
        parts: People's own parts of touchpoints with their verdicts.
        scoring: Numbers of people.

    Returns:
        The period's columns, owner (number), metric, goals_inherited_count; only where there are any.
    """
    owners = scoring.slots.owners()["owner_id"].replace_strict(
        scoring.owners, range(len(scoring.owners)), return_dtype=pl.UInt32
    )
    mine = touchpoints.filter("is_inherited").select(
        *PERIOD_COLUMNS, *_SERIES, owner=pl.lit(owners).gather(pl.col("tenure"))
    )
    missed = parts.filter(pl.col("verdict") == "missed")
    return (
        missed.join(mine, on=[*PERIOD_COLUMNS, *_SERIES, "owner"], how="semi")
        .group_by(*PERIOD_COLUMNS, "owner", "metric")
        .agg(goals_inherited_count=pl.len().cast(pl.Int64))
    )
