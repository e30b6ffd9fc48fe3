"""What follows from a row rule's mask: counts, samples, row numbers. Registers a rule with all of it."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from .answers import Aggregate, Condition, Request, Rows
from .engine import PolarsExecutionEngine
from .internals import MAX_RESULT_RECORDS, Shape, register, shape_of

Build = Callable[[Request], pl.Expr]


def row_rule(
    metric: str,
    expected: Build,
    *,
    shape: Shape | None = None,
    null_passes: bool = True,
    looks_back: bool = False,
) -> None:
    """Register a rule that judges single rows.

    Args:
        metric: Its name.
        expected: Makes the expression that is true for rows that keep the rule.
        shape: How it is addressed; taken from Great Expectations when it knows the rule.
        null_passes: Whether a row on which the expression is null keeps the rule.
        looks_back: Whether a row is judged by rows before it.
    """

    def condition(request: Request) -> Condition:
        request.require(request.names)
        broken = (~expected(request)).fill_null(value=not null_passes)
        if request.where is not None:
            broken = broken & request.where
        return Condition(broken, request.where, request.names, looks_back=looks_back)

    _register(metric, condition, shape or shape_of(f"{metric}.condition"))


def key_rule(metric: str) -> None:
    """Register a rule that columns are unique together."""

    def condition(request: Request) -> Condition:
        shown = pl.struct(request.names).is_duplicated()
        return Condition(shown, request.where, request.names, keys=request.names)

    _register(metric, condition, shape_of(f"{metric}.condition"))


def repeat_rule(metric: str, shape: Shape) -> None:
    """Register a rule that rows repeat no earlier one in some columns."""

    def condition(request: Request) -> Condition:
        shown = ~pl.struct(request.names).is_first_distinct()
        return Condition(
            shown, request.where, request.names, keys=list(dict.fromkeys(request.names)), spares_first=True
        )

    _register(metric, condition, shape)


def _register(metric: str, condition: Callable[[Request], Condition], shape: Shape) -> None:
    with_format = Shape(shape.provider, shape.domain_keys, (*shape.value_keys, "result_format"))
    register(PolarsExecutionEngine, f"{metric}.condition", shape, condition)
    register(PolarsExecutionEngine, f"{metric}.unexpected_count", shape, _count)
    for suffix, answer in _FROM_MASK.items():
        register(PolarsExecutionEngine, f"{metric}.{suffix}", with_format, answer)


def _condition(request: Request) -> Condition:
    return request.metrics["unexpected_condition"]


def _count(request: Request) -> int:
    return int(_condition(request).found.sum())


def _limit(request: Request, whole: int | None) -> int | None:
    wanted = request.values["result_format"]
    return whole if wanted["result_format"] == "COMPLETE" else wanted["partial_unexpected_count"]


def _sample(request: Request) -> pl.Series:
    limit = _limit(request, MAX_RESULT_RECORDS) or 0
    return _condition(request).rows.head(min(limit, MAX_RESULT_RECORDS))


def _values(request: Request) -> Rows:
    names, pair = _condition(request).names, "column_A" in request.domain

    def finish(taken: pl.DataFrame) -> list[Any]:
        if "column" in request.domain:
            return taken.to_series().to_list()
        return (
            taken.select(pl.col(name).alias(str(n)) for n, name in enumerate(names)).rows()
            if pair
            else taken.to_dicts()
        )

    return Rows(_sample(request), list(dict.fromkeys(names)), finish)


def _numbers(request: Request) -> list[int] | Rows:
    condition, wanted = _condition(request), request.values["result_format"]
    limit = _limit(request, None)
    found = condition.rows
    rows = found if limit is None else found.head(limit)
    keys: Sequence[str] = wanted.get("unexpected_index_column_names") or ()
    if not keys:
        return rows.to_list()
    keys = [keys] if isinstance(keys, str) else keys
    request.require(keys)
    if wanted.get("exclude_unexpected_values"):
        # as Great Expectations does: keys alone are given in full, whatever the limit
        return Rows(found, keys, lambda taken: [taken.to_dict(as_series=False)] if taken.height else [])
    return Rows(rows, list(dict.fromkeys([*condition.names, *keys])), pl.DataFrame.to_dicts)


def _whole_rows(request: Request) -> Rows:
    return Rows(_sample(request), list(request.subject.schema), pl.DataFrame.to_dicts)


def _query(request: Request) -> str | None:
    if request.values["result_format"].get("return_unexpected_index_query") is False:
        return None
    condition = _condition(request)
    inside = "" if condition.where is None else f".filter({condition.where})"
    return f"df{inside}.filter({condition.unexpected})"


def _inside(request: Request) -> int | Aggregate:
    return request.subject.height if request.where is None else Aggregate([request.where.sum()], int)


_FROM_MASK: dict[str, Callable[[Request], object]] = {
    "unexpected_values": _values,
    "unexpected_index_list": _numbers,
    "unexpected_index_query": _query,
    "unexpected_rows": _whole_rows,
    "filtered_row_count": _inside,
}
