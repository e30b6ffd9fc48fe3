"""Tasks on Dask: on workers of this machine, or of a cluster whose scheduler is named."""

import logging
import os
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from contracts.errors import ExecutorError
from warehouse.executors import VARIABLE, Work, install, needed

START_SECONDS, ALONE_SECONDS, LOOK_SECONDS = 30, 60, 2
RETRIES = 3
"""How often a task is done again whose worker was lost, or which failed for a reason that is not ours."""


@dataclass(frozen=True)
class OnDask:
    """A Dask cluster.

    Attributes:
        place: `host:port` of its scheduler; None for one of our own on this machine.
        workers: How many processes that one has.
        least: With fewer events than this to be read nobody is sent for.
    """

    place: str | None
    workers: int
    least: int

    def run(self, work: Work, tasks: Sequence[str]) -> Iterator[str]:
        """Do every task; yields what came of each, the first done first."""
        with self._client() as client:
            waiting = set(client.map(work, tasks, pure=False, retries=RETRIES))
            alone = 0
            while waiting:
                done, waiting = _first_done(client, waiting)
                yield from (self._result(future) for future in done)
                # Dask waits for workers for ever.
                alone = 0 if done or _workers(client) else alone + LOOK_SECONDS
                if alone >= ALONE_SECONDS:
                    raise self._none_left(len(waiting))

    def answer(self) -> str:
        """Who would do tasks."""
        if self.place is None:
            needed("distributed", "dask")
            return f"dask, {self.workers} processes on this machine"
        with self._client() as client:
            found = _workers(client)
            return f"dask://{self.place}, {len(found)} workers, {sum(found)} threads"

    def _result(self, future: Any) -> str:  # noqa: ANN401 - Dask is not a dependency
        try:
            return future.result()
        except ModuleNotFoundError as error:
            what = f"has workers that lack the package {error.name!r}."
            raise ExecutorError.at(VARIABLE, what, "Install answerable there too.") from error
        except Exception as error:
            if type(error).__name__ not in ("KilledWorker", "CancelledError", "FutureCancelledError"):
                raise
            what = f"lost a task: {str(error).splitlines()[0]}"
            raise ExecutorError.at(VARIABLE, what, "See why workers die: too little memory?") from error

    def _none_left(self, count: int) -> ExecutorError:
        what = f"has had no worker for {ALONE_SECONDS} s; {count} tasks are left."
        return ExecutorError.at(VARIABLE, what, "Start workers, then run again: what was done is kept.")

    @contextmanager
    def _client(self) -> Generator[Any]:
        dask = needed("distributed", "dask")
        with self._cluster() as address:
            try:
                client = dask.Client(address, timeout=START_SECONDS, set_as_default=False)
            except (OSError, TimeoutError) as error:
                raise self._silent(f"does not answer at {address}: {error}") from None
            with client:
                try:
                    client.wait_for_workers(1, timeout=START_SECONDS)
                except TimeoutError:
                    raise self._silent(f"has no worker at {address}.") from None
                yield client

    @contextmanager
    def _cluster(self) -> Generator[str]:
        if self.place is not None:
            yield f"tcp://{self.place}"
            return
        dask = needed("distributed", "dask")
        threads = max((os.cpu_count() or 1) // self.workers, 1)
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
            dask.LocalCluster(
                n_workers=self.workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
                local_directory=scratch,
                env={"POLARS_MAX_THREADS": str(threads)},
            ) as cluster,
        ):
            yield cluster.scheduler_address

    def _silent(self, what: str) -> ExecutorError:
        return ExecutorError.at(VARIABLE, what, f"Start it, or unset it; {install('dask')}")


def _first_done(client: Any, waiting: set[Any]) -> tuple[set[Any], set[Any]]:  # noqa: ANN401 - as above
    """What is done and what is not, after the next one or a while."""
    with client.as_current():
        try:
            found = needed("distributed", "dask").wait(waiting, LOOK_SECONDS, "FIRST_COMPLETED")
        except TimeoutError:
            return set(), waiting
    return found.done, found.not_done


def _workers(client: Any) -> list[int]:  # noqa: ANN401 - Dask is not a dependency
    """Threads of every worker."""
    return [int(threads) for threads in client.nthreads().values()]
