"""How far a value may be believed: interval estimates, as expressions over sums.

Every function takes expressions and returns the lower and upper end. `z` is the two-sided normal
quantile, 1.96 for 95 %.

Convention: proportions have the Wilson interval unless coverage must never fall below the confidence,
which Clopper-Pearson keeps at the price of width (Newcombe 1998a).
"""

from statistics import NormalDist
from typing import Literal

import polars as pl

from transforms.methods import student
from transforms.methods.distributions import beta_quantile
from transforms.methods.ranks import low_ranks

Ends = tuple[pl.Expr, pl.Expr]


def z_of(confidence: float, sides: Literal[1, 2] = 2) -> float:
    """The normal quantile of a confidence level: 1.959964 for 0.95, 1.644854 for one side of it."""
    return NormalDist().inv_cdf(confidence if sides == 1 else (1 + confidence) / 2)


def wald(good: pl.Expr, n: pl.Expr, z: float) -> Ends:
    """Wald interval of a proportion, cut to 0..1: for comparison only.

    Its width is zero at none and at all, and it covers less than it says.
    Reproduces: prop_01_newcombe_single_a.
    """
    share = good / n
    half = z * (share * (1 - share) / n).sqrt()
    return (share - half).clip(0, None), (share + half).clip(None, 1)


def wilson(good: pl.Expr, n: pl.Expr, z: float) -> Ends:
    """Wilson score interval of a proportion (Wilson 1927). Exactly 0 at none, exactly 1 at all.

    Reproduces: prop_01_newcombe_single_a.
    """
    centre = (good + z * z / 2) / (n + z * z)
    half = z * (good * (n - good) / n + z * z / 4).sqrt() / (n + z * z)
    low = pl.when(good == 0).then(0.0).otherwise(centre - half)
    high = pl.when(good == n).then(1.0).otherwise(centre + half)
    return low, high


def agresti_coull(good: pl.Expr, n: pl.Expr, z: float) -> Ends:
    """Agresti-Coull interval of a proportion, cut to 0..1 (Agresti and Coull 1998).

    The Wald interval after z^2 / 2 of either kind are added.
    Reproduces: prop_02_agresti_coull.
    """
    return wald(good + z * z / 2, n + z * z, z)


def clopper_pearson(good: pl.Expr, n: pl.Expr, confidence: float, sides: Literal[1, 2] = 2) -> Ends:
    """Clopper-Pearson interval of a proportion: coverage never below the confidence.

    Beta quantiles (Clopper and Pearson 1934). Exactly 0 at none, exactly 1 at all.
    Reproduces: prop_01_newcombe_single_a.

    Args:
        good: How many are good.
        n: How many there are.
        confidence: Of both ends together, or of each end alone when `sides` is 1.
        sides: Ends that share the error.
    """
    tail = (1 - confidence) / sides
    low = beta_quantile(good, n - good + 1, pl.lit(tail))
    high = beta_quantile(good + 1, n - good, pl.lit(1 - tail))
    return pl.when(good == 0).then(0.0).otherwise(low), pl.when(good == n).then(1.0).otherwise(high)


def newcombe(first: Ends, second: Ends, share_first: pl.Expr, share_second: pl.Expr) -> Ends:
    """Newcombe's hybrid interval of a difference of two independent proportions, first minus second.

    The ends of the two intervals are combined by squares: with Wilson's it is Newcombe's method 10
    (Newcombe 1998b).
    """
    difference = share_first - share_second
    down = (share_first - first[0]) ** 2 + (second[1] - share_second) ** 2
    up = (first[1] - share_first) ** 2 + (share_second - second[0]) ** 2
    return difference - down.sqrt(), difference + up.sqrt()


def adjusted_wald_nps(promoters: pl.Expr, detractors: pl.Expr, n: pl.Expr, z: float) -> Ends:
    """Adjusted Wald interval of a net promoter score, in points (Rocks 2016).

    Three answers are added: three quarters promoters, three quarters detractors, the rest passive.
    Not clipped to -100..100.
    Reproduces: nps_04_adjusted_wald.
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
    found = student.quantile(degrees.cast(pl.Float64).to_numpy(), confidence)
    return pl.Series(degrees.name, found).fill_nan(None)


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


def order_statistic_ranks(n: pl.Expr, quantile: float, confidence: float) -> Ends:
    """Ranks (from 0) whose values enclose a quantile, distribution-free (Conover 1999, 3.2).

    By the binomial distribution itself: the nearest ranks beyond which lies at most half of what the confidence leaves.
    An end is null where the sample is too small for it.
    """
    tail = (1 - confidence) / 2
    low, from_above = (
        n.map_batches(
            lambda sizes, share=share: pl.Series(
                sizes.name, low_ranks(sizes.fill_null(0).to_numpy(), share, tail)
            ),
            return_dtype=pl.Int64,
            is_elementwise=True,
        )
        for share in (quantile, 1 - quantile)
    )
    return pl.when(low >= 0).then(low), pl.when(from_above >= 0).then(n - 1 - from_above)
