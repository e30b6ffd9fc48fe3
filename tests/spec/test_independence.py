"""# Independence

Who wants to know, who selects whom to ask, who analyses, who reports, and who is judged by it. The judged select
nobody, and neither analyse nor report alone.
"""

import polars as pl
import pytest

from contracts.documents import parse
from contracts.errors import MapError
from contracts.map_checks import assemble
from contracts.tables import Independence
from contracts.tenures import tenures
from tests.spec.pipeline import BERLIN, MAP
from tests.transforms.test_audit import NOW
from transforms.in_force import Standing
from transforms.independence import conflicted, independence

TEXT = MAP.replace("goals: GOALS", "goals: []").replace("ATTRIBUTES", "{}").replace("METRIC\n", "csat\n")
TEXT = TEXT.replace(
    "holders:\n      - {person: ada, until: 2026-03-11T12:00}", "holders:\n      - {person: ada}"
)
TEXT = TEXT.replace("      - {vacant: true, from: 2026-03-11T12:00, until: 2026-03-12}\n", "")
TEXT = TEXT.replace("      - {person: ben, from: 2026-03-12}\n", "")
SECOND = "  - {{id: {seat}, name: Second, team: other, holders: [{{person: ada}}]}}\n"


def ledger(hands: str, *, second: str = "") -> pl.DataFrame:
    """The ledger of one touchpoint, held by Ada of the team, judged by one metric."""
    metric = f"[{{id: csat, name: CSAT, estimator: csat, independence: {hands}}}]"
    text = TEXT.replace("METRICS", metric)
    if second:
        text = text.replace("touchpoints:\n", f"{SECOND.format(seat=second)}touchpoints:\n")
    atlas = assemble([parse(text, "map.yaml")], BERLIN)
    found = independence(Standing(atlas, tenures(atlas), NOW))
    Independence.validate(found, cast=True)
    return found.sort("step_order")


@pytest.mark.parametrize(
    ("hands", "conflicts"),
    [
        pytest.param("{motive: seat, collection: other, analysis: other, reporting: other}", [], id="sound"),
        pytest.param("{collection: seat}", ["collection"], id="the seat selects"),
        pytest.param("{collection: team}", ["collection"], id="its team selects"),
        pytest.param("{collection: [other, team]}", ["collection"], id="it selects with others"),
        pytest.param("{collection: 'external: Institute'}", [], id="an institute selects"),
        pytest.param("{analysis: team, reporting: [team, other]}", ["analysis"], id="alone, and with others"),
        pytest.param("{motive: team}", [], id="wanting to know is no conflict"),
        pytest.param(
            "[{collection: team}, {touchpoints: point, collection: other}]", [], id="the later overrules"
        ),
    ],
)
def test_the_judged_neither_select_nor_tell_alone(hands: str, conflicts: list[str]):
    found = ledger(hands)
    assert found.filter("is_conflict")["step"].to_list() == conflicts


def test_a_second_seat_of_the_same_person_is_the_same_hands():
    assert ledger("{collection: second}", second="second").filter("is_conflict").height == 1


def test_a_seat_that_is_only_called_like_an_outsider_is_inside():
    found = ledger("{collection: external_affairs}", second="external_affairs")
    assert found.filter("is_conflict").height == 1


def test_what_the_map_does_not_say_is_neither_a_conflict_nor_none():
    found = ledger("[]")
    assert found["is_conflict"].to_list() == [None] * 4
    assert found["unit"].to_list() == [None] * 4
    assert conflicted(found)["is_conflicted"].to_list() == [None]
    assert conflicted(ledger("{collection: other}"))["is_conflicted"].to_list() == [False]


def test_a_conflict_is_said_in_a_sentence():
    found = ledger("{collection: team}").filter("is_conflict").row(0, named=True)
    assert found["why"] == "Team is judged by 'csat' at Point, and Team selects who is asked."
    assert (found["unit"], found["judged_team_id"], found["judged_owner_id"]) == ("team", "team", "ada")


@pytest.mark.parametrize(
    ("hands", "said"),
    [
        ("{collection: tam}", "seat or team 'tam' is not in the map. Did you mean 'team'?"),
        (
            "{touchpoints: pint, collection: team}",
            "touchpoint 'pint' is not in the map. Did you mean 'point'?",
        ),
    ],
)
def test_hands_that_are_not_in_the_map_are_refused(hands: str, said: str):
    with pytest.raises(MapError, match=said.replace("?", r"\?")):
        ledger(hands)
