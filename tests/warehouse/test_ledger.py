"""The ledger: nothing that was noted is lost, whoever else writes."""

import socket
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from contracts.errors import StoreError
from tests.conftest import ROOT
from warehouse.ledger import _PATIENCE, HEAD, URL_VARIABLE, Base, Ledger, MapVersionRow, ReleaseRow, _patience

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def manifest(number: int, run: str = "r") -> dict:
    return {
        "number": number,
        "run": run,
        "published_at": NOW.isoformat(),
        "map_version": "m",
        "store_commit": 3,
        "tables": {"a": {"is_reused": True}, "b": {"is_reused": False}},
    }


# Migrations


def test_the_migrations_create_exactly_what_the_classes_say(ledger: Ledger):
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == HEAD


def test_a_new_database_is_made_as_the_migrations_make_it(tmp_path: Path):
    made = []
    for name in ("at once", "step by step"):
        ledger = Ledger(tmp_path / name)
        if made:
            with ledger.engine.begin() as connection:
                for table in sa.inspect(connection).get_table_names():
                    connection.exec_driver_sql(f"DROP TABLE {table}")
            ledger.upgrade()
        with ledger.reading() as session:
            rows = session.execute(
                sa.text("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name")
            )
            version = session.scalar(sa.text("SELECT version_num FROM alembic_version"))
            made.append(([tuple(" ".join(str(said).split()) for said in row) for row in rows], version))
    assert len(made[0][0]) > 14
    assert made[0] == made[1]


def test_the_head_that_the_code_knows_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(ROOT / "warehouse/migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_ledger_is_brought_up_to_date_once_and_keeps_what_it_has(ledger: Ledger, tmp_path: Path):
    ledger.start_run("r1", NOW, "1.0", "m")
    url = ledger.engine.url.render_as_string(hide_password=False)
    assert [run["id"] for run in Ledger(tmp_path, url).runs()] == ["r1"]


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path):
    with Ledger(tmp_path).writing() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"ledger\.db: is at revision 9999, .*Update answerable"):
        Ledger(tmp_path)


def test_a_migration_can_be_undone(ledger: Ledger):
    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(ROOT / "warehouse/migrations"))
    config.attributes["engine"] = ledger.engine
    command.downgrade(config, "base")
    assert set(sa.inspect(ledger.engine).get_table_names()) == {"alembic_version"}
    command.upgrade(config, "head")
    assert ledger.runs() == []


def test_maps_that_an_older_version_kept_are_believed_in_the_order_they_were_seen(ledger: Ledger):
    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(ROOT / "warehouse/migrations"))
    config.attributes["engine"] = ledger.engine
    command.downgrade(config, "0001")
    with ledger.writing() as session:
        for version, days in (("later", 2), ("first", 0), ("second", 1)):
            at = NOW + timedelta(days=days)
            session.add(MapVersionRow(version=version, recorded_at=at, documents={"map.yaml": version}))
    command.upgrade(config, "head")
    assert [
        (one.version, one.recorded_at, one.recorded_by, one.timezone) for one in ledger.map_records()
    ] == [
        ("first", NOW, None, None),
        ("second", NOW + timedelta(days=1), None, None),
        ("later", NOW + timedelta(days=2), None, None),
    ]
    assert ledger.map_texts("second") == {"map.yaml": "second"}


# Runs, releases, maps


@pytest.mark.parametrize("is_in", ["its head", "a document"])
def test_a_ledger_with_bytes_that_turned_is_told_to_be_damaged_and_nothing_of_it_is_shown(
    is_in: str, tmp_path: Path
):
    ledger = Ledger(tmp_path)
    ledger.note_map("v1", NOW, {"map.yaml": "a secret " * 600})
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = tmp_path / "ledger.db"
    content = bytearray(path.read_bytes())
    first = content.index(b"CREATE TABLE") if is_in == "its head" else content.index(b"a secret") + 90
    content[first] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(
        StoreError, match=r"ledger\.db: cannot be used: .*\. Run again\. .*restore it"
    ) as said:
        Ledger(tmp_path).map_texts("v1")
    assert "secret" not in str(said.value)


@pytest.mark.parametrize("turned", ["2026-05-01 1\x10:00:00.000000", "soon", ""])
def test_an_instant_that_can_no_longer_be_read_is_damage_too(tmp_path: Path, turned: str):
    Ledger(tmp_path).start_run("r1", NOW, "1.0", "m")
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("UPDATE run SET started_at = ?", (turned,))
    with pytest.raises(StoreError, match=r"ledger\.db: cannot be used: it is damaged\. Run again\."):
        Ledger(tmp_path).runs()


def test_a_run_that_was_killed_is_shown_as_killed_once_the_next_one_begins(ledger: Ledger):
    ledger.start_run("r1", NOW, "1.0", "m")
    assert [(run["id"], run["state"]) for run in ledger.runs()] == [("r1", "running")]
    ledger.start_run("r2", NOW + timedelta(hours=1), "1.0", "m")
    ledger.end_run("r2", NOW + timedelta(hours=2), store_commit=4, release_number=7)
    ledger.start_run("r3", NOW + timedelta(hours=3), "1.0", "m")
    ledger.end_run("r3", NOW + timedelta(hours=4), "a: is wrong. Mend it.")
    told = [(run["id"], run["state"], run["ended_at"], run["error"]) for run in ledger.runs()]
    assert told == [
        ("r3", "failed", NOW + timedelta(hours=4), "a: is wrong. Mend it."),
        ("r2", "completed", NOW + timedelta(hours=2), None),
        ("r1", "killed", None, None),
    ]
    assert [run["release_number"] for run in ledger.runs(limit=2)] == [None, 7]


def test_an_instant_comes_back_as_the_same_instant_whatever_zone_it_was_told_in(ledger: Ledger):
    berlin = NOW.astimezone(timezone(timedelta(hours=2)))
    ledger.start_run("r1", berlin, "1.0", "m")
    started = ledger.runs()[0]["started_at"]
    assert started == NOW
    assert started.utcoffset() == timedelta(0)


def test_releases_that_a_killed_run_published_are_noted_by_the_next_one_and_none_twice(ledger: Ledger):
    ledger.note_releases([1], manifest)
    ledger.note_releases([1, 2, 3], manifest)
    ledger.note_releases([2, 3], manifest)
    with ledger.reading() as session:
        rows = session.scalars(sa.select(ReleaseRow).order_by(ReleaseRow.number)).all()
        assert [(row.number, row.table_count, row.reused_count) for row in rows] == [
            (number, 2, 1) for number in (1, 2, 3)
        ]
        assert rows[0].published_at == NOW


def test_a_number_that_another_run_published_anew_is_noted_anew(ledger: Ledger):
    ledger.note_releases([1], lambda number: manifest(number, "lost"))
    ledger.note_releases([1], lambda number: manifest(number, "again"))
    with ledger.reading() as session:
        assert session.scalars(sa.select(ReleaseRow.run_id)).all() == ["again"]


def test_a_version_of_the_map_is_kept_once_as_it_was_first_seen(ledger: Ledger):
    ledger.note_map("v1", NOW, {"map.yaml": "teams: []"})
    ledger.note_map("v1", NOW + timedelta(days=1), {"map.yaml": "otherwise"})
    with ledger.reading() as session:
        row = session.scalars(sa.select(MapVersionRow)).one()
        assert (row.recorded_at, row.documents) == (NOW, {"map.yaml": "teams: []"})
    assert [(one.number, one.version, one.recorded_at) for one in ledger.map_records()] == [(1, "v1", NOW)]


def test_a_unit_of_work_that_fails_leaves_nothing(ledger: Ledger):
    def fail() -> None:
        with ledger.writing() as session:
            session.add(MapVersionRow(version="v1", recorded_at=NOW, documents={}))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with ledger.reading() as session:
        assert session.scalars(sa.select(MapVersionRow)).all() == []


# Several processes

_WORKS = """
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from warehouse.ledger import Ledger
folder, who, url = Path(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None
import alembic.command
print("ready", flush=True)
sys.stdin.readline()
ledger = Ledger(folder, url)
for number in range(50):
    ledger.note_map(f"{who}-{number}", datetime.now(UTC), {"who": who})
"""


def test_four_processes_write_fifty_units_of_work_each_and_none_is_lost(tmp_path: Path):
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKS, str(tmp_path), str(who)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for who in range(4)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    # From here on all four migrate one empty ledger at the same time, and write.
    said = [worker.communicate("go\n", timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, said
    assert all("locked" not in errors for _, errors in said)
    with Ledger(tmp_path).reading() as session:
        versions = session.scalars(sa.select(MapVersionRow.version)).all()
    assert sorted(versions) == sorted(f"{who}-{number}" for who in range(4) for number in range(50))


def test_a_unit_of_work_takes_the_write_lock_at_once_and_readers_do_not_wait(tmp_path: Path):
    ledger = Ledger(tmp_path)
    statements: list[str] = []
    sa.event.listen(ledger.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    with sqlite3.connect(tmp_path / "ledger.db", timeout=0, isolation_level=None) as other:
        with ledger.writing():
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            assert Ledger(tmp_path).runs() == []
        other.execute("BEGIN IMMEDIATE")
        assert ledger.runs() == []
        other.execute("ROLLBACK")
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    assert statements[0] == "BEGIN IMMEDIATE"


def test_a_ledger_that_stays_locked_is_told_in_a_sentence(tmp_path: Path):
    ledger = Ledger(tmp_path)

    @sa.event.listens_for(ledger.engine, "connect")
    def hurry(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA busy_timeout=50")

    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"ledger\.db: cannot be used: database is locked\. Run again"):
        ledger.note_map("v1", NOW, {})
    other.close()
    ledger.note_map("v1", NOW, {})


# Damage and secrets


def test_a_ledger_that_is_no_database_is_told_with_a_remedy(tmp_path: Path):
    (tmp_path / "ledger.db").write_bytes(b"this is no database, however long it may be" * 100)
    with pytest.raises(
        StoreError, match=r"ledger\.db: cannot be used: file is not a database\. .*move it away"
    ):
        Ledger(tmp_path)


def test_a_ledger_that_cannot_be_reached_is_told_in_a_sentence(tmp_path: Path):
    with pytest.raises(
        StoreError, match=r"nowhere/ledger\.db: cannot be used: unable to open database file\."
    ):
        Ledger(tmp_path, f"sqlite:///{tmp_path}/nowhere/ledger.db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://ada:s3cret@127.0.0.1:1/answerable",
        "postgresql+psycopg://127.0.0.1:1/answerable?user=ada&password=s3cret",
        "postgresql+psycopg://ada:s3cret@127.0.0.1:port/answerable",
        "nosuchdatabase://ada:s3cret@127.0.0.1/answerable",
        "ada:s3cret@127.0.0.1",
    ],
)
def test_an_error_never_tells_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str):
    monkeypatch.setenv(URL_VARIABLE, url)
    with pytest.raises(StoreError) as error:
        Ledger(tmp_path)
    assert "s3cret" not in str(error.value)
    assert "s3cret" not in "".join(map(repr, (error.value.__cause__, error.value.problems)))


def test_a_database_that_takes_a_connection_and_says_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A machine that is gone says nothing; without a limit a run would wait for hours, and hold the workspace."""
    monkeypatch.setitem(_PATIENCE, "connect_timeout", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://someone:secret@127.0.0.1:{silent.getsockname()[1]}/ledger"
        monkeypatch.setenv(URL_VARIABLE, url)
        with pytest.raises(StoreError, match=r"cannot be used: .*timeout") as given_up:
            Ledger(tmp_path).runs()
    assert "secret" not in str(given_up.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://u@h/d", _PATIENCE),
        ("postgresql+psycopg://u@h/d?connect_timeout=99", {**_PATIENCE, "connect_timeout": None}),
        ("sqlite:///ledger.db", {}),
    ],
)
def test_what_an_address_says_of_patience_counts(url: str, said: dict[str, int | None]):
    assert _patience(sa.make_url(url)) == {name: value for name, value in said.items() if value is not None}
