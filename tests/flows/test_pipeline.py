"""The flow on a real Prefect server: the API starts, the flow runs, deployments deploy."""

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import build_sandbox
from tests.flows.conftest import Server

pytestmark = [pytest.mark.prefect, pytest.mark.slow]


def test_the_api_takes_nulls(server: Server):
    """What Prefect's own client sends; with fastapi 0.151 and later it answers 422, or does not start."""
    for path in ("/automations/filter", "/flow_runs/filter", "/deployments/filter"):
        status, answer = server.post(path, {"sort": None, "limit": None, "offset": 0})
        assert status == 200, answer


def test_run_uses_the_flow_when_a_server_is_set(server: Server, tmp_path: Path):
    sandbox = build_sandbox(tmp_path / "workspace")
    sandbox.answers("1,a@x.example,2026-02-11 09:00:00,web,order,4")
    done = server.run(sys.executable, "-m", "flows", "run", str(sandbox.root), "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout[done.stdout.index("{") :])
    assert (summary["release"], summary["events"]["new"]) == (1, 1)
    (run,) = [one for one in server.runs() if one["parameters"]["folder"] == str(sandbox.root)]
    assert run["state_type"] == "COMPLETED"
    expected = ["absorb", "alert", "audit", "land", "measure", "notify", "publish", "score"]
    server.wait("every task is recorded", lambda: _tasks(server, run["id"]) == expected, 60)
    _, artifacts = server.post("/artifacts/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    shown = {one["key"]: one for one in artifacts}
    assert set(shown) == {"progress", "release", "scorecards", "gap-audit"}
    assert shown["progress"]["data"] == 100
    gaps = json.loads(shown["gap-audit"]["data"])
    assert gaps[0]["sentence"], "findings, the worst first"
    seen = server.wait("events are kept", lambda: _events(server, str(sandbox.root)), 60)
    assert {one["event"] for one in seen} >= {"answerable.scorecard.published", "answerable.feed.landed"}


def _tasks(server: Server, run: str) -> list[str]:
    """Names of a run's completed tasks; the server records them a little later."""
    _, tasks = server.post("/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    return sorted(task["name"].split("-")[0] for task in tasks if task["state_type"] == "COMPLETED")


def _events(server: Server, root: str) -> list[dict]:
    """Events of a workspace's ledger that the server keeps: emitted by the pump, read back by the next one."""
    from flows.emitting import emit
    from warehouse.ledger import Ledger
    from warehouse.signal_ledger import SignalLedger

    ledger = SignalLedger(Ledger(Path(root) / "warehouse"))
    emit(ledger, server.environment)
    told = ledger.told()
    return told if told and all(one["state"] == "confirmed" for one in told) else []


def test_a_workspace_that_is_wrong_never_reaches_prefect(server: Server, tmp_path: Path):
    done = server.run(sys.executable, "-m", "flows", "run", str(tmp_path))
    assert (done.returncode, "is no workspace" in done.stderr) == (3, True)
