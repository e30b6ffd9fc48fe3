"""Which files of a folder a stream's pattern names, and which it leaves; one look at the folder tells both."""

import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from contracts.feeds import Feed

_WILD = frozenset("*?[")
SHOWN_MAX = 5
"""So many files are named."""


def listed(pattern: str, root: Path) -> tuple[list[Path], frozenset[str]]:
    """Whatever a pattern names, in no order, and other files of its folder, by their names below the workspace.

    Hidden files are nobody's business, nor is what stands beside `answerable.yaml`. A pattern with more than one
    folder leaves nothing that could be told.
    """
    place = _place(pattern)
    if place is None:
        return list(root.glob(pattern)), frozenset()
    folder, name = place
    found, left = [], set[str]()
    for entry in _entries(root / folder):
        if fnmatchcase(entry.name, name):
            found.append(root / folder / entry.name)
        elif _counts(entry):
            left.add(f"{folder}/{entry.name}")
    return found, frozenset(left)


def unclaimed(patterns: Iterable[str], left: Iterable[str], root: Path) -> list[str]:
    """Of files that some streams leave those that no pattern names, sorted."""
    places, others = set[tuple[str, str]](), set[str]()
    for pattern in patterns:
        place = _place(pattern)
        places |= {place} if place else set()
        others |= set() if place else {pattern}
    free = {one for one in left if not any(_is_named(one, *place) for place in places)}
    for pattern in others if free else ():
        free -= {path.relative_to(root).as_posix() for path in root.glob(pattern)}
    return sorted(os.fsencode(one).decode("utf-8", "backslashreplace") for one in free)


def patterns(feeds: Iterable[Feed]) -> list[str]:
    """Where the streams of all feeds have their files."""
    return [stream.files for feed in feeds for stream in feed.declared.streams]


def lying(feeds: Iterable[Feed], root: Path) -> list[str]:
    """Files in inbox folders that no stream reads, sorted; every folder is looked at once."""
    every = patterns(feeds)
    folders = sorted({place[0] for one in every if (place := _place(one))})
    left = (
        f"{folder}/{entry.name}" for folder in folders for entry in _entries(root / folder) if _counts(entry)
    )
    return unclaimed(every, left, root)


def said_of(files: Sequence[str]) -> str:
    """One line about files that no stream reads; empty without any."""
    if not files:
        return ""
    more = f" and {len(files) - SHOWN_MAX:,} more" if len(files) > SHOWN_MAX else ""
    return f"No stream reads {', '.join(files[:SHOWN_MAX])}{more}: see 'files' in the feeds."


def _is_named(file: str, folder: str, name: str) -> bool:
    there, _, own = file.rpartition("/")
    return there == folder and fnmatchcase(own, name)


def _place(pattern: str) -> tuple[str, str] | None:
    """Folder and names of a pattern of one folder below the workspace; None for any other."""
    path = PurePosixPath(pattern)
    folder = path.parent.as_posix()
    is_plain = folder != "." and not path.is_absolute() and ".." not in path.parts
    return (folder, path.name) if is_plain and not _WILD & set(folder) and path.name != "**" else None


def _counts(entry: os.DirEntry[str]) -> bool:
    """Whether somebody would miss what lies there: a file that is not hidden."""
    return entry.is_file() and not entry.name.startswith(".")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # there is none, or it is not ours to read: `glob` finds nothing either
        return []
