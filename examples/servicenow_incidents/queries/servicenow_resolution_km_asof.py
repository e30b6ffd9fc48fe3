"""How long resolution took, as it could be known on three days: with open incidents, without them, and in the end."""

from collections.abc import Callable
from datetime import date

import polars as pl

from transforms.methods.percentiles import percentile
from transforms.methods.survival import kaplan_meier, survival_quantile

DAYS = (date(2016, 4, 1), date(2016, 5, 1), date(2016, 6, 1))
OPENED_BEFORE = """
SELECT
    resolved_at IS NOT NULL AND resolved_at < TIMESTAMPTZ '{day} 00:00:00+00' AS is_event,
    resolution_hours AS hours,
    epoch(TIMESTAMPTZ '{day} 00:00:00+00' - opened_at) / 3600 AS age_hours,
    resolved_at IS NULL AND closed_at < TIMESTAMPTZ '{day} 00:00:00+00' AS is_dropped
FROM fact_case
WHERE opened_at < TIMESTAMPTZ '{day} 00:00:00+00'
"""


def table(ask: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """One row a day.

    Args:
        ask: Answers a query over the published tables.
    """
    return pl.DataFrame([_as_known_on(day, ask(OPENED_BEFORE.format(day=day))) for day in DAYS])


def _as_known_on(day: date, opened: pl.DataFrame) -> dict[str, object]:
    told = opened.filter(~pl.col("is_dropped"))
    resolved = told.filter("is_event")
    waited = pl.when("is_event").then("hours").otherwise("age_hours")
    curve = kaplan_meier(told.lazy().select("is_event", time=waited), [], z=1.96).collect().lazy()
    return {
        "as_of": str(day),
        "tickets": told.height,
        "resolved": resolved.height,
        "open_censored": told.height - resolved.height,
        "dropped_closed_without_resolved_at": opened.height - told.height,
        **{f"naive_p{p}_h": _percentile(resolved, p) for p in (50, 90)},
        **{
            f"km_p{p}_h": survival_quantile(curve, [], p / 100).collect()["time"].item() for p in (50, 75, 90)
        },
        **{f"final_p{p}_h": _percentile(opened, p) for p in (50, 90)},
    }


def _percentile(rows: pl.DataFrame, percent: int) -> float:
    return rows.select(percentile(pl.col("hours"), percent / 100)).item()
