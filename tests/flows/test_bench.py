"""The company of the benchmark, small: what is timed has to run."""

import shutil
from datetime import timedelta
from itertools import islice, pairwise
from pathlib import Path

import polars as pl
import pytest

from contracts.tables import TABLES
from flows.published import newest
from tests.bench import drawn, filling
from tests.bench.batches import BATCHES, draw, taken
from tests.bench.costing import process
from tests.bench.curve import compared, copied, room_for
from tests.bench.drawn import DAYS, START
from tests.bench.equality import published, unlike
from tests.bench.million import build, timed
from tests.bench.ours import resident, tables
from tests.bench.page import page
from tests.bench.rivals import export, make
from warehouse.memory import Memory
from warehouse.store import EventStore


def test_the_benchmark_runs_on_a_store_without_deliveries(tmp_path: Path):
    build(tmp_path, 3_000)
    told = timed(tmp_path)
    assert (told["events"], told["release"]) == (3_000, 1)


def test_a_history_in_chunks_has_every_event_and_ticket_once_and_is_the_same_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(drawn, "CHUNK_MAX", 4_000)
    monkeypatch.setattr(drawn, "CHUNK_ROWS", 4_000)
    assert [one["events"] for one in build(tmp_path / "bench", 10_000)] == [3_333, 6_666, 10_000]
    parts = [drawn.drawn(chunk, 1_000) for chunk in drawn.chunks(10_000)]
    again = [drawn.drawn(chunk, 1_000) for chunk in drawn.chunks(10_000)]
    assert all(one.equals(other) for one, other in zip(parts, again, strict=True))
    whole = pl.concat(parts, how="diagonal")
    assert whole["row"].to_list() == list(range(10_000))
    assert whole["event_id"].n_unique() == 10_000
    opened = whole.filter(kind="ticket.opened")["subject_id"]
    assert opened.n_unique() == opened.len() > 300
    ends = [part.filter(pl.col("feed") != "tickets")["occurred_at"] for part in parts]
    assert all(one.max() < other.min() for one, other in pairwise(ends))


def test_a_history_that_was_left_half_built_is_built_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(drawn, "CHUNK_MAX", 1_000)
    monkeypatch.setattr(drawn, "CHUNK_ROWS", 1_000)
    whole, home = tmp_path / "whole", tmp_path / "half"
    build(whole, 3_000)
    with monkeypatch.context() as patched:
        patched.setattr(filling, "chunks", lambda events: islice(drawn.chunks(events), 2))
        build(home, 3_000)
    assert not filling.is_built(home, 3_000)
    build(home, 3_000)
    assert filling.is_built(home, 3_000)
    stores = [EventStore(one / "warehouse/store").head() for one in (whole, home)]
    assert [one.rows for one in stores] == [3_000, 3_000]
    one, other = ([file.path for file in state.event_files] for state in stores)
    assert one == other


def test_a_copy_that_batches_come_to_shares_what_is_written_once_and_nothing_else(tmp_path: Path):
    home = tmp_path / "bench"
    build(home, 1_000)
    (home / "warehouse/ledger.sqlite").write_text("written over and over")
    copy = copied(home, tmp_path / "copy")
    store = EventStore(home / "warehouse/store")
    path = Path("warehouse/store", store.head().event_files[0].path)
    assert (home / path).samefile(copy / path)
    assert not (home / "warehouse/ledger.sqlite").samefile(copy / "warehouse/ledger.sqlite")
    told = timed(copy)
    assert (told["events"], told["release"]) == (1_000, 1)
    assert not (home / "warehouse/published").exists()


def test_without_room_on_the_disk_nothing_is_built_and_what_it_takes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**9))
    room_for(tmp_path, [1_000_000])
    with pytest.raises(SystemExit, match=r"1,000,000, 100,000,000 events take \d+\.\d GB.* 1\.0 GB are free"):
        room_for(tmp_path, [1_000_000, 100_000_000])
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_takes_too_long_is_ended_and_told_so(tmp_path: Path):
    cost = process("million", "build", tmp_path / "bench", "1e7", limit_s=0.5)
    assert not cost.has_ended
    assert cost.wall_s >= 0.5
    assert not process("ours", "run", tmp_path / "nowhere", tmp_path / "out").has_ended


def test_duckdb_makes_the_same_tables_whichever_way_and_a_cell_that_differs_is_found(tmp_path: Path):
    home, ours = tmp_path / "bench", tmp_path / "ours"
    build(home, 20_000)
    export(home)
    ours.mkdir()
    tables(home, ours)
    for way in ("naive", "expert"):
        make(way, home, tmp_path / way)
        cells, differing = compared(ours, tmp_path / way)
        assert cells > 100_000
        assert differing == 0
    month = tmp_path / "naive/month.parquet"
    told = pl.read_parquet(month)
    first = pl.int_range(pl.len()) == 0
    told.with_columns(
        pl.when(first).then(pl.col("events_n") + 1).otherwise("events_n").alias("events_n")
    ).write_parquet(month)
    assert compared(ours, tmp_path / "naive")[1] == 1


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published history in which tickets were told of in every order: reopened, handed back, resolved twice."""
    home = tmp_path_factory.mktemp("lived") / "bench"
    build(home, 10_000)
    timed(home)
    draw(home, home)
    step = resident(home, Memory())
    for _ in range(2):
        step()
    export(home)
    cases = newest(home).table("fact_case")
    assert cases.filter("is_ping_pong").height > 10
    assert cases.filter(pl.col("reopened_count") > 1).height > 0
    return home


@pytest.mark.parametrize("way", ["whole_naive", "whole_expert"])
def test_duckdb_does_the_whole_job_to_the_last_cell_whichever_way(lived: Path, tmp_path: Path, way: str):
    make(way, lived, tmp_path)
    found = published(lived, tmp_path)
    assert set(found) == {
        "measure_daily", "scorecard_touchpoint", "scorecard_owner", "scorecard_segment", "fact_case", "fact_handoff",
        "fact_issue_flow", "score_distribution", "rule_hit", "fact_event_unmatched", "unmatched_share",
        "accountability_ladder", "person_load", "observed_accountability", "fact_customer_flow", "fact_customer_loss",
        "fact_customer_cohort",
    }  # fmt: skip
    assert {name: differing for name, (_, differing) in found.items() if differing} == {}
    assert all(cells > 0 for cells, _ in found.values())
    # One cell of every column of every table is altered, and each is found.
    for path in tmp_path.glob("*.parquet"):
        told = pl.read_parquet(path)
        keys = next(table.primary_key() for table in TABLES if table.table_name() == path.stem)
        values = [name for name in told.columns if name not in keys]
        told.with_columns(_altered(name, told.schema[name]) for name in values).write_parquet(path)
        assert published(lived, tmp_path)[path.stem][1] == len(values), path.stem


def _altered(name: str, kind: pl.DataType) -> pl.Expr:
    """The first cell of a column is another one."""
    value = pl.col(name)
    other = {
        pl.Boolean: ~value,
        pl.String: value.fill_null("") + "x",
        pl.Date: value.fill_null(pl.date(2020, 1, 1)) + timedelta(days=1),
        pl.Datetime: value.fill_null(pl.datetime(2020, 1, 1, time_zone="UTC")) + timedelta(microseconds=1),
    }
    changed = other[kind.base_type()] if kind.base_type() in other else value.fill_null(0) + 1
    return pl.when(pl.int_range(pl.len()) == 0).then(changed).otherwise(value)


ROWS = pl.DataFrame({"id": ["a", "b", None], "n": [1, None, 3], "share": [0.5, None, 1e12]})


@pytest.mark.parametrize(
    ("theirs", "differing"),
    [
        (ROWS, 0),
        (ROWS.reverse(), 0),
        (ROWS.with_columns(pl.col("share") * (1 + 1e-10)), 0),
        (ROWS.with_columns(pl.col("share") * (1 + 1e-8)), 2),
        (ROWS.with_columns(pl.col("n").fill_null(0)), 1),
        (ROWS.with_columns(pl.col("share").fill_null(0)), 1),
        (ROWS.head(2), 2),
        (pl.concat([ROWS, ROWS.head(1).with_columns(id=pl.lit("c"))]), 2),
        (pl.concat([ROWS, ROWS.head(1)]), 8),
    ],
)
def test_cells_are_alike_that_are_close_or_both_null_and_rows_that_one_lacks_are_not(
    theirs: pl.DataFrame, differing: int
):
    assert unlike(ROWS, theirs, ["id"])[1] == differing


def test_the_page_tells_of_both_jobs_and_of_what_ended_too_soon():
    cost = {"cpu_s": 2.0, "wall_s": 1.0, "peak_mb": 3, "said": {"peak_mb_by_stage": {}, "cpu_s_by_stage": {}}}
    jobs = ("tables", "expert", "first", "whole_expert", "anew", "run", "owners", "batch", "scan")
    costs = {job: [{**cost, "has_ended": True}] for job in jobs}
    costs["naive"] = [{**cost, "has_ended": False}]
    point = {
        "events": 1_000,
        "costs": costs,
        "cells": {"expert": 5, "whole_expert": 7},
        "differing": {"expert": 0, "whole_expert": 1},
        "tables": {"whole_expert": {"fact_case": (7, 1)}},
        "storing": [],
    }
    told = page([point])
    assert "whole job, DuckDB as it is written | not tried" in told
    assert "Equality of the whole job: 1 of 7 cells differ from expert" in told
    assert "`fact_case` 7 (1)" in told
    assert "**The same sums**" in told
    assert "**The whole job**" in told


def test_batches_come_one_after_the_other_and_tell_of_what_nobody_knows_yet(tmp_path: Path):
    build(tmp_path / "home", 3_000)
    timed(tmp_path / "home")
    draw(tmp_path / "home", tmp_path)
    step = resident(tmp_path / "home", Memory())
    for _ in range(2):
        step()  # which sees that all of them are new
    assert len(list((tmp_path / "home/batches").iterdir())) == BATCHES - 2
    batch = taken(tmp_path / "home")
    opened = batch.filter(kind="ticket.opened")["subject_id"]
    assert opened.n_unique() == opened.len() > 300
    ages = pl.lit(START + timedelta(days=DAYS)) - pl.col("occurred_at")
    assert batch.select((ages <= timedelta(days=1)).mean()).item() > 0.8
