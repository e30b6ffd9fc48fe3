"""The ledger: runs, releases and versions of the map, for people and queries.

The manifests are the truth about data; the ledger says who did what when. It is one SQLite file, or
any database that SQLAlchemy speaks to when ANSWERABLE_LEDGER_URL names one.
"""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import NullPool

from contracts.errors import StoreError

URL_VARIABLE = "ANSWERABLE_LEDGER_URL"
HEAD = "0001"
"""The migration that the classes below stand for; a test holds it equal to the newest one."""

_NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Everything the ledger keeps."""

    metadata = sa.MetaData(naming_convention=_NAMING)


class RunRow(Base):
    """One run: when, on what, to what end. `ended_at` is null while it lasts, or when it was killed."""

    __tablename__ = "run"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
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
    published_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    run_id: Mapped[str] = mapped_column(sa.String(32))
    map_version: Mapped[str] = mapped_column(sa.String(32))
    store_commit: Mapped[int]
    table_count: Mapped[int]
    reused_count: Mapped[int]


class MapVersionRow(Base):
    """One version of the map: what was believed from when on."""

    __tablename__ = "map_version"

    version: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    recorded_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    documents: Mapped[dict[str, str]] = mapped_column(sa.JSON)


class Ledger:
    """The ledger of one warehouse."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.url = url or os.environ.get(URL_VARIABLE) or f"sqlite:///{folder / 'ledger.db'}"
        self.engine = _engine(self.url)
        self._migrate()

    @contextmanager
    def writing(self) -> Generator[Session]:
        """A unit of work that takes the write lock at once, and commits at the end.

        Raises:
            StoreError: The database cannot be reached or is locked for too long.
        """
        try:
            with Session(self.engine) as session, session.begin():
                yield session
        except OperationalError as error:
            said = str(error.orig).splitlines()[0]
            shown = sa.engine.make_url(self.url).render_as_string(hide_password=True)
            raise StoreError.at(shown, f"cannot be written: {said}.", "Run again.") from None

    def start_run(self, run: str, at: datetime, code_version: str, map_version: str) -> None:
        """Note that a run has begun; one that never ended was killed."""
        with self.writing() as session:
            unfinished = sa.update(RunRow).where(RunRow.state == "running")
            session.execute(unfinished.values(state="killed"))
            session.add(
                RunRow(
                    id=run, started_at=at, state="running", code_version=code_version, map_version=map_version
                )
            )

    def end_run(
        self,
        run: str,
        at: datetime,
        error: str | None = None,
        *,
        store_commit: int | None = None,
        release_number: int | None = None,
    ) -> None:
        """Note how a run ended: with an error, or with a commit and a release."""
        with self.writing() as session:
            ended = {
                "ended_at": at,
                "state": "failed" if error else "completed",
                "error": error,
                "store_commit": store_commit,
                "release_number": release_number,
            }
            session.execute(sa.update(RunRow).where(RunRow.id == run).values(ended))

    def note_map(self, version: str, at: datetime, documents: Mapping[str, str]) -> None:
        """Keep a version of the map, once."""
        with self.writing() as session:
            if session.get(MapVersionRow, version) is None:
                session.add(MapVersionRow(version=version, recorded_at=at, documents=dict(documents)))

    def note_releases(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        """Keep releases that the ledger does not know yet: a run may have been killed in between."""
        with self.writing() as session:
            known = set(session.scalars(sa.select(ReleaseRow.number)))
            for one in manifests:
                if one["number"] not in known:
                    session.add(_release_row(one))

    def runs(self, limit: int = 20) -> list[dict[str, Any]]:
        """The newest runs first."""
        with Session(self.engine) as session:
            rows = session.scalars(sa.select(RunRow).order_by(RunRow.started_at.desc()).limit(limit))
            return [{c.key: getattr(row, c.key) for c in RunRow.__table__.columns} for row in rows]

    def _migrate(self) -> None:
        if self._revision() == HEAD:
            return
        from alembic import command  # noqa: PLC0415 - slow to import, and rarely needed
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["engine"] = self.engine
        command.upgrade(config, "head")

    def _revision(self) -> str | None:
        try:
            with self.engine.connect() as connection:
                return connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        except SQLAlchemyError:
            return None


def _release_row(manifest: Mapping[str, Any]) -> ReleaseRow:
    tables = manifest["tables"].values()
    return ReleaseRow(
        number=manifest["number"],
        published_at=datetime.fromisoformat(manifest["published_at"]),
        run_id=manifest["run"],
        map_version=manifest["map_version"],
        store_commit=manifest["store_commit"],
        table_count=len(tables),
        reused_count=sum(table["is_reused"] for table in tables),
    )


def _engine(url: str) -> sa.Engine:
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def settle(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's own connection
        # The driver's own transactions begin deferred, and an upgrade of the lock ignores the timeout.
        connection.isolation_level = None
        for pragma in ("journal_mode=wal", "synchronous=normal", "foreign_keys=on", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
