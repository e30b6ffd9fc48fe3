"""What checks of the map share: a thing and where it stands, and times as people read them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from contracts.documents import Document
from contracts.errors import Problem
from contracts.tenures import EARLIEST, LATEST, instant

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class PlacedItem:
    """One thing of the map and where it stands."""

    item: Any
    document: Document
    section: str
    index: int

    def at(self, *path: str | int) -> str:
        """`file:line` of a part of it."""
        return self.document.where(self.section, self.index, *path)

    def line(self, *path: str | int) -> str:
        """The line alone."""
        return self.at(*path).rpartition(":")[2]


Placed = dict[str, list[PlacedItem]]
"""The things of a map that are sound in themselves, by section."""


def backward(
    one: PlacedItem, zone: ZoneInfo, start: datetime | None, end: datetime | None, path: Path = ()
) -> Iterator[Problem]:
    """A problem if `end` does not come after `start`."""
    begins, ends = instant(start, zone, EARLIEST), instant(end, zone, LATEST)
    if begins >= ends:
        what = f"'until' {said(ends, zone)} is not after 'from' {said(begins, zone)}."
        yield Problem(one.at(*path), what, "'until' is the first moment after.")


def once(named: Iterable[tuple[str, str]], kind: str, remedy: str) -> Iterator[Problem]:
    """A problem for every name that stands in a second place: (name, place)."""
    first: dict[str, str] = {}
    for name, where in named:
        if name in first:
            yield Problem(where, f"{kind} {name!r} stands already at {first[name]}.", remedy)
        first.setdefault(name, where)


def said(moment: datetime, zone: ZoneInfo) -> str:
    """An instant as people write it: a day, or to the second."""
    if moment in (EARLIEST, LATEST):
        return "the beginning" if moment == EARLIEST else "the end"
    local = moment.astimezone(zone)
    is_midnight = (local.hour, local.minute, local.second) == (0, 0, 0)
    return f"{local:%Y-%m-%d}" if is_midnight else f"{local:%Y-%m-%dT%H:%M:%S}"


def between(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """A stretch of time as people say it."""
    return f"from {said(start, zone)} until {said(end, zone)}"
