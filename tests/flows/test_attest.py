"""Attestation: only the accountable person's word counts, and only for a while."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from contracts.answers import answers
from contracts.attestations import Attestation, attested
from contracts.tenures import Tenure
from flows.attesting import give_word
from tests.conftest import Call, Sandbox
from warehouse.ledger import Ledger

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HELD = {
    "point": Tenure(
        "point", NOW - timedelta(days=400), NOW + timedelta(days=1), "owned", "seat", "team", "ada", "ada"
    )
}


def word(state: str, days_ago: float, person: str = "ada", touchpoint: str = "point") -> Attestation:
    then = NOW - timedelta(days=days_ago)
    return Attestation(touchpoint, person, "seat", state, None, "v", then, then, None)  # ty: ignore[invalid-argument-type]


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ([], "pending"),
        ([word("confirmed", 1)], "confirmed"),
        ([word("declined", 1)], "declined"),
        ([word("confirmed", 9), word("declined", 1)], "declined"),
        ([word("declined", 9), word("confirmed", 1)], "confirmed"),
        ([word("confirmed", 92)], "pending"),
        ([word("confirmed", 91.999)], "confirmed"),
        ([word("confirmed", -1)], "pending"),
        ([word("confirmed", 1, person="ben")], "pending"),
        ([word("confirmed", 1, touchpoint="spot")], "confirmed"),
        ([word("confirmed", 1, touchpoint="other")], "pending"),
    ],
)
def test_a_word_counts_for_its_days_its_person_and_its_touchpoint(words: list[Attestation], state: str):
    [told] = attested(HELD, words, NOW, 92, {"spot": "point"})
    assert (told.state, told.person) == (state, "ada")


def test_nobody_can_confirm_what_nobody_answers_for():
    vacant = {"point": Tenure("point", NOW, NOW + timedelta(days=1), "vacant", "seat", "team", None)}
    [told] = attested(vacant, [word("confirmed", 1)], NOW, 92, {})
    assert (told.state, told.person, told.word) == ("pending", None, None)


def test_an_owner_confirms_then_declines_and_every_word_is_kept(sandbox: Sandbox, call: Call):
    assert "pending    order" in call("attest", ".", sandbox.root).out
    assert "order: confirmed by Ada, 2026-03-02" in call("attest", "order", sandbox.root, "--by", "ada").out
    declined = call("attest", "order", sandbox.root, "--by", "ada", "--decline", "It went to logistics.")
    assert "order: declined by Ada, 2026-03-02. Now correct the map." in declined.out
    told = json.loads(call("attest", ".", sandbox.root, "--json").out)
    assert [(one["touchpoint"], one["state"], one["reason"]) for one in told] == [
        ("order", "declined", "It went to logistics."), ("delivery", "pending", None),
    ]  # fmt: skip
    ledger = Ledger(sandbox.root / "warehouse")
    assert [one.state for one in ledger.attestations()] == ["confirmed", "declined"]
    version = sandbox.load().atlas.version
    assert {one.map_version for one in ledger.attestations()} == {version}
    assert [one.version for one in ledger.map_records()] == [version]
    assert "order" not in call("attest", ".", sandbox.root, "--by", "cleo").out


def test_who_declines_opens_a_gap_until_the_map_names_another(sandbox: Sandbox, call: Call):
    def found() -> list[tuple[str, datetime]]:
        sandbox.run()
        gaps = sandbox.table("gap_finding").filter(pl.col("rule") == "attestation_declined")
        return list(gaps.select("sentence", "since_at").iter_rows())

    call("attest", "order", sandbox.root, "--by", "ada", "--decline", "It went to logistics.")
    [(sentence, since)] = found()
    assert sentence == "Ada says that they do not answer for Order: It went to logistics."
    assert since == sandbox.load().now
    sandbox.replace("map/map.yaml", "accountable: head_of_sales", "accountable: head_of_logistics")
    assert found() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["delivery", "--by", "ben"],
            "ben: is not accountable for 'delivery' now; 'cleo' is. Only they can give their word.",
        ),
        (["delivery", "--by", "bem"], "bem: is nobody of the map. Did you mean 'ben'?"),
        (["delivery"], "--by: is missing. Say who gives their word"),
        (["delivery", "--by", "cleo", "--decline", " "], "--decline: gives no reason."),
        (["parcel", "--by", "cleo"], "parcel: is no touchpoint of the map."),
    ],
)
def test_a_word_that_is_not_theirs_to_give_is_refused_and_not_kept(
    sandbox: Sandbox, call: Call, words: list[str], said: str
):
    told = call("attest", words[0], sandbox.root, *words[1:])
    assert told.code == 2
    assert said in told.err
    assert not (sandbox.root / "warehouse").exists()


def test_what_people_say_is_published_beside_who_is_accountable(sandbox: Sandbox):
    sandbox.answers("1,a@b.example,2026-02-10 09:00:00,web,order,5")
    workspace = sandbox.load()
    answer = next(one for one in answers(workspace.atlas, workspace.now) if one.touchpoint == "order")
    give_word(workspace, answer, "ada", "confirmed", None)
    sandbox.run()
    rows = sandbox.table("bridge_assignment").sort("touchpoint_id", "valid_from_at").rows(named=True)
    told = [(row["touchpoint_id"], row["owner_id"], row["attestation"], row["attested_at"]) for row in rows]
    assert told == [
        ("delivery", "ben", None, None),
        ("delivery", "cleo", "pending", None),
        ("order", "ada", "confirmed", workspace.now),
    ]
    assert {row["map_version"] for row in rows} == {workspace.atlas.version}
