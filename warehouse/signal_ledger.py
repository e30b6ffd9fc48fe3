"""Signals in the ledger: written with the fact, emitted from there, and read back before they count as told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.signals import Signal
from warehouse.ledger import Ledger
from warehouse.signal_rows import SignalRow, insert_absent

GOOD_FOR = timedelta(days=1)
"""A wake-up that is older wakes nobody."""

KEPT_FOR = timedelta(days=30)
"""How long one that was told, or expired, stays to be looked at."""

SEEN_AFTER = timedelta(seconds=30)
"""An emitted signal that is not read back by then is emitted again, under the same id."""


@dataclass(frozen=True)
class Due:
    """A signal to be emitted.

    Attributes:
        id: Its id.
        event: The event that tells of it.
    """

    id: str
    event: dict[str, Any]


def add_signals(session: Session, signals: Iterable[Signal], recorded_at: datetime) -> None:
    """Write signals within a unit of work. One that is known already stays as it is."""
    rows = [
        {
            "id": one.id,
            "name": one.name,
            "resource": one.resource[:250],
            "event": one.event(),
            "occurred_at": one.occurred_at,
            "recorded_at": recorded_at,
            "state": "due",
            "attempt_count": 0,
        }
        for one in {one.id: one for one in signals}.values()
    ]
    insert_absent(session, SignalRow, rows)


class SignalLedger:
    """The signals of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def add(self, signals: Iterable[Signal], recorded_at: datetime) -> None:
        """Write signals in a unit of work of their own."""
        with self.ledger.writing() as session:
            add_signals(session, signals, recorded_at)

    def claim(self, now: datetime, limit: int = 100) -> list[Due]:
        """Take signals that are due, the oldest first, and those that were emitted but never seen.

        Two emitters may take the same one: its id makes that one event.
        """
        is_lost = (SignalRow.state == "emitted") & (SignalRow.emitted_at <= now - SEEN_AFTER)
        with self.ledger.writing() as session:
            wanted = sa.select(SignalRow).where((SignalRow.state == "due") | is_lost)
            rows = list(session.scalars(wanted.order_by(SignalRow.number).limit(limit)))
            for row in rows:
                row.attempt_count += 1
            return [Due(row.id, dict(row.event)) for row in rows]

    def note_emitted(self, ids: Sequence[str], at: datetime) -> None:
        """Note that the orchestrator took them; it may still lose them."""
        self._note(ids, state="emitted", emitted_at=at)

    def note_confirmed(self, ids: Sequence[str]) -> None:
        """Note that they were read back: they are kept over there."""
        self._note(ids, state="confirmed")

    def unconfirmed(self, limit: int = 200) -> list[str]:
        """Ids of those that were emitted and have yet to be read back, the oldest first."""
        with self.ledger.reading() as session:
            wanted = sa.select(SignalRow.id).where(SignalRow.state == "emitted")
            return list(session.scalars(wanted.order_by(SignalRow.number).limit(limit)))

    def has_work(self) -> bool:
        """Whether any is due or has yet to be read back."""
        with self.ledger.reading() as session:
            waits = SignalRow.state.in_(("due", "emitted"))
            return session.scalar(sa.select(sa.exists().where(waits))) or False

    def expire(self, now: datetime) -> None:
        """Give up signals that are too old to wake anybody, and forget the oldest."""
        is_done = SignalRow.state.in_(("confirmed", "expired"))
        with self.ledger.writing() as session:
            session.execute(
                sa.update(SignalRow)
                .where(SignalRow.state.in_(("due", "emitted")), SignalRow.occurred_at < now - GOOD_FOR)
                .values(state="expired")
            )
            session.execute(sa.delete(SignalRow).where(is_done, SignalRow.recorded_at < now - KEPT_FOR))

    def counts(self) -> dict[str, int]:
        """How many signals there are by state."""
        with self.ledger.reading() as session:
            rows = session.execute(sa.select(SignalRow.state, sa.func.count()).group_by(SignalRow.state))
            return {state: int(count) for state, count in rows}

    def told(self, limit: int = 1000) -> list[dict[str, Any]]:
        """Signals as events, with their state; the newest first."""
        with self.ledger.reading() as session:
            rows = session.scalars(sa.select(SignalRow).order_by(SignalRow.number.desc()).limit(limit))
            return [{**row.event, "state": row.state, "attempts": row.attempt_count} for row in rows]

    def _note(self, ids: Sequence[str], **values: Any) -> None:  # noqa: ANN401 - columns of the row
        if not ids:
            return
        with self.ledger.writing() as session:
            mine = sa.update(SignalRow).where(SignalRow.id.in_(ids), SignalRow.state != "confirmed")
            session.execute(mine.values(values))
