"""The flow on a real Prefect server: the API starts, the flow runs, deployments deploy."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.errors import BusyError
from flows.emitting import emit
from flows.heavy.again import ATTEMPTS_MAX
from flows.heavy.automations import Patience
from flows.run import Run
from tests.conftest import ROOT, Sandbox, build_sandbox
from tests.flows.conftest import Server
from tests.flows.hooks import end
from tests.flows.lanes import FRESH_SECONDS, Lane, deployed, kill, processes, seen
from warehouse.ledger import Ledger
from warehouse.lock import held
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


AUTOMATIONS = {
    "a breach is not acknowledged",
    "a run that has gone quiet has crashed",
    "a run that never begins has crashed",
    "do a crashed run again",
    "feed survey is overdue",
}


@pytest.fixture(scope="session")
def lane(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    with deployed(server, tmp_path_factory.mktemp("lane") / "workspace") as made:
        yield made


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
    return seen(server)["automations"][name]["id"]


def test_every_schedule_gives_runs(lane: Lane):
    """Prefect's scheduler fails without a word where its database library is too new: nothing would ever begin by itself."""
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    scheduled = {lane.deployment(one["name"]) for one in declared if one.get("schedules")}
    lane.server.wait(
        "runs are scheduled",
        lambda: {one["deployment_id"] for one in lane.server.runs() if one["auto_scheduled"]} == scheduled,
    )


KILLED = pytest.mark.skipif(
    "ANSWERABLE_LANE_KILLS" not in os.environ, reason="set ANSWERABLE_LANE_KILLS: minutes of work"
)


@KILLED
def test_a_run_that_nobody_tells_of_is_called_crashed_and_done_again_once(lane: Lane):
    """What happens to it is told to the server as its process and its worker would; what follows is the server's.

    By its own clock: a server on SQLite that is kept waiting for a minute by a busy machine calls others lost too.
    """

    def taken(name: str, *states: str) -> str:
        later = datetime.now(UTC) + timedelta(days=1)  # noqa: TID251 - so that no worker takes it
        waits = {"type": "SCHEDULED", "state_details": {"scheduled_time": later.isoformat()}}
        run = lane.begin(name, waits)
        for state in ("PENDING", *states):
            told = {"state": {"type": state, "name": state.title()}, "force": True}
            assert lane.server.post(f"/flow_runs/{run}/set_state", told)[0] in (200, 201)
        return run

    with lane.paused(), lane.impatient(Patience(lost=12, stuck=12)):
        ended = taken("refresh", "RUNNING", "COMPLETED")
        lane.has_beaten(ended)
        stranger = taken("backfill", "RUNNING")
        lane.server.post(f"/flow_runs/{stranger}/set_state", {"state": {"type": "RUNNING"}})
        lost = {
            "it was taken and never began": taken("rebuild"),
            "its process died at once": taken("map-audit", "RUNNING"),
            "its process died later": taken("reviews", "RUNNING"),
        }
        lives = taken("refresh", "RUNNING")
        lane.has_beaten(lost["its process died later"])

        def crashed() -> bool:
            lane.has_beaten(lives)
            time.sleep(1)
            return all(lane.state(run) == "CRASHED" and lane.again(run) for run in lost.values())

        lane.server.wait("all three are called crashed and done again", crashed)
        for why, run in lost.items():
            (again,) = lane.again(run)
            assert again["deployment_id"] == lane.run(run)["deployment_id"], why
        assert lane.run(lost["it was taken and never began"])["state"]["message"] == "Pending for 12 s"
        assert lane.run(lost["its process died later"])["state"]["message"] == "No heartbeat for 12 s"
        assert (lane.state(lives), lane.state(ended)) == ("RUNNING", "COMPLETED")
        assert not lane.again(lives) + lane.again(ended)


@KILLED
@pytest.mark.parametrize("at", ["PENDING", "RUNNING"])
def test_a_run_whose_process_and_worker_are_killed_is_done_again_as_another_run(
    at: str, lane: Lane, tmp_path: Path
):
    sandbox = build_sandbox(tmp_path / "workspace")
    sandbox.answers("1,a@x.example,2026-02-11 09:00:00,web,order,4")
    with lane.impatient(Patience(lost=45, stuck=45)):
        run = lane.begin("refresh", folder=str(sandbox.root))
        lane.server.wait(f"it is {at}", lambda: lane.state(run) == at and processes(run))
        lane.kill_with_worker(run)
        lane.server.wait("it is called crashed", lambda: lane.state(run) == "CRASHED")
        (again,) = lane.server.wait("it is done again", lambda: lane.again(run))
        assert lane.server.wait("the other run has ended", lambda: lane.ended(again["id"])) == "COMPLETED"
    assert len(lane.again(run)) == 1
    assert sandbox.table("data_trust").height > 0


@KILLED
def test_a_run_that_is_killed_whenever_it_runs_is_begun_three_times_and_that_is_told(
    lane: Lane, tmp_path: Path
):
    sandbox = build_sandbox(tmp_path / "workspace")
    sandbox.answers("1,a@x.example,2026-02-11 09:00:00,web,order,4")
    run = lane.begin("refresh", folder=str(sandbox.root))
    with held(sandbox.root / "warehouse"):  # it waits for its turn, and is running meanwhile
        for attempt in range(ATTEMPTS_MAX):
            lane.server.wait(f"attempt {attempt + 1} runs", lambda r=run: lane.state(r) == "RUNNING")
            kill(run)
            lane.server.wait("its worker tells", lambda r=run: lane.state(r) == "CRASHED")
            (again,) = lane.server.wait("another run is made", lambda r=run: lane.again(r))
            run = again["id"]
    assert lane.server.wait("the last one has ended", lambda: lane.ended(run)) == "FAILED"
    assert "crashed 3 times" in lane.run(run)["state"]["message"]
    assert not lane.again(run)
    (told,) = SignalLedger(Ledger(sandbox.root / "warehouse")).told()
    assert (told["event"], told["payload"]["attempts"]) == ("answerable.run.abandoned", 3)


def test_a_scheduled_run_waits_for_its_turn(sandbox: Sandbox):
    """Whoever runs by hand is told at once; nobody would begin again what is scheduled."""
    from flows.pipeline import turn

    with held(sandbox.root / "warehouse"):
        with pytest.raises(BusyError), turn(Run(sandbox.load()), 0.0):
            pytest.fail("somebody else holds the workspace")
        waiting = threading.Thread(target=lambda: done.append(_turned(turn(Run(sandbox.load()), 120.0))))
        done: list[bool] = []
        waiting.start()
        time.sleep(0.5)
        assert not done
    waiting.join(120)
    assert done == [True]


def _turned(turn: AbstractContextManager[None]) -> bool:
    with turn:
        return True


def test_a_run_that_crashed_three_times_is_not_done_again_and_that_is_told(lane: Lane, sandbox: Sandbox):
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


@pytest.fixture
def last(lane: Lane) -> Iterator[None]:
    """Server and worker end with the last test that needs them: they would take the machine from all others."""
    yield
    lane.end_worker()
    end(lane.server.process, 30)


@pytest.mark.waits
@pytest.mark.usefixtures("last")
def test_a_feed_that_stopped_is_told_to_its_owner_by_the_trigger_with_everything_else_idle(lane: Lane):
    letters = lane.sandbox.root / "warehouse/alerts.jsonl"
    lane.server.wait("a letter is sent", letters.exists, FRESH_SECONDS + 300)
    (letter,) = [json.loads(line) for line in letters.read_text().splitlines()]
    assert (letter["kind"], letter["person"], letter["role"]) == ("no_data", "ada", "feed_owner")
    signals = SignalLedger(Ledger(lane.sandbox.root / "warehouse")).told()
    (overdue,) = [one for one in signals if one["event"] == "answerable.feed.overdue"]
    assert overdue["resource"]["prefect.resource.id"] == "answerable.feed.test-company.survey"
    assert overdue["related"][1]["prefect.resource.id"] == "answerable.person.test-company.ada"

    def begun() -> list[dict[str, Any]]:
        own = [one for one in lane.server.runs() if one["parameters"].get("folder") == str(lane.sandbox.root)]
        return [one for one in own if one["state_type"] != "SCHEDULED" and not one["auto_scheduled"]]

    def woken() -> list[dict[str, Any]]:
        return [one for one in begun() if one["parameters"].get("occasion") == "feed survey overdue"]

    # At a quarter past an hour the schedule may have been there first.
    assert len(lane.server.wait("the trigger has woken a run", woken)) == 1, "once, not again and again"
    others = {one["deployment_id"] for one in begun()} - {lane.deployment("refresh")}
    assert others <= {lane.deployment("map-audit")}, "the late feed is a gap that has opened"
    lane.end_worker()  # other files' tests go on in this process
