"""The flow on a real Prefect server: the API starts, the flow runs, deployments deploy."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.deploying import POOL, deploy
from flows.emitting import emit
from tests.conftest import ROOT, Sandbox, build_sandbox
from tests.flows.conftest import BIN, Server
from warehouse.ledger import Ledger
from warehouse.signal_ledger import SignalLedger

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
    ledger = SignalLedger(Ledger(Path(root) / "warehouse"))
    emit(ledger, server.environment)
    told = ledger.told()
    return told if told and all(one["state"] == "confirmed" for one in told) else []


def test_a_workspace_that_is_wrong_never_reaches_prefect(server: Server, tmp_path: Path):
    done = server.run(sys.executable, "-m", "flows", "run", str(tmp_path))
    assert (done.returncode, "is no workspace" in done.stderr) == (3, True)


ALERTS = """
alerts:
  channels: [{id: desk, kind: file, path: warehouse/alerts.jsonl}]
  roles: {default: [desk]}
"""
FRESH_SECONDS = 108
"""What the feed's contract allows: long enough for a first run on a busy machine."""

AUTOMATIONS = {
    "a breach is not acknowledged",
    "a run that has gone quiet has crashed",
    "a run that never begins has crashed",
    "do a crashed run again",
    "feed survey is overdue",
}


@dataclass(frozen=True)
class Lane:
    """A workspace without a fixed clock whose feed has just landed, deployed twice, with a worker.

    Attributes:
        sandbox: The workspace.
        server: The server.
        seen: What was on the server after each deployment.
        said: What the second one said of the automations.
    """

    sandbox: Sandbox
    server: Server
    seen: list[dict[str, Any]]
    said: str

    def deployment(self, name: str) -> str:
        """Id of a deployment."""
        return self.seen[-1]["deployments"][name]["id"]


def _seen(server: Server) -> dict[str, Any]:
    """What deploying has made, by name."""
    names = {"deployments": "/deployments/filter", "automations": "/automations/filter"}
    found = {what: server.post(path, {})[1] for what, path in names.items()}
    return {what: {one["name"]: one for one in every} for what, every in found.items()} | {
        "count": len(found["automations"])
    }


@pytest.fixture(scope="module")
def lane(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    sandbox = build_sandbox(tmp_path_factory.mktemp("lane") / "workspace")
    settings = "".join(line for line in _lines(sandbox, "answerable.yaml") if not line.startswith("clock:"))
    sandbox.write("answerable.yaml", settings + ALERTS)
    sandbox.replace(
        "contracts/survey.odcs.yaml", "value: 40, unit: d", f"value: {FRESH_SECONDS / 3600}, unit: h"
    )
    seen = []
    for _ in range(2):
        said = deploy(sandbox.root, server.environment)
        seen.append(_seen(server))
    now = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251 - the real server's clock; Berlin in winter
    sandbox.answers(f"1,a@x.example,{now:%Y-%m-%d %H:%M:%S},web,order,4")
    sandbox.run()
    emit(SignalLedger(Ledger(sandbox.root / "warehouse")), server.environment)
    command = [str(BIN / "prefect"), "worker", "start", "--pool", POOL, "--type", "process"]
    log = (sandbox.root / "worker.log").open("w")
    worker = subprocess.Popen(command, env=server.environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    yield Lane(sandbox, server, seen, said)
    worker.terminate()
    try:
        worker.wait(60)
    except subprocess.TimeoutExpired:
        worker.kill()
    log.close()


def _lines(sandbox: Sandbox, path: str) -> list[str]:
    return (sandbox.root / path).read_text().splitlines(keepends=True)


def test_deploying_twice_changes_nothing(lane: Lane):
    first, second = lane.seen
    told = [
        {n: (d["id"], d["parameters"], len(d["schedules"]), d["tags"]) for n, d in one["deployments"].items()}
        for one in (first, second)
    ]
    assert told[0] == told[1]
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert {name: count for name, (_, _, count, _) in told[0].items()} == {
        d["name"]: len(d.get("schedules", [])) for d in declared
    }
    assert told[0]["refresh"][1] == {"folder": str(lane.sandbox.root)}
    slugs = {s["slug"]: s["schedule"]["cron"] for s in second["deployments"]["reviews"]["schedules"]}
    assert slugs == {"weekly": "0 6 * * MON", "monthly": "0 6 1 * *", "quarterly": "0 6 1 1,4,7,10 *"}


def test_deploying_twice_makes_no_automation_twice_and_leaves_waiting_ones_alone(lane: Lane):
    first, second = lane.seen
    ours = {f"answerable: {name}" for name in AUTOMATIONS}
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    of_deployments = {trigger["name"] for one in declared for trigger in one.get("triggers", [])}
    assert set(first["automations"]) == set(second["automations"]) == ours | of_deployments
    assert second["count"] == len(second["automations"]), "none twice"
    assert lane.said == f"0 made, 0 changed, {len(ours)} kept, 0 dropped"
    ids = [{name: one["automations"][name]["id"] for name in ours} for one in (first, second)]
    assert ids[0] == ids[1]


def test_an_automation_that_is_not_wanted_any_more_goes_and_one_that_was_changed_by_hand_is_mended(
    lane: Lane,
):
    from prefect.client.orchestration import SyncPrefectClient

    from flows.heavy.automations import automations, put

    ids = {name: one["id"] for name, one in lane.seen[-1]["deployments"].items()}
    wanted = automations(lane.sandbox.load(), ids)
    odd = wanted[-1].model_copy(update={"name": "answerable: of yesterday"})
    with SyncPrefectClient(lane.server.url) as client:
        assert put(client, [*wanted, odd]) == {"made": 1, "changed": 0, "kept": len(wanted), "dropped": 0}
        client.request(
            "PATCH",
            "/automations/{id}",
            path_params={"id": _id(lane.server, wanted[-1].name)},
            json={"enabled": False},
        )
        assert put(client, wanted) == {"made": 0, "changed": 1, "kept": len(wanted) - 1, "dropped": 1}


def _id(server: Server, name: str) -> str:
    return _seen(server)["automations"][name]["id"]


@pytest.mark.skipif(
    "ANSWERABLE_LANE_KILLS" not in os.environ, reason="set ANSWERABLE_LANE_KILLS: half a minute of work"
)
def test_a_run_whose_process_is_killed_is_done_again_as_another_run(lane: Lane, tmp_path: Path):
    sandbox = build_sandbox(tmp_path / "workspace")
    sandbox.replace("feeds/survey.yaml", "settle_seconds: 0", "settle_seconds: 600")
    _, begun = lane.server.post(
        f"/deployments/{lane.deployment('refresh')}/create_flow_run",
        {"parameters": {"folder": str(sandbox.root)}, "state": {"type": "SCHEDULED"}},
    )
    lock = sandbox.root / "warehouse/.lock"

    def held() -> int:
        sandbox.answers("1,a@x.example,2026-02-11 09:00:00,web,order,4")  # still being written: the run waits
        words = lock.read_text().split() if lock.exists() else []
        return int(words[1]) if len(words) == 2 else 0

    os.kill(lane.server.wait("the run holds its workspace", held), signal.SIGKILL)
    again = lane.server.wait(
        "it is done again",
        lambda: [
            one
            for one in lane.server.runs()
            if (one["parameters"].get("crashed") or "").endswith(begun["id"])
        ],
    )
    (run,) = again

    def ended() -> dict[str, Any] | None:
        (now,) = [one for one in lane.server.runs() if one["id"] == run["id"]]
        return now if now["state_type"] in ("COMPLETED", "FAILED", "CRASHED") else None

    done = lane.server.wait("the other run has ended", ended)
    assert done["state_type"] == "COMPLETED", done["state"]["message"]
    (first,) = [one for one in lane.server.runs() if one["id"] == begun["id"]]
    assert first["state_type"] == "CRASHED"
    states = [one["state"] for one in Ledger(sandbox.root / "warehouse").runs()]
    assert states == ["completed", "killed"]
    assert sandbox.table("data_trust").height > 0


def test_a_run_that_crashed_three_times_is_not_done_again_and_that_is_told(lane: Lane, sandbox: Sandbox):
    from flows.heavy.again import ATTEMPTS_MAX

    crashed: str | None = None
    for _ in range(ATTEMPTS_MAX):
        more = (
            {"folder": str(sandbox.root), "occasion": "weekly review"}
            if crashed is None
            else {"crashed": crashed}
        )
        flow = lane.seen[-1]["deployments"]["refresh"]["flow_id"]
        asked = {"flow_id": flow, "parameters": {"folder": "x", **more}, "state": {"type": "CRASHED"}}
        status, made = lane.server.post("/flow_runs/", asked)
        assert status == 201, made
        crashed = made["id"]
    code = f"""
from flows.heavy.again import AbandonedError, parameters_of
print(parameters_of("{made["parameters"]["crashed"]}"))
try:
    parameters_of("{crashed}")
except AbandonedError as error:
    print(error)
"""
    done = lane.server.run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    second, third = done.stdout.splitlines()
    assert second == str({"folder": str(sandbox.root), "occasion": "weekly review"})
    assert "crashed 3 times" in third
    (told,) = SignalLedger(Ledger(sandbox.root / "warehouse")).told()
    assert (told["event"], told["payload"]) == (
        "answerable.run.abandoned", {"attempts": 3, "flow_run": crashed},
    )  # fmt: skip


@pytest.mark.slow
def test_a_feed_that_stopped_is_told_to_its_owner_by_the_trigger_with_everything_else_idle(lane: Lane):
    letters = lane.sandbox.root / "warehouse/alerts.jsonl"
    lane.server.wait("a letter is sent", letters.exists, FRESH_SECONDS + 300)
    (letter,) = [json.loads(line) for line in letters.read_text().splitlines()]
    assert (letter["kind"], letter["person"], letter["role"]) == ("no_data", "ada", "feed_owner")
    signals = SignalLedger(Ledger(lane.sandbox.root / "warehouse")).told()
    (overdue,) = [one for one in signals if one["event"] == "answerable.feed.overdue"]
    assert overdue["resource"]["prefect.resource.id"] == "answerable.feed.test-company.survey"
    assert overdue["related"][1]["prefect.resource.id"] == "answerable.person.test-company.ada"
    own = [one for one in lane.server.runs() if one["parameters"].get("folder") == str(lane.sandbox.root)]
    begun = [one for one in own if one["state_type"] != "SCHEDULED" and not one["auto_scheduled"]]
    woken = [one for one in begun if one["parameters"].get("occasion") == "feed survey overdue"]
    assert len(woken) == 1, "once, not again and again"
    others = {one["deployment_id"] for one in begun} - {woken[0]["deployment_id"]}
    assert others <= {lane.deployment("map-audit")}, "the late feed is a gap that has opened"
