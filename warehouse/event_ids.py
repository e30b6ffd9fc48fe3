"""Which event ids a file of events has, found without reading the file.

events/2026-05-<hash>.ids    beside events/2026-05-<hash>.parquet

An index is a row of 64-bit words: what it is, then for every block of keys the first one and their sum, then the
keys. A key is the hash of an event id, its lowest six bits replaced by the number of the row group that the event
stands in; keys are ascending. So a look-up touches one block an id, and only blocks whose sum is right are believed.

Hashes only say where to look: whoever finds one reads the row group and compares the ids themselves, so two ids
with one hash cost a look and nothing else. An index is derived: one that is missing, cut, changed or made by another
version of the hash is made anew from its file.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from warehouse.files import accessing, at_hand, part_of

GROUPS_MAX = 64
"""Row groups that a key can tell apart."""

_BLOCK = 512
_HEAD = 5
_MAGIC = int.from_bytes(b"ids 0001", "little")
_SEED = 0x5EED
_PROBE = pl.Series(["", "answerable", "what this version of the hash makes of a text"])
_WORD = np.dtype("<u8")
_IN_GROUP = np.uint64(GROUPS_MAX - 1)
_PADDING = np.uint64(2**64 - 1)
_AT_ONCE = 2048
"""Blocks that are added up at a time: 8 MB."""
_SPARE_BITS, _BITS_MAX = 4, 27
"""Of 16 stored keys one has the first bits of a wanted one by chance; at most 128 MB say which bits those are."""
_MANY = 1 / 8
"""From so many wanted keys a stored one on all stored ones are looked at, instead of each wanted one looked for."""


@dataclass(frozen=True)
class Wanted:
    """Event ids that are looked for, in the order of their keys.

    Attributes:
        ids: The ids.
        keys: Their hashes without the bits of the row group, ascending.
    """

    ids: pl.Series
    keys: np.ndarray

    @classmethod
    def of(cls, ids: pl.Series) -> "Wanted":
        """The ids of a column."""
        keys = _hashes(ids) & ~_IN_GROUP
        order = np.argsort(keys)
        return cls(ids.gather(order), keys[order])

    @cached_property
    def begins(self) -> np.ndarray:
        """Whether any key begins with some bits, by the number that they are."""
        bits = min(len(self.keys).bit_length() + _SPARE_BITS, _BITS_MAX)
        begins = np.zeros(2**bits, dtype=bool)
        begins[self.keys >> (64 - bits)] = True
        return begins

    @property
    def doubled(self) -> int:
        """How many of them are one of the others again."""
        is_next = np.append(self.keys[1:] == self.keys[:-1], False)
        alike = self.ids.filter(pl.Series(is_next | np.roll(is_next, 1)))
        return alike.len() - alike.n_unique()


class _DamagedError(Exception):
    """An index cannot be believed: it is made anew."""


def index_of(path: Path) -> Path:
    """Where the index of a file is or would be."""
    return path.with_suffix(".ids")


def write_index(path: Path, groups: Sequence[pl.Series]) -> None:
    """Write the index of a file, unless there is one.

    Args:
        path: The file of events.
        groups: The event ids of its row groups, in order.
    """
    if not index_of(path).exists():
        _write(path, groups)


def found_in(path: Path, rows: int, wanted: Wanted) -> Mapping[int, pl.Series]:
    """Which of the ids a file of events may have, by the row group where it has them.

    What is not told of is not in the file. A missing or damaged index is made anew first.

    Args:
        path: The file of events, which is read only if its index has to be made.
        rows: How many events it has.
        wanted: The ids.
    """
    try:
        places, groups = _search(path, rows, wanted)
    except (_DamagedError, OSError, ValueError):
        _write(path, list(_ids_by_group(path)))
        places, groups = _search(path, rows, wanted)
    return {int(group): wanted.ids.gather(places[groups == group]) for group in np.unique(groups)}


def _hashes(ids: pl.Series) -> np.ndarray:
    return ids.cast(pl.String).hash(_SEED).to_numpy()


@cache
def _version() -> int:
    """What this version of the hash makes of texts that are known: polars promises nothing from one to the next."""
    return int.from_bytes(hashlib.sha256(_hashes(_PROBE).tobytes()).digest()[:8], "little")


def _ids_by_group(path: Path) -> Iterator[pl.Series]:
    with accessing(at_hand(path)):
        file = pq.ParquetFile(path)
        for group in range(file.num_row_groups):
            yield pl.DataFrame(file.read_row_group(group, columns=["event_id"]))["event_id"]


def _write(path: Path, groups: Sequence[pl.Series]) -> None:
    parts = [(_hashes(ids) & ~_IN_GROUP) | np.uint64(group) for group, ids in enumerate(groups) if ids.len()]
    keys = np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=_WORD)
    blocks = -(-len(keys) // _BLOCK)
    padded = np.concatenate([keys, np.full(blocks * _BLOCK - len(keys), _PADDING)]).astype(_WORD)
    table = padded.reshape(blocks, _BLOCK)
    directory = np.concatenate([table[:, 0], table.sum(axis=1, dtype=_WORD)]).astype(_WORD)
    head = np.array([_MAGIC, _version(), len(keys), _named(path), 0], dtype=_WORD)
    head[-1] = _check(head, directory)
    target = index_of(path)
    part = part_of(target)
    with accessing(target):
        try:
            with part.open("wb") as file:
                for words in (head, directory, padded):
                    file.write(words.tobytes())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def _named(path: Path) -> int:
    """The hash in the name of the file that an index belongs to."""
    return int(path.stem.rpartition("-")[2], 16)


def _check(head: np.ndarray, directory: np.ndarray) -> np.uint64:
    said = hashlib.sha256(head[:-1].tobytes() + directory.tobytes())
    return np.uint64(int.from_bytes(said.digest()[:8], "little"))


@dataclass(frozen=True)
class _Directory:
    """The blocks of an index.

    Attributes:
        firsts: First key of every block.
        sums: Sum of every block's keys.
        is_right: Blocks whose sum was found to be right, by number; grows as they are looked at.
    """

    firsts: np.ndarray
    sums: np.ndarray
    is_right: np.ndarray = field(compare=False)


@lru_cache(maxsize=4096)
def _directory(path: Path, _inode: int, size: int, _changed_at: int, rows: int) -> _Directory:
    """The directory of a file's index, read and checked once as long as nothing changes."""
    blocks = -(-rows // _BLOCK)
    if size != _WORD.itemsize * (_HEAD + 2 * blocks + blocks * _BLOCK):
        raise _DamagedError
    words = np.fromfile(index_of(path), dtype=_WORD, count=_HEAD + 2 * blocks)
    head, directory = words[:_HEAD], words[_HEAD:]
    expected = np.array([_MAGIC, _version(), rows, _named(path)], dtype=_WORD)
    if not np.array_equal(head[:-1], expected) or head[-1] != _check(head, directory):
        raise _DamagedError
    return _Directory(directory[:blocks], directory[blocks:], np.zeros(blocks, dtype=bool))


def _search(path: Path, rows: int, wanted: Wanted) -> tuple[np.ndarray, np.ndarray]:
    """Places of the wanted keys that the index has, and the row group of each; a key may be there more than once."""
    keys = wanted.keys
    if not rows or not len(keys):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=_WORD)
    status = index_of(path).stat()
    known = _directory(path, status.st_ino, status.st_size, status.st_mtime_ns, rows)
    blocks = len(known.firsts)
    table = np.memmap(
        index_of(path),
        dtype=_WORD,
        mode="r",
        offset=_WORD.itemsize * (_HEAD + 2 * blocks),
        shape=(blocks, _BLOCK),
    ).view(np.ndarray)
    stored = table.reshape(-1)
    if len(keys) < blocks / _BLOCK.bit_length():
        block = np.maximum(np.searchsorted(known.firsts, keys, side="left") - 1, 0)
        _believe(table, known, block)
        at = _first_not_below(stored, block * _BLOCK, keys)
    else:
        # Most blocks are looked at in any case, and a search that may look anywhere takes a tenth of the time.
        _believe(table, known, np.arange(blocks))
        if len(keys) >= _MANY * rows:
            return _of_many(stored[:rows], wanted)
        at = np.searchsorted(stored, keys, side="left")
    places, groups, left = [], [], np.flatnonzero(at < rows)
    while left.size:
        here = at[left]
        _believe(table, known, here // _BLOCK)
        there = stored[here]
        left, there = (one[there & ~_IN_GROUP == keys[left]] for one in (left, there))
        places.append(left)
        groups.append(there & _IN_GROUP)
        at[left] += 1
        left = left[at[left] < rows]
    return np.concatenate([np.empty(0, dtype=np.int64), *places]), np.concatenate(
        [np.empty(0, dtype=_WORD), *groups]
    )


def _of_many(stored: np.ndarray, wanted: Wanted) -> tuple[np.ndarray, np.ndarray]:
    """As `_search`, from the side of the stored keys: nearly all of them are not wanted, and a look says so."""
    begins = wanted.begins
    some = stored[begins[stored >> (65 - len(begins).bit_length())]]
    first, end = (np.searchsorted(wanted.keys, some & ~_IN_GROUP, side=side) for side in ("left", "right"))
    count = end - first
    before = np.cumsum(count) - count
    places = np.arange(count.sum()) + np.repeat(first - before, count)
    return places, np.repeat(some & _IN_GROUP, count)


def _believe(table: np.ndarray, known: _Directory, touched: np.ndarray) -> None:
    """Add up the touched blocks that were not added up before.

    Raises:
        _DamagedError: A sum is not what the directory says.
    """
    is_touched = np.zeros(len(known.sums), dtype=bool)
    is_touched[touched] = True
    fresh = np.flatnonzero(is_touched & ~known.is_right)
    for start in range(0, fresh.size, _AT_ONCE):
        some = fresh[start : start + _AT_ONCE]
        if not np.array_equal(table[some].sum(axis=1, dtype=_WORD), known.sums[some]):
            raise _DamagedError
    known.is_right[fresh] = True


def _first_not_below(stored: np.ndarray, starts: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Where in its block the first stored key stands that is not below a key; else where the next block begins."""
    low, high = starts.copy(), starts + _BLOCK
    for _ in range(_BLOCK.bit_length()):
        middle = (low + high) // 2
        is_open = low < high
        below = is_open & (stored[np.minimum(middle, stored.size - 1)] < keys)
        low = np.where(below, middle + 1, low)
        high = np.where(is_open & ~below, middle, high)
    return low
