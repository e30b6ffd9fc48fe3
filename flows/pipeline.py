"""The stages as a Prefect flow.

A handful of tasks of real size: feeds in at most sixteen batches, then absorb, measure, score, audit, alert,
publish, notify. Truth is in the manifests, so a task that is tried again, or a run that is started again,
does no harm. A run that crashed is done again as a flow run of its own: it takes what was landed before,
and what was committed is not done twice.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from typing import Any, ParamSpec, TypeVar, cast

from prefect import Task, flow, task
from prefect.assets import add_asset_metadata
from prefect.cache_policies import NO_CACHE
from prefect.runtime import deployment
from prefect.tasks import MaterializingTask
from prefect.utilities.annotations import quote

from contracts.errors import AnswerableError, BusyError
from flows.alerting import Grounds
from flows.heavy.again import is_whole, landing_key, parameters_of
from flows.heavy.artifacts import Progress, feed_assets, metadata_of, show_release, table_assets
from flows.landing import FeedLanding
from flows.passes import Measured
from flows.references import waves
from flows.report import Summary, summarize
from flows.run import Outcome, Run
from flows.stages import Tables
from flows.window import Window
from flows.workspace import LoadedWorkspace, folder_of, load
from warehouse.releases import Release
from warehouse.store import Absorbed

BATCHES_MAX = 16
"""Tasks that land feeds; with the stages after them a run has at most two dozen."""

TURN_SECONDS, _ASK_SECONDS = 1800.0, 2.0
"""How long a deployment's run waits for its turn, and how often it asks."""

P = ParamSpec("P")
R = TypeVar("R")


def _can_retry(_task: object, _task_run: object, state: Any) -> bool:  # noqa: ANN401 - Prefect's state
    """Whether trying again can help: the error says so itself; a defect stays a defect."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, AnswerableError) and error.can_retry


def _stage(run_name: str | None = None) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a stage a task: never cached, tried again where the error says that it can help."""
    return task(
        task_run_name=run_name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=2,
        retry_delay_seconds=[1, 5],
        retry_condition_fn=_can_retry,
    )


@task(
    task_run_name="land-{names}",
    cache_key_fn=landing_key,
    cache_expiration=timedelta(hours=12),
    persist_result=True,
    retries=2,
    retry_delay_seconds=[1, 5],
    retry_condition_fn=_can_retry,
)
def land(run: Run, feeds: list[str], before: list[FeedLanding], names: str) -> list[FeedLanding]:  # noqa: ARG001 - names is shown
    """Read what some feeds offer, after the feeds that they refer to."""
    return [run.land(feed, before) for feed in run.workspace.feeds if feed.name in feeds]


@_stage()
def absorb(run: Run, landings: list[FeedLanding]) -> Absorbed:
    """Add fresh events to the store."""
    return run.absorb(landings)


@_stage()
def measure(run: Run, absorbed: Absorbed) -> Measured:
    """Match every event and sum it up."""
    return run.measure(absorbed.state)


@_stage()
def score(run: Run, absorbed: Absorbed, measured: Measured) -> Tables:
    """Make scorecards, cases and daily measures."""
    return run.score(absorbed.state, measured)


@_stage()
def audit(run: Run, absorbed: Absorbed, measured: Measured, scored: Tables) -> Tables:
    """Hold the map against the events."""
    return run.audit(absorbed.state, measured, scored)


@_stage()
def alert(run: Run, measured: Measured, scored: Tables, audits: Tables) -> tuple[Grounds, Tables]:
    """Decide what becomes of every alert."""
    return run.alert(measured, scored, audits)


@_stage()
def publish(run: Run, absorbed: Absorbed, measured: Measured, *tables: Tables) -> Release:
    """Check every promise and publish all tables as one release."""
    return run.publish(absorbed.state, measured, *tables)


@_stage()
def notify(run: Run, outcome: Outcome) -> Outcome:
    """Send what is due now that the release is visible."""
    return run.notify(outcome)


def _opaque(value: R) -> R:
    """A value that Prefect hands on as it is, instead of walking through it in search of futures."""
    return cast("R", quote(value))


@flow(name="answerable", flow_run_name="{occasion}", validate_parameters=True)
def answerable(
    folder: str,
    occasion: str = "refresh",
    since: date | None = None,
    until: date | None = None,
    crashed: str | None = None,
) -> Summary:
    """Read what the feeds of a workspace delivered and publish a release.

    Args:
        folder: The workspace.
        occasion: What the release is for; it stands in the run's name and in the release's manifest.
        since: First day whose deliveries are read anew: a backfill.
        until: The day after the last one.
        crashed: The flow run that is done again; it says everything else.

    Returns:
        What happened, as plain values.

    Raises:
        AbandonedError: It has crashed as often as it may.
        WorkspaceError: The deployment names no folder, or the workspace's files are wrong.
    """
    if crashed is not None:
        return _run(is_again=True, **_meant(parameters_of(crashed)))
    return _run(folder, occasion, since, until)


def _meant(first: dict[str, Any]) -> dict[str, Any]:
    """Parameters as Prefect keeps them, as the flow takes them."""
    days = {name: date.fromisoformat(first[name]) if first.get(name) else None for name in ("since", "until")}
    return {"folder": first["folder"], "occasion": first.get("occasion", "refresh"), **days}


def _run(
    folder: str, occasion: str, since: date | None, until: date | None, *, is_again: bool = False
) -> Summary:
    workspace = load(folder_of(folder))
    window = Window(since, until, workspace.settings.zone) if since and until else None
    run = Run(workspace, occasion=occasion, window=window)
    progress = Progress(steps=8)
    with turn(run, TURN_SECONDS if deployment.id else 0.0):
        landings = _landed(run, is_again=is_again)
        progress.step()
        absorbed = absorb(_opaque(run), _opaque(landings))
        progress.step()
        measured = measure(_opaque(run), _opaque(absorbed))
        progress.step()
        scored = score(_opaque(run), _opaque(absorbed), _opaque(measured))
        progress.step()
        audits = audit(_opaque(run), _opaque(absorbed), _opaque(measured), _opaque(scored))
        progress.step()
        found, alerts = alert(_opaque(run), _opaque(measured), _opaque(scored), _opaque(audits))
        progress.step()
        tables = (_opaque(scored), _opaque(audits), _opaque(alerts))
        release = _publishing(workspace)(_opaque(run), _opaque(absorbed), _opaque(measured), *tables)
        progress.step()
        outcome = run.finish(landings, absorbed, release, found)
    summary = summarize(notify(_opaque(run), _opaque(outcome)))
    progress.step()
    show_release(workspace, summary)
    return summary


@contextmanager
def turn(run: Run, seconds: float) -> Generator[None]:
    """Hold the workspace, once nobody else does.

    The serve lane holds it every few seconds, and a lease outlives its machine by a while: whoever is scheduled,
    or does a crashed run again, has to wait, or nobody would come back to it.

    Args:
        run: The run.
        seconds: How long to wait at most.

    Raises:
        BusyError: Others still hold it.
    """
    until = time.monotonic() + seconds
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(run.underway())
            except BusyError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_ASK_SECONDS)
            else:
                break
        yield


def _landed(run: Run, *, is_again: bool) -> list[FeedLanding]:
    """Land every feed, after those that it refers to; what a crashed run had landed is taken from it."""
    landings: list[FeedLanding] = []
    for wave in waves(run.workspace.feeds):
        batches = _batches([feed.name for feed in wave])
        before = _opaque(list(landings))
        reading = land.with_options(refresh_cache=not is_again)
        futures = [reading.submit(_opaque(run), batch, before, ", ".join(batch)) for batch in batches]
        made = [future.result() for future in futures]
        for place, batch in enumerate(batches):
            if not is_whole(run, made[place]):  # what the crashed run kept has gone meanwhile
                anew = land.with_options(refresh_cache=True)
                made[place] = anew(_opaque(run), batch, before, ", ".join(batch))
        landings += [landing for some in made for landing in some]
    return landings


def _batches(names: Sequence[str]) -> list[list[str]]:
    """Names in so many batches of about one size that a run stays a handful of tasks."""
    count = min(len(names), BATCHES_MAX)
    return [list(names[place::count]) for place in range(count)]


def _publishing(workspace: LoadedWorkspace) -> Task[..., Release]:
    """The stage that publishes, as the task that materializes the scorecards from the feeds."""
    feeds = feed_assets(workspace, [feed.name for feed in workspace.feeds])
    tables = table_assets(workspace)

    def publish_assets(run: Run, absorbed: Absorbed, measured: Measured, *parts: Tables) -> Release:
        release = publish.fn(run, absorbed, measured, *parts)
        for asset in tables:
            add_asset_metadata(asset, dict(metadata_of(release, asset.key.rpartition("/")[2])))
        return release

    return MaterializingTask(
        publish_assets,
        name="publish",
        assets=tables,
        asset_deps=[*feeds],
        materialized_by="answerable",
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=2,
        retry_delay_seconds=[1, 5],
        retry_condition_fn=_can_retry,
    )


def run_workspace(folder: str) -> Summary:
    """Run a workspace as a Prefect flow, on whatever server Prefect is set to."""
    return answerable(folder)
