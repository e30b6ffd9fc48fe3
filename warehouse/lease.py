"""A lease on the warehouse: who may write, also when several machines share a ledger.

On one machine the lock of `warehouse/lock.py` is enough, and dies with its process. Where several machines
score one warehouse the ledger decides: a lease that has to be renewed, with a token that grows with every
holder. A holder that slept over its end learns of it before it commits anything.
"""

import platform
import threading
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.errors import BusyError, StoreError
from warehouse.ledger import Ledger
from warehouse.signal_rows import LeaseRow, insert_absent

SECONDS = 120.0
"""How long a lease holds when nobody renews it."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def machine() -> str:
    """This machine since it was started, told apart from every other one."""
    mark = _BOOT.read_text().strip() if _BOOT.exists() else f"{uuid.getnode():x}"
    return f"{platform.node()}/{mark}"[:120]


@dataclass(frozen=True)
class Lease:
    """The right to write, while it holds.

    Attributes:
        ledger: The ledger that gave it.
        name: What for.
        holder: Who has it.
        token: Larger than every one before.
        seconds: How long it holds without being renewed.
    """

    ledger: Ledger
    name: str
    holder: str
    token: int
    seconds: float

    def check(self, session: Session | None = None) -> None:
        """Go on only if it still holds; within a unit of work nobody can take it until that commits.

        Raises:
            StoreError: Somebody else has taken it, or it has run out.
        """
        if session is None:
            with self.ledger.writing() as own:
                self.check(own)
            return
        row = session.get(LeaseRow, self.name, with_for_update=True, populate_existing=True)
        if row is None or row.token != self.token or row.expires_at <= _now(session):
            who = f"{row.holder} on {row.machine.partition('/')[0]}" if row else "nobody"
            raise StoreError.at(
                f"lease {self.name!r}",
                f"token {self.token} no longer holds: {who} has it.",
                "Nothing was committed. Run again.",
            )

    def renew(self) -> None:
        """Hold it for longer; one that somebody else has taken stays theirs."""
        with self.ledger.writing() as session:
            until = _now(session) + timedelta(seconds=self.seconds)
            mine = sa.update(LeaseRow).where(LeaseRow.name == self.name, LeaseRow.token == self.token)
            session.execute(mine.values(expires_at=until))


@contextmanager
def leased(
    ledger: Ledger, name: str, holder: str, *, seconds: float = SECONDS, where: str | None = None
) -> Generator[Lease]:
    """Hold the lease, and renew it meanwhile.

    Args:
        ledger: The ledger that gives it.
        name: What for.
        holder: Who asks, a run's id.
        seconds: How long it holds when it is not renewed: a killed holder is waited for so long.
        where: The machine; this one when absent. What this very machine held is taken over at once: whoever
            asks holds the lock of `warehouse/lock.py`, so the holder before is dead.

    Raises:
        BusyError: Another machine holds it.
    """
    lease = _acquired(ledger, name, holder, seconds, where or machine())
    ended = threading.Event()
    renewing = threading.Thread(target=_keep, args=(lease, ended), name=f"lease-{name}", daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        ended.set()
        renewing.join(timeout=seconds)
        _release(lease)


def _acquired(ledger: Ledger, name: str, holder: str, seconds: float, where: str) -> Lease:
    with ledger.writing() as session:
        now = _now(session)
        nobody = {
            "name": name,
            "holder": "",
            "machine": "",
            "token": 0,
            "acquired_at": now,
            "expires_at": now,
        }
        insert_absent(session, LeaseRow, [nobody])
        row = session.get_one(LeaseRow, name, with_for_update=True)
        now = _now(session)
        if row.machine != where and row.expires_at > now:
            raise BusyError.at(
                f"lease {name!r}",
                f"{row.holder} on {row.machine.partition('/')[0]} has it until {row.expires_at:%H:%M:%S} UTC.",
                "Wait until then, then run again.",
            )
        row.token, row.holder, row.machine = row.token + 1, holder, where
        row.acquired_at, row.expires_at = now, now + timedelta(seconds=seconds)
        token = row.token
    return Lease(ledger, name, holder, token, seconds)


def _keep(lease: Lease, ended: threading.Event) -> None:
    while not ended.wait(lease.seconds / 4):
        try:
            lease.renew()
        except StoreError:
            continue  # the ledger is out of reach for now; if it stays so, the check before the commit tells


def _release(lease: Lease) -> None:
    """Let others have it at once; where the ledger cannot be reached they wait until it has run out."""
    try:
        with lease.ledger.writing() as session:
            mine = sa.update(LeaseRow).where(LeaseRow.name == lease.name, LeaseRow.token == lease.token)
            session.execute(mine.values(expires_at=_now(session)))
    except StoreError:
        return


def _now(session: Session) -> datetime:
    """The database's clock where it has one of its own: those of several machines differ."""
    if session.get_bind().dialect.name == "postgresql":
        told = session.scalar(sa.text("SELECT clock_timestamp()"))
        if isinstance(told, datetime):
            return told.astimezone(UTC)
    return datetime.now(UTC)  # noqa: TID251 - leases are about the real time
