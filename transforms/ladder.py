"""The ladder of accountability, and the waterfall of what is missing first.

Rung by rung: (1) one named, active person is accountable, (2) a metric can be trusted, (3) a goal is in
force on such a metric, (4) a review covers the touchpoint, (5) every such goal is met on evidence. A rung
counts only when all below it hold. Touchpoints weigh by what customers lived through there.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from contracts.accountability import NOBODY, UNMATCHED, Touchpoint
from contracts.tables import AccountabilityLadder, GapWaterfall
from contracts.tables.accountability import STEPS
from contracts.tenures import Tenure
from transforms.apportion import apportioned
from transforms.in_force import Standing
from transforms.lived import Lived

ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Climb:
    """What the ladder looks at.

    Attributes:
        standing: The map as it stands now.
        lived: Events and customers of the last 28 days.
        trusted: (touchpoint, metric) pairs that are trusted, see MetricStanding.
        why_not: Why a pair is not.
        verdicts: Verdict over the last 28 days, by touchpoint and metric.
    """

    standing: Standing
    lived: Lived
    trusted: frozenset[tuple[str, str]]
    why_not: Mapping[tuple[str, str], str]
    verdicts: Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Missing:
    """What a touchpoint lacks first.

    Attributes:
        step: One of `STEPS`.
        why: The same in words; None when nothing is missing.
    """

    step: str
    why: str | None = None

    @property
    def rung(self) -> int:
        """The highest rung reached: 0 to 5."""
        return max(STEPS.index(self.step) - 1, 0)


def first_missing(touchpoint: Touchpoint, tenure: Tenure | None, climb: Climb) -> Missing:
    """What a touchpoint lacks first, in the order of the rungs."""
    standing = climb.standing
    if flaw := standing.unnamed(tenure):
        return Missing("owner", flaw)
    in_force = standing.goals(touchpoint)
    aimed_at = list(dict.fromkeys(goal.metric for goal in in_force)) or list(touchpoint.metrics)
    trusted = [metric for metric in aimed_at if (touchpoint.id, metric) in climb.trusted]
    if not trusted:
        reasons = [climb.why_not.get((touchpoint.id, metric), "") for metric in aimed_at]
        return Missing("metric", "; ".join(filter(None, reasons)) or "the map names no metric")
    goals = [goal for goal in in_force if goal.metric in trusted]
    if not goals:
        return Missing("goal", f"no goal is in force for {', '.join(trusted)}")
    if not standing.reviews(touchpoint):
        return Missing("review", "no review with a chair covers it")
    found = {goal.metric: climb.verdicts.get((touchpoint.id, goal.metric), "no_data") for goal in goals}
    if short := [f"{metric}: {_SAID[verdict]}" for metric, verdict in found.items() if verdict != "met"]:
        return Missing("outcome", "; ".join(short))
    return Missing("none")


_SAID = {
    "missed": "its goal is missed",
    "cannot_tell": "it cannot be told yet whether its goal is met",
    "no_data": "nothing was observed",
    "no_goal": "no goal was in force",
}


def accountability_ladder(climb: Climb) -> pl.DataFrame:
    """AccountabilityLadder: every touchpoint that exists or had events, and the unmatched.

    Pure: the same map and the same events give the same rows, so it can be asked of a map that is only
    proposed.
    """
    total = sum(events for events, _ in climb.lived.stakes.values())
    rows = [*_touchpoints(climb), _unmatched(climb)]
    for row in rows:
        row["event_share"] = row["event_count"] / total if total else None
    return pl.DataFrame(rows, schema=AccountabilityLadder.published_schema())


def _touchpoints(climb: Climb) -> Iterator[dict[str, Any]]:
    standing = climb.standing
    for touchpoint in standing.atlas.touchpoints:
        tenure = standing.last_tenure(touchpoint.id)
        events, customers = climb.lived.stakes.get(touchpoint.id, (0, 0))
        if tenure is None or (tenure.end <= standing.now and not events):
            continue  # it does not exist yet, or no longer
        missing = first_missing(touchpoint, tenure, climb)
        yield {
            "as_of_date": standing.today,
            "touchpoint_id": touchpoint.id,
            "touchpoint_name": touchpoint.name,
            "stage_id": touchpoint.stage,
            "owner_id": tenure.person or NOBODY,
            "rung": missing.rung,
            "first_fail": missing.step,
            "why": missing.why,
            "event_count": events,
            "customer_count": customers,
        }


def _unmatched(climb: Climb) -> dict[str, Any]:
    events, customers = climb.lived.stakes.get(UNMATCHED, (0, 0))
    return {
        "as_of_date": climb.standing.today,
        "touchpoint_id": UNMATCHED,
        "touchpoint_name": "What no rule matched",
        "stage_id": None,
        "owner_id": NOBODY,
        "rung": 0,
        "first_fail": "unmatched",
        "why": "no rule says which touchpoint it belongs to",
        "event_count": events,
        "customer_count": customers,
    }


def gap_waterfall(ladder: pl.DataFrame, lived: Lived, stages: Sequence[str]) -> pl.DataFrame:
    """GapWaterfall: the ladder's events by what is missing first, company and stages.

    Args:
        ladder: AccountabilityLadder.
        lived: As in `Climb`.
        stages: The map's stages, each a scope even without events.
    """
    stops = [
        _Stop(*stop)
        for stop in ladder.select("touchpoint_id", "stage_id", "first_fail", "event_count").iter_rows()
    ]
    today = ladder["as_of_date"][0]
    rows = _scope("company", ALL, stops, lived, today)
    for stage in stages:
        rows += _scope("stage", stage, [stop for stop in stops if stop.stage == stage], lived, today)
    return pl.DataFrame(rows, schema=GapWaterfall.published_schema())


class _Stop(NamedTuple):
    """Where a touchpoint stops on the ladder."""

    touchpoint: str
    stage: str | None
    step: str
    events: int


def _scope(kind: str, name: str, stops: Sequence[_Stop], lived: Lived, today: date) -> list[dict[str, Any]]:
    touchpoints = Counter(stop.step for stop in stops if stop.touchpoint != UNMATCHED)
    events = [sum(stop.events for stop in stops if stop.step == step) for step in STEPS]
    percents, left = apportioned(events), 100 if sum(events) else 0
    rows = []
    for place, (step, percent) in enumerate(zip(STEPS, percents, strict=True), start=1):
        left -= percent
        rows.append(
            {
                "as_of_date": today,
                "scope_type": kind,
                "scope_id": name,
                "step_order": place,
                "step": step,
                "touchpoint_count": touchpoints[step],
                "event_count": events[place - 1],
                "customer_count": lived.stake(stop.touchpoint for stop in stops if stop.step == step)[1],
                "event_share": events[place - 1] / sum(events) if sum(events) else None,
                "percent": percent,
                "remaining_percent": left,
            }
        )
    return rows
