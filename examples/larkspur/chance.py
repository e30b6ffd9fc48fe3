"""Small draws that several parts of the generator share."""

from collections.abc import Mapping

import numpy as np


def choose(rng: np.random.Generator, count: int, shares: Mapping[str, float]) -> np.ndarray:
    """Draw ``count`` names, each as often as its share says (shares add up to one)."""
    return np.array(list(shares))[rng.choice(len(shares), count, p=list(shares.values()))]


def lags(rng: np.random.Generator, count: int, median: float | np.ndarray, spread: float) -> np.ndarray:
    """Draw waits in whole seconds: lognormal around a median (s)."""
    return (median * np.exp(spread * rng.standard_normal(count))).astype(np.int64)
