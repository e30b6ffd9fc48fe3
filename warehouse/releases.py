"""Releases: numbered, immutable sets of published tables.

data/<table>/<table>-<hash>.parquet   written once, shared by every release with that content
releases/00000042.json                the truth: all tables of one publish
.views/00000042/<table>/...           the same files, linked; views.sql, dictionary.html
current -> .views/00000042            for tools that read a folder
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from contracts.dictionary import arrow_schema, ordered_columns, parquet_metadata
from contracts.errors import PromiseError, StoreError
from contracts.tables import Column, Table
from warehouse.files import keep, sweep, sync_folder
from warehouse.manifests import Manifests

_VIEWS_KEPT_MIN = 2


@dataclass(frozen=True)
class TableFile:
    """One table's file.

    Attributes:
        table: The table's name.
        path: Below the published folder.
        rows: How many rows it has.
        bytes: Its size.
        sha256: Of its bytes.
        is_reused: Whether the same bytes had been published before.
    """

    table: str
    path: str
    rows: int
    bytes: int
    sha256: str
    is_reused: bool


@dataclass(frozen=True)
class Release:
    """A published release.

    Attributes:
        number: Its number.
        folder: The folder that tools read.
        tables: Its tables.
    """

    number: int
    folder: Path
    tables: tuple[TableFile, ...]


class Releases:
    """The releases in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifests = Manifests(root / "releases")

    def put(
        self, table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column] | None = None
    ) -> TableFile:
        """Write a table's file, once it keeps its contract. No release names it yet.

        Args:
            table: The table's class: columns, grain, rules.
            frame: Its rows, in any order.
            extra: Columns that this workspace adds.

        Raises:
            PromiseError: The rows break the table's contract.
        """
        extra = extra or {}
        name, columns = table.table_name(), ordered_columns(table, extra)
        checked = _checked(table, frame, extra).select(columns).sort(table.primary_key(), nulls_last=True)
        schema, metadata = arrow_schema(table, extra), parquet_metadata(table, extra)

        def write(path: Path) -> None:
            checked.lazy().sink_parquet(
                path, compression="zstd", metadata=metadata, arrow_schema=schema, sync_on_close="all"
            )

        path, sha256, is_reused = keep(self.root / "data" / name, name, ".parquet", write)
        below = str(path.relative_to(self.root))
        return TableFile(name, below, checked.height, path.stat().st_size, sha256, is_reused)

    def publish(
        self,
        tables: tuple[TableFile, ...],
        facts: Mapping[str, Any],
        beside: Callable[[Path], Mapping[str, str]],
    ) -> Release:
        """Publish tables as the next release: the manifest first, then `current`.

        Args:
            tables: What `put` returned.
            facts: What else the manifest says: run, map version, store commit, clock.
            beside: Given the release's folder, the texts to put beside the tables, by file name.
        """
        parent = self.manifests.head()
        content = {**facts, "tables": {one.table: asdict(one) for one in tables}}
        number = self.manifests.commit(parent, content)
        release = Release(number, self.view(number), tables)
        self._show(release, beside)
        return release

    def head(self) -> Release | None:
        """The newest release; None before the first."""
        number = self.manifests.head()
        return self.read(number) if number else None

    def read(self, number: int) -> Release:
        """One release."""
        manifest = self.manifests.read(number)
        tables = tuple(TableFile(**one) for one in manifest["tables"].values())
        return Release(number, self.view(number), tables)

    def frame(self, release: Release, table: str) -> pl.DataFrame:
        """One table of a release.

        Raises:
            StoreError: The release has no such table.
        """
        for one in release.tables:
            if one.table == table:
                return pl.read_parquet(self.root / one.path)
        known = ", ".join(sorted(one.table for one in release.tables))
        raise StoreError.at(f"release {release.number}", f"has no table {table!r}.", f"It has: {known}.")

    def view(self, number: int) -> Path:
        """The folder that shows a release's tables."""
        return self.root / ".views" / f"{number:08d}"

    def repair(self, beside: Callable[[Path], Mapping[str, str]]) -> None:
        """Show the newest release if a killed run published it but did not come to showing it."""
        release = self.head()
        current = self.root / "current"
        if release and (not current.exists() or current.resolve() != release.folder.resolve()):
            self._show(release, beside)

    def _show(self, release: Release, beside: Callable[[Path], Mapping[str, str]]) -> None:
        part = release.folder.with_name(f".{release.folder.name}.{os.getpid()}.part")
        shutil.rmtree(part, ignore_errors=True)
        for one in release.tables:
            source = self.root / one.path
            shown = part / one.table / source.name
            shown.parent.mkdir(parents=True)
            os.link(source, shown)
        os.link(self.manifests.path(release.number), part / "release.json")
        for name, text in beside(release.folder).items():
            (part / name).write_text(text, encoding="utf-8")
        if release.folder.exists():
            shutil.rmtree(part)
        else:
            part.rename(release.folder)
        link = self.root / f".current.{os.getpid()}"
        link.unlink(missing_ok=True)
        link.symlink_to(release.folder.relative_to(self.root))
        link.rename(self.root / "current")
        sync_folder(self.root)

    def sweep(self, keep_releases: int, older_than: float) -> int:
        """Delete old releases beyond the newest few, and files that no kept release refers to."""
        numbers = self.manifests.numbers()
        kept_numbers = numbers[-max(keep_releases, _VIEWS_KEPT_MIN) :]
        gone = 0
        for number in numbers:
            path = self.manifests.path(number)
            if number not in kept_numbers and path.stat().st_mtime < older_than:
                shutil.rmtree(self.view(number), ignore_errors=True)
                path.unlink()
                gone += 1
        kept = {
            self.root / one.path for number in self.manifests.numbers() for one in self.read(number).tables
        }
        return gone + (sweep(self.root / "data", kept, older_than) if (self.root / "data").exists() else 0)


def _checked(table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column]) -> pl.DataFrame:
    """The rows with the table's exact types, every promise kept."""
    schema = {**table.published_schema(), **{name: column.dtype for name, column in extra.items()}}
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        raise PromiseError.at(table.table_name(), f"lacks {', '.join(missing)}.", "The last release stands.")
    typed = frame.select(pl.col(name).cast(kind) for name, kind in schema.items())
    promised = typed.select(table.column_names())
    kept, failure = table.filter(promised)
    if kept.height < promised.height:
        broken = ", ".join(f"{rule} {count:,}" for rule, count in failure.counts().items())
        raise PromiseError.at(
            table.table_name(),
            f"not published: {promised.height - kept.height:,} rows break its contract ({broken}).",
            "The last release stands.",
        )
    return typed
