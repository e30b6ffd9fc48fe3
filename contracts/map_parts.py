"""Checks of nested and renamed touchpoints, and what their ids mean now."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from contracts.accountability import (
    AccountabilityMap,
    DecisionRight,
    DriverAnalysis,
    Metric,
    Review,
    Rule,
    Touchpoint,
    Waiver,
)
from contracts.errors import Problem
from contracts.map_places import Placed, once


def former_ids(touchpoints: Iterable[Touchpoint]) -> dict[str, str]:
    """The id that every former id stands for now."""
    return {name: touchpoint.id for touchpoint in touchpoints for name in touchpoint.was}


def resolved(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a map with former ids replaced, and with the stage of every touchpoint filled in."""
    touchpoints: tuple[Touchpoint, ...] = parts["touchpoints"]
    now = former_ids(touchpoints)
    stages = _stages(touchpoints, now)
    return {
        **parts,
        "touchpoints": tuple(_in_its_stage(one, stages, now) for one in touchpoints),
        "rules": tuple(_renamed(one, now) for one in parts["rules"]),
        "metrics": tuple(_renamed(one, now) for one in parts["metrics"]),
        "drivers": tuple(_renamed(one, now) for one in parts["drivers"]),
        "reviews": tuple(_renamed(one, now) for one in parts["reviews"]),
        "waivers": tuple(_renamed(one, now) for one in parts["waivers"]),
        "decision_rights": tuple(_renamed(one, now) for one in parts["decision_rights"]),
    }


def nested(placed: Placed, _: AccountabilityMap) -> Iterator[Problem]:
    """Parents and stages: no touchpoint is a part of itself, and all parts are in the whole's stage."""
    items = {one.item.id: one.item for one in placed["touchpoints"]}
    now = former_ids(items.values())
    stages = _stages(tuple(items.values()), now)
    for one in placed["touchpoints"]:
        touchpoint: Touchpoint = one.item
        above = list(_above(touchpoint, items, now))
        if touchpoint.id in above:
            chain = "' in '".join([touchpoint.id, *above])
            what = f"touchpoint {touchpoint.id!r} is a part of itself: '{chain}'."
            yield Problem(one.at("parent"), what, "Take one 'parent' away.")
        elif not touchpoint.stage and touchpoint.parent is None:
            yield Problem(one.at(), "'stage' is missing.", "Add 'stage'.")
        elif touchpoint.stage and above and stages.get(above[0], touchpoint.stage) != touchpoint.stage:
            what = (
                f"touchpoint {touchpoint.id!r} is in stage {touchpoint.stage!r}, but it is a part of "
                f"{above[0]!r}, which is in {stages[above[0]]!r}."
            )
            yield Problem(one.at("stage"), what, "Leave 'stage' out, or take 'parent' away.")


def renamed_once(placed: Placed, _: AccountabilityMap) -> Iterator[Problem]:
    """A former id is nobody's id any more, and was one touchpoint's only."""
    known = {one.item.id: one.at("id") for one in placed["touchpoints"]}
    was = [(n, one.at("was", i)) for one in placed["touchpoints"] for i, n in enumerate(one.item.was)]
    for name, where in was:
        if name in known:
            what = f"the former id {name!r} is a touchpoint at {known[name]}."
            yield Problem(where, what, "Rename it before its id is given away, or take it from 'was'.")
    yield from once(was, "former id", "It became one touchpoint: keep one.")


def _above(touchpoint: Touchpoint, items: Mapping[str, Touchpoint], now: Mapping[str, str]) -> Iterator[str]:
    """What a touchpoint is a part of, the nearest first; ends where it comes around."""
    seen, parent = set[str](), touchpoint.parent
    while parent is not None:
        name = now.get(parent, parent)
        if name not in items:
            return
        yield name
        if name in seen or name == touchpoint.id:
            return
        seen.add(name)
        parent = items[name].parent


def _stages(touchpoints: tuple[Touchpoint, ...], now: Mapping[str, str]) -> dict[str, str]:
    """The stage of every touchpoint: its own, else that of the nearest touchpoint above that has one."""
    items = {one.id: one for one in touchpoints}
    return {
        one.id: one.stage or next((s for name in _above(one, items, now) if (s := items[name].stage)), "")
        for one in touchpoints
    }


def _in_its_stage(one: Touchpoint, stages: Mapping[str, str], now: Mapping[str, str]) -> Touchpoint:
    parent = now.get(one.parent or "", one.parent)
    if (one.stage, one.parent) == (stages[one.id], parent):
        return one
    return one.model_copy(update={"stage": stages[one.id], "parent": parent})


def _renamed(
    one: Rule | Metric | DriverAnalysis | Review | Waiver | DecisionRight, now: Mapping[str, str]
) -> Any:  # noqa: ANN401 - the same kind
    """The declaration with the touchpoints that it names by their ids of now."""
    if not now:
        return one
    match one:
        case Rule():
            examples = tuple(
                example.model_copy(update={"expect": now.get(example.expect or "", example.expect)})
                for example in one.examples
            )
            touchpoint = now.get(one.touchpoint, one.touchpoint)
            return one.model_copy(update={"touchpoint": touchpoint, "examples": examples})
        case Metric():
            held = tuple(_renamed_in(part, now) for part in one.independence)
            named = now.get(one.touchpoint or "", one.touchpoint)
            return one.model_copy(update={"independence": held, "touchpoint": named})
        case DriverAnalysis():
            scored = {now.get(name, name): column for name, column in one.touchpoints.items()}
            return one.model_copy(update={"touchpoints": scored})
        case Waiver():
            # The audit names parts of a touchpoint as `touchpoint.part`.
            name, dot, part = one.object.partition(".")
            return one.model_copy(update={"object": f"{now.get(name, name)}{dot}{part}"})
        case _:
            return _renamed_in(one, now)


def _renamed_in(one: Any, now: Mapping[str, str]) -> Any:  # noqa: ANN401 - the same kind
    return one.model_copy(update={"touchpoints": tuple(now.get(n, n) for n in one.touchpoints)})
