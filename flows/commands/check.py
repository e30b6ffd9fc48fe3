"""`answerable check`."""

import json
import sys
from pathlib import Path

from contracts.errors import WorkspaceError
from flows.unread import lying, said_of
from flows.workspace import load


def check(folder: Path = Path(), *, json_: bool = False) -> None:
    """Check a workspace: every problem of every file at once, with file, line and remedy.

    Ends with exit code 3 when something is wrong. Reads no data; files in inbox folders that no stream reads
    are named.

    Args:
        folder: The workspace.
        json_: Print the problems as JSON.
    """
    try:
        workspace = load(folder)
    except WorkspaceError as error:
        if not json_:
            raise
        problems = [{"where": p.where, "what": p.what, "remedy": p.remedy} for p in error.problems]
        sys.stdout.write(json.dumps({"ok": False, "problems": problems}, indent=1) + "\n")
        sys.exit(error.exit_code)
    atlas = workspace.atlas
    counts = {
        name: len(getattr(atlas, name))
        for name in ("stages", "touchpoints", "seats", "people", "rules", "metrics")
    }
    counts["feeds"] = len(workspace.feeds)
    unread = lying(workspace.feeds, workspace.root)
    if json_:
        told = {"ok": True, "map_version": atlas.version, **counts, "unclaimed": unread}
        sys.stdout.write(json.dumps(told) + "\n")
        return
    said = ", ".join(f"{count} {name}" for name, count in counts.items())
    sys.stdout.write(f"{folder}: nothing is wrong. {said}; map {atlas.version}.\n")
    if unread:
        sys.stdout.write(f"{said_of(unread)}\n")
