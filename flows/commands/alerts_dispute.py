"""`answerable alerts dispute`."""

import json
import sys
from pathlib import Path

from contracts.errors import QuestionError
from flows.workspace import load


def alerts_dispute(alert: str, folder: Path = Path(), *, by: str, reason: str, json_: bool = False) -> None:
    """Dispute the evidence of an alert: it no longer climbs, and what you say is kept with it.

    Example: `answerable alerts dispute 8c1f --by dana --reason "the survey went to returns only"`. It stays
    open: only its metric ends it. Ends with exit code 2 when there is no such alert or person.

    Args:
        alert: The alert's id, or its first signs.
        folder: The workspace.
        by: Who disputes it, a person of the map.
        reason: What is wrong with the evidence.
        json_: Print the alert as JSON.
    """
    from contracts.alerts import plain  # noqa: PLC0415
    from flows.alert_desk import answer  # noqa: PLC0415 - loads SQLAlchemy

    if not reason.strip():
        raise QuestionError.at("--reason", "gives no reason.", 'Write one: --reason "..."')
    after = answer(load(folder), alert, by, reason, disputes=True)
    sys.stdout.write(
        json.dumps(plain(after), indent=1) + "\n" if json_ else f"{after.id}: disputed by {by}.\n"
    )
