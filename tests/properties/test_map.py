"""Laws over generated maps: one accountable person at most, and gaps and overlaps exactly as planted."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.accountability import AccountabilityMap
from contracts.answers import answers
from contracts.documents import parse
from contracts.errors import MapError
from contracts.map_checks import assemble
from contracts.tables import DataTrust, FactEventUnmatched, FactHandoff
from contracts.tenures import LATEST, tenures
from transforms.audit import Evidence, audit
from transforms.lived import Lived

ZONE = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
NOW = datetime(2027, 1, 1, tzinfo=UTC)
PEOPLE = ("ada", "ben", "cleo", "dan")
SECOND = timedelta(seconds=1)
Stretch = tuple[datetime, datetime | None, str | None]
"""From, until (None: for good), and who or what (None: on record, nobody)."""


@dataclass
class Plan:
    """What a generated map says, as plain lists to look things up in.

    Attributes:
        seats: Who holds each seat.
        covers: Who covers it; these never overlap.
        points: Which seat answers for each touchpoint.
    """

    seats: dict[str, list[Stretch]]
    covers: dict[str, list[Stretch]]
    points: dict[str, list[Stretch]]

    def accountable(self, point: str, at: datetime) -> str | None:
        """The accountable person, looked up second by second: the readable reference of the algebra."""
        seat = _at(self.points[point], at)
        return seat and (_at(self.covers[seat], at) or _at(self.seats[seat], at))

    def edges(self) -> list[datetime]:
        """Every instant at which anything changes."""
        lists = [*self.seats.values(), *self.covers.values(), *self.points.values()]
        return sorted({edge for stretches in lists for s in stretches for edge in s[:2] if edge is not None})

    def written(self) -> str:
        """The plan as the YAML that people would write."""
        people = [{"id": name, "name": name} for name in PEOPLE]
        seats = [
            {
                "id": seat, "name": seat, "team": "team",
                "holders": [_held("person", "vacant", one) for one in held],
                "covers": [_held("person", "vacant", one) for one in self.covers[seat]],
            }
            for seat, held in self.seats.items()
        ]  # fmt: skip
        points = [
            {
                "id": point, "name": point, "stage": "enter", "from": BEGIN.isoformat(),
                "accountable": [_held("seat", "unowned", one) for one in assigned],
            }
            for point, assigned in self.points.items()
        ]  # fmt: skip
        teams = [{"id": "team", "name": "Team"}]
        return yaml.safe_dump(
            {"teams": teams, "people": people, "seats": seats, "touchpoints": points}, sort_keys=False
        )

    def read(self) -> AccountabilityMap:
        """The map, checked."""
        return assemble([parse(self.written(), "map/map.yaml")], ZONE)


def _at(stretches: list[Stretch], at: datetime) -> str | None:
    return next((who for start, end, who in stretches if start <= at and (end is None or at < end)), None)


def _held(named: str, nobody: str, stretch: Stretch) -> dict[str, object]:
    start, end, who = stretch
    said: dict[str, object] = {named: who} if who else {nobody: True}
    return {**said, "from": start.isoformat(), **({"until": end.isoformat()} if end else {})}


def at(seconds: int) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


cuts = st.lists(st.integers(1, 50_000_000), max_size=5, unique=True).map(sorted)


@st.composite
def in_turn(draw: st.DrawFn, names: tuple[str | None, ...]) -> list[Stretch]:
    """Stretches from the beginning for good, each with somebody."""
    edges = [BEGIN, *map(at, draw(cuts)), None]
    return [(start, end, draw(st.sampled_from(names))) for start, end in pairwise(edges) if start]


@st.composite
def covered(draw: st.DrawFn, held: list[Stretch]) -> list[Stretch]:
    """Covers that never overlap, by people who do not hold the seat meanwhile."""
    edges = draw(cuts)
    found: list[Stretch] = []
    for start, end in list(pairwise(map(at, edges)))[::2]:
        holding = {who for first, last, who in held if first < end and (last is None or last > start)}
        others = [name for name in PEOPLE if name not in holding]
        if others:
            found.append((start, end, draw(st.sampled_from(others))))
    return found


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A map in which everything has its turn; nobody, on record, is somebody too."""
    seats = {f"seat{n}": draw(in_turn((*PEOPLE, None))) for n in range(draw(st.integers(1, 3)))}
    covers = {seat: draw(covered(held)) for seat, held in seats.items()}
    points = {f"point{n}": draw(in_turn((*seats, None))) for n in range(draw(st.integers(1, 4)))}
    return Plan(seats, covers, points)


@settings(max_examples=200, deadline=None)
@given(plan=plans())
def test_at_any_instant_at_most_one_person_is_accountable_and_it_is_the_one_the_map_names(plan: Plan):
    held = tenures(plan.read())
    for edge in [*plan.edges(), BEGIN, NOW]:
        for moment in (edge - SECOND, edge, edge + SECOND):
            if moment < BEGIN:
                continue
            for point in plan.points:
                there = [t for t in held if t.touchpoint == point and t.start <= moment < t.end]
                assert [t.person for t in there] == [plan.accountable(point, moment)]


@settings(max_examples=100, deadline=None)
@given(plan=plans())
def test_tenures_follow_each_other_without_gap_or_overlap_for_good(plan: Plan):
    held = tenures(plan.read())
    for point in plan.points:
        own = [t for t in held if t.touchpoint == point]
        assert own[0].start == BEGIN
        assert own[-1].end == LATEST
        assert all(one.end == following.start for one, following in pairwise(own))


@settings(max_examples=100, deadline=None)
@given(plan=plans(), seconds=st.integers(0, 60_000_000))
def test_an_answer_says_since_when_and_until_when_to_the_second(plan: Plan, seconds: int):
    moment = at(seconds)
    for answer in answers(plan.read(), moment):
        told = plan.accountable(answer.touchpoint, moment)
        assert answer.person == told
        assert answer.since is not None
        assert answer.since <= moment
        assert plan.accountable(answer.touchpoint, answer.since) == told
        if answer.since > BEGIN:
            assert plan.accountable(answer.touchpoint, answer.since - SECOND) != told
        if answer.until is not None:
            assert plan.accountable(answer.touchpoint, answer.until - SECOND) == told
            assert plan.accountable(answer.touchpoint, answer.until) != told


# What the audit finds


def gaps_found(atlas: AccountabilityMap) -> set[tuple[str, datetime | None, datetime | None]]:
    """(touchpoint or seat, since, until) of every finding that nobody answers."""
    evidence = Evidence(
        atlas=atlas, tenures=tenures(atlas), now=NOW, observed=frozenset(), recent={}, disowned=Lived(),
        unmatched=FactEventUnmatched.empty(), shadowed_by={}, hits={}, handoffs=FactHandoff.empty(),
        trust=DataTrust.empty(),
    )  # fmt: skip
    found = audit(evidence)
    rows = found.rows(named=True)
    return {
        (str(row["object_id"]).partition("@")[0], row["since_at"], row["until_at"])
        for row in rows
        if row["rule"] in ("unowned_touchpoint", "vacant_seat")
    }


@settings(max_examples=150, deadline=None)
@given(plan=plans())
def test_the_audit_finds_exactly_the_planted_gaps_to_the_second(plan: Plan):
    """The plan's own runs of "no seat" and of "nobody in the seat", by walking from edge to edge."""
    planted: set[tuple[str, datetime | None, datetime | None]] = set()
    for point in plan.points:
        runs: list[list] = []
        for edge in sorted({BEGIN, *plan.edges()}):
            seat = _at(plan.points[point], edge)
            is_gap = plan.accountable(point, edge) is None
            if runs and runs[-1][2] == (seat, is_gap):
                continue
            if runs:
                runs[-1][1] = edge
            runs.append([edge, None, (seat, is_gap)])
        planted |= {(seat or point, start, end) for start, end, (seat, is_gap) in runs if is_gap}
    assert gaps_found(plan.read()) == planted


# What the check finds


@st.composite
def broken(draw: st.DrawFn) -> tuple[Plan, str, datetime, datetime, bool]:
    """A plan with one change of hands that leaves a gap or an overlap of some seconds, from 1 second up."""
    plan = draw(plans())
    part = draw(st.sampled_from(["seats", "points"]))
    lists: dict[str, list[Stretch]] = getattr(plan, part)
    name = draw(st.sampled_from(sorted(lists)))
    first = draw(st.integers(10, 1_000_000))
    many = draw(st.integers(1, 9))
    is_gap = draw(st.booleans())
    early, late = at(first), at(first + many)
    ends, begins = (early, late) if is_gap else (late, early)
    one, other = ("ada", "ben") if part == "seats" else ("seat0", "seat0")
    lists[name] = [(BEGIN, ends, one), (begins, None, other)]
    plan.covers = {seat: [] for seat in plan.seats}
    return plan, name, early, late, is_gap


@settings(max_examples=200, deadline=None)
@given(change=broken())
def test_a_gap_or_overlap_that_is_not_on_record_is_refused_with_its_seconds(
    change: tuple[Plan, str, datetime, datetime, bool],
):
    plan, name, early, late, is_gap = change
    with pytest.raises(MapError) as caught:
        plan.read()
    told = [problem for problem in caught.value.problems if f"{name!r}" in problem.what]
    assert len(told) == len(caught.value.problems) == 1
    assert _local(early) in told[0].what
    assert (_local(late) in told[0].what) == is_gap
    word = ("has no holder" if is_gap else "is held by") if name in plan.seats else (
        "has nobody accountable" if is_gap else "has two accountable seats"
    )  # fmt: skip
    assert word in told[0].what
    assert told[0].where.startswith("map/map.yaml:")


def _local(moment: datetime) -> str:
    local = moment.astimezone(ZONE)
    return (
        f"{local:%Y-%m-%d}"
        if not (local.hour or local.minute or local.second)
        else f"{local:%Y-%m-%dT%H:%M:%S}"
    )
