"""Independence: whose hands every number goes through, and where the judged hold the pen."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from contracts.accountability import Metric, Touchpoint
from contracts.sampling import STEPS, Step, is_external
from contracts.tables import Independence
from transforms.in_force import Standing

_SAID = {
    "collection": "{judged} is judged by {metric} at {name}, and {units} selects who is asked.",
    "analysis": "{judged} is judged by {metric} at {name}, and {units} alone analyses the answers.",
    "reporting": "{judged} is judged by {metric} at {name}, and {units} alone reports them.",
}


def independence(standing: Standing) -> pl.DataFrame:
    """Independence: every metric that a touchpoint is judged by, step by step, as the map stands now."""
    metrics = {metric.id: metric for metric in standing.atlas.metrics}
    rows = [
        row
        for touchpoint in standing.atlas.touchpoints
        if touchpoint.id in standing.held
        for metric in touchpoint.metrics
        for row in _rows(standing, touchpoint, metrics[metric])
    ]
    return pl.DataFrame(rows, schema=Independence.published_schema())


def conflicted(ledger: pl.DataFrame) -> pl.DataFrame:
    """touchpoint_id, metric, is_conflicted: null where the map says of no step that can conflict."""
    return ledger.group_by("touchpoint_id", "metric", maintain_order=True).agg(
        is_conflicted=pl.when(pl.col("is_conflict").is_not_null().any()).then(pl.col("is_conflict").any())
    )


def _rows(standing: Standing, touchpoint: Touchpoint, metric: Metric) -> Iterator[dict[str, Any]]:
    tenure = standing.held[touchpoint.id]
    for place, step in enumerate(STEPS, start=1):
        units = _units(metric, touchpoint.id, step)
        judged = [unit for unit in units if _is_judged(standing, touchpoint.id, unit)]
        is_conflict = bool(judged) if step == "collection" else bool(judged) and len(judged) == len(units)
        is_conflict = is_conflict and step != "motive"
        yield {
            "touchpoint_id": touchpoint.id,
            "metric": metric.id,
            "step": step,
            "step_order": place,
            "unit": ", ".join(units) or None,
            "unit_name": ", ".join(_name(standing, unit) for unit in units) or None,
            "judged_team_id": tenure.team,
            "judged_owner_id": tenure.person,
            "is_conflict": is_conflict if units else None,
            "why": _why(standing, touchpoint, metric, step, judged) if is_conflict else None,
        }


def _units(metric: Metric, touchpoint: str, step: Step) -> Sequence[str]:
    """Who has a step in hand at a touchpoint: the last declaration about it."""
    about = [held for held in metric.independence if not held.touchpoints or touchpoint in held.touchpoints]
    return next((getattr(held, step) for held in reversed(about) if getattr(held, step)), ())


def _is_judged(standing: Standing, touchpoint: str, unit: str) -> bool:
    """Whether a unit is the seat that answers, of its team, or held by whoever answers."""
    tenure = standing.held[touchpoint]
    if tenure.team is None or is_external(unit):
        return False
    is_person = tenure.person is not None and standing.answering.get(unit) == tenure.person
    return is_person or standing.team_of(unit) == tenure.team


def _name(standing: Standing, unit: str) -> str:
    known = (*standing.atlas.seats, *standing.atlas.teams)
    return next((one.name for one in known if one.id == unit), unit)


def _why(standing: Standing, touchpoint: Touchpoint, metric: Metric, step: str, judged: Sequence[str]) -> str:
    tenure = standing.held[touchpoint.id]
    said = _SAID[step].format(
        judged=_name(standing, tenure.team or ""),
        metric=repr(metric.id),
        name=touchpoint.name,
        units=" and ".join(_name(standing, unit) for unit in judged),
    )
    return said[0].upper() + said[1:]
