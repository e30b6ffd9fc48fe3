"""How far a value may be believed: interval estimates, as expressions over sums.

Every function takes expressions and returns the lower and upper end. `z` is the two-sided normal
quantile, 1.96 for 95 %.
"""

from statistics import NormalDist

import numpy as np
import polars as pl

Ends = tuple[pl.Expr, pl.Expr]


def z_of(confidence: float) -> float:
    """The two-sided normal quantile of a confidence level: 1.959964 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(good: pl.Expr, n: pl.Expr, z: float) -> Ends:
    """Wilson score interval of a proportion (Wilson 1927). Exactly 0 at none, exactly 1 at all."""
    centre = (good + z * z / 2) / (n + z * z)
    half = z * (good * (n - good) / n + z * z / 4).sqrt() / (n + z * z)
    low = pl.when(good == 0).then(0.0).otherwise(centre - half)
    high = pl.when(good == n).then(1.0).otherwise(centre + half)
    return low, high


def adjusted_wald_nps(promoters: pl.Expr, detractors: pl.Expr, n: pl.Expr, z: float) -> Ends:
    """Adjusted Wald interval of a net promoter score, in points (Rocks 2016).

    Three answers are added: three quarters promoters, three quarters detractors, the rest passive.
    Not clipped to -100..100.
    """
    size = n + 3
    up, down = (promoters + 0.75) / size, (detractors + 0.75) / size
    centre = up - down
    half = z * ((up + down - centre * centre) / size).sqrt()
    return 100 * (centre - half), 100 * (centre + half)


def student_t(mean: pl.Expr, variance: pl.Expr, n: pl.Expr, t: pl.Expr) -> Ends:
    """Student's interval of a mean; null below two observations.

    Args:
        mean: Sample mean.
        variance: Sample variance, n - 1 in the denominator.
        n: Observations.
        t: Two-sided quantile of Student's t with n - 1 degrees of freedom.
    """
    half = pl.when(n > 1).then(t * (variance / n).sqrt())
    return mean - half, mean + half


def t_quantiles(degrees: pl.Series, confidence: float) -> pl.Series:
    """Two-sided quantiles of Student's t; null where there is no degree of freedom."""
    from scipy.special import stdtrit  # noqa: PLC0415 - scipy loads only when a mean is scored

    usable = degrees.cast(pl.Float64).fill_null(0.0).to_numpy()
    found = stdtrit(np.maximum(usable, 1), (1 + confidence) / 2)
    return pl.Series(degrees.name, np.where(usable >= 1, found, np.nan)).fill_nan(None)


def byar(count: pl.Expr, z: float) -> Ends:
    """Byar's interval of a Poisson count (Breslow and Day 1987). Exactly 0 at none."""
    k = count.cast(pl.Float64)
    low = pl.when(k > 0).then(k * (1 - 1 / (9 * k) - z / (3 * k.sqrt())).clip(0, None) ** 3)
    up = k + 1
    high = up * (1 - 1 / (9 * up) + z / (3 * up.sqrt())) ** 3
    return low.fill_null(0.0), high


def compound_poisson(total: pl.Expr, squares: pl.Expr, z: float) -> Ends:
    """Interval of a sum whose number of terms is random: its variance is the sum of squares."""
    half = z * squares.sqrt()
    return total - half, total + half


def order_statistic_ranks(n: pl.Expr, quantile: float, z: float) -> Ends:
    """Ranks (from 0) whose values enclose a quantile, distribution-free (Conover 1999, 3.2).

    Null where the sample is too small to enclose it.
    """
    half = z * (n * quantile * (1 - quantile)).sqrt()
    low, high = (n * quantile - half).floor() - 1, (n * quantile + half).ceil()
    inside = (low >= 0) & (high <= n - 1)
    return pl.when(inside).then(low), pl.when(inside).then(high)
