"""Churn, what was paid and how many stay, by contract, service, way of paying and age."""

from collections.abc import Callable

import polars as pl

from transforms.intervals import z_of
from transforms.methods.survival import kaplan_meier, survival_at

SEGMENTS = {
    "contract": "Contract",
    "internet_service": "InternetService",
    "payment_method": "PaymentMethod",
    "senior": "SeniorCitizen",
    "tech_support": "TechSupport",
}
SCORES = """
SELECT
    dimension,
    segment AS value,
    max(n) FILTER (metric = 'churned') AS customers,
    max(numerator) FILTER (metric = 'churned') AS churned,
    max(value) FILTER (metric = 'churned') AS churn_share,
    max(value_low) FILTER (metric = 'churned') AS lo,
    max(value_high) FILTER (metric = 'churned') AS hi,
    max(value) FILTER (metric = 'monthly_revenue') AS monthly_revenue,
    max(value) FILTER (metric = 'monthly_revenue_lost') AS monthly_revenue_lost
FROM scorecard_segment
WHERE period = 'to_date' AND touchpoint_id = 'all'
GROUP BY dimension, segment
"""
STAYED = """
SELECT
    '{name}' AS dimension,
    attribute_{name} AS value,
    CAST(attribute_tenure AS INTEGER) AS time,
    attribute_churned = 'Yes' AS is_event
FROM fact_case
WHERE attribute_tenure > 0
"""
KEYS = ["dimension", "value"]


def table(ask: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """One row a segment.

    Args:
        ask: Answers a query over the published tables.
    """
    seen = pl.concat([ask(STAYED.format(name=name)) for name in SEGMENTS])
    curves = kaplan_meier(seen.lazy(), KEYS, z_of(0.95))
    rows = ask(SCORES).lazy()
    for month in (12, 24, 60):
        staying = survival_at(curves, KEYS, month).select(*KEYS, pl.col("survival").alias(f"km_S_{month}m"))
        rows = rows.join(staying, on=KEYS)
    named = pl.col("dimension").replace_strict(SEGMENTS, return_dtype=pl.String)
    return rows.select(named.alias("segment"), pl.exclude("dimension")).sort("segment", "value").collect()
