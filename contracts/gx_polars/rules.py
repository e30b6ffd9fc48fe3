"""Every row rule of Great Expectations that this engine evaluates, each as one expression.

An expression is true for rows that keep the rule, and null just where a value is missing.
"""

from collections.abc import Callable
from functools import reduce
from itertools import combinations
from operator import add, and_, or_

import polars as pl

from .answers import Request
from .engine import PolarsExecutionEngine
from .internals import judged_by_pandas, register, shape_of
from .rows import key_rule, row_rule
from .values import alike, as_text, bound, known_values

Judge = Callable[[Request], pl.Expr]


def between(request: Request) -> pl.Expr:
    """The value lies between two bounds, either of which may be absent or strict."""
    column, dtype = request.columns[0], request.dtypes[0]
    low, high = request.values.get("min_value"), request.values.get("max_value")
    if low is not None and high is not None and low > high:
        raise ValueError(f"min_value {low} cannot be greater than max_value {high}. Swap them.")
    number = column.cast(pl.Int8) if dtype == pl.Boolean else column
    return _within(number, request, dtype)


def _within(column: pl.Expr, request: Request, dtype: pl.DataType) -> pl.Expr:
    given = request.values
    low, high = given.get("min_value"), given.get("max_value")
    if low is None and high is None:
        raise ValueError("min_value and max_value cannot both be None. Give at least one bound.")
    parts = []
    if low is not None:
        compare = column.gt if given.get("strict_min") else column.ge
        parts.append(compare(bound(low, dtype)))
    if high is not None:
        compare = column.lt if given.get("strict_max") else column.le
        parts.append(compare(bound(high, dtype)))
    return reduce(and_, parts)


def in_set(request: Request) -> pl.Expr:
    """The value is one of a set. Without a set every value is."""
    column, values = request.columns[0], request.values.get("value_set")
    if values is None:
        return column.is_not_null() | True
    return column.is_in(known_values(values, request.dtypes[0]).implode())


def not_in_set(request: Request) -> pl.Expr:
    """The value is none of a set."""
    if request.values.get("value_set") is None:
        return in_set(request)
    return ~in_set(request)


def _length(request: Request) -> pl.Expr:
    return as_text(request.columns[0], request.dtypes[0]).str.len_chars()


def _matches(request: Request, patterns: list[str]) -> list[pl.Expr]:
    text = as_text(request.columns[0], request.dtypes[0])
    return [text.str.contains(pattern) for pattern in patterns]


def match_regex_list(request: Request) -> pl.Expr:
    """The text matches any, or all, of some patterns."""
    how = request.values.get("match_on") or "any"
    if how not in ("any", "all"):
        raise ValueError(f"match_on is {how!r}. Write 'any' or 'all'.")
    return reduce(or_ if how == "any" else and_, _matches(request, request.values["regex_list"]))


def _in_order(request: Request, strict: str, loose: str) -> pl.Expr:
    column = request.columns[0]
    inside = column if request.where is None else pl.when(request.where).then(column)
    before = inside.forward_fill().shift(1)
    compare = getattr(column, strict if request.values.get("strictly") else loose)
    return compare(before)


def z_score(request: Request) -> pl.Expr:
    """The value is fewer standard deviations from the mean than a threshold; any value is when there are none."""
    mean, deviation = request.metrics["column_values.z_score.map"]
    column, limit = request.columns[0], request.values["threshold"]
    if mean is None or not deviation:
        return column.is_not_null() | True
    score = (column - mean) / deviation
    return score.abs() < abs(limit) if request.values.get("double_sided") else score < limit


def not_outliers(request: Request) -> pl.Expr:
    """The value lies inside the window that the column's own spread gives; any value does when it has none."""
    lower, upper, spread = request.metrics["column.outlier_statistics"]
    column = request.columns[0]
    if lower is None or upper is None or spread is None:
        return column.is_not_null() | True
    reach = request.values.get("multiplier", 1.5) * spread
    if request.values.get("method", "iqr") == "iqr":
        return (column >= lower - reach) & (column <= upper + reach)
    return (column - lower).abs() < reach if reach > 0 else column == lower


def _judged_in_python(metric: str) -> Judge:
    """Great Expectations' own function, called once for each distinct value."""
    judge = judged_by_pandas(f"{metric}.condition")

    def rule(request: Request) -> pl.Expr:
        arguments = dict(request.values)

        def verdicts(column: pl.Series) -> pl.Series:
            distinct = column.unique().drop_nulls()
            keeps = pl.Series(
                judge(distinct.to_pandas().astype(object), arguments).tolist(), dtype=pl.Boolean
            )
            return column.is_in(distinct.filter(keeps).implode())

        column = request.columns[0]
        inside = column if request.where is None else pl.when(request.where).then(column)
        return inside.map_batches(verdicts, return_dtype=pl.Boolean, is_elementwise=True)

    return rule


def equal_pair(request: Request) -> pl.Expr:
    """Both columns hold the same value. A missing value equals nothing."""
    pair = alike(request.columns, request.dtypes)
    return pl.all_horizontal(request.columns[0].is_null() & False) if pair is None else pair[0] == pair[1]


def a_greater_than_b(request: Request) -> pl.Expr:
    """The first column's value is greater than the second's. A missing value is not."""
    first, second = alike(request.columns, request.dtypes) or request.columns
    return first >= second if request.values.get("or_equal") else first > second


def pair_in_set(request: Request) -> pl.Expr:
    """The pair of values is one of a set of pairs; None in a pair stands for a missing value."""
    pairs = request.values.get("value_pairs_set")
    if pairs is None:
        return request.columns[0].is_not_null() | True
    return reduce(
        or_,
        (
            reduce(and_, map(_equals, request.columns, request.dtypes, pair))
            for pair in dict.fromkeys(map(tuple, pairs))
        ),
        request.columns[0].is_null() & False,
    )


def _equals(column: pl.Expr, dtype: pl.DataType, value: object) -> pl.Expr:
    if value is None:
        return column.is_null()
    known = known_values([value], dtype)
    return column.is_in(known.implode()).fill_null(value=False)


def equal_values(request: Request) -> pl.Expr:
    """All columns hold the same value, or none has any."""
    columns = alike(request.columns, request.dtypes)
    if columns is None:
        return pl.all_horizontal([column.is_null() for column in request.columns])
    return reduce(and_, [columns[0].eq_missing(column) for column in columns[1:]])


def unique_within_record(request: Request) -> pl.Expr:
    """No two of the columns hold the same value; two missing values are the same."""
    parts = []
    for (left, left_type), (right, right_type) in combinations(
        zip(request.columns, request.dtypes, strict=True), 2
    ):
        pair = alike([left, right], [left_type, right_type])
        parts.append(
            left.is_not_null() | right.is_not_null() if pair is None else pair[0].ne_missing(pair[1])
        )
    return reduce(and_, parts)


def register_rules() -> None:
    """Register every rule of this module."""
    simple: dict[str, Judge] = {
        "column_values.between": between,
        "column_values.in_set": in_set,
        "column_values.not_in_set": not_in_set,
        "column_values.value_length.between": lambda r: _within(_length(r), r, pl.UInt32()),
        "column_values.value_length.equals": lambda r: _length(r) == r.values["value"],
        "column_values.match_regex": lambda r: _matches(r, [r.values["regex"]])[0],
        "column_values.not_match_regex": lambda r: ~_matches(r, [r.values["regex"]])[0],
        "column_values.match_regex_list": match_regex_list,
        "column_values.not_match_regex_list": lambda r: ~reduce(or_, _matches(r, r.values["regex_list"])),
        "column_values.z_score.under_threshold": z_score,
        "column_values.not_outliers": not_outliers,
    }
    for metric, judge in simple.items():
        row_rule(metric, judge)
    row_rule("column_values.increasing", lambda r: _in_order(r, "gt", "ge"), looks_back=True)
    row_rule("column_values.decreasing", lambda r: _in_order(r, "lt", "le"), looks_back=True)
    for name in ("json_parseable", "dateutil_parseable", "match_json_schema", "match_strftime_format"):
        row_rule(f"column_values.{name}", _judged_in_python(f"column_values.{name}"))
    strict: dict[str, Judge] = {
        "column_values.nonnull": lambda r: r.columns[0].is_not_null(),
        "column_values.null": lambda r: r.columns[0].is_null(),
        "column_pair_values.equal": equal_pair,
        "column_pair_values.a_greater_than_b": a_greater_than_b,
        "column_pair_values.in_set": pair_in_set,
        "multicolumn_sum.equal": lambda r: reduce(add, r.columns) == r.values["sum_total"],
        "multicolumn_values.equal": equal_values,
        "select_column_values.unique.within_record": unique_within_record,
    }
    for metric, judge in strict.items():
        row_rule(metric, judge, null_passes=False)
    key_rule("column_values.unique")
    key_rule("compound_columns.unique")
    for metric, answer in {
        "column_values.value_length.map": lambda _: None,
        "column_values.z_score.map": lambda r: (
            r.metrics["column.mean"],
            r.metrics["column.standard_deviation"],
        ),
    }.items():
        register(PolarsExecutionEngine, metric, shape_of(metric), answer)
