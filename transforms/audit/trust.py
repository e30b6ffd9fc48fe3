"""Gaps of trust: the judged hold the pen, or whom a metric asks has drifted."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, time
from typing import Any

import polars as pl

from contracts.accountability import Touchpoint
from contracts.tables.trust import SENTINELS
from contracts.tenures import EARLIEST, instant
from transforms.audit.declare import Finding, about, rule
from transforms.audit.evidence import Evidence

_SURVEYS = ("nps", "csat", "ces")
_DRIFTS: Mapping[str, str] = {
    "mix": "{value:.0%} of those asked about {name} have {dimension} {segment!r}, {usual:.0%} before",
    "response_rate": "{value:.0%} of those asked about {name} answer, {usual:.0%} before",
    "asked_share": "{value:.2f} are asked for each event at {name}, {usual:.2f} before",
    "delay": "half of those asked about {name} answer within {value:.1f} hours, {usual:.1f} before",
}


@rule(
    "warning",
    "{team} is judged by {metrics} at {name}, and {units} selects who is asked.",
    "Let somebody who is not judged select whom to ask; then change 'collection' under the metric's "
    "'independence'.",
    "metrics",
)
def judged_select_who_is_asked(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint whose accountable person, seat or team selects who is asked about it."""
    return _conflicts(evidence, ("collection",))


@rule(
    "warning",
    "{team} is judged by {metrics} at {name}, and {units} alone says what was answered ({steps}).",
    "Let somebody who is not judged analyse or report with them; then add them to the metric's 'independence'.",
    "metrics",
)
def judged_report_alone(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint whose accountable person, seat or team alone analyses or reports what was answered."""
    return _conflicts(evidence, ("analysis", "reporting"))


@rule(
    "info",
    "The map does not say {steps} of {metric!r}, by which a goal is judged.",
    "Add 'independence' to the metric: seats, teams, or 'external: who'.",
    "metrics",
)
def independence_undeclared(evidence: Evidence) -> Iterator[Finding]:
    """A survey's metric with a goal in force of which the map does not say whose hands it goes through."""
    wanted = {
        goal.metric: touchpoint.id
        for touchpoint in evidence.living
        for goal in evidence.standing.goals(touchpoint)
    }
    said = {
        "motive": "who wants to know",
        "collection": "who selects whom to ask",
        "analysis": "who analyses the answers",
        "reporting": "who reports them",
    }
    ledger = evidence.independence.filter(pl.col("unit").is_null())
    for metric in evidence.atlas.metrics:
        open_steps = set(ledger.filter(pl.col("metric") == metric.id)["step"].cast(pl.String))
        if metric.id in wanted and metric.estimator in _SURVEYS and open_steps:
            missing = [text for step, text in said.items() if step in open_steps]
            yield Finding(
                object_type="metric",
                object_id=metric.id,
                said={"metric": metric.id, "steps": " or ".join(missing)},
                declared_at=evidence.atlas.where("metrics", metric.id),
            )


@rule(
    "warning",
    "Since the week of {since}, {what}{adjusted}.",
    "Find out who changed whom is asked, and undo it; if it was meant, say so with 'usual_from' under the "
    "metric's 'sample'.",
    "metrics",
)
def sampling_drift(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint at which those asked, or how they answer, have left their usual range and not come back."""
    apart = (pl.col("value") - pl.col("usual")).abs()
    place = {name: number for number, name in enumerate(("mix", *(one for one in SENTINELS if one != "mix")))}
    order = pl.col("sentinel").cast(pl.String).replace_strict(place, return_dtype=pl.Int64)
    worst = evidence.drifts.with_columns(order=order, apart=apart).sort(
        "touchpoint_id", "order", "apart", "metric", "segment", descending=[False, False, True, False, False]
    )
    for touchpoint, own in _by_touchpoint(evidence, worst):
        metric = next((one for one in touchpoint.metrics if one in set(own["metric"])), None)
        if metric is None:
            continue
        row = own.filter(pl.col("metric") == metric).row(0, named=True)
        said = _DRIFTS[row["sentinel"]].format(name=touchpoint.name, **row)
        found = about(
            evidence,
            touchpoint,
            since=row["drift_since_date"],
            what=said,
            adjusted=_adjusted(evidence, touchpoint, metric),
        )
        begun = datetime.combine(row["drift_since_date"], time(), evidence.atlas.zone)
        yield replace(found, since=instant(begun, evidence.atlas.zone, EARLIEST))


def _conflicts(evidence: Evidence, steps: tuple[str, ...]) -> Iterator[Finding]:
    ledger = evidence.independence.filter(pl.col("step").cast(pl.String).is_in(steps), "is_conflict")
    for touchpoint, rows in _by_touchpoint(evidence, ledger):
        yield about(
            evidence,
            touchpoint,
            team=evidence.names.get(rows["judged_team_id"][0], ""),
            metrics=_listed(rows["metric"]),
            units=_listed(rows["unit_name"]),
            steps=_listed(rows["step"].cast(pl.String)),
        )


def _by_touchpoint(evidence: Evidence, told: pl.DataFrame) -> Iterator[tuple[Touchpoint, pl.DataFrame]]:
    """Living touchpoints of which anything is told, with what is told of them."""
    parts = told.partition_by("touchpoint_id", as_dict=True, maintain_order=True)
    for touchpoint in evidence.living:
        if (touchpoint.id,) in parts:
            yield touchpoint, parts[touchpoint.id,]


def _listed(names: pl.Series) -> str:
    return " and ".join(names.unique(maintain_order=True))


def _adjusted(evidence: Evidence, touchpoint: Touchpoint, metric: str) -> str:
    """What the metric would be if those who answered were those who were there."""
    rows = evidence.who_answered.filter(
        pl.col("touchpoint_id") == touchpoint.id,
        pl.col("metric") == metric,
        pl.col("period").cast(pl.String) == "rolling_28d",
        pl.col("adjusted_value").is_not_null(),
    ).sort("period_end", "mix_excess")
    if rows.is_empty():
        return ""
    row: Mapping[str, Any] = rows.row(-1, named=True)
    whom = "who lives through it" if row["held_against"] == "lived" else "who was asked"
    values = (row["value"], row["adjusted_value"])
    is_share = next(one.unit for one in evidence.atlas.metrics if one.id == metric) == "share"
    value, adjusted = (f"{one:.1%}" if is_share else f"{one:,.1f}" for one in values)
    return f"; {metric} is {value}, and {adjusted} when weighted to {whom}"
