"""Budgets of bad experiences: how many a goal allows in a quarter, how many there were, how fast they come."""

from collections.abc import Sequence

import polars as pl

from transforms.goal_paths import GOAL, ROW, with_expected
from transforms.methods.budgets import BurnRule, burn_rate, burning
from transforms.periods import ROLLING_DAYS

PAIRS: Sequence[tuple[int, int]] = ((4, 1), (13, 4))
"""Long and short window in weeks: the first pair with enough answers in both; low volume widens both."""
LEAST_LONG, LEAST_SHORT = 30, 10
FAST, SLOW = 2.0, 1.0
"""Burning twice as fast as allowed uses 60 % of a quarter's budget in four weeks."""
_BURN = ("burn_bad", "burn_n")


def budgets(weeks: pl.LazyFrame, daily: pl.LazyFrame, legs: pl.DataFrame) -> pl.LazyFrame:
    """Budgets and how fast they burn, by `ROW`; only of metrics that are shares.

    The budget is of the calendar quarter that the week ends in, or of that part of it in which the goal is in force.
    It allows what the path allows: of so many answers 1 - expected may be bad, or expected where lower is better.

    Args:
        weeks: What `goal_weeks` returned, collected.
        daily: MeasureDaily.
        legs: What `path_legs` returned.
    """
    shares = weeks.filter("is_share")
    weekly = _weekly(shares, _parts(shares, daily, legs))
    sums = weekly.select(*ROW, "bad_so_far", "n_so_far", "allowed_so_far")
    return _used(shares.join(sums, on=ROW), legs).join(_burnt(weekly), on=ROW)


def _parts(shares: pl.LazyFrame, daily: pl.LazyFrame, legs: pl.DataFrame) -> pl.LazyFrame:
    """Answers, bad ones and allowed ones by goal, quarter and week; weeks that straddle a quarter's end are cut."""
    goals = shares.select(*GOAL, "in_force_until_date", "direction").unique()
    pairs = shares.select("touchpoint_id", "metric").unique()
    counted = (
        daily.join(pairs, on=["touchpoint_id", "metric"], how="semi")
        .group_by("touchpoint_id", "metric", "date")
        .agg(pl.col("n").sum(), good=pl.col("numerator").cast(pl.Int64).sum())
        .join(goals, on=["touchpoint_id", "metric"])
        .filter(
            pl.col("date") >= pl.col("in_force_from_date"),
            pl.col("in_force_until_date").is_null() | (pl.col("date") < pl.col("in_force_until_date")),
        )
    )
    is_higher = pl.col("direction") == "higher"
    by_part = counted.group_by(
        *GOAL, "direction", quarter=pl.col("date").dt.truncate("1q"),
        period_end=pl.col("date").dt.truncate("1w").dt.offset_by("1w"),
    ).agg(
        pl.col("n").sum(), bad=pl.when(is_higher).then(pl.col("n") - pl.col("good")).otherwise("good").sum()
    )  # fmt: skip
    expected = with_expected(by_part, legs, pl.col("period_end").dt.offset_by("-4d"), "expected_then")
    return expected.with_columns(allowed=pl.col("n") * _bad_share("expected_then"))


def _weekly(shares: pl.LazyFrame, parts: pl.LazyFrame) -> pl.LazyFrame:
    """Every goal's every week: sums of the week, and of its quarter so far."""
    weeks = shares.select(*ROW, *GOAL, quarter=_quarter())
    # A week has at most two parts, one a quarter: whichever is added to the other, the sum is the same.
    whole = parts.group_by(*GOAL, "period_end").agg(pl.col("n", "bad", "allowed").sum())
    in_quarter = parts.select(*GOAL, "quarter", "period_end", q_n="n", q_bad="bad", q_allowed="allowed")
    joined = weeks.join(whole, on=[*GOAL, "period_end"], how="left").join(
        in_quarter, on=[*GOAL, "quarter", "period_end"], how="left"
    )
    sums = pl.col("n", "bad", "allowed", "q_n", "q_bad", "q_allowed").fill_null(0)
    return (
        joined.with_columns(sums)
        .sort(ROW)
        .with_columns(
            pl.col(f"q_{name}").cum_sum().over("goal_number", "quarter").alias(f"{name}_so_far")
            for name in ("n", "bad", "allowed")
        )
    )


def _used(rows: pl.LazyFrame, legs: pl.DataFrame) -> pl.LazyFrame:
    """Rows with the budget of their quarter, and how much of it and of its time is used."""
    start = pl.max_horizontal(_quarter(), "in_force_from_date")
    end = pl.min_horizontal(_quarter().dt.offset_by("1q"), "in_force_until_date")
    dated = rows.with_columns(budget_start_date=start, budget_end_date=end)
    left = (pl.col("budget_end_date") - pl.col("period_end")).dt.total_days().clip(0, None)
    passed = (pl.col("period_end") - pl.col("budget_start_date")).dt.total_days()
    # What is still to come comes at the rate of the last 28 days, of the quarter so far where there are none yet,
    # and is allowed what its middle day is.
    middle = pl.col("period_end") + pl.duration(days=(left / 2).floor().cast(pl.Int64))
    ahead = with_expected(dated.with_columns(__left=left), legs, middle.cast(pl.Date), "expected_ahead")
    rate = (pl.col("n") / ROLLING_DAYS).fill_null(pl.col("n_so_far") / passed)
    coming = rate * pl.col("__left") * _bad_share("expected_ahead")
    whole = ahead.with_columns(
        budget_count=pl.col("allowed_so_far") + coming,
        budget_used_count="bad_so_far",
        budget_time_share=(passed / (passed + pl.col("__left"))).clip(0, 1),
    )
    return whole.with_columns(
        budget_used_share=pl.when(pl.col("budget_count") > 0).then(
            pl.col("budget_used_count") / pl.col("budget_count")
        )
    ).select(
        *ROW,
        "budget_start_date",
        "budget_end_date",
        "budget_time_share",
        "budget_count",
        "budget_used_count",
        "budget_used_share",
    )


def _burnt(weekly: pl.LazyFrame) -> pl.LazyFrame:
    """How fast the budget burnt in the windows that end with every week, by `ROW`."""
    widths = sorted({weeks for pair in PAIRS for weeks in pair})
    names = ("n", "bad", "allowed")

    def over(name: str, weeks: int) -> pl.Expr:
        total = pl.col(name).cum_sum()
        return (total - total.shift(weeks, fill_value=0)).over("goal_number").alias(f"{name}_{weeks}")

    windows = weekly.sort(ROW).with_columns(over(name, one) for name in names for one in widths)
    enough = [
        (pl.col(f"n_{long}") >= LEAST_LONG) & (pl.col(f"n_{short}") >= LEAST_SHORT) for long, short in PAIRS
    ]
    chosen = {
        f"{side}_{name}": pl.coalesce(
            pl.when(holds).then(pl.col(f"{name}_{pair[place]}"))
            for holds, pair in zip(enough, PAIRS, strict=True)
        )
        for place, side in enumerate(("long", "short"))
        for name in names
    }
    weeks_of = {
        f"burn_{side}_weeks": pl.coalesce(
            pl.when(holds).then(pl.lit(pair[place])) for holds, pair in zip(enough, PAIRS, strict=True)
        )
        for place, side in enumerate(("long", "short"))
    }
    rates = {
        f"burn_{side}": burn_rate(
            pl.col(f"{side}_bad"), pl.col(f"{side}_n"), 1 - pl.col(f"{side}_allowed") / pl.col(f"{side}_n")
        )
        for side in ("long", "short")
    }
    rules = [
        BurnRule(name, ("long_bad", "long_n"), ("short_bad", "short_n"), threshold, LEAST_LONG)
        for name, threshold in (("fast", FAST), ("slow", SLOW))
    ]
    share = 1 - pl.col("long_allowed") / pl.col("long_n")
    named = burning(windows.with_columns(**chosen, **weeks_of).with_columns(__goal=share), rules, "__goal")
    return named.with_columns(**rates).select(*ROW, "burn", *rates, *weeks_of)


def _quarter() -> pl.Expr:
    """First day of the quarter that the week's last day lies in."""
    return pl.col("period_end").dt.offset_by("-1d").dt.truncate("1q")


def _bad_share(expected: str) -> pl.Expr:
    return pl.when(pl.col("direction") == "higher").then(1 - pl.col(expected)).otherwise(pl.col(expected))
