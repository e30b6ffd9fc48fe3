"""A release held against everything computed anew, cell by cell."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.errors import QuestionError
from contracts.tables import Restatement
from flows.progress import Tell, silent
from flows.rebuilding import made_anew, scratch_folder
from flows.restated import Difference
from flows.workspace import LoadedWorkspace
from warehouse.kept import Kept
from warehouse.releases import Release, Releases
from warehouse.store import EventStore


@dataclass(frozen=True)
class TableCheck:
    """A published table against the same one computed anew.

    Attributes:
        table: Its name.
        rows: Rows in either.
        cells: Cells that were compared.
        differing: Cells that are not alike; all of a row that only one of the two has.
    """

    table: str
    rows: int
    cells: int
    differing: int


@dataclass(frozen=True)
class Verified:
    """What came of it.

    Attributes:
        release: The release's number.
        events: Events that were read.
        checks: Table by table.
    """

    release: int
    events: int
    checks: tuple[TableCheck, ...]

    @property
    def cells(self) -> int:
        """Cells that were compared."""
        return sum(check.cells for check in self.checks)

    @property
    def differing(self) -> int:
        """Cells that are not alike."""
        return sum(check.differing for check in self.checks)


def verified(workspace: LoadedWorkspace, tell: Tell = silent) -> Verified:
    """Compute the newest release anew from events alone, by its own clock, and compare all of its tables.

    Tables of what became known when are left out; what was restated is taken from the published log.

    Raises:
        QuestionError: There is no release, or map or events have changed since.
    """
    releases = Releases(workspace.warehouse / "published")
    state = EventStore(workspace.warehouse / "store").head()
    release, as_of = _comparable(workspace, releases, state.number)
    log = releases.frame(release, Restatement.table_name())
    with scratch_folder(workspace.warehouse) as folder:
        anew = made_anew(replace(workspace, now=as_of), state, log, Kept(folder, holds=False), tell)
        checks = [
            _checked(found, len(anew.columns(table))) for table, found in anew.differences(releases, release)
        ]
    return Verified(release.number, anew.read, tuple(checks))


def _comparable(workspace: LoadedWorkspace, releases: Releases, commit: int) -> tuple[Release, datetime]:
    release = releases.head()
    if release is None:
        raise QuestionError.at(str(workspace.root), "has no release to verify.", "Run first.")
    facts: Mapping[str, str] = releases.manifests.read(release.number)
    moved = {"map": facts["map_version"] != workspace.atlas.version, "store": facts["store_commit"] != commit}
    if any(moved.values()):
        what = " and ".join(name for name, has_moved in moved.items() if has_moved)
        raise QuestionError.at(
            f"release {release.number}", f"is of another {what} than stands now.", "Run first."
        )
    return release, datetime.fromisoformat(facts["as_of"])


def _checked(found: Difference, width: int) -> TableCheck:
    rows = found.rows + found.removed
    differing = (found.added + found.removed) * width + sum(found.cells.values()) + len(found.foreign) * rows
    return TableCheck(found.table, rows, rows * width, differing)
