"""A file as lines: where each begins, which can be read as text."""

import codecs
from dataclasses import dataclass, replace

import numpy as np

from contracts.errors import FeedError
from contracts.feeds import Stream
from contracts.readings import Unreadable

_NEWLINE, _RETURN = 10, b"\r"
_SHOWN = 200


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
    def of(cls, raw: bytes, stream: Stream, name: str) -> "Lines":
        """Split a file into lines and set those aside that cannot be read.

        Raises:
            FeedError: The whole file is not in the declared encoding.
        """
        text = _as_utf8(raw, stream, name)
        buffer = np.frombuffer(text, dtype=np.uint8)
        ends = np.flatnonzero(buffer == _NEWLINE)
        if not text.endswith(b"\n"):
            ends = np.append(ends, len(text))
        starts = np.concatenate([[0], ends[:-1] + 1])
        lines = cls(text, starts, ends, np.arange(1, len(ends) + 1))
        return lines.without_blank().without_long(stream).without_invalid(stream)

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

    def without_long(self, stream: Stream) -> "Lines":
        """The lines within the limit; longer ones are set aside by their place."""
        size = self.ends - self.starts
        too_long = size > stream.line_limit_bytes
        if not too_long.any():
            return self
        found = tuple(
            Unreadable(
                int(self.numbers[i]),
                "line.too_long",
                f"{size[i]} bytes from byte {self.starts[i]}; the limit is {stream.line_limit_bytes}",
            )
            for i in np.flatnonzero(too_long)
        )
        return replace(self.pick(~too_long), unreadable=(*self.unreadable, *found))

    def without_invalid(self, stream: Stream) -> "Lines":
        """Lines that are not valid UTF-8 are read in the fallback encoding, or set aside."""
        if _is_utf8(self.raw):
            return self
        bad = np.array(
            [not _is_utf8(self.raw[s:e]) for s, e in zip(self.starts, self.ends, strict=True)], dtype=bool
        )
        found, mended, pieces = [], [], []
        for i in np.flatnonzero(bad):
            piece = self.raw[self.starts[i] : self.ends[i]]
            if stream.fallback_encoding is None:
                shown = piece.decode("utf-8", "backslashreplace")
                found.append(Unreadable(int(self.numbers[i]), "line.not_utf8", shown))
            else:
                mended.append(i)
                pieces.append(piece.decode(stream.fallback_encoding, "replace").encode())
        kept = self._with_mended(np.array(mended, dtype=int), pieces)
        return replace(
            kept.pick(np.isin(kept.numbers, [one.line for one in found], invert=True)),
            unreadable=(*self.unreadable, *found),
        )

    def _with_mended(self, indexes: np.ndarray, pieces: list[bytes]) -> "Lines":
        if not pieces:
            return self
        starts, ends, raw = self.starts.copy(), self.ends.copy(), self.raw
        extra = bytearray(raw if raw.endswith(b"\n") else raw + b"\n")
        for index, piece in zip(indexes, pieces, strict=True):
            starts[index], ends[index] = len(extra), len(extra) + len(piece)
            extra += piece + b"\n"
        return replace(self, raw=bytes(extra), starts=starts, ends=ends)


def _as_utf8(raw: bytes, stream: Stream, name: str) -> bytes:
    if codecs.lookup(stream.encoding).name not in ("utf-8", "ascii"):
        try:
            raw = raw.decode(stream.encoding).encode()
        except UnicodeDecodeError as error:
            remedy = "Declare the 'encoding' it is in."
            raise FeedError.at(
                name, f"is not {stream.encoding}: {error.reason} at byte {error.start}.", remedy
            ) from None
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if _RETURN in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(_RETURN, b"\n")
    return raw


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
