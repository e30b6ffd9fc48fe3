"""What finding an event's rule costs, with 15, 150 and 1,500 rules; CPU nanoseconds an event, the best of several.

make bench-full
"""

import sys
import time
from itertools import cycle, islice

import numpy as np
import polars as pl
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from contracts.accountability import Rule
from contracts.events import Codebook
from tests.bench.million import CHANNELS, FEEDS, KINDS, SEED
from transforms.rules import compile_rules, rule_expression

EVENTS = 500_000
ROUNDS = 7
LIMIT_NS = 60.0
LIMITS = {"score": (3, 5, 7, 9), "amount": (20, 100, 500), "duration_minutes": (10, 30, 120)}
CODEBOOK = Codebook(
    {"feed": FEEDS, "kind": [kind for feed in FEEDS for kind in KINDS[feed]], "channel": CHANNELS}
)


def drawn_rules(count: int) -> list[Rule]:
    """Rules like the benchmark company's: four kinds each, two fifths with channels, a fifth with a number."""
    draw = np.random.default_rng([SEED, count])
    made = []
    for number, feed in enumerate(islice(cycle(FEEDS), count)):
        kinds = draw.choice(KINDS[feed], size=min(len(KINDS[feed]), 4))
        said = {"id": f"r{number}", "touchpoint": "t", "feed": feed, "kind": sorted(set(kinds.tolist()))}
        if draw.random() < 0.4:
            said["channel"] = sorted(set(draw.choice(CHANNELS, size=3).tolist()))
        if draw.random() < 0.2:
            column = str(draw.choice(list(LIMITS)))
            said["where"] = {column: f">= {draw.choice(LIMITS[column])}"}
        made.append(Rule.model_validate(said))
    return made


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    """Stored events: a tenth with a score, a fifth with an amount, half with a duration."""
    draw = np.random.default_rng(SEED)
    feed = draw.choice(4, EVENTS, p=[0.2, 0.1, 0.2, 0.5])
    counts = np.array([len(KINDS[name]) for name in FEEDS])
    kind = np.append(0, np.cumsum(counts))[feed] + (draw.random(EVENTS) * counts[feed]).astype(np.int64)

    def some(values: np.ndarray, share: float) -> pl.Series:
        return pl.Series(np.where(draw.random(EVENTS) < share, values, np.nan)).fill_nan(None)

    return pl.DataFrame(
        {
            "feed": (feed + 1).astype(np.uint16),
            "kind": (kind + 1).astype(np.uint16),
            "channel": draw.integers(0, 9, EVENTS).astype(np.uint16),
            "score": some(draw.integers(0, 11, EVENTS).astype(np.float64), 0.1),
            "amount": some(draw.exponential(80, EVENTS).round(2), 0.2),
            "duration_minutes": some(draw.exponential(30, EVENTS).round(), 0.5),
        }
    )


@pytest.mark.parametrize("count", [15, 150, 1_500])
def test_a_rule_is_found_in_so_many_nanoseconds_however_many_there_are(
    benchmark: BenchmarkFixture, events: pl.DataFrame, count: int
):
    rules = drawn_rules(count)
    began = time.process_time()
    decision = compile_rules(rules, CODEBOOK)
    compiling = time.process_time() - began
    spent = []

    def found() -> pl.DataFrame:
        began = time.process_time()
        matched = events.select(decision.rule.alias("rule"))
        spent.append((time.process_time() - began) * 1e9 / EVENTS)
        return matched

    matched = benchmark.pedantic(found, rounds=ROUNDS, warmup_rounds=1)
    few = events.head(1_000)
    assert matched.head(1_000).equals(few.select(rule_expression(rules, CODEBOOK)))
    benchmark.extra_info.update(cpu_ns_per_event=min(spent), compile_cpu_s=compiling)
    sys.stdout.write(
        f"\n{count:,} rules: {min(spent):.0f} CPU ns an event, compiled in {compiling:.2f} CPU s\n"
    )
    assert min(spent) <= LIMIT_NS
