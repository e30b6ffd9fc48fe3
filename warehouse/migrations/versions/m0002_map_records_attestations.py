"""When each version of the map was believed, and what accountable people say themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables; versions that are known already were believed in the order they were first seen."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "map_record",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("version", sa.String(32), sa.ForeignKey("map_version.version"), nullable=False),
        sa.Column("recorded_at", instant, nullable=False),
        sa.Column("recorded_by", sa.String(80)),
        sa.Column("timezone", sa.String(64)),
    )
    op.execute(
        "INSERT INTO map_record (version, recorded_at) "
        "SELECT version, recorded_at FROM map_version ORDER BY recorded_at, version"
    )
    op.create_table(
        "attestation",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("touchpoint", sa.String(64), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("seat", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("map_version", sa.String(32), nullable=False),
        sa.Column("attested_at", instant, nullable=False),
        sa.Column("recorded_at", instant, nullable=False),
        sa.Column("recorded_by", sa.String(80)),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("attestation", "map_record"):
        op.drop_table(table)
