"""What a version of the map promised: its goals, and what makes its metrics' numbers. Plain values, to be compared."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Self

from contracts.accountability import AccountabilityMap, Goal, Touchpoint
from contracts.records import MapRecord


@dataclass(frozen=True, kw_only=True)
class PromisedGoal:
    """One goal as a version of the map had it.

    Attributes:
        touchpoint: Its touchpoint's id then.
        metric: What it judges.
        starts: First day it counts, see `Goal.first_day`.
        ends: First day it no longer does; None when it says none.
        due: When the level is to be reached.
        level: To reach.
        direction: higher or lower.
        way: Baseline and path, as text.
        set_by: Seat or person who set it.
        approved_by: Seat or person who agreed.
    """

    touchpoint: str
    metric: str
    starts: date
    ends: date | None
    due: date
    level: float
    direction: str
    way: str
    set_by: str | None
    approved_by: str | None

    @classmethod
    def of(cls, touchpoint: Touchpoint, goal: Goal) -> Self:
        """A goal of a map."""
        way = goal.model_dump(mode="json", include={"baseline", "baseline_at", "path"})
        return cls(
            touchpoint=touchpoint.id,
            metric=goal.metric,
            starts=goal.first_day,
            ends=goal.in_force_until.date() if goal.in_force_until else None,
            due=goal.due.date(),
            level=float(goal.level),
            direction=goal.direction,
            way=json.dumps(way, sort_keys=True),
            set_by=goal.set_by,
            approved_by=goal.approved_by,
        )


@dataclass(frozen=True)
class MapContent:
    """What a version of the map promised.

    Attributes:
        goals: Its goals.
        formulas: Version and formula of its metrics, by id.
    """

    goals: tuple[PromisedGoal, ...] = ()
    formulas: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, atlas: AccountabilityMap) -> Self:
        """What a map promises."""
        goals = tuple(PromisedGoal.of(one, goal) for one in atlas.touchpoints for goal in one.goals)
        formulas = {one.id: (one.version, json.dumps(one.formula, sort_keys=True)) for one in atlas.metrics}
        return cls(goals, formulas)

    def as_json(self) -> str:
        """As text, to be kept."""
        return json.dumps(asdict(self), default=date.isoformat, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `as_json` wrote.

        Raises:
            ValueError: It did not write that.
        """
        told: dict[str, Any] = json.loads(text)
        try:
            goals = tuple(PromisedGoal(**(one | _dates(one))) for one in told["goals"])
            return cls(goals, {name: (int(one[0]), str(one[1])) for name, one in told["formulas"].items()})
        except (KeyError, TypeError, IndexError) as error:
            message = "no content of a map"
            raise ValueError(message) from error


def _dates(goal: Mapping[str, Any]) -> dict[str, date | None]:
    days = {name: goal[name] for name in ("starts", "ends", "due")}
    return {name: date.fromisoformat(day) if day else None for name, day in days.items()}


@dataclass(frozen=True)
class Recorded:
    """A version of the map that was believed, and what it promised."""

    record: MapRecord
    content: MapContent


@dataclass(frozen=True)
class FormulaChange:
    """A metric whose number is made in another way under the same version.

    Attributes:
        metric: The metric.
        version: Its version, before and after.
        parts: Parts of the formula that differ.
    """

    metric: str
    version: int
    parts: tuple[str, ...]


def unversioned(before: MapContent, after: MapContent) -> list[FormulaChange]:
    """Metrics whose formula differs in two maps although the later one's version is not higher."""
    found = []
    for name, (version, formula) in after.formulas.items():
        was_version, was = before.formulas.get(name, (0, formula))
        if was != formula and version <= was_version:
            old, new = json.loads(was), json.loads(formula)
            parts = tuple(sorted(part for part in {*old, *new} if old.get(part) != new.get(part)))
            found.append(FormulaChange(name, version, parts))
    return found
