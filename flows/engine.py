"""Which of polars' engines computes what. Both give the same tables, to the last bit."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import polars as pl

from flows.passes import Measured
from flows.workspace import LoadedWorkspace

ROWS_MAX = 100_000
"""Beyond so many rows the streaming engine takes as long, and less memory."""

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def suited(rows: int) -> Generator[None]:
    """The engine for queries over so many rows: for few of them in memory.

    Setting up the streaming engine takes longer than queries do over what is aggregated. Files stay with polars' own
    choice, which bounds memory; the pass over events bounds it by how many it reads at once.
    """
    if rows > ROWS_MAX:
        yield
        return
    with pl.Config(engine_affinity="in-memory"):
        yield


def suitably(
    work: Callable[Concatenate[LoadedWorkspace, Measured, P], T],
) -> Callable[Concatenate[LoadedWorkspace, Measured, P], T]:
    """For a stage over what was measured, of which only `MOVES` are many: of cases it asks for what has changed."""

    @wraps(work)
    def stage(workspace: LoadedWorkspace, measured: Measured, *args: P.args, **kwargs: P.kwargs) -> T:
        with suited(measured.moves.height):
            return work(workspace, measured, *args, **kwargs)

    return stage
