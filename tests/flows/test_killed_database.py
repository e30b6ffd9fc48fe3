"""kill -9 of the PostgreSQL that keeps the ledger, under load: the hot lane outlives it, and what was promised is kept."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import address, postgres
from tests.flows.hooks import build_hooked, read, serving, until
from tests.flows.killed_serve import Load
from tests.flows.test_killed_serve import kept_once
from warehouse.ledger import URL_VARIABLE

KILLS = int(os.environ.get("ANSWERABLE_DATABASE_KILLS", "2"))
SEED = int(os.environ.get("ANSWERABLE_DATABASE_SEED", "7"))


class Database:
    """A PostgreSQL that can be killed and begun again.

    Attributes:
        url: Its address, as the ledger takes it.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url = address(server)

    def kill(self) -> None:
        """End it as a power cut would: its workers go once it is gone."""
        pid = self._server.get_pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{pid}").exists(), "it is gone")

    def begin(self) -> None:
        """Begin it again; its old workers may still be going."""
        end = time.monotonic() + 60
        while True:
            try:
                self._server.ensure_postgres_running()
            except Exception:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return


@pytest.fixture
def own_database() -> Iterator[Database]:
    """A database that nobody else uses."""
    with postgres() as server:
        made = Database(server)
        try:
            yield made
        finally:
            made.begin()


@pytest.mark.slow
def test_killed_at_random_instants_what_was_promised_is_kept_and_the_lane_goes_on(
    own_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sandbox = build_hooked(tmp_path / "workspace")
    environment = {URL_VARIABLE: own_database.url}
    chance = random.Random(SEED)
    with serving(sandbox.root, **environment) as one:
        until(lambda: one.releases() > 0, "the first release")
        load = Load(one.port)
        try:
            for _ in range(KILLS):
                until(more(load), "something is promised again")
                time.sleep(chance.uniform(0.0, 1.5))
                own_database.kill()
                time.sleep(chance.uniform(0.0, 0.5))
                own_database.begin()
            until(more(load), "something is promised in the end")
        finally:
            load.end()
        until(lambda: "waiting" in read(one.port, "/readyz")[1], "nothing is left to do")
        assert one.process.poll() is None, "it has outlived them all"
        assert "Traceback" not in one.log, one.log[one.log.index("Traceback") - 500 :][:9000]
    told = kept_once(sandbox, load.promised, KILLS, environment)
    with capsys.disabled():
        print(  # noqa: T201 - figures for whoever asked for more kills
            f"\n{KILLS} kills of PostgreSQL, {len(load.promised)} promised, {told}, answers {dict(load.statuses)}"
        )


def more(load: Load) -> Callable[[], bool]:
    """Whether three more deliveries have been promised than now."""
    before = len(load.promised)
    return lambda: len(load.promised) >= before + 3
