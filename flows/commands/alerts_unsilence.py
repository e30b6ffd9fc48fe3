"""`answerable alerts unsilence`."""

import sys
from pathlib import Path

from flows.workspace import load


def alerts_unsilence(number: int, folder: Path = Path(), *, by: str | None = None) -> None:
    """End a silence now. Whatever stands is told with the next run.

    Example: `answerable alerts unsilence 3`. Ends with exit code 2 when no such silence is in force.

    Args:
        number: The silence's number, as 'answerable alerts list' shows it.
        folder: The workspace.
        by: Who ends it; ANSWERABLE_ACTOR or the account's name when absent.
    """
    from flows.alert_desk import unsilence  # noqa: PLC0415 - loads SQLAlchemy

    unsilence(load(folder), number, by)
    sys.stdout.write(f"silence {number} has ended.\n")
