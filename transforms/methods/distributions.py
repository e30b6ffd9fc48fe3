"""Quantiles, tails and sums in order that polars has not got, as expressions.

scipy loads when the first of them is evaluated, so that a run which asks for none does not pay for it.
"""

from collections.abc import Callable

import numpy as np
import polars as pl


def in_order(values: pl.Expr) -> pl.Expr:
    """The sum of floats one after the other, null counting as 0: the same bits every time.

    A plain sum does not promise that: polars drops a sort before it, and adds in whatever order rows came.
    """
    return values.fill_null(0).cum_sum().last()


def normal_tail(z: pl.Expr) -> pl.Expr:
    """P(Z > z) of a standard normal."""
    return _mapped("ndtr", -z)


def student_tail(t: pl.Expr, degrees: pl.Expr) -> pl.Expr:
    """P(T > t) of Student's t."""
    return _mapped("stdtr", degrees, -t)


def student_quantile(degrees: pl.Expr, probability: float) -> pl.Expr:
    """Quantile of Student's t; null where there is no degree of freedom."""
    found = _mapped("stdtrit", degrees.cast(pl.Float64), pl.lit(probability))
    return pl.when(degrees >= 1).then(found)


def beta_quantile(a: pl.Expr, b: pl.Expr, probability: pl.Expr) -> pl.Expr:
    """Quantile of a beta distribution; NaN outside its parameters."""
    return _mapped("betaincinv", a, b, probability)


def chi_square_tail(statistic: pl.Expr, degrees: pl.Expr) -> pl.Expr:
    """P(X > statistic) of a chi-square distribution."""
    return _mapped("chdtrc", degrees, statistic)


def _mapped(name: str, *terms: pl.Expr) -> pl.Expr:
    def evaluate(columns: pl.Series) -> pl.Series:
        from scipy import special  # noqa: PLC0415 - scipy loads when a tail is asked for

        function: Callable[..., np.ndarray] = getattr(special, name)
        parts = [columns.struct.field(field).to_numpy() for field in columns.struct.fields]
        return pl.Series(columns.name, function(*parts)).fill_nan(None)

    # One struct, so that literals are as long as the columns beside them.
    gathered = pl.struct(term.cast(pl.Float64).alias(f"term_{i}") for i, term in enumerate(terms))
    return gathered.map_batches(evaluate, return_dtype=pl.Float64, is_elementwise=True)
