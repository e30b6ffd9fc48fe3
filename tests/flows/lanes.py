"""A workspace deployed on a real Prefect server, with a worker that can be killed, and its runs as the server sees them."""

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient

from flows.deploying import POOL, deploy
from flows.emitting import emit
from flows.heavy.automations import Patience, automations, put
from tests.conftest import ROOT, Sandbox, build_sandbox
from tests.flows.conftest import BIN, Server
from tests.flows.hooks import end
from warehouse.ledger import Ledger
from warehouse.signal_ledger import SignalLedger

ALERTS = """
alerts:
  channels: [{id: desk, kind: file, path: warehouse/alerts.jsonl}]
  roles: {default: [desk]}
"""
FRESH_SECONDS = 108
"""What the feed's contract allows: long enough for a first run on a busy machine."""

TAG = {"prefect.resource.id": "prefect.tag.answerable", "prefect.resource.role": "tag"}


@dataclass
class Lane:
    """A workspace without a fixed clock whose feed has just landed, deployed twice, with a worker.

    Attributes:
        sandbox: The workspace.
        server: The server.
        seen: What was on the server after each deployment.
        said: What the second one said of the automations.
        worker: The worker's process.
        begun: Flow runs that tests have begun.
    """

    sandbox: Sandbox
    server: Server
    seen: list[dict[str, Any]] = field(default_factory=list)
    said: str = ""
    worker: subprocess.Popen[bytes] | None = None
    begun: list[str] = field(default_factory=list)

    def deployment(self, name: str) -> str:
        """Id of a deployment."""
        return self.seen[-1]["deployments"][name]["id"]

    def deploy(self) -> None:
        """Deploy, and note what there is then."""
        self.said = deploy(self.sandbox.root, self.server.environment)
        self.seen.append(seen(self.server))

    def begin_worker(self) -> None:
        """Begin the worker."""
        command = [str(BIN / "prefect"), "worker", "start", "--pool", POOL, "--type", "process"]
        with (self.sandbox.root / "worker.log").open("a") as log:
            self.worker = subprocess.Popen(
                command, env=self.server.environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )

    def end_worker(self) -> None:
        """Tell the worker to end."""
        assert self.worker is not None
        end(self.worker)

    def kill_with_worker(self, run: str) -> None:
        """End a run's process and the worker that would tell of it as a power cut would, then begin another worker."""
        assert self.worker is not None
        self.worker.kill()
        kill(run)
        self.worker.wait(60)
        self.begin_worker()

    def begin(self, name: str, state: dict[str, Any] | None = None, **parameters: object) -> str:
        """A flow run of a deployment; its id."""
        asked = {"parameters": parameters, "state": state or {"type": "SCHEDULED"}}
        status, made = self.server.post(f"/deployments/{self.deployment(name)}/create_flow_run", asked)
        assert status == 201, made
        self.begun.append(made["id"])
        return made["id"]

    def run(self, run: str) -> dict[str, Any]:
        """A flow run as it is now."""
        (now,) = [one for one in self.server.runs() if one["id"] == run]
        return now

    def state(self, run: str) -> str:
        """A flow run's type of state."""
        return self.run(run)["state_type"]

    def again(self, run: str) -> list[dict[str, Any]]:
        """Flow runs that do a crashed one again."""
        return [
            one for one in self.server.runs() if one["parameters"].get("crashed") == f"prefect.flow-run.{run}"
        ]

    def ended(self, run: str) -> str | None:
        """How a flow run ended; None before."""
        now = self.state(run)
        return now if now in ("COMPLETED", "FAILED", "CRASHED") else None

    def has_beaten(self, run: str, *, is_ours: bool = True) -> None:
        """Tell the server, as a flow run's process does, that it lives."""
        told = {
            "event": "prefect.flow-run.heartbeat",
            "id": str(uuid.uuid4()),
            "occurred": datetime.now(UTC).isoformat(),  # noqa: TID251 - the real server's clock
            "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
            "related": [TAG] if is_ours else [],
        }
        httpx.post(f"{self.server.url}/events", json=[told], timeout=60).raise_for_status()

    @contextmanager
    def impatient(self, patience: Patience) -> Iterator[None]:
        """Wait for runs no longer than that meanwhile."""
        ids = {name: one["id"] for name, one in self.seen[-1]["deployments"].items()}
        workspace = self.sandbox.load()
        with SyncPrefectClient(self.server.url) as client:
            put(client, automations(workspace, ids, patience))
            try:
                yield
            finally:
                put(client, automations(workspace, ids))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Have no run begin meanwhile; those that a test makes, and that do them again, are deleted."""
        known = len(self.begun)
        pool = f"{self.server.url}/work_pools/{POOL}"
        httpx.patch(pool, json={"is_paused": True}, timeout=60).raise_for_status()
        try:
            yield
        finally:
            for run in self.begun[known:]:
                for made in (*(one["id"] for one in self.again(run)), run):
                    httpx.delete(f"{self.server.url}/flow_runs/{made}", timeout=60)
            httpx.patch(pool, json={"is_paused": False}, timeout=60).raise_for_status()


def seen(server: Server) -> dict[str, Any]:
    """What deploying has made, by name."""
    names = {"deployments": "/deployments/filter", "automations": "/automations/filter"}
    found = {what: server.post(path, {})[1] for what, path in names.items()}
    return {what: {one["name"]: one for one in every} for what, every in found.items()} | {
        "count": len(found["automations"])
    }


def processes(run: str) -> list[int]:
    """Processes that are a flow run's."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if run.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def kill(run: str) -> None:
    """End a flow run's processes as a power cut would."""
    for pid in processes(run):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def deployed(server: Server, root: Path) -> Iterator[Lane]:
    """Deploy a workspace twice, have its feed land, and begin a worker."""
    lane = Lane(build_sandbox(root), server)
    sandbox = lane.sandbox
    lines = (root / "answerable.yaml").read_text().splitlines(keepends=True)
    settings = "".join(line for line in lines if not line.startswith("clock:"))
    sandbox.write("answerable.yaml", settings + ALERTS)
    sandbox.replace(
        "contracts/survey.odcs.yaml", "value: 40, unit: d", f"value: {FRESH_SECONDS / 3600}, unit: h"
    )
    for _ in range(2):
        lane.deploy()
    now = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251 - the real server's clock; Berlin in winter
    sandbox.answers(f"1,a@x.example,{now:%Y-%m-%d %H:%M:%S},web,order,4")
    sandbox.run()
    emit(SignalLedger(Ledger(root / "warehouse")), server.environment)
    lane.begin_worker()
    try:
        yield lane
    finally:
        lane.end_worker()
