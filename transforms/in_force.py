"""The map as it stands at one instant: who answers, which goals are in force, which reviews cover what."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from contracts.accountability import AccountabilityMap, Goal, Review, Seat, Touchpoint
from contracts.tenures import EARLIEST, LATEST, Seated, Tenure, covers, instant, seated

_NOBODY_IN_PARTICULAR = re.compile(
    r"\b(anybody|anyone|committee|department|desk|division|everybody|everyone|group|squad|team|tbd)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Standing:
    """The map at one instant.

    Attributes:
        atlas: The map.
        tenures: Its tenures.
        now: The instant.
    """

    atlas: AccountabilityMap
    tenures: Sequence[Tenure]
    now: datetime

    @cached_property
    def today(self) -> date:
        """The running day in the map's zone."""
        return self.now.astimezone(self.atlas.zone).date()

    @cached_property
    def held(self) -> dict[str, Tenure]:
        """The tenure in force, by touchpoint; a touchpoint that does not exist now has none."""
        return {t.touchpoint: t for t in self.tenures if t.start <= self.now < t.end}

    @cached_property
    def _begun(self) -> dict[str, Tenure]:
        return {t.touchpoint: t for t in self.tenures if t.start <= self.now}

    @cached_property
    def people(self) -> dict[str, str]:
        """Names of people by id."""
        return {person.id: person.name for person in self.atlas.people}

    @cached_property
    def answering(self) -> dict[str, str | None]:
        """Who answers in every seat now, its cover or its holder; None when nobody does."""
        return {seat: one.person if one else None for seat, one in self._seated.items()}

    def atlas_order(self, people: Collection[str]) -> list[str]:
        """People in the order of the map."""
        return [person.id for person in self.atlas.people if person.id in people]

    def team_of(self, name: str) -> str | None:
        """The team of a seat, or of a team itself; a person has none, because seats make teams."""
        if any(team.id == name for team in self.atlas.teams):
            return name
        return next((seat.team for seat in self.atlas.seats if seat.id == name), None)

    def stand_ins(self, seat: str | None) -> set[str]:
        """Who could step in for whoever answers in a seat: its holder, its cover and its delegates now."""
        declared = next((one for one in self.atlas.seats if one.id == seat), None)
        if declared is None:
            return set()
        zone = self.atlas.zone
        acting = {
            one.person
            for one in declared.delegates
            if instant(one.acts_from, zone, EARLIEST) <= self.now < instant(one.acts_until, zone, LATEST)
        }
        covering = {
            declared.covers[span.value].person for span in covers(declared, zone) if self.now < span.end
        }
        seated_now = self._seated[declared.id]
        holder = {seated_now.holder} if seated_now and seated_now.holder else set()
        return acting | covering | holder

    def last_tenure(self, touchpoint: str) -> Tenure | None:
        """The tenure in force, or of a touchpoint that has ended its last; None before it begins."""
        return self._begun.get(touchpoint)

    def goals(self, touchpoint: Touchpoint) -> list[Goal]:
        """Its goals in force today."""
        return [goal for goal in touchpoint.goals if self.is_in_force(goal)]

    def is_in_force(self, goal: Goal) -> bool:
        """Whether a goal counts today."""
        starts, ends = goal.in_force_from, goal.in_force_until
        return (starts is None or starts.date() <= self.today) and (ends is None or self.today < ends.date())

    def reviews(self, touchpoint: Touchpoint) -> list[Review]:
        """The reviews that cover it and whose chair's seat is held; one that names nothing covers all."""
        return [
            review
            for review in self.atlas.reviews
            if self.answering.get(review.chair) and _covers(review, touchpoint)
        ]

    def unnamed(self, tenure: Tenure | None) -> str | None:
        """Why no single, named person answers; None when one does."""
        if tenure is None or tenure.state == "unowned":
            return "the map names no seat"
        if tenure.person is None:
            return "its seat is vacant"
        name = self.people[tenure.person]
        return f"{name!r} is no single person" if self.is_diffuse(name) else None

    def is_diffuse(self, name: str) -> bool:
        """Whether a name stands for a group, a list or everybody rather than for one person."""
        teams = {label.lower() for team in self.atlas.teams for label in (team.id, team.name, *team.groups)}
        return name.lower() in teams or "@" in name or bool(_NOBODY_IN_PARTICULAR.search(name))

    @cached_property
    def _seated(self) -> dict[str, Seated | None]:
        """Who answers in every seat now, and who holds it."""
        return {seat.id: self._seated_in(seat) for seat in self.atlas.seats}

    def _seated_in(self, seat: Seat) -> Seated | None:
        spans = seated(seat, self.atlas.zone)
        return next((span.value for span in spans if span.start <= self.now < span.end), None)


def _covers(review: Review, touchpoint: Touchpoint) -> bool:
    named = touchpoint.id in review.touchpoints or touchpoint.stage in review.stages
    return named or not (review.touchpoints or review.stages)
