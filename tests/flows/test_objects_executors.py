"""Workers of other machines, which share an object store with the one that runs and nothing else: equal, byte for byte."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from unittest.mock import patch

import pytest

from flows.run import run_inline
from flows.tasks import _asked, compute
from flows.workspace import load
from tests.conftest import ROOT, Company
from tests.flows.clusters import (
    SLOW,
    STUCK,
    Cluster,
    computed_elsewhere,
    dask,
    run_while_one_is_killed,
    sail,
    until_joined,
    wait_for,
)
from tests.flows.test_executors import published, tasks
from tests.object_stores import ObjectStore
from warehouse.bucket import Bucket
from warehouse.executors import executor_of
from warehouse.store import EventStore

KILLS = int(os.environ.get("ANSWERABLE_WORKER_KILLS", "0"))
EVERY = 10
SEED = 20_261_128
_NOTHING_HERE = """
import sys
from pathlib import Path
from unittest.mock import patch
from flows.run import run_inline
from flows.workspace import load

with patch("flows.parts._computed", side_effect=AssertionError("computed here")):
    run_inline(load(Path(sys.argv[1])))
"""


def forget(root: Path) -> None:
    """Drop what was kept of what events give, here and there."""
    load(root)
    EventStore(root / "warehouse/store").kept.forget()


def joined(
    cluster: Cluster, cache: Path, monkeypatch: pytest.MonkeyPatch, preload: Path | None = None
) -> subprocess.Popen:
    """A worker more, which keeps what it fetches in a folder of its own."""
    monkeypatch.setenv("ANSWERABLE_CACHE", str(cache))
    worker = cluster.join(preload)
    monkeypatch.delenv("ANSWERABLE_CACHE")
    return worker


@pytest.fixture(scope="module")
def brought(company: Company, object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic company, published, its warehouse brought to an object store."""
    root = tmp_path_factory.mktemp("brought") / "company"
    shutil.copytree(company.root, root, symlinks=True)
    with (root / "answerable.yaml").open("a") as settings:
        settings.write(f"\nobjects: {object_store.place()}\n")
    expected = published(root)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in object_store.environment.items():
            patched.setenv(name, value)
        run_inline(load(root))
    assert published(root) == expected
    return root


@pytest.fixture
def there(brought: Path, objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """It once more, with nothing kept of what its events give."""
    assert objects.process is not None
    root = tmp_path / "company"
    shutil.copytree(brought, root, symlinks=True)
    monkeypatch.setenv("ANSWERABLE_EXECUTOR_EVENTS", "1")
    forget(root)
    return root


def test_workers_with_caches_of_their_own_give_byte_equal_tables(
    there: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("distributed", reason="Dask is not installed")
    expected = published(there)
    with dask(tmp_path_factory.mktemp("dask")) as cluster:
        for name in ("one", "other"):
            joined(cluster, tmp_path / name, monkeypatch)
        monkeypatch.setenv("ANSWERABLE_EXECUTOR", cluster.url)
        executor = executor_of(os.environ)
        until_joined(executor, "2 workers, 2 threads")
        with computed_elsewhere():
            run_inline(load(there))
    assert published(there) == expected
    for name in ("one", "other"):
        assert list((tmp_path / name).glob("*/store/events/*.parquet")), f"{name} fetched what it read"


def test_a_worker_killed_half_through_a_task_costs_a_retry(
    there: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("distributed", reason="Dask is not installed")
    begun, expected = tmp_path / "begun", published(there)
    (tmp_path / "stuck.py").write_text(STUCK.format(begun=str(begun)))
    with dask(tmp_path_factory.mktemp("dask")) as cluster, ThreadPoolExecutor(1) as pool:
        doomed = joined(cluster, tmp_path / "doomed", monkeypatch, tmp_path / "stuck.py")
        monkeypatch.setenv("ANSWERABLE_EXECUTOR", cluster.url)
        running = pool.submit(lambda: run_inline(load(there)))
        assert int(wait_for(begun)) == doomed.pid
        os.kill(doomed.pid, signal.SIGKILL)
        joined(cluster, tmp_path / "next", monkeypatch)
        running.result(240)
    assert published(there) == expected
    assert not list((tmp_path / "doomed").glob("*/store/kept/*.zip"))


@pytest.mark.skipif(not KILLS, reason="set ANSWERABLE_WORKER_KILLS to kill workers at any instant")
def test_workers_killed_at_any_instant_cost_retries(
    there: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    expected, chance, met = published(there), random.Random(SEED), 0
    begun = tmp_path / "begun"
    (tmp_path / "slow.py").write_text(SLOW.format(begun=str(begun)))
    with dask(tmp_path_factory.mktemp("dask")) as cluster:
        monkeypatch.setenv("ANSWERABLE_EXECUTOR", cluster.url)
        executor = executor_of(os.environ)
        joined(cluster, tmp_path / "stays", monkeypatch)
        for number in range(KILLS):
            forget(there)
            begun.unlink(missing_ok=True)
            doomed = joined(cluster, tmp_path / f"doomed{number}", monkeypatch, tmp_path / "slow.py")
            met += run_while_one_is_killed(there, executor, doomed, begun, chance.uniform(0.5, 4))
            assert published(there) == expected
    sys.stderr.write(f"{KILLS} workers killed, {met} of them half through writing\n")
    assert met or KILLS < EVERY


def test_what_a_worker_kept_and_did_not_bring_is_brought_by_whoever_finds_it(
    there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    task, bucket = tasks(there)[0], Bucket(load(there).settings.objects or "")
    monkeypatch.setenv("ANSWERABLE_CACHE", str(tmp_path / "cache"))
    _asked.cache_clear()
    assert json.loads(compute(task))["rows"] > 0
    kept = {one.name for one in bucket.list("store/kept") if one.name.endswith(".zip")}
    assert kept
    bucket.delete(sorted(kept))  # as if it had died before
    assert json.loads(compute(task)) == {"rows": 0}
    assert kept <= {one.name for one in bucket.list("store/kept")}
    # What it has not used for a day does not stay.
    (cache,) = (tmp_path / "cache").glob("*/store")
    unused, gone = (
        cache / "kept/facts-0-0123456789abcdef.zip",
        cache / "events/2020-01-0123456789abcdef.parquet",
    )
    for path in (unused, gone):
        path.touch()
        os.utime(path, (0, 0))
    _asked.cache_clear()
    assert json.loads(compute(task)) == {"rows": 0}
    assert not unused.exists()
    assert not gone.exists()
    assert list((cache / "events").glob("*.parquet"))


def test_sail_gives_byte_equal_tables(there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    try:
        _ = version("pysail"), version("pyspark-client")
    except PackageNotFoundError:
        pytest.skip("Sail or the Spark Connect client is not installed")
    expected = published(there)
    monkeypatch.setenv("ANSWERABLE_CACHE", str(tmp_path / "sail"))
    with sail(tmp_path) as url:
        monkeypatch.delenv("ANSWERABLE_CACHE")
        environment = os.environ | {"ANSWERABLE_EXECUTOR": url, "PYTHONPATH": str(ROOT)}
        (tmp_path / "run.py").write_text(_NOTHING_HERE)
        command = [sys.executable, str(tmp_path / "run.py"), str(there)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert published(there) == expected
    assert list((tmp_path / "sail").glob("*/store/events/*.parquet"))


def test_what_others_computed_is_read_where_nothing_was_ever_computed(there: Path, tmp_path: Path):
    expected = published(there)
    run_inline(load(there))
    other = tmp_path / "other"
    shutil.copytree(there, other, symlinks=True, ignore=shutil.ignore_patterns("store", "published"))
    with patch("flows.parts._computed", side_effect=AssertionError("computed here")):
        done = run_inline(load(other))
    assert published(other) == expected
    assert done.absorbed.state.rows > 1000
    events = other / "warehouse/store/events"
    assert not list(events.glob("*.parquet")), "no event was needed"
    # Without it every event is read, and fetched for it.
    forget(other)
    assert published(other) == expected
    assert run_inline(load(other)).is_unchanged
    assert len(list(events.glob("*.parquet"))) == len(done.absorbed.state.event_files)
