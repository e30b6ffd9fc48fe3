"""Deliveries that were pushed to us."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "inbox",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("feed", sa.String(40), nullable=False),
        sa.Column("delivery_id", sa.String(200), nullable=False),
        sa.Column("received_at", instant, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("landed_in", sa.String(250)),
        sa.Column("processed_at", instant),
        sa.UniqueConstraint("feed", "delivery_id"),
    )
    op.create_index("ix_inbox_feed_landed_in", "inbox", ["feed", "landed_in"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("inbox")
