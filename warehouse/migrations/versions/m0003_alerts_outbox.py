"""Alerts, what happened to them, silences, and the letters that tell of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "alert",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("open_key", sa.String(250), unique=True),
        sa.Column("scope_type", sa.String(16), nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("metric", sa.String(64), nullable=False),
        sa.Column("goal", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("held_state", sa.String(16)),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("opened_at", instant, nullable=False),
        sa.Column("began", sa.Date, nullable=False),
        sa.Column("fired_at", instant),
        sa.Column("owner_at_open", sa.String(64)),
        sa.Column("owner", sa.String(64)),
        sa.Column("told", sa.JSON, nullable=False),
        sa.Column("is_silent", sa.Boolean, nullable=False),
        sa.Column("due_at", instant),
        sa.Column("acked_at", instant),
        sa.Column("acked_by", sa.String(80)),
        sa.Column("is_disputed", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("resolved_at", instant),
        sa.Column("facts", sa.JSON, nullable=False),
    )
    op.create_table(
        "alert_event",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("alert", sa.String(16), sa.ForeignKey("alert.id"), nullable=False, index=True),
        sa.Column("at", instant, nullable=False),
        sa.Column("recorded_at", instant, nullable=False),
        sa.Column("before", sa.String(16)),
        sa.Column("after", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("by", sa.String(80)),
        sa.Column("run_id", sa.String(32)),
        sa.Column("facts", sa.JSON, nullable=False),
    )
    op.create_table(
        "silence",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("touchpoint", sa.String(64)),
        sa.Column("metric", sa.String(64)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", sa.String(80), nullable=False),
        sa.Column("starts_at", instant, nullable=False),
        sa.Column("ends_at", instant, nullable=False),
        sa.Column("recorded_at", instant, nullable=False),
        sa.Column("ended_by", sa.String(80)),
    )
    op.create_table(
        "outbox",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("alerts", sa.JSON, nullable=False),
        sa.Column("messages", sa.JSON, nullable=False),
        sa.Column("interrupts", sa.Integer, nullable=False),
        sa.Column("decided_at", instant, nullable=False),
        sa.Column("recorded_at", instant, nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("gathered_in", sa.String(32)),
        sa.Column("not_before", instant, nullable=False),
        sa.Column("attempt_count", sa.Integer, nullable=False),
        sa.Column("unsure_count", sa.Integer, nullable=False),
        sa.Column("claimed_at", instant),
        sa.Column("claimed_by", sa.String(80)),
        sa.Column("sent_at", instant),
        sa.Column("receipt", sa.Text),
        sa.Column("error", sa.Text),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("outbox", "silence", "alert_event", "alert"):
        op.drop_table(table)
