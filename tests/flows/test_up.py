"""`answerable up`: server, worker and serve lane as one, killed at random instants under load, ended without a trace."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.alerts import Letter, plain
from contracts.signals import Signal
from tests.conftest import ROOT, Sandbox
from tests.flows.hooks import end
from tests.flows.letters import BREACH
from tests.flows.sinks import http_sink
from warehouse.alert_ledger import AlertLedger
from warehouse.ledger import Ledger
from warehouse.signal_ledger import SignalLedger
from warehouse.store import EventStore

KILLS = int(os.environ.get("ANSWERABLE_UP_KILLS", "0"))
pytestmark = [
    pytest.mark.prefect,
    pytest.mark.slow,
    pytest.mark.skipif(
        not KILLS, reason="set ANSWERABLE_UP_KILLS: a minute of work, and more for every kill"
    ),
]

SEED = int(os.environ.get("ANSWERABLE_UP_SEED", "7"))
READY_SECONDS = 900
SETTINGS = """
alerts:
  channels:
    - {id: chat, kind: slack, url_from: SINK}
    - {id: hook, kind: webhook, url_from: SINK, secret_from: KEY}
  roles: {default: hook}
"""


@dataclass
class Up:
    """A running `answerable up`.

    Attributes:
        process: Its process.
        home: Where its status and logs are.
    """

    process: subprocess.Popen
    home: Path

    def status(self) -> dict[str, Any]:
        """What it says of itself."""
        return json.loads((self.home / "up.json").read_text())

    def pid(self, child: str) -> int:
        """A child's process."""
        return self.status()["children"][child]["pid"]

    def log(self) -> str:
        """What everybody said."""
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in self.home.glob("*.log"))

    def wait(self, what: str, found: Callable[[], object], seconds: float = READY_SECONDS) -> None:
        """Wait for something."""
        until = time.monotonic() + seconds
        while not found():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, f"still not: {what}\n{self.log()}"
            time.sleep(0.5)


@contextmanager
def running(sandbox: Sandbox, **environment: str) -> Iterator[Up]:
    """Begin `answerable up` on free ports, and make sure that it ends."""
    home = sandbox.root / "warehouse/prefect"
    home.mkdir(parents=True)
    command = [sys.executable, "-m", "flows", "up", str(sandbox.root), "--port", "0", "--serve-port", "0"]
    with (home / "up.log").open("w") as log:
        around = os.environ | environment
        process = subprocess.Popen(command, env=around, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    up = Up(process, home)
    try:
        yield up
    finally:
        end(process, 120)


@dataclass
class Load:
    """Facts that are written while processes are killed.

    Attributes:
        sandbox: The workspace.
        letters: Ids of letters by channel.
        signals: Ids of signals.
        files: Deliveries that were dropped.
    """

    sandbox: Sandbox
    letters: dict[str, str] = field(default_factory=dict)
    signals: list[str] = field(default_factory=list)
    files: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Write letters, signals and files until it is enough."""
        ledger = Ledger(self.sandbox.root / "warehouse")
        alerts, signals = AlertLedger(ledger), SignalLedger(ledger)
        while not self.ended.wait(0.7):
            number = len(self.signals)
            now = datetime.now(UTC)  # noqa: TID251 - leases are compared with the real time
            channel = ("chat", "hook")[number % 2]
            message = {**plain(BREACH), "alert": f"a{number:04}"}
            letter = Letter(
                kind="breach", person="ada", role="owner", channel=channel, alerts=(), messages=(message,)
            )
            with alerts.deciding() as book:
                self.letters[book.post(letter, now, now, now)] = channel
            one = Signal(name="answerable.run.failed", workspace="load", occurred_at=now, key=str(number))
            signals.add([one], now)
            self.signals.append(one.id)
            if number % 8 == 0:
                row = f"{number},a{number}@x.example,2026-02-11 09:00:00,web,order,4"
                self.sandbox.answers(row, name=f"answers-{number}.csv")
                self.files += 1


def kill(up: Up, count: int, chance: random.Random) -> Counter[str]:
    """Kill children at random instants, everyone at least once in three; how often each."""
    killed = Counter[str]()
    order: list[str] = []
    while sum(killed.values()) < count:
        if not order:
            order = sorted(up.status()["children"])
            chance.shuffle(order)
        time.sleep(chance.uniform(0.1, 4.0))
        child = order.pop()
        before = up.status()["children"][child]
        os.kill(before["pid"], signal.SIGKILL)
        killed[child] += 1
        up.wait(
            f"{child} begins again",
            lambda c=child, b=before: up.status()["children"][c]["begun"] > b["begun"],
        )
    return killed


def events(api: str, ids: list[str]) -> Counter[str]:
    """How often the server has each event."""
    found = Counter[str]()
    for start in range(0, len(ids), 50):
        asked = {
            "filter": {"id": {"id": ids[start : start + 50]}, "occurred": {"since": "2020-01-01T00:00:00Z"}},
            "limit": 50,
        }
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{api}/events/filter", json.dumps(asked).encode(), headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            found.update(one["id"] for one in json.load(answer)["events"])
    return found


def test_killed_at_random_instants_under_load_nothing_is_lost_and_it_ends_without_a_trace(sandbox: Sandbox):
    sandbox.write("answerable.yaml", (sandbox.root / "answerable.yaml").read_text() + SETTINGS)
    ledger = Ledger(sandbox.root / "warehouse")
    alerts, signals = AlertLedger(ledger), SignalLedger(ledger)
    with http_sink() as sink, running(sandbox, SINK=sink.url, KEY="a secret of the receiver") as up:
        up.wait("ready", lambda: "\nready: " in f"\n{(up.home / 'up.log').read_text()}")
        assert set(up.status()["children"]) == {"server", "worker", "serve"}
        load = Load(sandbox)
        worker = threading.Thread(target=load.work)
        worker.start()
        try:
            killed = kill(up, KILLS, random.Random(SEED))
        finally:
            load.ended.set()
            worker.join()
        up.wait("no letter waits", lambda: set(alerts.counts()) <= {"sent", "dead"})
        up.wait("every event is kept", lambda: set(signals.counts()) == {"confirmed"})
        state = EventStore(sandbox.root / "warehouse/store")
        up.wait("every file is read", lambda: len(state.head().deliveries) == load.files)
        assert events(up.status()["api"], load.signals) == Counter(load.signals), "each is there, once"
        children = [one["pid"] for one in up.status()["children"].values()]
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(180) == 0, up.log()
    hooks = [head["webhook-id"] for head in sink.headers if "webhook-id" in head]
    chats = Counter(
        body for body, head in zip(sink.taken, sink.headers, strict=True) if "webhook-id" not in head
    )
    by_channel = Counter(load.letters.values())
    dead, unsure = alerts.counts().get("dead", 0), alerts.unsure()
    print(  # noqa: T201 - the figures of a long run
        f"{dict(killed)} killed; {len(load.letters)} letters, {dead} dead, {sum(chats.values()) - len(chats)} came twice "
        f"where they cannot be told apart, {len(hooks) - len(set(hooks))} where they can; "
        f"{len(load.signals)} events, {load.files} files"
    )
    assert {id_ for id_, channel in load.letters.items() if channel == "hook"} <= set(hooks)
    assert by_channel["chat"] - dead <= len(chats) <= by_channel["chat"], "every letter arrived"
    assert dead <= 1 + KILLS // 20, "twice in doubt is rare, and seen"
    assert max(chats.values(), default=0) <= 2
    assert sum(chats.values()) - len(chats) <= unsure.get("chat", 0), "what may have come twice was counted"
    for pid in children:
        assert not Path(f"/proc/{pid}").exists()
    assert not _of(sandbox.root), "nothing that it began is left"


def _of(root: Path) -> list[str]:
    """Commands of processes that are about the workspace."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            is_ours = f"{root}/warehouse/prefect".encode() in path.read_bytes()
            command = (path.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if is_ours and command:
            found.append(command)
    return found
