"""The map held against itself: every contradiction of every file, in one report."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from contracts.accountability import (
    FIVE_E,
    RESERVED,
    AccountabilityMap,
    MapFile,
    Metric,
    Seat,
    Touchpoint,
)
from contracts.documents import Document, bind
from contracts.errors import MapError, Problem, did_you_mean
from contracts.tenures import EARLIEST, LATEST, Span, assignments, gaps, holdings, instant, overlaps

_SECTIONS = tuple(MapFile.model_fields)


@dataclass(frozen=True, slots=True)
class _Placed:
    """One thing of the map and where it stands."""

    item: Any
    document: Document
    section: str
    index: int

    def at(self, *path: str | int) -> str:
        return self.document.where(self.section, self.index, *path)


Placed = dict[str, list[_Placed]]


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
    problems: list[Problem] = []
    placed: Placed = {section: [] for section in _SECTIONS}
    for document in documents:
        bound, found = bind(document, MapFile)
        problems += found
        for section in _SECTIONS if bound else ():
            for index, item in enumerate(getattr(bound, section)):
                placed[section].append(_Placed(item, document, section, index))
    if problems:
        raise MapError.of(problems)
    atlas = _joined(placed, documents, zone)
    checks: tuple[Callable[[Placed, AccountabilityMap], Iterator[Problem]], ...] = (
        _ids,
        _references,
        _seats_held_by_one,
        _touchpoints_owned_by_one,
        _holders_active,
        _goals_fit,
    )
    problems = [problem for check in checks for problem in check(placed, atlas)]
    problems += _feeds_known(placed, set(known_kinds))
    if problems:
        raise MapError.of(problems)
    return atlas


def _joined(placed: Placed, documents: Sequence[Document], zone: ZoneInfo) -> AccountabilityMap:
    digest = hashlib.sha256()
    for document in documents:
        digest.update(f"{document.file}\n{document.data!r}\n".encode())
    parts: dict[str, Any] = {section: tuple(one.item for one in placed[section]) for section in _SECTIONS}
    parts["stages"] = parts["stages"] or FIVE_E
    origin = {
        (section, str(getattr(one.item, "id", ""))): one.at()
        for section in _SECTIONS
        for one in placed[section]
    }
    return AccountabilityMap(zone=zone, version=digest.hexdigest()[:16], origin=origin, **parts)


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


def _references(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    known = {
        section: {thing.id for thing in getattr(atlas, section)}
        for section in ("stages", "teams", "people", "seats", "touchpoints", "metrics")
    }
    for section in _SECTIONS:
        for one in placed[section]:
            for kind, name, path in _named_by(section, one.item):
                if name is not None and name not in known[kind]:
                    what = f"{kind[:-1]} {name!r} is not in the map."
                    yield Problem(one.at(*path), what, did_you_mean(name, known[kind]))


Reference = tuple[str, str | None, tuple[str | int, ...]]
"""Section of the map, name of a thing in it, and where it is named."""


def _named_by(section: str, item: Any) -> list[Reference]:  # noqa: ANN401 - any declaration of the map
    """Everything that one declaration names."""
    match section:
        case "seats":
            held = [("people", h.person, ("holders", i, "person")) for i, h in enumerate(item.holders)]
            return [("teams", item.team, ("team",)), *held]
        case "touchpoints":
            seats = [("seats", a.seat, ("accountable", i, "seat")) for i, a in enumerate(item.accountable)]
            metrics = [("metrics", name, ("metrics", i)) for i, name in enumerate(item.metrics)]
            goals = [("metrics", goal.metric, ("goals", i, "metric")) for i, goal in enumerate(item.goals)]
            return [("stages", item.stage, ("stage",)), *seats, *metrics, *goals]
        case "rules":
            return [("touchpoints", item.touchpoint, ("touchpoint",))]
        case "integrators":
            teams = [("teams", team, ("between", i)) for i, team in enumerate(item.between)]
            return [("seats", item.seat, ("seat",)), *teams]
        case "reviews":
            looked_at = [("touchpoints", name, ("touchpoints", i)) for i, name in enumerate(item.touchpoints)]
            return [("seats", item.chair, ("chair",)), *looked_at]
        case _:
            return []


def _seats_held_by_one(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    for one in placed["seats"]:
        seat: Seat = one.item
        spans = holdings(seat, atlas.zone)
        yield from _backwards(one, spans, "holders")

        def held_by(index: int, seat: Seat = seat) -> str:
            return seat.holders[index].person or "nobody, on record"

        for first, second in overlaps(spans):
            yield Problem(
                one.at("holders", second.value),
                f"seat {seat.id!r} is held by {held_by(first.value)!r} "
                f"(line {one.at('holders', first.value).rpartition(':')[2]}) and by "
                f"{held_by(second.value)!r} from {_said(second.start, atlas.zone)}.",
                "End the first before the second begins.",
            )
        begins = min(span.start for span in spans)
        for start, end in gaps(spans, begins, LATEST):
            yield Problem(
                one.at(),
                f"seat {seat.id!r} has no holder {_between(start, end, atlas.zone)}.",
                "Name one, or write 'vacant: true' for that time.",
            )


def _touchpoints_owned_by_one(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    seat_begins = {seat.id: min(span.start for span in holdings(seat, atlas.zone)) for seat in atlas.seats}
    for one in placed["touchpoints"]:
        touchpoint: Touchpoint = one.item
        spans = assignments(touchpoint, atlas.zone)
        yield from _backwards(one, spans, "accountable")

        def owner(index: int, touchpoint: Touchpoint = touchpoint) -> str:
            return touchpoint.accountable[index].seat or "nobody, on record"

        for first, second in overlaps(spans):
            yield Problem(
                one.at("accountable", second.value),
                f"touchpoint {touchpoint.id!r} has two accountable seats, {owner(first.value)!r} "
                f"(line {one.at('accountable', first.value).rpartition(':')[2]}) and "
                f"{owner(second.value)!r}, from {_said(second.start, atlas.zone)}.",
                "Keep one; make the other responsible.",
            )
        yield from _uncovered(one, spans, seat_begins, atlas.zone)


def _uncovered(
    one: _Placed, spans: list[Span[int]], seat_begins: dict[str, datetime], zone: ZoneInfo
) -> Iterator[Problem]:
    touchpoint: Touchpoint = one.item
    begins = instant(touchpoint.exists_from, zone, min(span.start for span in spans))
    ends = instant(touchpoint.exists_until, zone, LATEST)
    for start, end in gaps(spans, begins, ends):
        yield Problem(
            one.at("accountable"),
            f"touchpoint {touchpoint.id!r} has nobody accountable {_between(start, end, zone)}.",
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
                f"seat {seat!r} has no holder {_between(span.start, seat_start, zone)}, but touchpoint "
                f"{touchpoint.id!r} counts on it.",
                "Name a holder, or write 'vacant: true' for that time.",
            )


def _backwards(one: _Placed, spans: list[Span[int]], section: str) -> Iterator[Problem]:
    for span in spans:
        if span.start >= span.end:
            where = one.at(section, span.value)
            yield Problem(where, "'until' is not after 'from'.", "'until' is the first moment after.")


def _holders_active(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    active = {
        person.id: (
            instant(person.active_from, atlas.zone, EARLIEST),
            instant(person.active_until, atlas.zone, LATEST),
        )
        for person in atlas.people
    }
    for one in placed["seats"]:
        seat: Seat = one.item
        for span in holdings(seat, atlas.zone):
            person = seat.holders[span.value].person
            if person not in active:
                continue
            start, end = active[person]
            # A holder without dates holds the seat for as long as they are there.
            if (span.start != EARLIEST and span.start < start) or span.end > end:
                yield Problem(
                    one.at("holders", span.value),
                    f"{person!r} holds seat {seat.id!r} outside the time they are active "
                    f"({_between(start, end, atlas.zone)}).",
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
            if goal.metric not in touchpoint.metrics:
                yield Problem(
                    one.at("goals", index),
                    f"touchpoint {touchpoint.id!r} has a goal for {goal.metric!r} but is not judged by it.",
                    f"Add {goal.metric!r} to its 'metrics'.",
                )
            if (goal.at_least is None) == (metric.direction == "higher"):
                word = "at_least" if metric.direction == "higher" else "at_most"
                yield Problem(
                    one.at("goals", index),
                    f"{goal.metric!r} is better when {metric.direction}.",
                    f"Write the goal as {word!r}.",
                )
        yield from _goal_overlaps(one, atlas.zone)


def _goal_overlaps(one: _Placed, zone: ZoneInfo) -> Iterator[Problem]:
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
                f"(line {one.at('goals', first.value).rpartition(':')[2]}) from {_said(second.start, zone)}.",
                "End the first with 'until' where the second begins.",
            )


def _feeds_known(placed: Placed, feeds: set[str]) -> Iterator[Problem]:
    for one in placed["rules"] if feeds else ():
        for index, name in enumerate(one.item.feed):
            if name not in feeds:
                yield Problem(
                    one.at("feed", index), f"feed {name!r} does not exist.", did_you_mean(name, feeds)
                )


def _said(moment: datetime, zone: ZoneInfo) -> str:
    if moment in (EARLIEST, LATEST):
        return "the beginning" if moment == EARLIEST else "the end"
    local = moment.astimezone(zone)
    return (
        f"{local:%Y-%m-%d}"
        if (local.hour, local.minute, local.second) == (0, 0, 0)
        else f"{local:%Y-%m-%dT%H:%M:%S}"
    )


def _between(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    return f"from {_said(start, zone)} until {_said(end, zone)}"
