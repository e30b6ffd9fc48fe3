"""Our job against DuckDB's over growing histories, and the page that tells of it: `docs/benchmarks.md`.

    python -m tests.bench.curve FOLDER [SIZE,...] [ROUNDS]

Every job runs in a process of its own, in turn: ours, naive, expert, ours, naive, expert. What a process costs is
what the system says once it has ended: CPU seconds of all its threads, wall seconds, peak of resident memory.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tests.bench.page import page, plot
from tests.bench.rivals import TABLES

ROOT = Path(__file__).parent.parent.parent
RIVALS = ("tables", "naive", "expert")
CLOSE = 1e-9


@dataclass
class Cost:
    """What one process cost, and what it said."""

    cpu_s: float
    wall_s: float
    peak_mb: int
    said: dict[str, Any]


@dataclass
class Point:
    """One size of history.

    Attributes:
        events: How many events.
        costs: Every round's cost, by job.
        cells: Cells compared, by rival.
        differing: Cells that are not alike, by rival.
        storing: CPU seconds to code and store the events, when this run did it.
    """

    events: int
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    cells: dict[str, int] = field(default_factory=dict)
    differing: dict[str, int] = field(default_factory=dict)
    storing: float | None = None


def process(module: str, *words: str | Path) -> Cost:
    """Run a job in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, words)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        said = started.stdout.read() if started.stdout else ""
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        sys.exit(f"{' '.join(command)} ended with {started.returncode}")
    cpu = used.ru_utime + used.ru_stime
    return Cost(cpu, time.perf_counter() - began, used.ru_maxrss // 1024, json.loads(said or "{}"))


def measured(folder: Path, events: int, rounds: int) -> Point:
    """Every job over a history of so many events."""
    point, home = Point(events), folder / f"{events}"
    if not (home / "tenures.parquet").exists():
        # In a process of its own: the peak of memory of those started later would be this one's.
        point.storing = process("million", "build", home, str(events)).cpu_s
    # Batches of an earlier run are part of the history now.
    process("rivals", "export", home)
    for _ in range(rounds):
        for job in RIVALS:
            module = "ours" if job == "tables" else "rivals"
            _add(point, job, process(module, job, home, folder / f"out-{job}"))
        for job in ("anew", "run", "owners"):
            _add(point, job, process("ours", job, home, folder / f"out-{job}"))
    for rival in ("naive", "expert"):
        point.cells[rival], point.differing[rival] = compared(folder / "out-tables", folder / f"out-{rival}")
    for _ in range(rounds):
        _add(point, "batch", process("ours", "batch", home, folder / "out-batch"))
    _add(point, "warm", process("ours", "warm", home, folder / "out-batch"))
    verify = process("ours", "verify", home, folder / "out-verify").said
    point.cells["verify"], point.differing["verify"] = verify["cells"], verify["differing"]
    return point


def _add(point: Point, job: str, cost: Cost) -> None:
    point.costs.setdefault(job, []).append(cost)
    sys.stderr.write(
        f"{point.events:>12,} {job:<8} {cost.cpu_s:7.2f} CPU s {cost.wall_s:7.2f} s {cost.peak_mb} MB\n"
    )


def compared(ours: Path, theirs: Path) -> tuple[int, int]:
    """Cells of the day, week and month tables, and how many of them are not alike to 1e-9."""
    daily = pl.read_parquet(ours / "measure_daily.parquet")
    cards = pl.read_parquet(ours / "scorecard_touchpoint.parquet")
    cells = differing = 0
    for period in TABLES:
        told = pl.read_parquet(theirs / f"{period}.parquet")
        keys = ["period_start", "touchpoint_id", *(["owner_id"] if period == "day" else [])]
        mine = daily.rename({"date": "period_start"}) if period == "day" else cards.filter(period=period)
        made = _wide(mine, keys, has_quantiles=period != "day")
        told = told.rename(
            {"touchpoint": "touchpoint_id", **({"owner": "owner_id"} if period == "day" else {})}
        )
        told = told.with_columns(pl.col("amount_cents") / 100).rename({"amount_cents": "amount_sum"})
        both = made.join(told, on=keys, how="full", coalesce=True, suffix="_theirs", nulls_equal=True)
        for name in made.columns:
            if name not in keys:
                one, other = (pl.col(c).cast(pl.Float64).fill_null(0) for c in (name, f"{name}_theirs"))
                far = (one - other).abs() > CLOSE * pl.max_horizontal(one.abs(), 1)
                differing += int(both.select(far.sum()).item())
        cells += both.height * len(made.columns)
    return cells, differing


def _wide(frame: pl.DataFrame, keys: list[str], *, has_quantiles: bool) -> pl.DataFrame:
    """Rows of one metric each as the rivals have them: a row of all metrics."""
    wanted = {
        "events": {"n": "events_n"},
        "amount": {"n": "amount_n", "sum": "amount_sum"},
        "csat": {"n": "csat_n", "numerator": "csat_good"},
        "ces": {"n": "ces_n", "numerator": "ces_good"},
        "nps": {"n": "nps_n", "promoters": "promoters", "detractors": "detractors"},
        "reopened": {"n": "reopened_n", "numerator": "reopened_good"},
    }
    if has_quantiles:
        wanted |= {
            "resolution_p50": {"n": "resolution_n", "value": "p50"},
            "resolution_p90": {"value": "p90"},
        }
    made = frame.select(keys).unique()
    for metric, columns in wanted.items():
        part = frame.filter(metric=metric).select(*keys, *(pl.col(a).alias(b) for a, b in columns.items()))
        made = made.join(part, on=keys, how="left", nulls_equal=True)
    return made


def main() -> None:
    """Measure and write the page."""
    folder = Path(sys.argv[1])
    sizes = [int(float(size)) for size in (sys.argv[2] if len(sys.argv) > 2 else "1e6,1e7").split(",")]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    told: list[dict[str, Any]] = []
    for size in sizes:
        told.append(asdict(measured(folder, size, rounds)))
        (folder / "benchmarks.json").write_text(json.dumps(told, indent=1))
        (ROOT / "docs/benchmarks.svg").write_text(plot(told))
        (ROOT / "docs/benchmarks.md").write_text(page(told))


if __name__ == "__main__":
    main()
