"""A workspace with a hook, what its sender sends, and a `serve` process, for tests of the hot lane."""

import hashlib
import hmac
import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import CONTRACT, ROOT, Sandbox, build_sandbox

SECRET = "a secret that only the sender knows"  # noqa: S105 - of these tests
ENVIRONMENT = {"CHAT_SECRET": SECRET}
HOOK = """
feed: chat
kind: push
owner: head_of_sales
receive: {scheme: github, secret_from: CHAT_SECRET}
streams:
  - name: answers
    files: inbox/chat/*.jsonl
    format: jsonl
    contract: contracts/chat.odcs.yaml
    events:
      - kind: "'survey.answered'"
        occurred_at: answered_at
        recorded_at: received_at
        channel: channel
        score: satisfaction
        scale: "'csat'"
        attributes: {about: about}
"""
RECEIVED = "      - {name: received_at, physicalName: answerable.received_at, logicalType: timestamp}\n"
WAIT = 120.0
"""Seconds that a test waits for something that takes one; the machine may be busy."""


def build_hooked(root: Path) -> Sandbox:
    """The small workspace with a feed beside it that is pushed to."""
    sandbox = build_sandbox(root)
    sandbox.write("feeds/chat.yaml", HOOK)
    sandbox.write("contracts/chat.odcs.yaml", CONTRACT.replace("id: survey", "id: chat") + RECEIVED)
    return sandbox


def answer(ident: str, score: int = 5, about: str = "order", day: str = "2026-02-20") -> bytes:
    """An answer as the chat sends it."""
    told = {"answer_id": ident, "answered_at": f"{day} 10:00:00", "channel": "web", "about": about}
    return json.dumps({**told, "satisfaction": score}).encode()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The headers of a delivery in GitHub's way."""
    made = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"content-type": "application/json", "x-hub-signature-256": f"sha256={made}"}


def post(port: int, body: bytes, headers: dict[str, str] | None = None, path: str = "/hooks/chat") -> int:
    """Push a delivery on a connection of its own; the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, body, headers or signed(body))
        return connection.getresponse().status
    finally:
        connection.close()


def read(port: int, path: str) -> tuple[int, str]:
    """Status and text of a page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def until(holds: Callable[[], bool], what: str, seconds: float = WAIT, *, every: float = 0.05) -> None:
    """Wait until something holds, looking every so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(every)


def end(process: subprocess.Popen, seconds: float = 60) -> None:
    """Tell a process that we started to end, and see to it that it does."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass
class Serving:
    """A `serve` process.

    Attributes:
        process: The process.
        port: Where it listens.
        lines: What it logged so far.
    """

    process: subprocess.Popen[str]
    port: int = 0
    lines: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        """What it logged."""
        return "".join(self.lines)

    def releases(self) -> int:
        """How many runs have ended well."""
        return sum("serve release" in line for line in self.lines)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT)


@contextmanager
def serving(root: Path, *words: str, **environment: str) -> Iterator[Serving]:
    """Serve a workspace in a process of its own, on a port that was free; it is told to end afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", "serve", str(root), "--port", "0", *words],
        stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **ENVIRONMENT, **environment},
    )  # fmt: skip
    one, lines = Serving(process), queue.SimpleQueue[str]()

    def follow() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            one.lines.append(line)
            if "listening on" in line:
                lines.put(line)
        lines.put("")

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    try:
        said = lines.get(timeout=WAIT)
        assert said, one.log
        one.port = int(said.split("127.0.0.1:")[1].split(",")[0])
        yield one
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            reader.join(10)
            if process.stderr is not None:
                process.stderr.close()
