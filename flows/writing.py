"""Tables become files while later stages are still at work; a release names them once all of them keep their promises."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import polars as pl

from contracts.tables import TABLES, Column, FactCase, Table
from flows.stages import Tables
from warehouse.releases import Releases, TableFile

_THREADS = 2
"""While one file is being brought onto the disk, others are checked; with more of them deliveries wait longer for their answer."""


class Writers:
    """Threads that write the tables of one run.

    Args:
        releases: Where to.
    """

    def __init__(self, releases: Releases) -> None:
        self._releases = releases
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="writer")
        self._begun: dict[type[Table], tuple[pl.DataFrame, Future[TableFile]]] = {}

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what is being written: nothing is, once the workspace is given free."""
        self._pool.shutdown(cancel_futures=True)

    def begin(self, tables: Tables, extra: Mapping[str, Column]) -> None:
        """Write tables that are as they will be published; those that turn out otherwise are written again.

        Args:
            tables: The tables.
            extra: Columns that the workspace adds to FactCase.
        """
        for table, frame in tables.items():
            columns = extra if table is FactCase else None
            self._begun[table] = (frame, self._pool.submit(self._releases.put, table, frame, columns))

    def files(self, tables: Tables, extra: Mapping[str, Column]) -> tuple[TableFile, ...]:
        """The files of every table, once all are written.

        Args:
            tables: Every table of a release.
            extra: Columns that the workspace adds to FactCase.

        Raises:
            PromiseError: A table breaks its contract.
            StoreError: A file cannot be written.
        """
        begun = {table: one for table, (one, _) in self._begun.items()}
        self.begin({t: frame for t, frame in tables.items() if begun.get(t) is not frame}, extra)
        return tuple(self._begun[table][1].result() for table in TABLES)
