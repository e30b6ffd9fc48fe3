"""`answerable rebuild`."""

import json
import sys
from pathlib import Path

from contracts.errors import PromiseError
from flows.workspace import load


def rebuild(folder: Path = Path(), *, verify: bool = False, quiet: bool = False, json_: bool = False) -> None:
    """Compute everything anew from the events, and publish it; or hold the newest release against it.

    A run reads what it kept of months that are as they were. This forgets all of it first. Nothing that is
    published or stored is touched until the new release stands.

    Args:
        folder: The workspace.
        verify: Publish nothing: compute the newest release anew, by its own clock, and compare every cell
            of every table. Ends with exit code 5 when any differs.
        quiet: No progress bars and no report.
        json_: Print what came of it as JSON.
    """
    workspace = load(folder)
    from flows.console import progress  # noqa: PLC0415 - loads rich
    from warehouse.lock import held  # noqa: PLC0415

    if verify:
        from flows.rebuilding import verified  # noqa: PLC0415 - loads polars

        with held(workspace.warehouse), progress(quiet=quiet or json_) as tell:
            _report(verified(workspace, tell), quiet=quiet, json_=json_)
        return
    from flows.report import print_summary, summarize  # noqa: PLC0415
    from flows.run import rebuild_inline  # noqa: PLC0415

    with progress(quiet=quiet or json_) as tell:
        summary = summarize(rebuild_inline(workspace, tell))
    if json_:
        sys.stdout.write(json.dumps(summary, indent=1) + "\n")
    elif not quiet:
        print_summary(folder, summary)


def _report(found, *, quiet: bool, json_: bool) -> None:  # noqa: ANN001 - its module loads polars
    tables = {
        one.table: {"rows": one.rows, "cells": one.cells, "differing": one.differing} for one in found.checks
    }
    if json_:
        told = {
            "release": found.release,
            "events": found.events,
            "cells": found.cells,
            "differing": found.differing,
        }
        sys.stdout.write(json.dumps({**told, "tables": tables}, indent=1) + "\n")
    elif not quiet:
        sys.stdout.write(
            f"release {found.release}: {found.cells:,} cells in {len(tables)} tables, computed anew from "
            f"{found.events:,} events: {found.differing:,} differ.\n"
        )
    wrong = [(name, one) for name, one in tables.items() if one["differing"]]
    if wrong:
        said = ", ".join(f"{name} {one['differing']:,}" for name, one in wrong)
        raise PromiseError.at(
            f"release {found.release}",
            f"is not what its events give: {said} cells differ.",
            "Run 'answerable rebuild' and report it: this is a defect.",
        )
