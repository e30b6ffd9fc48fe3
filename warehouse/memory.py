"""What a process that stays published last: a table that has not changed since is neither checked nor written again."""

from collections.abc import Mapping
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


class Memory(Generic[File]):
    """The tables of the last release, as they were handed over, and which file each became.

    Frames are held by reference: a table costs memory only once its next form has come.
    """

    def __init__(self) -> None:
        self._tables: dict[str, _Published[File]] = {}

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

    def note(self, table: str, frame: pl.DataFrame, columns: Mapping[str, object], file: File) -> None:
        """Remember what a table became."""
        if frame.estimated_size() <= BYTES_MAX:
            self._tables[table] = _Published(frame, columns, file)
        else:
            self._tables.pop(table, None)


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
