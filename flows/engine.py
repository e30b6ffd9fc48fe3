"""Which of polars' engines computes what. Both give the same tables, to the last bit."""

from collections.abc import Generator
from contextlib import contextmanager

import polars as pl

ROWS_MAX = 100_000
"""Beyond so many rows the streaming engine takes as long, and less memory."""


@contextmanager
def suited(rows: int = 0) -> Generator[None]:
    """The engine for queries over so many rows: for few of them in memory.

    Setting up the streaming engine takes longer than queries do over what is aggregated: what a stage is given that
    measuring left behind is few, and of cases and customers it asks for what has changed. Files stay with polars' own
    choice, which bounds memory; the pass over events bounds it by how many it reads at once.
    """
    if rows > ROWS_MAX:
        yield
        return
    with pl.Config(engine_affinity="in-memory"):
        yield
