"""Deliveries that were pushed to `answerable serve`: JSON lines files that a run pours out of the ledger's inbox.

A file that `flows.pouring` made is whole as soon as it is there. Others in the folder, of a time before the hook
say, are given the time to settle like those of any file feed. Where `flows.joining` made one file of several, it
stands for them, whether they are still there or not.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from contracts.readings import Reading
from flows.feeds import Offer, Offers
from flows.feeds import file as files
from flows.feeds._jsonl import read_jsonl
from flows.feeds._lines import Lines

POURED = re.compile(r"^(?P<last>\d{8}T\d{12})-[0-9a-f]{16}(-(?P<first>\d{8}T\d{12}))?\.jsonl$")
"""The name of a file that was poured: when, and the hash of its content; of one that was joined, since when too."""


@dataclass(frozen=True)
class Joined:
    """Files of one folder that were made of others, and which files those are.

    Attributes:
        firsts: The first instant of each, in order.
        files: Its last instant and its name.
    """

    firsts: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, names: Iterable[str]) -> "Joined":
        """Those among some files; one that was joined in turn is left out."""
        spans = sorted(
            ((first, last, name) for name in names for first, last in [span(name)] if first < last),
            key=lambda one: (one[0], *(-ord(sign) for sign in one[1])),
        )
        outer: list[tuple[str, str, str]] = []
        for one in spans:
            if not outer or one[1] > outer[-1][1]:
                outer.append(one)
        return cls(tuple(one[0] for one in outer), tuple(one[1:] for one in outer))

    def holder(self, name: str) -> str | None:
        """The joined file that holds what another one held; None when there is none."""
        first, last = span(name)
        at = bisect_right(self.firsts, first) - 1
        if not first or at < 0:
            return None
        ends, holder = self.files[at]
        is_beside = holder.rpartition("/")[0] == name.rpartition("/")[0]
        return holder if is_beside and last <= ends and holder != name else None


def span(name: str) -> tuple[str, str]:
    """The first and the last instant that a poured file holds; empty ones for any other file."""
    found = POURED.match(name.rpartition("/")[2])
    return (found["first"] or found["last"], found["last"]) if found else ("", "")


def offers(stream: Stream, root: Path) -> Offers:
    """The files there are, in the order of their names, which is that of their coming."""
    found = files.settled(stream, root, _is_poured)
    joined = Joined.of(offer.name for offer in found)
    return Offers((offer for offer in found if joined.holder(offer.name) is None), found.left)


def read(offer: Offer, stream: Stream, shape: SchemaObject) -> Reading:
    """One file's rows as texts.

    Raises:
        FeedError: The file is empty, or no text.
    """
    if not span(offer.name)[0]:
        return files.read(offer, stream, shape)
    lines = files.lines_of(offer, stream)
    return replace(read_jsonl(lines, stream, shape, offer.name), pushed=dict(_pushed(lines)))


def _pushed(lines: Lines) -> Iterator[tuple[int, str]]:
    """The delivery that each line was pushed with; one that cannot be read is by itself."""
    for index, number in enumerate(map(int, lines.numbers)):
        try:
            known = orjson.loads(lines.text(index))["answerable"]
            yield number, f"{known['delivery_id']!r}, received at {known['received_at']}"
        except (ValueError, LookupError, TypeError):
            yield number, f"on line {number}"
    yield from ((one.line, f"on line {one.line}") for one in lines.unreadable)


def _is_poured(path: Path) -> bool:
    return POURED.match(path.name) is not None
