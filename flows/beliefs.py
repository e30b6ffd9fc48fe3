"""The map as it is, and as it was believed at an instant: every version that was loaded is in the ledger."""

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from contracts.accountability import AccountabilityMap
from contracts.documents import parse
from contracts.errors import MapError, QuestionError, StoreError, WorkspaceError
from contracts.map_checks import assemble
from contracts.records import MapRecord, known_at
from contracts.tenures import instant
from flows.workspace import LoadedWorkspace

if TYPE_CHECKING:
    from warehouse.ledger import Ledger

ACTOR_VARIABLE = "ANSWERABLE_ACTOR"


@dataclass(frozen=True)
class Belief:
    """A map, and since when it has been believed.

    Attributes:
        atlas: The map.
        record: What the ledger noted; None for the map as it lies in the workspace.
    """

    atlas: AccountabilityMap
    record: MapRecord | None = None


def actor() -> str | None:
    """Who is at work, as the ledger notes it: ANSWERABLE_ACTOR, else the account's name; None without either."""
    try:
        return os.environ.get(ACTOR_VARIABLE) or getpass.getuser()
    except (KeyError, ImportError, OSError):  # an account without a name, as in some containers
        return None


def records(workspace: LoadedWorkspace, ledger: "Ledger | None" = None) -> list[MapRecord]:
    """Every record of the map, the oldest first; none before the first run.

    Args:
        workspace: The workspace.
        ledger: Its ledger, if it was reached already; else it is looked whether it was lost.
    """
    if ledger is None:
        from flows.lost_ledger import reached  # noqa: PLC0415 - loads SQLAlchemy

        ledger = reached(workspace)
    return [] if ledger is None else ledger.map_records()


def belief(workspace: LoadedWorkspace, as_known: datetime | None = None) -> Belief:
    """The map as it was believed at an instant; as it lies in the workspace without one.

    Args:
        workspace: The workspace.
        as_known: The instant; local to the workspace without an offset.

    Raises:
        QuestionError: No map had been recorded by then.
        StoreError: The ledger cannot be read, or its map was written for another version of ours.
    """
    if as_known is None:
        return Belief(workspace.atlas)
    moment = instant(as_known, workspace.settings.zone, workspace.now)
    known = records(workspace)
    record = known_at(known, moment)
    if record is None:
        raise _unknown(workspace, known, moment)
    return Belief(_read(workspace, record), record)


def _read(workspace: LoadedWorkspace, record: MapRecord) -> AccountabilityMap:
    from warehouse.ledger import Ledger  # noqa: PLC0415 - loads SQLAlchemy

    texts = Ledger(workspace.warehouse).map_texts(record.version)
    zone = ZoneInfo(record.timezone) if record.timezone else workspace.settings.zone
    try:
        return assemble([parse(text, f"map/{name}") for name, text in sorted(texts.items())], zone)
    except (MapError, WorkspaceError) as error:
        raise StoreError.at(
            f"map {record.version}",
            f"recorded at {record.recorded_at:%Y-%m-%d %H:%M:%S}Z cannot be read by this version: {error}",
            "Read it with the version that recorded it: 'answerable map log' shows when that was.",
        ) from None


def _unknown(workspace: LoadedWorkspace, known: Sequence[MapRecord], moment: datetime) -> QuestionError:
    if not known:
        return QuestionError.at(
            str(workspace.root), "has no recorded map yet.", "'answerable run' records the map it loads."
        )
    said, first = (one.astimezone(workspace.settings.zone) for one in (moment, known[0].recorded_at))
    return QuestionError.at(
        f"{said:%Y-%m-%dT%H:%M:%S}",
        f"nothing was known: the first map was recorded at {first:%Y-%m-%dT%H:%M:%S}.",
        "Ask for that instant or a later one.",
    )
