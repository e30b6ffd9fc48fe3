"""Charts that remember: exponentially weighted moving averages and cumulative sums, for slow drifts."""

from collections.abc import Sequence

import polars as pl


def ewma(
    points: pl.LazyFrame,
    keys: Sequence[str],
    *,
    weight: float,
    sigmas: float = 3.0,
    asymptotic: bool = False,
) -> pl.LazyFrame:
    """Exponentially weighted moving average: z_i = weight x_i + (1 - weight) z_(i-1), z_0 the target.

    Limits are the target plus or minus sigmas times sigma times
    root (weight / (2 - weight) (1 - (1 - weight)^2i)). Source: NIST/SEMATECH 6.3.2.4; Montgomery, chapter 9.
    Convention: the limits of point i; `asymptotic` gives every point those of the far end, as NIST does.
    Reproduces: ewma_01_nist.

    Args:
        points: The keys, `value`, `target` and `sigma` (one standard deviation of a point), ordered.
        keys: Columns that name a series.
        weight: Of the newest point, above 0 and at most 1.
        sigmas: Width of the limits.
        asymptotic: Whether every point has the far end's limits.

    Returns:
        The points with `ewma`, `limit_low`, `limit_high` and `is_signal`.
    """
    rest = 1 - weight
    apart = (pl.col("value") - pl.col("target")).cast(pl.Float64)
    place = pl.int_range(1, pl.len() + 1)
    # Polars starts at the first value; the chart starts at the target.
    smooth = apart.ewm_mean(alpha=weight, adjust=False) - rest**place * apart.first()
    shrink = pl.lit(1.0) if asymptotic else 1 - rest ** (2 * pl.col("__place"))
    half = sigmas * pl.col("sigma") * (weight / (2 - weight) * shrink).sqrt()
    value, low, high = pl.col("ewma"), pl.col("limit_low"), pl.col("limit_high")
    return (
        points.with_columns(__place=place.over(keys), ewma=pl.col("target") + smooth.over(keys))
        .with_columns(limit_low=pl.col("target") - half, limit_high=pl.col("target") + half)
        .with_columns(is_signal=(value > high) | (value < low))
        .drop("__place")
    )


def cusum(
    points: pl.LazyFrame, keys: Sequence[str], *, slack: float, decision: float, head_start: float = 0.0
) -> pl.LazyFrame:
    """Tabular cumulative sums: C+ = max(0, C+ + x - target - slack), C- likewise downwards.

    A point signals when either is above the decision interval. Source: NIST/SEMATECH 6.3.2.3; Montgomery,
    chapter 9; head start: Lucas and Crosier 1982.
    Convention: slack, decision and head start are in the values' unit; textbooks give k and h in sigmas,
    0.5 and 4 or 5. The sums are not set back after a signal.
    Reproduces: cusum_01_nist.

    Args:
        points: The keys, `value` and `target`, ordered.
        keys: Columns that name a series.
        slack: Half the shift to be found (k).
        decision: Decision interval (h).
        head_start: Where both sums start.

    Returns:
        The points with `cusum_high`, `cusum_low` and `is_signal`.
    """
    apart = (pl.col("value") - pl.col("target")).cast(pl.Float64)
    above, below = (_reflected(term, head_start) for term in (apart - slack, -apart - slack))
    return points.with_columns(cusum_high=above.over(keys), cusum_low=below.over(keys)).with_columns(
        is_signal=(pl.col("cusum_high") > decision) | (pl.col("cusum_low") > decision)
    )


def first_signal(charted: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """The place, from 1, of the first point of every series that signals; null where none does."""
    place = pl.int_range(1, pl.len() + 1)
    return charted.group_by(keys, maintain_order=True).agg(
        first_signal=place.filter(pl.col("is_signal")).first()
    )


def _reflected(steps: pl.Expr, start: float) -> pl.Expr:
    """A walk that cannot fall below zero: the walk less its lowest point so far, if that is below zero."""
    walk = start + steps.cum_sum()
    return walk - walk.cum_min().clip(None, 0)
