"""Which of n values in order a quantile is surely above: binomial ranks, without scipy."""

from functools import cache
from math import ceil
from statistics import NormalDist

import numpy as np

EXACT_SPREAD = 1000
"""Up to so many n q (1 - q) ranks are worked out one n after the other."""


def low_ranks(n: np.ndarray, quantile: float, tail: float) -> np.ndarray:
    """The highest rank whose value is above a quantile with a chance of at most `tail`, distribution-free.

    The value at rank j (from 0) is above it when at most j of n values are not: P(B(n, q) <= j) <= tail. For the other
    side count from above, with 1 - q. Source: Conover 1999, Practical Nonparametric Statistics, 3.2, with the binomial
    distribution itself instead of its normal approximation.
    Convention: both tails alike; beyond n q (1 - q) = 1000 the normal approximation with its next term (Cornish and
    Fisher 1938), rounded away from the quantile: never more than `tail`, and one rank farther now and then.

    Args:
        n: How many values there are.
        quantile: The share below it, between 0 and 1.
        tail: Of one side.

    Returns:
        The rank of every n; -1 where even the first value is above it more often.
    """
    most = ceil(EXACT_SPREAD / (quantile * (1 - quantile)))
    known = _first_ranks(quantile, tail, 1 << min(int(n.max(initial=0)), most).bit_length())
    beyond = np.maximum(n, most)
    spread, z = np.sqrt(beyond * quantile * (1 - quantile)), NormalDist().inv_cdf(tail)
    skew = (z * z - 1) * (1 - 2 * quantile) / 6
    near = beyond * quantile + z * spread + skew - 0.5 - 1 / (4 * spread)
    return np.where(n < most, known[np.minimum(n, len(known) - 1)], np.floor(near).astype(np.int64))


@cache
def _first_ranks(quantile: float, tail: float, size: int) -> np.ndarray:
    """`low_ranks` of 0 to size - 1 values: P(B(n, q) <= k) and P(B(n, q) = k) from those of n - 1, at the first k above."""
    found = np.empty(size, dtype=np.int64)
    odds, k, up_to, at = quantile / (1 - quantile), 0, 1.0, 1.0
    for n in range(size):
        if n:
            up_to -= quantile * at
            at *= n * (1 - quantile) / (n - k)
        while up_to <= tail:
            k += 1
            at *= (n - k + 1) / k * odds
            up_to += at
        found[n] = k - 1
    return found
