"""Who does tasks: workers of a cluster, where one is set.

An executor is handed a function that others can import too, and short texts; it returns what the function
returned for each. It knows nothing of what the texts say. `ANSWERABLE_EXECUTOR` names it:

(unset)           no executor: this process computes, on all of its cores
dask              workers on this machine, as many processes as `ANSWERABLE_WORKERS` says or cores
dask://host:8786  the scheduler of a Dask cluster
sc://host:15002   a Spark Connect server: Spark, or Sail
"""

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Protocol

from contracts.errors import ExecutorError, WorkspaceError

VARIABLE, WORKERS, LEAST = "ANSWERABLE_EXECUTOR", "ANSWERABLE_WORKERS", "ANSWERABLE_EXECUTOR_EVENTS"
LEAST_EVENTS = 500_000
"""With fewer events to read, sending for others takes longer than reading them."""

Work = Callable[[str], str]


class Executor(Protocol):
    """Somebody who does tasks."""

    @property
    def least(self) -> int:
        """With fewer events than this to be read nobody is sent for."""
        ...

    def run(self, work: Work, tasks: Sequence[str]) -> Iterator[str]:
        """Do every task, again where a worker is lost; yields what came of each, in any order.

        Raises:
            ExecutorError: Nobody answers, or nobody can do it.
        """
        ...

    def answer(self) -> str:
        """Who would do tasks, in a few words.

        Raises:
            ExecutorError: Nobody answers.
        """
        ...


def executor_of(environment: Mapping[str, str]) -> Executor | None:
    """The executor that the environment names; None for this process.

    Raises:
        WorkspaceError: It names none that there is.
    """
    name = environment.get(VARIABLE, "").strip()
    if not name:
        return None
    least = _count(environment, LEAST, LEAST_EVENTS)
    scheme, _, place = name.partition("://")
    # Imported here: packages that most have no need for.
    if scheme == "dask" and (place or "://" not in name):
        from warehouse.executors.on_dask import OnDask  # noqa: PLC0415

        return OnDask(place or None, _count(environment, WORKERS, os.cpu_count() or 1), least)
    if scheme == "sc" and place:
        from warehouse.executors.on_spark import OnSpark  # noqa: PLC0415

        return OnSpark(name, least)
    raise WorkspaceError.at(
        VARIABLE,
        f"names no executor: {name!r}.",
        "Write 'dask', 'dask://host:port' or 'sc://host:port'; unset it to compute in this process.",
    )


def needed(module: str, extra: str) -> ModuleType:
    """A package that only an executor needs.

    Raises:
        ExecutorError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ExecutorError.at(
            VARIABLE, f"needs the package {error.name!r}, which is not installed.", install(extra)
        ) from None


def install(extra: str) -> str:
    """How an extra is installed."""
    return f"pip install 'answerable[{extra}]'."


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    written = environment.get(name, "").strip()
    if not written:
        return default
    if not written.isdecimal() or not int(written):
        raise WorkspaceError.at(name, f"is no number from 1: {written!r}.", "Write one, or unset it.")
    return int(written)
