"""What the ledger keeps of signals and of who holds the warehouse: one class a table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from warehouse.dialects import insert_into
from warehouse.ledger_rows import Base, Instant


class SignalRow(Base):
    """One signal: due, emitted (the orchestrator took it), confirmed (it was read back), or expired."""

    __tablename__ = "signal"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(sa.String(36), unique=True)
    name: Mapped[str] = mapped_column(sa.String(48))
    resource: Mapped[str] = mapped_column(sa.String(250))
    event: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    attempt_count: Mapped[int]
    emitted_at: Mapped[datetime | None] = mapped_column(Instant)


class LeaseRow(Base):
    """Who may write. `token` grows with every holder: an older one is refused."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(sa.String(80))
    machine: Mapped[str] = mapped_column(sa.String(120))
    token: Mapped[int]
    acquired_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)


def insert_absent(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows whose keys are free; of two that write one key at once neither fails."""
    if rows:
        insert = insert_into(session.get_bind().dialect.name, table)
        session.execute(insert.on_conflict_do_nothing(), list(rows))
