"""What the ledger keeps: one class a table. A change needs a migration; a test holds the two equal."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

if TYPE_CHECKING:
    from sqlalchemy.sql.type_api import _ResultProcessorType

_NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Everything the ledger keeps."""

    metadata = sa.MetaData(naming_convention=_NAMING)


class UnreadableInstantError(ValueError):
    """What stands where an instant was is none."""


class Instant(sa.TypeDecorator[datetime]):
    """An instant. Databases without time zones, like SQLite, hold it in UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """The instant in UTC."""
        return value.astimezone(UTC) if value else None

    def result_processor(
        self, dialect: sa.Dialect, coltype: object
    ) -> "_ResultProcessorType[datetime] | None":
        """As `process_result_value`; what was an instant once and cannot be read as one is told apart.

        Raises:
            UnreadableInstantError: It is none.
        """
        read = super().result_processor(dialect, coltype)

        def reading(value: object) -> datetime | None:
            try:
                return read(value) if read is not None else None
            except ValueError as error:
                raise UnreadableInstantError(str(error)) from None

        return reading

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """The instant in UTC, and saying so."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class RunRow(Base):
    """One run: when, on what, to what end. `ended_at` is null while it lasts, and when it was killed."""

    __tablename__ = "run"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(sa.String(16))
    error: Mapped[str | None] = mapped_column(sa.Text)
    code_version: Mapped[str] = mapped_column(sa.String(32))
    map_version: Mapped[str] = mapped_column(sa.String(32))
    store_commit: Mapped[int | None]
    release_number: Mapped[int | None]


class ReleaseRow(Base):
    """One release, as its manifest says."""

    __tablename__ = "release"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    published_at: Mapped[datetime] = mapped_column(Instant)
    run_id: Mapped[str] = mapped_column(sa.String(32))
    map_version: Mapped[str] = mapped_column(sa.String(32))
    store_commit: Mapped[int]
    table_count: Mapped[int]
    reused_count: Mapped[int]


class MapVersionRow(Base):
    """One version of the map, by what it says: the texts as they were first seen."""

    __tablename__ = "map_version"

    version: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    documents: Mapped[dict[str, str]] = mapped_column(sa.JSON)


class MapRecordRow(Base):
    """A version of the map that was believed from an instant on, until the next record.

    Numbers tell the order, also of records of one second. A version that is loaded again after another one
    is a new record. `timezone` is how its dates without an offset are read; null, the workspace's own, in
    records that are older than this column.
    """

    __tablename__ = "map_record"

    number: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(sa.String(32), sa.ForeignKey("map_version.version"))
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[str | None] = mapped_column(sa.String(80))
    timezone: Mapped[str | None] = mapped_column(sa.String(64))


class AttestationRow(Base):
    """A person's word on whether they are accountable for a touchpoint; never changed, only followed by another.

    `attested_at` is the workspace's instant, `recorded_at` the real one.
    """

    __tablename__ = "attestation"

    number: Mapped[int] = mapped_column(primary_key=True)
    touchpoint: Mapped[str] = mapped_column(sa.String(64))
    person: Mapped[str] = mapped_column(sa.String(64))
    seat: Mapped[str] = mapped_column(sa.String(64))
    state: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(sa.Text)
    map_version: Mapped[str] = mapped_column(sa.String(32))
    attested_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[str | None] = mapped_column(sa.String(80))
