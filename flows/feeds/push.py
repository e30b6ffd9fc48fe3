"""Deliveries that were pushed to `answerable serve`: JSON lines files that a run pours out of the ledger's inbox.

A file that `flows.pouring` made is whole as soon as it is there. Others in the folder, of a time before the hook
say, are given the time to settle like those of any file feed.
"""

import re
from pathlib import Path

from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from contracts.readings import Reading
from flows.feeds import Offer
from flows.feeds import file as files

POURED = re.compile(r"^\d{8}T\d{12}-[0-9a-f]{16}\.jsonl$")
"""The name of a file that was poured: when, and the hash of its content."""


def offers(stream: Stream, root: Path) -> list[Offer]:
    """The files there are, in the order of their names, which is that of their coming."""
    return files.settled(stream, root, _is_poured)


def read(offer: Offer, stream: Stream, shape: SchemaObject) -> Reading:
    """One file's rows as texts.

    Raises:
        FeedError: The file is empty, or no text.
    """
    return files.read(offer, stream, shape)


def _is_poured(path: Path) -> bool:
    return POURED.match(path.name) is not None
