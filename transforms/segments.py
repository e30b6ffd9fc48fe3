"""Segments held against the rest of their touchpoint, with p-values that admit how many were looked at."""

from collections.abc import Mapping

import polars as pl

from transforms.estimate import squared_deviations
from transforms.methods.discoveries import benjamini_hochberg, expected_by_chance
from transforms.methods.distributions import in_order, normal_tail
from transforms.periods import PERIOD_COLUMNS

LEAST = 10
"""With fewer observations on either side nothing is compared."""
_WHOLE = [*PERIOD_COLUMNS, "touchpoint_id", "dimension", "metric"]
_SUMS = ("n", "numerator", "sum", "total", "squares", "promoters", "detractors")
_METHODS = ("wilson", "adjusted_wald", "student_t")
"""Intervals of metrics that are means of their observations; counts, sums and quantiles have no rest to compare."""


def with_comparisons(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of segments with how far they are from the rest, and how sure that is.

    Two means of independent observations: z = difference over its standard error. Shares are pooled, as under no
    difference, and multiplied by root (N - 1) / N (Campbell 2007), which holds at small n. The family of
    `q_value` (Benjamini and Hochberg 1995) are all comparisons of one metric in one period; those of `all` touchpoints
    together are a family of their own, since they look at the same answers again.

    Args:
        rows: The period's columns, touchpoint_id, dimension, segment, metric, n, numerator, sum, total and squares (in
            whole steps), promoters, detractors, interval_method.

    Returns:
        The rows with rest_n, rest_value, p_value, q_value, compared_count, expected_by_chance.
    """
    # In the order of the segments, so that sums of floats are the same every time.
    totals = {f"__{name}": in_order(pl.col(name).sort_by("segment")) for name in ("numerator", "sum")}
    totals |= {f"__{name}": pl.col(name).sum() for name in _SUMS if f"__{name}" not in totals}
    whole = rows.group_by(_WHOLE).agg(**totals)
    beside = rows.join(whole, on=_WHOLE, how="left").with_columns(
        (pl.col(f"__{name}") - pl.col(name)).alias(f"__{name}") for name in _SUMS
    )
    tested = beside.with_columns(rest_n="__n", rest_value=_mean("__"), __z=_z()).with_columns(
        p_value=(2 * normal_tail(pl.col("__z").abs())).clip(0, 1)
    )
    family = [*PERIOD_COLUMNS, "metric", "__all"]
    judged = tested.with_columns(__all=pl.col("touchpoint_id") == "all").with_columns(
        q_value=benjamini_hochberg(pl.col("p_value")).over(family),
        compared_count=pl.col("p_value").count().over(family).cast(pl.Int64),
        expected_by_chance=expected_by_chance(pl.col("p_value")).over(family),
    )
    return judged.drop("__z", "__all", *totals)


def _by_method(each: Mapping[str, pl.Expr]) -> pl.Expr:
    method = pl.col("interval_method").cast(pl.String)
    return pl.coalesce(pl.when(method == name).then(value) for name, value in each.items())


def _mean(side: str, added: str = "sum") -> pl.Expr:
    """The value of one side, as the scorecard scales it; with `total` a mean in whole steps."""
    n = pl.col(f"{side}n")
    parts = {
        "wilson": pl.col(f"{side}numerator") / n,
        "adjusted_wald": 100 * (pl.col(f"{side}promoters") - pl.col(f"{side}detractors")) / n,
        "student_t": pl.col(f"{side}{added}") / n,
    }
    return pl.when(n > 0).then(_by_method(parts))


def _variance(side: str) -> pl.Expr:
    """Of one side's mean, in its own unit: the whole step, where it is a mean of values."""
    n = pl.col(f"{side}n")
    up, down = pl.col(f"{side}promoters") / n, pl.col(f"{side}detractors") / n
    spread = squared_deviations(n, pl.col(f"{side}total"), pl.col(f"{side}squares"))
    parts = {
        "adjusted_wald": 100**2 * (up + down - (up - down) ** 2) / n,
        "student_t": spread / (n - 1) / n,
    }
    return _by_method(parts)


def _z() -> pl.Expr:
    """Standard errors between a segment and the rest; null where either is too small or nothing varies."""
    n, rest = pl.col("n"), pl.col("__n")
    every = n + rest
    pooled = (pl.col("numerator") + pl.col("__numerator")) / every
    of_shares = pooled * (1 - pooled) * (1 / n + 1 / rest) * every / (every - 1)
    variance = _by_method({"wilson": of_shares}).fill_null(_variance("") + _variance("__"))
    difference = _mean("", "total") - _mean("__", "total")
    known = (n >= LEAST) & (rest >= LEAST) & (variance > 0)
    return pl.when(known).then(difference / variance.sqrt())
