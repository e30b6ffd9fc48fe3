"""Which rows a metric is about: row conditions and rows to be left out, as polars expressions.

Comparisons follow Great Expectations' pandas engine: a missing value differs from everything, so `!=` and
`NOT_IN` keep it. A condition given as text is SQL, whatever its `condition_parser` says.
"""

from collections.abc import Mapping
from functools import reduce
from operator import and_, or_
from typing import Any

import polars as pl

from .internals import Operator, PassThroughCondition, deserialize_row_condition


def domain_of(domain: Mapping[str, Any]) -> pl.Expr | None:
    """Rows inside a domain, never null; None when that is all of them.

    Raises:
        ValueError: `ignore_row_if` is not one of Great Expectations' words.
    """
    parts = [_row_condition(domain.get("row_condition")), _complete_enough(domain)]
    kept = [part for part in parts if part is not None]
    return reduce(and_, kept).fill_null(value=False) if kept else None


def _row_condition(written: object) -> pl.Expr | None:
    if not written:
        return None
    condition = deserialize_row_condition(written)
    return pl.sql_expr(condition) if isinstance(condition, str) else clause_of(condition)


def clause_of(condition: Any) -> pl.Expr:  # noqa: ANN401 - the tree's classes share no public base
    """A row condition as an expression."""
    if isinstance(condition, PassThroughCondition):
        return pl.sql_expr(condition.pass_through_filter)
    if condition.type in ("and", "or"):
        return reduce(and_ if condition.type == "and" else or_, map(clause_of, condition.conditions))
    column = pl.col(condition.column.name)
    if condition.type == "nullity":
        return column.is_null() if condition.is_null else column.is_not_null()
    return _compare(column, Operator(condition.operator), condition.parameter)


def _compare(column: pl.Expr, operator: Operator, value: Any) -> pl.Expr:  # noqa: ANN401 - what users compare with
    if operator in (Operator.IN, Operator.NOT_IN):
        known = column.is_in(list(value)).fill_null(value=False)
        return known if operator is Operator.IN else ~known
    compare = {
        Operator.EQUAL: column.eq,
        Operator.NOT_EQUAL: column.ne_missing,
        Operator.LESS_THAN: column.lt,
        Operator.LESS_THAN_OR_EQUAL: column.le,
        Operator.GREATER_THAN: column.gt,
        Operator.GREATER_THAN_OR_EQUAL: column.ge,
    }[operator]
    return compare(value)


def _complete_enough(domain: Mapping[str, Any]) -> pl.Expr | None:
    rule = domain.get("ignore_row_if")
    if rule in (None, "neither", "never"):
        return None
    names = [domain["column_A"], domain["column_B"]] if "column_A" in domain else domain["column_list"]
    present = [pl.col(name).is_not_null() for name in names]
    if rule in ("both_values_are_missing", "all_values_are_missing"):
        return pl.any_horizontal(present)
    if rule in ("either_value_is_missing", "any_value_is_missing"):
        return pl.all_horizontal(present)
    raise ValueError(f"ignore_row_if is {rule!r}. Write one of Great Expectations' four words for it.")
