"""Whether the agreement was kept, by week of opening: a p chart and Laney's p' over weeks with 50 incidents."""

from collections.abc import Callable

import polars as pl

from transforms.methods.charts import laney_p_chart, p_chart

WEEKS = """
SELECT
    CAST(date_trunc('week', opened_at) AS DATE) AS week_start,
    count(*) FILTER (attribute_made_sla = 'true') AS count,
    count(*) AS n
FROM fact_case
GROUP BY week_start
HAVING count(*) >= 50
ORDER BY week_start
"""


def table(ask: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """One row a week: share, centre and both charts' limits.

    Args:
        ask: Answers a query over the published tables.
    """
    weeks = ask(WEEKS).with_columns(series=pl.lit("all")).lazy()
    limits = ["week_start", "limit_low", "limit_high"]
    plain = p_chart(weeks, ["series"])
    wide = laney_p_chart(weeks, ["series"]).select(*limits, "sigma_z")
    return (
        plain.join(wide, on="week_start", suffix="_wide", maintain_order="left")
        .select(
            week_start=pl.col("week_start").cast(pl.String),
            made="count",
            n="n",
            rate="value",
            center="centre",
            p_lcl="limit_low",
            p_ucl="limit_high",
            sigma_z="sigma_z",
            laney_lcl="limit_low_wide",
            laney_ucl="limit_high_wide",
        )
        .collect()
    )
