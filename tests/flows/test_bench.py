"""The company of the benchmark, small: what is timed has to run."""

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from tests.bench import drawn
from tests.bench.curve import compared
from tests.bench.million import build, timed
from tests.bench.ours import tables
from tests.bench.rivals import WAYS, export, make


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


def test_duckdb_makes_the_same_tables_whichever_way_and_a_cell_that_differs_is_found(tmp_path: Path):
    home, ours = tmp_path / "bench", tmp_path / "ours"
    build(home, 20_000)
    export(home)
    ours.mkdir()
    tables(home, ours)
    for way in WAYS:
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
