"""Sums to values with intervals, one estimator after the other."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from contracts.accountability import Metric
from contracts.tables.scorecards import METHODS
from transforms import intervals

CONFIDENCE = 0.95
ONE_SIDED = 0.90
"""A two-sided 90 % interval: each end is a one-sided 95 % bound, which the breach rule asks for."""

METHOD = pl.Enum(METHODS)
EVENTS = Metric(id="events", name="Events", estimator="count")
"""Metric 0: how much happened."""

ESTIMATED = (
    "numerator",
    "denominator",
    "sum",
    "sum_of_squares",
    "promoters",
    "passives",
    "detractors",
    "value",
    "value_low",
    "value_high",
    "bound_low",
    "bound_high",
    "interval_method",
)
"""Columns that an estimate adds. bound_low and bound_high are one-sided 95 % bounds."""


@dataclass(frozen=True)
class Estimate:
    """How one estimator reads its sums.

    Attributes:
        method: Name of the interval.
        numerator: Sum above the line.
        has_denominator: Whether n stands below the line.
        scale: What the quotient is multiplied by.
        ends: The interval at a confidence.
        value: The quotient, where it can be told more exactly than by its two sums.
    """

    method: str
    numerator: pl.Expr
    has_denominator: bool
    scale: float | pl.Expr
    ends: Callable[[float], intervals.Ends]
    value: pl.Expr | None = None


_n, _per_unit = pl.col("n"), pl.col("__per_unit")
_middle = pl.col("total").cast(pl.Float64) / (_n * _per_unit)
"""A mean, rounded once: of what is always the same it is the same."""


def _proportion(confidence: float) -> intervals.Ends:
    return intervals.wilson(pl.col("good"), _n, intervals.z_of(confidence))


def _nps(confidence: float) -> intervals.Ends:
    z = intervals.z_of(confidence)
    return intervals.adjusted_wald_nps(pl.col("promoters"), pl.col("detractors"), _n, z)


def squared_deviations(n: pl.Expr, total: pl.Expr, squares: pl.Expr) -> pl.Expr:
    """The squared deviations from the mean, added up, of whole numbers of which n, sum and squares are known.

    Told from the whole number next to the mean they are whole and exact, and not larger than the squares; what is taken
    off then is at most half of that, so no digits are lost. Null where n is 0.
    """
    n, total, squares = (one.cast(pl.Int128) for one in (n, total, squares))
    middle = (2 * total + n) // (2 * n)
    around = squares - middle * (2 * total - n * middle)
    return around.cast(pl.Float64) - (total - n * middle).cast(pl.Float64) ** 2 / n.cast(pl.Float64)


def _mean(confidence: float) -> intervals.Ends:
    variance = squared_deviations(_n, pl.col("total"), pl.col("squares")) / _per_unit**2 / (_n - 1)
    t = (_n - 1).map_batches(
        lambda freedom: intervals.t_quantiles(freedom, confidence),
        return_dtype=pl.Float64,
        is_elementwise=True,
    )
    return intervals.student_t(_middle, variance, _n, t)


def _count(confidence: float) -> intervals.Ends:
    return intervals.byar(_n, intervals.z_of(confidence))


def _sum(confidence: float) -> intervals.Ends:
    z = intervals.z_of(confidence)
    return intervals.compound_poisson(pl.col("sum"), pl.col("sum_of_squares"), z)


def _of(
    method: str,
    numerator: pl.Expr,
    ends: Callable[[float], intervals.Ends],
    *,
    scale: float = 1,
    value: pl.Expr | None = None,
) -> Estimate:
    adds_only = method in ("compound_poisson", "byar")
    return Estimate(method, numerator, not adds_only, scale, ends, value)


def _rate(confidence: float) -> intervals.Ends:
    low, high = intervals.byar(pl.col("good"), intervals.z_of(confidence))
    return _per * low / _n, _per * high / _n


_per = pl.col("__per")
_net = pl.col("promoters") - pl.col("detractors")
ESTIMATES: Mapping[str, Estimate] = {
    "nps": _of("adjusted_wald", _net, _nps, scale=100),
    "csat": _of("wilson", pl.col("good"), _proportion),
    "ces": _of("wilson", pl.col("good"), _proportion),
    "share": _of("wilson", pl.col("good"), _proportion),
    "mean": _of("student_t", pl.col("sum"), _mean, value=_middle),
    "sum": _of("compound_poisson", pl.col("sum"), _sum),
    "ces_1": _of("student_t", pl.col("sum"), _mean, value=_middle),
    "followed": _of("wilson", pl.col("good"), _proportion),
    "repeat": _of("wilson", pl.col("good"), _proportion),
    "fcr": _of("wilson", pl.col("good"), _proportion),
    "count": _of("byar", _n, _count),
    "rate": Estimate("byar", pl.col("good"), has_denominator=True, scale=_per, ends=_rate),
}

ABOVE: Mapping[str, pl.Expr] = {
    "nps": _net,
    **dict.fromkeys(("csat", "ces", "share", "rate", "followed", "repeat", "fcr"), pl.col("good")),
    **dict.fromkeys(("mean", "ces_1"), pl.col("total")),
}
"""What stands above the line in whole steps, by estimator; the others are no quotients of observations."""


def above_the_line(estimator: pl.Expr) -> pl.Expr:
    """The additive column that stands above the line, in whole steps; null for what is no quotient."""
    total = pl.lit(None, dtype=pl.Int128)
    for name, above in ABOVE.items():
        total = pl.when(estimator == name).then(above).otherwise(total)
    return total


def scale_of(metric: Metric) -> float:
    """What one step above the line is worth in the metric's unit."""
    scales = {"nps": 100.0, "mean": metric.step, "ces_1": metric.step, "rate": metric.per}
    return scales.get(metric.estimator, 1.0)


_COUNTED = ("count", "share", "rate", "followed", "repeat", "fcr")
"""Estimators that count and do not add values up."""

FORMULAS: Mapping[str, str] = {
    "nps": "100 x (promoters - detractors) / answers",
    "csat": "answers from {top} up / answers from {low} to {high}",
    "ces": "answers from {top} up / answers from {low} to {high}",
    "ces_1": "sum of answers from {low} to {high} / how many",
    "share": "good / all in the base",
    "mean": "sum of {value} / how many have one",
    "sum": "sum of {value}",
    "count": "how many",
    "rate": "{per:g} x events / exposure",
    "followed": "followed within {within_days:g} days / old enough to be",
    "repeat": "followed by another within {within_days:g} days / old enough to be",
    "fcr": "resolved, not reopened, handed on or repeated within {within_days:g} days / resolved and old enough",
    "quantile": "the {quantile:g} quantile of {value}",
}
"""How every estimator's value is computed, with the declaration's own words in it."""


def formula(metric: Metric) -> str:
    """How a metric's value is computed."""
    return FORMULAS[metric.estimator].format_map(metric.model_dump())


def estimate(
    sums: pl.LazyFrame, metrics: Sequence[Metric], only: Collection[int] | None = None
) -> pl.LazyFrame:
    """Sums with their values and intervals.

    Args:
        sums: Rows with `metric` (number; 0 is `events`) and the additive columns of the sums.
        metrics: The map's metrics, from number 1.
        only: Numbers of the metrics that are wanted, at least one of which is no quantile; all when absent.

    Returns:
        The rows of every such metric but quantiles, with the `ESTIMATED` columns, grouped by estimator.
    """
    every = [EVENTS, *metrics]
    per_unit = pl.lit(pl.Series([round(1 / metric.step, 9) for metric in every])).gather(pl.col("metric"))
    per = pl.lit(pl.Series([metric.per for metric in every])).gather(pl.col("metric"))
    in_units = sums.with_columns(
        __per=per,
        __per_unit=per_unit,
        sum=pl.col("total").cast(pl.Float64) / per_unit,
        sum_of_squares=pl.col("squares").cast(pl.Float64) / per_unit**2,
    )
    parts = []
    for name, how in ESTIMATES.items():
        numbers = [
            number
            for number, metric in enumerate(every)
            if metric.estimator == name and (only is None or number in only)
        ]
        if numbers:
            parts.append(_estimated(in_units.filter(pl.col("metric").is_in(numbers)), how, name))
    return pl.concat(parts)


def _estimated(rows: pl.LazyFrame, how: Estimate, estimator: str) -> pl.LazyFrame:
    known = _n > 0
    numerator = how.numerator.cast(pl.Float64)
    denominator = _n.cast(pl.Float64) if how.has_denominator else pl.lit(None, dtype=pl.Float64)
    value = how.scale * numerator / denominator.fill_null(1.0) if how.value is None else how.value
    low, high = how.ends(CONFIDENCE)
    bound_low, bound_high = how.ends(ONE_SIDED)
    is_nps, has_sum = pl.lit(estimator == "nps"), pl.lit(estimator not in _COUNTED)
    return (
        rows.with_columns(
            numerator=numerator,
            denominator=denominator,
            value=pl.when(known).then(value),
            value_low=pl.when(known).then(low),
            value_high=pl.when(known).then(high),
            bound_low=pl.when(known).then(bound_low),
            bound_high=pl.when(known).then(bound_high),
            interval_method=pl.lit(how.method, dtype=METHOD),
            passives=pl.when(is_nps).then(_n - pl.col("promoters") - pl.col("detractors")),
        )
        .with_columns(
            pl.when(has_sum).then(pl.col("sum", "sum_of_squares")).name.keep(),
            pl.when(is_nps).then(pl.col("promoters", "detractors")).name.keep(),
        )
        .drop("__per", "__per_unit")
    )
