"""How long until something happens, with those it has not happened to yet: Kaplan-Meier and log-rank.

An observation is a time and whether the event came then (`is_event`) or the observation ended without it
(censored). At equal times events come before censorings.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

Transform = Literal["log_log", "log", "plain"]
_CLOSE = 1e-12


def kaplan_meier(
    observations: pl.LazyFrame, keys: Sequence[str], z: float, transform: Transform = "log_log"
) -> pl.LazyFrame:
    """The share that is still waiting after every time: S(t) = product of (1 - events / at risk).

    Greenwood's variance S^2 sum of d / (r (r - d)); the interval is symmetric on the log(-log) scale, so it
    stays in 0..1. Source: Kaplan and Meier 1958; Klein and Moeschberger, chapter 4; R's survfit.
    Convention: log-log intervals; null where S is 0 or 1.
    Reproduces: km_01_aml.

    Args:
        observations: keys, `time` and `is_event`.
        keys: Columns that name a curve.
        z: Two-sided normal quantile.
        transform: Scale on which the interval is symmetric.

    Returns:
        keys, time, at_risk, events, censored, survival, error, low, high: one row a distinct time, ascending.
    """
    event = pl.col("is_event").cast(pl.Int64)
    steps = (
        observations.group_by(*keys, "time")
        .agg(events=event.sum(), censored=(1 - event).sum())
        .sort(*keys, "time")
    )
    left = pl.col("events") + pl.col("censored")
    at_risk = left.cum_sum(reverse=True)
    d, r = pl.col("events"), pl.col("at_risk")
    grown = pl.when(r > d).then(d / (r * (r - d))).otherwise(float("inf")).cum_sum()
    over = (lambda term: term.over(keys)) if keys else (lambda term: term)
    curve = steps.with_columns(at_risk=over(at_risk)).with_columns(
        survival=over((1 - d / r).cum_prod()), __greenwood=over(grown)
    )
    share = pl.col("survival")
    inside = (share > 0) & (share < 1)
    root = pl.col("__greenwood").sqrt()
    low, high = _ends(share, root, z, transform)
    return curve.with_columns(
        error=pl.when(share > 0).then(share * root),
        low=pl.when(inside).then(low),
        high=pl.when(inside).then(high),
    ).select(*keys, "time", "at_risk", "events", "censored", "survival", "error", "low", "high")


def _ends(share: pl.Expr, root: pl.Expr, z: float, transform: Transform) -> tuple[pl.Expr, pl.Expr]:
    if transform == "plain":
        return (share * (1 - z * root)).clip(0, 1), (share * (1 + z * root)).clip(0, 1)
    if transform == "log":
        return share * (-z * root).exp(), (share * (z * root).exp()).clip(None, 1)
    stretch = z * root / share.log()
    return share ** (-stretch).exp(), share ** stretch.exp()


def survival_quantile(curve: pl.LazyFrame, keys: Sequence[str], quantile: float) -> pl.LazyFrame:
    """The time by which a share has had its event: smallest t with S(t) <= 1 - quantile, with its interval.

    Source: Brookmeyer and Crowley 1982, by where the curve's own interval crosses the line.
    Convention: null where the curve does not come that far: "not known yet", never the longest time.
    Reproduces: km_01_aml.

    Args:
        curve: What `kaplan_meier` returned.
        keys: Columns that name a curve.
        quantile: 0.5 for the median, 0.9 for the time nine in ten stay below.

    Returns:
        keys, `time`, `low`, `high`, one row a curve.
    """
    line = 1 - quantile + _CLOSE
    crossing = {"time": "survival", "low": "low", "high": "high"}
    found = [
        pl.col("time").filter(pl.col(column) <= line).min().alias(name) for name, column in crossing.items()
    ]
    return curve.group_by(keys, maintain_order=True).agg(found) if keys else curve.select(found)


def survival_at(curve: pl.LazyFrame, keys: Sequence[str], time: float) -> pl.LazyFrame:
    """The share still waiting after a time, with its interval: the last step at or before it, else 1."""
    passed = pl.col("time") <= time
    found = [
        pl.col("survival").filter(passed).last().fill_null(1.0),
        pl.col("low").filter(passed).last(),
        pl.col("high").filter(passed).last(),
    ]
    return curve.group_by(keys, maintain_order=True).agg(found) if keys else curve.select(found)


class LogRank(NamedTuple):
    """A log-rank test.

    Attributes:
        statistic: Chi-square.
        degrees: Groups less one.
        p_value: Chance of as much when all wait alike.
        observed: Events in each group, by the group's order.
        expected: Events each group would have had.
    """

    statistic: float
    degrees: int
    p_value: float
    observed: np.ndarray
    expected: np.ndarray


def log_rank(time: np.ndarray, is_event: np.ndarray, group: np.ndarray, rho: float = 0.0) -> LogRank:
    """Whether groups wait alike: events in each against those expected were they one group.

    Source: Mantel 1966; R's survdiff. rho weights early times by S^rho (Harrington and Fleming 1982): 0 is
    the log-rank test, 1 the Peto and Peto form of the Gehan-Wilcoxon test.
    Reproduces: km_01_aml.

    Args:
        time: Of every observation.
        is_event: Whether it ended with the event.
        group: Of every observation.
        rho: Weight of early times.

    Raises:
        ValueError: Fewer than two groups.
    """
    from scipy.special import chdtrc  # noqa: PLC0415 - scipy loads when a tail is asked for

    names, code = np.unique(group, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"log-rank: {len(names)} group. Give two or more.")
    moments, place = np.unique(time, return_inverse=True)
    shape = (len(moments), len(names))
    ended, events = np.zeros(shape), np.zeros(shape)
    np.add.at(ended, (place, code), 1)
    np.add.at(events, (place, code), np.asarray(is_event, dtype=float))
    risk = ended[::-1].cumsum(axis=0)[::-1]
    at_risk, died = risk.sum(axis=1), events.sum(axis=1)
    share = risk / at_risk[:, None]
    before = np.concatenate([[1.0], np.cumprod(1 - died / at_risk)[:-1]])
    weight = before**rho
    observed, expected = (weight @ events), (weight @ (share * died[:, None]))
    spread = weight**2 * died * (at_risk - died) / np.maximum(at_risk - 1, 1)
    covariance = np.diag(spread @ share) - np.einsum("t,ti,tj->ij", spread, share, share)
    gap = (observed - expected)[:-1]
    statistic = float(gap @ np.linalg.solve(covariance[:-1, :-1], gap))
    degrees = len(names) - 1
    return LogRank(statistic, degrees, float(chdtrc(degrees, statistic)), observed, expected)
