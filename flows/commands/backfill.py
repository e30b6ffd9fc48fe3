"""`answerable backfill`."""

import json
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path

from flows.workspace import load
from views.units import plural


def backfill(from_: date, until: date, folder: Path = Path(), *, json_: bool = False) -> None:
    """Read the deliveries of a stretch of days anew, publish a release, and say what it restates.

    For deliveries that an older version read otherwise, or whose landing was damaged: a run by itself reads only
    what is new or has changed. Whatever a delivery no longer tells is withdrawn. Deliveries whose files are gone
    are told anew of what was landed.

    Args:
        from_: First day.
        until: The day after the last one.
        folder: The workspace.
        json_: Print what was restated as JSON.
    """
    workspace = load(folder)
    from flows.backfilling import backfill as read_anew  # noqa: PLC0415 - loads polars
    from flows.console import progress  # noqa: PLC0415
    from flows.window import Window  # noqa: PLC0415

    with progress(quiet=json_) as tell:
        outcome, restated = read_anew(workspace, Window(from_, until, workspace.settings.zone), tell)
    changed = [one for one in restated if not one.is_none]
    if json_:
        said = {"release": outcome.release.number, "restated": [asdict(one) for one in changed]}
        sys.stdout.write(json.dumps(said, indent=1) + "\n")
        return
    sys.stdout.write(
        f"Release {outcome.release.number}: {plural(len(outcome.read), 'delivery', 'deliveries')} read otherwise; "
        f"{len(changed)} of {len(restated)} tables restated.\n"
    )
    for one in changed:
        sys.stdout.write(
            f"{one.table}: {one.added} rows added, {one.removed} removed, {one.changed} changed\n"
        )
