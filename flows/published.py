"""The newest release of a workspace, for commands that only read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from contracts.errors import StoreError, did_you_mean
from flows.asked import asked_release
from flows.workspace import LoadedWorkspace, load
from warehouse.releases import Release, Releases


@dataclass(frozen=True)
class Published:
    """A workspace and one of its releases.

    Attributes:
        workspace: The workspace as its files say now.
        releases: Its releases.
        release: The one that is read.
    """

    workspace: LoadedWorkspace
    releases: Releases
    release: Release

    @property
    def is_outdated(self) -> bool:
        """Whether the map is another one than the release was made with."""
        manifest = self.releases.manifests.read(self.release.number)
        return manifest["map_version"] != self.workspace.atlas.version

    def has(self, name: str) -> bool:
        """Whether the release has a table; one of an earlier version may not."""
        return name in self.release.by_table

    def table(self, name: str) -> pl.DataFrame:
        """One of its tables."""
        return self.releases.frame(self.release, name)


def newest(folder: Path, number: int | None = None) -> Published:
    """The newest release of a workspace, or the one with a number.

    Raises:
        QuestionError: No release has such a number.
        StoreError: There is none yet.
    """
    number = asked_release(number)
    workspace = load(folder)
    releases = Releases(workspace.warehouse / "published")
    release = releases.read(number) if number else releases.head()
    if release is None:
        raise StoreError.at(str(folder), "has no release yet.", "Run 'answerable run' first.")
    return Published(workspace, releases, release)


def rows_where(table: str, frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """The rows of a table that a SQL condition holds for.

    Raises:
        StoreError: It is no condition, or not one on these columns.
    """
    named: Sequence[str] = ()
    try:
        condition = pl.sql_expr(where)
        named = known_columns(table, frame, condition.meta.root_names())
        return frame.filter(condition)
    except pl.exceptions.PolarsError as error:
        said, remedy = str(error).splitlines()[0], f"Columns: {', '.join(frame.columns)}."
        if times := [name for name in named if frame.schema[name].is_temporal()]:
            said, remedy = f"{', '.join(times)} is no text", "Write a date as DATE '2026-10-01'."
        raise StoreError.at(table, f"cannot be asked that: {said}.", remedy) from None


def known_columns(table: str, frame: pl.DataFrame, names: Sequence[str]) -> Sequence[str]:
    """The names, if a table has all of these columns.

    Raises:
        StoreError: It has not.
    """
    for name in names:
        if name not in frame.columns:
            raise StoreError.at(table, f"has no column {name!r}.", did_you_mean(name, frame.columns))
    return names
