"""What a process that stays has read or written of files that never change: not read again as long as there is room.

A file whose stamp is another one than it was is read anew: it was changed, or somebody else used it meanwhile.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import polars as pl

from warehouse.files import Stamp, stamp_of

Tables = TypeVar("Tables", bound=Mapping[str, pl.DataFrame])

BYTES_MAX = 256 << 20
"""Bytes of tables that are held altogether."""
IDLE_SECONDS = 600.0
"""What was not asked for since then makes room for others. What was stays: a pass over more than fits would
otherwise drop each table right before it is asked for again."""


@dataclass
class _One(Generic[Tables]):
    tables: Tables
    size: int
    stamp: Stamp
    used_at: float


class Held(Generic[Tables]):
    """Tables of files, by path, of bounded size."""

    def __init__(self) -> None:
        self._files: dict[Path, _One[Tables]] = {}
        self._turn = threading.Lock()

    def find(self, path: Path) -> Tables | None:
        """The tables of a file, if they are held and it is as it was.

        Raises:
            OSError: The file is gone.
        """
        one = self._files.get(path)
        if one is None or one.stamp != stamp_of(path):
            return None
        return one.tables

    def note(self, path: Path, tables: Tables) -> None:
        """Hold the tables of a file, if there is room; it was just read, written or used."""
        now, size = time.monotonic(), int(sum(table.estimated_size() for table in tables.values()))
        with self._turn:
            self._files.pop(path, None)
            if self._has_room(size, now):
                self._files[path] = _One(tables, size, stamp_of(path), now)

    def _has_room(self, size: int, now: float) -> bool:
        taken = sum(one.size for one in self._files.values())
        if taken + size > BYTES_MAX:
            idle = [path for path, one in self._files.items() if now - one.used_at > IDLE_SECONDS]
            taken -= sum(self._files.pop(path).size for path in idle)
        return taken + size <= BYTES_MAX
