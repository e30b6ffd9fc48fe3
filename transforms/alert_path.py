"""Whom an alert climbs to: the path that the map names for a touchpoint or a feed at an instant."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from contracts.accountability import AccountabilityMap, Seat
from contracts.alerts import Role, Rung
from contracts.tenures import EARLIEST, LATEST, Tenure, instant, seated


@dataclass(frozen=True)
class Ends:
    """Seats that the settings name for the end of every path.

    Attributes:
        sponsor: Who is told last.
        fallback: Who is told when the map names nobody.
    """

    sponsor: str | None = None
    fallback: str | None = None


def path(
    atlas: AccountabilityMap, touchpoint: str, tenure: Tenure | None, at: datetime, ends: Ends = Ends()
) -> tuple[Rung, ...]:
    """Whom an alert about a touchpoint is told to, in order; nobody twice, vacant seats left out.

    The accountable person (whoever covers them, while they do); who acts for them; who leads their team;
    who integrates their team's work with others'; who chairs the review of the stage; the sponsor, or who
    chairs the review of everything; the fallback. Without an owner it begins further up: unowned alerts
    go to somebody, with the gap.

    Args:
        atlas: The map.
        touchpoint: Its id.
        tenure: Its tenure in force; None when there is none.
        at: The instant.
        ends: Seats that the settings name.
    """
    stage = next((one.stage for one in atlas.touchpoints if one.id == touchpoint), "")
    return tuple(_once(_places(_Places(atlas, at), stage, tenure, ends)))


def feed_path(atlas: AccountabilityMap, seat: str, at: datetime, ends: Ends = Ends()) -> tuple[Rung, ...]:
    """Whom an alert about a late feed is told to, in order: its seat, who acts for it, its team's lead, up."""
    places = _Places(atlas, at)
    team = next((one.team for one in atlas.seats if one.id == seat), None)

    def every() -> Iterator[Rung]:
        yield from places.seat("feed_owner", seat, "role feed owner")
        yield from places.acting(seat)
        yield from places.lead(team)
        yield from places.company(ends)

    return tuple(_once(every()))


def _places(places: "_Places", stage: str, tenure: Tenure | None, ends: Ends) -> Iterator[Rung]:
    if tenure is not None and tenure.person is not None:
        yield Rung("owner", tenure.person, tenure.seat, "role accountable")
    if tenure is not None and tenure.seat is not None:
        yield from places.acting(tenure.seat)
    team = tenure.team if tenure else None
    yield from places.lead(team)
    for one in places.atlas.integrators:
        if team in one.between:
            yield from places.seat("integrator", one.seat, f"integrator of {' and '.join(one.between)}")
    for review in places.atlas.reviews:
        if stage in review.stages:
            yield from places.seat("stage", review.chair, f"chair of {review.id}, which reviews {stage}")
    yield from places.company(ends)


@dataclass(frozen=True)
class _Places:
    """Who sits where at an instant."""

    atlas: AccountabilityMap
    at: datetime

    def seat(self, role: Role, seat: str, why: str) -> Iterator[Rung]:
        for held in seated(self._seat(seat), self.atlas.zone):
            if held.start <= self.at < held.end and held.value.person:
                yield Rung(role, held.value.person, seat, why)

    def acting(self, seat: str) -> Iterator[Rung]:
        zone = self.atlas.zone
        for one in self._seat(seat).delegates:
            if instant(one.acts_from, zone, EARLIEST) <= self.at < instant(one.acts_until, zone, LATEST):
                yield Rung("delegate", one.person, seat, f"acts for seat {seat}")

    def lead(self, team: str | None) -> Iterator[Rung]:
        for one in self.atlas.teams:
            if one.id == team and one.lead is not None:
                yield from self.seat("lead", one.lead, f"leads team {team}")

    def company(self, ends: Ends) -> Iterator[Rung]:
        if ends.sponsor is not None:
            yield from self.seat("sponsor", ends.sponsor, "sponsor")
        else:
            for review in self.atlas.reviews:
                if review.every == "quarter" and not review.stages and not review.touchpoints:
                    yield from self.seat("sponsor", review.chair, f"chair of {review.id}")
        if ends.fallback is not None:
            yield from self.seat("fallback", ends.fallback, "fallback for what nobody owns")

    def _seat(self, name: str) -> Seat:
        return next(one for one in self.atlas.seats if one.id == name)


def _once(rungs: Iterable[Rung]) -> Iterator[Rung]:
    known: set[str] = set()
    for rung in rungs:
        if rung.person not in known:
            known.add(rung.person)
            yield rung
