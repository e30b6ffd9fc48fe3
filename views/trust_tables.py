"""Who answered, whose hands numbers go through and what was restated, as tables of the terminal."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from rich.table import Table
from rich.text import Text

from contracts.sampling import STEPS
from views.trust import restated
from views.units import change_text, value_text


def answered_table(rows: pl.DataFrame, standing: list[dict[str, Any]]) -> Table:
    """Who was asked and answered: what `answered` and `drifts` returned."""
    said = [
        f"Since the week of {one['drift_since_date']}: {one['what']} at {one['touchpoint_id']} ({one['metric']}) is "
        f"{value_text(one['value'], one['unit'])} (n {one['n']:,}), usually {value_text(one['usual'], one['unit'])}."
        for one in standing
    ]
    table = Table(title="Who was asked, who answered", title_justify="left", caption="\n".join(said) or None)
    for name in (
        "touchpoint",
        "metric",
        "asked",
        "answered",
        "rate",
        "unlike",
        "n",
        "value",
        "weighted",
        "by who",
    ):
        table.add_column(name, justify="left" if name in ("touchpoint", "metric") else "right")
    for row in rows.iter_rows(named=True):
        table.add_row(
            row["touchpoint_id"],
            row["metric"],
            f"{row['asked_count']:,}",
            f"{row['answered_count']:,}",
            _shown(row["response_rate"], row["response_grade"]),
            _shown(row["mix_excess"], row["representation_grade"]),
            "-" if row["n"] is None else f"{row['n']:,}",
            value_text(row["value"], row["unit"]),
            value_text(row["adjusted_value"], row["unit"]),
            change_text(row["change_by_who"], row["unit"]),
        )
    return table


def hands_table(rows: list[dict[str, Any]]) -> Table:
    """Whose hands every number goes through: what `hands` returned."""
    table = Table(title="Whose hands they go through", title_justify="left")
    for name in ("touchpoint", "metrics", "judged", *STEPS):
        table.add_column(name)
    for row in rows:
        units = [Text(unit, "bold red" if is_conflict else "") for unit, is_conflict in row["steps"]]
        judged = " / ".join(row["judged"]) or "nobody"
        table.add_row(row["touchpoint_id"], ", ".join(row["metrics"]), judged, *units)
    return table


def restated_table(log: pl.DataFrame, limit: int, units: Mapping[str, str]) -> Table:
    """Published values that were changed: rows of restatement, the newest only; `units` by metric."""
    table = Table(title=f"Published values that were changed: {log.height:,}", title_justify="left")
    for name in ("touchpoint", "metric", "period", "was", "is", "n was", "n is", "why", "release"):
        table.add_column(
            name, justify="right" if name in ("was", "is", "n was", "n is", "release") else "left"
        )
    for row in restated(log, limit):
        table.add_row(
            row["scope_id"],
            row["metric"],
            f"{row['period']} {row['period_start']}",
            *(value_text(row[name], units.get(row["metric"], "")) for name in ("value_was", "value_is")),
            f"{row['n_was']:,}",
            f"{row['n_is']:,}",
            row["why"],
            str(row["release_number"]),
        )
    return table


def _shown(share: float | None, grade: str | None) -> str:
    return "not known" if share is None else f"{share:.1%} {grade}"
