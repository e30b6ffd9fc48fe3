"""What a process that stays published last: a table that has not changed since is neither checked nor written again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import polars as pl

File = TypeVar("File")

BYTES_MAX = 64 << 20
"""Bytes of a table beyond which it is not remembered."""


@dataclass(frozen=True)
class _Published(Generic[File]):
    frame: pl.DataFrame
    columns: Mapping[str, object]
    file: File
    written: pl.DataFrame | None


class Memory(Generic[File]):
    """The tables of the last release, as they were handed over, and which file each became.

    Frames are held by reference: a table costs memory only once its next form has come. Of those that are asked for
    again the rows are held as they were written too, so that no file has to be read.
    """

    def __init__(self) -> None:
        self._tables: dict[str, _Published[File]] = {}
        self._asked: set[str] = set()

    def find(self, table: str, frame: pl.DataFrame, columns: Mapping[str, object]) -> File | None:
        """The file that a table became when it was the same, to the last bit; None when it was not.

        Args:
            table: The table's name.
            frame: Its rows now.
            columns: Columns that this workspace adds.
        """
        last = self._tables.get(table)
        if last is None or last.columns != columns or not is_same(last.frame, frame):
            return None
        return last.file

    def note(
        self,
        table: str,
        frame: pl.DataFrame,
        columns: Mapping[str, object],
        file: File,
        written: pl.DataFrame | None = None,
    ) -> None:
        """Remember what a table became.

        Args:
            table: The table's name.
            frame: Its rows, as they were handed over.
            columns: Columns that this workspace adds.
            file: The file it became.
            written: Its rows as the file has them.
        """
        if frame.estimated_size() <= BYTES_MAX:
            kept = written if table in self._asked else None
            self._tables[table] = _Published(frame, columns, file, kept)
        else:
            self._tables.pop(table, None)

    def rows(self, table: str, is_it: Callable[[File], bool]) -> pl.DataFrame | None:
        """The rows of a table as its file has them; None when they are not remembered, but next time they are.

        Args:
            table: The table's name.
            is_it: Whether a file is the one that is asked for.
        """
        self._asked.add(table)
        last = self._tables.get(table)
        return last.written if last is not None and is_it(last.file) else None


def is_same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Whether frames have the same columns, types, rows and order, to the last bit: 0.0 is not -0.0."""
    if one.schema != other.schema or not one.equals(other):
        return False
    return all(
        np.array_equal(_bits(one[name]), _bits(other[name]))
        for name, kind in one.schema.items()
        if kind.is_float()
    )


def _bits(values: pl.Series) -> np.ndarray:
    return values.cast(pl.Float64).fill_null(0.0).to_numpy().view(np.int64)
