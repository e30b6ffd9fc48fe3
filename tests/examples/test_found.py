"""The synthetic company: what was planted is found, nothing else is, and nobody is credited wrongly."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from contracts.tables import TABLES
from examples.larkspur.found import FINDERS, attribution, compare, unplanted_gaps
from flows.passes import credited_events
from flows.run import run_inline
from flows.workspace import load
from tests.conftest import ROOT, Company
from warehouse.store import EventStore


@pytest.fixture(scope="module")
def truths(company: Company) -> list[dict]:
    return json.loads((company.root / "truth/truths.json").read_text())


def test_every_truth_that_is_looked_for_is_found(company: Company, truths: list[dict]):
    lines = compare(truths, company.table)
    assert [line for line in lines if line.status == "missed"] == []
    looked_for = [line for line in lines if line.status == "found"]
    assert len(looked_for) == len(FINDERS) == len(set(FINDERS))


def test_no_gap_is_found_that_was_not_planted(company: Company, truths: list[dict]):
    assert unplanted_gaps(truths, company.table) == []


@pytest.mark.slow
def test_the_demo_finds_everything_at_full_scale_and_reuses_every_file_the_second_time(tmp_path: Path):
    """As a user runs it, but without Prefect; breaches are only judged at full scale."""
    command = [sys.executable, "-m", "flows", "demo", "--inline", "--folder", str(tmp_path / "demo")]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False) for _ in range(2)
    )
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr
    assert "24 of 24 truths found, 0 found that were not planted, 2 not looked for yet." in first.stdout
    assert "0 credited to the wrong person" in first.stdout
    assert second.returncode == 0, second.stdout[-3000:] + second.stderr
    every = f"all {len(TABLES)} tables are byte-identical and reuse their files."
    assert f"Release 3: nothing changed, {every}" in second.stdout
    _backtest_finds_the_drop_and_nothing_else(tmp_path / "demo")


def _backtest_finds_the_drop_and_nothing_else(folder: Path):
    """The naive rule cries wolf all year; evidence speaks once, three weeks after satisfaction fell."""
    command = [sys.executable, "-m", "flows", "alerts", "backtest", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    found = {(one["touchpoint"], one["metric"]): one for one in json.loads(done.stdout)}
    assert {key: one["fired"] for key, one in found.items() if one["fired"]} == {
        ("delivery", "csat"): ["2026-09-28"]
    }
    assert found["delivery", "csat"]["first_below"] == ["2026-09-07"], "the day it was planted"
    assert len(found["chat", "csat"]["naive"]) > 10, "the healthy, noisy one"
    assert sum(len(one["naive"]) for one in found.values()) > 50


def test_what_later_work_will_find_is_never_said_to_be_found(company: Company, truths: list[dict]):
    lines = dict(zip((truth["kind"] for truth in truths), compare(truths, company.table), strict=True))
    for kind in ("action_worked", "action_without_effect"):
        assert lines[kind].status == "not looked for yet"


def test_the_naive_rule_raises_as_many_alarms_as_the_backtest_says(company: Company, truths: list[dict]):
    command = [sys.executable, "-m", "flows", "alerts", "backtest", str(company.root), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    naive = next(len(one["naive"]) for one in json.loads(done.stdout) if one["touchpoint"] == "chat")
    noisy = next(truth for truth in truths if truth["kind"] == "healthy_noise")
    (line,) = compare([noisy], company.table)
    assert line.said.startswith(f"a naive rule would have raised {naive} alarms in ")


def test_as_many_rows_wait_in_quarantine_as_the_commands_say(company: Company, truths: list[dict]):
    broken = next(truth for truth in truths if truth["kind"] == "broken_rows")
    (line,) = compare([broken], company.table)
    rows = company.table("quarantine")
    reasons = rows["_reasons"].str.split(", ").explode().n_unique()
    assert line.said == f"{rows.height:,} rows wait in quarantine, for {reasons} reasons"


def test_the_scorecards_heading_says_both_windows_where_a_feed_is_late(company: Company, capsys):
    from flows.commands.demo import print_scorecard

    print_scorecard(company.table("scorecard_touchpoint"))
    heading = capsys.readouterr().out.splitlines()[0].strip()
    assert heading == "28 days until 2026-11-01; where a feed is late, the 28 days until 2026-10-26"


def test_a_truth_that_is_not_there_is_missed(company: Company, truths: list[dict]):
    """The comparison can fail: without its rows a truth is missed."""

    def without_findings(name: str) -> pl.DataFrame:
        return company.table(name).clear() if name == "gap_finding" else company.table(name)

    lines = {t["kind"]: line for t, line in zip(truths, compare(truths, without_findings), strict=True)}
    assert {lines[kind].status for kind in ("vacancy", "unowned_touchpoint", "no_metric", "late_feed")} == {
        "missed"
    }


def test_no_event_is_credited_to_the_wrong_person(company: Company):
    workspace = load(company.root)
    state = EventStore(workspace.warehouse / "store").head()
    checked = attribution(
        credited_events(workspace, state), pl.read_parquet(company.root / "truth/owners.parquet")
    )
    assert checked.events == state.rows
    assert checked.wrong == 0
    assert checked.wrong_by_current / checked.events > 0.2, "crediting today's owner would be far off"


def test_owners_in_the_scorecards_are_those_of_the_plan(company: Company):
    """The published sums, not only the events: every owner's events over the whole time."""
    truth = pl.read_parquet(company.root / "truth/owners.parquet")
    planned = (
        truth.group_by(pl.col("person").fill_null("nobody").alias("owner_id")).len(name="n").sort("owner_id")
    )
    card = company.table("scorecard_owner").filter(
        pl.col("period") == "to_date", pl.col("metric") == "events"
    )
    found = card.select("owner_id", pl.col("n").cast(pl.UInt32)).filter(pl.col("n") > 0).sort("owner_id")
    assert found.equals(planned)


def test_customers_of_the_three_feeds_are_joined_rightly(company: Company):
    """Two events share a pseudonym exactly when they share a customer; a shared address joins nobody."""
    store = EventStore(company.root / "warehouse/store").head()
    events = store.scan(["event_id", "customer"]).collect()
    parts = pl.col("event_id").str.split("|").list
    named = events.with_columns(feed=parts.get(0), native_id=parts.get(2).str.replace("~", "#", literal=True))
    truth = pl.read_parquet(company.root / "truth/owners.parquet").select("feed", "native_id", "customer_id")
    joined = named.join(truth, on=["feed", "native_id"])
    known = joined.filter(pl.col("customer_id").is_not_null() & (pl.col("customer") > 0))
    assert known.group_by("customer").agg(pl.col("customer_id").n_unique())["customer_id"].max() == 1, (
        "wrong merges"
    )
    assert known.group_by("customer_id").agg(pl.col("customer").n_unique())["customer"].max() == 1, (
        "missed merges"
    )
    assert joined.filter(pl.col("customer_id").is_null())["customer"].max() == 0, "a guess"
    assert joined.filter(pl.col("customer_id").is_not_null())["customer"].min() > 0, "somebody known is lost"


def test_a_second_run_publishes_the_same_bytes(company: Company):
    outcome = run_inline(load(company.root))
    assert outcome.is_unchanged
    assert outcome.absorbed.new == outcome.absorbed.corrected == 0
    before = {table.table: table.sha256 for table in company.outcome.release.tables}
    assert {table.table: table.sha256 for table in outcome.release.tables} == before


def test_no_contact_data_is_published(company: Company):
    """Not an e-mail, not a phone number, not a name of a customer, in any table."""
    people = pl.read_csv(company.root / "inbox/crm/customers.csv", infer_schema=False)
    telling = {value for column in ("full_name", "email", "phone") for value in people[column].drop_nulls()}
    for table in company.outcome.release.tables:
        frame = company.table(table.table)
        for name, kind in frame.schema.items():
            if kind == pl.String:
                texts = frame[name].drop_nulls().unique()
                assert not set(texts) & telling
                assert not texts.str.contains(r"[\w.]@[\w-]+\.[a-z]").any()
