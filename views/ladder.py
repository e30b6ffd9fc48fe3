"""The ladder in words: one sentence for whoever answers for all of it, and the waterfall as a table."""

from collections.abc import Mapping

import polars as pl
from rich.table import Table
from rich.text import Text

SHORT = {
    "unmatched": "not matched",
    "owner": "unowned",
    "metric": "without a measure to trust",
    "goal": "without a goal",
}
"""What is missing up to the third rung, as the sentence says it."""

STEPS = {
    "unmatched": "no touchpoint: no rule matches",
    "owner": "nobody is accountable",
    "metric": "no measure to trust",
    "goal": "no goal in force",
    "review": "no review looks at it",
    "outcome": "not shown to be at its goal: missed, or not to be told yet",
    "none": "all of it, and at its goal",
}


def sentence(waterfall: pl.DataFrame) -> str:
    """How far accountability reaches, in one sentence; its numbers add up to 100.

    Args:
        waterfall: GapWaterfall.
    """
    company = waterfall.filter(pl.col("scope_type") == "company")
    percents = {str(step): percent for step, percent in company.select("step", "percent").iter_rows()}
    if not sum(percents.values()):
        return "Nothing happened to any customer in the last 28 days."
    reached = sum(percent for step, percent in percents.items() if step not in SHORT)
    said = (
        f"{reached} % of what customers went through in the last 28 days had one named person, a measure to "
        "trust and a goal"
    )
    lacking = [(percents[step], words) for step, words in SHORT.items() if percents[step]]
    if lacking:
        lacking.sort(key=lambda one: -one[0])
        parts = ", ".join(f"{percent} {words}" for percent, words in lacking)
        said += f"; of the other {100 - reached} %: {parts}"
    return f"{said}."


def waterfall_table(waterfall: pl.DataFrame, scope: str = "all") -> Table:
    """The waterfall of one scope: what is missing first, how much that is, what is left."""
    table = Table(title="Where accountability ends", title_justify="left")
    for name in ("what is missing first", "touchpoints", "events", "customers", "%", "left %"):
        table.add_column(name, justify="left" if name.startswith("what") else "right")
    rows = waterfall.filter(pl.col("scope_id") == scope).sort("step_order")
    for row in rows.iter_rows(named=True):
        table.add_row(Text(STEPS[row["step"]], "green" if row["step"] == "none" else ""), *_figures(row))
    return table


def ladder_table(ladder: pl.DataFrame) -> Table:
    """Touchpoints by what they lack, the most events first."""
    table = Table(title="Touchpoint by touchpoint", title_justify="left")
    for name in ("touchpoint", "accountable", "rung", "what is missing first", "events", "customers"):
        table.add_column(name, justify="right" if name in ("rung", "events", "customers") else "left")
    for row in ladder.sort("event_count", "touchpoint_id", descending=[True, False]).iter_rows(named=True):
        table.add_row(
            row["touchpoint_name"],
            row["owner_id"],
            str(row["rung"]),
            row["why"] or "nothing",
            f"{row['event_count']:,}",
            f"{row['customer_count']:,}",
        )
    return table


def _figures(row: Mapping[str, int]) -> list[str]:
    left = "" if row["step"] == "none" else str(row["remaining_percent"])
    counts = [f"{row[name]:,}" for name in ("touchpoint_count", "event_count", "customer_count", "percent")]
    return [*counts, left]
