"""Work that others do gives the tables that this machine makes, byte for byte; what they lack is said."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from unittest.mock import patch

import pytest

from contracts.errors import ExecutorError, WorkspaceError
from flows.packs import packs
from flows.passes import measure
from flows.restated import HISTORIES
from flows.run import run_inline
from flows.tasks import Task, compute
from flows.workspace import load
from tests.conftest import ROOT, Call, Company, Sandbox
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
from tests.properties.test_kept import differing
from warehouse.executors import executor_of
from warehouse.files import digest
from warehouse.store import EventStore

KILLS = int(os.environ.get("ANSWERABLE_WORKER_KILLS", "0"))
SEED = 20_261_128
EVERY = {"ANSWERABLE_EXECUTOR_EVENTS": "1"}
"""However few events there are to read, they are sent for."""

_NOTHING_HERE = """
import sys
from pathlib import Path
from unittest.mock import patch
from flows.run import run_inline
from flows.workspace import load

with patch("flows.parts._computed", side_effect=AssertionError("computed here")):
    run_inline(load(Path(sys.argv[1])))
"""
_OLD = {table.table_name() for table in HISTORIES}


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    pytest.importorskip("distributed", reason="Dask is not installed")
    with dask(tmp_path_factory.mktemp("dask")) as started:
        yield started


@pytest.fixture
def anew(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The synthetic company, published, with nothing kept of what its events give."""
    root = tmp_path / "company"
    shutil.copytree(company.root, root, symlinks=True)
    shutil.rmtree(root / "warehouse/store/kept")
    monkeypatch.setenv("ANSWERABLE_EXECUTOR_EVENTS", "1")
    return root


def published(root: Path) -> dict[str, str]:
    """The bytes of every table of the newest release, hashed."""
    files = (root / "warehouse/published/current").resolve().glob("*/*.parquet")
    found = {path.parent.name: digest(path) for path in files if path.parent.name not in _OLD}
    assert len(found) > 20
    return found


def told(workspace: Path) -> list[tuple[str, int, int]]:
    """Run a workspace and return what was told of measuring."""
    heard: list[tuple[str, int, int]] = []
    run_inline(load(workspace), lambda *said: heard.append(said))
    return [said for said in heard if said[0] == "measure" and said[2] > 1]


def test_two_dask_workers_give_byte_equal_tables(
    anew: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
):
    expected = published(anew)
    cluster.join()
    cluster.join()
    monkeypatch.setenv("ANSWERABLE_EXECUTOR", cluster.url)
    executor = executor_of(os.environ)
    until_joined(executor, "2 workers, 2 threads")
    with computed_elsewhere():
        heard = told(anew)
    assert published(anew) == expected
    parts = len(packs(EventStore(anew / "warehouse/store").head().months))
    assert parts > 3
    assert ("measure", parts, parts) in heard
    assert len(heard) > parts, "cases are made by workers too"


def test_a_worker_killed_half_through_a_task_costs_a_retry(anew: Path, cluster: Cluster, tmp_path: Path):
    begun, executor = tmp_path / "begun", executor_of({"ANSWERABLE_EXECUTOR": cluster.url, **EVERY})
    (tmp_path / "stuck.py").write_text(STUCK.format(begun=str(begun)))
    doomed = cluster.join(preload=tmp_path / "stuck.py")
    workspace, store = load(anew), EventStore(anew / "warehouse/store")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(measure, workspace, store.head(), kept=store.kept, executor=executor)
        assert int(wait_for(begun)) == doomed.pid
        # Alone so far: whatever it holds is lost with it.
        os.kill(doomed.pid, signal.SIGKILL)
        cluster.join()
        there = running.result(240)
    assert differing(measure(workspace, store.head()), there) == []


@pytest.mark.skipif(not KILLS, reason="set ANSWERABLE_WORKER_KILLS to kill workers at any instant")
def test_workers_killed_at_any_instant_cost_retries(
    anew: Path, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    expected, chance, met = published(anew), random.Random(SEED), 0
    begun = tmp_path / "begun"
    (tmp_path / "slow.py").write_text(SLOW.format(begun=str(begun)))
    monkeypatch.setenv("ANSWERABLE_EXECUTOR", cluster.url)
    executor = executor_of(os.environ)
    cluster.join()
    for _ in range(KILLS):
        shutil.rmtree(anew / "warehouse/store/kept", ignore_errors=True)
        begun.unlink(missing_ok=True)
        doomed = cluster.join(preload=tmp_path / "slow.py")
        met += run_while_one_is_killed(anew, executor, doomed, begun, chance.uniform(0.5, 4))
        assert published(anew) == expected
    sys.stderr.write(f"{KILLS} workers killed, {met} of them half through writing\n")
    assert met or KILLS < 10


def test_sail_gives_byte_equal_tables(anew: Path, tmp_path: Path):
    try:
        _ = version("pysail"), version("pyspark-client")
    except PackageNotFoundError:
        pytest.skip("Sail or the Spark Connect client is not installed")
    expected = published(anew)
    with sail(tmp_path) as url:
        # A process of its own, and a file: Spark takes `python -c`, as xdist has it, for its doctests.
        environment = os.environ | {"ANSWERABLE_EXECUTOR": url, "PYTHONPATH": str(ROOT)}
        (tmp_path / "run.py").write_text(_NOTHING_HERE)
        command = [sys.executable, str(tmp_path / "run.py"), str(anew)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert published(anew) == expected
    assert (anew / "warehouse/store/kept").is_dir()


def test_processes_of_this_machine_are_started_and_ended_with_the_run(anew: Path):
    pytest.importorskip("distributed", reason="Dask is not installed")
    workspace, store = load(anew), EventStore(anew / "warehouse/store")
    here = measure(workspace, store.head())
    executor = executor_of({"ANSWERABLE_EXECUTOR": "dask", "ANSWERABLE_WORKERS": "1", **EVERY})
    there = measure(workspace, store.head(), kept=store.kept, executor=executor)
    assert differing(here, there) == []
    assert there.read == here.read


def test_a_task_done_twice_reads_once(anew: Path):
    task = tasks(anew)[0]
    assert json.loads(compute(task)) == {"rows": _rows(anew)}
    assert json.loads(compute(task)) == {"rows": 0}


def test_a_worker_with_another_program_is_told_so(anew: Path):
    task = Task(**json.loads(tasks(anew)[0]))
    said = json.loads(compute(replace(task, keys=("another",)).said()))
    assert said["error"] == "ExecutorError"
    assert "its program is another one" in said["problems"][0]["what"]


def test_a_defect_of_a_worker_keeps_its_traceback(anew: Path):
    task = tasks(anew)[0]
    with patch("flows.turn_parts.match", side_effect=ZeroDivisionError("a defect")):
        assert "ZeroDivisionError: a defect" in json.loads(compute(task))["defect"]


def test_workers_that_see_another_folder_are_found_out(anew: Path, monkeypatch: pytest.MonkeyPatch):
    class Elsewhere:
        least = 1

        def run(self, _work, tasks):
            return ('{"rows": 1}' for _ in tasks)

    monkeypatch.setattr("flows.run.executor_of", lambda _: Elsewhere())
    with pytest.raises(ExecutorError, match=r"do(es)? not hold what workers say they kept: \d+ parts"):
        run_inline(load(anew))


@pytest.mark.parametrize(("name", "package"), [("dask", "distributed"), ("sc://127.0.0.1:1", "pyspark.sql")])
def test_a_package_that_is_missing_is_named(name: str, package: str, monkeypatch: pytest.MonkeyPatch):
    for module in [one for one in sys.modules if one.partition(".")[0] == package.partition(".")[0]]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    executor = executor_of({"ANSWERABLE_EXECUTOR": name})
    assert executor is not None
    with pytest.raises(ExecutorError, match=r"pip install 'answerable\[(dask|spark)\]'"):
        executor.answer()


@pytest.mark.parametrize("name", ["ray", "dask://", "sc://", "tcp://127.0.0.1:8786", "localhost:8786"])
def test_what_names_no_executor_is_refused(name: str):
    with pytest.raises(WorkspaceError, match=r"names no executor.*Write 'dask'"):
        executor_of({"ANSWERABLE_EXECUTOR": name})


@pytest.mark.parametrize("count", ["0", "two", "-1", "1.5"])
def test_a_count_that_is_none_is_refused(count: str):
    with pytest.raises(WorkspaceError, match=r"ANSWERABLE_WORKERS: is no number from 1"):
        executor_of({"ANSWERABLE_EXECUTOR": "dask", "ANSWERABLE_WORKERS": count})


def test_without_the_variable_this_process_computes():
    assert executor_of({}) is None
    assert executor_of({"ANSWERABLE_EXECUTOR": " "}) is None


def test_nobody_there_is_an_error_within_bounds(
    sandbox: Sandbox, call: Call, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("distributed", reason="Dask is not installed")
    sandbox.answers(
        "1,a@example.org,2026-01-05T10:00:00,web,order,5", "2,b@example.org,2026-02-05T10:00:00,web,order,4"
    )
    monkeypatch.setenv("ANSWERABLE_EXECUTOR", "dask://127.0.0.1:1")
    monkeypatch.setenv("ANSWERABLE_EXECUTOR_EVENTS", "1")
    monkeypatch.setattr("warehouse.executors.on_dask.START_SECONDS", 1)
    said = call("run", sandbox.root)
    assert said.code == 10
    assert "ANSWERABLE_EXECUTOR: does not answer at tcp://127.0.0.1:1" in said.err
    assert "Traceback" not in said.err
    with suppress(SystemExit):
        said = call("doctor", sandbox.root)
    assert "does not answer at tcp://127.0.0.1:1" in said.out


def test_few_events_are_not_sent_anywhere(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    sandbox.answers(
        "1,a@example.org,2026-01-05T10:00:00,web,order,5", "2,b@example.org,2026-02-05T10:00:00,web,order,4"
    )
    monkeypatch.setenv("ANSWERABLE_EXECUTOR", "dask://127.0.0.1:1")
    assert sandbox.run().release.number == 1


def tasks(root: Path) -> list[str]:
    """The tasks that a run would send."""
    from flows.briefs import brief_of
    from flows.parts import keys_of
    from flows.tasks import Team

    sent: list[str] = []

    class Noting:
        least = 1

        def run(self, _work, tasks):
            sent.extend(tasks)
            return iter(())

    store, brief = EventStore(root / "warehouse/store"), brief_of(load(root))
    asked = brief.asked_of(store.head(), store.kept)
    with pytest.raises(ExecutorError):
        Team(brief, asked, keys_of(asked), Noting(), lambda *_: None).make_parts()
    return sent


def _rows(root: Path) -> int:
    months = EventStore(root / "warehouse/store").head().months
    return max(sum(file.rows for file in pack) for pack in packs(months))
