"""What changed from one May to the next: share of 4 and 5, its interval, and a test that admits how many were made."""

from collections.abc import Callable

import polars as pl

from transforms.intervals import z_of
from transforms.methods.differences import pooled_z_test, share_difference
from transforms.methods.discoveries import benjamini_hochberg

RATED = """
SELECT year(period_start) AS year, touchpoint_id AS touchpoint, numerator AS good, denominator AS n
FROM scorecard_touchpoint
WHERE period = 'month' AND metric = 'satisfied' AND n > 0
"""
LEVEL = 0.05


def table(ask: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """One row a pair of years and touchpoint that was rated in both.

    Args:
        ask: Answers a query over the published tables.
    """
    rated = ask(RATED)
    following = rated.with_columns(pl.col("year") - 1)
    pairs = rated.join(following, on=["year", "touchpoint"], suffix="_after").sort("year", "touchpoint")
    after, before = (pl.col("good_after"), pl.col("n_after")), (pl.col("good"), pl.col("n"))
    change = share_difference(after, before, z_of(0.95))
    p_value = pl.col("p_pooled_z")
    return (
        pairs.select(
            from_year="year",
            to_year=pl.col("year") + 1,
            touchpoint="touchpoint",
            t2b_from=pl.col("good") / pl.col("n"),
            t2b_to=pl.col("good_after") / pl.col("n_after"),
            diff=change.value,
            newcombe_lo=change.low,
            newcombe_hi=change.high,
            p_pooled_z=pooled_z_test(after, before).p_value,
        )
        .with_columns(p_bh=benjamini_hochberg(p_value).over("from_year"))
        .with_columns(reject_bh_05=(pl.col("p_bh") <= LEVEL).cast(pl.Int64))
    )
