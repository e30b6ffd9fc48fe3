"""Who moved the goalposts: every version of the map that changed a goal, what it changed, and when."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from contracts.map_content import FormulaChange, MapContent, PromisedGoal, Recorded, unversioned
from contracts.records import MapRecord
from contracts.tables import GoalHistory
from transforms.goal_paths import GOAL

_Pair = tuple[str, str]
_Goals = dict[date, PromisedGoal]


@dataclass(frozen=True)
class _Moment:
    """The record that is looked at, and the day it was made."""

    record: MapRecord
    day: date


def goal_history(recorded: Sequence[Recorded], zone: ZoneInfo, renamed: Mapping[str, str]) -> pl.DataFrame:
    """GoalHistory, by grain.

    A goal is known by touchpoint, metric and beginning. One that begins on another day than before, with no other
    goal beside it, is the same goal with another beginning.

    Args:
        recorded: Versions of the map that were believed, the oldest first.
        zone: Where days begin.
        renamed: Present ids of touchpoints by former ones.
    """
    rows: list[dict[str, Any]] = []
    before: dict[_Pair, _Goals] = {}
    for one in recorded:
        now = _by_pair(one.content.goals, renamed)
        moment = _Moment(one.record, one.record.recorded_at.astimezone(zone).date())
        for pair in sorted({*before, *now}):
            rows += (
                _row(pair, moment, *change) for change in _changes(before.get(pair, {}), now.get(pair, {}))
            )
        before = now
    frame = pl.DataFrame(rows, schema=GoalHistory.published_schema())
    return frame.sort(GoalHistory.primary_key())


def moved_goals(history: pl.LazyFrame, zone: ZoneInfo) -> pl.LazyFrame:
    """Goals that were made easier while they ran: `GOAL`, moved_date (the last time)."""
    recorded = pl.col("recorded_at").dt.convert_time_zone(str(zone)).dt.date()
    # What takes over does so when it begins, whenever that was written down.
    day = pl.when(pl.col("change") == "replaced").then("in_force_from_date").otherwise(recorded)
    moved = history.filter("is_moved", pl.col("change") != "withdrawn")
    return moved.group_by(GOAL).agg(moved_date=day.max())


def unversioned_changes(recorded: Sequence[Recorded]) -> list[FormulaChange]:
    """Metrics whose present formula is not the one that their version began with."""
    first: dict[str, tuple[int, str]] = {}
    for one in recorded:
        for name, (version, formula) in one.content.formulas.items():
            if first.get(name, (version - 1, ""))[0] != version:
                first[name] = (version, formula)
    return unversioned(MapContent(formulas=first), recorded[-1].content) if recorded else []


def _by_pair(goals: Sequence[PromisedGoal], renamed: Mapping[str, str]) -> dict[_Pair, _Goals]:
    found: dict[_Pair, _Goals] = {}
    for one in goals:
        found.setdefault((renamed.get(one.touchpoint, one.touchpoint), one.metric), {})[one.starts] = one
    return found


_Change = tuple[str, PromisedGoal, PromisedGoal | None]


def _changes(before: _Goals, now: _Goals) -> Iterator[_Change]:
    """What became of the goals for one metric of one touchpoint: change, goal, and what it was before."""
    gone = [before[start] for start in sorted(before.keys() - now.keys())]
    new = [now[start] for start in sorted(now.keys() - before.keys())]
    for start in sorted(before.keys() & now.keys()):
        old, one = before[start], now[start]
        if _ended_early(one) and one.ends != old.ends and not _successor(one, now):
            yield "withdrawn", one, old
        elif _terms(one) != _terms(old):
            yield "changed", one, old
    for old, one in zip(gone, new, strict=False):
        yield "changed", one, old
    for old in gone[len(new) :]:
        yield "withdrawn", old, old
    for one in new[len(gone) :]:
        replaced = _predecessor(one, now)
        yield ("replaced" if replaced else "set"), one, replaced


def _terms(goal: PromisedGoal) -> tuple[object, ...]:
    return goal.level, goal.due, goal.direction, goal.way


def _ended_early(goal: PromisedGoal) -> bool:
    return goal.ends is not None and goal.ends < goal.due


def _successor(goal: PromisedGoal, goals: _Goals) -> bool:
    return any(goal.ends is not None and start >= goal.ends for start in goals)


def _predecessor(goal: PromisedGoal, goals: _Goals) -> PromisedGoal | None:
    """The goal before this one, if it was ended before it was due."""
    earlier = [goals[start] for start in sorted(goals) if start < goal.starts]
    return earlier[-1] if earlier and _ended_early(earlier[-1]) else None


def _row(
    pair: _Pair, moment: _Moment, change: str, goal: PromisedGoal, before: PromisedGoal | None
) -> dict[str, Any]:
    is_higher = goal.direction == "higher"
    eased = before is not None and (goal.level < before.level if is_higher else goal.level > before.level)
    postponed = before is not None and goal.due > before.due
    # What takes over from a goal that was not due does so while it ran, whenever it was written down.
    ran = before is not None and (change == "replaced" or before.starts <= moment.day < before.due)
    return {
        "touchpoint_id": pair[0],
        "metric": pair[1],
        "in_force_from_date": goal.starts,
        "record_number": moment.record.number,
        "recorded_at": moment.record.recorded_at,
        "recorded_by": moment.record.recorded_by,
        "map_version": moment.record.version,
        "change": change,
        "level": goal.level,
        "level_before": before.level if before else None,
        "due_date": goal.due,
        "due_date_before": before.due if before else None,
        "direction": goal.direction,
        "set_by": goal.set_by,
        "approved_by": goal.approved_by,
        "is_level_eased": eased,
        "is_due_postponed": postponed,
        "is_path_changed": before is not None and goal.way != before.way,
        "is_mid_period": ran,
        "is_moved": ran and (eased or postponed or change == "withdrawn"),
    }
