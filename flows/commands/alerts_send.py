"""`answerable alerts send`."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from contracts.errors import AnswerableError
from flows.workspace import load


class UndeliveredError(AnswerableError):
    """Letters are dead: no further attempt can help until somebody mends the channel."""


def alerts_send(
    folder: Path = Path(), *, revive: bool = False, seconds: float = 60.0, json_: bool = False
) -> None:
    """Send what waits in the outbox, the oldest first. Every run does this at its end, too.

    Example: `answerable alerts send --revive` tries dead letters anew, once their channel is mended. Ends with
    exit code 1 when letters are dead; 'answerable doctor' says which and why.

    Args:
        folder: The workspace.
        revive: Make dead letters due again first.
        seconds: No attempt begins later than this.
        json_: Print what was done as JSON.
    """
    from flows.alert_desk import desk  # noqa: PLC0415 - loads SQLAlchemy
    from flows.pump import Bounds, pump  # noqa: PLC0415

    workspace = load(folder)
    ledger = desk(workspace)
    revived = ledger.revive(datetime.now(UTC)) if revive else 0  # noqa: TID251 - the real time
    done = pump(workspace, ledger, Bounds(letters=10_000, seconds=seconds))
    left = ledger.counts()
    if json_:
        said = {"revived": revived, "attempts": dict(done.counts), "errors": done.errors, "letters": left}
        sys.stdout.write(json.dumps(said, indent=1) + "\n")
    else:
        for channel, error in done.errors.items():
            sys.stdout.write(f"{channel or 'no channel'}: {error}\n")
        waits = left.get("due", 0) + left.get("sending", 0)
        sys.stdout.write(f"{done.counts['sent']} sent, {waits} wait, {left.get('dead', 0)} dead.\n")
    if left.get("dead"):
        raise UndeliveredError.at(
            "outbox",
            f"{left['dead']} letters are dead.",
            "'answerable doctor' says why; then 'answerable alerts send --revive'.",
        )
