"""When a share of cases had come to it while others have not yet: what `quantiles.estimate_waiting` says, without lists."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

import numpy as np
import polars as pl

from transforms import intervals
from transforms.estimate import CONFIDENCE, ONE_SIDED
from transforms.quantiles import LOW

WAITED = ("value", "value_low", "value_high", "bound_low", "bound_high")
_LOW = [WAITED.index(name) for name in LOW]
AT_ONCE = 1 << 15
"""Of so many times at once the intervals are found: a call costs as much as a thousand, and they stay in the processor's cache."""


@dataclass(frozen=True)
class _Curve:
    """How many are still waiting after every time at which that changes.

    Attributes:
        times: Times, ascending.
        survival: The share still waiting.
        grown: Greenwood's sum.
    """

    times: np.ndarray
    survival: np.ndarray
    grown: np.ndarray

    @property
    def inside(self) -> slice:
        """Where some are waiting, but not all."""
        return slice(*np.searchsorted(-self.survival, [np.nextafter(-1, 0), 0.0]))


def waited(
    sets: Iterable[tuple[np.ndarray, np.ndarray]], shares: Sequence[float], ranks: np.ndarray
) -> np.ndarray:
    """By when shares of cases have come to it, and the ends of the intervals.

    Kaplan and Meier 1958, Brookmeyer and Crowley 1982.

    Args:
        sets: Of every set how long it took, ascending, and how long open cases have waited, ascending.
        shares: The shares.
        ranks: By set, share and `LOW`, from 0, which of both a low end is not below; -1 for none.

    Returns:
        `WAITED` by set and share; NaN where too many are open to tell.
    """
    lines = [1 - share + 1e-12 for share in shares]
    found, curves, held = [np.zeros((0, len(lines), len(WAITED)))], [], 0
    least = np.full(ranks.shape, np.nan)
    for (over, so_far), asked, own in zip(sets, ranks, least, strict=True):
        curves.append(_curve(over, so_far))
        if (asked >= 0).any():
            every = np.sort(np.concatenate([over, so_far]), kind="stable")
            own[:] = np.where(asked >= 0, every[asked], np.nan)
        held += len(over)
        if held >= AT_ONCE:
            found.append(_read_off(curves, lines))
            curves, held = [], 0
    if curves:
        found.append(_read_off(curves, lines))
    times = np.concatenate(found)
    low = times[..., _LOW]
    times[..., _LOW] = np.where(np.isnan(low), least, low)
    return times


def _read_off(curves: Sequence[_Curve], lines: Sequence[float]) -> np.ndarray:
    """`WAITED` by curve and line, which is the share that still waits."""
    found = np.full((len(curves), len(lines), len(WAITED)), np.nan)
    ends = _ends(curves)
    edges = np.cumsum([0, *(len(curve.survival[curve.inside]) for curve in curves)]).tolist()
    for own, curve, (begin, end) in zip(found, curves, pairwise(edges), strict=True):
        inside = curve.times[curve.inside]
        for told, line in zip(own, lines, strict=True):
            told[0] = _first(curve.times, curve.survival <= line)
            told[1:] = [_first(inside, one[begin:end] >= log(-log(line))) for one in ends]
    return found


def _curve(over: np.ndarray, so_far: np.ndarray) -> _Curve:
    # It changes at events alone, and an event comes before open cases that have waited as long.
    gone = np.bincount(np.searchsorted(over, so_far, side="right"), minlength=len(over) + 1)
    before = np.arange(len(over)) + np.cumsum(gone[:-1])
    at_risk = (len(over) + len(so_far) - before).astype(np.float64)
    survival = np.cumprod(1 - 1 / at_risk)
    with np.errstate(divide="ignore"):
        grown = np.cumsum(1 / (at_risk * (at_risk - 1)))
    # What comes at one time has come once the last of it has.
    is_last = np.append(over[1:] != over[:-1], over.size > 0)[: over.size]
    return _Curve(over[is_last], survival[is_last], grown[is_last])


def _ends(curves: Sequence[_Curve]) -> list[np.ndarray]:
    """Ends of the intervals of all curves where they are inside, on the log-log scale, as `WAITED` has them."""
    survival, grown = (
        np.concatenate([getattr(curve, of)[curve.inside] for curve in curves]) for of in ("survival", "grown")
    )
    # The logarithms of polars, as `quantiles.waiting_curves` has them: those of numpy differ in the last bit.
    logged = pl.Series(survival).log()
    middle, error = (-logged).log().to_numpy(), np.sqrt(grown) / logged.to_numpy()
    halves = [error * intervals.z_of(confidence) for confidence in (CONFIDENCE, ONE_SIDED)]
    return [end for half in halves for end in (middle - half, middle + half)]


def _first(times: np.ndarray, is_there: np.ndarray) -> float:
    """The first time at which a curve is where it should be; NaN where it never is."""
    place = int(is_there.argmax()) if is_there.size else 0
    return float(times[place]) if is_there.size and is_there[place] else np.nan
