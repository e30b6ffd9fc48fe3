"""Charts, signals and verdicts over ten thousand series of two years of weeks: CPU seconds."""

import sys
import time

import numpy as np
import polars as pl
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from transforms import intervals
from transforms.methods.charts import laney_p_chart, xmr
from transforms.methods.owner_change import owner_change
from transforms.methods.run_rules import RULE_SETS, signals
from transforms.verdict import verdict

SERIES, WEEKS, ROUNDS = 10_000, 104, 5
KEYS = ["series"]


@pytest.fixture(scope="module")
def weeks() -> pl.DataFrame:
    """Weekly satisfaction: good of n, its share and a goal."""
    chance = np.random.default_rng(1)
    n = chance.integers(20, 200, SERIES * WEEKS)
    return pl.DataFrame({
        "series": np.repeat(np.arange(SERIES), WEEKS), "count": chance.binomial(n, 0.85), "n": n,
    }).with_columns(value=pl.col("count") / pl.col("n"), goal=0.8, direction=pl.lit("higher"))  # fmt: skip


def charted_and_judged(weeks: pl.DataFrame) -> pl.DataFrame:
    low, high = intervals.wilson(pl.col("count"), pl.col("n"), intervals.z_of(0.95))
    marked = signals(xmr(weeks.lazy(), KEYS), KEYS, RULE_SETS["wheeler"])
    return marked.with_columns(value_low=low, value_high=high).with_columns(verdict()).collect()


def timed(benchmark: BenchmarkFixture, name: str, run) -> None:
    """CPU seconds of the best of some rounds."""
    seconds: list[float] = []

    def once() -> None:
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)

    benchmark.pedantic(once, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info.update(cpu_s=min(seconds))
    sys.stdout.write(f"\n{name}: {min(seconds):.3f} CPU s\n")


def test_xmr_and_verdicts(benchmark: BenchmarkFixture, weeks: pl.DataFrame):
    """The target: 10,000 series of 104 weeks in at most 2 CPU seconds."""
    timed(
        benchmark, f"XmR, signals and verdicts, {SERIES * WEEKS:,} points", lambda: charted_and_judged(weeks)
    )


def test_laney_with_all_of_nelsons_rules(benchmark: BenchmarkFixture, weeks: pl.DataFrame):
    chart = laney_p_chart(weeks.lazy(), KEYS)
    timed(
        benchmark, "Laney's p' and eight rules", lambda: signals(chart, KEYS, RULE_SETS["nelson"]).collect()
    )


def test_splitting_the_change_of_every_owner(benchmark: BenchmarkFixture):
    chance = np.random.default_rng(1)
    owners, touchpoints, segments = 2000, 10, 5
    places = np.indices((owners, touchpoints, segments)).reshape(3, -1)
    rows = places.shape[1]
    frame = pl.DataFrame({
        "owner": places[0], "touchpoint": places[1], "segment": places[2],
        "n_before": chance.integers(0, 50, rows), "n_after": chance.integers(0, 50, rows),
        "is_held_before": True, "is_held_after": places[1] > 0,
    }).with_columns(sum_before=pl.col("n_before") // 2, sum_after=pl.col("n_after") * 2 // 3)  # fmt: skip
    timed(benchmark, f"{rows:,} cells of {owners:,} owners", lambda: owner_change(frame.lazy()).collect())
