"""Files in a folder: CSV with a header, or one JSON object a line; plain or gzipped.

Nothing is guessed: separator, encoding and nulls are declared. What cannot be read is set aside line
by line; a file is only refused whole when its header or its packing is wrong.
"""

import gzip
import time
import zlib
from pathlib import Path

from contracts.errors import FeedError
from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from contracts.readings import Reading
from flows.feeds import Offer
from flows.feeds._csv import read_csv
from flows.feeds._jsonl import read_jsonl
from flows.feeds._lines import Lines
from warehouse.files import digest


def offers(stream: Stream, root: Path) -> list[Offer]:
    """The files there are, in the order of their names; one that is still being written is left."""
    paths = sorted(path for path in root.glob(stream.files) if path.is_file())
    _settle(paths, stream.settle_seconds)
    return [
        Offer(str(path.relative_to(root)), path, digest(path))
        for path in paths
        if not _is_fresh(path, stream.settle_seconds)
    ]


def read(offer: Offer, stream: Stream, shape: SchemaObject) -> Reading:
    """One file's rows as texts.

    Raises:
        FeedError: The file is empty, its packing is damaged, or its header is not the contract's.
    """
    raw = _unpacked(offer)
    if not raw.strip():
        raise FeedError.at(offer.name, "is empty.", "Deliver it again, at least with its header.")
    lines = Lines.of(raw, stream, offer.name)
    reader = read_csv if stream.format == "csv" else read_jsonl
    return reader(lines, stream, shape, offer.name)


def _settle(paths: list[Path], seconds: float) -> None:
    """Give files that have just changed the time to settle, once."""
    if any(_is_fresh(path, seconds) for path in paths):
        time.sleep(seconds)


def _is_fresh(path: Path, seconds: float) -> bool:
    return time.time() - path.stat().st_mtime < seconds  # noqa: TID251 - the file's clock is the machine's


def _unpacked(offer: Offer) -> bytes:
    raw = offer.path.read_bytes()
    if offer.path.suffix != ".gz":
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FeedError.at(offer.name, f"is cut or damaged: {error}.", "Deliver it again.") from None
