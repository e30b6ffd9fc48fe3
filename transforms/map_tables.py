"""The map as tables."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from contracts.accountability import NOBODY, AccountabilityMap, Goal, Metric, Touchpoint
from contracts.attestations import Attested
from contracts.remembered import remembered
from contracts.tables import (
    BridgeAssignment,
    DimGoal,
    DimMetric,
    DimPerson,
    DimSeat,
    DimStage,
    DimTeam,
    DimTouchpoint,
    Table,
)
from contracts.tenures import LATEST, Tenure, in_force, seated
from transforms.estimate import formula
from transforms.quantiles import is_censored

_SAID = {
    "why",
    "baseline",
    "success_looks_like",
    "what_is_in_it_for_us",
    "set_by",
    "approved_by",
    "lever",
}
"""Parts of a goal that are published as they are written."""

_METRIC_SAID = {
    "estimator",
    "of",
    "unit",
    "direction",
    "counter_metric",
    "minimum_trust",
    "tolerance",
    "within_days",
}
"""Parts of a metric that are published as they are written."""


def map_tables(
    atlas: AccountabilityMap, tenures: Sequence[Tenure], now: datetime, standing: Sequence[Attested] = ()
) -> dict[type[Table], pl.DataFrame]:
    """Every dimension of the map, and who has been accountable when.

    Args:
        atlas: The map.
        tenures: Its tenures.
        now: The instant that "now" columns speak of.
        standing: What accountable people say themselves, by touchpoint; nothing when absent.
    """
    said = {one.touchpoint: one for one in standing}
    goals = dim_goal(atlas)
    return {
        BridgeAssignment: _frame(
            BridgeAssignment, (_assignment(one, atlas.version, said, now) for one in tenures)
        ),
        DimTouchpoint: _frame(DimTouchpoint, _touchpoints(atlas, tenures, goals, now)),
        DimStage: _frame(
            DimStage,
            (
                {"stage_id": stage.id, "stage_name": stage.name, "stage_order": place}
                for place, stage in enumerate(atlas.stages, start=1)
            ),
        ),
        DimSeat: _frame(DimSeat, _seats(atlas, now)),
        DimPerson: _frame(DimPerson, ({"owner_id": p.id, "owner_name": p.name} for p in atlas.people)),
        DimTeam: _frame(
            DimTeam,
            (
                {
                    "team_id": team.id,
                    "team_name": team.name,
                    "lead_seat_id": team.lead,
                    "kind": team.kind,
                    "groups": ", ".join(team.groups),
                }
                for team in atlas.teams
            ),
        ),
        DimMetric: _frame(
            DimMetric,
            (
                {
                    "metric": metric.id,
                    "metric_name": metric.name,
                    "formula": formula(metric) + (", open cases counted" if is_censored(metric) else ""),
                    "per": metric.per if metric.estimator == "rate" else None,
                    "after_days": metric.after_days if metric.estimator == "followed" else None,
                    "definition": _definition(metric),
                    "metric_version": metric.version,
                    "windows": ", ".join(map(str, metric.windows)),
                    **{name: getattr(metric, name) for name in _METRIC_SAID},
                }
                for metric in atlas.metrics
            ),
        ),
        DimGoal: goals,
    }


def _definition(metric: Metric) -> str:
    """A hash of everything that decides on the metric's value."""
    return hashlib.sha256(repr(sorted(metric.formula.items())).encode()).hexdigest()[:16]


@remembered
def dim_goal(atlas: AccountabilityMap) -> pl.DataFrame:
    """DimGoal: every goal of every touchpoint, past and present."""
    counters = {metric.id: metric.counter_metric for metric in atlas.metrics}

    def row(touchpoint: Touchpoint, goal: Goal) -> dict[str, Any]:
        return {
            "touchpoint_id": touchpoint.id,
            "metric": goal.metric,
            "in_force_from_date": goal.first_day,
            "in_force_until_date": _date(goal.in_force_until),
            "due_date": goal.due.date(),
            "level": float(goal.level),
            "direction": goal.direction,
            "baseline_date": _date(goal.baseline_at),
            "counter_metric": goal.counter_metric or counters.get(goal.metric),
            "path": "waypoints" if isinstance(goal.path, tuple) else goal.path,
            **{name: getattr(goal, name) for name in _SAID},
        }

    return _frame(DimGoal, (row(t, goal) for t in atlas.touchpoints for goal in t.goals))


def _assignment(tenure: Tenure, version: str, said: Mapping[str, Attested], now: datetime) -> dict[str, Any]:
    own = said.get(tenure.touchpoint) if tenure.start <= now < tenure.end else None
    return {
        "touchpoint_id": tenure.touchpoint,
        "valid_from_at": tenure.start,
        "valid_to_at": None if tenure.end == LATEST else tenure.end,
        "state": tenure.state,
        "seat_id": tenure.seat,
        "team_id": tenure.team,
        "owner_id": tenure.person or NOBODY,
        "holder_id": tenure.holder,
        "is_cover": tenure.is_covered,
        "attestation": own.state if own else None,
        "attested_at": own.word.attested_at if own and own.word else None,
        "map_version": version,
    }


def _touchpoints(
    atlas: AccountabilityMap, tenures: Sequence[Tenure], goals: pl.DataFrame, now: datetime
) -> Iterable[dict[str, Any]]:
    held = in_force(tenures, now)
    today = now.astimezone(atlas.zone).date()
    counting = goals.filter(
        pl.col("in_force_from_date") <= today,
        pl.col("in_force_until_date").is_null() | (pl.col("in_force_until_date") > today),
    )
    count = dict(counting.group_by("touchpoint_id").len().iter_rows())
    for touchpoint in atlas.touchpoints:
        tenure = held.get(touchpoint.id)
        yield {
            "touchpoint_id": touchpoint.id,
            "touchpoint_name": touchpoint.name,
            "stage_id": touchpoint.stage,
            "parent_id": touchpoint.parent,
            "former_ids": ", ".join(touchpoint.was),
            "kind": touchpoint.kind,
            "is_priority": touchpoint.priority,
            "owner_id": (tenure.person if tenure else None) or NOBODY,
            "seat_id": tenure.seat if tenure else None,
            "metric_count": len(touchpoint.metrics),
            "goal_count": count.get(touchpoint.id, 0),
            "validated_by_id": touchpoint.validated_by,
            "validated_role": touchpoint.validated_role,
            "validated_date": _date(touchpoint.validated_at),
            "declared_at": atlas.where("touchpoints", touchpoint.id),
        }


def _seats(atlas: AccountabilityMap, now: datetime) -> Iterable[dict[str, Any]]:
    for seat in atlas.seats:
        answering = next((s.value for s in seated(seat, atlas.zone) if s.start <= now < s.end), None)
        yield {
            "seat_id": seat.id,
            "seat_name": seat.name,
            "team_id": seat.team,
            "owner_id": (answering.person if answering else None) or NOBODY,
            "holder_id": answering.holder if answering else None,
        }


def _date(moment: datetime | None) -> date | None:
    """The day that somebody wrote."""
    return moment.date() if moment else None


def _frame(table: type[Table], rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=table.published_schema())
