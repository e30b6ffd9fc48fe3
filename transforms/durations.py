"""Whole small units as large ones (microseconds as hours), to the same last digit however polars cuts its frames.

Polars divides a column by a literal with a multiplication by its reciprocal, but not where a piece of
the column has one row: the same value then differs in its last digit, and so do the published bytes.
"""

import polars as pl

MINUTE = 60_000_000
HOUR = 60 * MINUTE


def in_units(small: pl.Expr, unit: int) -> pl.Expr:
    """A whole number of small units in units of `unit` of them; whole units come out exact."""
    whole = small // unit
    return whole.cast(pl.Float64) + (small - whole * unit).cast(pl.Float64) * (1 / unit)
