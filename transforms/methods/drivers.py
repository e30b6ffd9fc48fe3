"""What moves a score: how much of its variance each driver explains, with bootstrap intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
import polars as pl

Method = Literal["lmg", "johnson"]
_MOST = 15
_ALIKE = 1e-9
"""Below that an eigenvalue of the drivers' correlations is nothing: two of them are one, or some make up another."""


@dataclass(frozen=True)
class Drivers:
    """Drivers' weights.

    Attributes:
        weights: driver, weight (share of variance explained), percent (of what all explain), low, high
            (bootstrap percentiles, null without), and, among drawn samples, `is_clear`: whether the weight is above the
            median of what a driver of pure noise gets.
        r_squared: What all explain; the weights add up to it.
        n: Complete cases.
        excluded: Cases with a missing value, left out.
    """

    weights: pl.DataFrame
    r_squared: float
    n: int
    excluded: int


def lmg(correlations: np.ndarray) -> np.ndarray:
    """A driver's gain in R-squared, averaged over all orders of entering (Shapley's value of R-squared).

    Unit: share of variance; sums to R-squared. Source: Lindeman, Merenda and Gold 1980; Groemping 2006, Journal
    of Statistical Software 17(1). Asks for 2 ** k regressions.
    Reproduces: driver_01_lmg_swiss.

    Args:
        correlations: (..., k + 1, k + 1), the response first; covariances do as well.

    Returns:
        (..., k).
    """
    k = correlations.shape[-1] - 1
    explained = {frozenset[int](): np.zeros(correlations.shape[:-2])}
    for size in range(1, k + 1):
        for chosen in combinations(range(k), size):
            explained[frozenset(chosen)] = _r_squared(correlations, chosen)
    gains = np.zeros((*correlations.shape[:-2], k))
    for chosen, share in explained.items():
        for driver in set(range(k)) - chosen:
            weight = 1 / (k * comb(k - 1, len(chosen)))
            gains[..., driver] += weight * (explained[chosen | {driver}] - share)
    return gains


def johnson(correlations: np.ndarray) -> np.ndarray:
    """Relative weights: the response regressed on the drivers' nearest orthogonal relatives, shared back.

    Unit: share of variance; sums to R-squared. Source: Johnson 2000, Multivariate Behavioral Research 35:1-19.
    Takes and returns what `lmg` does; needs no subsets, so it serves many drivers.
    """
    scaled = _standardised(correlations)
    inner, outer = scaled[..., 1:, 1:], scaled[..., 1:, 0]
    values, vectors = np.linalg.eigh(inner)
    root = (vectors * np.sqrt(np.clip(values, 0, None))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    slopes = np.linalg.solve(root, outer[..., None])[..., 0]
    return np.einsum("...ij,...j->...i", root**2, slopes**2)


METHODS = {"lmg": lmg, "johnson": johnson}


def weigh_drivers(  # noqa: PLR0913 - a method, its weights and its bootstrap are separate choices
    rows: pl.DataFrame,
    response: str,
    drivers: Sequence[str],
    *,
    method: Method = "lmg",
    weight: str | None = None,
    samples: int = 0,
    seed: int = 0,
    confidence: float = 0.95,
) -> Drivers:
    """Drivers' weights with percentile bootstrap intervals.

    Source: `lmg` or `johnson`; bootstrap: Efron and Tibshirani 1993, rows drawn with replacement.
    Convention: complete cases only; the sample shrinks and `excluded` says by how much. Weights are never
    negative, so a driver of nothing has a small one, not zero: see `is_clear`, for which every drawn sample
    has one more driver, of shuffled values (Tonidandel, LeBreton and Johnson 2009): a driver is clear when its
    weight is above that one's in at least `confidence` of the samples. What never differs in a sample explains
    nothing there; drivers that are one in a sample share what they explain.

    Args:
        rows: One row an answer.
        response: Column to explain.
        drivers: Columns to explain it by.
        method: lmg (up to 14 drivers) or johnson.
        weight: Column of survey weights.
        samples: Bootstrap samples; 0 for none.
        seed: Of the bootstrap.
        confidence: Of the intervals.

    Raises:
        ValueError: Too many drivers for LMG, or too few complete cases.
    """
    if method == "lmg" and len(drivers) >= _MOST:
        raise ValueError(f"{len(drivers)} drivers: LMG takes up to {_MOST - 1}. Use method 'johnson'.")
    used = [response, *drivers, *([weight] if weight else [])]
    complete = rows.select(pl.col(used).cast(pl.Float64)).drop_nulls()
    if complete.height <= len(drivers) + 1:
        raise ValueError(f"{complete.height} complete cases for {len(drivers)} drivers. Leave some out.")
    data = complete.select(response, *drivers).to_numpy()
    mass = complete[weight].to_numpy() if weight else np.ones(complete.height)
    found = METHODS[method](_told_apart(_covariance(data, mass)[None]))[0]
    table = {"driver": list(drivers), "weight": found, "percent": 100 * found / (found.sum() or 1)}
    table |= _bootstrap(data, mass, method, samples, np.random.default_rng(seed), confidence)
    return Drivers(pl.DataFrame(table), float(found.sum()), complete.height, rows.height - complete.height)


def _bootstrap(
    data: np.ndarray,
    mass: np.ndarray,
    method: Method,
    samples: int,
    chance: np.random.Generator,
    confidence: float,
) -> Mapping[str, object]:
    k = data.shape[1] - 1
    if samples == 0:
        return {name: pl.Series([None] * k, dtype=dtype) for name, dtype in _DRAWN.items()}
    with_noise = _told_apart(np.stack([_drawn(data, mass, chance) for _ in range(samples)]))
    drawn = METHODS[method](with_noise)
    plain = METHODS[method](with_noise[:, :-1, :-1])
    low, high = np.quantile(plain, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    clear = (drawn[:, :-1] > drawn[:, -1:]).mean(axis=0) >= confidence
    return {"low": low, "high": high, "is_clear": clear}


_DRAWN = {"low": pl.Float64, "high": pl.Float64, "is_clear": pl.Boolean}


def _drawn(data: np.ndarray, mass: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Covariances of rows drawn with replacement, with a driver of shuffled responses as the last."""
    picked = chance.integers(len(data), size=len(data))
    noise = chance.permutation(data[picked, 0])
    return _covariance(np.column_stack([data[picked], noise]), mass[picked])


def _covariance(data: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Covariances; what never differs varies with nothing, and by 1 on its own, so that it explains nothing."""
    counted = data[mass > 0]
    never = (counted == counted[:1]).all(axis=0)
    if never.all():
        return np.eye(len(never))
    found = np.cov(data, rowvar=False, aweights=mass)
    found[never, :] = found[:, never] = 0
    found[never, never] = 1
    return found


def _told_apart(samples: np.ndarray) -> np.ndarray:
    """Covariances of samples; drivers that cannot be told apart in one get a billionth of variance each of their own."""
    drivers = np.arange(1, samples.shape[-1])
    inner = _standardised(samples)[:, 1:, 1:]
    alike = np.flatnonzero(np.linalg.matrix_rank(inner, tol=_ALIKE, hermitian=True) < len(drivers))
    apart = samples.copy()
    apart[alike[:, None], drivers, drivers] *= 1 + _ALIKE
    return apart


def _standardised(covariance: np.ndarray) -> np.ndarray:
    spread = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    return covariance / spread[..., :, None] / spread[..., None, :]


def _r_squared(covariance: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
    places = [driver + 1 for driver in chosen]
    inner = covariance[..., places, :][..., places]
    outer = covariance[..., places, 0]
    slopes = np.linalg.solve(inner, outer[..., None])[..., 0]
    return (slopes * outer).sum(axis=-1) / covariance[..., 0, 0]


def priority_mismatch(weights: pl.LazyFrame, goals: pl.LazyFrame, top: int = 5) -> pl.LazyFrame:
    """Where drivers and goals disagree: a top driver without a goal, or a goal on what moves nothing.

    Args:
        weights: `driver`, `weight` and `is_clear`, as in `Drivers.weights`.
        goals: `driver`, one row a driver that has a goal.
        top: How many of the clear drivers are top ones, the heaviest.

    Returns:
        driver, weight, rank, mismatch: `driver_without_goal` or `goal_on_no_driver`; only mismatches.
    """
    goal = goals.select("driver", __has_goal=pl.lit(value=True)).unique()
    ranked = weights.with_columns(rank=pl.col("weight").rank("ordinal", descending=True))
    joined = ranked.join(goal, on="driver", how="left", maintain_order="left")
    clear = pl.col("is_clear").fill_null(value=True)
    place = pl.when(clear).then("weight").rank("ordinal", descending=True)
    has_goal = pl.col("__has_goal").fill_null(value=False)
    named = (
        pl.when(~has_goal & (place <= top))
        .then(pl.lit("driver_without_goal"))
        .when(has_goal & ~clear)
        .then(pl.lit("goal_on_no_driver"))
    )
    told = joined.select("driver", "weight", "rank", mismatch=named)
    return told.filter(pl.col("mismatch").is_not_null()).sort("rank")
