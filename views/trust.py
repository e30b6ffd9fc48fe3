"""Who was asked and who answered, whose hands numbers go through, what was restated: rows of pages and tables."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from contracts.sampling import STEPS

_WORDS = {
    "response_rate": "share of those asked who answer",
    "asked_share": "asked for each event",
    "asked_count": "people asked",
    "mix": "share of those asked",
    "delay": "time until half have answered",
}
_UNITS = {"asked_count": "count", "delay": "hours"}
"""Units of sentinels that are no shares."""
_WINDOW = ["period_start", "period_end", "touchpoint_id", "metric"]


def answered(frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Every metric that says whom it asks, in its last 28 days that are known whole, the least like them first.

    Returns:
        touchpoint_id, metric, period_end, asked_count, answered_count, response_rate, response_grade,
        mix_excess, mix_dimension, held_against, representation_grade, the metric's unit, and of that dimension
        n, value, adjusted_value, change and change_by_who.
    """
    graded = frames["metric_trust"].filter(
        pl.col("period").cast(pl.String) == "rolling_28d",
        ~pl.col("is_stale"),
        pl.col("asked_count").is_not_null(),
    )
    last = graded.filter(pl.col("period_end") == pl.col("period_end").max().over("touchpoint_id", "metric"))
    told = frames["who_answered"].filter(pl.col("period").cast(pl.String) == "rolling_28d")
    told = told.select(
        *_WINDOW, "n", "value", "adjusted_value", "change", "change_by_who", mix_dimension=pl.col("dimension")
    )
    known = units(frames["dim_metric"])
    joined = (
        last.drop("n")
        .join(told, on=[*_WINDOW, "mix_dimension"], how="left")
        .with_columns(unit=pl.col("metric").replace_strict(known, default="", return_dtype=pl.String))
    )
    return joined.sort(
        "mix_excess", "touchpoint_id", "metric", descending=[True, False, False], nulls_last=True
    )


def drifts(sentinels: pl.DataFrame) -> list[dict[str, Any]]:
    """Series that have left their usual range and not come back, each in words, with its unit."""
    standing = sentinels.filter("is_standing")
    standing = standing.with_columns(apart=(pl.col("value") - pl.col("usual")).abs())
    ordered = standing.sort(
        "touchpoint_id", "metric", "apart", "segment", descending=[False, False, True, False]
    )
    return [
        {**row, "what": _what(row), "unit": _UNITS.get(row["sentinel"], "share")}
        for row in ordered.iter_rows(named=True)
    ]


def hands(ledger: pl.DataFrame) -> list[dict[str, Any]]:
    """Whose hands numbers go through: one row a touchpoint and the metrics in the same hands, a conflict first.

    Returns:
        touchpoint_id, metrics, judged (team and person), is_conflict, and `steps`: unit_name and is_conflict of
        each step.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    ordered = ledger.filter(pl.col("unit").is_not_null()).sort("touchpoint_id", "metric", "step_order")
    for (touchpoint, metric), own in ordered.group_by("touchpoint_id", "metric", maintain_order=True):
        by_step = {row["step"]: row for row in own.iter_rows(named=True)}
        steps = tuple(
            (by_step[step]["unit_name"], bool(by_step[step]["is_conflict"]))
            if step in by_step
            else ("-", False)
            for step in STEPS
        )
        first = own.row(0, named=True)
        judged = tuple(filter(None, (first["judged_team_id"], first["judged_owner_id"])))
        held = {"touchpoint_id": touchpoint, "metrics": [], "judged": judged, "steps": steps}
        held["is_conflict"] = any(is_conflict for _, is_conflict in steps)
        rows.setdefault((touchpoint, steps), held)["metrics"].append(metric)
    return sorted(rows.values(), key=lambda row: (not row["is_conflict"], row["touchpoint_id"]))


IS_SHOWN = (pl.col("scorecard") == "scorecard_touchpoint") & pl.col("period").cast(pl.String).is_in(
    ["week", "month", "quarter"]
)
"""Which rows of restatement are told one by one."""


def restated(log: pl.DataFrame, limit: int) -> list[dict[str, Any]]:
    """The newest published values that were restated: weeks, months and quarters of touchpoints."""
    moved = (pl.col("n_is") - pl.col("n_was")).abs()
    order = {"release_number": False, "moved": False, "scope_id": True, "metric": True, "period_start": False}
    newest = (
        log.filter(IS_SHOWN)
        .with_columns(moved=moved)
        .top_k(max(limit, 0), by=list(order), reverse=list(order.values()))
    )
    return list(
        newest.sort(list(order), descending=[not one for one in order.values()]).iter_rows(named=True)
    )


def units(metrics: pl.DataFrame) -> dict[str, str]:
    """The unit of every metric of DimMetric, and of the count of events; one that the map has no more is not there."""
    return {"events": "count", **dict(metrics.select("metric", "unit").iter_rows())}


def _what(row: Mapping[str, Any]) -> str:
    whom = f" with {row['dimension']} {row['segment']}" if row["sentinel"] == "mix" else ""
    return f"{_WORDS[row['sentinel']]}{whom}"
