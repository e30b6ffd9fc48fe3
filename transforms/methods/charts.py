"""Limits of process behaviour charts, for every series at once.

Points are rows of one frame, ordered within their series; `keys` name the series. A declared re-baselining
is one more key: limits are computed anew in every stretch. `in_baseline` says which points the limits come
from (an explained point is false); without that column all do. Every chart adds `centre`, `sigma` (one
standard deviation of this point), `limit_low`, `limit_high` and `z`, the point's distance from the centre in
sigmas. Limits are three sigmas from the centre; a point is out when it lies beyond, not on, a limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from transforms.methods.distributions import in_order

Centre = Literal["mean", "median"]
ADDED = ("centre", "sigma", "limit_low", "limit_high", "z")


@dataclass(frozen=True)
class Scaling:
    """What turns moving ranges of two points into limits.

    Attributes:
        mean_range: Three sigmas in mean moving ranges (E2, 3 / d2).
        mean_range_high: Upper limit of a moving range in mean moving ranges (D4).
        median_range: Three sigmas in median moving ranges.
        median_range_high: Upper limit of a moving range in median moving ranges.
        d2: Mean range of two standard normal points.
    """

    mean_range: float
    mean_range_high: float
    median_range: float
    median_range_high: float
    d2: float


WHEELER = Scaling(2.66, 3.268, 3.145, 3.865, 1.128)
"""The rounded constants of Wheeler and Chambers' tables."""
NIST = Scaling(3 / 1.128, 3.267, 3.145, 3.865, 1.128)
"""NIST/SEMATECH 6.3.2.2: three over d2 rounded to 1.128."""
EXACT = Scaling(
    2.6586807763582737, 3.2665319192886013, 3.1450742475225915, 3.8641289730680723, 1.1283791670955126
)
"""Closed forms: d2 = 2 / root pi, d3 = root (2 - 4 / pi), median range = root 2 times z of 0.75."""
SCALINGS = {"wheeler": WHEELER, "nist": NIST, "exact": EXACT}

SCREEN = 3.267
"""A moving range above so many mean moving ranges is screened out (Nelson 1982)."""


def xmr(
    points: pl.LazyFrame,
    keys: Sequence[str],
    *,
    scaling: Scaling = WHEELER,
    centre: Centre = "mean",
    screened: bool = False,
) -> pl.LazyFrame:
    """Individuals and moving ranges (XmR).

    Limits are the centre plus or minus E2 mean moving ranges, or 3.145 median moving ranges.
    Source: Wheeler 1993; NIST/SEMATECH 6.3.2.2; screening: Nelson 1982.
    Convention: Wheeler's rounded constants, the mean, no screening. The published tools disagree on all
    three, so each is an option: 2.66, 3 / 1.128 and 3 / d2 differ in the fourth digit, screening can halve
    the width of the limits.
    Reproduces: xmr_01_nist, xmr_03_nhs_screened, xmr_04_constants.

    Args:
        points: The keys and `value`, ordered; null values are left out and ranges reach over them.
        keys: Columns that name a series.
        scaling: The constants.
        centre: Mean with mean moving ranges, or median with median moving ranges.
        screened: Whether moving ranges above 3.267 times their mean are left out of the mean, once.

    Returns:
        The points with `ADDED`, `moving_range`, `range_centre` and `range_high`. Limits are null where a
        baseline has fewer than two points.
    """
    ranges = pl.col("value").diff().abs()
    usable = ranges.filter(ranges <= SCREEN * ranges.mean()) if screened else ranges
    by_mean = centre == "mean"
    limits = (
        _baseline(points)
        .group_by(keys)
        .agg(
            centre=in_order(pl.col("value").cast(pl.Float64)) / pl.len()
            if by_mean
            else pl.col("value").median(),
            range_centre=usable.mean() if by_mean else usable.median(),
        )
    )
    width = scaling.mean_range if by_mean else scaling.median_range
    high = scaling.mean_range_high if by_mean else scaling.median_range_high
    joined = _valued(points).join(limits, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
    starts = first_of_series(keys)
    return _limited(
        joined.with_columns(
            sigma=width / 3 * pl.col("range_centre"),
            moving_range=pl.when(~starts).then(pl.col("value").diff().abs()),
            range_high=high * pl.col("range_centre"),
        )
    )


def p_chart(points: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Share per period (p): sigma = root (centre (1 - centre) / n), limits cut to 0..1.

    Source: Montgomery, chapter 7; NIST/SEMATECH 6.3.3.2. Convention: the centre is pooled, sum over sum.
    Reproduces: p_01_montgomery_oj.

    Args:
        points: The keys, `count` and `n`, ordered; points with n = 0 are left out.
        keys: Columns that name a series.
    """
    centre = pl.col("centre")
    return _counted(points, keys, (centre * (1 - centre) / pl.col("n")).sqrt(), floor=0.0, cap=1.0)


def u_chart(points: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Events per unit of exposure (u): sigma = root (centre / n), the lower limit cut to 0.

    Source: Montgomery, chapter 7. Takes what `p_chart` takes; n is the exposure.
    Reproduces: u_01_montgomery.
    """
    return _counted(points, keys, (pl.col("centre") / pl.col("n")).sqrt(), floor=0.0, cap=None)


def c_chart(points: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Events per period of equal exposure (c): sigma = root centre, the lower limit cut to 0.

    Source: NIST/SEMATECH 6.3.3.1.
    Reproduces: c_01_nist.

    Args:
        points: The keys and `count`, ordered.
        keys: Columns that name a series.
    """
    return u_chart(points.with_columns(n=pl.lit(1.0)), keys)


def laney_p_chart(points: pl.LazyFrame, keys: Sequence[str], *, scaling: Scaling = WHEELER) -> pl.LazyFrame:
    """Laney's p': p limits widened by how much the shares really vary, for large n.

    sigma_z is the mean moving range of z over 1.128, z the p chart's; sigma becomes sigma times sigma_z.
    With large n a plain p chart calls nearly every week a signal. Source: Laney 2002.
    Takes what `p_chart` takes and adds `sigma_z`.
    Reproduces: laney_01_nhs_4h.
    """
    return _widened(p_chart(points, keys), keys, scaling, floor=0.0, cap=1.0)


def laney_u_chart(points: pl.LazyFrame, keys: Sequence[str], *, scaling: Scaling = WHEELER) -> pl.LazyFrame:
    """Laney's u': u limits widened by how much the rates really vary (Laney 2002)."""
    return _widened(u_chart(points, keys), keys, scaling, floor=0.0, cap=None)


def first_of_series(keys: Sequence[str]) -> pl.Expr:
    """Whether a row is the first of its series, in an ordered frame."""
    changes = [pl.col(key).ne_missing(pl.col(key).shift()) for key in keys]
    return pl.any_horizontal(*changes) | (pl.int_range(pl.len()) == 0)


def _counted(
    points: pl.LazyFrame, keys: Sequence[str], sigma: pl.Expr, *, floor: float | None, cap: float | None
) -> pl.LazyFrame:
    present = points.filter(pl.col("n") > 0).with_columns(value=pl.col("count") / pl.col("n"))
    pooled = _baseline(present).group_by(keys).agg(centre=pl.col("count").sum() / pl.col("n").sum())
    joined = present.join(pooled, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
    return _limited(joined.with_columns(sigma=sigma), floor=floor, cap=cap)


def _widened(
    charted: pl.LazyFrame, keys: Sequence[str], scaling: Scaling, *, floor: float, cap: float | None
) -> pl.LazyFrame:
    spread = _baseline(charted).group_by(keys).agg(sigma_z=pl.col("z").diff().abs().mean() / scaling.d2)
    joined = charted.join(spread, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
    return _limited(joined.with_columns(sigma=pl.col("sigma") * pl.col("sigma_z")), floor=floor, cap=cap)


def _limited(points: pl.LazyFrame, *, floor: float | None = None, cap: float | None = None) -> pl.LazyFrame:
    value, centre, sigma = pl.col("value"), pl.col("centre"), pl.col("sigma")
    apart = value - centre
    # A series that never moved has no sigma; rounding is no distance, anything else is infinitely far.
    same = apart.abs() <= 1e-12 * pl.max_horizontal(value.abs(), centre.abs())
    return points.with_columns(
        limit_low=(centre - 3 * sigma).clip(floor, None),
        limit_high=(centre + 3 * sigma).clip(None, cap),
        z=pl.when(sigma.is_not_null()).then(pl.when(same).then(0.0).otherwise(apart / sigma)),
    )


def _valued(points: pl.LazyFrame) -> pl.LazyFrame:
    return points.filter(pl.col("value").is_not_null())


def _baseline(points: pl.LazyFrame) -> pl.LazyFrame:
    used = pl.col("in_baseline") if "in_baseline" in points.collect_schema() else pl.lit(value=True)
    return points.filter(used, pl.col("value").is_not_null())
