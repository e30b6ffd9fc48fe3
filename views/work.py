"""Who carries what, and who really does the work, as tables for the terminal."""

from collections.abc import Mapping

import polars as pl
from rich.table import Table
from rich.text import Text


def load_table(carried: pl.DataFrame) -> Table:
    """What every person carries, the most events first; rows of person_load."""
    table = Table(title="What people carry", title_justify="left")
    numbers = ("seats", "touchpoints", "events", "customers", "goals missed", "alone at")
    for name in ("accountable", *numbers, "which"):
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in carried.sort("event_28d_count", "owner_id", descending=[True, False]).iter_rows(named=True):
        counts = (row[name] for name in ("seat_count", "touchpoint_count", "event_28d_count"))
        more = (row[name] for name in ("customer_28d_count", "goals_missed_count", "alone_count"))
        table.add_row(
            Text(row["owner_name"], "bold red" if row["is_over_limit"] else ""),
            *(f"{value:,}" for value in (*counts, *more)),
            row["alone_at"] or "",
        )
    return table


def agreement_table(resolved: pl.DataFrame, called: Mapping[str, str]) -> Table:
    """How often the team that answers for a touchpoint resolves its cases; rows of observed_accountability.

    `called` has the names of touchpoints and teams, by id.
    """
    table = Table(title="Declared against observed, cases of 91 days", title_justify="left")
    numbers = ("cases", "agreement", "95 % interval")
    for name in ("touchpoint", "answers for it", *numbers):
        table.add_column(name, justify="right" if name in numbers else "left")
    once = resolved.unique("touchpoint_id", maintain_order=True).sort("agreement_share", "touchpoint_id")
    for row in once.iter_rows(named=True):
        table.add_row(
            called.get(row["touchpoint_id"], row["touchpoint_id"]),
            called.get(row["declared_team_id"], row["declared_team_id"] or "nobody"),
            f"{row['touchpoint_case_count']:,}",
            f"{row['agreement_share']:.0%}",
            f"{row['agreement_low']:.0%} to {row['agreement_high']:.0%}",
        )
    return table


def disagreement_table(resolved: pl.DataFrame, limit: int, called: Mapping[str, str]) -> Table:
    """The largest disagreements, each with the change that it suggests; `called` as above."""
    table = Table(title="Resolved by others", title_justify="left")
    for name in ("touchpoint", "resolved by", "cases", "share", "to decide on"):
        table.add_column(name, justify="right" if name in ("cases", "share") else "left", overflow="fold")
    ranked = resolved.filter(pl.col("disagreement_rank") <= limit).sort("disagreement_rank")
    for row in ranked.iter_rows(named=True):
        table.add_row(
            called.get(row["touchpoint_id"], row["touchpoint_id"]),
            row["observed_group"],
            f"{row['case_count'] - row['agreed_count']:,}",
            f"{row['case_share']:.0%}",
            Text(row["proposed_edit"] or "nothing: it is said to be responsible"),
        )
    return table
