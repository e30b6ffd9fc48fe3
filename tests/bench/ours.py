"""Our side of the curve: one job in a process of its own.

python -m tests.bench.ours tables FOLDER OUT    the day, week and month tables alone, nothing kept
python -m tests.bench.ours scan FOLDER OUT      the columns that the pass reads, summed up: the limit
python -m tests.bench.ours run FOLDER OUT       all published tables, from what is kept of months
python -m tests.bench.ours anew FOLDER OUT      the same, once everything that is kept is forgotten
python -m tests.bench.ours first FOLDER OUT     the same of a workspace that has published nothing: the whole job
python -m tests.bench.ours change FOLDER OUT    a map with ten touchpoints in other hands for 90 days, for the next two
python -m tests.bench.ours owners FOLDER OUT    the same with that map
python -m tests.bench.ours remapped FOLDER OUT  the same in a process that has published, and back again
python -m tests.bench.ours draw FOLDER OUT      ten batches of 10,000 new events, most of yesterday, for the next two
python -m tests.bench.ours batch FOLDER OUT     one of them absorbed and published
python -m tests.bench.ours warm FOLDER OUT      the last of four such batches in a process that has read modules and workspace
python -m tests.bench.ours verify FOLDER OUT    the release against everything computed anew
python -m tests.bench.ours warm_tables FOLDER OUT  as `warm`, of day, week and month tables alone; publishes nothing
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from flows.interpreter import prepare

if __name__ == "__main__":
    prepare()

import polars as pl
import yaml

from contracts.tables import MeasureDaily, ScorecardTouchpoint
from flows.briefs import brief_of
from flows.passes import Measured, measure
from flows.run import Run, released
from flows.serving.reactor import at_instant
from flows.stages import Tables, scoring_of
from flows.verifying import verified
from flows.workspace import LoadedWorkspace, load
from tests.bench import batches
from tests.bench.memory import forget_peak, peak_mb
from transforms.cards import by_period, cards
from transforms.credit import credited_daily, named
from transforms.observations import observed
from transforms.score import measure_daily
from warehouse.kept import Kept
from warehouse.memory import Memory
from warehouse.releases import Releases, TableFile
from warehouse.store import EventStore, State

T = TypeVar("T")
WARM = 4


class Watched(Run):
    """A run that also says how much memory each of its stages held at most."""

    def __post_init__(self) -> None:
        self.peaks: dict[str, int] = {"start": peak_mb()}
        super().__post_init__()

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        forget_peak()
        try:
            return super()._timed(stage, work)
        finally:
            self.peaks[stage] = max(peak_mb(), self.peaks.get(stage, 0))


def tables(folder: Path, out: Path) -> dict[str, object]:
    """The day, week and month tables, with the intervals that ours always have; customers are not among them."""
    workspace = load(folder)
    run = Run(replace(workspace, atlas=replace(workspace.atlas, customers=())))
    state = run.store.head()
    measured = measure(run.workspace, state)
    made = same_sums(run.workspace, state, measured, out)
    return {"events_read": measured.read, "rows": sum(frame.height for frame in made.values())}


def same_sums(workspace: LoadedWorkspace, state: State, measured: Measured, out: Path) -> Tables:
    """The tables that rivals make as well, written."""
    scoring = scoring_of(workspace, measured, state)
    daily = credited_daily(measured.sums.lazy(), scoring).collect()
    periods, spans = pl.collect_all([by_period(daily.lazy(), scoring), scoring.calendar.spans()])
    held = pl.col("period").cast(pl.String).is_in(["week", "month"])
    values = observed(measured.values, spans.filter(held), scoring)
    plans = [
        cards(periods.lazy().filter(held), values, scoring, wanted=("touchpoint",)),
        measure_daily(daily.lazy(), scoring),
    ]
    judged, by_day = pl.collect_all(plans)
    names = {
        "touchpoint_id": named("touchpoint", scoring.touchpoints),
        "metric": named("metric", scoring.metric_ids),
    }
    made: Tables = {ScorecardTouchpoint: judged.with_columns(**names), MeasureDaily: by_day}
    for table, frame in made.items():
        frame.write_parquet(out / f"{table.table_name()}.parquet")
    return made


def scan(folder: Path, _out: Path) -> dict[str, object]:
    """Every column that the pass reads, read and added up: nothing that reads events can be quicker."""
    workspace = load(folder)
    state = EventStore(workspace.warehouse / "store").head()
    columns = brief_of(workspace).asked_of(state, Kept()).columns
    events = state.scan(columns, as_stored=True)
    summed = events.select(pl.len(), pl.col(columns).to_physical().cast(pl.Float64).sum()).collect()
    return {"events_read": summed["len"].item(), "columns": columns}


def whole(run: Watched, state: State) -> dict[str, object]:
    """Every stage after absorbing."""
    measured, release, _ = released(run, state)
    return {
        **_costs(run, measured),
        "rows": sum(one.rows for one in release.tables),
        "tables": len(release.by_table),
    }


def _costs(run: Watched, measured: Measured) -> dict[str, object]:
    spent = {stage: round(cost.cpu_seconds, 2) for stage, cost in run.costs.items()}
    return {"events_read": measured.read, "cpu_s_by_stage": spent, "peak_mb_by_stage": run.peaks}


def published(folder: Path, _out: Path, *, forget: bool = False) -> dict[str, object]:
    """A run without anything new."""
    run = Watched(load(folder))
    with run.underway():
        if forget:
            run.store.kept.forget()
        return whole(run, run.store.head())


def first(folder: Path, out: Path) -> dict[str, object]:
    """The whole job: nothing is kept, and nothing is published that would not have to be written again."""
    releases = Releases(load(folder).warehouse / "published")
    if releases.head() is not None:
        raise SystemExit(f"{folder}: there is a release. Copy the workspace without what it has published.")
    return published(folder, out, forget=True)


def owners(folder: Path, _out: Path) -> dict[str, object]:
    """Ten touchpoints answered for by another seat since 90 days; the map in `folder` stays as it is."""
    run = Watched(_with_other_owners(folder))
    with run.underway():
        return whole(run, run.store.head())


def _changed(folder: Path) -> Path:
    """Where a workspace's map with other owners is."""
    return folder.parent / f"{folder.name}-owners"


def _with_other_owners(folder: Path) -> LoadedWorkspace:
    """A workspace with the map that `change` has written."""
    return replace(load(_changed(folder)), root=folder)


def change(folder: Path, _out: Path) -> dict[str, object]:
    """Write the map with other owners."""
    workspace = load(folder)
    document = yaml.safe_load((workspace.root / "map/map.yaml").read_text())
    since = (workspace.now - timedelta(days=90)).date()
    for number, touchpoint in enumerate(document["touchpoints"][:10]):
        seat = touchpoint["accountable"]
        other = f"s{(number + 17) % 40:02d}"
        touchpoint["accountable"] = [{"seat": seat, "until": since}, {"seat": other, "from": since}]
    changed = _changed(folder)
    for path in (
        "answerable.yaml",
        "contract.odcs.yaml",
        *(f"feeds/{f.name}" for f in (workspace.root / "feeds").iterdir()),
    ):
        target = changed / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((workspace.root / path).read_bytes())
    (changed / "map").mkdir(exist_ok=True)
    (changed / "map/map.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return {"touchpoints": 10}


def remapped(folder: Path, _out: Path) -> dict[str, object]:
    """The same in a process that has published before: the map is read again, for its file has changed."""
    memory: Memory[TableFile] = Memory()
    spent, took = list[float](), list[float]()
    for read in (load, _with_other_owners, load):
        began, began_at = time.process_time(), time.perf_counter()
        run = Watched(read(folder), memory=memory)
        with run.underway():
            said = whole(run, run.store.head())
        spent.append(round(time.process_time() - began, 2))
        took.append(round(time.perf_counter() - began_at, 2))
    return {**said, "cpu_s_of_each": spent, "wall_s_of_each": took}


def batch(folder: Path, _out: Path) -> dict[str, object]:
    """The next of the batches that were drawn, see `tests.bench.batches`, in a process of its own."""
    return absorbed(Watched(load(folder)))


def absorbed(run: Watched) -> dict[str, object]:
    """The next 10,000 events in the store, and all tables published."""
    with run.underway():
        return whole(run, taken_in(run))


def taken_in(run: Watched) -> State:
    """The next 10,000 events in the store."""
    before, events = run.store.head(), batches.taken(run.workspace.root)
    # The stage without deliveries, timed like any other.
    stored = run._timed(  # noqa: SLF001
        "absorb", lambda: run.store.absorb(before, events, before.deliveries, before.resolution)
    )
    if stored.new != events.height:
        raise SystemExit(f"{run.workspace.root}: {stored.new} of {events.height} events were new")
    return stored.state


def warm(folder: Path, _out: Path) -> dict[str, object]:
    """One batch after the other in one process: what the last one cost, and all of them.

    The workspace is read once and put to another instant for every batch, as `flows.serving.reactor` does while no
    file of it has changed; what was published last is remembered.
    """
    spent: list[float] = []
    step = resident(folder, Memory())
    for _ in range(WARM):
        began = time.process_time()
        said = step()
        spent.append(round(time.process_time() - began, 2))
    return {**said, "cpu_s_of_each": spent}


def warm_tables(folder: Path, out: Path) -> dict[str, object]:
    """As `warm`, without a release: `tables` after each batch, from what is kept of months."""
    spent: list[float] = []
    workspace = load(folder)
    for _ in range(WARM):
        began = time.process_time()
        said = _tables_of_batch(Watched(at_instant(workspace, workspace.now)), out)
        spent.append(round(time.process_time() - began, 2))
    return {**said, "cpu_s_of_each": spent}


def _tables_of_batch(run: Watched, out: Path) -> dict[str, object]:
    with run.underway():
        state = taken_in(run)
        measured = run.measure(state)
        run._timed("score", lambda: same_sums(run.workspace, state, measured, out))  # noqa: SLF001
        return _costs(run, measured)


def resident(folder: Path, memory: Memory[TableFile]) -> Callable[[], dict[str, object]]:
    """A batch in a process that has read the workspace before."""
    workspace = load(folder)
    return lambda: absorbed(Watched(at_instant(workspace, workspace.now), memory=memory))


def checked(folder: Path, _out: Path) -> dict[str, object]:
    """The release against everything computed anew."""
    found = verified(load(folder))
    return {"cells": found.cells, "differing": found.differing, "events_read": found.events}


def main() -> None:
    """One job."""
    job, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    jobs = {
        "tables": tables,
        "scan": scan,
        "run": published,
        "anew": lambda one, other: published(one, other, forget=True),
        "first": first,
        "change": change,
        "owners": owners,
        "remapped": remapped,
        "draw": batches.draw,
        "batch": batch,
        "warm": warm,
        "verify": checked,
        "warm_tables": warm_tables,
    }
    sys.stdout.write(json.dumps(jobs[job](folder, out)) + "\n")


if __name__ == "__main__":
    main()
