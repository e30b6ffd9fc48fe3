"""Whole microseconds as hours and minutes, to the same last digit however polars cuts its frames.

Polars divides a column by a literal with a multiplication by its reciprocal, but not where a piece of
the column has one row: the same value then differs in its last digit, and so do the published bytes.
"""

import polars as pl

MINUTE = 60_000_000
HOUR = 60 * MINUTE


def in_units(microseconds: pl.Expr, unit: int) -> pl.Expr:
    """Whole microseconds in `unit` microseconds; whole units come out exact."""
    whole = microseconds // unit
    return whole.cast(pl.Float64) + (microseconds - whole * unit).cast(pl.Float64) * (1 / unit)
