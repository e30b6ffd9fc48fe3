"""The net promoter score of 2017 as a whole, weighted and not, by boarding area and by time of departure."""

from collections.abc import Callable

import polars as pl

from transforms.intervals import z_of
from transforms.methods.promoters import CATEGORY, category
from transforms.methods.weights import (
    design_effect,
    effective_n,
    linearised_error,
    weighted_mean,
    weighted_nps_interval,
)

# The scorecards' interval is centred on the adjusted score.
SCORES = """
WITH scores AS (
    SELECT 'all' AS segment, n, promoters, passives, detractors, value, value_low, value_high, period_start
    FROM scorecard_touchpoint
    WHERE period = 'month' AND metric = 'nps' AND touchpoint_id = 'overall'
    UNION ALL
    SELECT
        dimension || '=' || segment,
        n,
        promoters,
        passives,
        detractors,
        value,
        value_low,
        value_high,
        period_start
    FROM scorecard_segment
    WHERE period = 'month' AND metric = 'nps' AND touchpoint_id = 'overall'
)
SELECT
    year(period_start) AS year,
    segment,
    0 AS weighted,
    n,
    promoters,
    passives,
    detractors,
    value AS nps,
    (value_low + value_high) / 2 AS adjwald_point,
    value_low AS adjwald_lo,
    value_high AS adjwald_hi
FROM scores
ORDER BY year, segment
"""
ANSWERS = """
SELECT
    attribute_recommend AS score,
    attribute_weight AS weight,
    attribute_boarding_area AS boarding_area,
    attribute_strata AS strata
FROM fact_case
WHERE attribute_recommend BETWEEN 0 AND 10
ORDER BY case_id
"""


def table(ask: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """One row a segment, and one more for the weighted whole.

    Args:
        ask: Answers a query over the published tables.
    """
    scores, answers = ask(SCORES), ask(ANSWERS)
    segments = [
        answers.with_columns(segment=pl.lit("all"), weight=pl.lit(1.0), weighted=0),
        answers.with_columns(segment=pl.lit("all"), weighted=1),
        *(
            answers.with_columns(
                segment=pl.format(f"{name}={{}}", pl.col(name)), weight=pl.lit(1.0), weighted=0
            )
            for name in ("boarding_area", "strata")
        ),
    ]
    estimated = pl.concat(segments).group_by("segment", "weighted", maintain_order=True).agg(_estimates())
    return scores.drop("weighted", "nps").join(estimated, on="segment").sort("segment", "weighted")


def _estimates() -> list[pl.Expr]:
    """The weighted score with its errors: by the effective n, and by linearisation."""
    category_of = category(pl.col("score"))
    points = {name: pl.lit(name, dtype=CATEGORY) for name in ("promoter", "detractor")}
    value = (category_of == points["promoter"]).cast(pl.Float64) - (category_of == points["detractor"]).cast(
        pl.Float64
    )
    weight, z = pl.col("weight"), z_of(0.95)
    low, high = weighted_nps_interval(value, weight, z)
    return [
        (100 * weighted_mean(value, weight)).alias("nps"),
        ((high - low) / 2 / z).alias("se"),
        low.alias("lo"),
        high.alias("hi"),
        effective_n(weight).alias("kish_neff"),
        design_effect(weight).alias("deff"),
        (100 * linearised_error(value, weight)).alias("se_linearised"),
    ]
