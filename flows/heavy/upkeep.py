"""Flows beside the run: everything made anew and compared, and the map held against what customers live through."""

from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from contracts.tables import GapFinding, GapWaterfall
from flows.heavy.again import parameters_of
from flows.heavy.artifacts import Progress, show_gaps
from flows.passes import Measured, measure
from flows.progress import silent
from flows.rebuilding import Rebuilt
from flows.rebuilding import rebuild as made_anew
from flows.run import Run
from flows.workspace import LoadedWorkspace, folder_of, load
from transforms.audit import open_findings
from views.ladder import sentence
from warehouse.kept import Kept
from warehouse.store import State


@task(cache_policy=NO_CACHE, persist_result=False)
def compare(workspace: LoadedWorkspace) -> Rebuilt:
    """Make everything anew in a scratch folder and compare it, cell by cell."""
    return made_anew(workspace)


@task(cache_policy=NO_CACHE, persist_result=False)
def look(workspace: LoadedWorkspace, state: State, kept: Kept) -> Measured:
    """Match every event by today's map; what is kept of months is not read again."""
    return measure(workspace, state, silent, kept)


@flow(name="answerable-rebuild", flow_run_name="rebuild")
def rebuild(folder: str, crashed: str | None = None) -> dict[str, Any]:
    """Make every table anew from kept deliveries and hold it against the release.

    Args:
        folder: The workspace.
        crashed: The flow run that is done again.

    Raises:
        PromiseError: A cell differs.
    """
    workspace = load(folder_of(parameters_of(crashed)["folder"] if crashed else folder))
    found = compare(workspace)
    rows = "\n".join(
        f"| {one.table} | {one.rows:,} | {one.added} | {one.removed} | {one.changed} |"
        for one in found.differences
    )
    create_markdown_artifact(
        f"Release {found.release}: {found.events:,} events made anew, {len(found.wrong)} tables differ.\n\n"
        f"| table | rows | added | removed | changed |\n| --- | ---: | ---: | ---: | ---: |\n{rows}\n",
        key="rebuild",
        description="The published tables against tables made anew",
    )
    found.must_be_equal()
    return {"release": found.release, "events": found.events, "tables": len(found.differences)}


@flow(name="answerable-map-audit", flow_run_name="map audit")
def audit_map(folder: str, crashed: str | None = None) -> dict[str, int]:
    """Hold today's map against the events in the store; nothing is published.

    Args:
        folder: The workspace.
        crashed: The flow run that is done again.

    Returns:
        Open findings by severity.
    """
    workspace = load(folder_of(parameters_of(crashed)["folder"] if crashed else folder))
    progress = Progress(steps=2)
    run = Run(workspace)
    state = run.store.head()
    measured = look(workspace, state, run.store.kept)
    progress.step()
    tables = run.audit(state, measured, run.score(state, measured))
    progress.step()
    show_gaps(tables[GapFinding])
    counts = dict(open_findings(tables[GapFinding])["severity"].value_counts().iter_rows())
    told = "\n".join(f"| {severity} | {count} |" for severity, count in sorted(counts.items()))
    create_markdown_artifact(
        f"{sentence(tables[GapWaterfall])}\n\n| severity | open |\n| --- | ---: |\n{told}\n",
        key="map-audit",
        description="Today's map against what customers lived through",
    )
    return {str(severity): int(count) for severity, count in counts.items()}
