"""Files in a folder: CSV with a header, or one JSON object a line; plain or gzipped.

Nothing is guessed: separator, encoding and nulls are declared. What cannot be read is set aside line
by line; a file is only refused whole when its header or its packing is wrong.
"""

import gzip
import hashlib
import os
import time
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from contracts.errors import FeedError
from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from contracts.readings import Reading
from flows.feeds import Offer, Offers
from flows.feeds._csv import read_csv
from flows.feeds._jsonl import read_jsonl
from flows.feeds._lines import Lines
from flows.unread import listed
from warehouse.files import digest

_CHUNK = 1 << 22
_WAIT_SECONDS = 5.0
_RESTED_SECONDS = 2.0
"""A file that changed later may change again within one tick of its clock."""
_NO_TEXT = {
    b"\x1f\x8b": "is packed with gzip, but its name does not end in .gz",
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook",
    b"PAR1": "is a Parquet file",
    b"%PDF": "is a PDF",
    b"SQLite format 3": "is a SQLite database",
}
"""What a file is that begins with these bytes."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def offers(stream: Stream, root: Path) -> Offers:
    """The files there are, in the order of their names; one that is still being written is left.

    What has a file's name and is none is offered too: `read` says so.
    """
    return settled(stream, root)


def settled(stream: Stream, root: Path, is_whole: Callable[[Path], bool] = lambda _: False) -> Offers:
    """The files there are that nobody is writing any more.

    Args:
        stream: The stream.
        root: The workspace.
        is_whole: Whether a file was whole as soon as it was there.
    """
    every, left = listed(stream.files, root)
    found = sorted(every, key=lambda path: path.parts)
    paths = [path for path in found if path.is_file()]
    _settle([path for path in paths if not is_whole(path)], stream.settle_seconds)
    ready = {path for path in paths if is_whole(path) or not freshness(path, stream.settle_seconds)}
    has_suffix = bool(Path(stream.files).suffix)  # else folders may be meant to lie there
    taken = [path for path in found if path in ready or _is_odd(path, is_folder_odd=has_suffix)]
    return Offers((_offer(path, root) for path in taken), left)


def read(offer: Offer, stream: Stream, shape: SchemaObject) -> Reading:
    """One file's rows as texts.

    Raises:
        FeedError: The file is empty, its packing is damaged, its header is not the contract's, or its name no text.
    """
    if not _is_text(Path(*offer.path.parts[-len(Path(offer.name).parts) :])):
        raise FeedError.at(offer.name, "has a name that is no UTF-8.", "Rename it.")
    if not offer.path.is_file():
        raise FeedError.at(
            offer.name, f"is no file but {_kind(offer.path)}.", "Put the file itself there, or remove it."
        )
    reader = read_csv if stream.format == "csv" else read_jsonl
    return reader(lines_of(offer, stream), stream, shape, offer.name)


def lines_of(offer: Offer, stream: Stream) -> Lines:
    """One file's lines.

    Raises:
        FeedError: The file is empty, or its packing is damaged.
    """
    lines = Lines.of(_chunks(offer, stream), stream, offer.name)
    if not lines.unreadable and not len(lines.without_blank()):
        raise FeedError.at(offer.name, "is empty.", "Deliver it again, or remove it.")
    return lines


def _is_odd(path: Path, *, is_folder_odd: bool) -> bool:
    """Whether what lies there is no file, though it has a file's name: a pipe, a link to nothing, a folder."""
    if path.is_dir():
        return is_folder_odd
    return (path.is_symlink() or path.exists()) and not path.is_file()


def _offer(path: Path, root: Path) -> Offer:
    below = path.relative_to(root)
    if _is_text(below) and path.is_file():
        return Offer(str(below), path, _digest(path))
    # What is wrong is its name, shown escaped, or its kind: with another one it is another delivery.
    name = os.fsencode(below)
    return Offer(name.decode("utf-8", "backslashreplace"), path, hashlib.sha256(name).hexdigest())


def _kind(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    return "something else, like a pipe" if path.exists() else "a link to nothing"


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _settle(paths: list[Path], seconds: float) -> None:
    """Give files that have just changed the time to settle, once and not for long."""
    left = max((freshness(path, seconds) for path in paths), default=0.0)
    if left:
        time.sleep(min(left, _WAIT_SECONDS))


def freshness(path: Path, seconds: float) -> float:
    """How long a file has yet to rest, in seconds; 0 when it has, or when its clock is ahead of ours."""
    try:
        age = time.time() - path.stat().st_mtime  # noqa: TID251 - the file's clock is the machine's
    except FileNotFoundError:
        return seconds  # it went while we looked: no file of this run
    return max(seconds - age, 0.0) if age >= 0 else 0.0


def _digest(path: Path) -> str:
    try:
        known = path.stat()
        if time.time() - known.st_ctime < _RESTED_SECONDS:  # noqa: TID251 - the file's clock is the machine's
            return digest(path)
        return _digest_of(path, known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns)
    except OSError:
        return ""  # `read` meets the same and says so


@lru_cache(maxsize=262_144)
def _digest_of(path: Path, *_unchanged: int) -> str:
    """A file's hash, read once in a process as long as nothing about the file changes."""
    return digest(path)


def _chunks(offer: Offer, stream: Stream) -> Iterator[bytes]:
    """The file's bytes, unpacked."""
    try:
        with offer.path.open("rb") as file:
            if offer.path.suffix.lower() == ".gz":
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield from _checked(iter(lambda: unpacked.read(_CHUNK), b""), offer, stream)
            else:
                yield from _checked(iter(lambda: file.read(_CHUNK), b""), offer, stream)
    except EOFError:
        raise FeedError.at(offer.name, "is cut: its packing ends too early.", "Deliver it again.") from None
    except gzip.BadGzipFile as error:
        raise FeedError.at(offer.name, f"is no sound gzip file: {error}.", "Deliver it again.") from None
    except zlib.error:
        raise FeedError.at(offer.name, "is damaged: it cannot be unpacked.", "Deliver it again.") from None
    except OSError as error:
        raise FeedError.at(offer.name, f"cannot be read: {error.strerror}.", "Let us read it.") from None


def _checked(chunks: Iterator[bytes], offer: Offer, stream: Stream) -> Iterator[bytes]:
    """The chunks, once the first tells that the file is a text at all."""
    head = next(chunks, b"")
    for mark, what in _NO_TEXT.items():
        if head.startswith(mark):
            raise FeedError.at(offer.name, f"{what}, no {stream.format}.", f"Deliver it as {stream.format}.")
    if head.startswith(_UTF_16) and "16" not in stream.encoding and "32" not in stream.encoding:
        remedy = "Declare 'encoding: utf-16', or deliver it as UTF-8."
        raise FeedError.at(offer.name, f"is UTF-16, not {stream.encoding}.", remedy)
    yield head
    yield from chunks
