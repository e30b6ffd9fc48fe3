"""The flow on a real Prefect server: the API starts, the flow runs, deployments deploy."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Sandbox

pytestmark = [pytest.mark.prefect, pytest.mark.slow]
START_SECONDS = 180
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Server:
    """A Prefect server of our own on loopback.

    Attributes:
        url: Its API.
        environment: What a client needs to use it.
    """

    url: str
    environment: dict[str, str]

    def post(self, path: str, body: dict) -> tuple[int, object]:
        """POST to the API: status and answer."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

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


@pytest.fixture(scope="module")
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
    }
    log = (home / "server.log").open("w")
    where = ("--host", "127.0.0.1", "--port", str(port))
    command = [str(BIN / "prefect"), "server", "start", *where]
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/api/health", process, home / "server.log")
        yield Server(f"http://127.0.0.1:{port}/api", environment)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
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


def test_the_api_takes_nulls(server: Server):
    """What Prefect's own client sends; with fastapi 0.151 and later it answers 422, or does not start."""
    for path in ("/automations/filter", "/flow_runs/filter", "/deployments/filter"):
        status, answer = server.post(path, {"sort": None, "limit": None, "offset": 0})
        assert status == 200, answer


def test_run_uses_the_flow_when_a_server_is_set(server: Server, tmp_path: Path):
    from tests.conftest import build_sandbox

    sandbox = build_sandbox(tmp_path / "workspace")
    sandbox.answers("1,a@x.example,2026-02-11 09:00:00,web,order,4")
    done = server.run(sys.executable, "-m", "flows", "run", str(sandbox.root), "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout[done.stdout.index("{") :])
    assert (summary["release"], summary["events"]["new"]) == (1, 1)
    _, runs = server.post("/flow_runs/filter", {})
    assert [run["state"]["type"] for run in runs] == ["COMPLETED"]
    assert _task_names(server) == [
        "absorb", "alert", "audit", "land", "measure", "notify", "publish", "score",
    ]  # fmt: skip
    _, artifacts = server.post("/artifacts/filter", {})
    assert [artifact["key"] for artifact in artifacts] == ["release"]


def _task_names(server: Server) -> list[str]:
    """Names of the tasks that ran; the server records them a little later."""
    deadline = time.monotonic() + 60
    names: list[str] = []
    while time.monotonic() < deadline:
        _, tasks = server.post("/task_runs/filter", {})
        names = sorted(task["name"].split("-")[0] for task in tasks)
        if len(names) >= 8 and all(task["state_type"] == "COMPLETED" for task in tasks):
            break
        time.sleep(0.5)
    return names


def test_a_workspace_that_is_wrong_never_reaches_prefect(server: Server, tmp_path: Path):
    done = server.run(sys.executable, "-m", "flows", "run", str(tmp_path))
    assert (done.returncode, "is no workspace" in done.stderr) == (3, True)


def test_deploying_twice_changes_nothing(server: Server, sandbox: Sandbox):
    prefect = str(BIN / "prefect")
    made = server.run(prefect, "work-pool", "create", "--type", "process", "answerable")
    assert made.returncode == 0, made.stdout + made.stderr
    variables = {"ANSWERABLE_HOME": str(ROOT), "ANSWERABLE_WORKSPACE": str(sandbox.root)}
    seen = []
    for _ in range(2):
        done = server.run(prefect, "--no-prompt", "deploy", "--all", **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        _, deployments = server.post("/deployments/filter", {})
        seen.append({d["name"]: (d["id"], d["parameters"], len(d["schedules"])) for d in deployments})
    assert seen[0] == seen[1]
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert {name: count for name, (_, _, count) in seen[0].items()} == {
        d["name"]: len(d["schedules"]) for d in declared
    }
    assert seen[0]["refresh"][1] == {"folder": str(sandbox.root)}
    slugs = {
        s["slug"]: s["schedule"]["cron"]
        for d in deployments
        for s in d["schedules"]
        if d["name"] == "reviews"
    }
    assert slugs == {"weekly": "0 6 * * MON", "monthly": "0 6 1 * *", "quarterly": "0 6 1 1,4,7,10 *"}
