"""Our job against DuckDB's over growing histories, and the page that tells of it: `docs/benchmarks.md`.

    python -m tests.bench.curve FOLDER [SIZE,...] [ROUNDS]

Every job runs in a process of its own, in turn: ours, naive, expert, ours, naive, expert. What a process costs is
what the system says once it has ended. Histories stay in FOLDER and are not built again; batches come to a copy of
theirs, which shares its files. `ANSWERABLE_BENCH_LIMIT_S` (600) is how long a job may take, `ANSWERABLE_BENCH_MEMORY`
(6GB) what DuckDB may hold before it spills.
"""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tests.bench.costing import ROOT, Cost, process
from tests.bench.equality import CLOSE, Found, published
from tests.bench.filling import built, is_built
from tests.bench.page import page, plot
from tests.bench.rivals import TABLES

RIVALS = ("tables", "naive", "expert")
WHOLE = ("first", "whole_naive", "whole_expert")
"""Ours and both rivals', as those above: every published table that a rival makes too."""
OFTEN_MAX = 10_000_000
"""Larger histories are measured in one round."""
TAKES, SPILLS = 90, 300
"""Bytes of disk that an event takes: to build, export and measure its history; and what DuckDB spills at most."""


@dataclass
class Point:
    """One size of history.

    Attributes:
        events: How many events.
        costs: Every round's cost, by job.
        cells: Cells compared, by rival; of those that ended.
        differing: Cells that are not alike, by rival.
        tables: Both by table, by rival of the whole job.
        storing: What coding and storing every chunk of events cost.
    """

    events: int
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    cells: dict[str, int] = field(default_factory=dict)
    differing: dict[str, int] = field(default_factory=dict)
    tables: dict[str, Found] = field(default_factory=dict)
    storing: list[dict[str, float]] = field(default_factory=list)


def measured(folder: Path, events: int, rounds: int) -> Point:
    """Every job over a history of so many events."""
    point, home = Point(events), folder / f"{events}"
    if not is_built(home, events):
        process("million", "build", home, str(events), limit_s=float("inf"))
    point.storing = built(home)
    process("rivals", "export", home, limit_s=float("inf"))
    process("ours", "change", home, home, limit_s=float("inf"))
    for _ in range(rounds):
        for job in RIVALS:
            _run(point, "ours" if job == "tables" else "rivals", job, home)
        for job in ("scan", "anew", "run", "owners"):
            _run(point, "ours", job, home)
    for rival in ("naive", "expert"):
        if all(cost.has_ended for job in ("tables", rival) for cost in point.costs[job]):
            found = compared(folder / "out-tables", folder / f"out-{rival}")
            point.cells[rival], point.differing[rival] = found
    for _ in range(rounds):
        _whole(point, home)
    copy = copied(home, folder / f"{events}-batches")
    process("ours", "draw", copy, copy, limit_s=float("inf"))
    process("ours", "change", copy, copy, limit_s=float("inf"))
    for _ in range(rounds):
        _run(point, "ours", "batch", copy)
    _run(point, "ours", "warm", copy)
    _run(point, "ours", "remapped", copy)
    _run(point, "ours", "verify", copy)
    verify = point.costs["verify"][0]
    if verify.has_ended:
        point.cells["verify"], point.differing["verify"] = verify.said["cells"], verify.said["differing"]
    _run(point, "ours", "warm_tables", copy)
    shutil.rmtree(copy)
    return point


def _whole(point: Point, home: Path) -> None:
    """A round of the whole job, ours in a copy that has published nothing; and each rival's tables held against ours."""
    copy = copied(home, home.parent / f"{home.name}-first", "published", "ledger*")
    for job in WHOLE:
        if job == "whole_naive" and not point.costs["naive"][-1].has_ended:
            continue  # what makes less has not ended
        _run(point, "ours" if job == "first" else "rivals", job, copy if job == "first" else home)
        if job != "first" and all(point.costs[one][-1].has_ended for one in ("first", job)):
            found = published(copy, home.parent / f"out-{job}")
            point.tables[job] = found
            point.cells[job], point.differing[job] = map(sum, zip(*found.values(), strict=True))
    shutil.rmtree(copy)


def copied(home: Path, copy: Path, *without: str) -> Path:
    """A workspace that batches may come to: files that are written once are the same ones, all others are copied.

    Args:
        home: The workspace.
        copy: Where to.
        without: Patterns of names that are left out.
    """
    shutil.rmtree(copy, ignore_errors=True)
    once = {home / "warehouse/store", home / "warehouse/published"}

    def copy_one(source: str, target: str) -> str:
        is_shared = not once.isdisjoint(Path(source).parents)
        return (os.link(source, target) or target) if is_shared else shutil.copy2(source, target)

    ignored = shutil.ignore_patterns("canonical", *without)
    return Path(shutil.copytree(home, copy, symlinks=True, copy_function=copy_one, ignore=ignored))


def room_for(folder: Path, sizes: Sequence[int]) -> None:
    """See that there is room on the disk for what is not built yet, and for what the largest spills.

    Raises:
        SystemExit: There is not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    takes = max(sizes) * SPILLS + sum(
        size * TAKES for size in sizes if not is_built(folder / f"{size}", size)
    )
    free = shutil.disk_usage(folder).free
    if takes > free:
        sys.exit(
            f"{folder}: {', '.join(f'{size:,}' for size in sizes)} events take {takes / 1e9:.1f} GB of disk, and "
            f"{free / 1e9:.1f} GB are free. Nothing was built. Make room, name another folder, or leave the largest out: "
            f"python -m tests.bench.curve {folder} {','.join(f'{size:g}' for size in sizes if size < max(sizes)) or '1e6'}"
        )


def _run(point: Point, module: str, job: str, home: Path) -> None:
    out = home.parent / ("out-batch" if job == "warm" else f"out-{job}")
    _add(point, job, process(module, job, home, out))
    shutil.rmtree(out / "spilled", ignore_errors=True)  # what DuckDB left when it was ended


def _add(point: Point, job: str, cost: Cost) -> None:
    point.costs.setdefault(job, []).append(cost)
    ended = "" if cost.has_ended else " and was ended"
    sys.stderr.write(
        f"{point.events:>12,} {job:<12} {cost.cpu_s:7.2f} CPU s {cost.wall_s:7.2f} s {cost.peak_mb} MB{ended}\n"
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
    room_for(folder, sizes)
    told: list[dict[str, Any]] = []
    for size in sizes:
        told.append(asdict(measured(folder, size, rounds if size <= OFTEN_MAX else 1)))
        (folder / "benchmarks.json").write_text(json.dumps(told, indent=1))
        (ROOT / "docs/benchmarks.svg").write_text(plot(told))
        (ROOT / "docs/benchmarks.md").write_text(page(told))


if __name__ == "__main__":
    main()
