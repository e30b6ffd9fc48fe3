"""A pump in processes that are killed at random instants: `python killed_pump.py WORKSPACE URL LETTERS KILLS SEED`.

One warm process forks a child that pumps, kills it, and begins again. Prints as JSON what the ledger says.
"""

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.alerts import Letter, plain
from flows.channels import _http, slack, webhook  # noqa: F401 - loaded before the first fork
from flows.pump import Bounds, pump
from flows.workspace import load
from tests.flows.letters import BREACH
from warehouse.alert_ledger import AlertLedger
from warehouse.ledger import Ledger

LEASE = timedelta(milliseconds=150)


def main(root: str, url: str, letters: str, kills: str, seed: str) -> None:
    """Kill so many pumps, then let one finish."""
    workspace = load(Path(root))
    environment = {"SINK": url, "KEY": "a secret of the receiver"}
    chance = random.Random(int(seed))
    ledger = AlertLedger(Ledger(workspace.warehouse))
    now = datetime.now(UTC)  # noqa: TID251 - leases are compared with the real time
    for index in range(int(letters)):
        message = {**plain(BREACH), "alert": f"a{index:04}"}
        channel = ("chat", "hook")[index % 2]
        letter = Letter(
            kind="breach", person="dana", role="owner", channel=channel, alerts=(), messages=(message,)
        )
        with ledger.deciding() as book:
            book.post(letter, now, now, now)
    _http.trusted()  # read before the first fork, as in a process that goes on for long
    killed = 0
    while killed < int(kills):
        child = os.fork()
        if child == 0:
            pump(workspace, ledger, Bounds(10_000, 3600, LEASE), environment)
            os._exit(0)
        time.sleep(chance.uniform(0.0, 0.25))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        if not ledger.letters("due", "sending", limit=1):
            break
    for _ in range(20):
        pump(workspace, ledger, Bounds(10_000, 3600, LEASE), environment)
        time.sleep(LEASE.total_seconds() / 2)
    counts, unsure = ledger.counts(), ledger.unsure()
    every = {one.id: one.letter.channel for one in ledger.letters(limit=10**6)}
    sys.stdout.write(json.dumps({"killed": killed, "counts": counts, "unsure": unsure, "letters": every}))


if __name__ == "__main__":
    main(*sys.argv[1:])
