"""Sums of fractions that do not depend on the order of their terms."""

import polars as pl

_STEPS = 2.0**40


def summed(term: pl.Expr) -> pl.Expr:
    """The sum of a term, counted in whole steps of 2 to the -40 (about 1e-12): the same in any order.

    A sum of floats depends on the order of its terms, which a group does not have; a sort before it is
    optimised away, because a sum has no order. Null terms add nothing.
    """
    return (term * _STEPS).round().cast(pl.Int128).sum().cast(pl.Float64) / _STEPS
