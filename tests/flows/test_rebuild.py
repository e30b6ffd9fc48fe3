"""What is kept of months is read instead of events, is made again when it cannot be, and can be verified."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.passes import Measured, measure
from flows.restated import HISTORIES
from flows.run import Outcome
from tests.conftest import Call, Sandbox, build_sandbox
from warehouse.kept import Kept
from warehouse.releases import Releases
from warehouse.store import EventStore

FEBRUARY, MARCH = "2026-02-12 10:00:00", "2026-03-01 09:00:00"


def _answer(number: int, at: str, score: int = 5, about: str = "delivery") -> str:
    return f"a{number},p{number % 7}@x.example,{at},web,{about},{score}"


def _rows(*, score: int = 5) -> list[str]:
    told = [(FEBRUARY, "order"), (FEBRUARY, "delivery"), (MARCH, "delivery")] * 5
    return [_answer(n, at, score, about) for n, (at, about) in enumerate(told)]


def _measured(sandbox: Sandbox) -> Measured:
    store = EventStore(sandbox.root / "warehouse/store")
    return measure(sandbox.load(), store.head(), kept=store.kept)


def _kept(sandbox: Sandbox) -> list[Path]:
    return sorted((sandbox.root / "warehouse/store/kept").iterdir())


def _hashes(outcome: Outcome) -> dict[str, str]:
    """Of every table but those of what became known when, which have a history of their own."""
    histories = {table.table_name() for table in HISTORIES}
    return {one.table: one.sha256 for one in outcome.release.tables if one.table not in histories}


@pytest.fixture(scope="module")
def told_once(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = build_sandbox(tmp_path_factory.mktemp("told") / "workspace")
    sandbox.answers(*_rows())
    sandbox.run()
    return sandbox


@pytest.fixture
def told(told_once: Sandbox, tmp_path: Path) -> Sandbox:
    """Fifteen answers of two months, run once."""
    return told_once.copied(tmp_path / "workspace")


def test_a_second_run_reads_no_events(told: Sandbox):
    assert _measured(told).read == 0


def test_a_delivery_reads_only_the_events_that_it_tells_of(told: Sandbox):
    told.answers(_answer(99, MARCH), name="answers-2.csv")
    assert told.run().costs["measure"].rows == 1


def test_a_delivery_that_is_put_together_with_a_month_reads_that_month(told: Sandbox):
    told.answers(_answer(98, MARCH), _answer(99, MARCH), name="answers-2.csv")
    assert told.run().costs["measure"].rows == 7, "five of March as it was, and two more"


def test_an_owner_changed_from_a_midnight_on_reads_no_events(told: Sandbox):
    told.replace(
        "map/map.yaml", "{person: ada}", "{person: ada, until: 2026-02-01}, {person: ben, from: 2026-02-01}"
    )
    assert _measured(told).read == 0
    told.run()
    daily = told.table("measure_daily").filter(pl.col("touchpoint_id") == "order")
    assert set(daily["owner_id"]) == {"ben"}


def test_an_owner_changed_within_a_day_reads_the_month_of_that_day(told: Sandbox):
    told.replace(
        "map/map.yaml",
        "{person: ada}",
        "{person: ada, until: 2026-02-12T09:30}, {person: ben, from: 2026-02-12T09:30}",
    )
    assert _measured(told).read == 10


def test_a_changed_goal_reads_no_events_and_a_changed_rule_reads_all(told: Sandbox):
    told.replace("map/map.yaml", "at_least: 0.8", "at_least: 0.9")
    assert _measured(told).read == 0
    told.replace("map/map.yaml", "where: {about: order}", "where: {about: [order, delivery]}")
    assert _measured(told).read == 15


def test_a_value_never_seen_before_leaves_old_months_as_they_are(told: Sandbox):
    told.answers(_answer(99, MARCH, about="something else"), name="answers-2.csv")
    assert told.run().costs["measure"].rows == 1


@pytest.mark.parametrize("damage", ["cut", "emptied", "gone"])
def test_what_is_damaged_is_computed_again(told: Sandbox, damage: str):
    before = _hashes(told.run())
    for path in _kept(told):
        content = path.read_bytes()
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    after = told.run()
    assert after.costs["measure"].rows == 15
    assert _hashes(after) == before


def test_what_is_damaged_alone_is_computed_once(told: Sandbox):
    before = _hashes(told.run())
    (path, *_) = [path for path in _kept(told) if path.name.startswith("missed-")]
    path.write_bytes(b"")
    assert _hashes(told.run()) == before
    again = told.run()
    assert again.costs["measure"].rows == 0
    assert _hashes(again) == before


def _lie(sandbox: Sandbox) -> None:
    """Tell one month's sums otherwise, under the very key that they are kept under."""
    kept = Kept(sandbox.root / "warehouse/store/kept")
    for key in kept.keys("facts"):
        tables = dict(kept.find("facts", key) or {})
        tables["sums"] = tables["sums"].with_columns(good=pl.lit(0, dtype=pl.Int64))
        for path in _kept(sandbox):
            if path.name.startswith(f"facts-{key}"):
                path.unlink()
        kept.put("facts", key, tables)


def test_a_release_is_verified_to_the_last_cell(told: Sandbox, call: Call):
    said = call("rebuild", told.root, "--verify", "--json")
    found = json.loads(said.out)
    assert said.code == 0
    assert (found["events"], found["differing"]) == (15, 0)
    published = told.table("scorecard_touchpoint")
    assert found["tables"]["scorecard_touchpoint"]["cells"] == published.height * published.width


def test_kept_sums_that_are_wrong_are_found_and_mended(told: Sandbox, call: Call):
    right = _hashes(told.run())
    table = told.table("scorecard_touchpoint").drop("is_restated")
    _lie(told)
    wrong = told.run()
    assert _hashes(wrong) != right
    said = call("rebuild", told.root, "--verify")
    assert said.code == 5
    assert "scorecard_touchpoint" in said.err
    assert "answerable rebuild --forget" in said.err
    assert call("rebuild", told.root).code == 5
    assert call("rebuild", told.root, "--forget").code == 0
    mended = _hashes(told.run())
    assert told.table("scorecard_touchpoint").drop("is_restated").equals(table), (
        "told wrongly for a while, and says so"
    )
    del mended["scorecard_touchpoint"], right["scorecard_touchpoint"]
    assert mended == right
    assert call("rebuild", told.root, "--verify").code == 0


def test_nothing_is_verified_that_is_of_another_map(told: Sandbox, call: Call):
    told.replace("map/map.yaml", "at_least: 0.8", "at_least: 0.9")
    said = call("rebuild", told.root, "--verify")
    assert said.code == 2
    assert "of another map" in said.err


def test_what_was_not_used_for_a_day_is_swept(told: Sandbox):
    store = EventStore(told.root / "warehouse/store")
    assert store.kept.sweep(older_than=0) == 0
    there = len(_kept(told))
    assert store.kept.sweep(older_than=1e12) == there > 0
    assert _kept(told) == []


def test_a_run_says_what_every_stage_cost(told: Sandbox, call: Call):
    profile = json.loads(call("run", told.root, "--json").out)["profile"]
    assert {"start", "land", "absorb", "measure", "score", "audit", "alert", "publish"} <= set(profile)
    assert all(one["cpu_seconds"] >= 0 for one in profile.values())
    assert profile["publish"]["rows"] > profile["score"]["rows"] > 0
    said = call("run", told.root, "--profile")
    assert "CPU s" in said.out
    assert "together" in said.out


@pytest.mark.parametrize("how", ["rebuild", "verify"])
def test_a_column_that_only_the_release_has_is_found(
    told: Sandbox, call: Call, monkeypatch: pytest.MonkeyPatch, how: str
):
    frame = Releases.frame

    def wider(*asked: Any, **named: Any) -> pl.DataFrame:
        rows = frame(*asked, **named)
        return rows.with_columns(extra=pl.lit(1)) if "rule_hit" in asked else rows

    monkeypatch.setattr(Releases, "frame", wider)
    said = call("rebuild", told.root, *(["--verify"] if how == "verify" else []))
    assert said.code == 5
    assert "rule_hit" in said.err
    assert how == "verify" or "columns that only one has: extra" in said.out
