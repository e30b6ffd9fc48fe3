"""Checks of who answers in a seat besides its holder: covers and delegates."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from contracts.accountability import AccountabilityMap, Seat
from contracts.errors import Problem
from contracts.map_places import Path, Placed, PlacedItem, backward, between, said
from contracts.tenures import EARLIEST, LATEST, Span, covers, holdings, instant, overlaps

Times = Mapping[str, tuple[datetime, datetime]]


def active_times(atlas: AccountabilityMap) -> Times:
    """When each person is active, by id; a time that runs backwards is left out."""
    times = {
        person.id: (
            instant(person.active_from, atlas.zone, EARLIEST),
            instant(person.active_until, atlas.zone, LATEST),
        )
        for person in atlas.people
    }
    return {name: (start, end) for name, (start, end) in times.items() if start < end}


def stands_in(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    """Everything about covers and delegates: in order, one at a time, active, and not the holder."""
    active = active_times(atlas)
    for one in placed["seats"]:
        seat: Seat = one.item
        covering = covers(seat, atlas.zone)
        acting = [
            Span(instant(d.acts_from, atlas.zone, EARLIEST), instant(d.acts_until, atlas.zone, LATEST), index)
            for index, d in enumerate(seat.delegates)
        ]
        for index, cover in enumerate(seat.covers):
            yield from backward(one, atlas.zone, cover.covers_from, cover.covers_until, ("covers", index))
        for index, delegate in enumerate(seat.delegates):
            yield from backward(
                one, atlas.zone, delegate.acts_from, delegate.acts_until, ("delegates", index)
            )
        if any(span.start >= span.end for span in (*covering, *acting)):
            continue
        yield from _one_cover_at_a_time(one, covering, atlas.zone)
        for part, spans in (("covers", covering), ("delegates", acting)):
            for span in spans:
                person = getattr(seat, part)[span.value].person
                path = (part, span.value)
                yield from _is_active(one, path, person, span, active, atlas.zone)
                yield from _is_somebody_else(one, path, person, span, atlas.zone)


def _one_cover_at_a_time(one: PlacedItem, spans: list[Span[int]], zone: ZoneInfo) -> Iterator[Problem]:
    seat: Seat = one.item
    for first, second in overlaps(spans):
        yield Problem(
            one.at("covers", second.value),
            f"seat {seat.id!r} is covered by {seat.covers[first.value].person!r} "
            f"(line {one.line('covers', first.value)}) and by {seat.covers[second.value].person!r} from "
            f"{said(second.start, zone)}.",
            "End the first before the second begins; a helper is a delegate.",
        )
    begins = min((span.start for span in holdings(seat, zone)), default=EARLIEST)
    for span in spans:
        if span.start < begins:
            yield Problem(
                one.at("covers", span.value),
                f"seat {seat.id!r} is covered from {said(span.start, zone)}, before anybody holds it.",
                "Write who holds it then, or 'vacant: true'.",
            )


def _is_active(
    one: PlacedItem, path: Path, person: str, span: Span[int], active: Times, zone: ZoneInfo
) -> Iterator[Problem]:
    start, end = active.get(person, (EARLIEST, LATEST))
    if (span.start != EARLIEST and span.start < start) or (span.end != LATEST and span.end > end):
        yield Problem(
            one.at(*path),
            f"{person!r} stands in for seat {one.item.id!r} outside the time they are active "
            f"({between(start, end, zone)}).",
            "Keep within that time.",
        )


def _is_somebody_else(
    one: PlacedItem, path: Path, person: str, span: Span[int], zone: ZoneInfo
) -> Iterator[Problem]:
    seat: Seat = one.item
    for held in holdings(seat, zone):
        start, end = max(span.start, held.start), min(span.end, held.end)
        if start < end and seat.holders[held.value].person == person:
            yield Problem(
                one.at(*path),
                f"{person!r} stands in for themselves: they hold seat {seat.id!r} {between(start, end, zone)}.",
                "Name somebody else, or keep to the time before or after.",
            )
