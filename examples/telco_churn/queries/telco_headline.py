"""Headline figures, one a row: customers, churn, what they paid, and how many stay for how long."""

from collections.abc import Callable

import polars as pl

from transforms.intervals import z_of
from transforms.methods.survival import kaplan_meier, survival_at, survival_quantile

WHOLE = """
SELECT metric, n, numerator, value, value_low, value_high
FROM scorecard_company
WHERE period = 'to_date'
"""
CASES = """
SELECT
    CAST(attribute_tenure AS INTEGER) AS time,
    attribute_churned = 'Yes' AS is_event,
    attribute_total_charges AS total_charges
FROM fact_case
"""
MONTHS = (1, 6, 12, 24, 36, 48, 60, 72)


def table(ask: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """Figures, one a row: metric, value, text.

    Args:
        ask: Answers a query over the published tables.
    """
    whole = {row["metric"]: row for row in ask(WHOLE).rows(named=True)}
    churned, cases = whole["churned"], ask(CASES)
    revenue, lost = (whole[name]["value"] for name in ("monthly_revenue", "monthly_revenue_lost"))
    seen = cases.lazy().filter(pl.col("time") > 0)
    curve = kaplan_meier(seen, [], z_of(0.95)).collect().lazy()
    figures = {
        "customers": churned["n"],
        "churned": churned["numerator"],
        "churn_share": churned["value"],
        "churn_lo": churned["value_low"],
        "churn_hi": churned["value_high"],
        "monthly_revenue": revenue,
        "monthly_revenue_lost": lost,
        "revenue_churn_share": lost / revenue,
        "total_charges_missing": cases["total_charges"].null_count(),
        "total_charges_sum": cases["total_charges"].sum(),
        "tenure_zero": int((cases["time"] == 0).sum()),
        **{f"km_S_{month}m": survival_at(curve, [], month).collect()["survival"].item() for month in MONTHS},
        "km_median_m": survival_quantile(curve, [], 0.5).collect()["time"].item(),
    }
    values = [None if value is None else float(value) for value in figures.values()]
    return pl.DataFrame(
        {"metric": list(figures), "value": values, "text": ""}, schema_overrides={"value": pl.Float64}
    )
