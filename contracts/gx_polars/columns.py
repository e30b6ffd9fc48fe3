"""Metrics of whole columns and of the table."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import polars as pl

from .answers import Aggregate, Request
from .engine import PolarsExecutionEngine
from .internals import MAX_DISTINCT_VALUES, OutlierStatistics, from_metrics, register, shape_of
from .values import known_values


def _whole_column(
    build: Callable[[pl.Expr, Request], pl.Expr], finish: Callable[[Any], Any] = lambda value: value
) -> Callable[[Request], Aggregate]:
    return lambda request: Aggregate([build(request.inside, request)], finish)


def _distinct_count(column: pl.Expr, _: Request) -> pl.Expr:
    return column.n_unique() - (column.null_count() > 0).cast(pl.UInt32)


def _listed(found: list[Any] | None) -> list[Any]:
    return found or []


def _outside(request: Request) -> pl.Expr:
    known = known_values(request.values.get("value_set") or (), request.dtypes[0])
    return request.inside.filter(~request.inside.is_in(known.implode())).unique().sort()


def _missing(request: Request) -> Aggregate:
    values = [value for value in dict.fromkeys(request.values.get("value_set") or ()) if value is not None]
    known = known_values(values, request.dtypes[0])
    present = request.inside.filter(request.inside.is_in(known.implode())).unique()

    def finish(found: list[Any] | None) -> list[Any]:
        there = set(_listed(found))
        return [
            value
            for value in values
            if not there.issuperset(known_values([value], known.dtype).to_list() or [_NOWHERE])
        ]

    return Aggregate([present.implode()], finish)


_NOWHERE = object()


def _missing_count(request: Request) -> Aggregate:
    missing = _missing(request)
    return Aggregate(missing.parts, lambda *found: len(missing.finish(*found)))


def _limited(request: Request, answer: Aggregate) -> Aggregate:
    limit = request.values.get("limit") or MAX_DISTINCT_VALUES
    return Aggregate(answer.parts, lambda *found: answer.finish(*found)[:limit])


def quantiles(request: Request) -> Aggregate:
    """Quantiles, by the nearest value unless `allow_relative_error` names an interpolation.

    Nearest rounds halves to even ranks, as numpy does (`numpy.quantile`, method `nearest`).

    Raises:
        ValueError: The interpolation is none that polars knows.
    """
    how = request.values.get("allow_relative_error") or "nearest"
    wanted = [quantile * 100 / 100 for quantile in request.values["quantiles"]]
    column = request.inside.drop_nulls()
    if how == "nearest":
        last = column.len().cast(pl.Int64) - 1
        ranks = [(last * quantile).round(0, mode="half_to_even").cast(pl.Int64) for quantile in wanted]
        in_order = column.sort()
        return Aggregate([in_order.get(rank, null_on_oob=True) for rank in ranks], lambda *found: list(found))
    if how not in ("linear", "lower", "higher", "midpoint"):
        raise ValueError(
            f"allow_relative_error is {how!r}. Write linear, lower, higher, midpoint or nearest."
        )
    parts = [column.quantile(quantile, interpolation=how) for quantile in wanted]
    return Aggregate(parts, lambda *found: list(found))


def outlier_statistics(request: Request) -> Aggregate:
    """Where the bulk of a column lies: quartiles and their distance, or mean and standard deviation.

    Raises:
        TypeError: The column holds no numbers.
    """
    if not request.dtypes[0].is_numeric():
        raise TypeError(
            f"column {request.names[0]!r} is {request.dtypes[0]}. Outliers are looked for among numbers."
        )
    column = request.inside
    if request.values.get("method", "iqr") == "iqr":
        quartiles = [column.quantile(share, interpolation="linear") for share in (0.25, 0.75)]

        def between(lower: float | None, upper: float | None) -> OutlierStatistics:
            low, high = _finite(lower), _finite(upper)
            return OutlierStatistics(low, high, None if low is None or high is None else high - low)

        return Aggregate(quartiles, between)
    return Aggregate(
        [column.mean(), column.std()],
        lambda mean, deviation: OutlierStatistics.symmetric(_finite(mean), _finite(deviation)),
    )


def _finite(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else float(value)


def _height(request: Request) -> int | Aggregate:
    return request.subject.height if request.where is None else Aggregate([request.where.sum()], int)


def _types(request: Request) -> list[dict[str, str]]:
    return [{"name": name, "type": str(dtype)} for name, dtype in request.subject.schema.items()]


def _head(request: Request) -> Any:  # noqa: ANN401 - a pandas frame, which Great Expectations wants here
    frame = request.subject.frame.lazy()
    frame = frame if request.where is None else frame.filter(request.where)
    count = request.values.get("n_rows")
    if not request.values.get("fetch_all"):
        frame = frame.head(5 if count is None else count)
    return request.subject.collect(frame).to_pandas()


def register_columns() -> None:
    """Register every metric of this module."""
    answers: dict[str, Callable[[Request], object]] = {
        "column.max": _whole_column(lambda column, _: column.max()),
        "column.min": _whole_column(lambda column, _: column.min()),
        "column.mean": _whole_column(lambda column, _: column.mean()),
        "column.median": _whole_column(lambda column, _: column.median()),
        "column.sum": _whole_column(lambda column, _: column.sum()),
        "column.standard_deviation": _whole_column(lambda column, _: column.std()),
        "column.non_null_count": _whole_column(lambda column, _: column.count(), int),
        "column.distinct_values": _whole_column(
            lambda column, _: column.drop_nulls().unique().implode(), lambda found: set(_listed(found))
        ),
        "column.distinct_values.count": _whole_column(_distinct_count, int),
        "column.distinct_values.not_in_set.count": lambda r: Aggregate([_outside(r).len()], int),
        "column.distinct_values.not_in_set": lambda r: _limited(
            r, Aggregate([_outside(r).implode()], _listed)
        ),
        "column.distinct_values.missing_from_column.count": _missing_count,
        "column.distinct_values.missing_from_column": lambda r: _limited(r, _missing(r)),
        "column.most_common_value": _whole_column(
            lambda column, _: column.drop_nulls().mode().sort().implode(), _listed
        ),
        "column.quantile_values": quantiles,
        "column.outlier_statistics": outlier_statistics,
        "table.row_count": _height,
        "table.column_types": _types,
        "table.head": _head,
    }
    for metric in (
        "column.unique_proportion",
        "column.non_null_proportion",
        "column_values.nonnull.count",
        "column_values.null.count",
        "table.columns",
        "table.column_count",
    ):
        compute = from_metrics(metric)
        answers[metric] = lambda request, compute=compute: compute(request.metrics)
    for metric, answer in answers.items():
        register(PolarsExecutionEngine, metric, shape_of(metric), answer)
