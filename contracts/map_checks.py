"""The map held against itself: every contradiction of every file, in one report."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, get_args
from zoneinfo import ZoneInfo

from contracts.accountability import (
    FIVE_E,
    MOST_STEPS,
    RESERVED,
    UNMATCHED,
    AccountabilityMap,
    Assignment,
    MapFile,
    Metric,
    Rule,
    Seat,
    Touchpoint,
)
from contracts.documents import Declaration, Document, bind
from contracts.errors import MapError, Problem, did_you_mean
from contracts.map_goals import counters_and_rebaselines_fit, paths_lead_to_goals
from contracts.map_measuring import hands_judge_there, named_by_metric
from contracts.map_parts import nested, renamed_once, resolved
from contracts.map_places import Placed, PlacedItem, backward, between, once, said
from contracts.map_rights import nobody_judges_themselves, waived_once
from contracts.map_seats import active_times, stands_in
from contracts.tenures import EARLIEST, LATEST, Span, assignments, gaps, holdings, instant, overlaps

_ITEMS: Mapping[str, type[Declaration]] = {
    name: get_args(spec.annotation)[0] for name, spec in MapFile.model_fields.items()
}
_SECTIONS = tuple(_ITEMS)
_STEPS = (1e-6, 1e9)
"""Sums count in whole steps: with finer ones they would not fit."""
_GROWING = {
    "count": "'estimator: rate', counted against an 'exposure'",
    "sum": "'estimator: mean', or 'estimator: rate'",
}
"""Estimators whose values depend on how long a period is, and what can be aimed for instead."""
VOLUME = "events"
"""The metric that counts what happened; every touchpoint has it."""


@dataclass(frozen=True)
class Examined:
    """A map as far as it can be understood.

    Attributes:
        atlas: What is sound in itself; only without problems does it hold together.
        problems: Everything that is wrong, in no order.
        names: Ids by section, those of things that could not be read included; None when a section
            may have more ids than can be seen.
    """

    atlas: AccountabilityMap
    problems: list[Problem]
    names: Mapping[str, frozenset[str] | None]


def assemble(
    documents: Sequence[Document], zone: ZoneInfo, known_kinds: Iterable[str] = ()
) -> AccountabilityMap:
    """The whole map from its files, or every problem in them.

    Args:
        documents: The files of the `map/` folder, in the order of their names.
        zone: Time zone of dates without an offset.
        known_kinds: Feeds' names that rules may select; not checked when empty.

    Raises:
        MapError: Something is unknown, doubled, dangling, overlapping or uncovered.
    """
    examined = examine(documents, zone, known_kinds)
    if examined.problems:
        raise MapError.of(examined.problems)
    return examined.atlas


def examine(
    documents: Sequence[Document], zone: ZoneInfo, known_kinds: Iterable[str] = (), *, is_whole: bool = True
) -> Examined:
    """The map as far as it goes, and every problem in it: one thing that is wrong hides no other.

    Args:
        documents: The files of the `map/` folder, in the order of their names.
        zone: Time zone of dates without an offset.
        known_kinds: Feeds' names that rules may select; not checked when empty.
        is_whole: Whether `documents` are all there are; else unknown names are not complained about.
    """
    problems: list[Problem] = []
    placed: Placed = {section: [] for section in _SECTIONS}
    names: dict[str, set[str] | None] = {section: set() if is_whole else None for section in _SECTIONS}
    for document in documents:
        whole, found = bind(document, MapFile)
        problems += found
        for one in _sound(document, names, whole):
            placed[one.section].append(one)
    atlas = _joined(placed, documents, zone)
    if names["stages"] == set():
        names["stages"] = {stage.id for stage in atlas.stages}
    known = {section: None if ids is None else frozenset(ids) for section, ids in names.items()}
    checks: tuple[Callable[[Placed, AccountabilityMap], Iterator[Problem]], ...] = (
        _ids,
        _in_order,
        _seats_held_by_one,
        _touchpoints_owned_by_one,
        _holders_active,
        _goals_fit,
        _scales_fit,
        _named_once,
        nested,
        renamed_once,
        stands_in,
        paths_lead_to_goals,
        counters_and_rebaselines_fit,
        hands_judge_there,
        waived_once,
        nobody_judges_themselves,
    )
    problems += [problem for check in checks for problem in check(placed, atlas)]
    problems += _references(placed, known)
    problems += _feeds_known(placed, set(known_kinds))
    return Examined(atlas, problems, known)


def _sound(
    document: Document, names: dict[str, set[str] | None], whole: MapFile | None
) -> Iterator[PlacedItem]:
    """What can be read of one file; notes the ids of everything in it.

    Args:
        document: The file.
        names: Ids by section, added to.
        whole: All of it; None when something in it cannot be read.
    """
    data = document.data if isinstance(document.data, dict) else {}
    for key in data:
        # A section under a misspelt name: nobody knows which ids it has.
        if meant := get_close_matches(str(key), _SECTIONS, n=1) if key not in _SECTIONS else []:
            names[meant[0]] = None
    for section, item_type in _ITEMS.items():
        written = data.get(section)
        if not isinstance(written, list):
            names[section] = names[section] if written is None else None
            continue
        for index, raw in enumerate(written):
            name = raw.get("id") if isinstance(raw, dict) else None
            known = names[section]
            if known is not None:
                known |= {name for name in (name, *_former(raw)) if isinstance(name, str)}
            if whole is not None:
                yield PlacedItem(getattr(whole, section)[index], document, section, index)
                continue
            item, _ = bind(document, item_type, within=(section, index))
            if item is not None:
                yield PlacedItem(item, document, section, index)


def _former(raw: object) -> list[object]:
    """The ids that a touchpoint had before, whatever else is wrong with it."""
    was = raw.get("was") if isinstance(raw, dict) else None
    return was if isinstance(was, list) else [was]


def _joined(placed: Placed, documents: Sequence[Document], zone: ZoneInfo) -> AccountabilityMap:
    digest = hashlib.sha256()
    for document in documents:
        digest.update(f"{document.file}\n{document.data!r}\n".encode())
    parts: dict[str, Any] = {section: tuple(one.item for one in placed[section]) for section in _SECTIONS}
    parts["stages"] = parts["stages"] or FIVE_E
    origin = {
        (section, name): where
        for section in _SECTIONS
        for one in placed[section]
        for name, where in _places(one)
    }
    origin |= {
        ("examples", f"{one.item.id}.{index}"): one.at("examples", index)
        for one in placed["rules"]
        for index in range(len(one.item.examples))
    }
    return AccountabilityMap(zone=zone, version=digest.hexdigest()[:16], origin=origin, **resolved(parts))


def _places(one: PlacedItem) -> Iterator[tuple[str, str]]:
    """Where a thing stands, and where its dated parts do."""
    name = str(getattr(one.item, "id", ""))
    yield name, one.at()
    for part in _DATED.get(one.section, ()):
        for index in range(len(getattr(one.item, part))):
            yield f"{name}/{part}/{index}", one.at(part, index)


_DATED = {"touchpoints": ("accountable",), "seats": ("holders", "covers", "delegates")}


def _ids(placed: Placed, _: AccountabilityMap) -> Iterator[Problem]:
    for section in _SECTIONS:
        first: dict[str, str] = {}
        for one in placed[section]:
            name = getattr(one.item, "id", None)
            if name is None:
                continue
            if name in RESERVED:
                yield Problem(one.at(), f"{name!r} is a reserved id.", "Choose another.")
            if name in first:
                yield Problem(one.at(), f"{section} has {name!r} already at {first[name]}.", "Keep one.")
            first.setdefault(name, one.at())


def _references(placed: Placed, known: Mapping[str, frozenset[str] | None]) -> Iterator[Problem]:
    there: dict[tuple[str, ...], frozenset[str] | None] = {}
    for section in _SECTIONS:
        for one in placed[section]:
            for kinds, name, path in _named_by(section, one.item):
                if kinds not in there:
                    there[kinds] = _together(known[kind] for kind in kinds)
                names = there[kinds]
                if name is not None and names is not None and name not in names:
                    kind = " or ".join(_SINGULAR.get(kind, kind[:-1]) for kind in kinds)
                    what = f"{kind} {name!r} is not in the map."
                    yield Problem(one.at(*path), what, did_you_mean(name, names))


def _together(sections: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """The names of several sections; None when one of them may have more than can be seen."""
    names: frozenset[str] = frozenset()
    for section in sections:
        if section is None:
            return None
        names |= section
    return names


_SINGULAR = {"people": "person"}
_RACI = ("teams", "seats", "people")
Reference = tuple[tuple[str, ...], str | None, tuple[str | int, ...]]
"""Sections of the map, name of a thing in one of them, and where it is named."""


def _named_by(section: str, item: Any) -> list[Reference]:  # noqa: ANN401, C901, PLR0911 - any declaration; one return each
    """Everything that one declaration names."""
    match section:
        case "teams":
            return [_one("seats", item.lead, "lead")]
        case "seats":
            return [_one("teams", item.team, "team"), *_named_by_seat(item)]
        case "touchpoints":
            stage = _one("stages", item.stage or None, "stage")
            return [stage, _one("touchpoints", item.parent, "parent"), *_named_by_touchpoint(item)]
        case "rules":
            return [_one("touchpoints", item.touchpoint, "touchpoint"), *_named_by_examples(item)]
        case "integrators":
            return [_one("seats", item.seat, "seat"), *_each("teams", item.between, "between")]
        case "reviews":
            return [
                _one("seats", item.chair, "chair"),
                *((_RACI, name, ("attendees", index)) for index, name in enumerate(item.attendees)),
                *_each("touchpoints", item.touchpoints, "touchpoints"),
                *_each("stages", item.stages, "stages"),
            ]
        case "metrics":
            counter = _one("metrics", item.counter_metric, "counter_metric")
            place = _one("touchpoints", item.touchpoint, "touchpoint")
            return [counter, place, *named_by_metric(item)]
        case "drivers":
            return [_one("touchpoints", name, "touchpoints", name) for name in item.touchpoints]
        case "waivers":
            return [_one("people", item.approver, "approver")]
        case "decision_rights":
            return [
                *_each("seats", item.seats, "seats"),
                *_each("touchpoints", item.touchpoints, "touchpoints"),
            ]
        case _:
            return []


def _named_by_seat(item: Seat) -> Iterator[Reference]:
    for part in ("holders", "covers", "delegates"):
        for index, held in enumerate(getattr(item, part)):
            yield _one("people", held.person, part, index, "person")


def _named_by_touchpoint(item: Touchpoint) -> Iterator[Reference]:
    for index, assigned in enumerate(item.accountable):
        yield _one("seats", assigned.seat, "accountable", index, "seat")
    yield from _each("metrics", item.metrics, "metrics")
    for index, goal in enumerate(item.goals):
        yield _one("metrics", goal.metric, "goals", index, "metric")
        yield _one("metrics", goal.counter_metric, "goals", index, "counter_metric")
        for part in ("set_by", "approved_by"):
            yield ("seats", "people"), getattr(goal, part), ("goals", index, part)
    for index, change in enumerate(item.rebaseline):
        yield _one("metrics", change.metric, "rebaseline", index, "metric")
    for part in ("responsible", "consulted", "informed"):
        for index, name in enumerate(getattr(item, part)):
            yield _RACI, name, (part, index)
    yield _one("people", item.validated_by, "validated_by")


def _named_by_examples(item: Rule) -> Iterator[Reference]:
    for index, example in enumerate(item.examples):
        if example.expect != UNMATCHED:
            yield _one("touchpoints", example.expect, "examples", index, "expect")


def _one(section: str, name: str | None, *path: str | int) -> Reference:
    return (section,), name, path


def _each(section: str, names: Iterable[str], path: str) -> list[Reference]:
    return [_one(section, name, path, index) for index, name in enumerate(names)]


def _in_order(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    """Every 'until' comes after its 'from'."""
    for one in placed["people"]:
        yield from backward(one, atlas.zone, one.item.active_from, one.item.active_until)
    for one in placed["touchpoints"]:
        yield from backward(one, atlas.zone, one.item.exists_from, one.item.exists_until)
        for index, goal in enumerate(one.item.goals):
            at = ("goals", index)
            yield from backward(one, atlas.zone, goal.in_force_from, goal.in_force_until, at)
            begins, due = (
                instant(goal.in_force_from, atlas.zone, EARLIEST),
                instant(goal.due, atlas.zone, LATEST),
            )
            if due < begins:
                what = f"the goal for {goal.metric!r} is due before it is in force."
                yield Problem(one.at(*at, "due"), what, "Set 'due' after 'from'.")
        for index, assigned in enumerate(one.item.accountable):
            at = ("accountable", index)
            yield from backward(one, atlas.zone, assigned.assigned_from, assigned.assigned_until, at)
            yield from _outlived(one, assigned, at, atlas.zone)
    for one in placed["seats"]:
        for index, held in enumerate(one.item.holders):
            yield from backward(one, atlas.zone, held.held_from, held.held_until, ("holders", index))


def _outlived(
    one: PlacedItem, assigned: Assignment, at: tuple[str | int, ...], zone: ZoneInfo
) -> Iterator[Problem]:
    """An assignment may not begin before its touchpoint exists, nor last longer."""
    touchpoint: Touchpoint = one.item
    begins = instant(touchpoint.exists_from, zone, EARLIEST)
    ends = instant(touchpoint.exists_until, zone, LATEST)
    start, end = instant(assigned.assigned_from, zone, begins), instant(assigned.assigned_until, zone, ends)
    if begins < ends and start < end and (start < begins or end > ends):
        yield Problem(
            one.at(*at),
            f"somebody is accountable {between(start, end, zone)}, but touchpoint {touchpoint.id!r} exists "
            f"{between(begins, ends, zone)}.",
            "Keep within that time; without 'from' and 'until' it is all of it.",
        )


def _seats_held_by_one(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    for one in placed["seats"]:
        seat: Seat = one.item
        spans = _forward(holdings(seat, atlas.zone))
        if not spans:
            continue

        def held_by(index: int, seat: Seat = seat) -> str:
            return seat.holders[index].person or "nobody, on record"

        for first, second in overlaps(spans):
            yield Problem(
                one.at("holders", second.value),
                f"seat {seat.id!r} is held by {held_by(first.value)!r} "
                f"(line {one.line('holders', first.value)}) and by "
                f"{held_by(second.value)!r} from {said(second.start, atlas.zone)}.",
                "End the first before the second begins.",
            )
        begins = min(span.start for span in spans)
        for start, end in gaps(spans, begins, LATEST):
            yield Problem(
                one.at(),
                f"seat {seat.id!r} has no holder {between(start, end, atlas.zone)}.",
                "Name one, or write 'vacant: true' for that time.",
            )


def _touchpoints_owned_by_one(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    seat_begins = {seat.id: min(span.start for span in holdings(seat, atlas.zone)) for seat in atlas.seats}
    for one in placed["touchpoints"]:
        touchpoint: Touchpoint = one.item
        spans = _forward(assignments(touchpoint, atlas.zone))
        if not spans:
            continue

        def owner(index: int, touchpoint: Touchpoint = touchpoint) -> str:
            return touchpoint.accountable[index].seat or "nobody, on record"

        for first, second in overlaps(spans):
            yield Problem(
                one.at("accountable", second.value),
                f"touchpoint {touchpoint.id!r} has two accountable seats, {owner(first.value)!r} "
                f"(line {one.line('accountable', first.value)}) and "
                f"{owner(second.value)!r}, from {said(second.start, atlas.zone)}.",
                "Keep one; make the other responsible.",
            )
        yield from _uncovered(one, spans, seat_begins, atlas.zone)


def _uncovered(
    one: PlacedItem, spans: list[Span[int]], seat_begins: dict[str, datetime], zone: ZoneInfo
) -> Iterator[Problem]:
    touchpoint: Touchpoint = one.item
    begins = instant(touchpoint.exists_from, zone, min(span.start for span in spans))
    ends = instant(touchpoint.exists_until, zone, LATEST)
    for start, end in gaps(spans, begins, ends):
        yield Problem(
            one.at("accountable"),
            f"touchpoint {touchpoint.id!r} has nobody accountable {between(start, end, zone)}.",
            "Name a seat, or write 'unowned: true' for that time.",
        )
    first = min(spans, key=lambda span: span.start)
    for span in spans:
        seat = touchpoint.accountable[span.value].seat
        seat_start = seat_begins.get(seat or "", EARLIEST)
        # A touchpoint that says no beginning begins with its first seat's first holder.
        if span.start < seat_start and not (span is first and span.start == EARLIEST):
            yield Problem(
                one.at("accountable", span.value),
                f"seat {seat!r} has no holder {between(span.start, seat_start, zone)}, but touchpoint "
                f"{touchpoint.id!r} counts on it.",
                "Name a holder, or write 'vacant: true' for that time.",
            )


def _forward(spans: list[Span[int]]) -> list[Span[int]]:
    """The spans, unless one of them runs backwards: then nothing else can be said about them."""
    return spans if all(span.start < span.end for span in spans) else []


def _holders_active(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    active = active_times(atlas)
    for one in placed["seats"]:
        seat: Seat = one.item
        for span in _forward(holdings(seat, atlas.zone)):
            person = seat.holders[span.value].person
            start, end = active.get(person or "", (EARLIEST, LATEST))
            # A holder without dates holds the seat for as long as they are there.
            if (span.start != EARLIEST and span.start < start) or span.end > end:
                yield Problem(
                    one.at("holders", span.value),
                    f"{person!r} holds seat {seat.id!r} outside the time they are active "
                    f"({between(start, end, atlas.zone)}).",
                    "End the holding when they leave.",
                )


def _goals_fit(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    metrics: dict[str, Metric] = {metric.id: metric for metric in atlas.metrics}
    for one in placed["touchpoints"]:
        touchpoint: Touchpoint = one.item
        for index, goal in enumerate(touchpoint.goals):
            metric = metrics.get(goal.metric)
            if metric is None:
                continue
            if goal.metric not in touchpoint.metrics and metrics.keys() >= set(touchpoint.metrics):
                yield Problem(
                    one.at("goals", index),
                    f"touchpoint {touchpoint.id!r} has a goal for {goal.metric!r} but is not judged by it.",
                    f"Add {goal.metric!r} to its 'metrics'.",
                )
            if metric.estimator in _GROWING:
                yield Problem(
                    one.at("goals", index),
                    f"the goal for {goal.metric!r} is {goal.level:g}, but a {metric.estimator} grows with its period: "
                    "a week that meets it makes a quarter that does not.",
                    f"Set it for a metric with {_GROWING[metric.estimator]}.",
                )
            if (goal.at_least is None) == (metric.direction == "higher"):
                word = "at_least" if metric.direction == "higher" else "at_most"
                yield Problem(
                    one.at("goals", index),
                    f"{goal.metric!r} is better when {metric.direction}.",
                    f"Write the goal as {word!r}.",
                )
        yield from _goal_overlaps(one, atlas.zone)


def _goal_overlaps(one: PlacedItem, zone: ZoneInfo) -> Iterator[Problem]:
    touchpoint: Touchpoint = one.item
    for metric, count in Counter(goal.metric for goal in touchpoint.goals).items():
        if count == 1:
            continue
        spans = [
            Span(instant(g.in_force_from, zone, EARLIEST), instant(g.in_force_until, zone, LATEST), i)
            for i, g in enumerate(touchpoint.goals)
            if g.metric == metric
        ]
        for first, second in overlaps(spans):
            yield Problem(
                one.at("goals", second.value),
                f"touchpoint {touchpoint.id!r} has two goals for {metric!r} "
                f"(line {one.line('goals', first.value)}) from {said(second.start, zone)}.",
                "End the first with 'until' where the second begins.",
            )


def _scales_fit(placed: Placed, _: AccountabilityMap) -> Iterator[Problem]:
    for one in placed["metrics"]:
        metric: Metric = one.item
        if metric.id == VOLUME:
            yield Problem(one.at("id"), f"{VOLUME!r} is a reserved id.", "Every touchpoint has it already.")
        if not _STEPS[0] <= metric.step <= _STEPS[1]:
            what = f"'step' of {metric.id!r} is {metric.step:g}."
            yield Problem(one.at("step"), what, f"Write a number from {_STEPS[0]:g} to {_STEPS[1]:g}.")
        low, high = metric.low, metric.high
        if low is not None and high is not None and max(-low, high) > MOST_STEPS * metric.step:
            what = f"the scale of {metric.id!r} runs from {low} to {high} in steps of {metric.step:g}."
            yield Problem(
                one.at("step"), what, "Write a coarser 'step': with more of them sums would not fit."
            )
        elif low is not None and high is not None and low >= high:
            yield Problem(one.at("low"), f"the scale of {metric.id!r} runs from {low} to {high}.", "Turn it.")
        elif metric.top is not None and not _within(metric.top, low, high):
            what = f"'top' {metric.top} of {metric.id!r} lies outside its scale, {low} to {high}."
            yield Problem(one.at("top"), what, "It is the lowest score that counts as good.")


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _named_once(placed: Placed, _: AccountabilityMap) -> Iterator[Problem]:
    """Names that may stand in one place only, although they are no ids."""
    yield from once(
        ((group, one.at("groups", i)) for one in placed["teams"] for i, group in enumerate(one.item.groups)),
        "group",
        "A group belongs to one team.",
    )
    yield from once(
        ((one.item.subject, one.at("subject")) for one in placed["cases"]), "subject", "Keep one."
    )
    pairs = (("' and '".join(sorted(one.item.between)), one.at("between")) for one in placed["integrators"])
    yield from once(pairs, "integrator of", "Two teams have one integrator.")
    for one in placed["integrators"]:
        if len(set(one.item.between)) == 1:
            yield Problem(one.at("between"), "a team hands nothing to itself.", "Name two teams.")
    for one in placed["touchpoints"]:
        named = ((name, one.at("metrics", i)) for i, name in enumerate(one.item.metrics))
        yield from once(named, f"touchpoint {one.item.id!r}: metric", "Keep one.")
    for one in placed["metrics"]:
        named = ((name, one.at("by", i)) for i, name in enumerate(one.item.by))
        yield from once(named, f"metric {one.item.id!r}, by:", "Keep one.")


def _feeds_known(placed: Placed, feeds: set[str]) -> Iterator[Problem]:
    for one in placed["rules"] if feeds else ():
        for index, name in enumerate(one.item.feed):
            if name not in feeds:
                yield Problem(
                    one.at("feed", index), f"feed {name!r} does not exist.", did_you_mean(name, feeds)
                )
        for index, example in enumerate(one.item.examples):
            name = example.event.get("feed")
            if name is not None and name not in feeds:
                where = one.at("examples", index, "event", "feed")
                yield Problem(where, f"feed {name!r} does not exist.", did_you_mean(str(name), feeds))
