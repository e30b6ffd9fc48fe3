"""Met, missed, or cannot tell yet: a value held against its goal with its uncertainty."""

from datetime import date

import polars as pl

from contracts.tables.scorecards import VERDICTS
from transforms.intervals import z_of

VERDICT = pl.Enum(VERDICTS)
_value, _goal, _n = pl.col("value"), pl.col("goal"), pl.col("n")
_higher = pl.col("direction") == "higher"


def verdict() -> pl.Expr:
    """The verdict on a row with n, value, value_low, value_high, goal and direction.

    met: the whole interval reaches the goal. missed: none of it does. cannot_tell: it straddles the
    goal, or the sample is too small for an interval. no_goal and no_data say what is missing.
    A value that is beyond the longest wait so far is not known; its lower end may be, and is judged.
    """
    low, high = pl.col("value_low"), pl.col("value_high")
    met = pl.when(_higher).then(low >= _goal).otherwise(high <= _goal)
    missed = pl.when(_higher).then(high < _goal).otherwise(low > _goal)
    return (
        pl.when(_goal.is_null())
        .then(pl.lit("no_goal"))
        .when(_n.fill_null(0) == 0)
        .then(pl.lit("no_data"))
        .when(met)
        .then(pl.lit("met"))
        .when(missed)
        .then(pl.lit("missed"))
        .otherwise(pl.lit("cannot_tell"))
        .cast(VERDICT)
        .alias("verdict")
    )


def frozen() -> list[pl.Expr]:
    """The verdict of a row with `is_stale` is `no_data`: what is missing could make it met or missed.

    From the columns verdict, is_below_goal and is_stale. A row without a goal has none to be frozen.
    """
    judged = pl.when(pl.col("is_stale") & _goal.is_not_null())
    return [
        judged.then(pl.lit("no_data", dtype=VERDICT)).otherwise("verdict").alias("verdict"),
        judged.then(None).otherwise("is_below_goal").alias("is_below_goal"),
    ]


def below_goal() -> pl.Expr:
    """Whether the value alone misses the goal, uncertainty ignored; null without goal, or where nothing tells.

    A value that is beyond the longest wait so far misses whatever its lower end does.
    """
    beyond = pl.when(_value.is_null() & (pl.col("value_low") > _goal)).then(pl.lit(value=True))
    return (
        pl.when(_higher)
        .then(_value < _goal)
        .otherwise((_value > _goal).fill_null(beyond))
        .alias("is_below_goal")
    )


def bound_misses_goal() -> pl.Expr:
    """Whether the one-sided 95 % bound misses the goal; null without bound or goal."""
    return pl.when(_higher).then(pl.col("bound_high") < _goal).otherwise(pl.col("bound_low") > _goal)


def answers_needed() -> pl.Expr:
    """Further observations after which the present value would be told from the goal.

    For proportions exact: the Wilson interval excludes g as soon as n >= z^2 g (1 - g) / (p - g)^2.
    For the others the interval is taken to shrink with the root of n. Null when the verdict is not
    cannot_tell, when value and goal are equal, and for counts and sums, which do not gather.
    """
    z = z_of(0.95)
    distance = (_value - _goal).abs()
    proportion = z**2 * _goal * (1 - _goal) / distance**2
    towards = (
        pl.when(_goal > _value).then(pl.col("value_high") - _value).otherwise(_value - pl.col("value_low"))
    )
    shrinking = _n * (towards / distance) ** 2
    method = pl.col("interval_method")
    total = pl.when(method == "wilson").then(proportion).otherwise(shrinking)
    gathers = method.is_in(["wilson", "adjusted_wald", "student_t", "order_statistic"])
    open_question = (pl.col("verdict") == "cannot_tell") & gathers & (distance > 0) & total.is_not_null()
    further = (total.ceil() - _n).clip(1, 10**9)
    return pl.when(open_question & further.is_finite()).then(further.cast(pl.Int64)).alias("answers_needed")


def answers_expected(n: pl.Expr, days: pl.Expr | int, today: date) -> pl.Expr:
    """The day by which the answers that are still needed will have come, at n in so many days.

    Null when none are needed, when none come, and beyond a hundred years.
    """
    # Whole numbers: the quotient is rounded up, so its last digit would move a date by a day.
    further = -(-pl.col("answers_needed") * days // n)
    is_near = (n > 0) & (further < 36_500)
    return pl.when(is_near).then(pl.lit(today) + pl.duration(days=further)).cast(pl.Date)
