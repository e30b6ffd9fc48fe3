"""kill -9 at any instant of a run: readers see whole releases, and the next run goes on as if nothing was."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from contracts.tables import ScorecardTouchpoint
from examples.larkspur.generate import generate
from flows.restated import HISTORIES
from flows.run import Outcome, run_inline
from flows.workspace import load
from tests.conftest import ROOT, copy_company
from warehouse.files import digest
from warehouse.ledger import Ledger
from warehouse.releases import Releases
from warehouse.store import EventStore

KILLS = int(os.environ.get("ANSWERABLE_KILLS", "10"))
SPARE = 6
"""Runs that may come to their end before they are killed."""
SCALE = 0.01
SEED = 20_261_121

_READER = """
import json, os, sys, time
from pathlib import Path
import duckdb, polars as pl

kind, published, stop = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
os.nice(5)
seen, counts, wrong = set(), {"reads": 0, "no such file": 0}, []
is_event = pl.col("metric") == "events"
to_date = is_event & (pl.col("period") == "to_date")
sums = "SELECT count(*), sum(n) FILTER (WHERE metric = 'events') FROM "
totals = "SELECT count(*), sum(n) FILTER (WHERE metric = 'events' AND period = 'to_date') FROM "

def by_polars(folder):
    daily = pl.read_parquet(folder / "measure_daily/*.parquet")
    cards = pl.read_parquet(folder / "scorecard_company/*.parquet")
    return [daily.height, daily.filter(is_event)["n"].sum(), cards.height, cards.filter(to_date)["n"].sum()]

def by_duckdb(folder):
    daily = duckdb.execute(sums + f"read_parquet('{folder}/measure_daily/*.parquet')").fetchone()
    cards = duckdb.execute(totals + f"read_parquet('{folder}/scorecard_company/*.parquet')").fetchone()
    return [int(value) for value in (*daily, *cards)]

def by_views(folder):
    with duckdb.connect() as tables:
        tables.execute((folder / "views.sql").read_text())
        found = (*tables.execute(sums + "measure_daily").fetchone(),
                 *tables.execute(totals + "scorecard_company").fetchone())
    return [int(value) for value in found]

current = published / "current"
ways = {
    "polars, resolved once": lambda: (current.resolve(), by_polars),
    "polars, bare": lambda: (current, by_polars),
    "duckdb, bare": lambda: (current, by_duckdb),
    "duckdb, views.sql": lambda: (current.resolve(), by_views),
}
while not stop.exists():
    began = time.process_time()
    folder, read = ways[kind]()
    try:
        seen.add((folder.name, *read(folder)))
        counts["reads"] += 1
    except Exception as error:
        said = str(error)
        is_clean = "No such file" in said or "No files found" in said or "found no files" in said
        if is_clean and folder == current:
            counts["no such file"] += 1
        else:
            wrong.append(said[:300])
    time.sleep(0.02 + 6 * (time.process_time() - began))  # the runs need the machine too
print(json.dumps({"kind": kind, "seen": sorted(seen), "counts": counts, "wrong": wrong}))
"""
_KINDS = ("polars, resolved once", "polars, bare", "duckdb, bare", "duckdb, views.sql")


@dataclass
class Scene:
    """A workspace whose runs are killed.

    Attributes:
        root: The workspace.
        waiting: Files that have yet to be delivered, in their order, with where they go.
        chance: Of when to kill.
        seconds: How long a run holds the workspace.
        kills: Kills by the stage they met.
        early: Runs that ended before they were killed.
    """

    root: Path
    waiting: list[tuple[Path, Path]]
    chance: random.Random
    seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)
    early: int = 0

    def __post_init__(self) -> None:
        self.store = EventStore(self.root / "warehouse/store")
        self.releases = Releases(self.root / "warehouse/published")

    def deliver(self) -> None:
        """One file more."""
        source, target = self.waiting.pop(0)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)

    def started(self) -> subprocess.Popen[bytes]:
        """A run, as anybody starts one."""
        return subprocess.Popen(
            [sys.executable, "-m", "flows", "run", str(self.root), "--quiet"],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )

    def holds(self, run: subprocess.Popen[bytes]) -> bool:
        """Whether the run holds the workspace."""
        try:
            return (self.root / "warehouse/.lock").read_text() == f"process {run.pid}"
        except FileNotFoundError:
            return False


def _files(scene: Scene, *folders: str) -> set[Path]:
    return {
        path
        for folder in folders
        for path in (scene.root / "warehouse" / folder).rglob("*")
        if path.is_file()
    }


_STORE = ("store/events", "store/codes", "store/identity")


class Marks:
    """What a run leaves on the disk, by which one tells how far it came."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.commit = scene.store.manifests.path(scene.store.manifests.head() + 1)
        self.manifest = scene.releases.manifests.path(scene.releases.manifests.head() + 1)
        self._views = scene.root / "warehouse/published/.views"
        self._before = self._left()

    def _left(self) -> dict[str, set[Path]]:
        return {
            "landing": _files(self.scene, "store/landing"),
            "store": _files(self.scene, *_STORE),
            "tables": _files(self.scene, "published/data"),
            "views": set(self._views.iterdir()),
        }

    def is_absorbing(self) -> bool:
        """Whether the store is being written."""
        return bool(_files(self.scene, *_STORE) - self._before["store"])

    def is_writing(self) -> bool:
        """Whether tables are being written."""
        return bool(_files(self.scene, "published/data") - self._before["tables"])

    def is_making_ready(self) -> bool:
        """Whether a folder for the release is being made."""
        return bool(set(self._views.iterdir()) - self._before["views"])

    def stage(self, *, held: bool) -> str:
        """How far a run came; `held` when it is known to have begun."""
        new = {what: left - self._before[what] for what, left in self._left().items()}
        if self.manifest.exists():
            is_shown = (self.scene.releases.root / "current").resolve().name == self.manifest.stem
            return "7 finishing" if is_shown else "6 showing"
        if new["views"]:
            return "5 making the release ready"
        if self.commit.exists():
            return "4 writing tables" if new["tables"] else "3 measuring"
        if new["store"]:
            return "2 absorbing"
        return "1 landing" if new["landing"] or held else "0 starting"


def _wait(run: subprocess.Popen[bytes], until: Callable[[], bool]) -> None:
    while run.poll() is None and not until():
        time.sleep(0.0005)


def _killed(scene: Scene, aim: str) -> None:
    """Start a run and kill it: somewhere after it began to work, or as soon as something is there."""
    marks = Marks(scene)
    run = scene.started()
    if aim == "starting":
        time.sleep(scene.chance.uniform(0.05, 0.9))
    else:
        _wait(run, lambda: scene.holds(run))
    until, after = {
        "starting": (lambda: True, 0.0),
        "anywhere": (lambda: True, scene.seconds),
        "absorbing": (marks.is_absorbing, 0.03),
        "commit": (marks.commit.exists, 0.003),
        "writing": (marks.is_writing, 0.2),
        "ready": (marks.is_making_ready, 0.02),
        "manifest": (marks.manifest.exists, 0.0),
    }[aim]
    _wait(run, until)
    time.sleep(scene.chance.uniform(0, after))
    run.send_signal(signal.SIGKILL)
    run.wait()
    if run.returncode == -signal.SIGKILL:
        scene.kills[marks.stage(held=scene.holds(run))] += 1
    else:
        scene.early += 1


@contextmanager
def _readers(scene: Scene, told: list[dict]) -> Iterator[None]:
    """Four processes that read two tables over and over; what they saw is told in the end."""
    stop = scene.root.parent / "stop"
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", _READER, kind, str(scene.releases.root), str(stop)],
            stdout=subprocess.PIPE, text=True,
        )
        for kind in _KINDS
    ]  # fmt: skip
    try:
        yield
    finally:
        stop.touch()
        told.extend(json.loads(reader.communicate(timeout=60)[0]) for reader in readers)


def _prepared(folder: Path) -> tuple[Scene, Path]:
    """A workspace with the first files of the company and a release, and one that will get all at once."""
    source, root, other = folder / "source", folder / "killed", folder / "fresh"
    generate(source, scale=SCALE)
    for workspace in (root, other):
        workspace.mkdir()
        copy_company(workspace)
    shutil.copytree(source / "inbox", other / "inbox")
    files = sorted((path for path in (source / "inbox").rglob("*") if path.is_file()), key=_in_order)
    waiting = [(path, root / path.relative_to(source)) for path in files]
    scene = Scene(root, waiting, random.Random(SEED))
    while len(scene.waiting) > KILLS + SPARE + 1:
        scene.deliver()
    run_inline(load(root))
    return scene, other


def _in_order(path: Path) -> tuple[int, str]:
    """Customers first: who is known by what is the same then in whatever steps the rest comes."""
    return (path.name != "customers.csv", str(path))


def _calibrate(scene: Scene) -> None:
    """How long a run works on one file more, while others read."""
    scene.deliver()
    run = scene.started()
    _wait(run, lambda: scene.holds(run))
    began = time.perf_counter()
    run.wait()
    scene.seconds = time.perf_counter() - began


def _aims() -> list[str]:
    """Where to kill: mostly anywhere, and in the gaps that a random instant rarely meets."""
    aims = ["starting", "absorbing", "commit", "writing", "ready", "manifest", *["anywhere"] * 4]
    return aims * (KILLS // len(aims) + 1)


def _assert_whole(scene: Scene) -> None:
    """The newest commit and the newest release: nothing is missing, nothing is doubled."""
    state, release = scene.store.head(), scene.releases.head()
    assert all(path.exists() for path in state.files())
    ids = state.scan(["event_id"]).collect()["event_id"]
    assert ids.n_unique() == len(ids) == state.rows
    assert release is not None
    assert (scene.root / "warehouse/published/current").resolve() == release.folder.resolve()
    for one in release.tables:
        assert digest(release.folder / one.shown) == one.sha256


def _as_published(scene: Scene) -> dict[str, list[int]]:
    """What a reader has to find in each release, by the name of its folder."""
    found = {}
    for number in scene.releases.manifests.numbers():
        release = scene.releases.read(number)
        daily = scene.releases.frame(release, "measure_daily")
        cards = scene.releases.frame(release, "scorecard_company")
        events, whole = (frame.filter(metric="events") for frame in (daily, cards))
        total = whole.filter(period="to_date")["n"].sum()
        assert events["n"].sum() == total
        found[release.folder.name] = [daily.height, events["n"].sum(), cards.height, total]
    return found


def _assert_read_right(scene: Scene, told: list[dict]) -> None:
    """Every reader saw releases as they were published; one that resolved `current` saw exactly one."""
    published = _as_published(scene)
    daily = {tuple(values[:2]) for values in published.values()}
    cards = {tuple(values[2:]) for values in published.values()}
    for reader in told:
        assert reader["wrong"] == [], reader["kind"]
        assert reader["counts"]["reads"] > KILLS
        for name, *values in reader["seen"]:
            if name == "current":
                assert tuple(values[:2]) in daily
                assert tuple(values[2:]) in cards
            else:
                assert values == published[name]


HISTORY = {table.table_name() for table in (*HISTORIES, ScorecardTouchpoint)}
"""Tables of what became known when: a workspace that saw the data come in parts has another history. Of
scorecard_touchpoint that is one column."""


def _bytes(outcome: Outcome) -> dict[str, str]:
    return {one.table: one.sha256 for one in outcome.release.tables if one.table not in HISTORY}


def _card(outcome: Outcome) -> pl.DataFrame:
    """The touchpoints' scorecard but what is history in it."""
    return pl.read_parquet(outcome.release.folder / "scorecard_touchpoint/*.parquet").drop("is_restated")


@pytest.mark.slow
def test_a_run_killed_at_any_instant_loses_nothing_doubles_nothing_and_confuses_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    began = time.perf_counter()
    scene, other = _prepared(tmp_path)
    told: list[dict] = []
    aims = _aims()
    with _readers(scene, told):
        _calibrate(scene)
        while scene.kills.total() < KILLS:
            assert scene.waiting, f"{scene.early} runs ended before they were killed"
            scene.deliver()
            _killed(scene, aims[scene.kills.total()])
            run_inline(load(scene.root))
            _assert_whole(scene)
        while scene.waiting:
            scene.deliver()
        last = run_inline(load(scene.root))
    _assert_read_right(scene, told)
    fresh = run_inline(load(other))
    assert last.absorbed.state.rows == fresh.absorbed.state.rows
    assert _bytes(last) == _bytes(fresh)
    assert _card(last).equals(_card(fresh))
    _assert_swept_clean(scene)
    states = Counter(run["state"] for run in Ledger(scene.root / "warehouse").runs(limit=1000))
    assert set(states) == {"completed", "killed"}
    # The ledger is the first and the last thing that a run writes: some were killed before or after.
    at_its_ends = sum(scene.kills[stage] for stage in ("0 starting", "1 landing", "7 finishing"))
    assert KILLS - at_its_ends <= states["killed"] <= KILLS
    with capsys.disabled():
        _print(scene, told, time.perf_counter() - began)


def _assert_swept_clean(scene: Scene) -> None:
    """What the kills left is nowhere referred to: with it gone everything is still whole."""
    scene.store.kept.sweep(1e12)
    before = _files(scene, "store", "published/data", "published/releases")
    scene.store.sweep(1e12)
    scene.releases.sweep(30, 1e12)
    left = _files(scene, "store", "published/data", "published/releases")
    assert left < before
    assert not [path for path in left if path.name.endswith(".part")]
    _assert_whole(scene)
    for number in scene.releases.manifests.numbers():
        release = scene.releases.read(number)
        assert all((scene.releases.root / one.path).exists() for one in release.tables)


def _print(scene: Scene, told: list[dict], seconds: float) -> None:
    stages = pl.DataFrame(sorted(scene.kills.items()), schema=["stage", "kills"], orient="row")
    lines = [f"\n{scene.kills.total()} kills in {seconds:.0f} s, {scene.early} runs ended before"]
    lines += [f"  {stage:<28} {count:>4}" for stage, count in stages.iter_rows()]
    for reader in told:
        counts = reader["counts"]
        lines.append(
            f"  {reader['kind']:<28} {counts['reads']:>6} reads, {counts['no such file']} times no such file, 0 wrong"
        )
    sys.stdout.write("\n".join(lines) + "\n")
