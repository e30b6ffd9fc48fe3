"""A stretch of days read anew, every table made anew, and what differs between two tellings."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from contracts.errors import PromiseError, QuestionError
from contracts.tables import ScorecardTouchpoint
from flows.backfilling import backfill
from flows.rebuilding import rebuild
from flows.restated import difference
from flows.window import Window
from tests.conftest import Call, Company, Sandbox, build_sandbox
from warehouse.store import EventStore

ROWS = (
    "1,a@x.example,2026-01-20 09:00:00,web,order,4",
    "2,b@x.example,2026-02-11 09:00:00,web,order,5",
    "3,c@x.example,2026-02-12 09:00:00,email,delivery,2",
)


@pytest.fixture(scope="module")
def ran_once(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    import flows.landing

    sandbox = build_sandbox(tmp_path_factory.mktemp("ran") / "workspace")
    sandbox.answers(ROWS[0], name="answers-1.csv")
    sandbox.answers(*ROWS[1:], name="answers-2.csv")
    sound = flows.landing.land

    def lossy(*words):
        landed = sound(*words)
        object.__setattr__(landed, "events", landed.events.head(1))
        return landed

    with pytest.MonkeyPatch.context() as older:
        older.setattr("flows.landing.land", lossy)
        sandbox.run()
    assert EventStore(sandbox.root / "warehouse/store").head().rows == 2
    return sandbox


@pytest.fixture
def ran(ran_once: Sandbox, tmp_path: Path) -> Sandbox:
    """A workspace that an older version read: it lost the last row of February's file."""
    return ran_once.copied(tmp_path / "workspace")


def window(sandbox: Sandbox, since: str, until: str) -> Window:
    return Window(date.fromisoformat(since), date.fromisoformat(until), sandbox.load().settings.zone)


def test_a_run_by_itself_does_not_read_what_it_knows(ran: Sandbox):
    assert ran.run().read == ()
    assert EventStore(ran.root / "warehouse/store").head().rows == 2


def test_a_backfill_reads_the_days_anew_and_says_what_it_restates(ran: Sandbox):
    outcome, restated = backfill(ran.load(), window(ran, "2026-02-01", "2026-03-01"))
    assert [one.source for one in outcome.read] == ["inbox/answers-2.csv"]
    assert (outcome.absorbed.new, outcome.absorbed.state.rows) == (1, 3)
    changed = {one.table for one in restated if not one.is_none}
    assert "scorecard_touchpoint" in changed
    assert "dim_goal" not in changed
    manifest = json.loads((ran.root / "warehouse/published/current/release.json").read_text())
    assert manifest["occasion"] == "backfill 2026-02-01 until 2026-03-01"


def test_a_backfill_of_other_days_restates_nothing(ran: Sandbox):
    outcome, restated = backfill(ran.load(), window(ran, "2026-01-01", "2026-02-01"))
    assert (outcome.read, outcome.absorbed.state.rows) == ((), 2)
    assert all(one.is_none for one in restated)


def test_a_second_backfill_finds_nothing_to_do(ran: Sandbox):
    backfill(ran.load(), window(ran, "2026-02-01", "2026-03-01"))
    outcome, restated = backfill(ran.load(), window(ran, "2026-02-01", "2026-03-01"))
    assert outcome.is_unchanged
    assert all(one.is_none for one in restated)


def test_a_delivery_whose_file_is_gone_is_told_anew_of_what_was_landed(ran: Sandbox):
    (ran.root / "inbox/answers-2.csv").unlink()
    ran.run()
    outcome, _ = backfill(ran.load(), window(ran, "2026-02-01", "2026-03-01"))
    assert outcome.absorbed.state.rows == 3, "its rows were landed whole, only the telling was lossy"


def test_what_a_delivery_no_longer_tells_is_withdrawn(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    import flows.landing

    sandbox.answers(*ROWS)
    sandbox.run()
    sound = flows.landing.land

    def stricter(*words):
        landed = sound(*words)
        object.__setattr__(landed, "events", landed.events.head(2))
        return landed

    monkeypatch.setattr("flows.landing.land", stricter)
    outcome, _ = backfill(sandbox.load(), window(sandbox, "2026-01-01", "2026-03-01"))
    assert (outcome.absorbed.withdrawn, outcome.absorbed.state.rows) == (1, 2)


def test_a_backfill_by_command(ran: Sandbox, call: Call):
    said = call("backfill", "--from", "2026-02-01", "--until", "2026-03-01", "--folder", ran.root)
    assert said.code == 0, said.err
    assert said.out.startswith("Release 2: 1 delivery read otherwise; ")
    said = call("backfill", "--from", "2026-03-01", "--until", "2026-02-01", "--folder", ran.root)
    assert (said.code, "is no stretch of days" in said.err) == (2, True)


def test_everything_made_anew_is_what_was_published(ran: Sandbox, call: Call):
    """Also after a lossy landing: it is made of what was landed, however that was told."""
    ran.run()
    found = rebuild(ran.load())
    assert (found.wrong, found.events) == ([], 2)
    assert not list((ran.root / "warehouse").glob(".rebuild*")), "the scratch folder is gone"
    said = call("rebuild", ran.root)
    assert (said.code, "0 tables differ from release 2" in said.out) == (0, True)


def test_a_single_cell_that_was_scored_otherwise_is_found(
    ran: Sandbox, call: Call, monkeypatch: pytest.MonkeyPatch
):
    import flows.run

    sound = flows.run.scored

    def older(*words):
        tables = sound(*words)
        row = pl.int_range(pl.len()) == 3
        card = tables[ScorecardTouchpoint].with_columns(
            previous_n=pl.when(row).then(7).otherwise("previous_n")
        )
        return {**tables, ScorecardTouchpoint: card}

    with monkeypatch.context() as patched:
        patched.setattr("flows.run.scored", older)
        ran.run()
    found = rebuild(ran.load())
    assert [(one.table, one.changed, one.cells) for one in found.wrong] == [
        ("scorecard_touchpoint", 1, {"previous_n": 1})
    ]
    with pytest.raises(PromiseError, match=r"release 2: does not follow from its deliveries"):
        found.must_be_equal()
    said = call("rebuild", ran.root)
    told = "scorecard_touchpoint: 0 rows added, 0 removed, 1 changed {'previous_n': 1}"
    assert (said.code, told in said.out) == (5, True)


def test_a_rebuild_needs_a_release_of_the_map_of_now(sandbox: Sandbox):
    with pytest.raises(QuestionError, match="has no release yet"):
        rebuild(sandbox.load())
    sandbox.answers(ROWS[0])
    sandbox.run()
    sandbox.replace("map/map.yaml", "name: Ada", "name: Ada B")
    with pytest.raises(QuestionError, match=r"and the map is now"):
        rebuild(sandbox.load())


def test_the_company_made_anew_is_what_was_published(company: Company):
    from flows.workspace import load

    assert [one.table for one in rebuild(load(company.root)).wrong] == []


def test_rows_are_told_apart_by_their_key_and_nulls_are_equal(ran: Sandbox):
    card = ran.table("scorecard_touchpoint")
    less = card.slice(1)
    assert difference(ScorecardTouchpoint, card, card).is_none
    gone = difference(ScorecardTouchpoint, card, less)
    assert (gone.added, gone.removed, gone.changed) == (0, 1, 0)
    come = difference(ScorecardTouchpoint, less, card)
    assert (come.added, come.removed, come.changed) == (1, 0, 0)


def test_a_window_touches_by_local_days(sandbox: Sandbox):
    sandbox.answers("1,a@x.example,2026-02-11 00:30:00,web,order,4")
    sandbox.run()
    store = EventStore(sandbox.root / "warehouse/store")
    (delivery,) = store.head().deliveries
    assert window(sandbox, "2026-02-11", "2026-02-12").touches(store, delivery)
    assert not window(sandbox, "2026-02-10", "2026-02-11").touches(store, delivery), "in UTC it is the 10th"
    assert window(sandbox, "0001-01-01", "9999-12-31").touches(store, delivery), (
        "the calendar's edges are always"
    )
