"""Which of polars' engines computes what."""

from collections.abc import Generator
from contextlib import contextmanager

import polars as pl


@contextmanager
def in_memory() -> Generator[None]:
    """For what is aggregated already: setting up the streaming engine takes longer than such queries do.

    The pass over events, and files, stay with polars' own choice, which bounds memory.
    """
    with pl.Config(engine_affinity="in-memory"):
        yield
