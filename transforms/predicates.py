"""Conditions as expressions: over stored codes for events, over plain values for cases."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import polars as pl

from contracts.events import Codebook
from contracts.predicates import Condition, Operator, Scalar, Where

COMPARE = {
    ">=": pl.Expr.ge,
    ">": pl.Expr.gt,
    "<=": pl.Expr.le,
    "<": pl.Expr.lt,
}

CODES_MAX = 1 << 16
"""Of columns with more values than these a condition is looked at event by event."""


def all_hold(conditions: Iterable[pl.Expr]) -> pl.Expr:
    """All conditions at once; true when there is none."""
    return pl.all_horizontal(pl.lit(value=True), *conditions)


def coded(column: str, condition: Condition, codebook: Codebook) -> pl.Expr:
    """The condition over a stored column: codes for texts, numbers as they are. Never null."""
    name = codebook.column(column)
    stored = pl.col(name)
    if not codebook.is_coded(name):
        return plain(name, condition)
    codes = accepted_codes(name, condition, codebook)
    if condition.bounds:
        # A text attribute that holds numbers: compare its values once, then select codes.
        values = codebook.series(name).cast(pl.Float64, strict=False)
        kept = _bounded(pl.col(name), condition.bounds).fill_null(value=False)
        codes = pl.DataFrame({name: values}).select(kept.arg_true()).to_series().to_list()
    return stored.cast(pl.UInt32).is_in(pl.Series(codes, dtype=pl.UInt32).implode())


def accepted_codes(column: str, condition: Condition, codebook: Codebook) -> list[int]:
    """Codes of the values that equality accepts; `*` in a value stands for any text."""
    known = codebook.values.get(column, ())
    missing = [0] if None in condition.any_of else []
    texts = [as_text(value) for value in condition.any_of if value is not None]
    return missing + [
        code for code, value in enumerate(known, start=1) if any(fnmatchcase(value, t) for t in texts)
    ]


def as_text(value: Scalar) -> str:
    """A scalar of YAML as the text a feed would have: 3, not 3.0; true, not True."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def plain(column: str, condition: Condition) -> pl.Expr:
    """The condition over a column of plain values. Never null."""
    stored = pl.col(column)
    if condition.bounds:
        return _bounded(stored, condition.bounds).fill_null(value=False)
    given = [value for value in condition.any_of if value is not None]
    accepted = [stored == value for value in given]
    if None in condition.any_of:
        accepted.append(stored.is_null())
    return pl.any_horizontal(*accepted).fill_null(value=False)


def where_coded(where: Where, codebook: Codebook) -> pl.Expr:
    """All conditions over stored events."""
    return all_hold(coded(column, condition, codebook) for column, condition in where.items())


@dataclass(frozen=True)
class Split:
    """Conditions over stored events: those that are looked up, and those that are not.

    Attributes:
        by_code: By column of few values, whether all conditions on it hold, by code.
        columns: Columns that all others are on.
        rest: Whether all others hold; None where there are none.
    """

    by_code: Mapping[str, np.ndarray]
    columns: Sequence[str]
    rest: pl.Expr | None


def split(where: Where, codebook: Codebook) -> Split:
    """Conditions by how arrays look at them."""
    by_code: dict[str, np.ndarray] = {}
    others: dict[str, list[pl.Expr]] = {}
    for name, condition in where.items():
        column, holds = codebook.column(name), coded(name, condition, codebook)
        if not codebook.is_coded(column) or len(codebook.values.get(column, ())) >= CODES_MAX:
            others.setdefault(column, []).append(holds)
            continue
        codes = np.arange(len(codebook.values.get(column, ())) + 1, dtype=np.uint32)
        found = pl.DataFrame({column: codes}).with_columns(__holds=all_hold([holds]))["__holds"].to_numpy()
        by_code[column] = by_code[column] & found if column in by_code else found
    rest = [holds for column in sorted(others) for holds in others[column]]
    return Split(by_code, sorted(others), all_hold(rest) if rest else None)


def where_plain(where: Where) -> pl.Expr:
    """All conditions over plain values."""
    return all_hold(plain(column, condition) for column, condition in where.items())


def _bounded(values: pl.Expr, bounds: Iterable[tuple[Operator, float]]) -> pl.Expr:
    return all_hold(COMPARE[operator](values, limit) for operator, limit in bounds)
