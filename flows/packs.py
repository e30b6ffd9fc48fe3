"""Which files of events are measured together.

What a pass makes of few events costs as much as running it over a quarter of a million, so small months share one
pass: those of a year, a half or a quarter that have together no more than `PACK_ROWS` events. The calendar says which,
not how events arrived: a file that changes has only its own pack computed anew. The newest month stands alone, for it
changes most; what came in at one time, a small file for each of its months, is one pack. How much is read at once is
another matter: a pack is read in turns.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from warehouse.months import EventFile, Month

PACK_ROWS = 1 << 21
TURN_ROWS = 262_144
"""Events that are read and measured at once: with more of them columns no longer stay in the processor's caches."""
_SPLITS = (12, 6, 3, 1)
"""Months of a pack, from the longest."""

Pack = tuple[EventFile, ...]
Turn = tuple[Pack, int, int]
"""Files one after the other, the first of their events that is wanted, and how many from there on."""


def packs(months: Mapping[str, Month], rows: int = PACK_ROWS) -> list[Pack]:
    """Every file, in one pack each.

    Args:
        months: Months by name, `2026-05`.
        rows: Events that a pack of several files may have.
    """
    names = sorted(months)
    first = {name: months[name].files[0] for name in names}
    made = list(_of_calendar(names[:-1], first, rows, 0))
    made += [(first[name],) for name in names[-1:]]
    return [*made, *_of_arrival([file for name in names for file in months[name].files[1:]], rows)]


def _of_calendar(
    names: Sequence[str], first: Mapping[str, EventFile], rows: int, split: int
) -> Iterator[Pack]:
    """The first files of some months, by spans of so many months or, where those have too many events, shorter ones."""
    span = _SPLITS[split]
    for _, some in groupby(names, key=lambda name: (name[:4], (int(name[5:]) - 1) // span)):
        members = list(some)
        pack = tuple(first[name] for name in members)
        if len(pack) == 1 or sum(file.rows for file in pack) <= rows:
            yield pack
        else:
            yield from _of_calendar(members, first, rows, split + 1)


def _of_arrival(files: Sequence[EventFile], rows: int) -> Iterator[Pack]:
    """Small files, those together that were written for one commit."""
    told = sorted(files, key=lambda file: (file.commit, file.path))
    for commit, some in groupby(told, key=lambda file: file.commit):
        pack = tuple(some)
        if commit and sum(file.rows for file in pack) <= rows:
            yield pack
        else:
            yield from ((file,) for file in pack)


def turns_of(pack: Pack, folder: Path, at_once: int | None) -> list[Turn]:
    """A pack's events in turns: of a large file whole buckets of customers, of small ones as many as there is room for.

    Args:
        pack: The files.
        folder: The store.
        at_once: How many events there may be in one turn, unless a single bucket of customers has more; `TURN_ROWS`
            of them at most in any case.
    """
    limit, turns = min(at_once or TURN_ROWS, TURN_ROWS), list[Turn]()
    for file in pack:
        for first, count in file.turns(folder, limit):
            if first == 0 and turns and turns[-1][2] + count <= limit:
                files, begin, before = turns.pop()
                turns.append(((*files, file), begin, before + count))
            elif count:
                turns.append(((file,), first, count))
    return turns


def least_at_once(files: Iterable[EventFile], folder: Path) -> int:
    """How many events have to be read at once, at least: those of the largest bucket, or of a turn of small files."""
    return max((max(file.buckets(folder)) for file in files if file.rows > TURN_ROWS), default=TURN_ROWS)
