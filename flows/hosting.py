"""What `answerable up` keeps running: a Prefect server, a worker, and the serve lane, with the settings they need."""

import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.deploying import POOL, ROOT, deploy, prefect_command
from flows.embedded import QUIET
from flows.supervision import Child, Supervisor
from warehouse.files import make_folder

HOST = "127.0.0.1"
START_SECONDS = 300.0
"""How long the server may take: a first start migrates a database, on a busy machine."""

_LIMIT = "2"
"""Flow runs at once; those of one deployment wait for each other anyway."""

_STATUS = "up.json"


@dataclass(frozen=True)
class Place:
    """Where everything of one `up` is.

    Attributes:
        folder: The workspace.
        home: The folder of the server's database, results and logs.
        port: The server's port.
        serve_port: The serve lane's port.
        database: The server's database; its own file when absent.
    """

    folder: Path
    home: Path
    port: int
    serve_port: int
    database: str | None = None

    @property
    def url(self) -> str:
        """The user interface."""
        return f"http://{HOST}:{self.port}"

    @property
    def api(self) -> str:
        """The server's API."""
        return f"{self.url}/api"

    def environment(self, around: Mapping[str, str]) -> dict[str, str]:
        """What children see: `around`, without another server, and what Prefect needs to be quiet and sound."""
        kept = {name: value for name, value in around.items() if not name.startswith("PREFECT_")}
        own = {
            **QUIET,
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": self.api,
            "PREFECT_UI_API_URL": self.api,
            "PREFECT_SERVER_API_HOST": HOST,
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "P400D",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_WORKER_QUERY_SECONDS": "3",
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        }
        if self.database:
            own["PREFECT_API_DATABASE_CONNECTION_URL"] = self.database
        return {**kept, **own}


def place(folder: Path, warehouse: Path, port: int, serve_port: int, database: str | None) -> Place:
    """Where everything of a workspace goes; ports that are 0 are free ones."""
    home = (warehouse / "prefect").absolute()
    make_folder(home)
    return Place(folder.absolute(), home, port or free_port(), serve_port or free_port(), database)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def bring_up(supervisor: Supervisor, where: Place, tell: Callable[[str], object]) -> bool:
    """Begin server, deployments, worker and serve lane, each once what it needs is there.

    Returns:
        Whether everything is up; False when somebody said stop meanwhile.
    """
    around = where.environment(os.environ)
    supervisor.add(_server(where, around))
    if not supervisor.wait_for(lambda: answers(f"{where.api}/health"), START_SECONDS):
        return False
    tell(f"Prefect is at {where.url}")
    said = deploy(where.folder, around, lambda what: tell(f"deploying: {what}"))
    tell(f"automations: {said}")
    for child in (_worker(where, around), _serve(where, around)):
        if not supervisor.is_stopping:
            supervisor.add(child)
    return supervisor.wait_for(lambda: _is_up(supervisor, where), START_SECONDS)


def write_status(supervisor: Supervisor, where: Place, before: str | None = None) -> str:
    """Say in a file what runs, for whoever looks: `doctor`, tests, people; what it said `before` is not written again."""
    status = {
        "pid": os.getpid(),
        "ui": where.url,
        "api": where.api,
        "serve": f"http://{HOST}:{where.serve_port}",
        "children": {
            one.name: {"pid": one.process.pid if one.process else None, "begun": one.begun}
            for one in supervisor.children
        },
    }
    told = json.dumps(status, indent=1)
    if told != before:
        part = where.home / f".{_STATUS}.part"
        part.write_text(told, encoding="utf-8")
        part.rename(where.home / _STATUS)
    return told


def answers(url: str) -> bool:
    """Whether an address answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
            return 200 <= answer.status < 300
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _server(where: Place, around: Mapping[str, str]) -> Child:
    command = [prefect_command(), "server", "start", "--host", HOST, "--port", str(where.port)]
    healthy = f"{where.api}/health"
    return Child(
        "server", command, around, where.home / "server.log", lambda: answers(healthy), START_SECONDS
    )


def _worker(where: Place, around: Mapping[str, str]) -> Child:
    command = [prefect_command(), "worker", "start", "--pool", POOL, "--type", "process", "--limit", _LIMIT]
    return Child("worker", command, around, where.home / "worker.log")


def _serve(where: Place, around: Mapping[str, str]) -> Child:
    command = [sys.executable, "-m", "flows", "serve", str(where.folder), "--port", str(where.serve_port)]
    healthy = f"http://{HOST}:{where.serve_port}/healthz"
    return Child(
        "serve", command, around, where.home / "serve.log", lambda: answers(healthy), START_SECONDS, ROOT
    )


def _is_up(supervisor: Supervisor, where: Place) -> bool:
    return all(child.is_running for child in supervisor.children) and _has_worker(where)


def _has_worker(where: Place) -> bool:
    """Whether a worker of the pool has told the server of itself."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{where.api}/work_pools/{POOL}/workers/filter", b"{}", {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return any(one["status"] == "ONLINE" for one in json.load(answer))
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return False
