"""What the ledger keeps of alerts: one class a table."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.ledger_rows import Base, Instant


class AlertRow(Base):
    """One alert from its opening to its end.

    `open_key` is its key while it is open and null afterwards: two open alerts of one key cannot be kept,
    whoever writes.
    """

    __tablename__ = "alert"

    id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    open_key: Mapped[str | None] = mapped_column(sa.String(250), unique=True)
    scope_type: Mapped[str] = mapped_column(sa.String(16))
    scope: Mapped[str] = mapped_column(sa.String(64))
    metric: Mapped[str] = mapped_column(sa.String(64))
    goal: Mapped[str] = mapped_column(sa.String(16))
    state: Mapped[str] = mapped_column(sa.String(16))
    held_state: Mapped[str | None] = mapped_column(sa.String(16))
    level: Mapped[int]
    reason: Mapped[str] = mapped_column(sa.String(32))
    opened_at: Mapped[datetime] = mapped_column(Instant)
    began: Mapped[date] = mapped_column(sa.Date)
    fired_at: Mapped[datetime | None] = mapped_column(Instant)
    owner_at_open: Mapped[str | None] = mapped_column(sa.String(64))
    owner: Mapped[str | None] = mapped_column(sa.String(64))
    told: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    is_silent: Mapped[bool]
    due_at: Mapped[datetime | None] = mapped_column(Instant)
    acked_at: Mapped[datetime | None] = mapped_column(Instant)
    acked_by: Mapped[str | None] = mapped_column(sa.String(80))
    is_disputed: Mapped[bool]
    note: Mapped[str | None] = mapped_column(sa.Text)
    resolved_at: Mapped[datetime | None] = mapped_column(Instant)
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


class AlertEventRow(Base):
    """One thing that happened to an alert; never changed. `at` is the workspace's instant, `recorded_at` the real one."""

    __tablename__ = "alert_event"

    number: Mapped[int] = mapped_column(primary_key=True)
    alert: Mapped[str] = mapped_column(sa.String(16), sa.ForeignKey("alert.id"), index=True)
    at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    before: Mapped[str | None] = mapped_column(sa.String(16))
    after: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str] = mapped_column(sa.String(32))
    by: Mapped[str | None] = mapped_column(sa.String(80))
    run_id: Mapped[str | None] = mapped_column(sa.String(32))
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


class SilenceRow(Base):
    """A time in which nobody is told. It ends early when somebody ends it."""

    __tablename__ = "silence"

    number: Mapped[int] = mapped_column(primary_key=True)
    touchpoint: Mapped[str | None] = mapped_column(sa.String(64))
    metric: Mapped[str | None] = mapped_column(sa.String(64))
    reason: Mapped[str] = mapped_column(sa.Text)
    author: Mapped[str] = mapped_column(sa.String(80))
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    ended_by: Mapped[str | None] = mapped_column(sa.String(80))


class OutboxRow(Base):
    """One letter: written together with what it tells of, sent afterwards.

    `state` is waiting (for a digest), gathered (into one), due, sending, sent or dead. `id` is its
    idempotency key. `unsure_count` counts attempts whose end nobody knows: after each of them it is sent
    again, and where the channel cannot tell a repeated letter it may have come twice.
    """

    __tablename__ = "outbox"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(sa.String(32), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    person: Mapped[str] = mapped_column(sa.String(64))
    role: Mapped[str] = mapped_column(sa.String(16))
    channel: Mapped[str] = mapped_column(sa.String(64))
    alerts: Mapped[list[str]] = mapped_column(sa.JSON)
    messages: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    interrupts: Mapped[int]
    decided_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    gathered_in: Mapped[str | None] = mapped_column(sa.String(32))
    not_before: Mapped[datetime] = mapped_column(Instant)
    attempt_count: Mapped[int]
    unsure_count: Mapped[int]
    claimed_at: Mapped[datetime | None] = mapped_column(Instant)
    claimed_by: Mapped[str | None] = mapped_column(sa.String(80))
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    receipt: Mapped[str | None] = mapped_column(sa.Text)
    error: Mapped[str | None] = mapped_column(sa.Text)
