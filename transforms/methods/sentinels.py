"""Whether a series has left its usual range for good: sentinels that a change cannot teach to be silent."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from transforms.methods.charts import WHEELER

WEEKS = 13
"""Weeks that say what is usual: a quarter."""
WEEKS_MIN = 8
"""Fewer of them say nothing."""
LATELY, BEYOND = 4, 3
"""A drift: so many of the last judged weeks lie beyond the limits, all on one side: (of, at least)."""
_OUTSIDE = 0.00135
"""Chance of a point of a normal series beyond three sigmas on one side."""
ADDED = ("value", "usual", "usual_low", "usual_high", "usual_count", "side", "is_drift")


def trailing(points: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Every point against the 13 usual ones before it, and whether the series has drifted.

    Counts are compared on the scale on which their spread does not depend on them (Anscombe). share: t = arcsin
    root ((x + 3/8) / (n + 3/4)), variance 1 / (4 n + 2); rate: t = root ((x + 3/8) / n), variance 1 / (4 n). A
    point is beyond when it is more than three sigmas from the usual points pooled, sigma = root (variance +
    theirs) times Laney's sigma_z, never taken below 1. value: t = the logarithm, sigma = mean moving range /
    1.128, and in place of three sigmas Student's t of the same chance with 0.62 (m - 1) degrees of freedom times
    root (1 + 1 / m), because m <= 13 points say little of their spread. A point beyond never becomes usual, so
    that a change does not turn into the new normal by lasting. A drift is three of the last four points beyond,
    on one side.
    Source: Anscombe 1948; Laney 2002 (p', u'); Wheeler 1993 (XmR) and 1995 (0.62 (m - 1)); three of four in the
    manner of the Western Electric rules.
    Convention: silent before 8 usual points. Among 10,000 stable series of 78 weeks 0 to 5 show a drift,
    whatever their kind. A change so slow that no point lies beyond is not seen here, only by holding who
    answered against who was there.

    Args:
        points: keys, `kind` (share, rate or value), `count` and `n` (of a value `count` is the value, above 0),
            ordered by time within each series; a series stands together.
        keys: Columns that name a series.

    Returns:
        The points with `ADDED`: `side` is 1 above, -1 below, 0 within the limits, null when silent.
    """
    placed = points.with_columns(
        __series=pl.struct(keys).rank("dense").cast(pl.Int64) - 1,
        __place=pl.int_range(pl.len()).over(keys),
        __row=pl.int_range(pl.len()),
    )
    parts = [_judged(str(of["kind"][0]), of) for of in placed.partition_by("kind", maintain_order=True)]
    if not parts:
        none = _columns([np.empty(0)] * 6)
        return points.with_columns(none, is_drift=pl.Series([], dtype=pl.Boolean))
    return pl.concat(parts).sort("__row").drop("__series", "__place", "__row")


def _judged(kind: str, points: pl.DataFrame) -> pl.DataFrame:
    """The points of one kind: one row a series, one column a place in it."""
    series = points["__series"].rank("dense").to_numpy().astype(np.int64) - 1
    place = points["__place"].to_numpy()
    count, n = np.full((2, series.max() + 1, place.max() + 1), np.nan)
    count[series, place], n[series, place] = points["count"].to_numpy(), points["n"].to_numpy()
    scaled = _scaled(kind, count, n)
    usual, sides, held = np.full((3, *n.shape), np.nan), np.full(n.shape, np.nan), np.zeros(n.shape)
    kept = np.full((3, len(n), WEEKS), np.nan)
    for at in range(n.shape[1]):
        held[:, at] = np.isfinite(kept[2]).sum(axis=1)
        known = held[:, at] >= WEEKS_MIN
        centre, reach = _usual(kind, kept[:, known], n[known, at])
        ends = np.stack([centre, centre - reach, centre + reach])
        usual[:, known, at] = _as_values(kind, ends, n[known, at])
        sides[known, at] = np.sign(scaled[known, at] - centre) * (np.abs(scaled[known, at] - centre) > reach)
        enters = np.isfinite(scaled[:, at]) & ~(np.abs(sides[:, at]) > 0)
        now = np.stack([count[:, at], n[:, at], scaled[:, at]])[:, enters, None]
        kept[:, enters] = np.concatenate([kept[:, enters, 1:], now], axis=2)
    value = count if kind == "value" else count / n
    columns = [array[series, place] for array in (value, *usual, held, sides)]
    return points.with_columns(_columns(columns), is_drift=pl.Series(_drifts(sides)[series, place]))


def _scaled(kind: str, count: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Values on the scale on which their spread does not depend on them."""
    if kind == "value":
        return np.log(count)
    return (
        np.arcsin(np.sqrt((count + 0.375) / (n + 0.75))) if kind == "share" else np.sqrt((count + 0.375) / n)
    )


def _as_values(kind: str, scaled: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Values of the scale as they are published."""
    if kind == "value":
        return np.exp(scaled)
    if kind == "share":
        counts = np.sin(np.clip(scaled, 0, np.pi / 2)) ** 2 * (n + 0.75) - 0.375
        return np.clip(counts / n, 0.0, 1.0)
    return np.clip((np.clip(scaled, 0, None) ** 2 * n - 0.375) / n, 0.0, None)


def _usual(kind: str, kept: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre of the usual points and how far from it a point of a size may lie: one row a series."""
    count, n, scaled = kept
    seen = np.isfinite(scaled).sum(axis=1)
    if kind == "value":
        return np.nansum(scaled, axis=1) / seen, _mean_range(scaled) / WHEELER.d2 * _unsure(seen)
    whole = np.nansum(n, axis=1)
    centre = _scaled(kind, np.nansum(count, axis=1), whole)
    z = (scaled - centre[:, None]) / np.sqrt(_variance(kind, n))
    widened = np.maximum(_mean_range(z) / WHEELER.d2, 1.0)
    return centre, 3 * np.sqrt(_variance(kind, size) + _variance(kind, whole)) * widened


def _variance(kind: str, n: np.ndarray) -> np.ndarray:
    return 1 / (4 * n + 2) if kind == "share" else 1 / (4 * n)


def _unsure(seen: np.ndarray) -> np.ndarray:
    """How many of their sigmas hold as much as three true ones, by how many points they are made of."""
    from scipy import special  # noqa: PLC0415 - scipy loads when a quantile is asked for

    held = np.arange(WEEKS + 1, dtype=float)
    degrees = np.maximum(0.62 * (held - 1), 1.0)
    factors = special.stdtrit(degrees, 1 - _OUTSIDE) * np.sqrt(1 + 1 / np.maximum(held, 1))
    return factors[seen]


def _mean_range(value: np.ndarray) -> np.ndarray:
    ranges = np.abs(np.diff(value, axis=1))
    return np.nansum(ranges, axis=1) / np.maximum(np.isfinite(ranges).sum(axis=1), 1)


def _columns(columns: Sequence[np.ndarray]) -> list[pl.Series]:
    *ends, held, sides = columns
    made = [
        pl.Series(name, of, dtype=pl.Float64).fill_nan(None) for name, of in zip(ADDED[:4], ends, strict=True)
    ]
    side = pl.Series("side", sides, dtype=pl.Float64).fill_nan(None).cast(pl.Int8)
    return [*made, pl.Series("usual_count", held, dtype=pl.Float64).cast(pl.Int64), side]


def _drifts(sides: np.ndarray) -> np.ndarray:
    """Whether of the last points, this one included, enough lie beyond on one side."""
    drifts = np.zeros(sides.shape, dtype=bool)
    for side in (1.0, -1.0):
        running = np.cumsum(sides == side, axis=1)
        before = np.pad(running, ((0, 0), (LATELY, 0)))[:, : sides.shape[1]]
        drifts |= running - before >= BEYOND
    return drifts
