"""Pouring: what was pushed into the inbox becomes files of its feed, JSON lines, each delivery in exactly one.

Only a run pours, and it holds the workspace. A file's name begins with the instant, later than that of any file
before, so that the order of names is the order of coming: of two tellings of one event the last counts. It ends
with the hash of the content. Every line is the object as it was sent, and `answerable`, what we know besides.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from contracts.feeds import Feed
from flows.feeds.push import POURED
from flows.serving.bodies import Unprocessable, objects
from warehouse.files import accessing, create
from warehouse.inbox import Inbox, Pushed

DELIVERIES_MAX, BYTES_MAX = 5_000, 32_000_000
"""How much goes into one file."""
_STAMP = "%Y%m%dT%H%M%S%f"


def pour(inbox: Inbox, feed: Feed, root: Path, now: datetime) -> int:
    """Make files of all that a feed's inbox holds.

    Args:
        inbox: The inbox.
        feed: A push feed.
        root: The workspace, which the caller holds.
        now: The real time.

    Returns:
        How many deliveries stand in files that did not before.
    """
    folder = folder_of(feed)
    poured = 0
    for name, deliveries in inbox.claimed(feed.name).items():
        # A run was killed after it had named the file. Was the file made, it is whole.
        if not (root / name).is_file():
            name = _make(inbox, root, folder, deliveries, now)  # noqa: PLW2901 - other code may write it otherwise
        inbox.landed(feed.name, name, _landed_at(now, deliveries))
        poured += len(deliveries)
    while deliveries := inbox.accepted(feed.name, DELIVERIES_MAX, BYTES_MAX):
        name = _make(inbox, root, folder, deliveries, now)
        inbox.landed(feed.name, name, _landed_at(now, deliveries))
        poured += len(deliveries)
    return poured


def _landed_at(now: datetime, deliveries: Sequence[Pushed]) -> datetime:
    """When deliveries came into a file: some may have come after the run that pours them looked at the clock."""
    return max([now, *(one.received_at for one in deliveries)])


def folder_of(feed: Feed) -> str:
    """The folder that a push feed's files go into, below the workspace."""
    return str(Path(feed.declared.streams[0].files).parent)


def _make(inbox: Inbox, root: Path, folder: str, deliveries: Sequence[Pushed], now: datetime) -> str:
    content = b"".join(line + b"\n" for one in deliveries for line in lines(one))
    stamp = _after(_newest(inbox, deliveries[0].feed, root / folder), now)
    name = f"{folder}/{stamp}-{hashlib.sha256(content).hexdigest()[:16]}.jsonl"
    inbox.claim([one.number for one in deliveries], name)
    with accessing(root / name):
        create(root / name, content)
    return name


def _newest(inbox: Inbox, feed: str, folder: Path) -> str | None:
    """The name of the last file: what the folder holds counts too, for a ledger may have been lost."""
    there = [path.name for path in folder.glob("*.jsonl") if POURED.match(path.name)]
    known = inbox.newest_file(feed)
    return max([*there, *([Path(known).name] if known else [])], default=None)


def _after(last: str | None, now: datetime) -> str:
    """The instant that a name begins with: now, or just after the last one when the clock was set back."""
    stamp = now.astimezone(UTC).strftime(_STAMP)
    before = Path(last or "").name
    if POURED.match(before) and stamp <= before.partition("-")[0]:
        known = datetime.strptime(before.partition("-")[0], _STAMP).replace(tzinfo=UTC)
        return (known + timedelta(microseconds=1)).strftime(_STAMP)
    return stamp


def lines(one: Pushed) -> list[bytes]:
    """A delivery as lines: its objects as they were sent, each with what we know besides."""
    known = {
        "delivery_id": one.delivery_id,
        "received_at": one.received_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "headers": {name.replace("-", "_"): value for name, value in sorted(one.headers.items())},
    }
    more = b'"answerable":' + json.dumps(known, ensure_ascii=False).encode()
    try:
        found = objects(one.body, one.headers.get("content-type", ""))
    except Unprocessable:
        # It was sound when it was accepted. Never lost: its contract sets the line aside, with its reason.
        return [orjson.dumps(one.body.decode(errors="replace"))]
    return [_with(line, more) for line in found]


def _with(line: bytes, more: bytes) -> bytes:
    """An object with one field more, its own text untouched: no number is rounded."""
    inner = line.strip()[1:-1].strip()
    return b"{" + inner + (b"," if inner else b"") + more + b"}"
