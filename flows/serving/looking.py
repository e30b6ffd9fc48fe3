"""What there is to do: files of the workspace or of a feed that changed, and which folders tell of it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from contracts.feeds import Feed
from contracts.workspace import FILE
from flows.feeds.file import freshness
from flows.feeds.push import POURED
from flows.workspace import LoadedWorkspace

FOLDERS = ("map", "feeds", "contracts")
"""What a workspace says, besides its settings."""

Seen = frozenset[tuple[str, int, int]]
"""Files by name, size and time of change."""


@dataclass(frozen=True)
class Look:
    """Files that a run would find.

    Attributes:
        seen: Files of the feeds that nobody is writing any more.
        settles_in: Seconds until the next of the others may be whole; None when there is none.
    """

    seen: Seen = field(default_factory=frozenset)
    settles_in: float | None = None


def written(root: Path) -> Seen:
    """The files that say what the workspace is."""
    paths = [root / FILE, *(path for name in FOLDERS for path in (root / name).rglob("*") if path.is_file())]
    return frozenset(_files(root, paths))


def look(workspace: LoadedWorkspace) -> Look:
    """The files that feeds offer; those that a run poured out of the inbox are known to it."""
    seen: set[tuple[str, int, int]] = set()
    waits: list[float] = []
    for feed in workspace.feeds:
        for stream in feed.declared.streams:
            for path in workspace.root.glob(stream.files):
                if feed.declared.kind == "push" and POURED.match(path.name):
                    continue
                if (left := freshness(path, stream.settle_seconds)) > 0:
                    waits.append(left)
                else:
                    seen.update(_files(workspace.root, [path]))
    return Look(frozenset(seen), min(waits, default=None))


def _files(root: Path, paths: list[Path]) -> Iterator[tuple[str, int, int]]:
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue  # it went while we looked
        yield os.path.relpath(path, root), status.st_size, status.st_mtime_ns


def folders(workspace: LoadedWorkspace) -> list[Path]:
    """Folders to watch with all that is below them; the sweep sees what no watch can."""
    root, own = workspace.root, workspace.warehouse.resolve()
    wanted = {root / name for name in FOLDERS} | {
        _base(root, feed, index) for feed, index in _streams(workspace)
    }
    there = [path for path in sorted(wanted) if path.is_dir()]
    # A folder that holds the warehouse would wake us with everything that we write.
    return [path for path in there if path.resolve() != own and path.resolve() not in own.parents]


def _streams(workspace: LoadedWorkspace) -> Iterator[tuple[Feed, int]]:
    for feed in workspace.feeds:
        for index in range(len(feed.declared.streams)):
            yield feed, index


def _base(root: Path, feed: Feed, index: int) -> Path:
    """The folder above the first part of a stream's pattern that has a wildcard."""
    base = root
    for part in Path(feed.declared.streams[index].files).parts[:-1]:
        if any(sign in part for sign in "*?["):
            break
        base /= part
    return base
