"""Quantiles of cases with their intervals: the one kind of metric that does not add up."""

from collections.abc import Sequence

import polars as pl
from polars.expr.list import ExprListNameSpace

from contracts.accountability import Metric
from transforms import intervals
from transforms.estimate import CONFIDENCE, METHOD, ONE_SIDED

_n = pl.col("n")


def ordered_values(values: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Observations gathered and sorted, which is what costs: every quantile is then a look-up.

    Args:
        values: Rows with `metric` (the number of the first metric of its family), the keys and `value`
            (null where the case has not come to that).
        keys: Columns that make up one quantile, besides the metric.

    Returns:
        keys, metric, n, excluded and `ordered`, a list.
    """
    return values.group_by(*keys, "metric").agg(
        n=pl.col("value").count().cast(pl.Int64),
        excluded=pl.col("value").null_count().cast(pl.Int64),
        ordered=pl.col("value").drop_nulls().sort(),
    )


def estimate_quantiles(ordered: pl.LazyFrame, metrics: Sequence[Metric]) -> list[pl.LazyFrame]:
    """Quantiles of cases with their intervals.

    Args:
        ordered: What `ordered_values` returned.
        metrics: The map's metrics, from number 1.

    Returns:
        For every quantile metric the keys, metric, n, excluded and the `ESTIMATED` columns. The value
        interpolates linearly (Hyndman and Fan's type 7).
    """
    return [
        _with_ranks(ordered.filter(pl.col("metric") == first), metrics[number - 1].quantile or 0.5, number)
        for first, members in quantile_families(metrics).items()
        for number in members
    ]


def quantile_families(metrics: Sequence[Metric]) -> dict[int, list[int]]:
    """Quantile metrics over the same values: their numbers, by the number of the first of them."""
    families: dict[tuple[object, ...], list[int]] = {}
    for number, metric in enumerate(metrics, start=1):
        if metric.estimator == "quantile":
            base = (metric.value, metric.at, tuple(sorted(metric.where.items())), metric.by)
            families.setdefault(base, []).append(number)
    return {members[0]: members for members in families.values()}


def _with_ranks(ranked: pl.LazyFrame, quantile: float, number: int) -> pl.LazyFrame:
    ordered = pl.col("ordered").list
    ends: dict[str, pl.Expr] = {"value": interpolated(ordered, quantile)}
    for prefix, confidence in (("value", CONFIDENCE), ("bound", ONE_SIDED)):
        low, high = intervals.order_statistic_ranks(_n, quantile, intervals.z_of(confidence))
        for name, rank in (("low", low), ("high", high)):
            ends[f"{prefix}_{name}"] = ordered.get(rank.cast(pl.Int64), null_on_oob=True)
    empty = [
        pl.lit(None, dtype=pl.Float64).alias(c) for c in ("numerator", "denominator", "sum", "sum_of_squares")
    ]
    empty += [pl.lit(None, dtype=pl.Int64).alias(c) for c in ("promoters", "passives", "detractors")]
    method = pl.lit("order_statistic", dtype=METHOD).alias("interval_method")
    numbered = ranked.with_columns(metric=pl.lit(number, dtype=pl.UInt16))
    return numbered.with_columns(**ends).with_columns(method, *empty).drop("ordered")


def interpolated(ordered: ExprListNameSpace, quantile: float) -> pl.Expr:
    """The quantile of an ordered list, between its two neighbours; null for an empty one."""
    place = (_n - 1) * quantile
    below = place.floor()
    low = ordered.get(below.cast(pl.Int64), null_on_oob=True)
    high = ordered.get((below + 1).cast(pl.Int64), null_on_oob=True).fill_null(low)
    return pl.when(_n > 0).then(low + (high - low) * (place - below))
