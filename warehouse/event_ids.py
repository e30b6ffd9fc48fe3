"""Which event ids a file of events has, found without reading the file.

events/2026-05-<hash>.ids    beside events/2026-05-<hash>.parquet

An index is a table of hashes, see `warehouse.lines`; beside each stands the number of the row group that the event is in.
Hashes only say where to look: whoever finds one reads the row group and compares the ids themselves, so two ids
with one hash cost a look and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from warehouse import lines
from warehouse.files import accessing, at_hand, bits_of
from warehouse.lines import DamagedError, Kind, Lines, Sought

GROUPS_MAX = 64
"""Row groups that an index can tell apart."""

_KIND = Kind(b"ids 0002", np.dtype("<u4"), (GROUPS_MAX - 1).bit_length())
_IN_GROUP = np.uint64(GROUPS_MAX - 1)
_MANY = 1 / 8
"""From so many wanted keys a stored one on all stored ones are looked at, instead of each wanted one looked for."""


@dataclass(frozen=True)
class Wanted:
    """Event ids that are looked for.

    Attributes:
        ids: The ids.
        sought: What they are found by.
    """

    ids: pl.Series
    sought: Sought

    @classmethod
    def of(cls, ids: pl.Series) -> "Wanted":
        """The ids of a column."""
        return cls(ids, Sought(keys_of(ids)))

    @property
    def doubled(self) -> int:
        """How many of them are one of the others again."""
        keys = self.sought.keys
        is_next = keys[1:] == keys[:-1]
        if not is_next.any():
            return 0
        is_next = np.append(is_next, False)
        alike = self.ids.gather(self.sought.order[is_next | np.roll(is_next, 1)])
        return alike.len() - alike.n_unique()


def index_of(path: Path) -> Path:
    """Where the index of a file is or would be."""
    return path.with_suffix(".ids")


def write_index(path: Path, keys: np.ndarray, rows: Sequence[int]) -> None:
    """Write the index of a file, unless there is one.

    Args:
        path: The file of events.
        keys: What its ids are found by, row after row.
        rows: How many of them each row group has.
    """
    if not index_of(path).exists():
        told = keys | np.repeat(np.arange(len(rows), dtype=np.uint64), rows)
        told.sort()
        lines.write(index_of(path), _KIND, told, bits_of(path))


def found_in(path: Path, rows: int, wanted: Wanted) -> Mapping[int, pl.Series]:
    """Which of the ids a file of events may have, by the row group where it has them.

    What is not told of is not in the file. A missing or damaged index is made anew first.

    Args:
        path: The file of events, which is read only if its index has to be made.
        rows: How many events it has.
        wanted: The ids.
    """
    if not rows or not wanted.ids.len():
        return {}
    try:
        places, groups = _search(path, rows, wanted)
    except (DamagedError, OSError, ValueError):
        _write_anew(path)
        places, groups = _search(path, rows, wanted)
    return {group: wanted.ids.gather(places[groups == group]) for group in sorted(set(groups.tolist()))}


def keys_of(ids: pl.Series) -> np.ndarray:
    """What ids are found by: 64 bits of each, the last ones 0."""
    return lines.hashes(ids) & ~_IN_GROUP


def _write_anew(path: Path) -> None:
    with accessing(at_hand(path)):
        file = pq.ParquetFile(path)
        parts = [
            pl.DataFrame(file.read_row_group(g, columns=["event_id"])) for g in range(file.num_row_groups)
        ]
    index_of(path).unlink(missing_ok=True)
    ids = pl.concat(parts)["event_id"]
    write_index(path, keys_of(ids), [part.height for part in parts])


def _search(path: Path, rows: int, wanted: Wanted) -> tuple[np.ndarray, np.ndarray]:
    """Places of the wanted ids that the index may have, and the row group of each."""
    index = Lines.of(_KIND, lines.pages(index_of(path)), rows, bits_of(path))
    if wanted.ids.len() < _MANY * rows:
        return index.find(wanted.sought.hashes)
    lines.believe(index_of(path), index)
    return index.find_among(wanted.sought)
