"""Proportions compared: two with an interval, a test, and many at once."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import polars as pl

from transforms import intervals
from transforms.methods.distributions import chi_square_tail, normal_tail

Sided = Literal["two", "greater", "less"]


class Difference(NamedTuple):
    """A difference of two proportions and its interval.

    Attributes:
        value: First minus second.
        low: Lower end.
        high: Upper end.
    """

    value: pl.Expr
    low: pl.Expr
    high: pl.Expr


class Test(NamedTuple):
    """A test's statistic and p-value.

    Attributes:
        statistic: z or chi-square.
        p_value: Chance of as much under no difference.
    """

    statistic: pl.Expr
    p_value: pl.Expr


def share_difference(first: tuple[pl.Expr, pl.Expr], second: tuple[pl.Expr, pl.Expr], z: float) -> Difference:
    """Difference of two independent proportions with Newcombe's hybrid-score interval.

    Unit: share. Source: Newcombe 1998b, Statistics in Medicine 17:873-890, method 10.
    Convention: first minus second, so that before/after is `share_difference(after, before)`.
    Reproduces: prop_03_newcombe_diff_a.

    Args:
        first: Good and n of the first.
        second: Good and n of the second.
        z: Two-sided normal quantile.
    """
    ends = [intervals.wilson(good, n, z) for good, n in (first, second)]
    shares = [good / n for good, n in (first, second)]
    low, high = intervals.newcombe(ends[0], ends[1], shares[0], shares[1])
    return Difference(shares[0] - shares[1], low, high)


def pooled_z_test(
    first: tuple[pl.Expr, pl.Expr], second: tuple[pl.Expr, pl.Expr], sided: Sided = "two"
) -> Test:
    """Test of equal proportions: the difference over root (p (1 - p) (1 / n1 + 1 / n2)), p pooled.

    Source: Fleiss 1981. Convention: no continuity correction; z is null where all or none are good.

    Args:
        first: Good and n of the first.
        second: Good and n of the second.
        sided: two, or whether the first is greater or less.
    """
    (good_1, n_1), (good_2, n_2) = first, second
    pooled = (good_1 + good_2) / (n_1 + n_2)
    error = (pooled * (1 - pooled) * (1 / n_1 + 1 / n_2)).sqrt()
    z = pl.when(error > 0).then((good_1 / n_1 - good_2 / n_2) / error)
    tails = {"two": 2 * normal_tail(z.abs()), "greater": normal_tail(z), "less": normal_tail(-z)}
    return Test(z, tails[sided])


def equal_shares_test(good: pl.Expr, n: pl.Expr) -> Test:
    """Test that the proportions of a group's rows are equal, for `agg` or `select`.

    chi-square = sum of (good - n p)^2 / (n p (1 - p)), p pooled; rows less one degrees of freedom.
    Source: Fleiss 1981; R's prop.test.
    Reproduces: prop_04_k_samples.
    """
    pooled = good.sum() / n.sum()
    statistic = ((good - n * pooled) ** 2 / (n * pooled * (1 - pooled))).sum()
    return Test(statistic, chi_square_tail(statistic, n.count() - 1))


def fisher_exact(table: Sequence[Sequence[int]], sided: Sided = "two") -> float:
    """Fisher's exact p-value of a 2 x 2 table, for counts too small for a z test (Fisher 1935).

    Args:
        table: Rows of good and not good, one row a group.
        sided: two, or whether the first row's odds are greater or less.
    """
    from scipy.stats import fisher_exact as exact  # noqa: PLC0415 - scipy.stats is slow to load

    alternative = {"two": "two-sided"}.get(sided, sided)
    return float(exact(table, alternative=alternative).pvalue)
