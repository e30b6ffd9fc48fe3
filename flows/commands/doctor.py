"""`answerable doctor`."""

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from contracts.errors import AnswerableError
from flows.alert_health import alert_lines
from flows.unread import listed, patterns, said_of, unclaimed
from flows.workspace import FILE, IDENTITY_VARIABLE, LoadedWorkspace, load

Line = tuple[bool | None, str, str]
_FREE_MIN = 1 << 30
_FASTAPI_BROKEN = (0, 151)


def doctor(folder: Path = Path()) -> None:
    """Look for what is wrong with the installation and a workspace, and say what to do.

    Ends with exit code 1 when something is wrong.

    Args:
        folder: The workspace.
    """
    from flows.console import out  # noqa: PLC0415
    from views.terminal import checks  # noqa: PLC0415

    lines = [*_installation(), *_workspace(folder)]
    out.print(checks(lines))
    if any(is_well is False for is_well, _, _ in lines):
        sys.exit(1)


def _installation() -> Iterator[Line]:
    yield sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "3.11 or newer is needed"
    for name in ("polars", "pyarrow", "sqlalchemy", "prefect"):
        yield _installed(name)
    fastapi = tuple(int(part) for part in version("fastapi").split(".")[:2])
    yield (
        fastapi < _FASTAPI_BROKEN,
        f"fastapi {version('fastapi')}",
        "from 0.151 on Prefect's server breaks: pip install 'fastapi>=0.139,<0.151'",
    )
    url = os.environ.get("PREFECT_API_URL")
    yield None, f"Prefect server: {url or 'none, runs are inline'}", "set PREFECT_API_URL to use one"
    yield _executor()


def _executor() -> Line:
    from warehouse.executors import executor_of  # noqa: PLC0415 - loads pyarrow

    try:
        executor = executor_of(os.environ)
        if executor is None:
            return None, "executor: none, this process computes", "docs/scale.md tells of others"
        return True, f"executor: {executor.answer()}", ""
    except AnswerableError as error:
        problem = error.problems[0]
        return False, f"executor: {problem.where} {problem.what}", problem.remedy


def _installed(name: str) -> Line:
    try:
        return True, f"{name} {version(name)}", ""
    except PackageNotFoundError:
        return False, f"{name} is not installed", "pip install answerable"


def _workspace(folder: Path) -> Iterator[Line]:
    if not (folder / FILE).is_file():
        yield None, f"{folder.resolve()} is no workspace", "answerable init FOLDER makes one"
        return
    try:
        workspace = load(folder)
    except AnswerableError as error:
        yield False, f"{len(error.problems)} problems in the workspace's files", "answerable check"
        return
    yield True, f"workspace {workspace.settings.name}, map {workspace.atlas.version}", ""
    if workspace.settings.objects:
        yield _objects(workspace.settings.objects)
    yield _memory(workspace)
    yield from _surroundings(workspace)
    try:
        yield from _deliveries(workspace)
    except AnswerableError as error:
        yield False, f"{error.problems[0].where} {error.problems[0].what}", error.problems[0].remedy
    yield from alert_lines(workspace, os.environ)
    yield from _signals(workspace)


def _objects(url: str) -> Line:
    from warehouse.bucket import Bucket  # noqa: PLC0415 - only where there is one

    try:
        refuses = Bucket(url.rstrip("/")).refuses_second()
    except AnswerableError as error:
        problem = error.problems[0]
        return False, f"objects: {problem.where} {problem.what}", problem.remedy
    if refuses:
        return True, f"objects: {url} creates nothing twice", ""
    told = f"objects: {url} creates what there is already: it ignores If-None-Match"
    return False, told, "of two runs at once both would commit: take another object store"


def _memory(workspace: LoadedWorkspace) -> Line:
    from flows.allowance import allowance_of, need_of, shown  # noqa: PLC0415 - loads polars
    from warehouse.store import EventStore  # noqa: PLC0415

    try:
        allowance = allowance_of(workspace, os.environ)
        least = need_of(workspace, EventStore(workspace.warehouse / "store").head()).least
    except AnswerableError as error:
        return False, f"memory: {error.problems[0]}", ""
    if allowance.limit is None:
        return (
            None,
            f"memory: no limit, a run takes at least {shown(least)}",
            "docs/scale.md tells how to set one",
        )
    told = f"memory: {shown(allowance.limit)} allowed, a run takes at least {shown(least)}"
    return allowance.limit >= least, told, "allow more, or runs will be refused"


def _signals(workspace: LoadedWorkspace) -> Iterator[Line]:
    from warehouse.ledger import Ledger, has_ledger  # noqa: PLC0415 - loads SQLAlchemy
    from warehouse.signal_ledger import SignalLedger  # noqa: PLC0415

    if not has_ledger(workspace.warehouse):
        return
    counts = SignalLedger(Ledger(workspace.warehouse)).counts()
    waiting, given_up = counts.get("due", 0) + counts.get("emitted", 0), counts.get("expired", 0)
    if waiting or given_up:
        shown = f"{waiting:,} events wait for Prefect's server, {given_up:,} were never taken"
        yield None, shown, "nothing is lost: runs and alerts do not need them"


def _surroundings(workspace: LoadedWorkspace) -> Iterator[Line]:
    public = workspace.settings.identity.key == "public"
    has_secret = bool(os.environ.get(IDENTITY_VARIABLE))
    what = (
        "identity key: public (synthetic or anonymous data)"
        if public
        else f"identity key in {IDENTITY_VARIABLE}"
    )
    yield public or has_secret, what, f"export {IDENTITY_VARIABLE}=$(openssl rand -hex 32), once"
    free = shutil.disk_usage(workspace.root).free
    yield free > _FREE_MIN, f"{free / 1e9:,.0f} GB free", "releases and events need room"
    missing, left = [], set[str]()
    for feed in workspace.feeds:
        for stream in feed.declared.streams:
            found, beside = listed(stream.files, workspace.root)
            missing += [] if any(one.is_file() for one in found) else [f"{feed.name}.{stream.name}"]
            left |= beside
    shown = f"no file for {', '.join(missing)}" if missing else "every stream has files"
    yield not missing, shown, "check 'files' in the feed's YAML, or deliver some"
    if unread := unclaimed(patterns(workspace.feeds), left, workspace.root):
        what, _, remedy = said_of(unread).rstrip(".").rpartition(": ")
        yield None, what, remedy


def _deliveries(workspace: LoadedWorkspace) -> Iterator[Line]:
    from warehouse.releases import Releases  # noqa: PLC0415 - loads polars
    from warehouse.store import EventStore  # noqa: PLC0415

    release = Releases(workspace.warehouse / "published").head()
    yield release is not None, f"release {release.number if release else 'none yet'}", "answerable run"
    for delivery in EventStore(workspace.warehouse / "store").head().deliveries:
        if delivery.state == "held":
            yield False, f"held: {delivery.source}", delivery.reason or ""
