"""Every metric of the catalogue over ten million events, against DuckDB: A B A B, and the same cells."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.bench.catalogue import METRICS, SQL
from tests.conftest import ROOT

EVENTS = int(float(os.environ.get("ANSWERABLE_BENCH_EVENTS", "1e7")))
ROUNDS = 2
COMPARED = ("n", "good", "total", "promoters", "detractors", "value")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events and cases; making them is not timed."""
    made = tmp_path_factory.mktemp("catalogue")
    run("make", made, str(EVENTS))
    return made


def run(way: str, folder: Path, rest: str) -> str:
    command = [sys.executable, "-m", "tests.bench.catalogue", way, str(folder), rest]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def differing(folder: Path, name: str) -> int:
    """How many cells differ, after a look at how many there are; values up to a billionth."""
    one, other = (pl.read_parquet(folder / f"{name}.{way}.parquet") for way in ("ours", "duckdb"))
    both = one.join(other, on=["slot", "touchpoint"], how="full", suffix="_other", coalesce=True)
    assert both.height == one.height == other.height
    count = 0
    for column in COMPARED:
        if column not in other.columns or column not in one.columns:
            continue
        # A cell in which every answer is off the scale: SQL says NaN, or that no sum is known.
        ours, theirs = (both[c].cast(pl.Float64).fill_nan(None) for c in (column, f"{column}_other"))
        theirs = theirs if column == "value" else theirs.fill_null(0)
        near = (ours - theirs).abs() <= 1e-9 + 1e-9 * theirs.abs()
        count += int((~(near.fill_null(value=False) | (ours.is_null() & theirs.is_null()))).sum())
    return count


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_over_ten_million_events(benchmark: BenchmarkFixture, folder: Path, name: str):
    costs: dict[str, list[dict[str, float]]] = {"ours": [], **({"duckdb": []} if name in SQL else {})}

    def both() -> None:
        for way, runs in costs.items():
            runs.append(json.loads(run(way, folder, name)))

    benchmark.pedantic(both, rounds=ROUNDS)
    least = {way: {key: min(one[key] for one in runs) for key in runs[0]} for way, runs in costs.items()}
    benchmark.extra_info.update(
        {f"{way}_{key}": value for way, of in least.items() for key, value in of.items()}
    )
    told = " | ".join(f"{of['cpu_s']:.2f} | {of['rss_mb']:,.0f}" for of in least.values())
    sys.stdout.write(f"\n| {name} | {told} |\n")
    if name in SQL:
        assert differing(folder, name) == 0
