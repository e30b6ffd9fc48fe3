"""Quantiles of cases with their intervals: the one kind of metric that does not add up."""

from collections.abc import Sequence
from math import log

import polars as pl

from contracts.accountability import Metric
from transforms import intervals
from transforms.estimate import CONFIDENCE, METHOD, ONE_SIDED

_n = pl.col("n")


def ordered_values(values: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Observations gathered in order, which is what costs: every quantile is then a look-up.

    Args:
        values: Rows with `metric` (the number of the first metric of its family), the keys and `value`
            (null where the case has not come to that), ascending.
        keys: Columns that make up one quantile, besides the metric.

    Returns:
        keys, metric, n, excluded and `ordered`, a list.
    """
    return values.group_by(*keys, "metric").agg(
        n=pl.col("value").count().cast(pl.Int64),
        excluded=pl.col("value").null_count().cast(pl.Int64),
        ordered=pl.col("value").drop_nulls(),
    )


ASCENDING = (pl.col("value"), pl.col("is_event").not_())
"""By value, and where values are alike events before open cases."""


def ascending(values: pl.LazyFrame) -> pl.LazyFrame:
    """Observations as `waiting_curves` takes them."""
    return values.sort(*ASCENDING)


LOW = ("value_low", "bound_low")
_ENDS = tuple(f"{prefix}_{end}" for prefix in ("value", "bound") for end in ("low", "high"))


def waiting_curves(values: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """As `ordered_values`, with open cases: how many are still waiting after every time, and its intervals.

    Args:
        values: As `ordered_values` takes them, with `is_event`, in the order of `ascending`.
        keys: Columns that make up one curve, besides the metric.

    Returns:
        keys, metric, n, excluded, open (cases without the event), `ordered` and lists beside it: survival, and
        curve_value_low, curve_value_high, curve_bound_low, curve_bound_high: the ends of its 95 % and 90 %
        intervals on the log-log scale, log(-log S) -+ z sqrt(G) / log S. An end is at a share or below it where
        it is at the share's own log-log or above, so no power has to be taken.
    """
    event = pl.col("is_event").cast(pl.Float64)
    at_risk = (pl.len() - pl.int_range(pl.len())).cast(pl.Float64)
    survival = (1 - event / at_risk).cum_prod()
    # Tied events one after the other give the same products and sums as all at once.
    # An end is known once all that comes at one time has come: the curve steps down once.
    is_last = (pl.col("value") != pl.col("value").shift(-1)).fill_null(value=True)
    # Nobody is left after the last event: there is no interval then.
    is_counted = pl.col("is_event") & (at_risk > 1)
    grown = pl.when(is_counted).then(1 / (at_risk * (at_risk - 1))).otherwise(0.0).cum_sum()
    counted = values.group_by(*keys, "metric").agg(excluded=pl.col("value").null_count().cast(pl.Int64))
    curves = (
        values.filter(pl.col("value").is_not_null())
        .group_by(*keys, "metric")
        .agg(
            n=pl.len().cast(pl.Int64),
            open=pl.col("is_event").not_().sum().cast(pl.Int64),
            ordered=pl.col("value"),
            survival=pl.when(is_last).then(survival),
            __grown=grown,
        )
    )
    return (
        counted.join(_with_ends(curves), on=[*keys, "metric"], how="left")
        .with_columns(pl.col("n", "open").fill_null(0))
        .drop("__grown")
    )


def _with_ends(curves: pl.LazyFrame) -> pl.LazyFrame:
    """Curves with the ends of their intervals: over all curves' values at once, which a group cannot be."""
    one = pl.element()
    logged = pl.col("survival").list.eval(pl.when((one > 0) & (one < 1)).then(one.log()))
    root = pl.col("__grown").list.eval(one.sqrt())
    apart = curves.with_columns(__log=logged).with_columns(
        __middle=pl.col("__log").list.eval((-one).log()), __error=root / pl.col("__log")
    )
    ends: dict[str, pl.Expr] = {}
    for prefix, confidence in (("value", CONFIDENCE), ("bound", ONE_SIDED)):
        half = pl.col("__error") * intervals.z_of(confidence)
        ends[f"curve_{prefix}_low"] = pl.col("__middle") - half
        ends[f"curve_{prefix}_high"] = pl.col("__middle") + half
    return apart.with_columns(**ends).drop("__log", "__middle", "__error")


def estimate_waiting(curves: pl.LazyFrame, metrics: Sequence[Metric]) -> list[pl.LazyFrame]:
    """Quantiles of durations of which some are not over, with their intervals.

    The time by which a share has come to it: smallest t with S(t) <= 1 - q, after Kaplan and Meier 1958, its
    interval after Brookmeyer and Crowley 1982; null where too many are open to tell. The curve gives no low end
    either where it stays too high for that; it is then what the quantile is not below, even if all open cases ended
    now: that of the order statistics. Where none is open, as `estimate_quantiles`.

    Args:
        curves: What `waiting_curves` returned.
        metrics: The map's metrics, from number 1.
    """
    made = []
    for first, members in quantile_families(metrics).items():
        if not is_censored(metrics[first - 1]):
            continue
        family = curves.filter(pl.col("metric") == first)
        for number in members:
            quantile = metrics[number - 1].quantile or 0.5
            complete = _with_ranks(family, quantile, number)
            line = 1 - quantile + 1e-12
            is_open = pl.col("open") > 0
            crossed = {"value": ("survival", pl.element() <= line)}
            crossed |= {name: (f"curve_{name}", pl.element() >= log(-log(line))) for name in _ENDS}
            reached = {name: _first_where(curve, is_there) for name, (curve, is_there) in crossed.items()}
            reached |= {name: pl.coalesce(reached[name], name) for name in LOW}
            told = (pl.when(is_open).then(one).otherwise(name).alias(name) for name, one in reached.items())
            method = pl.when(is_open).then(pl.lit("brookmeyer_crowley", dtype=METHOD))
            made.append(
                complete.with_columns(
                    *told, method.otherwise("interval_method").alias("interval_method")
                ).drop("ordered", *(curve for curve, _ in crossed.values()), "open")
            )
    return made


def _first_where(curve: str, is_there: pl.Expr) -> pl.Expr:
    """The first time at which a curve is where it should be; null where it never is."""
    found = pl.col(curve).list.eval(is_there.fill_null(value=False))
    place = pl.when(found.list.any()).then(found.list.arg_max())
    return pl.col("ordered").list.get(place, null_on_oob=True)


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
        _with_ranks(
            ordered.filter(pl.col("metric") == first), metrics[number - 1].quantile or 0.5, number
        ).drop("ordered")
        for first, members in quantile_families(metrics).items()
        if not is_censored(metrics[first - 1])
        for number in members
    ]


DURATIONS = ("first_response_hours", "resolution_hours", "closing_hours")


def is_censored(metric: Metric) -> bool:
    """Whether a quantile counts open cases: of a duration, of cases that count where they were opened."""
    counts = metric.estimator == "quantile" and metric.open_cases == "censored"
    return counts and metric.at == "opened" and metric.value in DURATIONS


def quantile_families(metrics: Sequence[Metric]) -> dict[int, list[int]]:
    """Quantile metrics over the same values: their numbers, by the number of the first of them."""
    families: dict[tuple[object, ...], list[int]] = {}
    for number, metric in enumerate(metrics, start=1):
        if metric.estimator == "quantile":
            open_cases = is_censored(metric)
            base = (metric.value, metric.at, tuple(sorted(metric.where.items())), metric.by, open_cases)
            families.setdefault(base, []).append(number)
    return {members[0]: members for members in families.values()}


def _with_ranks(ranked: pl.LazyFrame, quantile: float, number: int) -> pl.LazyFrame:
    ordered = pl.col("ordered").list
    found = {name: ordered.get(rank, null_on_oob=True) for name, rank in ranks_of(quantile).items()}
    return ranked_estimate(ranked.with_columns(**found), quantile, number)


def ranks_of(quantile: float) -> dict[str, pl.Expr]:
    """Which of n values in order (from 0) a quantile and its intervals are read off; null where there is none.

    Returns:
        below and above, the neighbours it lies between; value_low, value_high, bound_low, bound_high.
    """
    below = _place(quantile).floor().cast(pl.Int64)
    ranks = {"below": below, "above": below + 1}
    for prefix, confidence in (("value", CONFIDENCE), ("bound", ONE_SIDED)):
        ends = intervals.order_statistic_ranks(_n, quantile, confidence)
        ranks |= {f"{prefix}_{end}": rank for end, rank in zip(("low", "high"), ends, strict=True)}
    return {name: pl.when(rank >= 0, rank < _n).then(rank) for name, rank in ranks.items()}


def ranked_estimate(looked_up: pl.LazyFrame, quantile: float, number: int) -> pl.LazyFrame:
    """A quantile between its two neighbours (Hyndman and Fan's type 7), from the values at `ranks_of` it.

    Args:
        looked_up: Rows with `n` and a column of the values at every rank.
        quantile: The share below it.
        number: The metric's number.
    """
    place, low = _place(quantile), pl.col("below")
    high = pl.col("above").fill_null(low)
    value = pl.when(_n > 0).then(low + (high - low) * (place - place.floor()))
    return told_estimate(looked_up.with_columns(value=value), "order_statistic", number).drop(
        "below", "above"
    )


def told_estimate(estimated: pl.LazyFrame, method: str, number: int) -> pl.LazyFrame:
    """A quantile with its interval and all else that an estimate has, which a quantile has not.

    Args:
        estimated: Rows with value, value_low, value_high, bound_low, bound_high.
        method: How the interval was found.
        number: The metric's number.
    """
    empty = [
        pl.lit(None, dtype=pl.Float64).alias(c) for c in ("numerator", "denominator", "sum", "sum_of_squares")
    ]
    empty += [pl.lit(None, dtype=pl.Int64).alias(c) for c in ("promoters", "passives", "detractors")]
    named = pl.lit(method, dtype=METHOD).alias("interval_method")
    return estimated.with_columns(pl.lit(number, dtype=pl.UInt16).alias("metric"), named, *empty)


def _place(quantile: float) -> pl.Expr:
    return (_n - 1) * quantile
