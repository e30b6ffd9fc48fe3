"""Interrupted time series: the step and the bend after an intervention, with trend and season allowed for."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Family = Literal["poisson", "quasipoisson"]
_ROUNDS = 100


@dataclass(frozen=True)
class Ratio:
    """One effect on a rate.

    Attributes:
        value: Times the rate (exp of the coefficient).
        low: Lower end.
        high: Upper end.
        coefficient: On the log scale.
        error: Of the coefficient.
        p_value: Two-sided; normal for poisson, Student's t for quasipoisson.
    """

    value: float
    low: float
    high: float
    coefficient: float
    error: float
    p_value: float


@dataclass(frozen=True)
class Interruption:
    """A fitted series.

    Attributes:
        effects: By name: step, trend (a unit of time), bend (further trend after the step), season.
        dispersion: Pearson's chi-square over its degrees of freedom; 1 is Poisson's.
        fitted: Expected counts.
        counterfactual: Expected counts had nothing happened.
    """

    effects: dict[str, Ratio]
    dispersion: float
    fitted: np.ndarray
    counterfactual: np.ndarray


@dataclass(frozen=True)
class Model:
    """What the series is allowed to do.

    Attributes:
        family: quasipoisson widens the errors by the root of the dispersion.
        bend: Whether the trend may change at the intervention.
        harmonics: Pairs of sine and cosine a season.
        season: Units of time a season.
        confidence: Of the intervals.
    """

    family: Family = "poisson"
    bend: bool = False
    harmonics: int = 0
    season: float = 12.0
    confidence: float = 0.95


def fit_interruption(
    counts: np.ndarray,
    time: np.ndarray,
    after: np.ndarray,
    exposure: np.ndarray | None = None,
    model: Model | None = None,
) -> Interruption:
    """A (quasi-)Poisson regression of counts on trend, step, bend and season, with exposure as offset.

    log E(count) = log exposure + a + step after + trend t (+ bend after (t - t0)) (+ harmonics). The step is the
    rate ratio. Source: Lopez Bernal, Cummins and Gasparrini 2017, International Journal of Epidemiology
    46:348-355, with its correction: t0 is the first time after the intervention, so that the step is the change
    there and not at time zero.
    Convention: Wald intervals; no change of trend unless asked; check the dispersion before believing
    plain Poisson errors.
    Reproduces: its_01_sicily_poisson.

    Args:
        counts: Events of each period.
        time: Running number of each period.
        after: Whether it lies after the intervention.
        exposure: What the counts are relative to; 1 when absent.
        model: What is allowed for.

    Raises:
        ValueError: Nothing before or nothing after, fewer periods than effects, or no convergence.
    """
    chosen = model or Model()
    since = np.asarray(after, dtype=float)
    if since.min() == since.max():
        raise ValueError("interrupted series: all periods lie on one side of the intervention. Give both.")
    base = np.ones(len(since)) if exposure is None else np.asarray(exposure, dtype=float)
    columns = _columns(np.asarray(time, dtype=float), since, chosen)
    design = np.column_stack(list(columns.values()))
    if len(since) <= design.shape[1]:
        raise ValueError(
            f"interrupted series: {len(since)} periods for {design.shape[1]} effects. Give more."
        )
    observed = np.asarray(counts, dtype=float)
    slopes, fitted, covariance = _poisson(observed, design, np.log(base))
    degrees = len(since) - design.shape[1]
    dispersion = float((((observed - fitted) ** 2) / fitted).sum() / degrees)
    wide = dispersion if chosen.family == "quasipoisson" else 1.0
    errors = np.sqrt(np.diag(covariance) * wide)
    effects = {
        name: _ratio(slope, error, chosen, degrees)
        for name, slope, error in zip(columns, slopes, errors, strict=True)
    }
    untouched = np.column_stack([0 * c if name in ("step", "bend") else c for name, c in columns.items()])
    return Interruption(effects, dispersion, fitted, base * np.exp(untouched @ slopes))


def _columns(time: np.ndarray, since: np.ndarray, model: Model) -> dict[str, np.ndarray]:
    columns = {"level": np.ones(len(time)), "step": since, "trend": time}
    if model.bend:
        columns["bend"] = since * (time - time[since > 0].min())
    for wave in range(1, model.harmonics + 1):
        angle = 2 * np.pi * wave * time / model.season
        columns[f"sine_{wave}"], columns[f"cosine_{wave}"] = np.sin(angle), np.cos(angle)
    return columns


def _poisson(
    counts: np.ndarray, design: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Iteratively reweighted least squares (McCullagh and Nelder 1989), on scaled columns."""
    scale = np.abs(design).max(axis=0)
    scaled = design / scale
    fitted = counts + 0.5
    slopes = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        working = np.log(fitted) - offset + (counts - fitted) / fitted
        weighted = scaled * fitted[:, None]
        following = np.linalg.solve(scaled.T @ weighted, weighted.T @ working)
        moved = np.max(np.abs(following - slopes))
        slopes = following
        fitted = np.exp(scaled @ slopes + offset)
        if moved < 1e-12 * max(1.0, float(np.max(np.abs(slopes)))):
            information = np.linalg.inv(scaled.T @ (scaled * fitted[:, None]))
            return slopes / scale, fitted, information / np.outer(scale, scale)
    raise ValueError(f"interrupted series: no fit after {_ROUNDS} rounds. Check counts and exposure.")


def _ratio(slope: float, error: float, model: Model, degrees: int) -> Ratio:
    from scipy.special import ndtr, ndtri, stdtr  # noqa: PLC0415 - scipy loads when a series is fitted

    z = float(ndtri((1 + model.confidence) / 2))
    size = -abs(slope) / error
    p_value = 2 * float(ndtr(size) if model.family == "poisson" else stdtr(degrees, size))
    ends = np.exp([slope, slope - z * error, slope + z * error])
    return Ratio(*map(float, (*ends, slope, error, p_value)))
