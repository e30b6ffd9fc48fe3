"""Whom an alert climbs to: what the map names, in order, nobody twice."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from contracts.accountability import AccountabilityMap
from contracts.documents import parse
from contracts.map_checks import assemble
from contracts.tenures import in_force, tenures
from transforms.alert_path import Ends, feed_path, path

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MAP = """
teams: [{id: one, name: One, lead: boss}, {id: two, name: Two}]
people:
  - {id: ada, name: Ada}
  - {id: ben, name: Ben}
  - {id: cleo, name: Cleo}
  - {id: dan, name: Dan}
  - {id: eve, name: Eve}
  - {id: fay, name: Fay}
seats:
  - id: seat
    name: Seat
    team: one
    holders: [{person: ada, until: 2026-04-01}, {vacant: true, from: 2026-04-01}]
    covers: [{person: ben, from: 2026-03-10, until: 2026-03-12}]
    delegates: [{person: cleo, from: 2026-03-01, until: 2026-03-20}]
  - {id: boss, name: Boss, team: one, holders: [{person: dan}]}
  - {id: between, name: Between, team: two, holders: [{person: eve}]}
  - {id: board, name: Board, team: two, holders: [{person: fay}]}
integrators: [{between: [one, two], seat: between}]
reviews:
  - {id: engage_review, name: Engage, every: month, chair: boss, stages: engage}
  - {id: quarter, name: Quarter, every: quarter, chair: board}
touchpoints:
  - {id: point, name: Point, stage: engage, accountable: seat}
  - {id: orphan, name: Orphan, stage: extend, accountable: nobody}
"""


@pytest.fixture(scope="module")
def atlas() -> AccountabilityMap:
    return assemble([parse(MAP, "map.yaml")], ZoneInfo("UTC"))


def climbed(atlas: AccountabilityMap, touchpoint: str, at: datetime = NOW, **ends: str) -> list[tuple]:
    held = in_force(tenures(atlas), at).get(touchpoint)
    return [(one.role, one.person) for one in path(atlas, touchpoint, held, at, Ends(**ends))]


def test_owner_delegate_lead_integrator_sponsor_and_nobody_twice(atlas: AccountabilityMap):
    assert climbed(atlas, "point") == [
        ("owner", "ada"),
        ("delegate", "cleo"),
        ("lead", "dan"),
        ("integrator", "eve"),
        ("sponsor", "fay"),
    ], "the chair of the stage's review leads the team, too"


def test_whoever_covers_is_the_owner(atlas: AccountabilityMap):
    assert climbed(atlas, "point", datetime(2026, 3, 11, tzinfo=UTC))[0] == ("owner", "ben")


def test_a_vacant_seat_begins_with_its_team(atlas: AccountabilityMap):
    assert climbed(atlas, "point", datetime(2026, 4, 2, tzinfo=UTC)) == [
        ("lead", "dan"),
        ("integrator", "eve"),
        ("sponsor", "fay"),
    ]


def test_what_nobody_owns_reaches_somebody(atlas: AccountabilityMap):
    assert climbed(atlas, "orphan") == [("sponsor", "fay")]
    assert climbed(atlas, "orphan", sponsor="boss", fallback="seat") == [
        ("sponsor", "dan"),
        ("fallback", "ada"),
    ]


def test_a_feed_climbs_from_its_own_seat(atlas: AccountabilityMap):
    assert [(one.role, one.person) for one in feed_path(atlas, "seat", NOW)] == [
        ("feed_owner", "ada"),
        ("delegate", "cleo"),
        ("lead", "dan"),
        ("sponsor", "fay"),
    ]
