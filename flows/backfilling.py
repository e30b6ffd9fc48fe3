"""Deliveries of a stretch of days read anew, and what the new release restates."""

from flows.progress import Tell, silent
from flows.restated import Difference, differences
from flows.run import Outcome, run_inline
from flows.window import Window
from flows.workspace import LoadedWorkspace
from warehouse.releases import Release, Releases


def backfill(
    workspace: LoadedWorkspace, window: Window, tell: Tell = silent
) -> tuple[Outcome, list[Difference]]:
    """Run with a window, and say how the release differs from the one before; no difference without one."""
    releases = Releases(workspace.warehouse / "published")
    before = releases.head()
    outcome = run_inline(workspace, tell, window=window, occasion=occasion_of(window))
    return outcome, restated(releases, before, outcome.release) if before else []


def occasion_of(window: Window) -> str:
    """What a release of a backfill is for."""
    return f"backfill {window.since} until {window.until}"


def restated(releases: Releases, before: Release, after: Release) -> list[Difference]:
    """How a release differs from an earlier one."""
    return differences(
        lambda table: releases.frame(before, table.table_name()),
        lambda table: releases.frame(after, table.table_name()),
    )
