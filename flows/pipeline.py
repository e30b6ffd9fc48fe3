"""The stages as a Prefect flow. The only module that imports Prefect.

A handful of tasks of real size: one per feed, then absorb, measure, score, audit, alert, publish, notify. Truth is in
the manifests, so a task that is tried again, or a run that is started again, does no harm.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from prefect import Task, flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote

from contracts.errors import AnswerableError
from flows.alerting import Grounds
from flows.landing import FeedLanding
from flows.passes import Measured
from flows.references import waves
from flows.report import Summary, release_line, summarize
from flows.run import Outcome, Run
from flows.stages import Tables
from flows.workspace import load
from warehouse.releases import Release
from warehouse.store import Absorbed

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


@_stage("land-{feed}")
def land(run: Run, feed: str, before: list[FeedLanding]) -> FeedLanding:
    """Read what one feed offers, after the feeds that it refers to."""
    return run.land(next(one for one in run.workspace.feeds if one.name == feed), before)


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


@flow(name="answerable", flow_run_name="{occasion}-{folder}", validate_parameters=True)
def answerable(folder: str, occasion: str = "refresh") -> Summary:
    """Read what the feeds of a workspace delivered and publish a release.

    Args:
        folder: The workspace.
        occasion: What the release is for; it stands in the run's name and in the release's manifest.

    Returns:
        What happened, as plain values.
    """
    run = Run(load(Path(folder)), occasion=occasion)
    with run.underway():
        landings: list[FeedLanding] = []
        for wave in waves(run.workspace.feeds):
            futures = [land.submit(_opaque(run), feed.name, _opaque(landings)) for feed in wave]
            landings = [*landings, *(future.result() for future in futures)]
        absorbed = absorb(_opaque(run), _opaque(landings))
        measured = measure(_opaque(run), _opaque(absorbed))
        scored = score(_opaque(run), _opaque(absorbed), _opaque(measured))
        audits = audit(_opaque(run), _opaque(absorbed), _opaque(measured), _opaque(scored))
        found, alerts = alert(_opaque(run), _opaque(measured), _opaque(scored), _opaque(audits))
        release = publish(
            _opaque(run),
            _opaque(absorbed),
            _opaque(measured),
            _opaque(scored),
            _opaque(audits),
            _opaque(alerts),
        )
        outcome = run.finish(landings, absorbed, release, found)
    summary = summarize(notify(_opaque(run), _opaque(outcome)))
    create_markdown_artifact(_markdown(summary), key="release", description="The newest release")
    return summary


def run_workspace(folder: str) -> Summary:
    """Run a workspace as a Prefect flow, on whatever server Prefect is set to."""
    return answerable(folder)


def _markdown(summary: Summary) -> str:
    rows = "\n".join(f"| {name} | {count:,} |" for name, count in summary["rows"].items())
    held = "".join(f"\n- held: {one}" for one in summary["held"])
    return f"{release_line(summary)}\n\n`{summary['path']}`\n{held}\n\n| table | rows |\n| --- | ---: |\n{rows}\n"
