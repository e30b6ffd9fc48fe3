"""Python values and columns of different types, made comparable."""

from collections.abc import Collection
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl

from .internals import parse_instant


def as_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A column as text. Flags read `True` and `False`, as in Python; numbers as polars writes them."""
    if dtype == pl.String:
        return column
    if dtype == pl.Boolean:
        return pl.when(column).then(pl.lit("True")).when(~column).then(pl.lit("False"))
    return column.cast(pl.String)


def bound(value: Any, dtype: pl.DataType) -> Any:  # noqa: ANN401 - what users write as a bound
    """A bound for a column: instants may be written as text, and are taken to the column's time zone.

    Raises:
        TypeError: An instant with a time zone meets a column without, or the other way round.
    """
    if isinstance(value, str) and dtype.is_temporal():
        value = parse_instant(value)
    if isinstance(value, datetime) and isinstance(dtype, pl.Datetime):
        if (value.tzinfo is None) != (dtype.time_zone is None):
            raise TypeError(f"the bound {value} and a column of type {dtype} disagree on having a time zone.")
        if dtype.time_zone is not None:
            return pl.lit(value).dt.convert_time_zone(dtype.time_zone)
    return value


def family(dtype: pl.DataType) -> str:
    """Types of one family can be compared with each other; flags count as numbers, as in Python."""
    if dtype.is_numeric() or dtype == pl.Boolean:
        return "number"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    if dtype in (pl.Date, pl.Datetime):
        return "instant"
    return str(dtype)


def alike(columns: Collection[pl.Expr], dtypes: Collection[pl.DataType]) -> list[pl.Expr] | None:
    """Columns that can be compared with each other; None when their types have nothing in common."""
    if len({family(dtype) for dtype in dtypes}) > 1:
        return None
    return [
        column.cast(pl.Int8) if dtype == pl.Boolean and set(dtypes) != {pl.Boolean} else column
        for column, dtype in zip(columns, dtypes, strict=True)
    ]


def known_values(values: Collection[Any], dtype: pl.DataType) -> pl.Series:
    """Those of some values that a column of this type can hold, as that type.

    What it cannot hold (a text for a number, 1.5 for a whole number) equals none of its values and is left out.
    """
    if dtype in (pl.Categorical, pl.Enum, pl.String):
        return pl.Series([value for value in values if isinstance(value, str)], dtype=pl.String)
    if dtype.is_numeric():
        return _known_numbers(values, dtype)
    if dtype == pl.Boolean:
        return pl.Series(
            [bool(value) for value in values if _is_number(value) and value in (0, 1)], dtype=dtype
        )
    if dtype in (pl.Date, pl.Datetime):
        return _known_instants(values, dtype)
    return pl.Series([value for value in values if value is not None], dtype=dtype)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and value == value  # noqa: PLR0124 - NaN differs from itself


def _known_numbers(values: Collection[Any], dtype: pl.DataType) -> pl.Series:
    numbers = [value for value in values if _is_number(value)]
    if not dtype.is_integer():
        return pl.Series([float(value) for value in numbers], dtype=pl.Float64).cast(dtype)
    whole = [int(value) for value in numbers if value == value // 1]
    return pl.Series(whole, dtype=pl.Int128).cast(dtype, strict=False).drop_nulls()


def _known_instants(values: Collection[Any], dtype: pl.DataType) -> pl.Series:
    known = []
    for value in values:
        if isinstance(value, str):
            try:
                known.append(parse_instant(value))
            except (ValueError, OverflowError):
                continue
        elif isinstance(value, date):
            known.append(value)
    instants = [
        value if isinstance(value, datetime) else datetime.combine(value, time.min) for value in known
    ]
    zone = getattr(dtype, "time_zone", None)
    fitting = [value for value in instants if (value.tzinfo is None) == (zone is None)]
    if dtype == pl.Date:
        return pl.Series(
            [value.date() for value in fitting if value == value.combine(value.date(), value.min.time())],
            dtype=pl.Date,
        )
    return pl.Series(fitting, dtype=pl.Datetime("us", zone and "UTC")).cast(dtype)
