"""A ledger that was lost: the warehouse has releases, and the ledger knows nothing of the run that made the newest one."""

import logging
from contextlib import suppress
from pathlib import Path

from contracts.errors import StoreError
from flows.workspace import LoadedWorkspace
from warehouse.ledger import FILE, Ledger, has_ledger
from warehouse.releases import Releases

_log = logging.getLogger("answerable")
_LOST = (
    "Lost with it are acknowledgements, silences, attestations, what was believed of the map and when, which letters were "
    "sent, and what was pushed and not read yet. Restore it from a backup before the next run: from that on a new one counts."
)
_told: set[Path] = set()
"""Warehouses of which it was said: once a process is loud enough."""


def tell_of_loss(workspace: LoadedWorkspace, ledger: Ledger | None = None) -> bool:
    """Say loudly that the ledger is gone and what is lost with it; a first run has nothing to lose.

    It is no error: a ledger that cannot be restored is begun anew by the next run, and scores need none. From then on
    nothing is said.

    Args:
        workspace: The workspace.
        ledger: Its ledger; looked for when absent.

    Returns:
        Whether it is.
    """
    warehouse = workspace.warehouse
    manifests = Releases(warehouse / "published").manifests
    if ledger is None and has_ledger(warehouse):
        ledger = Ledger(warehouse)
    with suppress(StoreError):  # a damaged manifest is told of by whoever needs it
        count = len(manifests.numbers())
        if not count or (ledger and ledger.knows_run(manifests.read(manifests.head())["run"])):
            return False
        if warehouse not in _told:
            _told.add(warehouse)
            where = ledger.where if ledger else warehouse / FILE
            _log.warning("%s: is empty or gone, and there are %s releases. %s", where, f"{count:,}", _LOST)
        return True
    return False


def reached(workspace: LoadedWorkspace) -> Ledger | None:
    """A workspace's ledger, once it was said if it is lost; none before the first run."""
    ledger = Ledger(workspace.warehouse) if has_ledger(workspace.warehouse) else None
    tell_of_loss(workspace, ledger)
    return ledger
