"""Signals for an orchestrator, and who may write."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "signal",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("name", sa.String(48), nullable=False),
        sa.Column("resource", sa.String(250), nullable=False),
        sa.Column("event", sa.JSON, nullable=False),
        sa.Column("occurred_at", instant, nullable=False),
        sa.Column("recorded_at", instant, nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("attempt_count", sa.Integer, nullable=False),
        sa.Column("emitted_at", instant),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("holder", sa.String(80), nullable=False),
        sa.Column("machine", sa.String(120), nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("acquired_at", instant, nullable=False),
        sa.Column("expires_at", instant, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("lease", "signal"):
        op.drop_table(table)
