"""Runs, releases and versions of the map."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "run",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("started_at", instant, nullable=False),
        sa.Column("ended_at", instant),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("code_version", sa.String(32), nullable=False),
        sa.Column("map_version", sa.String(32), nullable=False),
        sa.Column("store_commit", sa.Integer),
        sa.Column("release_number", sa.Integer),
    )
    op.create_table(
        "release",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("published_at", instant, nullable=False),
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("map_version", sa.String(32), nullable=False),
        sa.Column("store_commit", sa.Integer, nullable=False),
        sa.Column("table_count", sa.Integer, nullable=False),
        sa.Column("reused_count", sa.Integer, nullable=False),
    )
    op.create_table(
        "map_version",
        sa.Column("version", sa.String(32), primary_key=True),
        sa.Column("recorded_at", instant, nullable=False),
        sa.Column("documents", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("map_version", "release", "run"):
        op.drop_table(table)
