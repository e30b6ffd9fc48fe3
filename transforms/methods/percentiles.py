"""Percentiles by the named definitions: on small samples they differ in the digits people look at."""

import polars as pl

PLOTTING = {4: (0.0, 1.0), 5: (0.5, 0.5), 6: (0.0, 0.0), 7: (1.0, 1.0), 8: (1 / 3, 1 / 3), 9: (0.375, 0.375)}
"""Alpha and beta of Hyndman and Fan's continuous types."""


def percentile(values: pl.Expr, quantile: float, kind: int = 7) -> pl.Expr:
    """A quantile of complete observations, for `agg` or `select`; null without any.

    Between the ordered values at place p (n + 1 - alpha - beta) + alpha, counted from 1. Unit: the values'.
    Source: Hyndman and Fan 1996, American Statistician 50:361-365; NIST/SEMATECH 7.2.6.2.
    Convention: type 7, which is linear in polars, numpy, DuckDB's quantile_cont and spreadsheets. Type 6 is
    NIST's and Minitab's p (n + 1). With open cases take `survival_quantile`.
    Reproduces: quantile_01_nist.

    Args:
        values: Observations; nulls are left out.
        quantile: From 0 to 1.
        kind: Type 4 to 9.
    """
    alpha, beta = PLOTTING[kind]
    ordered = values.drop_nulls().sort()
    n = ordered.len()
    place = (quantile * (n + 1 - alpha - beta) + alpha).clip(1, n) - 1
    below = place.floor().cast(pl.Int64)
    above = pl.min_horizontal(below + 1, n.cast(pl.Int64) - 1)
    low, high = (ordered.gather(rank.clip(0, None), null_on_oob=True).first() for rank in (below, above))
    return low + (high - low) * (place - below)
