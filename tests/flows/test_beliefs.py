"""Two kinds of time: when the map says somebody answered, and when we believed which map."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from contracts.answers import answers
from contracts.errors import QuestionError, StoreError
from contracts.records import MapRecord, known_at
from flows.beliefs import ACTOR_VARIABLE, belief, records
from flows.run import run_inline
from tests.conftest import Call, Sandbox
from warehouse.ledger import Ledger

MAY = datetime(2026, 5, 1, tzinfo=UTC)
THIRD = datetime(2026, 5, 3, 10, tzinfo=UTC)
FOURTH = datetime(2026, 5, 4, 10, tzinfo=UTC)
HELD = "{person: cleo, from: 2026-02-10T14:30}]"
CORRECTED = f"{HELD}\n    covers: [{{person: ada, from: 2026-05-02, until: 2026-05-09, why: Cleo was ill.}}]"


def note(sandbox: Sandbox, when: datetime) -> str:
    """Record the sandbox's map as a run at that time would; returns its version."""
    workspace = sandbox.load()
    Ledger(workspace.warehouse).note_map(
        workspace.atlas.version, when, workspace.map_texts, by="ada", timezone=workspace.settings.timezone
    )
    return workspace.atlas.version


def who(sandbox: Sandbox, at: datetime, as_known: datetime | None = None) -> str | None:
    atlas = belief(sandbox.load(), as_known).atlas
    return next(one.person for one in answers(atlas, at) if one.touchpoint == "delivery")


def test_a_back_dated_correction_changes_who_it_was_but_not_what_we_believed(sandbox: Sandbox):
    note(sandbox, MAY)
    assert who(sandbox, THIRD) == "cleo"
    sandbox.replace("map/map.yaml", HELD, CORRECTED)
    note(sandbox, datetime(2026, 5, 10, 9, tzinfo=UTC))
    assert who(sandbox, THIRD) == "ada"
    assert who(sandbox, THIRD, as_known=FOURTH) == "cleo"
    assert who(sandbox, THIRD, as_known=datetime(2026, 5, 10, 9, tzinfo=UTC) - timedelta(seconds=1)) == "cleo"
    assert who(sandbox, THIRD, as_known=datetime(2026, 5, 10, 9, tzinfo=UTC)) == "ada"


def test_what_was_believed_does_not_depend_on_what_lies_in_the_workspace_now(sandbox: Sandbox):
    note(sandbox, MAY)
    sandbox.replace(
        "map/map.yaml",
        "  - id: delivery\n    name: Delivery",
        "  - id: parcel\n    was: delivery\n    name: Delivery",
    )
    sandbox.replace("map/map.yaml", "touchpoint: delivery", "touchpoint: parcel")
    sandbox.replace("answerable.yaml", "Europe/Berlin", "Asia/Tokyo")
    known = belief(sandbox.load(), FOURTH)
    assert [one.id for one in known.atlas.touchpoints] == ["order", "delivery"]
    assert known.atlas.zone.key == "Europe/Berlin"
    assert known.record is not None
    assert known.record.recorded_by == "ada"


def test_a_map_that_is_loaded_again_is_a_new_record_and_one_that_stays_is_none(sandbox: Sandbox):
    first = note(sandbox, MAY)
    note(sandbox, MAY + timedelta(days=1))
    sandbox.replace("map/map.yaml", HELD, CORRECTED)
    second = note(sandbox, MAY + timedelta(days=2))
    sandbox.replace("map/map.yaml", CORRECTED, HELD)
    note(sandbox, MAY + timedelta(days=3))
    told = [(one.version, one.recorded_at) for one in records(sandbox.load())]
    assert told == [
        (first, MAY), (second, MAY + timedelta(days=2)), (first, MAY + timedelta(days=3)),
    ]  # fmt: skip
    assert who(sandbox, THIRD, as_known=MAY + timedelta(days=2, hours=1)) == "ada"
    assert who(sandbox, THIRD, as_known=MAY + timedelta(days=3)) == "cleo"


def test_two_versions_of_one_second_keep_their_order(sandbox: Sandbox):
    note(sandbox, MAY)
    sandbox.replace("map/map.yaml", HELD, CORRECTED)
    note(sandbox, MAY)
    assert [one.number for one in records(sandbox.load())] == [1, 2]
    assert who(sandbox, THIRD, as_known=MAY) == "ada"


def test_the_last_one_noted_is_believed_also_where_a_clock_was_set_back():
    noted = [MapRecord(1, "a", FOURTH), MapRecord(2, "b", THIRD)]
    assert [known_at(noted, moment) for moment in (MAY, THIRD, FOURTH)] == [None, noted[1], noted[1]]


def test_another_time_zone_makes_another_record_of_the_same_version(sandbox: Sandbox):
    note(sandbox, MAY)
    sandbox.replace("answerable.yaml", "Europe/Berlin", "Asia/Tokyo")
    note(sandbox, THIRD)
    assert [one.timezone for one in records(sandbox.load())] == ["Europe/Berlin", "Asia/Tokyo"]


def test_before_the_first_record_nothing_was_known(sandbox: Sandbox):
    with pytest.raises(QuestionError, match=r"has no recorded map yet\. 'answerable run' records"):
        belief(sandbox.load(), MAY)
    assert not (sandbox.root / "warehouse").exists(), "asking writes nothing"
    note(sandbox, MAY)
    with pytest.raises(
        QuestionError,
        match=r"2026-05-01T01:59:59: nothing was known: the first map was recorded at 2026-05-01T02",
    ):
        belief(sandbox.load(), MAY - timedelta(seconds=1))


def test_a_recorded_map_that_this_version_cannot_read_is_told_without_guessing(sandbox: Sandbox):
    workspace = sandbox.load()
    Ledger(workspace.warehouse).note_map("old", MAY, {"map.yaml": "stations: []"})
    with pytest.raises(
        StoreError,
        match=r"map old: recorded at 2026-05-01 00:00:00Z cannot be read by this version: .*stations",
    ):
        belief(workspace, FOURTH)


def test_a_run_records_the_map_that_it_loaded_and_who_ran_it(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(ACTOR_VARIABLE, "night shift")
    sandbox.answers("1,a@b.example,2026-02-10 09:00:00,web,order,5")
    workspace = sandbox.load()
    sandbox.replace("map/map.yaml", HELD, CORRECTED)  # edited after it was read: this run knows nothing of it
    run_inline(workspace)
    [noted] = records(workspace)
    assert (noted.version, noted.recorded_by, noted.timezone) == (
        workspace.atlas.version,
        "night shift",
        "Europe/Berlin",
    )
    assert Ledger(workspace.warehouse).map_texts(noted.version) == dict(workspace.map_texts)
    assert "Cleo was ill" not in "".join(workspace.map_texts.values())


# The commands


def test_who_answers_in_words_and_as_json(sandbox: Sandbox, call: Call):
    note(sandbox, MAY)
    sandbox.replace("map/map.yaml", HELD, CORRECTED)
    said = call("who", "delivery", sandbox.root, "--at", "2026-05-03")
    assert said.code == 0
    for part in (
        "Delivery (delivery) at 2026-05-03 00:00:00", "Ada (ada), covering", "Cleo (cleo): Cleo was ill.",
        "2026-05-02 00:00:00", "2026-05-09 00:00:00", "map/map.yaml:21, map/map.yaml:9, map/map.yaml:10",
    ):  # fmt: skip
        assert part in said.out
    known = call("who", "delivery", sandbox.root, "--at", "2026-05-03", "--as-known", "2026-05-04", "--json")
    told = json.loads(known.out)
    assert (told["person"], told["holder"], told["recorded_by"], told["is_covered"]) == (
        "cleo",
        "cleo",
        "ada",
        False,
    )
    assert told["recorded_at"] == MAY.isoformat()
    assert told["since"] == "2026-02-10T13:30:00+00:00"
    assert told["declared_at"] == ["map/map.yaml:20", "map/map.yaml:9"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["deliver"], "deliver: is no touchpoint of the map. Did you mean 'delivery'?"),
        (["delivery", "--at", "tomorrow"], "--at: 'tomorrow' is no date. Write a date like"),
        (["delivery", "--as-known", "2026-05-04"], "has no recorded map yet."),
    ],
)
def test_what_cannot_be_asked_is_told(sandbox: Sandbox, call: Call, words: list[str], said: str):
    told = call("who", words[0], sandbox.root, *words[1:])
    assert (told.code, told.out) == (2, "")
    assert said in told.err


@pytest.mark.parametrize(
    ("holders", "said"),
    [
        ("[{vacant: true}]", "nobody: the seat is vacant"),
        ("[{vacant: true, why: Still sought.}]", "nobody: Still sought."),
    ],
)
def test_nobody_is_an_answer_with_its_reason(sandbox: Sandbox, call: Call, holders: str, said: str):
    sandbox.replace("map/map.yaml", "holders: [{person: ada}]", f"holders: {holders}")
    told = call("who", "order", sandbox.root)
    assert (told.code, said in told.out) == (0, True)


def test_a_touchpoint_is_absent_before_it_exists_and_found_by_a_former_id(sandbox: Sandbox, call: Call):
    sandbox.replace(
        "map/map.yaml",
        "    stage: enter\n",
        "    stage: enter\n    was: buy\n    from: 2026-01-01\n    until: 2026-04-01\n",
    )
    assert (
        "nobody: there was no such touchpoint yet"
        in call("who", "buy", sandbox.root, "--at", "2025-12-31").out
    )
    assert (
        "nobody: there is no such touchpoint any more"
        in call("who", "order", sandbox.root, "--at", "2026-04-01").out
    )
    assert "Ada (ada)" in call("who", "buy", sandbox.root, "--at", "2026-03-31T23:59:59").out


def test_whoever_acts_for_the_holder_is_named_and_not_accountable(sandbox: Sandbox, call: Call):
    delegated = "{person: ada}], delegates: [{person: ben, from: 2026-05-01, until: 2026-06-01}]"
    sandbox.replace("map/map.yaml", "{person: ada}]", delegated)
    told = json.loads(call("who", "order", sandbox.root, "--at", "2026-05-03", "--json").out)
    assert (told["person"], told["delegates"]) == ("ada", ["ben"])
    assert "acts for them  ben" in call("who", "order", sandbox.root, "--at", "2026-05-03").out
    assert "acts for them" not in call("who", "order", sandbox.root, "--at", "2026-06-01").out


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59-12:00"])
def test_the_ends_of_the_calendar_can_be_asked_for(sandbox: Sandbox, call: Call, moment: str):
    assert json.loads(call("who", "order", sandbox.root, "--at", moment, "--json").out)["person"] == "ada"
    assert call("map", "show", sandbox.root, "--as-of", moment).code == 0


def test_the_map_is_shown_by_stage_and_as_json(sandbox: Sandbox, call: Call):
    sandbox.replace("map/map.yaml", HELD, CORRECTED)
    sandbox.replace(
        "map/map.yaml",
        "accountable: head_of_sales",
        "accountable: [{seat: head_of_sales, until: 2026-05-01}, {unowned: true, from: 2026-05-01}]",
    )
    shown = call("map", "show", sandbox.root, "--as-of", "2026-05-03").out
    assert "Ada, covering for Cleo" in shown
    assert "nobody: the map names no seat" in shown
    told = json.loads(call("map", "show", sandbox.root, "--as-of", "2026-05-03", "--json").out)
    assert {one["touchpoint"]: one["person"] for one in told["touchpoints"]} == {
        "order": None,
        "delivery": "ada",
    }


def test_parts_are_shown_below_their_whole_wherever_they_stand(sandbox: Sandbox, call: Call):
    part = "  - {id: NAME, name: NAME, parent: PARENT, accountable: head_of_sales}\n"
    below = "".join(
        part.replace("NAME", n).replace("PARENT", p) for n, p in (("inner", "outer"), ("outer", "order"))
    )
    sandbox.replace("map/map.yaml", "  - id: order\n", f"{below}  - id: order\n")
    shown = call("map", "show", sandbox.root).out.splitlines()
    names = [line.split("│")[2].rstrip() for line in shown if line.startswith("│")]
    assert names == [" Order", "   outer", "     inner", " Delivery"]


def test_the_log_lists_the_newest_record_first(sandbox: Sandbox, call: Call):
    assert "no map is recorded yet" in call("map", "log", sandbox.root).out
    first = note(sandbox, MAY)
    sandbox.replace("map/map.yaml", HELD, CORRECTED)
    second = note(sandbox, THIRD)
    lines = call("map", "log", sandbox.root).out.splitlines()
    assert [line.split()[1] for line in lines] == [second, first]
    assert "as it lies here" in lines[0]
    assert [one["version"] for one in json.loads(call("map", "log", sandbox.root, "--json").out)] == [
        second,
        first,
    ]
