"""The share of customers that is still there after so many months, those who have not left counted as long as seen."""

from collections.abc import Callable

import polars as pl

from transforms.intervals import z_of
from transforms.methods.survival import kaplan_meier

STAYED = "SELECT attribute_tenure AS time, attribute_churned = 'Yes' AS is_event FROM fact_case"


def table(ask: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """One row a month of tenure. Customers of less than a month have not been seen to stay.

    Args:
        ask: Answers a query over the published tables.
    """
    seen = ask(STAYED).lazy().filter(pl.col("time") > 0)
    curve = kaplan_meier(seen, [], z_of(0.95))
    return curve.select(tenure_months="time", n_risk="at_risk", d="events", S="survival").collect()
