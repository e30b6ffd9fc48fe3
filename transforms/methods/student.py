"""Student's t and the normal tail without scipy, which takes longer to load than most runs take to score.

Only where closed forms are exact: whole degrees of freedom. Equal to scipy.special to 13 digits (tests/spec).
"""

import math
from statistics import NormalDist

import numpy as np

MOST_TERMS = 200
"""Up to so many degrees of freedom P(|T| <= t) is summed up; beyond them the quantile's expansion is as exact."""


def central(t: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """P(|T| <= t) of Student's t with whole degrees of freedom.

    Unit: share. Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4: a finite sum of powers of a cosine.

    Args:
        t: At or above 0, finite.
        degrees: Whole, at least 1, of t's shape.
    """
    angle = np.arctan2(t, np.sqrt(degrees))
    cosine, sine = np.cos(angle), np.sin(angle)
    is_odd = degrees % 2 == 1
    term = np.where(is_odd, cosine, 1.0)
    total = np.where(is_odd & (degrees == 1), 0.0, term)
    for step in range(1, int(degrees.max(initial=0)) // 2 + 1):
        below = 2 * step
        term = term * cosine**2 * np.where(is_odd, below / (below + 1), (below - 1) / below)
        total = total + np.where(below + is_odd <= degrees - 2, term, 0.0)
    # Far out the sum may come to a last bit more than everything.
    return np.minimum(np.where(is_odd, 2 / np.pi * (angle + sine * total), sine * total), 1.0)


def tail(t: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """P(T > t); exact to 15 places, not to 15 digits of a small share. As `central`, but any t."""
    beyond = (1 - central(np.abs(t), degrees)) / 2
    return np.where(t < 0, 1 - beyond, beyond)


def quantile(degrees: np.ndarray, confidence: float) -> np.ndarray:
    """The t that |T| does not exceed with a probability; nan where there is no degree of freedom.

    Source: the Cornish-Fisher expansion in 1 / degrees (Abramowitz and Stegun 1964, 26.7.5, one term more); up to
    `MOST_TERMS` degrees improved by Newton's steps over `central`; closed forms for 1 and 2.

    Args:
        degrees: Whole; below 1 or nan there is none.
        confidence: Between 0 and 1.
    """
    is_there = degrees >= 1
    every, place = np.unique(np.where(is_there, degrees, 1).astype(np.int64), return_inverse=True)
    found = _expansion(every, (1 + confidence) / 2)
    few = (every > 2) & (every <= MOST_TERMS)
    own, t = every[few], found[few]
    for _ in range(4):
        t = t - (central(t, own) - confidence) / 2 / _density(t, own)
    found[few] = t
    found[every == 1] = math.tan(math.pi * confidence / 2)
    found[every == 2] = confidence * math.sqrt(2 / (1 - confidence**2))
    return np.where(is_there, found[place], np.nan)


def _expansion(degrees: np.ndarray, probability: float) -> np.ndarray:
    z = NormalDist().inv_cdf(probability)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
        (27 * z**11 + 339 * z**9 + 930 * z**7 - 1782 * z**5 - 765 * z**3 + 17955 * z) / 368640,
    )
    inverse = 1 / degrees.astype(float)
    return sum((term * inverse**power for power, term in enumerate(terms)), np.zeros(len(degrees)))


def _density(t: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    scale = [math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2)) for n in degrees.tolist()]
    return np.array(scale) / np.sqrt(degrees * np.pi) * (1 + t * t / degrees) ** (-(degrees + 1) / 2)


def normal_tail(z: np.ndarray) -> np.ndarray:
    """P(Z > z) of a standard normal; nan stays nan."""
    root = math.sqrt(2)
    return np.array([math.erfc(one / root) / 2 for one in z.tolist()])
