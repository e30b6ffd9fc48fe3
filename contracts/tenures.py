"""Who is accountable when: interval algebra over the map.

A tenure is a half-open stretch of time in which one touchpoint has one accountable person, or, on
record, nobody. A cover is the accountable person while it is in force. The tenures of a touchpoint follow each other without gap or overlap from the moment
it exists until the moment it ends.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar
from zoneinfo import ZoneInfo

from contracts.accountability import AccountabilityMap, Seat, Touchpoint
from contracts.remembered import remembered

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = EARLIEST.year, LATEST.year
State = Literal["owned", "vacant", "unowned"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span(Generic[T]):
    """A half-open stretch of time [start, end) and what holds in it. UTC."""

    start: datetime
    end: datetime
    value: T


@dataclass(frozen=True, slots=True)
class Tenure:
    """One touchpoint's accountability over a half-open stretch of time.

    Attributes:
        touchpoint: Id of the touchpoint.
        start: First instant, UTC; `EARLIEST` when unbounded.
        end: First instant after, UTC; `LATEST` when unbounded.
        state: owned, vacant (the seat has no holder) or unowned (no seat), both on record.
        seat: Accountable seat; None when unowned.
        team: The seat's team; None when unowned.
        person: Accountable person; None when vacant or unowned.
        holder: Person who holds the seat: another one than `person` while a cover is in force, None when
            the seat is vacant (somebody may cover it) or there is none.
    """

    touchpoint: str
    start: datetime
    end: datetime
    state: State
    seat: str | None
    team: str | None
    person: str | None
    holder: str | None = None

    @property
    def is_covered(self) -> bool:
        """Whether somebody other than the seat's holder answers."""
        return self.person is not None and self.person != self.holder


@dataclass(frozen=True, slots=True)
class Seated:
    """Who answers in a seat, and who holds it: two people while a cover is in force."""

    person: str | None
    holder: str | None


def instant(moment: datetime | None, zone: ZoneInfo, default: datetime) -> datetime:
    """The moment as a UTC instant; a moment without an offset is local to `zone`.

    A moment beyond `EARLIEST` or `LATEST` means "always": it becomes the one or the other.
    """
    if moment is None:
        return default
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    if not _FIRST_YEAR < aware.year < _LAST_YEAR:  # an offset could carry it out of what a date can hold
        return LATEST if aware.year == _LAST_YEAR else EARLIEST
    return aware.astimezone(UTC)


def overlaps(spans: Iterable[Span[T]]) -> list[tuple[Span[T], Span[T]]]:
    """Pairs of neighbouring spans that share an instant, in the order of time."""
    ordered = sorted(spans, key=lambda span: (span.start, span.end))
    found, open_span = [], None
    for span in ordered:
        if open_span is not None and span.start < open_span.end:
            found.append((open_span, span))
        if open_span is None or span.end > open_span.end:
            open_span = span
    return found


def gaps(spans: Iterable[Span[T]], start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Stretches of [start, end) that no span covers, in the order of time."""
    found, reached = [], start
    for span in sorted(spans, key=lambda span: span.start):
        if span.start > reached:
            found.append((reached, min(span.start, end)))
        reached = max(reached, span.end)
        if reached >= end:
            return found
    return [*found, (reached, end)] if reached < end else found


def holdings(seat: Seat, zone: ZoneInfo) -> list[Span[int]]:
    """The seat's holders as spans; the value is the index in `seat.holders`."""
    return [
        Span(instant(holder.held_from, zone, EARLIEST), instant(holder.held_until, zone, LATEST), index)
        for index, holder in enumerate(seat.holders)
    ]


def assignments(touchpoint: Touchpoint, zone: ZoneInfo) -> list[Span[int]]:
    """The touchpoint's assignments as spans; the value is the index in `accountable`."""
    start = instant(touchpoint.exists_from, zone, EARLIEST)
    end = instant(touchpoint.exists_until, zone, LATEST)
    return [
        Span(instant(one.assigned_from, zone, start), instant(one.assigned_until, zone, end), index)
        for index, one in enumerate(touchpoint.accountable)
    ]


def covers(seat: Seat, zone: ZoneInfo) -> list[Span[int]]:
    """The seat's covers as spans; the value is the index in `seat.covers`."""
    return [
        Span(instant(cover.covers_from, zone, EARLIEST), instant(cover.covers_until, zone, LATEST), index)
        for index, cover in enumerate(seat.covers)
    ]


def acting(seat: Seat, zone: ZoneInfo) -> list[Span[int]]:
    """The seat's delegates as spans; the value is the index in `seat.delegates`."""
    return [
        Span(instant(one.acts_from, zone, EARLIEST), instant(one.acts_until, zone, LATEST), index)
        for index, one in enumerate(seat.delegates)
    ]


def seated(seat: Seat, zone: ZoneInfo) -> list[Span[Seated]]:
    """Who answers in a seat when, in the order of time: its covers, else its holders.

    The seat must have been checked: overlaps are not looked for here.
    """
    covering = sorted(covers(seat, zone), key=lambda span: span.start)
    found: list[Span[Seated]] = []
    for held in sorted(holdings(seat, zone), key=lambda span: span.start):
        holder, reached = seat.holders[held.value].person, held.start
        for cover in covering:
            start, end = max(cover.start, reached), min(cover.end, held.end)
            if start < end:
                if reached < start:
                    found.append(Span(reached, start, Seated(holder, holder)))
                found.append(Span(start, end, Seated(seat.covers[cover.value].person, holder)))
                reached = end
        if reached < held.end:
            found.append(Span(reached, held.end, Seated(holder, holder)))
    return found


def tenures(atlas: AccountabilityMap) -> list[Tenure]:
    """Every touchpoint's tenures, by touchpoint in the map's order, then by time.

    The map must have been checked: overlaps are not looked for here.
    """
    return list(_tenures(atlas))


@remembered
def _tenures(atlas: AccountabilityMap) -> tuple[Tenure, ...]:
    answering = {seat.id: seated(seat, atlas.zone) for seat in atlas.seats}
    teams = {seat.id: seat.team for seat in atlas.seats}
    return tuple(
        tenure
        for touchpoint in atlas.touchpoints
        for tenure in _merged(_of_touchpoint(touchpoint, answering, teams, atlas.zone))
    )


def in_force(tenures: Iterable[Tenure], moment: datetime) -> dict[str, Tenure]:
    """The tenure in force at an instant, by touchpoint; touchpoints that do not exist then are left out."""
    return {t.touchpoint: t for t in tenures if t.start <= moment < t.end}


def _of_touchpoint(
    touchpoint: Touchpoint,
    answering: Mapping[str, list[Span[Seated]]],
    teams: Mapping[str, str],
    zone: ZoneInfo,
) -> Iterator[Tenure]:
    for span in sorted(assignments(touchpoint, zone), key=lambda span: span.start):
        seat = touchpoint.accountable[span.value].seat
        if seat is None or seat not in answering:
            yield Tenure(touchpoint.id, span.start, span.end, "unowned", None, None, None)
            continue
        for held in answering[seat]:
            start, end = max(span.start, held.start), min(span.end, held.end)
            if start < end:
                person, holder = held.value.person, held.value.holder
                state: State = "owned" if person else "vacant"
                yield Tenure(touchpoint.id, start, end, state, seat, teams[seat], person, holder)


def _merged(found: Iterable[Tenure]) -> Iterator[Tenure]:
    last: Tenure | None = None
    for tenure in found:
        if last and last.end == tenure.start and _same_owner(last, tenure):
            last = replace(last, end=tenure.end)
            continue
        if last:
            yield last
        last = tenure
    if last:
        yield last


def _same_owner(one: Tenure, other: Tenure) -> bool:
    return (one.seat, one.person, one.holder, one.state) == (
        other.seat,
        other.person,
        other.holder,
        other.state,
    )
