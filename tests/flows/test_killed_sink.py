"""kill -9 of whoever is notified: no letter is lost, and one comes twice at most once a kill, under its own id."""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.alerts import Letter, plain
from flows.pump import Bounds, pump
from tests.conftest import ROOT, Sandbox
from tests.flows.letters import BREACH
from tests.flows.sinks import free_port
from warehouse.alert_ledger import AlertLedger
from warehouse.ledger import Ledger

KILLS = int(os.environ.get("ANSWERABLE_SINK_KILLS", "5"))
SETTINGS = """
alerts:
  channels: [{id: hook, kind: webhook, url_from: SINK, secret_from: KEY, timeout_seconds: 5}]
  roles: {default: hook}
"""


class Sink:
    """A process that takes letters, again and again on one port."""

    def __init__(self, file: Path) -> None:
        self.port, self.file = free_port(), file
        self.process: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Take letters."""
        command = [sys.executable, "-S", "-m", "tests.flows.killed_sink", str(self.port), str(self.file)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """End as by a power cut."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    def taken(self) -> Counter[str]:
        """Ids of the letters that are on its disk."""
        return Counter(self.file.read_text().split() if self.file.exists() else [])


@pytest.mark.slow
def test_a_receiver_that_is_killed_again_and_again_gets_every_letter(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sandbox.write("answerable.yaml", (sandbox.root / "answerable.yaml").read_text() + SETTINGS)
    workspace, chance = sandbox.load(), random.Random(11)
    ledger, sink = AlertLedger(Ledger(workspace.warehouse)), Sink(tmp_path / "taken.txt")
    environment = {"SINK": f"http://127.0.0.1:{sink.port}", "KEY": "a secret of the receiver"}
    begun = datetime.now(UTC)  # noqa: TID251 - letters are due at once
    rounds, ended = [0], threading.Event()

    def clock() -> datetime:
        """An hour later after every kill: what waits to be tried again is due once more, and no sooner."""
        return begun + timedelta(hours=rounds[0])

    def post(number: int) -> None:
        for index in range(8):
            message = {**plain(BREACH), "alert": f"a{number}-{index}"}
            letter = Letter(
                kind="breach", person="dana", role="owner", channel="hook", alerts=(), messages=(message,)
            )
            with ledger.deciding() as book:
                book.post(letter, begun, begun, begun)

    def deliver() -> None:
        while not ended.is_set():
            pump(workspace, ledger, Bounds(10_000, 3600), environment, clock)
            time.sleep(0.05)

    postman = threading.Thread(target=deliver)
    sink.begin()
    postman.start()
    for number in range(KILLS):
        post(number)
        before = sink.taken().total()
        end = time.monotonic() + 30
        while sink.taken().total() < before + chance.randrange(1, 6) and time.monotonic() < end:
            time.sleep(0.002)
        time.sleep(chance.uniform(0.0, 0.03))
        sink.kill()
        time.sleep(chance.uniform(0.0, 0.1))
        sink.begin()
        rounds[0] += 1
    end = time.monotonic() + 120
    while (
        ledger.counts().get("sent", 0) + ledger.counts().get("dead", 0) < 8 * KILLS and time.monotonic() < end
    ):
        time.sleep(0.05)
    ended.set()
    postman.join()
    sink.kill()
    taken = sink.taken()
    ids = {one.id for one in ledger.letters(limit=10**6)}
    assert ledger.counts() == {"sent": 8 * KILLS}, "none is lost, none is dead"
    assert set(taken) == ids, "every letter is on the receiver's disk"
    doubles = taken.total() - len(taken)
    unsure = ledger.unsure().get("hook", 0)
    assert doubles <= unsure <= KILLS, "what may have come twice was counted"
    with capsys.disabled():
        print(f"\n{KILLS} kills, {len(ids)} letters, {doubles} came twice, {unsure} in doubt")  # noqa: T201
