"""`answerable alerts ack`."""

import json
import sys
from pathlib import Path

from flows.workspace import load


def alerts_ack(
    alert: str, folder: Path = Path(), *, by: str, note: str | None = None, json_: bool = False
) -> None:
    """Acknowledge an alert: it no longer climbs, and stays open until its metric is back at its goal.

    Example: `answerable alerts ack 8c1f --by dana --note "depot N2 is being re-routed"`. Ends with exit code 2
    when there is no such alert or person.

    Args:
        alert: The alert's id, or its first signs.
        folder: The workspace.
        by: Who acknowledges it, a person of the map.
        note: What they say about it.
        json_: Print the alert as JSON.
    """
    from contracts.alerts import plain  # noqa: PLC0415
    from flows.alert_desk import answer  # noqa: PLC0415 - loads SQLAlchemy

    after = answer(load(folder), alert, by, note)
    sys.stdout.write(
        json.dumps(plain(after), indent=1) + "\n"
        if json_
        else f"{after.id}: acknowledged by {by}; it no longer climbs.\n"
    )
