"""The ledger: runs, releases and versions of the map, for people and queries.

The manifests are the truth about data; the ledger says who did what when. It is one SQLite file, or
any database that SQLAlchemy speaks to when ANSWERABLE_LEDGER_URL names one: one for each warehouse,
since releases are known by their numbers.
"""

import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, QueuePool

from contracts.attestations import Attestation
from contracts.errors import StoreError
from contracts.records import MapRecord
from warehouse.alert_rows import AlertEventRow, AlertRow, OutboxRow, SilenceRow
from warehouse.files import DISK, ROOM, accessing, make_folder
from warehouse.inbox_rows import InboxRow
from warehouse.ledger_rows import (
    AttestationRow,
    Base,
    MapRecordRow,
    MapVersionRow,
    ReleaseRow,
    RunRow,
    UnreadableInstantError,
)
from warehouse.signal_rows import LeaseRow, SignalRow

__all__ = [
    "ALERT_TABLES",
    "HEAD",
    "LANE_TABLES",
    "URL_VARIABLE",
    "Base",
    "InboxRow",
    "Ledger",
    "MapVersionRow",
    "ReleaseRow",
    "has_ledger",
]

ALERT_TABLES = tuple(row.__tablename__ for row in (AlertRow, AlertEventRow, SilenceRow, OutboxRow))
"""Tables of the alerts; see `warehouse/alert_ledger.py`."""

LANE_TABLES = tuple(row.__tablename__ for row in (SignalRow, LeaseRow))
"""Tables of the heavy lane; see `warehouse/signal_ledger.py` and `warehouse/lease.py`."""

URL_VARIABLE = "ANSWERABLE_LEDGER_URL"
HEAD = "0005"
"""The migration that the classes of `ledger_rows` stand for; a test holds it equal to the newest one."""

FILE = "ledger.db"
_BUSY_SECONDS = 10
_MIGRATIONS = Path(__file__).parent / "migrations"
_REMEDY = (
    "Run again. If that does not help, restore it from a backup or move it away: the next run makes "
    "a new one, which knows every release that is kept but not who ran what before."
)
_REMEDIES = {"disk is full": ROOM, "disk I/O error": DISK}
_UNREADABLE = (UnicodeDecodeError, json.JSONDecodeError, UnreadableInstantError)
"""What a driver meets in bytes that have turned, its own messages included."""
_QUOTED = re.compile(r" with text '.*", re.DOTALL)
"""What SQLite shows of a text that it cannot decode."""
_READS = "answerable_reads"
_VERSION = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where Alembic keeps which migration was applied last."""


def has_ledger(folder: Path) -> bool:
    """Whether a warehouse has a ledger yet, without making one."""
    return bool(os.environ.get(URL_VARIABLE)) or (folder / FILE).exists()


class Ledger:
    """The ledger of one warehouse."""

    def __init__(self, folder: Path, url: str | None = None, *, is_resident: bool = False) -> None:
        """Reach the ledger, and bring its tables up to date.

        Args:
            folder: The warehouse.
            url: The database; the environment's, or one SQLite file in the folder, when absent.
            is_resident: Whether its connections stay open, for a process that writes all the time.

        Raises:
            StoreError: The database cannot be reached, or belongs to a newer version.
        """
        self.url = url or os.environ.get(URL_VARIABLE) or f"sqlite:///{folder.absolute() / FILE}"
        self.engine = _engine(self.url, is_resident=is_resident)
        with accessing(folder):
            make_folder(folder)
        with self._reached():
            self._migrate()

    @property
    def where(self) -> str:
        """Which database it is, without what may be secret."""
        return _shown(self.url)

    @contextmanager
    def writing(self) -> Generator[Session]:
        """A unit of work that takes the write lock at once, and commits at the end.

        Raises:
            StoreError: The database cannot be reached or is locked for too long.
        """
        with self._reached(), Session(self.engine) as session, session.begin():
            session.connection()  # a session by itself begins with its first statement
            yield session

    @contextmanager
    def reading(self) -> Generator[Session]:
        """A unit of work that only reads: it neither waits for a writer nor makes one wait.

        Raises:
            StoreError: The database cannot be reached.
        """
        with self._reached(), Session(self.engine.execution_options(**{_READS: True})) as session:
            yield session

    @contextmanager
    def _reached(self) -> Generator[None]:
        """Tell of a database that fails as an error of ours, without its password."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, *_UNREADABLE) as error:
            said = "it is damaged"
            if not isinstance(error, _UNREADABLE):
                said = _QUOTED.sub("", str(getattr(error, "orig", None) or error)).splitlines()[0]
            remedy = next((help_ for what, help_ in _REMEDIES.items() if what in said), _REMEDY)
            raise StoreError.at(_shown(self.url), f"cannot be used: {said}.", remedy) from None

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
        also: Callable[[Session], object] = lambda _: None,
    ) -> None:
        """Note how a run ended: with an error, or with a commit and a release; `also` in the same transaction.

        An error that cannot be noted, on a full disk say, is passed over: it must not hide behind another
        one. The next run then shows this one as killed.
        """
        ended = {
            "ended_at": at,
            "state": "failed" if error else "completed",
            "error": error,
            "store_commit": store_commit,
            "release_number": release_number,
        }
        with suppress(StoreError) if error else nullcontext(), self.writing() as session:
            session.execute(sa.update(RunRow).where(RunRow.id == run).values(ended))
            also(session)

    def note_map(
        self,
        version: str,
        at: datetime,
        documents: Mapping[str, str],
        *,
        by: str | None = None,
        timezone: str | None = None,
    ) -> None:
        """Note that a version of the map is believed from now on, unless it is already.

        Args:
            version: Content hash of the map.
            at: The real time.
            documents: Its files' texts by name; kept once for each version.
            by: Who loaded it.
            timezone: How its dates without an offset are read.
        """
        if self._is_believed(version, timezone):
            return
        with self.writing() as session:
            if session.get(MapVersionRow, version) is None:
                session.add(MapVersionRow(version=version, recorded_at=at, documents=dict(documents)))
                session.flush()
            last = session.scalars(
                sa.select(MapRecordRow).order_by(MapRecordRow.number.desc()).limit(1)
            ).first()
            if last is None or (last.version, last.timezone) != (version, timezone):
                session.add(MapRecordRow(version=version, recorded_at=at, recorded_by=by, timezone=timezone))

    def _is_believed(self, version: str, timezone: str | None) -> bool:
        """Whether a version of the map is the one that was noted last: asked without keeping any writer waiting."""
        last = sa.select(MapRecordRow.version, MapRecordRow.timezone)
        with self.reading() as session:
            return session.execute(last.order_by(MapRecordRow.number.desc()).limit(1)).first() == (
                version,
                timezone,
            )

    def map_records(self) -> list[MapRecord]:
        """Every record of the map, the oldest first."""
        with self.reading() as session:
            rows = session.scalars(sa.select(MapRecordRow).order_by(MapRecordRow.number))
            return [
                MapRecord(row.number, row.version, row.recorded_at, row.recorded_by, row.timezone)
                for row in rows
            ]

    def map_texts(self, version: str) -> dict[str, str]:
        """The texts of a version of the map, by the names of its files."""
        with self.reading() as session:
            return dict(session.scalars(sa.select(MapVersionRow.documents).filter_by(version=version)).one())

    def attest(self, attestation: Attestation) -> None:
        """Keep a person's word; earlier words stay."""
        with self.writing() as session:
            session.add(AttestationRow(**asdict(attestation)))

    def attestations(self) -> list[Attestation]:
        """Every word that was given, the oldest first."""
        with self.reading() as session:
            rows = session.scalars(sa.select(AttestationRow).order_by(AttestationRow.number))
            names = [one.name for one in fields(Attestation)]
            return [Attestation(**{name: getattr(row, name) for name in names}) for row in rows]

    def note_releases(
        self,
        numbers: Sequence[int],
        manifest: Callable[[int], Mapping[str, Any]],
        also: Callable[[Session, Mapping[str, Any]], object] = lambda *_: None,
    ) -> None:
        """Keep releases that the ledger does not know yet: a run may have been killed in between.

        Args:
            numbers: Of every release there is, the oldest first.
            manifest: The manifest of a number; asked for those that are not known, and for the newest.
            also: Called for each that was not known, in the same transaction.
        """
        if not numbers:
            return
        rows = sa.select(ReleaseRow.number, ReleaseRow.run_id).where(ReleaseRow.number >= numbers[0])
        with self.reading() as session:
            known = {row.number: row.run_id for row in session.execute(rows)}
        asked = [manifest(number) for number in numbers if number not in known or number == numbers[-1]]
        # A number that another run published was given anew: its damaged manifest was deleted.
        lacking = [one for one in asked if known.get(one["number"]) != one["run"]]
        if lacking:
            with self.writing() as session:
                for one in lacking:
                    session.merge(_release_row(one))
                    also(session, one)

    def runs(self, limit: int = 20) -> list[dict[str, Any]]:
        """The newest runs first."""
        with self.reading() as session:
            rows = session.scalars(sa.select(RunRow).order_by(RunRow.started_at.desc()).limit(limit))
            return [{c.key: getattr(row, c.key) for c in RunRow.__table__.columns} for row in rows]

    def knows_run(self, run: str) -> bool:
        """Whether a run was noted here."""
        with self.reading() as session:
            return session.get(RunRow, run) is not None

    def has_completed_since(self, at: datetime) -> bool:
        """Whether a run that began after an instant has ended well."""
        with self.reading() as session:
            is_later = (RunRow.started_at > at) & (RunRow.state == "completed")
            return session.scalar(sa.select(RunRow.id).where(is_later).limit(1)) is not None

    def _migrate(self) -> None:
        if self._revision() != HEAD and not self._create():
            self.upgrade()

    def _create(self) -> bool:
        """Make the tables of a new SQLite database as the classes say; False when there is something in it.

        A test holds that equal to what the migrations make, which take five times as long.
        """
        if self.engine.dialect.name != "sqlite":
            return False
        with self.engine.begin() as connection:
            if sa.inspect(connection).get_table_names():
                return False
            Base.metadata.create_all(connection)
            _VERSION.create(connection)
            connection.execute(_VERSION.insert(), {"version_num": HEAD})
        return True

    def upgrade(self) -> None:
        """Apply the migrations that are lacking.

        Raises:
            StoreError: The database belongs to a newer version.
        """
        from alembic import command  # noqa: PLC0415 - slow to import, and rarely needed
        from alembic.config import Config  # noqa: PLC0415
        from alembic.util import CommandError  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["engine"] = self.engine
        try:
            command.upgrade(config, "head")
        except CommandError:
            raise StoreError.at(
                _shown(self.url),
                f"is at revision {self._revision()}, which this version does not know.",
                "Update answerable, or name another database.",
            ) from None

    def _revision(self) -> str | None:
        """The newest migration that was applied; None before the first."""
        with self.reading() as session:
            if not sa.inspect(session.connection()).has_table("alembic_version"):
                return None
            return session.scalar(sa.select(_VERSION.c.version_num))


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


_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""How long PostgreSQL's client waits for a server that says nothing any more; by itself it would for hours."""


def _patience(url: sa.URL) -> dict[str, Any]:
    """What a driver is told besides the address; what the address says itself counts."""
    is_libpq = url.drivername in ("postgresql", "postgresql+psycopg", "postgresql+psycopg2")
    return {name: value for name, value in _PATIENCE.items() if is_libpq and name not in url.query}


def _engine(url: str, *, is_resident: bool) -> sa.Engine:
    # Hours may pass between two units of work of a run, and no connection lasts that long for sure: no pool.
    pool: dict[str, Any] = {"poolclass": NullPool}
    if is_resident:
        pool = {"poolclass": QueuePool, "pool_size": 4, "pool_pre_ping": True, "pool_recycle": 1800}
    try:
        engine = sa.create_engine(url, connect_args=_patience(sa.make_url(url)), **pool)
    except (ArgumentError, ValueError):
        # The text itself is not told: it may hold a password.
        raise StoreError.at(
            URL_VARIABLE,
            "names no database.",
            "Write one like 'postgresql+psycopg://user:password@host/database', or unset it.",
        ) from None
    except ImportError as error:
        raise StoreError.at(URL_VARIABLE, f"needs a driver: {error}.", "Install it.") from None
    if engine.dialect.name != "sqlite":
        return engine

    @event.listens_for(engine, "connect")
    def settle(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's own connection
        # The driver's own transactions begin deferred, and an upgrade of the lock ignores the timeout.
        connection.isolation_level = None
        for pragma in (f"busy_timeout={_BUSY_SECONDS * 1000}", "synchronous=full", "foreign_keys=on"):
            connection.execute(f"PRAGMA {pragma}")
        _write_ahead(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        only_reads = connection.get_execution_options().get(_READS)
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: Any) -> None:  # noqa: ANN401 - the driver's own connection
    """Let readers and a writer work at once. Two that ask for it first at one instant wait for each other here.

    SQLite does not: the change of mode ignores the timeout.
    """
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=wal")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= until:
                raise
            time.sleep(0.05)
        else:
            return


def _shown(url: str) -> str:
    """Which database it is, without what may be secret."""
    return sa.engine.make_url(url).set(query={}).render_as_string(hide_password=True)
