"""Little's law over April 2016: incidents in the system = arrivals an hour x hours in the window."""

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl

from transforms.methods.flows import littles_check

START, END = datetime(2016, 4, 1, tzinfo=UTC), datetime(2016, 5, 1, tzinfo=UTC)
NAMES = {
    "hours": "hours",
    "sojourn_hours": "sojourn_hours",
    "cases_average": "L_time_average",
    "arrivals": "arrivals",
    "arrivals_per_hour": "lambda_per_h",
    "hours_in_window": "W_in_window_h",
    "cases_from_law": "L_from_law",
}


def table(ask: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """Figures, one a row: metric, value, text.

    Args:
        ask: Answers a query over the published tables.
    """
    cases = ask("SELECT opened_at, closed_at FROM fact_case").with_columns(
        pl.col("opened_at", "closed_at").dt.convert_time_zone("UTC")
    )
    row = littles_check(cases.lazy(), START, END).collect().row(0, named=True)
    window = [("window", None, f"{START:%Y-%m-%d}..{END:%Y-%m-%d}")]
    figures = [(name, float(row[ours]), "") for ours, name in NAMES.items()]
    return pl.DataFrame(window + figures, schema=["metric", "value", "text"], orient="row")
