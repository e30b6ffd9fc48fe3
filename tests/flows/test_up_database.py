"""PostgreSQL under Prefect, as `answerable up` begins it: everything is kept there, and its death is outlived."""

import os
import subprocess
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from flows.commands.up import DATABASE
from flows.hosting import HOST, answers, place
from tests.conftest import ROOT, Sandbox
from tests.flows.conftest import BIN
from tests.flows.databases import Database
from tests.flows.hooks import end, until
from tests.flows.test_up import READY_SECONDS, Up, running
from warehouse.ledger import URL_VARIABLE
from warehouse.releases import Releases

pytestmark = [pytest.mark.prefect, pytest.mark.slow]


SECRET = "a-word-that-nobody-may-read"  # noqa: S105 - of these tests


def as_prefect_takes_it(url: str) -> str:
    """A database's address for Prefect's server, which has a driver of its own; on a socket nobody asks for the password."""
    assert "//postgres:@/" in url
    return url.replace("postgresql+psycopg://postgres:@", f"postgresql+asyncpg://postgres:{SECRET}@")


def test_the_server_keeps_everything_in_the_postgresql_that_is_named_and_outlives_its_death(
    own_database: Database, tmp_path: Path
):
    url = own_database.make("prefect")
    where = place(tmp_path, tmp_path / "warehouse", 0, 0, as_prefect_takes_it(url))
    command = [str(BIN / "prefect"), "server", "start", "--host", HOST, "--port", str(where.port)]
    with (tmp_path / "server.log").open("w") as log:
        around = where.environment(os.environ)
        server = subprocess.Popen(command, env=around, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    try:
        until(lambda: answers(f"{where.api}/ready"), "it is up", READY_SECONDS)
        made = httpx.post(f"{where.api}/flows/", json={"name": "kept"}, timeout=60).json()["id"]
        with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
            assert connection.scalars(sa.text("SELECT name FROM flow")).all() == ["kept"]
        assert not list(where.home.rglob("*.db")), "and nowhere else"
        own_database.kill()
        until(lambda: not answers(f"{where.api}/ready"), "it says that its database is gone")
        own_database.begin()
        until(lambda: answers(f"{where.api}/ready"), "it is there again")
        assert httpx.get(f"{where.api}/flows/{made}", timeout=60).json()["name"] == "kept"
        assert server.poll() is None, "the same process"
    finally:
        end(server)
    assert SECRET not in (tmp_path / "server.log").read_text()


@pytest.mark.skipif(
    "ANSWERABLE_UP_KILLS" not in os.environ, reason="set ANSWERABLE_UP_KILLS: minutes of work"
)
def test_everything_comes_up_on_postgresql_and_goes_on_once_it_is_there_again(
    own_database: Database, sandbox: Sandbox
):
    prefect, ledger = as_prefect_takes_it(own_database.make("prefect")), own_database.make("ledger")
    with running(sandbox, **{DATABASE: prefect, URL_VARIABLE: ledger}) as up:
        up.wait("ready", lambda: "\nready: " in f"\n{(up.home / 'up.log').read_text()}")
        assert (_count(up, "deployments"), _count(up, "automations")) == (5, 7)
        _delivers(up, sandbox, 1)
        own_database.kill()
        up.wait("the server says so", lambda: not answers(f"{up.status()['api']}/ready"))
        own_database.begin()
        _delivers(up, sandbox, 2)
        assert (_count(up, "deployments"), _count(up, "automations")) == (5, 7)
        runs = httpx.post(f"{up.status()['api']}/flow_runs/filter", json={}, timeout=60).json()
        assert sum(one["auto_scheduled"] for one in runs) >= 10, "schedules give runs"
        told = "\n".join(path.read_text() for path in up.home.glob("*.log"))
        assert SECRET not in told


def _delivers(up: Up, sandbox: Sandbox, number: int) -> None:
    """A file that is dropped leads to a release."""
    releases = Releases(sandbox.root / "warehouse/published").manifests
    before = releases.head()
    sandbox.answers(f"{number},a@x.example,2026-02-11 09:00:00,web,order,4", name=f"answers-{number}.csv")
    up.wait(f"file {number} is in a release", lambda: releases.head() > before)


def _count(up: Up, what: str) -> int:
    return len(httpx.post(f"{up.status()['api']}/{what}/filter", json={}, timeout=60).json())
