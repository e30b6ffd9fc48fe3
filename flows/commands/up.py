"""`answerable up`."""

import os
import sys
import time
from pathlib import Path

from flows.commands.serve import must_be_port
from flows.workspace import load

DATABASE = "ANSWERABLE_PREFECT_DATABASE_URL"


def up(
    folder: Path | None = None,
    *,
    demo: bool = False,
    scale: float = 0.5,
    port: int = 4200,
    serve_port: int = 8787,
) -> None:
    """Keep a Prefect server, a worker and the serve lane running as one, until it is told to end.

    The server shows flows, deployments, automations and every run; its database is a file in the workspace's
    `warehouse/prefect/`, or the PostgreSQL that ANSWERABLE_PREFECT_DATABASE_URL names
    (`postgresql+asyncpg://user:password@host/database`). Deployments and automations are made what `prefect.yaml`
    and the workspace say. What ends is begun again, the longer it is waited the sooner it ended. Ctrl-C or SIGTERM
    ends everything and leaves no process behind.

    Example: `answerable up --demo` makes the synthetic company, holds the survey of its last month back, and
    says which files to move into its inbox: that leads to a new release, and to one alert.

    Args:
        folder: The workspace; the one here when absent, `build/up` for the demo.
        demo: Make the synthetic company first.
        scale: Share of its customers.
        port: The server's port; 0 for any that is free.
        serve_port: The serve lane's port; 0 for any that is free.
    """
    for option, number in (("--port", port), ("--serve-port", serve_port)):
        must_be_port(option, number)
    from flows.hosting import bring_up, place, write_status  # noqa: PLC0415
    from flows.supervision import Supervisor  # noqa: PLC0415

    where = folder or Path("build/up" if demo else ".")
    if demo:
        from flows.up_demo import prepare  # noqa: PLC0415 - loads polars

        for line in prepare(where, scale, _tell):
            _tell(line)
    workspace = load(where)
    at = place(where, workspace.warehouse, port, serve_port, os.environ.get(DATABASE))
    supervisor = Supervisor(_tell)
    with supervisor.running():
        if bring_up(supervisor, at, _tell):
            _tell(f"ready: {at.url}")
        told = None
        while not supervisor.is_stopping:
            told = write_status(supervisor, at, told)
            supervisor.look()
            time.sleep(0.5)
        _tell("ending")
    _tell("ended")


def _tell(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()
