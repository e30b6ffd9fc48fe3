"""`answerable rebuild`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from contracts.errors import PromiseError
from flows.workspace import LoadedWorkspace, load


def rebuild(
    folder: Path = Path(), *, verify: bool = False, forget: bool = False, json_: bool = False
) -> None:
    """Make every table anew from the deliveries that were kept, and hold them against the release, cell by cell.

    It proves that the published numbers follow from the deliveries alone. Nothing of the workspace is
    changed. Ends with exit code 5 when a single cell differs.

    Args:
        folder: The workspace.
        verify: Begin with the events of the store instead of the deliveries: it proves that sums kept of
            months give what their events give, and says how many cells were compared.
        forget: Only forget the sums kept of months: the next run computes them anew.
        json_: Print what was found as JSON.
    """
    workspace = load(folder)
    if forget:
        _forget(workspace)
    elif verify:
        _verify(workspace, json_=json_)
    else:
        _rebuild(workspace, json_=json_)


def _rebuild(workspace: LoadedWorkspace, *, json_: bool) -> None:
    from flows.console import progress  # noqa: PLC0415
    from flows.rebuilding import rebuild as made_anew  # noqa: PLC0415 - loads polars

    with progress(quiet=json_) as tell:
        found = made_anew(workspace, tell)
    if json_:
        sys.stdout.write(json.dumps(asdict(found), indent=1) + "\n")
    else:
        rows = sum(one.rows for one in found.differences)
        sys.stdout.write(
            f"{found.events:,} events and {len(found.differences)} tables with {rows:,} rows made anew; "
            f"{len(found.wrong)} tables differ from release {found.release}.\n"
        )
        for one in found.wrong:
            sys.stdout.write(
                f"{one.table}: {one.added} rows added, {one.removed} removed, {one.changed} changed {one.cells}"
                + (f"; columns that only one has: {', '.join(one.foreign)}" if one.foreign else "")
                + "\n"
            )
    found.must_be_equal()


def _forget(workspace: LoadedWorkspace) -> None:
    from warehouse.lock import held  # noqa: PLC0415
    from warehouse.store import EventStore  # noqa: PLC0415 - loads polars

    with held(workspace.warehouse):
        EventStore(workspace.warehouse / "store").kept.forget()
    sys.stdout.write("What was kept of months is forgotten: the next run computes it anew.\n")


def _verify(workspace: LoadedWorkspace, *, json_: bool) -> None:
    from flows.console import progress  # noqa: PLC0415
    from flows.verifying import verified  # noqa: PLC0415 - loads polars
    from warehouse.lock import held  # noqa: PLC0415

    with held(workspace.warehouse), progress(quiet=json_) as tell:
        found = verified(workspace, tell)
    tables = {
        one.table: {"rows": one.rows, "cells": one.cells, "differing": one.differing} for one in found.checks
    }
    if json_:
        told = {name: getattr(found, name) for name in ("release", "events", "cells", "differing")}
        sys.stdout.write(json.dumps({**told, "tables": tables}, indent=1) + "\n")
    else:
        sys.stdout.write(
            f"release {found.release}: {found.cells:,} cells in {len(tables)} tables, computed anew from "
            f"{found.events:,} events: {found.differing:,} differ.\n"
        )
    wrong = [f"{name} {one['differing']:,}" for name, one in tables.items() if one["differing"]]
    if wrong:
        raise PromiseError.at(
            f"release {found.release}",
            f"is not what its events give: {', '.join(wrong)} cells differ.",
            "Run 'answerable rebuild --forget', then 'answerable run', and report it: this is a defect.",
        )
