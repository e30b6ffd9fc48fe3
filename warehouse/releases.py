"""Releases: numbered, immutable sets of published tables.

data/<table>/<table>-<hash>.parquet   written once, shared by every release with that content
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
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from contracts.dictionary import arrow_schema, ordered_columns, parquet_metadata
from contracts.errors import PromiseError, StoreError
from contracts.tables import Column, FactCase, Table
from contracts.tables.promises import keeps
from warehouse.files import (
    accessing,
    create,
    intact,
    is_older,
    keep,
    make_folder,
    part_of,
    sweep,
    sync_folder,
)
from warehouse.manifests import Manifests
from warehouse.memory import Memory

Beside = Callable[[Path, Mapping[str, Any]], Mapping[str, str]]
"""Given a release's folder, the texts to put beside its tables, by file name."""

LATEST = "latest.json"
BY_ROW: tuple[type[Table], ...] = (FactCase,)
"""Tables that may have millions of rows, and whose contract is of each of them alone, but for the key."""
LARGE_ROWS, SLICE_ROWS = 200_000, 100_000
"""From so many rows on those are checked and written by slices of so many: at once, both take as much memory again."""
_KEPT_MIN = 2
_LOST = "Delete it if it is there, then run again: the next release has it whole."


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
    is_reused: bool = False

    @property
    def shown(self) -> str:
        """Its path below the release's folder."""
        return f"{self.table}/{Path(self.path).name}"


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

    def file(self, table: str) -> TableFile | None:
        """The file of one of its tables; None when it has no such table."""
        return next((one for one in self.tables if one.table == table), None)


class Releases:
    """The releases in one folder."""

    def __init__(self, root: Path, memory: Memory[TableFile] | None = None) -> None:
        self.root = root.absolute()
        self.manifests = Manifests(self.root / "releases")
        self._memory = memory

    def put(
        self, table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column] | None = None
    ) -> TableFile:
        """Write a table's file, once it keeps its contract. No release names it yet.

        Several threads may put tables at the same time. What this process has put just so is not written again.

        Args:
            table: The table's class: columns, grain, rules.
            frame: Its rows, in any order.
            extra: Columns that this workspace adds.

        Raises:
            PromiseError: The rows break the table's contract.
            StoreError: The file cannot be written, or the one of that content is damaged.
        """
        extra = extra or {}
        if (known := self._remembered(table, frame, extra)) is not None:
            return known
        name, is_large = table.table_name(), table in BY_ROW and frame.height > LARGE_ROWS
        checked = None if is_large else as_published(table, frame, extra)
        plan = sorted_by_slice(table, frame, extra) if checked is None else checked.lazy()
        schema, metadata = arrow_schema(table, extra), parquet_metadata(table, extra)

        def write(path: Path) -> None:
            plan.sink_parquet(
                path, compression="zstd", metadata=metadata, arrow_schema=schema, engine="streaming"
            )

        path, sha256, is_new = keep(self.root / "data" / name, name, ".parquet", write)
        below = str(path.relative_to(self.root))
        made = TableFile(name, below, frame.height, path.stat().st_size, sha256, is_reused=not is_new)
        if self._memory is not None:
            self._memory.note(name, frame, extra, made, checked)
        return made

    def _remembered(
        self, table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column]
    ) -> TableFile | None:
        """The file that this very table became before, if it is there still."""
        known = self._memory.find(table.table_name(), frame, extra) if self._memory is not None else None
        if known is None:
            return None
        with suppress(StoreError, OSError):
            # A release is about to name it: it counts as young, so that no sweep takes it.
            os.utime(intact(self.root / known.path, _LOST))
            return replace(known, is_reused=True)
        return None

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
        manifest = {**facts, "tables": {one.table: asdict(one) for one in tables}}
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
            tables = {
                one.table: mirror.bucket.at(mirror.name(self.root / one.path)) for one in release.tables
            }
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
            tables = tuple(TableFile(**one) for one in manifest["tables"].values())
        except (AttributeError, KeyError, TypeError) as error:
            raise self.manifests.damaged(number, f"it cannot be understood: {error!r}") from None
        return Release(number, self.view(number), tables)

    def frame(self, release: Release, table: str) -> pl.DataFrame:
        """One table of a release.

        Raises:
            StoreError: The release has no such table, or its file is missing or damaged.
        """
        if (one := release.file(table)) is not None:
            if (known := self._written(one)) is not None:
                return known
            return pl.read_parquet(intact(self.root / one.path, _LOST), glob=False)
        known = ", ".join(sorted(one.table for one in release.tables))
        raise StoreError.at(f"release {release.number}", f"has no table {table!r}.", f"It has: {known}.")

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
                    (part / one.table).mkdir()
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


def as_published(table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column]) -> pl.DataFrame:
    """A table's rows as its file has them: every promise checked, columns and rows in their order.

    Raises:
        PromiseError: The rows break the table's contract.
    """
    columns = ordered_columns(table, extra)
    rows = _typed(table, frame, extra).select(columns).sort(table.primary_key(), nulls_last=True)
    if rows.height and not keeps(table, rows):
        raise _refused(table, rows)
    return rows


def sorted_by_slice(table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column]) -> pl.LazyFrame:
    """As `as_published`, for a large table of `BY_ROW`: a slice of it at a time is copied to be checked or written.

    Raises:
        PromiseError: The rows break the table's contract.
    """
    columns, keys = ordered_columns(table, extra), table.primary_key()
    typed = _typed(table, frame, extra).select(columns)
    order = typed.select(pl.arg_sort_by(keys, nulls_last=True)).to_series()
    begins = range(0, typed.height, SLICE_ROWS)
    again = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in keys)
    is_doubled = typed.select(keys)[order].select(again.any()).item()
    promised = typed.select(table.column_names())
    if is_doubled or not all(table.is_valid(promised[begin : begin + SLICE_ROWS]) for begin in begins):
        raise _refused(table, promised)

    def slices(*_: object) -> Iterator[pl.DataFrame]:
        return (typed[order[begin : begin + SLICE_ROWS]] for begin in begins)

    return register_io_source(slices, schema=typed.schema)


def _refused(table: type[Table], rows: pl.DataFrame) -> PromiseError:
    """What is wrong with rows that break their contract."""
    promised = rows.select(table.column_names())
    kept, failure = table.filter(promised)
    broken = ", ".join(f"{rule} {count:,}" for rule, count in failure.counts().items())
    return _broken(table, f"{promised.height - kept.height:,} rows break its contract ({broken})")


def _typed(table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column]) -> pl.DataFrame:
    """The columns that are promised, as the types that are promised; no value changes on the way."""
    schema = {**table.published_schema(), **{name: column.dtype for name, column in extra.items()}}
    if frame.schema == schema:
        return frame
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        raise _broken(table, f"it lacks {', '.join(missing)}")
    wrong = [
        f"{name} is {frame.schema[name]}, not {kind}"
        for name, kind in schema.items()
        if not _means_the_same(frame.schema[name], kind)
    ]
    if wrong:
        raise _broken(table, "; ".join(wrong))
    try:
        return frame.select(pl.col(name).cast(kind) for name, kind in schema.items())
    except pl.exceptions.InvalidOperationError as error:
        raise _broken(table, str(error).splitlines()[0]) from None


def _means_the_same(found: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether a cast keeps every value or fails: it must not round, cut or print."""
    if found in (wanted, pl.Null):
        return True
    if isinstance(wanted, pl.Datetime):
        is_instant = isinstance(found, pl.Datetime) and found.time_zone == wanted.time_zone
        return is_instant and found.time_unit != "ns"
    if isinstance(wanted, pl.String | pl.Enum):
        return isinstance(found, pl.String | pl.Enum | pl.Categorical)
    if wanted.is_float():
        return found.is_integer() or found.is_float()
    return wanted.is_integer() and found.is_integer()


def _broken(table: type[Table], what: str) -> PromiseError:
    return PromiseError.at(
        table.table_name(),
        f"not published: {what}.",
        "The last release stands. This is a defect: report it.",
    )
