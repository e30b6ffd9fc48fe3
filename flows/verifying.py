"""A release held against everything computed anew, cell by cell."""

import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from contracts.errors import QuestionError
from contracts.tables import Restatement, Table
from flows.progress import Tell, silent
from flows.rebuilding import made_anew
from flows.restated import Difference
from flows.workspace import LoadedWorkspace
from warehouse.files import part_of
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
    with _kept(workspace.warehouse) as kept:
        anew = made_anew(replace(workspace, now=as_of), state, log, kept, tell)
        checks = [
            _checked(found, set(anew.columns(table)), _columns_of(releases, release, table))
            for table, found in anew.differences(releases, release)
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


@contextmanager
def _kept(warehouse: Path) -> Generator[Kept]:
    """Where what is made on the way is kept: a folder of its own, for it may take gigabytes, and is gone afterwards."""
    folder = part_of(warehouse / "verify")
    for left in warehouse.glob(".verify.*.part"):  # of one that was killed: whoever verifies holds the lock
        shutil.rmtree(left, ignore_errors=True)
    folder.mkdir()
    try:
        yield Kept(folder, holds=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _columns_of(releases: Releases, release: Release, table: type[Table]) -> set[str]:
    return set(releases.frame(release, table.table_name(), where=pl.lit(value=False)).columns)


def _checked(found: Difference, anew: set[str], published: set[str]) -> TableCheck:
    rows, width = found.rows + found.removed, len(anew)
    foreign = published ^ anew
    differing = (found.added + found.removed) * width + sum(found.cells.values()) + len(foreign) * rows
    return TableCheck(found.table, rows, rows * width, differing)
