"""Real servers for the tests that need one: Prefect's, started once a session, on loopback, and PostgreSQL."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, postgres
from tests.flows.databases import Database
from tests.flows.hooks import end

START_SECONDS = 180
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Server:
    """A Prefect server of our own on loopback.

    Attributes:
        url: Its API.
        environment: What a client needs to use it.
        process: Its process.
    """

    url: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    def post(self, path: str, body: dict) -> tuple[int, Any]:
        """POST to the API: status and answer."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers)  # noqa: S310 - loopback
        for _ in range(20):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code != 503:  # SQLite is locked by another writer: Prefect asks to try again
                    return error.code, error.read().decode()
            except (urllib.error.URLError, TimeoutError):
                pass
            time.sleep(1)
        return 503, None

    def wait(self, what: str, found: Callable[[], Any], seconds: float = 240) -> Any:
        """Wait until something is found; the answer, or a failed test that says what was waited for."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answer := found():
                return answer
            time.sleep(0.5)
        pytest.fail(f"after {seconds:.0f} s still not: {what}")

    def runs(self, **matching: object) -> list[dict[str, Any]]:
        """Flow runs, the oldest first."""
        _, found = self.post("/flow_runs/filter", {"sort": "EXPECTED_START_TIME_ASC"})
        return [one for one in found if all(one[name] == value for name, value in matching.items())]

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a client of the server."""
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self.environment | more,
            timeout=300,
            check=False,
        )


@pytest.fixture
def own_database() -> Iterator[Database]:
    """A PostgreSQL that nobody else uses."""
    with postgres() as server:
        made = Database(server)
        try:
            yield made
        finally:
            made.begin()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A Prefect server with a database of its own, ended by its process id."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
    }
    log = (home / "server.log").open("w")
    where = ("--host", "127.0.0.1", "--port", str(port))
    command = [str(BIN / "prefect"), "server", "start", *where]
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/api/health", process, home / "server.log")
        yield Server(f"http://127.0.0.1:{port}/api", environment, process)
    finally:
        end(process, 30)
        log.close()


def _wait_until_up(health: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(health, timeout=5):  # noqa: S310 - loopback
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    pytest.fail(f"the server did not start in {START_SECONDS} s: {log.read_text()}")
