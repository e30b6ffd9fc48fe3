"""What every version of the map promised that was ever believed. Each version is read once, then kept as text."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from contracts.documents import parse
from contracts.errors import MapError, StoreError, WorkspaceError
from contracts.map_checks import examine
from contracts.map_content import MapContent, Recorded
from contracts.records import MapRecord
from flows.beliefs import records
from flows.workspace import LoadedWorkspace
from warehouse.files import create
from warehouse.ledger import Ledger

FOLDER = "maps"
_FORMAT = 1
"""Rises when what is kept of a map changes; kept texts of another format are read anew."""


def map_history(workspace: LoadedWorkspace, ledger: Ledger | None = None) -> list[Recorded]:
    """Every record of the map with what it promised, the oldest first.

    The ledger keeps a version's texts; reading a big map takes half a second, so what is asked of it is kept in the
    warehouse, which may be deleted. A version whose texts cannot be read any more is passed over.

    Args:
        workspace: The workspace.
        ledger: Its ledger, if it was reached already.
    """
    found = []
    known: dict[tuple[str, str | None], MapContent | None] = {}
    for record in records(workspace, ledger):
        said = record.version, record.timezone
        if said not in known:  # a map that was taken back is recorded again
            known[said] = _content(workspace, record)
        if (content := known[said]) is not None:
            found.append(Recorded(record, content))
    return found


def _content(workspace: LoadedWorkspace, record: MapRecord) -> MapContent | None:
    if record.version == workspace.atlas.version:
        return MapContent.of(workspace.atlas)
    zone = record.timezone or workspace.settings.timezone
    kept = workspace.warehouse / FOLDER / f"{record.version}-{zone.replace('/', '_')}.{_FORMAT}.json"
    try:
        return MapContent.from_json(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = _read(workspace, record, ZoneInfo(zone))
        if content is not None:
            kept.unlink(missing_ok=True)
            create(kept, content.as_json().encode())
        return content


def _read(workspace: LoadedWorkspace, record: MapRecord, zone: ZoneInfo) -> MapContent | None:
    """What a version promised, as far as it can be understood today."""
    from warehouse.ledger import Ledger  # noqa: PLC0415 - loads SQLAlchemy

    texts: Sequence[tuple[str, str]] = sorted(Ledger(workspace.warehouse).map_texts(record.version).items())
    try:
        documents = [parse(text, f"map/{name}") for name, text in texts]
        return MapContent.of(examine(documents, zone).atlas)
    except (MapError, WorkspaceError, StoreError):
        return None
