"""A `serve` that is killed at random instants under load: `python -m tests.flows.killed_serve WORKSPACE KILLS SEED`.

One warm process forks a child that serves, pushes to it from several threads, kills it, and begins again. Prints as
JSON what was promised and how it went.
"""

import json
import os
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path

# Loaded before the first fork, so that a child begins at once; nothing of it starts a thread.
from flows.serving import server
from flows.serving.reactor import Rhythm
from tests.flows.hooks import ENVIRONMENT, answer, post

SENDERS = 3


class Load:
    """Senders that push without end, each delivery until somebody promises that it is kept.

    Attributes:
        promised: Answers that were given, by delivery: 202 or 200.
        statuses: All answers, by status; 0 for none.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.promised: dict[str, list[int]] = {}
        self.statuses: Counter[int] = Counter()
        self.ended = threading.Event()
        self._threads = [threading.Thread(target=self._push, args=(number,)) for number in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _push(self, sender: int) -> None:
        number = 0
        while not self.ended.is_set():
            ident = f"s{sender}-{number}"
            status = self._sent(ident)
            self.statuses[status] += 1
            if status in (200, 202):
                self.promised.setdefault(ident, []).append(status)
                # Some are sent again although they were promised, as senders do that missed the answer.
                if number % 10 == 0 and self._sent(ident) == 202:
                    self.promised[ident].append(-1)
                number += 1
                time.sleep(0.01)
            else:
                time.sleep(0.05)

    def _sent(self, ident: str) -> int:
        try:
            return post(self.port, answer(ident))
        except (OSError, ValueError, EOFError):
            return 0
        except Exception as error:
            if type(error).__module__ == "http.client":
                return 0
            raise

    def end(self) -> None:
        """Stop to push."""
        self.ended.set()
        for thread in self._threads:
            thread.join()


def _serve(root: Path, port: int, log: Path) -> None:
    """In the child: serve until told to end."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    rhythm = Rhythm(quiet=0.05, patience=0.5, pace=0.0)
    try:
        server.serve(
            root, server.Options(port=port, rhythm=rhythm, environment={**os.environ, **ENVIRONMENT})
        )
    finally:
        os._exit(0)


def main(root: str, kills: str, seed: str) -> None:
    """Kill so many, then let one finish."""
    folder, chance = Path(root), random.Random(int(seed))
    log = folder.parent / "serve.log"
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    load, killed, cpu = None, 0, os.times()
    while killed < int(kills):
        child = os.fork()
        if child == 0:
            _serve(folder, port, log)
        load = load or Load(port)
        before = sum(map(len, load.promised.values()))
        end = time.monotonic() + 60
        # Somewhere between its first answers and its runs; some are killed while they start.
        if chance.random() < 0.8:
            while (
                sum(map(len, load.promised.values())) < before + chance.randrange(1, 30)
                and time.monotonic() < end
            ):
                time.sleep(0.001)
        time.sleep(chance.uniform(0.0, 1.5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        killed += 1
    assert load is not None
    child = os.fork()
    if child == 0:
        _serve(folder, port, log)
    before = sum(map(len, load.promised.values()))
    end = time.monotonic() + 120
    while sum(map(len, load.promised.values())) < before + 3 and time.monotonic() < end:
        time.sleep(0.05)
    load.end()
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    used = os.times()
    said = {
        "killed": killed,
        "promised": load.promised,
        "statuses": dict(load.statuses),
        "ended": os.waitstatus_to_exitcode(status),
        "cpu_seconds": used.user + used.system + used.children_user + used.children_system - sum(cpu[:4]),
    }
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
