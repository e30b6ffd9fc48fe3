"""The company of the benchmark, small: what is timed has to run."""

from pathlib import Path

from tests.bench.million import build, timed


def test_the_benchmark_runs_on_a_store_without_deliveries(tmp_path: Path):
    build(tmp_path, 3_000)
    told = timed(tmp_path)
    assert (told["events"], told["release"]) == (3_000, 1)
