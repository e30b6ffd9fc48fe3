"""Deployments, work pool and automations of a workspace, put onto the server that Prefect is set to.

Through Prefect's own command line, so that nothing here loads Prefect; twice is the same as once.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from contracts.errors import StoreError, WorkspaceError
from flows.emitting import headers

ROOT = Path(__file__).parent.parent
"""Where `prefect.yaml` is: the checkout that is installed."""

POOL = "answerable"
_SECONDS, _ASK_SECONDS = 600, 30

Told = Callable[[str], object]


def deploy(folder: Path, environment: Mapping[str, str], tell: Told = lambda _: None) -> str:
    """Make pool, deployments and automations what `prefect.yaml` and the workspace say.

    Args:
        folder: The workspace.
        environment: Names Prefect's server, and whatever else its client needs.
        tell: Told of every step.

    Returns:
        What became of the automations, in words.

    Raises:
        WorkspaceError: There is no `prefect.yaml`: only a checkout has one.
        StoreError: Prefect refuses.
    """
    if not (ROOT / "prefect.yaml").is_file():
        raise WorkspaceError.at(
            str(ROOT / "prefect.yaml"), "does not exist.", "Install from a checkout: pip install -e ."
        )
    home = {"ANSWERABLE_HOME": str(ROOT), "ANSWERABLE_WORKSPACE": str(folder.resolve())}
    around = {**environment, **home}
    if not _has_pool(environment):
        tell("work pool")
        _prefect(around, "work-pool", "create", "--type", "process", POOL)
    tell("deployments")
    _prefect(around, "--no-prompt", "deploy", "--all")
    tell("automations")
    return _run(around, sys.executable, "-m", "flows.heavy.automations", str(folder.resolve())).strip()


def prefect_command() -> str:
    """Prefect's command line, of the same installation."""
    return str(Path(sys.executable).parent / "prefect")


def _has_pool(environment: Mapping[str, str]) -> bool:
    """Whether the pool is there; what somebody set in it stays."""
    url = f"{environment.get('PREFECT_API_URL', '')}/work_pools/{POOL}"
    try:
        return (
            httpx.get(url, headers=headers(environment), timeout=_ASK_SECONDS).status_code == httpx.codes.OK
        )
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _prefect(environment: Mapping[str, str], *words: str) -> str:
    return _run(environment, prefect_command(), *words)


def _run(environment: Mapping[str, str], *command: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own words
        command,
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise StoreError.at("prefect", f"{' '.join(command[1:4])} failed: {said}.", "Run again.")
    return done.stdout
