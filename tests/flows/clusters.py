"""Clusters of the tests' own on loopback: Dask's scheduler and workers, Sail. All are ended by their process."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from flows.run import run_inline
from flows.workspace import load
from tests.conftest import ROOT
from warehouse.executors import Executor

START_SECONDS = 120

STUCK = """
import os, time
from pathlib import Path
import warehouse.kept as kept

def half(path, tables, written=kept._write):
    written(path, tables)
    os.truncate(path, path.stat().st_size // 2)
    Path({begun!r}).write_text(str(os.getpid()))
    time.sleep(3600)

if kept._write.__name__ != "half":  # Dask loads this twice
    kept._write = half
"""
"""A worker that gets half through writing what it keeps, says so, and goes no further."""

SLOW = """
import time
from pathlib import Path
import warehouse.kept as kept

def slow(path, tables, written=kept._write):
    Path({begun!r}).touch()
    path.write_bytes(b"half")
    time.sleep(1)
    written(path, tables)
    Path({begun!r}).unlink()

if kept._write.__name__ != "slow":
    kept._write = slow
"""
"""A worker that takes a second to write what it keeps, and says so meanwhile."""

_SAIL = """
import sys
from pysail.spark import SparkConnectServer

server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
"""


@dataclass
class Cluster:
    """A Dask scheduler, and workers that come and go.

    Attributes:
        folder: Where logs are.
        url: As `ANSWERABLE_EXECUTOR` names it.
        running: Ends what was started.
    """

    folder: Path
    url: str
    running: ExitStack
    workers: list[subprocess.Popen] = field(default_factory=list)

    def join(self, preload: Path | None = None) -> subprocess.Popen:
        """One worker more, a process without a nanny: killed, it stays dead."""
        name = f"worker{len(self.workers)}"
        command = ["distributed.cli.dask_worker", self.url.replace("dask://", "tcp://"), "--name", name]
        command += ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.folder)]
        command += ["--preload", str(preload)] if preload else []
        self.workers.append(self.running.enter_context(process(self.folder / f"{name}.log", *command)))
        return self.workers[-1]


@contextmanager
def process(log: Path, module: str, *words: str) -> Iterator[subprocess.Popen]:
    """A module of Python as a process of its own, ended when it is left."""
    with log.open("w") as out:
        command = [sys.executable, "-m", module, *words]
        started = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
        try:
            yield started
        finally:
            started.kill()
            started.wait()


@contextmanager
def dask(folder: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    told = folder / "scheduler.log"
    words = ("--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0")
    with ExitStack() as running:
        scheduler = running.enter_context(process(told, "distributed.cli.dask_scheduler", *words))
        place = _said(scheduler, told, "Scheduler at:")
        yield Cluster(folder, place.split()[-1].replace("tcp://", "dask://"), running)


@contextmanager
def sail(folder: Path) -> Iterator[str]:
    """A Sail server; as `ANSWERABLE_EXECUTOR` names it."""
    with (folder / "sail.log").open("w") as log:
        command = [sys.executable, "-c", _SAIL]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        server = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
        try:
            yield f"sc://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()
            server.communicate()


def until_joined(executor: Executor, said: str) -> None:
    """Wait until a cluster says how many have joined it."""
    while said not in executor.answer():
        time.sleep(0.2)


@contextmanager
def computed_elsewhere() -> Iterator[None]:
    """Cases in several buckets, and whatever this process would compute itself fails."""
    with (
        patch("flows.case_parts.PARTITION_ROWS", 200),
        patch("flows.parts._computed", side_effect=AssertionError("computed here")),
        patch("flows.case_parts._summed_up", side_effect=AssertionError("computed here")),
    ):
        yield


def run_while_one_is_killed(
    root: Path, executor: Executor, doomed: subprocess.Popen, begun: Path, after_s: float
) -> bool:
    """Run with two workers, one of which is killed meanwhile; whether it was half through writing."""
    until_joined(executor, "2 workers")
    killing = threading.Timer(after_s, doomed.kill)
    killing.start()
    with patch("flows.case_parts.PARTITION_ROWS", 200):
        run_inline(load(root))
    killing.join()
    doomed.wait()
    return begun.exists()


def _said(started: subprocess.Popen, log: Path, what: str) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if what in line:
                return line
        assert started.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def wait_for(path: Path) -> str:
    """What stands in a file that somebody is about to write."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()):
            return text
        time.sleep(0.05)
    raise AssertionError(f"{path} was never written")
