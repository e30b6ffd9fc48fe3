"""Every metric of the catalogue over ten million events, against DuckDB: A B A B, and the same cells."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.bench.catalogue import METRICS, SQL
from tests.conftest import ROOT

USUAL = 10_000_000
EVENTS = int(float(os.environ.get("ANSWERABLE_BENCH_EVENTS", USUAL)))
ROUNDS = 2
PAGE = ROOT / "docs/benchmarks_catalogue.md"
HEAD = """# Every metric of the catalogue

Written by `pytest tests/bench/test_catalogue.py --benchmark-only`, a part of `make bench-full`; nothing in it is typed by hand.

One metric at a time over {events:,} matched events (a tenth as many cases) of 50 touchpoints and 364 days: sums, value and both
intervals of every touchpoint and day, by our estimators; the same in DuckDB's SQL, without the intervals. Each is a
process of its own, in turn, the cheapest of two rounds; two cores. Imports of polars and DuckDB are left out, that of scipy
is not: means have it, for Student's t. Sums have to be equal, values to a billionth.

| metric | ours, CPU s | peak MB | DuckDB, CPU s | peak MB | cells | of them different |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
"""
COMPARED = ("n", "good", "total", "promoters", "detractors", "value")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events and cases; making them is not timed."""
    made = tmp_path_factory.mktemp("catalogue")
    run("make", made, str(EVENTS))
    return made


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, str]]:
    """The page's rows, by metric; written once every metric was measured over the usual number of events."""
    rows: dict[str, str] = {}
    yield rows
    if EVENTS >= USUAL and rows.keys() == METRICS.keys():
        PAGE.write_text(HEAD.format(events=EVENTS) + "".join(rows[name] for name in METRICS))


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
def test_a_metric_over_ten_million_events(
    benchmark: BenchmarkFixture, folder: Path, told: dict[str, str], name: str
):
    costs: dict[str, list[dict[str, float]]] = {"ours": [], **({"duckdb": []} if name in SQL else {})}

    def both() -> None:
        for way, runs in costs.items():
            runs.append(json.loads(run(way, folder, name)))

    benchmark.pedantic(both, rounds=ROUNDS)
    least = {way: {key: min(one[key] for one in runs) for key in runs[0]} for way, runs in costs.items()}
    benchmark.extra_info.update(
        {f"{way}_{key}": value for way, of in least.items() for key, value in of.items()}
    )
    cells = pl.read_parquet(folder / f"{name}.ours.parquet").height
    wrong = differing(folder, name) if name in SQL else 0
    costs_told = [f"{of['cpu_s']:.2f} | {of['rss_mb']:,.0f}" for of in least.values()]
    if name not in SQL:
        costs_told.append("not expressible | ")
    told[name] = f"| {METRICS[name].estimator}: `{name}` | {' | '.join(costs_told)} | {cells:,} | {wrong} |\n"
    sys.stdout.write(f"\n{told[name]}")
    assert wrong == 0
