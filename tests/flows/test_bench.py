"""The company of the benchmark, small: what is timed has to run."""

from pathlib import Path

import polars as pl

from tests.bench.curve import compared
from tests.bench.million import build, timed
from tests.bench.ours import tables
from tests.bench.rivals import WAYS, export, make


def test_the_benchmark_runs_on_a_store_without_deliveries(tmp_path: Path):
    build(tmp_path, 3_000)
    told = timed(tmp_path)
    assert (told["events"], told["release"]) == (3_000, 1)


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
