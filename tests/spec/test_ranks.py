"""# Ranks of quantiles

Between which of n values in order a quantile lies, whatever the distribution: exactly, by the binomial distribution.
"""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from transforms.intervals import order_statistic_ranks
from transforms.methods.ranks import EXACT_SPREAD, low_ranks


def ends(n: int, quantile: float, confidence: float = 0.95) -> tuple[int | None, int | None]:
    """Which values in order, from the first, are the ends of the interval."""
    found = pl.select(
        *(
            one.alias(name)
            for one, name in zip(order_statistic_ranks(pl.lit(n), quantile, confidence), "lh", strict=True)
        )
    ).row(0)
    low, high = (None if one is None else one + 1 for one in found)
    return low, high


@pytest.mark.parametrize(
    ("n", "quantile", "expected"),
    [
        pytest.param(5, 0.5, (None, None), id="all five are above a median 3.1 % of the time"),
        pytest.param(6, 0.5, (1, 6), id="all six are 1.6 % of the time"),
        pytest.param(10, 0.5, (2, 9), id="at most one of ten 1.07 %, at most two 5.5 %"),
        pytest.param(20, 0.5, (6, 15), id="as the sign test's tables have it"),
        pytest.param(80, 0.5, (31, 50), id="of eighty"),
        pytest.param(1, 0.9, (None, None), id="one value is above a ninth decile 10 % of the time"),
        pytest.param(2, 0.9, (1, None), id="both of two are above it 1 % of the time"),
        pytest.param(35, 0.9, (28, None), id="all of 35 are below it 2.503 % of the time"),
        pytest.param(36, 0.9, (29, 36), id="all of 36 are 2.25 % of the time"),
    ],
)
def test_ends_are_the_nearest_ranks_that_leave_a_fortieth_on_either_side(n, quantile, expected):
    assert ends(n, quantile) == expected


@pytest.mark.parametrize("quantile", [0.01, 0.1, 0.5, 0.75, 0.9, 0.99])
@pytest.mark.parametrize("tail", [0.025, 0.05])
def test_the_tail_is_never_larger_and_the_next_rank_would_be(quantile: float, tail: float):
    most = int(EXACT_SPREAD / (quantile * (1 - quantile)))
    n = np.unique(np.concatenate([np.arange(3000), np.geomspace(3000, most - 1, 500).astype(np.int64)]))
    rank = low_ranks(n, quantile, tail)
    assert (binom.cdf(rank, n, quantile) <= tail).all()
    assert (binom.cdf(rank + 1, n, quantile) > tail).all()


@pytest.mark.parametrize("quantile", [0.01, 0.1, 0.5, 0.75, 0.9, 0.99])
@pytest.mark.parametrize("tail", [0.025, 0.05])
def test_of_many_values_it_is_one_rank_farther_at_most(quantile: float, tail: float):
    n = np.geomspace(EXACT_SPREAD / (quantile * (1 - quantile)) + 1, 10**8, 5000).astype(np.int64)
    rank = low_ranks(n, quantile, tail)
    assert (binom.cdf(rank, n, quantile) <= tail).all()
    assert (binom.cdf(rank + 1, n, quantile) > tail).mean() > 0.98
    assert (binom.cdf(rank + 2, n, quantile) > tail).all()
