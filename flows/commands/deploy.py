"""`answerable deploy`."""

import os
import sys
from pathlib import Path

from contracts.errors import QuestionError
from flows.workspace import load


def deploy(folder: Path = Path()) -> None:
    """Put the workspace's deployments, schedules and automations onto a Prefect server.

    PREFECT_API_URL says which one. Deploying twice changes nothing: what is as it was is left alone. A worker of
    the pool `answerable` runs them: `prefect worker start --pool answerable`; or use `answerable up`.

    Args:
        folder: The workspace.
    """
    from flows.deploying import deploy as put  # noqa: PLC0415

    load(folder)
    if not os.environ.get("PREFECT_API_URL"):
        raise QuestionError.at(
            "PREFECT_API_URL", "is not set: there is no server.", "Set it, or start one with 'answerable up'."
        )
    said = put(folder, os.environ, lambda what: sys.stdout.write(f"{what}\n"))
    sys.stdout.write(f"{said}\n")
