"""The map as tables."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from contracts.accountability import NOBODY, AccountabilityMap, Goal, Touchpoint
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
from contracts.tenures import LATEST, Tenure, holdings

_ALWAYS = date(1970, 1, 1)


def map_tables(
    atlas: AccountabilityMap, tenures: Sequence[Tenure], now: datetime
) -> dict[type[Table], pl.DataFrame]:
    """Every dimension of the map, and who has been accountable when.

    Args:
        atlas: The map.
        tenures: Its tenures.
        now: The instant that "now" columns speak of.
    """
    goals = dim_goal(atlas)
    return {
        BridgeAssignment: _frame(BridgeAssignment, map(_assignment, tenures)),
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
            ({"team_id": t.id, "team_name": t.name, "groups": ", ".join(t.groups)} for t in atlas.teams),
        ),
        DimMetric: _frame(
            DimMetric,
            (
                {
                    "metric": metric.id,
                    "metric_name": metric.name,
                    **metric.model_dump(include={"estimator", "of", "unit", "direction"}),
                }
                for metric in atlas.metrics
            ),
        ),
        DimGoal: goals,
    }


def dim_goal(atlas: AccountabilityMap) -> pl.DataFrame:
    """DimGoal: every goal of every touchpoint, past and present."""

    def row(touchpoint: Touchpoint, goal: Goal) -> dict[str, Any]:
        starts, ends = goal.in_force_from, goal.in_force_until
        return {
            "touchpoint_id": touchpoint.id,
            "metric": goal.metric,
            "in_force_from_date": starts.date() if starts else _ALWAYS,
            "in_force_until_date": ends.date() if ends else None,
            "due_date": goal.due.date(),
            "level": float(goal.level),
            "direction": "lower" if goal.at_least is None else "higher",
            "why": goal.why,
        }

    return _frame(DimGoal, (row(t, goal) for t in atlas.touchpoints for goal in t.goals))


def state_at(tenures: Iterable[Tenure], moment: datetime) -> dict[str, Tenure]:
    """The tenure in force at an instant, by touchpoint."""
    return {t.touchpoint: t for t in tenures if t.start <= moment < t.end}


def _assignment(tenure: Tenure) -> dict[str, Any]:
    return {
        "touchpoint_id": tenure.touchpoint,
        "valid_from_at": tenure.start,
        "valid_to_at": None if tenure.end == LATEST else tenure.end,
        "state": tenure.state,
        "seat_id": tenure.seat,
        "team_id": tenure.team,
        "owner_id": tenure.person or NOBODY,
    }


def _touchpoints(
    atlas: AccountabilityMap, tenures: Sequence[Tenure], goals: pl.DataFrame, now: datetime
) -> Iterable[dict[str, Any]]:
    held = state_at(tenures, now)
    today = now.astimezone(atlas.zone).date()
    in_force = goals.filter(
        pl.col("in_force_from_date") <= today,
        pl.col("in_force_until_date").is_null() | (pl.col("in_force_until_date") > today),
    )
    count = dict(in_force.group_by("touchpoint_id").len().iter_rows())
    for touchpoint in atlas.touchpoints:
        tenure = held.get(touchpoint.id)
        yield {
            "touchpoint_id": touchpoint.id,
            "touchpoint_name": touchpoint.name,
            "stage_id": touchpoint.stage,
            "is_priority": touchpoint.priority,
            "owner_id": (tenure.person if tenure else None) or NOBODY,
            "seat_id": tenure.seat if tenure else None,
            "metric_count": len(touchpoint.metrics),
            "goal_count": count.get(touchpoint.id, 0),
            "declared_at": atlas.where("touchpoints", touchpoint.id),
        }


def _seats(atlas: AccountabilityMap, now: datetime) -> Iterable[dict[str, Any]]:
    for seat in atlas.seats:
        holder = next((s.value for s in holdings(seat, atlas.zone) if s.start <= now < s.end), None)
        person = seat.holders[holder].person if holder is not None else None
        yield {
            "seat_id": seat.id,
            "seat_name": seat.name,
            "team_id": seat.team,
            "owner_id": person or NOBODY,
        }


def _frame(table: type[Table], rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=table.published_schema())
