"""Tables become files while later stages are still at work; a release names them once all of them keep their promises."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import takewhile
from threading import Event
from typing import Self

import polars as pl

from contracts.dictionary import layout
from contracts.tables import TABLES, Column, FactCase, Table
from flows.named_cases import CaseBlock, NamedCases
from flows.parts import code_hash, hash_of
from flows.stages import Tables
from warehouse.release import Part, TableFile
from warehouse.releases import Releases

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
        self._is_over = Event()
        self._begun: dict[type[Table], tuple[pl.DataFrame, Future[TableFile]]] = {}
        self._parts: dict[type[Table], Future[list[TableFile]]] = {}

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is being written any more, once the workspace is given free."""
        self.stop()

    def stop(self) -> None:
        """Wait for the files that are being written; what is not begun is not written any more."""
        self._is_over.set()
        self._pool.shutdown(cancel_futures=True)

    def begin(self, tables: Tables) -> None:
        """Write tables that are as they will be published; those that turn out otherwise are written again."""
        for table, frame in tables.items():
            self._begun[table] = (frame, self._pool.submit(self._releases.put, table, frame))

    def begin_cases(self, cases: NamedCases, extra: Mapping[str, Column]) -> None:
        """Write the cases, those of the months that are not published just so; once, unless that has failed.

        Args:
            cases: All of them.
            extra: Columns that the workspace adds.
        """
        begun = self._parts.get(FactCase)
        if begun is not None and not (begun.done() and begun.exception()):
            return

        def write() -> list[TableFile]:
            salt = _made_by(extra)
            blocks = takewhile(lambda _: not self._is_over.is_set(), cases.blocks(salt))
            return self._releases.put_parts(FactCase, (_part(cases, one, salt) for one in blocks), extra)

        self._parts[FactCase] = self._pool.submit(write)

    def begin_parts(self, table: type[Table], parts: Sequence[Part]) -> None:
        """Write those parts of a table that are not published just so."""
        self._parts[table] = self._pool.submit(self._releases.put_parts, table, parts)

    def files(self, tables: Tables) -> tuple[TableFile, ...]:
        """The files of every table, once all are written.

        Args:
            tables: Every table of a release, but for those that are written by parts.

        Raises:
            PromiseError: A table breaks its contract.
            StoreError: A file cannot be written.
        """
        begun = {table: one for table, (one, _) in self._begun.items()}
        self.begin({t: frame for t, frame in tables.items() if begun.get(t) is not frame})
        files: list[TableFile] = []
        for table in TABLES:
            parts = self._parts.get(table)
            files += parts.result() if parts is not None else [self._begun[table][1].result()]
        return tuple(files)


def _part(cases: NamedCases, block: CaseBlock, salt: str) -> Part:
    state, been = cases.states(block, salt)

    def mend(before: pl.DataFrame, since: str) -> pl.DataFrame | None:
        return cases.mended(block, before, been[since])

    rows = partial(cases.rows, block.places, within=block.within, as_few=True)
    return Part(block.period, block.key, rows, state, frozenset(been), mend)


def _made_by(extra: Mapping[str, Column]) -> str:
    """What a file of cases is made of besides their rows: the code, columns, what they mean."""
    return hash_of([code_hash(), layout(FactCase, extra)])
