"""Quantiles, tails and sums in order that polars has not got, as expressions.

scipy loads when one of them is evaluated that has no closed form, so that a run which asks for none does not pay for it.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from transforms.methods import student


def in_order(values: pl.Expr) -> pl.Expr:
    """The sum of floats one after the other, null counting as 0: the same bits every time.

    A plain sum does not promise that: polars drops a sort before it, and adds in whatever order rows came.
    """
    return values.fill_null(0).cum_sum().last()


def normal_tail(z: pl.Expr) -> pl.Expr:
    """P(Z > z) of a standard normal."""
    return _evaluated(student.normal_tail, z)


def student_tail(t: pl.Expr, degrees: pl.Expr) -> pl.Expr:
    """P(T > t) of Student's t."""
    return _evaluated(_student_tail, t, degrees)


def _student_tail(t: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    known = np.isfinite(t) & (degrees >= 1) & (degrees <= student.MOST_TERMS) & (degrees % 1 == 0)
    if (known | np.isnan(t) | np.isnan(degrees)).all():
        whole = np.where(known, degrees, 1).astype(np.int64)
        return np.where(known, student.tail(np.where(known, t, 0.0), whole), np.nan)
    from scipy.special import stdtr  # noqa: PLC0415 - scipy loads when it is needed

    return stdtr(degrees, -t)


def student_quantile(degrees: pl.Expr, probability: float) -> pl.Expr:
    """Quantile, above the middle, of Student's t with whole degrees; null where there is no degree of freedom."""
    return _evaluated(lambda given: student.quantile(given, 2 * probability - 1), degrees)


def beta_quantile(a: pl.Expr, b: pl.Expr, probability: pl.Expr) -> pl.Expr:
    """Quantile of a beta distribution; NaN outside its parameters."""
    return _mapped("betaincinv", a, b, probability)


def chi_square_tail(statistic: pl.Expr, degrees: pl.Expr) -> pl.Expr:
    """P(X > statistic) of a chi-square distribution."""
    return _mapped("chdtrc", degrees, statistic)


def _mapped(name: str, *terms: pl.Expr) -> pl.Expr:
    """A function of scipy.special."""

    def function(*parts: np.ndarray) -> np.ndarray:
        from scipy import special  # noqa: PLC0415 - scipy loads when it is needed

        return getattr(special, name)(*parts)

    return _evaluated(function, *terms)


def _evaluated(function: Callable[..., np.ndarray], *terms: pl.Expr) -> pl.Expr:
    """An array function of some terms, null where one is or where it is not defined."""

    def evaluate(columns: pl.Series) -> pl.Series:
        parts = [columns.struct.field(field).to_numpy() for field in columns.struct.fields]
        return pl.Series(columns.name, function(*parts)).fill_nan(None)

    # One struct, so that literals are as long as the columns beside them.
    gathered = pl.struct(term.cast(pl.Float64).alias(f"term_{i}") for i, term in enumerate(terms))
    return gathered.map_batches(evaluate, return_dtype=pl.Float64, is_elementwise=True)
