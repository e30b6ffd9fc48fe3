"""Joining: many small files that were poured become one, and nothing that was told changes by it.

A lane that is pushed to all day makes a file every few seconds. Once a few hundred are known their contents are put
one after the other under one name, in their place in the order of coming. It counts only if, read as one file, it
gives what they gave: the same events, rows, rejects and counts. Deliveries in it still stand or fall each by itself;
were anything told otherwise all the same, they would stay as they are.

A kill between any two steps harms nothing. The joined file is made at once; from then on it stands for those that it
holds, which are no longer offered. They go once a commit knows it. One that no commit knows is unmade again, as long
as everything that it holds is there without it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from contracts.deliveries import Delivery
from contracts.feeds import Feed
from flows.feeds import Offer
from flows.feeds.push import POURED, Joined, span
from flows.kitchen import Kitchen, Setting, kitchen_of
from flows.landing import FeedLanding, read_delivery
from flows.pouring import folder_of
from transforms.land import last_told
from warehouse.files import accessing, create, part_of, sync_folder
from warehouse.inbox import Inbox
from warehouse.store import EventStore

JOIN_MIN, JOIN_MIN_BETWEEN, JOIN_MAX = 256, 16, 1_024
"""How many files are joined: the newest ones at least, those between others that stay apart at least, and at most."""
SMALL_BYTES, JOINED_BYTES_MAX = 1_000_000, 8_000_000
"""A file from this size on stays as it is; a joined one has this size at most, or about."""

_refused: dict[Path, int] = {}
"""How many files could not be joined, by the first of them: they are tried again once there are twice as many."""


@dataclass(frozen=True)
class _Files:
    """The poured files of a feed.

    Attributes:
        root: The workspace.
        names: Their names below it, in order.
        known: Deliveries that were committed, by name.
    """

    root: Path
    names: tuple[str, ...]
    known: dict[str, Delivery]

    @classmethod
    def of(cls, setting: Setting, feed: Feed) -> "_Files":
        root = setting.workspace.root
        folder = folder_of(feed)
        found = sorted(path.name for path in (root / folder).glob("*.jsonl") if POURED.match(path.name))
        known = {one.source: one for one in setting.state.deliveries if one.feed == feed.name}
        return cls(root, tuple(f"{folder}/{name}" for name in found), known)

    def held(self) -> dict[str, list[str]]:
        """Files that a joined one stands for, by its name."""
        joined = Joined.of(self.names)
        found: dict[str, list[str]] = {name: [] for _, name in joined.files}
        for name in self.names:
            if (holder := joined.holder(name)) is not None:
                found[holder].append(name)
        return found

    def content(self, names: Sequence[str]) -> bytes:
        """What some files hold, one after the other."""
        return b"".join((self.root / name).read_bytes() for name in names)


def settle_joined(setting: Setting, feed: Feed, inbox: Inbox) -> None:
    """Delete what a joined file holds once a commit knows it; unmake one that none knows.

    Args:
        setting: The workspace, which the caller holds, and the newest commit.
        feed: A push feed.
        inbox: Where its deliveries came in: it knows which file each stands in.
    """
    there = _Files.of(setting, feed)
    for name, parts in there.held().items():
        if not parts:
            continue
        known = there.known.get(name)
        path = there.root / name
        with accessing(path):
            if known is not None and known.state == "accepted":
                inbox.joined(feed.name, parts, name)
                whole = path.read_bytes()
                for part in (there.root / one for one in parts):
                    if part.read_bytes() in whole:  # whatever its name says
                        part.unlink()
            elif there.content(_outermost(parts)) == path.read_bytes():
                path.unlink()
            sync_folder(path.parent)


def _outermost(names: Sequence[str]) -> list[str]:
    joined = Joined.of(names)
    return [name for name in names if joined.holder(name) is None]


def join(setting: Setting, feed: Feed, before: Sequence[FeedLanding], inbox: Inbox) -> str | None:
    """Make one file of many, once a run, where that changes nothing; the landing that follows takes it in their place.

    Args:
        setting: The workspace, which the caller holds, and the newest commit.
        feed: A push feed.
        before: Feeds that landed before in this run: relationships may point to them.
        inbox: Where its deliveries came in.

    Returns:
        The file that was made, below the workspace; None when there was none to be made.
    """
    settle_joined(setting, feed, inbox)
    there = _Files.of(setting, feed)
    # A decision by hand and a backfill are about deliveries as they are known.
    if len(there.names) < JOIN_MIN_BETWEEN or setting.decision or setting.window:
        return None
    stream = feed.declared.streams[0]
    others = [delivery for landing in before for delivery in landing.deliveries]
    kitchen = kitchen_of(setting, feed, stream, others)
    if kitchen.recipe.shape.volume_baseline or any(
        rule.metric == "rowCount" for rule in kitchen.recipe.shape.quality
    ):
        return None  # what its contract says of a delivery's size it says of small ones
    for names in _runs(there, kitchen):
        first = there.root / names[0]
        if len(names) < 2 * _refused.get(first, 0):
            continue
        if (name := _made(there, kitchen, names)) is not None:
            return name
        _refused[first] = len(names)
    return None


def _runs(there: _Files, kitchen: Kitchen) -> Iterator[list[str]]:
    """Neighbours that are worth to be joined; a delivery whose own file is gone stays one by itself."""
    gone = {name for name in there.known if span(name)[0]} - set(there.names)
    run: list[str] = []
    size = 0
    for name in (*sorted({*there.names, *gone}), ""):
        small = 0
        if name and name not in gone and _may_join(there.known.get(name), kitchen):
            small = (there.root / name).stat().st_size
        if 0 < small < SMALL_BYTES:
            run.append(name)
            size += small
            if size < JOINED_BYTES_MAX and len(run) < JOIN_MAX:
                continue
        if len(run) >= (JOIN_MIN_BETWEEN if name else JOIN_MIN):
            yield run
        run, size = [], 0


def _may_join(known: Delivery | None, kitchen: Kitchen) -> bool:
    """Whether a delivery was read as it would be now, and nothing about it was decided by hand."""
    return (
        known is not None
        and known.state == "accepted"
        and (known.reading, known.mapping, known.references)
        == (kitchen.reading, kitchen.mapping, kitchen.references)
        and not {"mended", "dropped"} & known.parts.keys()
    )


def _made(there: _Files, kitchen: Kitchen, names: Sequence[str]) -> str | None:
    """One file of some; None when it would not give what they give."""
    content = there.content(names)
    sha256 = hashlib.sha256(content).hexdigest()
    (first, _), (_, last) = span(names[0]), span(names[-1])
    name = f"{names[0].rpartition('/')[0]}/{last}-{sha256[:16]}-{first}.jsonl"
    path = there.root / name
    part = part_of(path)
    with accessing(path):
        try:
            part.write_bytes(content)
            whole = read_delivery(kitchen, Offer(name, part, sha256))
            if not gives_the_same(kitchen.store, whole, [there.known[one] for one in names]):
                return None
            create(path, content)
        finally:
            part.unlink(missing_ok=True)
    return name


def gives_the_same(store: EventStore, whole: Delivery, members: Sequence[Delivery]) -> bool:
    """Whether one delivery gives what several give: the same events, and every row with the same fate."""
    counts = (
        "rows_read",
        "rows_accepted",
        "rows_quarantined",
        "rows_duplicate",
        "rows_dropped",
        "event_count",
    )
    if whole.state != "accepted" or any(
        getattr(whole, count) != sum(getattr(one, count) for one in members) for count in counts
    ):
        return False
    reasons = sum((Counter(one.reasons) for one in members), Counter[str]())
    failed = sum((_failed(one) for one in members), Counter[str]())
    if Counter(whole.reasons) != reasons or _failed(whole) != failed:
        return False
    return all(
        _frame(store, part, [whole]).equals(_frame(store, part, members)) for part in ("events", "links")
    )


def _failed(delivery: Delivery) -> Counter[str]:
    """Rows that broke each rule."""
    return Counter({one.name: one.failed for one in delivery.results if one.failed})


def _frame(store: EventStore, part: str, deliveries: Sequence[Delivery]) -> pl.DataFrame:
    """What some deliveries tell, of several tellings the last, without where it stands."""
    frames = [store.landed(one.parts[part]) for one in deliveries if part in one.parts]
    if not frames:
        return pl.DataFrame()
    every = pl.concat(frames, how="diagonal")
    if part == "events":
        every = last_told(every).drop("landing", "row")
    every = every.select(sorted(every.columns)).unique()
    return every.sort(every.columns, nulls_last=True)
