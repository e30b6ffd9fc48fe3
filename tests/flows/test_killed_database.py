"""kill -9 of the PostgreSQL that keeps the ledger, under load: the hot lane outlives it, and what was promised is kept."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.databases import Database
from tests.flows.hooks import build_hooked, read, serving, until
from tests.flows.killed_serve import Load
from tests.flows.test_killed_serve import kept_once
from warehouse.ledger import URL_VARIABLE

KILLS = int(os.environ.get("ANSWERABLE_DATABASE_KILLS", "2"))
SEED = int(os.environ.get("ANSWERABLE_DATABASE_SEED", "7"))


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
