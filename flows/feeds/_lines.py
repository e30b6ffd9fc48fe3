"""A file as lines: where each begins, which can be read as text.

The file passes by in chunks, so a line that is too long is never in memory as a whole.
"""

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from contracts.errors import FeedError
from contracts.feeds import TOO_LONG, Stream
from contracts.readings import Unreadable

_NEWLINE = 10
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Lines:
    """The lines of a file as UTF-8.

    Attributes:
        raw: All bytes; lines end with a newline.
        starts: Where every line begins.
        ends: Where it ends, the newline not included.
        numbers: Its number in the file, from 1.
        unreadable: Lines that are too long or not valid text; they are not among the others.
    """

    raw: bytes
    starts: np.ndarray
    ends: np.ndarray
    numbers: np.ndarray
    unreadable: tuple[Unreadable, ...] = ()

    @classmethod
    def of(cls, chunks: Iterable[bytes], stream: Stream, name: str) -> "Lines":
        """Split a file into lines and set those aside that cannot be read. Blank lines stay.

        Args:
            chunks: The file's bytes, in parts of any size.
            stream: Encoding and limit of a line.
            name: The file's name, for messages.

        Raises:
            FeedError: The whole file is not in the declared encoding.
        """
        bounded = _Bounded(stream.line_limit_bytes)
        for chunk in _newlines(_without_mark(_as_utf8(chunks, stream, name))):
            bounded.add(chunk)
        raw = bounded.finish()
        ends = np.flatnonzero(np.frombuffer(raw, dtype=np.uint8) == _NEWLINE)
        starts = np.concatenate([np.zeros(1, dtype=ends.dtype), ends[:-1] + 1]) if len(ends) else ends
        every = np.arange(1, len(ends) + len(bounded.long) + 1)
        numbers = np.delete(every, [one.line - 1 for one in bounded.long]) if bounded.long else every
        lines = cls(raw, starts, ends, numbers, tuple(bounded.long))
        return lines.without_invalid(stream).without_nul()

    def __len__(self) -> int:
        return len(self.starts)

    def text(self, index: int) -> str:
        """One line as text."""
        return self.raw[self.starts[index] : self.ends[index]].decode()

    def pick(self, chosen: np.ndarray) -> "Lines":
        """Some of the lines."""
        return replace(self, starts=self.starts[chosen], ends=self.ends[chosen], numbers=self.numbers[chosen])

    def joined(self) -> bytes:
        """The lines as one text, without whatever stood between them."""
        contiguous = len(self) and bool(np.all(self.starts[1:] == self.ends[:-1] + 1))
        if contiguous:
            return self.raw[self.starts[0] : self.ends[-1]]
        return b"\n".join(self.raw[s:e] for s, e in zip(self.starts, self.ends, strict=True))

    def count(self, character: str) -> np.ndarray:
        """How often a character occurs in every line."""
        at = np.flatnonzero(np.frombuffer(self.raw, dtype=np.uint8) == ord(character))
        return np.searchsorted(at, self.ends) - np.searchsorted(at, self.starts)

    def without_blank(self) -> "Lines":
        """The lines that hold anything."""
        return self.pick(self.ends > self.starts)

    def without_invalid(self, stream: Stream) -> "Lines":
        """Lines that are not valid UTF-8 are read in the fallback encoding, or set aside."""
        found, mended, pieces = [], [], []
        for i in self._invalid():
            piece = self.raw[self.starts[i] : self.ends[i]]
            try:
                pieces.append(piece.decode(stream.fallback_encoding or "utf-8").encode())
                mended.append(i)
            except UnicodeError:
                shown = piece.decode("utf-8", "backslashreplace")
                found.append(Unreadable(int(self.numbers[i]), "line.not_utf8", shown))
        return self._with_mended(mended, pieces).set_aside(found)

    def without_nul(self) -> "Lines":
        """Lines with a NUL byte are set aside: no text has one, and other programs end there."""
        if b"\0" not in self.raw:
            return self
        found = [
            Unreadable(int(self.numbers[i]), "line.nul_byte", self.text(i).replace("\0", "\\0"))
            for i in np.flatnonzero(self.count("\0"))
        ]
        return self.set_aside(found)

    def set_aside(self, found: list[Unreadable]) -> "Lines":
        """The lines without some that cannot be read."""
        if not found:
            return self
        kept = self.pick(np.isin(self.numbers, [one.line for one in found], invert=True))
        return replace(kept, unreadable=(*self.unreadable, *found))

    def _invalid(self) -> Iterator[int]:
        """Lines that are not valid UTF-8, looked for one by one only in blocks that are not."""
        first = 0
        while first < len(self):
            last = int(np.searchsorted(self.ends, self.starts[first] + _BLOCK))
            last = min(max(last, first + 1), len(self))
            if not _is_utf8(self.raw[self.starts[first] : self.ends[last - 1]]):
                yield from (
                    i for i in range(first, last) if not _is_utf8(self.raw[self.starts[i] : self.ends[i]])
                )
            first = last

    def _with_mended(self, indexes: list[int], pieces: list[bytes]) -> "Lines":
        if not pieces:
            return self
        starts, ends = self.starts.copy(), self.ends.copy()
        extra = bytearray(self.raw)
        for index, piece in zip(indexes, pieces, strict=True):
            starts[index], ends[index] = len(extra), len(extra) + len(piece)
            extra += piece + b"\n"
        return replace(self, raw=bytes(extra), starts=starts, ends=ends)


@dataclass
class _Bounded:
    """Gathers lines within a limit; of longer ones only where they stand.

    Attributes:
        limit: Longest line in bytes.
        long: Lines that were longer.
    """

    limit: int
    long: list[Unreadable] = field(default_factory=list)
    _kept: list[bytes] = field(default_factory=list)
    _line: bytes = b""
    _size: int = 0
    _begin: int = 0
    _lines: int = 0

    def add(self, chunk: bytes) -> None:
        """Take the next part of the file; its lines end with newlines."""
        head, found, rest = chunk.rpartition(b"\n")
        if not found:
            self._grow(rest)
            return
        first, _, others = (head + found).partition(b"\n")
        self._grow(first)
        self._end_line()
        if others:
            self._whole(others)
        self._grow(rest)

    def finish(self) -> bytes:
        """Everything within the limit, every line with its end."""
        if self._size:
            self._end_line()
        return b"".join(self._kept)

    def _grow(self, part: bytes) -> None:
        self._size += len(part)
        self._line = self._line + part if self._size <= self.limit else b""

    def _end_line(self) -> None:
        if self._size > self.limit:
            self._note(self._lines + 1, self._begin, self._size)
        else:
            self._kept += [self._line, b"\n"]
        self._lines += 1
        self._begin += self._size + 1
        self._line, self._size = b"", 0

    def _whole(self, lines: bytes) -> None:
        """Take lines that begin and end in this chunk."""
        ends = np.flatnonzero(np.frombuffer(lines, dtype=np.uint8) == _NEWLINE)
        starts = np.concatenate([np.zeros(1, dtype=ends.dtype), ends[:-1] + 1])
        sizes = ends - starts
        kept = 0
        for i in np.flatnonzero(sizes > self.limit):
            self._kept.append(lines[kept : starts[i]])
            kept = ends[i] + 1
            self._note(self._lines + int(i) + 1, self._begin + int(starts[i]), int(sizes[i]))
        self._kept.append(lines[kept:] if kept else lines)
        self._lines += len(ends)
        self._begin += len(lines)

    def _note(self, number: int, begin: int, size: int) -> None:
        where = f"{size} bytes from byte {begin}; the limit is {self.limit}"
        self.long.append(Unreadable(number, TOO_LONG, where))


def _as_utf8(chunks: Iterable[bytes], stream: Stream, name: str) -> Iterator[bytes]:
    if codecs.lookup(stream.encoding).name in ("utf-8", "ascii"):
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(stream.encoding)()
    done = 0
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
            done += len(chunk)
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        at = done + getattr(error, "start", 0)
        said = getattr(error, "reason", "it cannot be read")
        remedy = "Declare the 'encoding' it is in."
        raise FeedError.at(name, f"is not {stream.encoding}: {said} near byte {at}.", remedy) from None


def _without_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The text without a byte order mark, which may come in two parts."""
    head = b""
    rest = iter(chunks)
    for chunk in rest:
        head += chunk
        if len(head) >= len(codecs.BOM_UTF8):
            break
    yield head.removeprefix(codecs.BOM_UTF8)
    yield from rest


def _newlines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The text with a newline at the end of every line, also where a file has CR LF or CR."""
    held = b""
    for chunk in chunks:
        part = held + chunk
        held = b"\r" if part.endswith(b"\r") else b""  # its LF may come with the next chunk
        part = part.removesuffix(b"\r") if held else part
        yield part.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in part else part
    if held:
        yield b"\n"


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
