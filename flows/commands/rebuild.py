"""`answerable rebuild`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from flows.workspace import load


def rebuild(folder: Path = Path(), *, json_: bool = False) -> None:
    """Make every table anew from the deliveries that were kept, and hold them against the release, cell by cell.

    It proves that the published numbers follow from the deliveries alone. Nothing of the workspace is
    changed. Ends with exit code 5 when a single cell differs.

    Args:
        folder: The workspace.
        json_: Print what was found as JSON.
    """
    workspace = load(folder)
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
                f"{one.table}: {one.added} rows added, {one.removed} removed, {one.changed} changed {one.cells}\n"
            )
    found.must_be_equal()
