"""`answerable map log`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from flows.beliefs import records
from flows.workspace import load


def map_log(folder: Path = Path(), *, json_: bool = False) -> None:
    """List every version of the map that was believed, the newest first: when, who loaded it.

    Example: `answerable map log`, then `answerable who delivery --as-known 2026-05-04` for one of them.

    Args:
        folder: The workspace.
        json_: Print the records as JSON.
    """
    workspace = load(folder)
    found = [
        {**asdict(one), "recorded_at": one.recorded_at.isoformat()} for one in reversed(records(workspace))
    ]
    if json_:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    for one in reversed(records(workspace)):
        noted = one.recorded_at.astimezone(workspace.settings.zone)
        is_loaded = "  as it lies here" if one.version == workspace.atlas.version else ""
        sys.stdout.write(
            f"{one.number:>4}  {one.version}  {noted:%Y-%m-%d %H:%M:%S}  {one.recorded_by or '-'}{is_loaded}\n"
        )
    if not found:
        sys.stdout.write("no map is recorded yet: 'answerable run' records the map it loads\n")
