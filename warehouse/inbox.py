"""The inbox: deliveries that were pushed to us, kept before their sender is told so.

Truth is here and nowhere else until a delivery stands in a file. Putting it there has three steps, so that a kill
between any two neither loses nor doubles it: its row names the file, the file is made, the row says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.errors import StoreError
from warehouse.dialects import DATABASES, insert_into
from warehouse.inbox_rows import InboxRow
from warehouse.ledger import Ledger

Kept = Literal["accepted", "known", "other"]
"""What became of a delivery: new, known just so, or another one was known by its id."""

PUT_MAX = 500
"""Deliveries that one statement takes: databases limit the number of its values."""


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A delivery that was pushed to us.

    Attributes:
        feed: The feed.
        delivery_id: Which one it is, within the feed.
        received_at: When it came.
        sha256: Of its body.
        body: The body as it came.
        headers: Headers that are kept, by lower-case name.
        number: Its place in the order of keeping; 0 before.
    """

    feed: str
    delivery_id: str
    received_at: datetime
    sha256: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    number: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other one."""
        return self.feed, self.delivery_id


class Inbox:
    """The inbox of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        """Use a ledger's database.

        Raises:
            StoreError: It is neither SQLite nor PostgreSQL.
        """
        self.ledger = ledger
        name = ledger.engine.dialect.name
        if name not in DATABASES:
            known = " or ".join(DATABASES)
            raise StoreError.at("the inbox", f"cannot be kept in {name}.", f"Use {known}.")
        table = cast("sa.Table", InboxRow.__table__)
        # Made once: compiling it anew would take longer than all the rest of a request.
        made = insert_into(name, table).on_conflict_do_nothing()
        self._insert = made.returning(table.c.feed, table.c.delivery_id)

    def put(self, deliveries: Sequence[Pushed]) -> list[Kept]:
        """Keep deliveries, in one transaction that is on the disk when this returns.

        Raises:
            StoreError: The database cannot be reached; nothing was kept.
        """
        kept: list[Kept] = []
        with self.ledger.writing() as session:
            for first in range(0, len(deliveries), PUT_MAX):
                kept += self._put(session, deliveries[first : first + PUT_MAX])
        return kept

    def _put(self, session: Session, deliveries: Sequence[Pushed]) -> list[Kept]:
        rows = [_values(one) for one in deliveries]
        fresh = {(feed, id_) for feed, id_ in session.connection().execute(self._insert, rows)}
        hashes: dict[tuple[str, str], str] = {}
        if len(fresh) < len(deliveries):
            key = sa.tuple_(InboxRow.feed, InboxRow.delivery_id)
            wanted = sa.select(InboxRow.feed, InboxRow.delivery_id, InboxRow.sha256)
            found = session.execute(wanted.where(key.in_([one.key for one in deliveries])))
            hashes = {(feed, id_): sha256 for feed, id_, sha256 in found}
        kept: list[Kept] = []
        for one in deliveries:
            if one.key in fresh:
                fresh.discard(one.key)  # another one of the same id in this batch is a repeated one
                kept.append("accepted")
            else:
                kept.append("known" if hashes.get(one.key) == one.sha256 else "other")
        return kept

    def waiting(self) -> dict[str, int]:
        """Deliveries that do not yet stand in a file, by feed."""
        with self.ledger.reading() as session:
            # Not `!= "landed"`: that would look at every delivery there ever was.
            count = sa.select(InboxRow.feed, sa.func.count()).where(
                InboxRow.state.in_(("accepted", "claimed"))
            )
            return {feed: int(number) for feed, number in session.execute(count.group_by(InboxRow.feed))}

    def counts(self) -> dict[str, int]:
        """How many deliveries there are by state."""
        with self.ledger.reading() as session:
            rows = session.execute(sa.select(InboxRow.state, sa.func.count()).group_by(InboxRow.state))
            return {state: int(count) for state, count in rows}

    def claimed(self, feed: str) -> dict[str, list[Pushed]]:
        """Deliveries whose file was named and may not be there: a run was killed. By that file."""
        found: dict[str, list[Pushed]] = {}
        with self.ledger.reading() as session:
            wanted = sa.select(InboxRow).where(InboxRow.feed == feed, InboxRow.state == "claimed")
            for row in session.scalars(wanted.order_by(InboxRow.number)):
                found.setdefault(row.landed_in or "", []).append(_pushed(row))
        return found

    def accepted(self, feed: str, limit: int, limit_bytes: int) -> list[Pushed]:
        """The oldest deliveries that no file was named for: at most so many, and about so many bytes."""
        is_next = (InboxRow.feed == feed) & (InboxRow.state == "accepted")
        sizes = sa.select(InboxRow.number, sa.func.length(InboxRow.body)).where(is_next)
        with self.ledger.reading() as session:
            last, total = 0, 0
            for number, size in session.execute(sizes.order_by(InboxRow.number).limit(limit)):
                last, total = number, total + size
                if total >= limit_bytes:
                    break
            taken = sa.select(InboxRow).where(is_next, InboxRow.number <= last).order_by(InboxRow.number)
            # One that had a lower number and was committed in between is taken too: order is all that counts.
            return [_pushed(row) for row in session.scalars(taken)]

    def newest_file(self, feed: str) -> str | None:
        """The last name of a file that deliveries of a feed went into."""
        with self.ledger.reading() as session:
            return session.scalar(sa.select(sa.func.max(InboxRow.landed_in)).where(InboxRow.feed == feed))

    def claim(self, numbers: Sequence[int], name: str) -> None:
        """Name the file that deliveries go into, before it is made."""
        with self.ledger.writing() as session:
            for first in range(0, len(numbers), PUT_MAX):
                mine = InboxRow.number.in_(numbers[first : first + PUT_MAX])
                session.execute(sa.update(InboxRow).where(mine).values(state="claimed", landed_in=name))

    def landed(self, feed: str, name: str, at: datetime) -> None:
        """Note that a file is on the disk; the bodies stand there from now on."""
        with self.ledger.writing() as session:
            there = sa.update(InboxRow).where(InboxRow.feed == feed, InboxRow.landed_in == name)
            session.execute(there.values(state="landed", processed_at=at, body=None))

    def joined(self, feed: str, names: Sequence[str], into: str) -> None:
        """Note that what stood in some files stands in another one."""
        with self.ledger.writing() as session:
            for first in range(0, len(names), PUT_MAX):
                mine = InboxRow.landed_in.in_(names[first : first + PUT_MAX])
                session.execute(sa.update(InboxRow).where(InboxRow.feed == feed, mine).values(landed_in=into))


def _values(one: Pushed) -> dict[str, object]:
    return {
        "feed": one.feed,
        "delivery_id": one.delivery_id,
        "received_at": one.received_at,
        "sha256": one.sha256,
        "headers": dict(one.headers),
        "body": one.body,
        "state": "accepted",
    }


def _pushed(row: InboxRow) -> Pushed:
    return Pushed(
        feed=row.feed,
        delivery_id=row.delivery_id,
        received_at=row.received_at,
        sha256=row.sha256,
        body=row.body or b"",
        headers=row.headers,
        number=row.number,
    )
