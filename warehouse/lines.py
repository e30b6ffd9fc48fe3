"""Tables of hashes that lie in a file: a look-up touches one line of 64 bytes, however many there are.

head (8 words) | lines | what found no room in its line

The first bits of a hash say which line it is in, the next ones stand there beside a number of ours. A line's first word
makes up for all others: its sum is one that only this line of this file has, so what a look-up touches is checked and
nothing else is read. Hashes only say where to look: whoever finds a number compares what was hashed.

Such files are derived: one that is missing, cut, changed or made by another version of the hash is made anew.
"""

import hashlib
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from warehouse.files import Stamp, accessing, part_of, stamp_of

_HEAD = 8
_LINE_BYTES = 64
_WORD = np.dtype("<u8")
_SHARE = 3 / 4
"""Lines are so many that at most this share of their room is taken; half of it at least."""
_BITS_MIN = 2
_ODD = 0x9E3779B97F4A7C15
_AT_ONCE = 4_096
"""Lines that are looked at together: a quarter of a megabyte."""
_SEED = 0x5EED
_PROBE = pl.Series(["", "answerable", "what this version of the hash makes of a text"])


_SPARE_BITS, _MARKS_MAX = 4, 27
"""Of 16 hashes in a table one has the first bits of a sought one by chance; at most 128 MB say which bits those are."""


class DamagedError(Exception):
    """A table cannot be believed: it is made anew."""


@dataclass(frozen=True)
class Kind:
    """What stands in a line.

    Attributes:
        magic: What tells such files from others.
        word: Of a hash's bits and a number together.
        number_bits: How many of them the number takes.
    """

    magic: bytes
    word: np.dtype
    number_bits: int

    @property
    def room(self) -> int:
        """How many hashes a line has room for."""
        return _LINE_BYTES // self.word.itemsize - 1

    @property
    def hash_bits(self) -> int:
        """How many bits of a hash stand in a line; one more says that there is one."""
        return self.word.itemsize * 8 - self.number_bits - 1

    def told(self, keys: np.ndarray, bits: int) -> np.ndarray:
        """What stands in a line of hashes whose first bits say which line that is, without the number."""
        following = (keys << np.uint64(bits)) >> np.uint64(64 - self.hash_bits)
        return (following | np.uint64(1 << self.hash_bits)).astype(self.word)


@dataclass(frozen=True)
class Sought:
    """Hashes that are looked for.

    Attributes:
        hashes: The hashes, in any order.
    """

    hashes: np.ndarray

    @cached_property
    def keys(self) -> np.ndarray:
        """Their first bits, ascending: all but those that it takes to say whose they are."""
        return self._sorted & ~self.blur

    @cached_property
    def order(self) -> np.ndarray:
        """Which hash each key is of."""
        return (self._sorted & self.blur).astype(np.int64)

    @cached_property
    def begins(self) -> np.ndarray:
        """Whether any of them begins with some bits, by the number that they are."""
        bits = min(max(len(self.keys).bit_length(), _BITS_MIN) + _SPARE_BITS, _MARKS_MAX)
        begins = np.zeros(2**bits, dtype=bool)
        begins[self.keys >> np.uint64(64 - bits)] = True
        return begins

    @property
    def blur(self) -> np.uint64:
        """The bits that keys lack."""
        return np.uint64(2 ** max(len(self.hashes) - 1, 0).bit_length() - 1)

    @cached_property
    def _sorted(self) -> np.ndarray:
        # Sorting numbers takes a sixth of the time that it takes to sort places of numbers.
        made = self.hashes & ~self.blur
        made |= np.arange(len(made), dtype=np.uint32)
        made.sort()
        return made


def hashes(texts: pl.Series) -> np.ndarray:
    """64 bits of each text."""
    return texts.cast(pl.String).hash(_SEED).to_numpy()


@cache
def version() -> int:
    """What this version of the hash makes of texts that are known: polars promises nothing from one to the next."""
    return int.from_bytes(hashlib.sha256(hashes(_PROBE).tobytes()).digest()[:8], "little")


def write(
    path: Path,
    kind: Kind,
    keys: np.ndarray,
    name: int,
    numbers: np.ndarray | None = None,
    more: Sequence[np.ndarray] = (),
) -> None:
    """Write a file, all of it or nothing.

    Args:
        path: Where.
        kind: What it is for.
        keys: Hashes, ascending.
        name: Tells the file from others.
        numbers: What is found by each; where absent, it stands in the last bits of the hashes.
        more: What comes behind the table.
    """
    bits = _BITS_MIN
    while len(keys) > kind.room * _SHARE * 2**bits:
        bits += 1
    part = part_of(path)
    with accessing(path):
        try:
            with part.open("wb") as file:
                file.seek(_HEAD * _WORD.itemsize)
                spilled = [np.empty((2, 0), dtype=_WORD)]
                for lines, left in _lines(kind, keys, numbers, bits, name):
                    file.write(lines.data.cast("B"))
                    spilled.append(left)
                behind = np.concatenate(spilled, axis=1)
                for words in (behind, *more):
                    file.write(words.data.cast("B") if words.size else b"")
                file.seek(0)
                file.write(_head(kind, len(keys), name, bits, behind).data.cast("B"))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _head(kind: Kind, rows: int, name: int, bits: int, spilled: np.ndarray) -> np.ndarray:
    head = np.array([0, version(), rows, name, bits, spilled.shape[1], 0, 0], dtype=_WORD)
    head[0] = int.from_bytes(kind.magic, "little")
    head[-1] = _check(head, spilled)
    return head


def _lines(
    kind: Kind, keys: np.ndarray, numbers: np.ndarray | None, bits: int, name: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Lines, some at a time, and what finds no room in them."""
    starts = np.arange(0, 2**bits, _AT_ONCE)
    ends = [*np.searchsorted(keys, starts.astype(_WORD) << np.uint64(64 - bits)), len(keys)]
    in_number = np.uint64(2**kind.number_bits - 1)
    for start, (begin, end) in zip(starts.tolist(), pairwise(ends), strict=True):
        some = keys[begin:end]
        found = some & in_number if numbers is None else numbers[begin:end]
        some = some & ~in_number if numbers is None else some
        table = np.zeros((min(_AT_ONCE, 2**bits - start), kind.room + 1), dtype=kind.word)
        line = (some >> np.uint64(64 - bits)).astype(np.int64) - start
        counts = np.bincount(line, minlength=len(table))
        place = np.arange(len(some)) - np.repeat(np.cumsum(counts) - counts, counts)
        slots = (kind.told(some, bits) << kind.word.type(kind.number_bits)) | found.astype(kind.word)
        fits = place < kind.room
        at = line * (kind.room + 1) + place + 1
        table.reshape(-1)[at[fits]] = slots[fits]
        table[:, 0] = _sums(kind, np.arange(start, start + len(table)), name) - table.sum(
            axis=1, dtype=kind.word
        )
        yield table, np.stack([some[~fits], found[~fits].astype(_WORD)])


def _sums(kind: Kind, lines: np.ndarray, name: int) -> np.ndarray:
    """What the words of lines add up to."""
    return ((lines.astype(_WORD) + np.uint64(1)) * np.uint64(_ODD) ^ np.uint64(name)).astype(kind.word)


def _check(head: np.ndarray, spilled: np.ndarray) -> np.uint64:
    said = hashlib.sha256(head[:-1].tobytes() + spilled.tobytes())
    return np.uint64(int.from_bytes(said.digest()[:8], "little"))


def pages(path: Path) -> mmap.mmap | bytes:
    """A file's bytes where they lie.

    Raises:
        OSError: There is none.
        ValueError: It is empty.
    """
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError:  # there are file systems that cannot: it is read then
            return file.read()


_BELIEVED: dict[Path, Stamp] = {}
"""Files of which every line was found to be right, and what they were stamped then."""
_BELIEVED_MAX = 4096


def believe(path: Path, table: "Lines") -> None:
    """See that every line is what it should be: once a process, as long as nothing changes.

    Raises:
        DamagedError: One is not.
    """
    stamp = stamp_of(path)
    if _BELIEVED.get(path) != stamp:
        table.believe_all()
        if len(_BELIEVED) >= _BELIEVED_MAX:
            _BELIEVED.clear()
        _BELIEVED[path] = stamp


@dataclass(frozen=True)
class Lines:
    """A table that is looked up where it lies.

    Attributes:
        kind: What it is for.
        bits: How many bits of a hash say in which line it is.
        table: The lines.
        spilled: Hashes that found no room in their line, ascending.
        spilled_numbers: What is found by each.
        name: Tells the file from others.
        end: Where the file goes on, in bytes.
    """

    kind: Kind
    bits: int
    table: np.ndarray
    spilled: np.ndarray
    spilled_numbers: np.ndarray
    name: int
    end: int

    @classmethod
    def of(cls, kind: Kind, pages: mmap.mmap | bytes, rows: int, name: int) -> "Lines":
        """The table that a file begins with.

        Raises:
            DamagedError: It is not what it should be.
        """
        if len(pages) < _HEAD * _WORD.itemsize:
            raise DamagedError
        head = np.frombuffer(pages, _WORD, _HEAD)
        told = [int.from_bytes(kind.magic, "little"), version(), rows, name]
        bits, count = int(head[4]), int(head[5])
        table_at = _HEAD * _WORD.itemsize
        if head[:4].tolist() != told or bits > _WORD.itemsize * 8 or count > rows:
            raise DamagedError
        spilled_at = table_at + _LINE_BYTES * 2**bits
        end = spilled_at + 2 * count * _WORD.itemsize
        if len(pages) < end:
            raise DamagedError
        spilled = np.frombuffer(pages, _WORD, 2 * count, spilled_at).reshape(2, count)
        if head[-1] != _check(head, spilled):
            raise DamagedError
        words = kind.room + 1
        table = np.frombuffer(pages, kind.word, words * 2**bits, table_at).reshape(2**bits, words)
        return cls(kind, bits, table, spilled[0], spilled[1], name, end)

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places of the keys that there may be, and the number of each; a key may be there more than once.

        Raises:
            DamagedError: A line that was looked at is not what it should be.
        """
        places, numbers = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            at = (some >> np.uint64(64 - self.bits)).astype(np.int64)
            lines = self.table.take(at, axis=0)
            self._believe(lines, at)
            is_told = (
                lines >> self.kind.word.type(self.kind.number_bits)
                == self.kind.told(some, self.bits)[:, None]
            )
            slot = np.flatnonzero(is_told)
            slot = slot[slot % lines.shape[1] > 0]
            numbers.append(self._numbers(lines.reshape(-1)[slot]))
            places.append(slot // lines.shape[1] + start)
            if self.spilled.size and (full := np.flatnonzero(lines[:, -1])).size:
                place, found = _between(self.spilled, some[full], some[full])
                places.append(full[found] + start)
                numbers.append(self.spilled_numbers[place].astype(np.int64))
        return np.concatenate(places), np.concatenate(numbers)

    def find_among(self, sought: Sought) -> tuple[np.ndarray, np.ndarray]:
        """As `find`, from the side of what the table has: nearly all of that is not asked for, and a look says so."""
        bits = len(sought.begins).bit_length() - 1
        found = [np.empty((2, 0), dtype=np.int64)]
        starts = np.arange(0, len(self.table), _AT_ONCE)
        parts = [
            *np.searchsorted(sought.keys, starts.astype(_WORD) << np.uint64(64 - self.bits)),
            len(sought.keys),
        ]
        for start, (begin, end) in zip(starts.tolist(), pairwise(parts), strict=True):
            first, last, slot = self._some(sought.begins, start, bits - self.bits)
            place, which = _between(sought.keys[begin:end], first & ~sought.blur, last)
            place = sought.order[place + begin] if place.size else place
            is_told = (sought.hashes[place] >= first[which]) & (sought.hashes[place] <= last[which])
            found.append(np.stack([place, self._numbers(slot[which])])[:, is_told])
        is_some = sought.begins[(self.spilled >> np.uint64(64 - bits)).astype(np.int64)]
        some = self.spilled[is_some]
        place, which = _between(sought.keys, some & ~sought.blur, some)
        place = sought.order[place] if place.size else place
        numbers = self.spilled_numbers[is_some][which].astype(np.int64)
        found.append(np.stack([place, numbers])[:, sought.hashes[place] == some[which]])
        places, groups = np.concatenate(found, axis=1)
        return places, groups

    def _some(
        self, begins: np.ndarray, start: int, further: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Words of lines from `start` on that may be of keys, and between what these keys would be."""
        lines = self.table[start : start + _AT_ONCE]
        at = np.flatnonzero(begins.take(self._begins(lines, start, further)))
        slot, width = lines.reshape(-1)[at], self.kind.room + 1
        is_told = (slot > 0) & (at % width > 0)
        at, slot = at[is_told] // width + start, slot[is_told]
        lost = np.uint64(64 - self.bits - self.kind.hash_bits)
        told = (slot >> self.kind.word.type(self.kind.number_bits)).astype(_WORD)
        told = (told & np.uint64(2**self.kind.hash_bits - 1)) << lost
        told |= at.astype(_WORD) << np.uint64(64 - self.bits)
        return told, told | ((np.uint64(1) << lost) - np.uint64(1)), slot

    def _begins(self, lines: np.ndarray, start: int, further: int) -> np.ndarray:
        """With which bits every word of some lines begins, the first ones of lines and words that have none included."""
        line = np.arange(start, start + len(lines))
        if further <= 0:
            return np.repeat(line >> -further, lines.shape[1])
        inner = lines >> self.kind.word.type(self.kind.hash_bits + self.kind.number_bits - further)
        inner &= self.kind.word.type(2**further - 1)
        inner |= (line << further).astype(self.kind.word)[:, None]
        return inner.reshape(-1)

    def believe_all(self) -> None:
        """See that every line is what it should be.

        Raises:
            DamagedError: One is not.
        """
        for start in range(0, len(self.table), _AT_ONCE):
            lines = self.table[start : start + _AT_ONCE]
            self._believe(lines, np.arange(start, start + len(lines)))

    def _believe(self, lines: np.ndarray, at: np.ndarray) -> None:
        if not np.array_equal(np.einsum("ij->i", lines), _sums(self.kind, at, self.name)):
            raise DamagedError

    def _numbers(self, slots: np.ndarray) -> np.ndarray:
        return (slots & self.kind.word.type(2**self.kind.number_bits - 1)).astype(np.int64)


def _between(there: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of all that lies between some ends, both included, and which ends these are."""
    begin = np.searchsorted(there, first, side="left")
    some = np.flatnonzero(begin < len(there))
    some = some[there[begin[some]] <= last[some]]
    begin = begin[some]
    count = np.searchsorted(there, last[some], side="right") - begin
    before = np.cumsum(count) - count
    return np.arange(count.sum()) + np.repeat(begin - before, count), np.repeat(some, count)
