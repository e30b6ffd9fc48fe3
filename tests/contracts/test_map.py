"""What the map means beyond its text: former ids, parts of touchpoints, covers, decision rights."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from contracts.accountability import AccountabilityMap
from contracts.documents import parse
from contracts.errors import MapError
from contracts.map_checks import assemble
from contracts.tenures import EARLIEST, LATEST, tenures

BERLIN = ZoneInfo("Europe/Berlin")


def a_map(text: str = "", **parts: Any) -> AccountabilityMap:
    """Two people, two seats, one touchpoint `point`, and what a test adds or replaces."""
    whole: dict[str, Any] = {
        "teams": [{"id": "team", "name": "Team"}],
        "people": [{"id": name, "name": name.title()} for name in ("ada", "ben", "cleo")],
        "seats": [
            {"id": "one", "name": "One", "team": "team", "holders": [{"person": "ada"}]},
            {"id": "two", "name": "Two", "team": "team", "holders": [{"person": "ben"}]},
        ],
        "touchpoints": [{"id": "point", "name": "Point", "stage": "enter", "accountable": "one"}],
        "metrics": [{"id": "csat", "name": "Satisfied", "estimator": "csat"}],
    }
    written = {**whole, **(yaml.safe_load(text) or {}), **parts}
    return assemble([parse(yaml.safe_dump(written, sort_keys=False), "map/map.yaml")], BERLIN)


def told(text: str) -> list[tuple[str, str, str | None, str | None]]:
    """Tenures of `point` as (from, until, person, holder), in Berlin."""
    held = [one for one in tenures(a_map(text)) if one.touchpoint == "point"]
    return [(_said(one.start), _said(one.end), one.person, one.holder) for one in held]


def _said(moment: datetime) -> str:
    return {EARLIEST: "...", LATEST: "..."}.get(moment) or f"{moment.astimezone(BERLIN):%Y-%m-%dT%H:%M:%S}"


# Covers


def test_a_cover_is_the_accountable_person_to_the_second_and_the_holder_is_remembered():
    assert told("""
      seats:
        - {id: one, name: One, team: team, holders: [{person: ada}],
           covers: [{person: ben, from: 2026-05-01T08:00:01, until: 2026-05-15}]}
    """) == [
        ("...", "2026-05-01T08:00:01", "ada", "ada"),
        ("2026-05-01T08:00:01", "2026-05-15T00:00:00", "ben", "ada"),
        ("2026-05-15T00:00:00", "...", "ada", "ada"),
    ]


def test_a_cover_goes_on_while_the_seat_changes_hands_and_two_covers_may_meet():
    assert told("""
      seats:
        - {id: one, name: One, team: team,
           holders: [{person: ada, until: 2026-05-10}, {person: cleo, from: 2026-05-10}],
           covers: [{person: ben, from: 2026-05-01, until: 2026-05-12}, {person: ada, from: 2026-05-12, until: 2026-05-14}]}
    """) == [
        ("...", "2026-05-01T00:00:00", "ada", "ada"),
        ("2026-05-01T00:00:00", "2026-05-10T00:00:00", "ben", "ada"),
        ("2026-05-10T00:00:00", "2026-05-12T00:00:00", "ben", "cleo"),
        ("2026-05-12T00:00:00", "2026-05-14T00:00:00", "ada", "cleo"),
        ("2026-05-14T00:00:00", "...", "cleo", "cleo"),
    ]


def test_a_vacant_seat_that_is_covered_has_somebody_accountable():
    assert told("""
      seats:
        - {id: one, name: One, team: team,
           holders: [{person: ada, until: 2026-05-01}, {vacant: true, from: 2026-05-01}],
           covers: [{person: ben, from: 2026-05-02, until: 2026-05-03}]}
    """) == [
        ("...", "2026-05-01T00:00:00", "ada", "ada"),
        ("2026-05-01T00:00:00", "2026-05-02T00:00:00", None, None),
        ("2026-05-02T00:00:00", "2026-05-03T00:00:00", "ben", None),
        ("2026-05-03T00:00:00", "...", None, None),
    ]


def test_a_delegate_acts_and_is_not_accountable():
    assert told("""
      seats:
        - {id: one, name: One, team: team, holders: [{person: ada}], delegates: [{person: ben}]}
    """) == [("...", "...", "ada", "ada")]


# Former ids and parts


RENAMED = """
  touchpoints:
    - {id: point, name: Point, stage: enter, was: [spot, place], accountable: one}
    - {id: part, name: Part, parent: spot, accountable: two}
    - {id: piece, name: Piece, parent: part, accountable: two}
  rules: [{id: r, touchpoint: place}]
  reviews: [{id: w, name: W, every: week, chair: one, touchpoints: [spot, part]}]
  waivers: [{rule: no_goal, object: spot, approver: ada, reason: r, until: 2026-04-01}]
  decision_rights: [{what: goals, seats: [one, two], touchpoints: place}]
"""


def test_whatever_names_a_former_id_means_the_touchpoint_of_now():
    atlas = a_map(RENAMED)
    assert [rule.touchpoint for rule in atlas.rules] == ["point"]
    assert atlas.reviews[0].touchpoints == ("point", "part")
    assert atlas.waivers[0].object == "point"
    assert atlas.decision_rights[0].touchpoints == ("point",)
    assert atlas.touchpoints[1].parent == "point"
    assert [atlas.current(name) for name in ("spot", "place", "point", "part", "other")] == [
        "point", "point", "point", "part", "other",
    ]  # fmt: skip


def test_a_part_without_a_stage_is_in_the_stage_of_its_whole_but_nobody_is_inherited():
    atlas = a_map(RENAMED)
    assert [one.stage for one in atlas.touchpoints] == ["enter", "enter", "enter"]
    assert {one.touchpoint: one.person for one in tenures(atlas)} == {
        "point": "ada", "part": "ben", "piece": "ben",
    }  # fmt: skip
    with pytest.raises(MapError, match="'accountable' is missing"):
        a_map(RENAMED.replace("parent: part, accountable: two", "parent: part"))


def test_a_ring_of_parts_is_told_at_each_of_them_and_without_any_stage():
    with pytest.raises(MapError) as caught:
        a_map("""
          touchpoints:
            - {id: point, name: Point, parent: part, accountable: one}
            - {id: part, name: Part, parent: point, accountable: two}
            - {id: piece, name: Piece, parent: part, accountable: two}
        """)
    assert [problem.what for problem in caught.value.problems] == [
        "touchpoint 'point' is a part of itself: 'point' in 'part' in 'point'.",
        "touchpoint 'part' is a part of itself: 'part' in 'point' in 'part'.",
    ]


# Decision rights


JUDGED = """
  touchpoints: [{id: point, name: Point, stage: enter, accountable: one, metrics: csat}]
  seats:
    - {id: one, name: One, team: team, holders: [{person: ada}]}
    - {id: two, name: Two, team: team, holders: [{person: ada, until: 2026-05-01}, {person: ben, from: 2026-05-01}]}
"""


@pytest.mark.parametrize("what", ["goals", "metrics", "weights"])
def test_one_person_in_two_seats_still_decides_alone(what: str):
    """A right has no dates: it is enough that somebody else holds one of its seats at some time of the tenure."""
    rights = [{"what": what, "seats": ["one", "two"]}]
    a_map(JUDGED, decision_rights=rights)
    with pytest.raises(MapError, match=rf"only 'ada' may change the {what} of touchpoint 'point'"):
        a_map(
            JUDGED.replace("until: 2026-05-01}, {person: ben, from: 2026-05-01", "until: 9999-12-31"),
            decision_rights=rights,
        )


@pytest.mark.parametrize("what", ["rules", "owners"])
def test_what_judges_nobody_may_have_one_who_decides(what: str):
    a_map(JUDGED, decision_rights=[{"what": what, "seats": "one"}])


def test_rights_for_one_touchpoint_add_to_those_for_all():
    rights = [{"what": "goals", "seats": "one"}, {"what": "goals", "seats": "two", "touchpoints": "point"}]
    a_map(JUDGED, decision_rights=rights)


def test_whoever_is_judged_may_have_no_say_at_all():
    a_map(JUDGED, decision_rights=[{"what": "goals", "seats": "two"}])


def test_dates_without_an_offset_are_local():
    held = tenures(
        a_map("""
      seats: [{id: one, name: One, team: team, holders: [{person: ada, until: 2026-07-01}, {person: ben, from: 2026-07-01}]}]
    """)
    )
    assert held[0].end == datetime(2026, 6, 30, 22, tzinfo=UTC)
