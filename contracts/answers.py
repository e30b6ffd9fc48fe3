"""Who answered for a touchpoint at an instant, by one version of the map, and where it says so."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from contracts.accountability import AccountabilityMap, Seat, Touchpoint
from contracts.tenures import EARLIEST, LATEST, Span, Tenure, acting, assignments, covers, holdings, tenures

Answering = Literal["owned", "vacant", "unowned", "absent"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Who is accountable for one touchpoint at one instant.

    Attributes:
        touchpoint: Its id.
        touchpoint_name: Its name.
        stage: Its stage.
        parent: The touchpoint it is a part of.
        at: The instant.
        state: owned, vacant (nobody holds the seat), unowned (no seat) or absent (there is no such
            touchpoint then).
        person: Accountable person; None unless owned.
        person_name: Their name.
        seat: Accountable seat.
        seat_name: Its name.
        team: Its team.
        team_name: The team's name.
        holder: Who holds the seat: another person than `person` while a cover is in force.
        holder_name: Their name.
        delegates: Who acts for the holder without being accountable.
        since: Since when this person, or nobody, has answered without a break; None: always.
        held_since: Since when the holder has held the seat; None: always, or nobody does.
        until: Until when the map says so, this person covering or holding; None: for good.
        reason: Why nobody is accountable, or why the holder is covered; None when the map does not say.
        declared_at: `file:line` of every part of the map that says so.
    """

    touchpoint: str
    touchpoint_name: str
    stage: str
    parent: str | None
    at: datetime
    state: Answering
    person: str | None = None
    person_name: str | None = None
    seat: str | None = None
    seat_name: str | None = None
    team: str | None = None
    team_name: str | None = None
    holder: str | None = None
    holder_name: str | None = None
    delegates: tuple[str, ...] = ()
    since: datetime | None = None
    held_since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    declared_at: tuple[str, ...] = ()

    @property
    def is_covered(self) -> bool:
        """Whether somebody other than the seat's holder answers."""
        return self.person is not None and self.person != self.holder

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain values; instants as ISO texts in UTC."""
        plain = {n: v.isoformat() if isinstance(v, datetime) else v for n, v in asdict(self).items()}
        lists = {"delegates": list(self.delegates), "declared_at": list(self.declared_at)}
        return {**plain, **lists, "is_covered": self.is_covered}


def answers(atlas: AccountabilityMap, at: datetime) -> list[Answer]:
    """Who is accountable for every touchpoint at an instant, in the map's order."""
    held: dict[str, list[Tenure]] = {touchpoint.id: [] for touchpoint in atlas.touchpoints}
    for tenure in tenures(atlas):
        held[tenure.touchpoint].append(tenure)
    seats = {seat.id: seat for seat in atlas.seats}
    names = {one.id: one.name for one in (*atlas.people, *atlas.teams, *atlas.seats)}
    return [_answer(atlas, one, held[one.id], seats, names, at) for one in atlas.touchpoints]


def _answer(
    atlas: AccountabilityMap,
    touchpoint: Touchpoint,
    held: Sequence[Tenure],
    seats: Mapping[str, Seat],
    names: Mapping[str, str],
    at: datetime,
) -> Answer:
    absent = Answer(
        touchpoint=touchpoint.id,
        touchpoint_name=touchpoint.name,
        stage=touchpoint.stage,
        parent=touchpoint.parent,
        at=at,
        state="absent",
        reason=_absent(held, at),
        declared_at=(atlas.where("touchpoints", touchpoint.id),),
    )
    index = next((number for number, tenure in enumerate(held) if tenure.start <= at < tenure.end), None)
    if index is None:
        return absent
    tenure = held[index]
    seat = seats.get(tenure.seat or "")
    since, until = _unbroken(held, index)
    return replace(
        absent,
        state=tenure.state,
        person=tenure.person,
        person_name=names.get(tenure.person or ""),
        seat=tenure.seat,
        seat_name=names.get(tenure.seat or ""),
        team=tenure.team,
        team_name=names.get(tenure.team or ""),
        holder=tenure.holder,
        holder_name=names.get(tenure.holder or ""),
        delegates=_delegates(seat, atlas, at) if seat else (),
        since=_bounded(since),
        held_since=_bounded(_held_since(seat, atlas, at)) if seat else None,
        until=_bounded(until),
        reason=_reason(seat, atlas, at),
        declared_at=tuple(_declared(atlas, touchpoint, seat, at)),
    )


def _unbroken(held: Sequence[Tenure], index: int) -> tuple[datetime, datetime]:
    """The stretch around a tenure in which its person, or nobody, answers without a break."""
    first = last = index
    while first and _goes_on(held[first - 1], held[first]):
        first -= 1
    while last + 1 < len(held) and _goes_on(held[last], held[last + 1]):
        last += 1
    return held[first].start, held[last].end


def _goes_on(one: Tenure, following: Tenure) -> bool:
    return one.end == following.start and one.person == following.person


def _held_since(seat: Seat, atlas: AccountabilityMap, at: datetime) -> datetime:
    """Since when the seat's holder has held it, across neighbouring holdings of one person."""
    since, before = EARLIEST, None
    for span in sorted(holdings(seat, atlas.zone), key=lambda span: span.start):
        person = seat.holders[span.value].person
        if person != before:
            since, before = span.start, person
        if span.start <= at < span.end:
            return since if person else EARLIEST
    return EARLIEST


def _delegates(seat: Seat, atlas: AccountabilityMap, at: datetime) -> tuple[str, ...]:
    return tuple(seat.delegates[index].person for index in _in_force(acting(seat, atlas.zone), at))


def _bounded(moment: datetime) -> datetime | None:
    return None if moment in (EARLIEST, LATEST) else moment


def _absent(held: Sequence[Tenure], at: datetime) -> str:
    return (
        "there was no such touchpoint yet"
        if held and at < held[0].start
        else "there is no such touchpoint any more"
    )


def _reason(seat: Seat | None, atlas: AccountabilityMap, at: datetime) -> str | None:
    if seat is None:
        return "the map names no seat"
    if covered := _in_force(covers(seat, atlas.zone), at):
        return seat.covers[covered[0]].why
    holding = seat.holders[_in_force(holdings(seat, atlas.zone), at)[0]]
    return (holding.why or "the seat is vacant") if holding.vacant else None


def _in_force(spans: Iterable[Span[int]], at: datetime) -> list[int]:
    return [span.value for span in spans if span.start <= at < span.end]


def _declared(
    atlas: AccountabilityMap, touchpoint: Touchpoint, seat: Seat | None, at: datetime
) -> Iterator[str]:
    for index in _in_force(assignments(touchpoint, atlas.zone), at):
        yield atlas.where("touchpoints", touchpoint.id, "accountable", index)
    if seat is not None:
        for part, spans in (("holders", holdings), ("covers", covers), ("delegates", acting)):
            for index in _in_force(spans(seat, atlas.zone), at):
                yield atlas.where("seats", seat.id, part, index)
