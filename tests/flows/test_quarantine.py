"""Rows in quarantine: inspected, mended, judged again, given up; what was read always adds up."""

import json
import sys
from pathlib import Path

import polars as pl
import pytest

from contracts.deliveries import Delivery
from contracts.errors import AnswerableError
from flows.cli import app
from flows.decisions import Decision
from flows.run import Outcome, run_inline
from tests.conftest import Sandbox, build_sandbox
from warehouse.store import EventStore

GOOD = "a,a@x.de,2026-02-01T10:00:00,web,order,5"
LOW = "b,b@x.de,2026-02-01T10:00:00,web,order,9"
STRANGE = "c,c@x.de,2026-02-01T10:00:00,fax,order,4"
CUT = "d,d@x.de"


def only(outcome: Outcome) -> Delivery:
    return outcome.deliveries[0]


def fates(delivery: Delivery) -> tuple[int, ...]:
    return (
        delivery.rows_read,
        delivery.rows_accepted,
        delivery.rows_quarantined,
        delivery.rows_duplicate,
        delivery.rows_dropped,
    )


def decide(sandbox: Sandbox, what: str, **more) -> Outcome:
    return run_inline(sandbox.load(), decision=Decision(what, "survey", **more))


def mended(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame([{"source": "inbox/answers.csv", "_item": 0, **row} for row in rows])


@pytest.fixture(scope="module")
def waiting_once(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = build_sandbox(tmp_path_factory.mktemp("waiting") / "workspace")
    sandbox.replace("contracts/survey.odcs.yaml", "value: 0.5}", "value: 1}")
    sandbox.answers(GOOD, LOW, STRANGE, CUT, GOOD)
    assert fates(only(sandbox.run())) == (5, 1, 3, 1, 0)
    return sandbox


@pytest.fixture
def waiting(waiting_once: Sandbox, tmp_path: Path) -> Sandbox:
    return waiting_once.copied(tmp_path / "workspace")


def test_the_table_tells_row_reasons_contract_and_what_stood_there(waiting: Sandbox):
    found = waiting.table("quarantine")
    assert found.select("_row", "_item", "_reasons", "_contract", "is_whole").rows() == [
        (3, 0, "satisfaction.maximum", "survey@1.0.0", True),
        (4, 0, "channel.enum", "survey@1.0.0", True),
        (5, -1, "line.too_few_fields", "survey@1.0.0", False),
    ]
    raw = json.loads(found["_raw"][0])
    assert (raw["satisfaction"], raw["email"]) == ("9", "(hidden)")
    assert "mail_" not in "".join(found["_raw"])


def test_every_token_in_a_row_is_hidden(sandbox: Sandbox):
    """One where the contract says so, one by force where an address stood in another column."""
    sandbox.replace("contracts/survey.odcs.yaml", "value: 0.5}", "value: 1}")
    sandbox.answers(GOOD, "b,b@x.de,2026-02-01T10:00:00,fax,c@x.de,4")
    sandbox.run()
    found = sandbox.table("quarantine").row(0, named=True)
    raw = json.loads(found["_raw"])
    assert (raw["email"], raw["about"], found["is_whole"]) == ("(hidden)", "(hidden)", False)


def test_every_rule_has_its_result(waiting: Sandbox):
    results = waiting.table("dq_rule_results")
    row = results.filter(rule="satisfaction.maximum").row(0, named=True)
    assert (row["state"], row["checked_count"], row["failed_count"]) == ("failed", 3, 1)
    assert row["failed_share"] == pytest.approx(1 / 3)
    assert row["owner_seat_id"] == "head_of_sales"
    assert results.filter(rule="about.required")["state"].to_list() == ["passed"]
    assert results.filter(rule="line.too_few_fields")["failed_count"].to_list() == [1]


@pytest.mark.parametrize("gone", [False, True], ids=["its file is there", "its file is gone"])
def test_a_mended_contract_readmits_once(waiting: Sandbox, *, gone: bool):
    waiting.replace("contracts/survey.odcs.yaml", "{value: web}", "{value: web}, {value: fax}")
    if gone:
        (waiting.root / "inbox/answers.csv").unlink()
    first = decide(waiting, "replay")
    assert fates(only(first)) == (5, 2, 2, 1, 0)
    assert first.absorbed.state.rows == 2
    again = decide(waiting, "replay")
    assert fates(only(again)) == (5, 2, 2, 1, 0)
    assert again.is_unchanged


def test_mended_rows_are_readmitted_once_and_stay(waiting: Sandbox):
    rows = mended({"_row": 3, "satisfaction": "4"}, {"_row": 4, "channel": "web"})
    first = decide(waiting, "replay", mended=rows)
    assert fates(only(first)) == (5, 3, 1, 1, 0)
    assert (first.absorbed.new, first.absorbed.state.rows) == (2, 3)
    again = decide(waiting, "replay", mended=rows)
    assert (fates(only(again)), again.absorbed.state.rows) == ((5, 3, 1, 1, 0), 3)
    waiting.replace("contracts/survey.odcs.yaml", "maximum: 5", "maximum: 6")
    anew = waiting.run()
    assert (fates(only(anew)), anew.absorbed.state.rows) == ((5, 3, 1, 1, 0), 3)
    assert waiting.table("data_trust")["rows_accepted"].to_list() == [3]
    assert waiting.table("dq_rule_results").filter(rule="channel.enum")["state"].to_list() == ["passed"]


def test_a_cut_line_can_be_mended_whole(waiting: Sandbox):
    row = {"_row": 5, "_item": None, "answer_id": "d", "email": "d@x.de", "channel": "web", "about": "order",
           "answered_at": "2026-02-01T10:00:00", "satisfaction": "3"}  # fmt: skip
    found = decide(waiting, "replay", mended=mended(row))
    assert fates(only(found)) == (5, 2, 2, 1, 0)
    assert "d@x.de" not in "".join(
        str(p.read_bytes()) for p in waiting.root.glob("warehouse/store/**/*.parquet")
    )
    waiting.replace("contracts/survey.odcs.yaml", "maximum: 5", "maximum: 6")
    assert fates(only(waiting.run())) == (5, 2, 2, 1, 0)


def test_a_mended_row_that_takes_the_key_of_another_goes_on_waiting(waiting: Sandbox):
    rows = mended({"_row": 3, "answer_id": "a", "satisfaction": "4"})
    assert fates(only(decide(waiting, "replay", mended=rows))) == (5, 1, 3, 1, 0)


def test_a_row_mended_wrong_goes_on_waiting(waiting: Sandbox):
    assert fates(only(decide(waiting, "replay", mended=mended({"_row": 3, "satisfaction": "8"})))) == (
        5,
        1,
        3,
        1,
        0,
    )


def test_rows_given_up_are_counted_and_stay_given_up(waiting: Sandbox):
    dropped = decide(waiting, "drop", rule="channel.enum")
    assert fates(only(dropped)) == (5, 1, 2, 1, 1)
    waiting.replace("contracts/survey.odcs.yaml", "{value: web}", "{value: web}, {value: fax}")
    assert fates(only(waiting.run())) == (5, 1, 2, 1, 1)
    assert waiting.table("data_trust")["rows_dropped"].to_list() == [1]
    every = decide(waiting, "drop")
    assert fates(only(every)) == (5, 1, 0, 1, 3)
    assert waiting.table("quarantine").is_empty()


def test_dropping_what_is_wrong_releases_a_held_delivery(sandbox: Sandbox):
    sandbox.answers(GOOD, LOW, STRANGE, CUT)
    held = sandbox.run()
    assert (only(held).state, fates(only(held))) == ("held", (4, 0, 4, 0, 0))
    found = decide(sandbox, "drop")
    assert (only(found).state, fates(only(found))) == ("accepted", (4, 1, 0, 0, 3))
    assert found.absorbed.state.rows == 1


def test_what_was_cut_short_or_hidden_by_force_waits_for_a_hand(waiting: Sandbox):
    """An address in a column that tells nobody was replaced: as it lies it is not what was delivered."""
    waiting.answers(GOOD, "e,e@x.de,2026-02-01T10:00:00,fax,me@x.de,4", name="more.csv")
    waiting.write(
        "feeds/survey.yaml", (waiting.root / "feeds/survey.yaml").read_text().replace("answers*", "*")
    )
    waiting.run()
    (waiting.root / "inbox/more.csv").unlink()
    waiting.replace("contracts/survey.odcs.yaml", "{value: web}", "{value: web}, {value: fax}")
    found = decide(waiting, "replay", source="inbox/more.csv")
    more = next(d for d in found.deliveries if d.source == "inbox/more.csv")
    assert fates(more) == (2, 1, 1, 0, 0)


def test_a_rule_over_people_cannot_be_judged_again_without_them(sandbox: Sandbox):
    sandbox.replace("contracts/survey.odcs.yaml", "value: 0.5}", "value: 1}")
    sandbox.replace(
        "contracts/survey.odcs.yaml",
        "{name: email,",
        "{name: email, logicalTypeOptions: {pattern: '@x.de$'},",
    )
    sandbox.answers(GOOD, "b,b@y.de,2026-02-01T10:00:00,web,order,5")
    sandbox.run()
    assert fates(only(decide(sandbox, "replay"))) == (2, 1, 1, 0, 0)
    rows = mended({"_row": 3, "email": "b@x.de"})
    assert fates(only(decide(sandbox, "replay", mended=rows))) == (2, 2, 0, 0, 0)


def answerable(sandbox: Sandbox, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main_of(["quarantine", words[0], *words[1:2], str(sandbox.root), *words[2:]])
    return int(ended.value.code or 0)


def main_of(words: list[str]) -> None:
    try:
        app(words)
    except AnswerableError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


def test_rows_are_shown_mended_in_a_file_and_replayed_once(waiting: Sandbox, capsys):
    assert answerable(waiting, "show", "survey.answers", "--csv") == 0
    written = capsys.readouterr().out
    assert "a@x.de" not in written
    mend = waiting.write("mend.csv", written.replace(",order,9,", ",order,3,").replace(",fax,", ",web,"))
    assert answerable(waiting, "replay", "survey.answers", "--rows", str(mend), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rows"] == {"read": 5, "accepted": 3, "quarantined": 1, "duplicate": 1, "dropped": 0}
    assert said["changed"]["accepted"] == 2
    assert answerable(waiting, "replay", "survey.answers", "--rows", str(mend)) == 4
    assert "no row in quarantine changes: nothing was published." in capsys.readouterr().err
    assert answerable(waiting, "drop", "survey", "--rule", "line.too_few_fields") == 0
    assert (
        "1 row given up; now 5 read, 3 accepted, 0 quarantined, 1 duplicate, 1 dropped."
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "survey"),
        ("replay", "survey", "--rule", "none.such"),
        ("drop", "survey", "--rule", "none.such"),
        ("drop", "survey", "--source", "inbox/none.csv"),
    ],
)
def test_without_anything_to_do_nothing_is_published(waiting: Sandbox, capsys, words: tuple[str, ...]):
    """Rows that break the same contract still, and rows that there are not."""
    assert answerable(waiting, *words, "--json") == 4
    printed = capsys.readouterr()
    assert "nothing was published" in printed.err
    assert json.loads(printed.out)["release"] is None
    assert [one.name for one in (waiting.root / "warehouse/published/.views").iterdir()] == ["00000001"]


def test_the_folder_of_the_release_is_shown_as_it_is(waiting: Sandbox, capsys, monkeypatch):
    monkeypatch.chdir(waiting.root / "map")
    with pytest.raises(SystemExit):
        app(["quarantine", "drop", "survey", ".."])
    assert f"Release 2 in {waiting.root.resolve()}." in capsys.readouterr().out


def test_the_customer_of_a_mended_row_is_who_it_was(waiting: Sandbox):
    """Its token was kept, though its address is shown to nobody."""
    decide(waiting, "replay", mended=mended({"_row": 3, "satisfaction": "4", "email": None}))
    state = EventStore(waiting.root / "warehouse/store").head()
    customers = state.scan(["customer"]).collect()["customer"]
    assert customers.n_unique() == 2
    assert (customers > 0).all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "surveys"), "Did you mean 'survey'?"),
        (("show", "survey.answer"), "Did you mean 'answers'?"),
        (("show", "survey", "--csv"), "needs one stream."),
        (("replay", "survey.answers", "--rows", "none.csv"), "cannot be read"),
        (
            ("replay", "survey.answers", "--rows", "."),
            ".: is a folder, not a file. Write it with 'answerable quarantine show",
        ),
    ],
)
def test_what_cannot_be_meant_is_told(waiting: Sandbox, capsys, words: tuple[str, ...], said: str):
    assert answerable(waiting, *words) in (3, 4)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source,_row\n", "lacks column '_item'."),
        ("source,_row,_item,channels\n", "Did you mean 'channel'?"),
        ("source,_row,_item\na,1,0\na,1,0\n", "names a row twice."),
    ],
)
def test_a_file_of_mended_rows_is_checked_first(waiting: Sandbox, capsys, text: str, said: str):
    path = waiting.write("mend.csv", text)
    assert answerable(waiting, "replay", "survey.answers", "--rows", str(path)) == 4
    assert said in capsys.readouterr().err
