"""Releases: numbered, immutable sets of published tables.

data/<table>/<table>-<hash>.parquet   written once, shared by every release with that content; a large one in parts
releases/00000042.json                the truth: all tables of one publish
.views/00000042/<table>/...           the same files, linked; views.sql, dictionary.html
current -> .views/00000042            for tools that read a folder

A release is made ready under a name that nobody reads, then its manifest is created, then it is shown:
whatever fails or is killed, the last release stands or the new one does. Where the truth is in an object store,
files and manifests are there under the same names, and `latest.json` beside them, with the addresses of the newest
release's files: a hint, written when the release is there.
"""

import json
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from contracts.dictionary import arrow_schema, parquet_metadata
from contracts.errors import StoreError
from contracts.tables import Column, Table
from warehouse import by_row
from warehouse.files import (
    accessing,
    create,
    digest,
    intact,
    is_older,
    keep,
    make_folder,
    part_of,
    sweep,
    sync_folder,
    use,
)
from warehouse.manifests import Manifests
from warehouse.memory import Memory
from warehouse.promises import BY_ROW, as_published
from warehouse.release import WHOLE, Part, Release, TableFile, files_of, noted

Beside = Callable[[Path, Mapping[str, Any]], Mapping[str, str]]
"""Given a release's folder, the texts to put beside its tables, by file name."""

LATEST = "latest.json"
_KEPT_MIN = 2
_LOST = "Delete it if it is there, then run again: the next release has it whole."


class Releases:
    """The releases in one folder."""

    def __init__(self, root: Path, memory: Memory[TableFile] | None = None) -> None:
        self.root = root.absolute()
        self.manifests = Manifests(self.root / "releases")
        self._memory = memory

    def put(
        self,
        table: type[Table],
        frame: pl.DataFrame,
        extra: Mapping[str, Column] | None = None,
        part: Part = WHOLE,
    ) -> TableFile:
        """Write a table's file, once it keeps its contract. No release names it yet.

        Several threads may put tables at the same time. What this process has put just so is not written again.

        Args:
            table: The table's class: columns, grain, rules.
            frame: Its rows, in any order.
            extra: Columns that this workspace adds.
            part: Which part of the table this is; all of it when absent.

        Raises:
            PromiseError: The rows break the table's contract.
            StoreError: The file cannot be written, or the one of that content is damaged.
        """
        extra = extra or {}
        if not part.key and (known := self._remembered(table, frame, extra)) is not None:
            return known
        name = table.table_name()
        rows = as_published(table, frame, extra)
        schema, metadata = arrow_schema(table, extra), parquet_metadata(table, extra)

        def write(path: Path) -> None:
            if table in BY_ROW:
                by_row.write(path, rows, table.primary_key(), schema, metadata)
                return
            rows.lazy().sink_parquet(
                path,
                compression="zstd",
                compression_level=by_row.LEVEL,
                metadata=metadata,
                arrow_schema=schema,
                engine="streaming",
            )

        prefix = f"{name}-{part.name}" if part.name else name
        path, is_new = keep(self.root / "data" / name, prefix, ".parquet", write)
        below, size, sha256 = str(path.relative_to(self.root)), path.stat().st_size, digest(path)
        told = {"part": part.name, "key": part.key, "state": part.state}
        made = TableFile(name, below, frame.height, size, sha256, is_reused=not is_new, **told)
        if self._memory is not None and not part.key:
            self._memory.note(name, frame, extra, made, rows)
        return made

    def put_parts(
        self, table: type[Table], parts: Iterable[Part], extra: Mapping[str, Column] | None = None
    ) -> list[TableFile]:
        """Write those parts of a table that the newest release has not just so.

        Args:
            table: The table's class.
            parts: All of its parts; no row may be in two of them.
            extra: Columns that this workspace adds.

        Raises:
            PromiseError: The rows break the table's contract.
            StoreError: A file cannot be written.
        """
        before = self._keyed(table.table_name())
        files = []
        for one in parts:
            known = before.get(one.name)
            made = None
            if known is not None and known.key == one.key:
                made = self._again(replace(known, state=one.state))
            files.append(made or self.put(table, self._mended(one, known), extra, one))
        return files

    def _mended(self, part: Part, known: TableFile | None) -> pl.DataFrame:
        """A part's rows: made of those of the file before, if it is known what has changed since, else anew."""
        if known is not None and known.state in part.since:
            with suppress(StoreError, OSError):
                if (mended := part.mend(self.frame_of(known), known.state)) is not None:
                    return mended
        return part.rows()

    def _keyed(self, table: str) -> Mapping[str, TableFile]:
        """The newest release's files of a table that were made of something known before, by part."""
        with suppress(StoreError):
            if (release := self.head()) is not None:
                return {one.part: one for one in release.by_table.get(table, ()) if one.key}
        return {}

    def _again(self, known: TableFile) -> TableFile | None:
        """A file that is there already, if it still is."""
        with suppress(StoreError, OSError):
            # A release is about to name it: it counts as young, so that no sweep takes it.
            use(intact(self.root / known.path, _LOST))
            return replace(known, is_reused=True)
        return None

    def _remembered(
        self, table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column]
    ) -> TableFile | None:
        """The file that this very table became before, if it is there still."""
        known = self._memory.find(table.table_name(), frame, extra) if self._memory is not None else None
        return self._again(known) if known is not None else None

    def _written(self, one: TableFile) -> pl.DataFrame | None:
        """A file's rows, if this process has written it and knows them still."""
        if self._memory is None:
            return None
        return self._memory.rows(one.table, lambda file: file.path == one.path)

    def publish(
        self,
        tables: tuple[TableFile, ...],
        facts: Mapping[str, Any],
        beside: Beside,
        parent: int | None = None,
    ) -> Release:
        """Publish tables as the next release: made ready, then the manifest, then `current`.

        Args:
            tables: What `put` returned.
            facts: What else the manifest says: run, map version, store commit, clock.
            beside: Makes the texts beside the tables, of the folder and the manifest.
            parent: The release that this one follows; the newest when absent.

        Raises:
            StoreError: Another run published meanwhile, or the disk is full.
        """
        follows = self.manifests.head() if parent is None else parent
        tables = self._reused(tables)
        release = Release(follows + 1, self.view(follows + 1), tables)
        manifest = {**facts, "tables": noted(release)}
        with self._ready(release, beside, manifest) as part:
            self._push(release, follows)
            self.manifests.commit(follows, manifest)
            self._tell(release)
            self._place(release, part)
            self._point(release)
        return release

    def catch_up(self) -> None:
        """Go on from where the truth is, if that is not here.

        Raises:
            StoreError: The object store does not answer, or holds another warehouse.
        """
        self.manifests.catch_up(lambda number: {self.root / one.path for one in self.read(number).tables})
        if self.manifests.mirror is not None and (release := self.head()) is not None:
            self._tell(release, is_newest=True)

    def _push(self, release: Release, follows: int) -> None:
        """Have every file of a release where the truth is: those of the release that it follows are."""
        if self.manifests.mirror is not None:
            before = {one.path for one in self.read(follows).tables} if follows else set()
            named = {one.path for one in release.tables} - before
            self.manifests.mirror.push([self.root / path for path in named])

    def _tell(self, release: Release, *, is_newest: bool = False) -> None:
        """Say for tools that read objects which files the newest release has; one told meanwhile is newer."""
        if (mirror := self.manifests.mirror) is not None:
            at = {
                name: [mirror.bucket.at(mirror.name(self.root / one.path)) for one in files]
                for name, files in release.by_table.items()
            }
            tables = {name: places if len(places) > 1 else places[0] for name, places in at.items()}
            told = json.dumps({"number": release.number, "tables": tables}, indent=1).encode()
            latest = mirror.name(self.root / LATEST)
            before = mirror.bucket.read(latest)
            if before != told and (is_newest or _number(before) < release.number):
                mirror.bucket.write(latest, told)

    def _reused(self, tables: tuple[TableFile, ...]) -> tuple[TableFile, ...]:
        """Tables with whether a release has them: a file may be there because a run was killed before its release."""
        open_ = {one.path for one in tables if one.is_reused}
        named: set[str] = set()
        for number in reversed(self.manifests.numbers()):
            named.update(one.path for one in self.read(number).tables)
            if open_ <= named:
                break
        return tuple(replace(one, is_reused=one.is_reused and one.path in named) for one in tables)

    def head(self) -> Release | None:
        """The newest release; None before the first."""
        number = self.manifests.head()
        return self.read(number) if number else None

    def read(self, number: int) -> Release:
        """One release.

        Raises:
            StoreError: There is none of that number, or its manifest is damaged.
        """
        manifest = self.manifests.read(number)
        try:
            tables = files_of(manifest["tables"])
        except (AttributeError, KeyError, TypeError) as error:
            raise self.manifests.damaged(number, f"it cannot be understood: {error!r}") from None
        return Release(number, self.view(number), tables)

    def frame(
        self,
        release: Release,
        table: str,
        columns: list[str] | None = None,
        where: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """One table of a release, its parts one after the other.

        Args:
            release: The release.
            table: The table's name.
            columns: Columns that are wanted; others may be there too. All when absent.
            where: Which rows; no others are read where files say that they have none. All when absent.

        Raises:
            StoreError: The release has no such table, or a file of it is missing or damaged.
        """
        if files := release.by_table.get(table):
            if (known := self._written(files[0])) is not None:
                return known if where is None else known.filter(where)
            paths = [self.path_of(one) for one in files]
            if where is None:
                return pl.concat([pl.read_parquet(path, columns=columns, glob=False) for path in paths])
            scans = [pl.scan_parquet(path, glob=False).filter(where) for path in paths]
            rows = pl.concat([one if columns is None else one.select(columns) for one in scans])
            return rows.collect(engine="in-memory")
        known = ", ".join(sorted(release.by_table))
        raise StoreError.at(f"release {release.number}", f"has no table {table!r}.", f"It has: {known}.")

    def frame_of(self, one: TableFile) -> pl.DataFrame:
        """The rows of one file of a table.

        Raises:
            StoreError: It is missing or damaged.
        """
        return pl.read_parquet(self.path_of(one), glob=False)

    def path_of(self, one: TableFile) -> Path:
        """Where a file of a release is.

        Raises:
            StoreError: It is missing or damaged.
        """
        return intact(self.root / one.path, _LOST)

    def view(self, number: int) -> Path:
        """The folder that shows a release's tables."""
        return self.root / ".views" / f"{number:08d}"

    def repair(self, beside: Beside) -> None:
        """Show the newest release if a killed run published it but did not come to showing it.

        One whose files are gone is left as it is: the run that repairs publishes the next one.
        """
        release = self.head()
        if release is None:
            return
        if not self._is_placed(release):
            if not all((self.root / one.path).exists() for one in release.tables):
                return
            manifest = self.manifests.read(release.number)
            with self._ready(release, beside, manifest) as part:
                self._place(release, part)
        if (self.root / "current").resolve() != release.folder.resolve():
            self._point(release)

    @contextmanager
    def _ready(self, release: Release, beside: Beside, manifest: Mapping[str, Any]) -> Generator[Path]:
        """Everything that a release's folder shows, under a name that nobody reads."""
        part = part_of(release.folder)
        try:
            with accessing(part):
                make_folder(part)
                for one in release.tables:
                    (part / one.table).mkdir(exist_ok=True)
                    os.link(self.root / one.path, part / one.shown)
                for name, text in beside(release.folder, manifest).items():
                    create(part / name, text.encode())
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _is_placed(self, release: Release) -> bool:
        """Whether the release's folder shows this very release, and all of it."""
        mark = release.folder / "release.json"
        is_this = mark.exists() and mark.samefile(self.manifests.path(release.number))
        return is_this and all((release.folder / one.shown).exists() for one in release.tables)

    def _place(self, release: Release, part: Path) -> None:
        with accessing(release.folder):
            os.link(self.manifests.path(release.number), part / "release.json")
            if release.folder.exists():
                # Of a manifest that was deleted since: what it shows is not this release.
                release.folder.rename(part_of(release.folder))
            part.rename(release.folder)
            sync_folder(release.folder.parent)

    def _point(self, release: Release) -> None:
        current = self.root / "current"
        with accessing(current):
            link = part_of(current)
            link.symlink_to(release.folder.relative_to(self.root))
            link.rename(current)
            sync_folder(self.root)

    def sweep(self, keep_releases: int, older_than: float) -> int:
        """Delete old releases beyond the newest few, and files that no release refers to any more.

        Args:
            keep_releases: How many stay in any case.
            older_than: Seconds since 1970. What has been written or was the newest since then stays.

        Returns:
            How many releases and files were deleted.
        """
        self.manifests.same_as_there()
        standing = self.manifests.standing(max(keep_releases, _KEPT_MIN), older_than)
        # First the manifests, then what they refer to: killed in between, nothing is missing.
        gone = self.manifests.sweep(standing, older_than)
        self._sweep_views(standing, older_than)
        kept = {
            str(self.root / one.path)
            for number in self.manifests.numbers()
            for one in self.read(number).tables
        }
        if self.manifests.mirror is not None:
            gone += self.manifests.mirror.sweep(self.root / "data", kept, older_than)
        return gone + sweep(self.root / "data", kept, older_than)

    def _sweep_views(self, standing: list[int], older_than: float) -> None:
        shown = {self.view(number) for number in standing}
        views = [path for path in (self.root / ".views").glob("*") if path not in shown]
        with accessing(self.root):
            for path in views:
                if is_older(path, older_than):
                    shutil.rmtree(path, ignore_errors=True)
            for path in self.root.glob(".current.*.part"):
                if is_older(path, older_than):
                    path.unlink(missing_ok=True)


def _number(told: bytes | None) -> int:
    """The number of the release that was told of; 0 when none was, or it cannot be understood."""
    with suppress(ValueError, KeyError, TypeError):
        return int(json.loads(told or b"")["number"])
    return 0
