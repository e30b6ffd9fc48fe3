"""How long a big map takes: 1,000 touchpoints, 5,000 assignments, 500 seats, 1,000 people; CPU seconds.

make bench
python -m tests.bench.test_map        prints where the time goes
"""

import cProfile
import pstats
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from contracts.answers import answers
from flows.workspace import load

TOUCHPOINTS, SEATS, PEOPLE, CHANGES = 1000, 500, 1000, 5
LIMIT_SECONDS = 1.0
FIRST = date(2020, 1, 1)


def build(folder: Path) -> Path:
    """Write the workspace: maps of one file per stage, as teams keep them, and one of people."""
    (folder / "map").mkdir(parents=True, exist_ok=True)
    (folder / "answerable.yaml").write_text(
        "name: Bench\ntimezone: Europe/Berlin\nclock: 2026-11-01\nidentity: {key: public}\n"
    )
    (folder / "map/people.yaml").write_text("\n".join(_people()) + "\n")
    for stage in ("entice", "enter", "engage", "extend", "exit"):
        (folder / f"map/{stage}.yaml").write_text("touchpoints:\n" + "\n".join(_touchpoints(stage)) + "\n")
    return folder


def _people() -> Iterator[str]:
    yield "metrics: [{id: csat, name: Satisfied, estimator: csat}, {id: ces, name: Easy, estimator: ces}]"
    yield "teams:"
    yield from (f"  - {{id: team{n}, name: Team {n}}}" for n in range(50))
    yield "decision_rights: [{what: goals, seats: [seat0, seat1]}, {what: metrics, seats: [seat0, seat1]}]"
    yield "people:"
    yield from (f"  - {{id: person{n}, name: Person {n}}}" for n in range(PEOPLE))
    yield "seats:"
    for n in range(SEATS):
        changed = FIRST + timedelta(days=n)
        yield f"  - id: seat{n}\n    name: Seat {n}\n    team: team{n % 50}\n    holders:"
        yield f"      - {{person: person{n}, until: {changed}}}"
        yield f"      - {{person: person{n + SEATS}, from: {changed}}}"
        yield f"    covers: [{{person: person{(n + 1) % SEATS}, from: 2026-08-01, until: 2026-08-15}}]"


def _touchpoints(stage: str) -> Iterator[str]:
    for n in range(TOUCHPOINTS // 5):
        cuts = [FIRST + timedelta(days=300 * change + n) for change in range(1, CHANGES)]
        yield f"  - id: {stage}{n}\n    name: Touchpoint {n}\n    stage: {stage}"
        yield f"    parent: {stage}{n // 10}" if n >= 10 else f"    was: old_{stage}{n}"
        yield "    metrics: [csat, ces]\n    responsible: [team1, seat2]"
        yield f"    goals: [{{metric: csat, at_least: 0.8, due: {date(2026, 12, 31)}, why: It matters.}}]\n    accountable:"
        for start, end, change in zip([None, *cuts], [*cuts, None], range(CHANGES), strict=True):
            begins, ends = f", from: {start}" if start else "", f", until: {end}" if end else ""
            yield f"      - {{seat: seat{(n * 7 + change * 31) % SEATS}{begins}{ends}}}"


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("big"))


@pytest.mark.benchmark(timer=time.process_time)
def test_a_thousand_touchpoints_are_checked_within_a_second(benchmark: BenchmarkFixture, big: Path):
    workspace = benchmark.pedantic(load, args=(big,), rounds=5, warmup_rounds=1)
    assert sum(len(one.accountable) for one in workspace.atlas.touchpoints) == TOUCHPOINTS * CHANGES
    assert benchmark.stats.stats.min < LIMIT_SECONDS


@pytest.mark.benchmark(timer=time.process_time)
def test_a_thousand_touchpoints_are_asked_for(benchmark: BenchmarkFixture, big: Path):
    workspace = load(big)
    found = benchmark.pedantic(answers, args=(workspace.atlas, workspace.now), rounds=5)
    assert len(found) == TOUCHPOINTS


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = build(Path(name))
        load(folder)
        began = time.process_time()
        load(folder)
        print(f"checked in {time.process_time() - began:.2f} CPU s")  # noqa: T201 - a script
        with cProfile.Profile() as profile:
            load(folder)
        pstats.Stats(profile).sort_stats("cumulative").print_stats(40)
