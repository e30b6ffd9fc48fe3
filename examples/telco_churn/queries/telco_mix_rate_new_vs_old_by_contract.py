"""Why customers of up to a year churn more than older ones: on which contracts they are, and how those churn."""

from collections.abc import Callable

import polars as pl

from transforms.methods.decompose import rate_and_mix

CONTRACTS = """
SELECT
    attribute_contract AS contract,
    count(*) FILTER (attribute_tenure > 12) AS size_before,
    avg(CAST(attribute_churned = 'Yes' AS INTEGER)) FILTER (attribute_tenure > 12) AS rate_before,
    count(*) FILTER (attribute_tenure <= 12) AS size_after,
    avg(CAST(attribute_churned = 'Yes' AS INTEGER)) FILTER (attribute_tenure <= 12) AS rate_after
FROM fact_case
GROUP BY contract
ORDER BY contract
"""


def table(ask: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """One row a contract and the total: mix and rate effects add up to the whole difference.

    Args:
        ask: Answers a query over the published tables.
    """
    split = rate_and_mix(ask(CONTRACTS).lazy()).collect()
    whole = [
        (pl.col(f"share_{side}") * pl.col(f"rate_{side}")).sum().alias(f"rate_{side}")
        for side in ("before", "after")
    ]
    total = split.select(
        pl.lit("TOTAL").alias("contract"), pl.col("share_before", "share_after", "mix", "rate").sum(), *whole
    )
    return pl.concat([split.select(total.columns), total]).rename(
        {
            "share_before": "share_base",
            "share_after": "share_new",
            "rate_before": "rate_base",
            "rate_after": "rate_new",
            "mix": "mix_effect",
            "rate": "rate_effect",
        }
    )
