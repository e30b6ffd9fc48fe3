"""A release held against everything computed anew, cell by cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from contracts.errors import QuestionError
from contracts.tables import FactCase, Restatement, ScorecardTouchpoint, Table
from flows.auditing import audited
from flows.goals import scored
from flows.mapped import mapped
from flows.passes import measure
from flows.progress import Tell, silent
from flows.restated import HISTORIES
from flows.stages import case_attributes
from flows.workspace import LoadedWorkspace, load
from transforms.restatement import with_restated
from warehouse.releases import Release, Releases, as_published
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

    Nothing that was kept is read, nothing is written. Tables of what became known when are left out; what
    was restated is taken from the published log.

    Raises:
        QuestionError: There is no release, or map or events have changed since.
    """
    releases = Releases(workspace.warehouse / "published")
    state = EventStore(workspace.warehouse / "store").head()
    release, as_of = _comparable(workspace, releases, state.number)
    then = load(workspace.root, as_of)
    measured = measure(then, state, tell)
    tables = scored(then, measured, state)
    anew = {**tables, **audited(then, measured, state, tables), **mapped(then)}
    log = releases.frame(release, Restatement.table_name())
    anew[ScorecardTouchpoint] = with_restated(anew[ScorecardTouchpoint], log)
    extra = case_attributes(then, measured)
    checks = []
    for table, frame in anew.items():
        if table not in HISTORIES:
            columns = extra if table is FactCase else {}
            made = as_published(table, frame, columns)
            checks.append(_checked(table, releases.frame(release, table.table_name()), made))
    return Verified(release.number, measured.read, tuple(checks))


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


def _checked(table: type[Table], published: pl.DataFrame, anew: pl.DataFrame) -> TableCheck:
    keys = table.primary_key()
    columns = [name for name in anew.columns if name not in keys]
    both = published.with_columns(__one=pl.lit(value=True)).join(
        anew.with_columns(__other=pl.lit(value=True)),
        on=keys,
        how="full",
        nulls_equal=True,
        coalesce=True,
        suffix="__anew",
    )
    shared = pl.col("__one").is_not_null() & pl.col("__other").is_not_null()
    unlike = [(shared & pl.col(name).ne_missing(pl.col(f"{name}__anew"))).sum() for name in columns]
    alone = (~shared).sum() * len(anew.columns)
    differing = both.select(alone + pl.sum_horizontal(*unlike, pl.lit(0)))
    foreign = set(published.columns) ^ set(anew.columns)
    return TableCheck(
        table.table_name(),
        both.height,
        both.height * len(anew.columns),
        int(differing.item()) + len(foreign) * both.height,
    )
