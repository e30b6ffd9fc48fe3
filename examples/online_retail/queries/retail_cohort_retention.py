"""Of the customers first seen in a month, the share that buys again so many months later."""

from collections.abc import Callable

import polars as pl

from transforms.methods.retention import cohort_retention

BOUGHT = """
SELECT DISTINCT
    customer_key AS customer_id,
    12 * year(opened_at AT TIME ZONE 'Europe/London') + month(opened_at AT TIME ZONE 'Europe/London') - 1 AS period
FROM fact_case
WHERE attribute_document = 'sale' AND customer_key IS NOT NULL
"""


def table(ask: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """One row a cohort and month after it. The last month stops on the 9th, so it shows too few.

    Args:
        ask: Answers a query over the published tables.
    """
    cohort = pl.col("cohort")
    month = pl.format("{}-{}", cohort // 12, (cohort % 12 + 1).cast(pl.String).str.zfill(2))
    found = cohort_retention(ask(BOUGHT).lazy()).filter(pl.col("active") > 0)
    return found.select(
        month.alias("cohort"), pl.col("offset").alias("month_offset"), "active", "cohort_size", "retention"
    ).collect()
