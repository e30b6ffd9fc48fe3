"""Held against the release before: which published values this one changes.

The log is published in parts, each for the releases from the one in its name on. One that has `PART_ROWS` rows is full:
it stays as it is until all that it tells of is older than `retention.restatement_days`, and is neither unpacked nor written. So what a
release costs hangs on what it restates, not on all that was ever restated.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property, partial
from typing import Any

import polars as pl

from contracts.dictionary import layout
from contracts.errors import StoreError
from contracts.tables import DimMetric, Restatement, ScorecardTouchpoint, Table
from flows.parts import code_hash, hash_of
from flows.stages import Tables
from flows.workspace import LoadedWorkspace
from transforms.restatement import SCOPES, Between, compared, kept, marks_of, restatements, with_restated
from views.quality import LOST
from warehouse.kept import Kept
from warehouse.release import Part, TableFile
from warehouse.releases import Release, Releases

PART_ROWS = 1 << 17
"""With so many rows a part of the log is full."""
_MARKS, _MARKED = "restated", "marks"
_LOG = Restatement.table_name()


@dataclass(frozen=True)
class Restated:
    """What a release says of values that were published before.

    Attributes:
        card: ScorecardTouchpoint with `is_restated`.
        log: The parts of Restatement.
        lost: How many rows of the log, this time and before, were in files that are missing or damaged.
    """

    card: pl.DataFrame
    log: Sequence[Part]
    lost: int


def restated(
    workspace: LoadedWorkspace,
    releases: Releases,
    follows: int,
    tables: Tables,
    facts: Mapping[str, Any],
    remembered: Kept,
) -> Restated:
    """The touchpoints' scorecard with `is_restated`, and the log.

    Nothing is told beside the releases: the log is that of the release before and what this one adds to it, so
    a run that is killed has added nothing, and one that changes nothing adds nothing. A release that cannot be
    read any more is passed over for the one before it. A part of the log that no release has whole is left out,
    and it is told how much that was.

    Args:
        workspace: Clock and settings.
        releases: The releases so far.
        follows: The release that this one follows; 0 when it is the first.
        tables: Every other table of the new release.
        facts: What its manifest says.
        remembered: Where it is kept which values the log tells of, so that it need not be read.
    """
    found = _before(releases, follows)
    added, files, lost = Restatement.empty(), list[TableFile](), 0
    if found is not None:
        release, before = found
        manifest = releases.manifests.read(release.number)
        between = Between(
            release=follows + 1,
            now=workspace.now,
            ended=_day(datetime.fromisoformat(manifest["as_of"]), workspace),
            has_events=manifest["store_commit"] != facts["store_commit"],
            has_map=manifest["map_version"] != facts["map_version"],
            metrics=_other(before.get(DimMetric), tables[DimMetric]),
        )
        added = restatements(before, tables, between)
        every = release.by_table.get(_LOG, ())
        files = [one for one in every if _is_there(releases, one)]
        lost = manifest.get(LOST, 0) + sum(one.rows for one in every if one not in files)
    log = _Log(releases, files, workspace.now, workspace.settings.retention.restatement_days)
    parts = log.with_more(added, follows + 1)
    marks = log.marks(parts, added, remembered)
    return Restated(with_restated(tables[ScorecardTouchpoint], marks), parts, lost)


@dataclass(frozen=True)
class _Log:
    """The log as a release has it.

    Attributes:
        releases: The releases.
        files: Its parts, the oldest first.
        now: The workspace's instant.
        days: How long rows are told of.
    """

    releases: Releases
    files: Sequence[TableFile]
    now: datetime
    days: int

    def with_more(self, added: pl.DataFrame, number: int) -> list[Part]:
        """The parts, with rows that a release adds."""
        told = self._told
        if not told:
            return [self._part("", added)]
        *full, last = told
        parts = [self._as_it_is(one) for one in full]
        if last.rows >= PART_ROWS:
            more = [self._part(f"{number:08}", added)] if added.height else []
            return [*parts, self._as_it_is(last), *more]
        if added.is_empty() and not self._has_old_rows(last):
            return [*parts, self._as_it_is(last)]
        rows = pl.concat([kept(self._rows(last), self.now, self.days), added])
        return [*parts, self._part(last.part, rows, last.sha256)]

    def marks(self, parts: Sequence[Part], added: pl.DataFrame, remembered: Kept) -> pl.DataFrame:
        """`marks_of` the log as it is now: remembered as long as rows only come."""
        told = self._told
        is_longer = len(told) == len(self.files) and not (told and self._has_old_rows(told[-1]))
        before = remembered.find(_MARKS, _chain(self.files)) if is_longer else None
        every = [before[_MARKED], marks_of(added)] if before else [marks_of(one.rows()) for one in parts]
        found, key = pl.concat(every).unique(), _chain(parts)
        if not remembered.has(_MARKS, key):
            remembered.put(_MARKS, key, {_MARKED: found})
        return found

    @cached_property
    def _told(self) -> list[TableFile]:
        """The files of which anything is still told; the last one, if it is not full, may be without rows."""
        return [
            one
            for one in self.files
            if self._span(one)[1] >= self._since or (not one.rows and one is self.files[-1])
        ]

    @property
    def _since(self) -> datetime:
        return self.now - timedelta(days=self.days)

    def _has_old_rows(self, one: TableFile) -> bool:
        """Whether some rows of a part that is not full are told of no more."""
        return 0 < one.rows < PART_ROWS and self._span(one)[0] < self._since

    def _span(self, one: TableFile) -> tuple[datetime, datetime]:
        """When the oldest and the newest of a file's rows were restated; the state says so."""
        if not one.rows:
            return _NEVER, _NEVER
        if not one.state:  # written when the log was one file
            one = replace(one, state=_state_of(self._rows(one)))
        oldest, newest = one.state.split("/")
        return datetime.fromisoformat(oldest), datetime.fromisoformat(newest)

    def _rows(self, one: TableFile) -> pl.DataFrame:
        return self.releases.frame_of(one)

    def _as_it_is(self, one: TableFile) -> Part:
        if one.key.startswith(_layout()):
            return Part(one.part, one.key, partial(self._rows, one), one.state)
        return self._part(one.part, self._rows(one), one.sha256)

    def _part(self, name: str, rows: pl.DataFrame, before: str = "") -> Part:
        """A part that is made anew, of rows of which some may have stood in a file with such a hash."""
        sums = [str(rows.hash_rows(seed).sum()) for seed in (1, 2)]
        key = f"{_layout()}-{hash_of([before, str(rows.height), *sums])}"
        return Part(name, key, lambda: rows, _state_of(rows))


_NEVER = datetime.min.replace(tzinfo=UTC)


def _state_of(rows: pl.DataFrame) -> str:
    if rows.is_empty():
        return ""
    ends = rows.select(pl.col("restated_at").min(), newest=pl.col("restated_at").max()).row(0)
    return "/".join(one.isoformat() for one in ends)


@cache
def _layout() -> str:
    """A hash of the columns that a file of the log has, and of what it says of them."""
    return hash_of([layout(Restatement)])[:8]


def _chain(parts: Sequence[Part] | Sequence[TableFile]) -> str:
    return hash_of([code_hash(), *(one.key for one in parts)])


def _is_there(releases: Releases, file: TableFile) -> bool:
    """Whether a file is there and whole."""
    with suppress(StoreError):
        releases.path_of(file)
        return True
    return False


def _before(releases: Releases, follows: int) -> tuple[Release, Tables] | None:
    """The newest release that can be read, the last part of its log included, and of its tables those that are compared.

    Of releases that all lack that part, which they may have in common, it is the newest.
    """
    found = None
    for number in reversed([one for one in releases.manifests.numbers() if one <= follows]):
        try:
            release = releases.read(number)
            wanted: list[type[Table]] = [*SCOPES, DimMetric]
            there = [table for table in wanted if table.table_name() in release.by_table]
            tables = {
                table: releases.frame(
                    release, table.table_name(), compared(table) if table in SCOPES else None
                )
                for table in there
            }
        except StoreError:
            continue
        if all(_is_there(releases, one) for one in release.by_table.get(_LOG, ())[-1:]):
            return release, tables
        found = found or (release, tables)
    return found


def _day(moment: datetime, workspace: LoadedWorkspace) -> date:
    return moment.astimezone(workspace.settings.zone).date()


def _other(before: pl.DataFrame | None, after: pl.DataFrame) -> frozenset[str]:
    """Metrics that were declared otherwise."""
    if before is None or "definition" not in before.columns:
        return frozenset()
    both = before.join(after, on="metric", suffix="_now")
    return frozenset(both.filter(pl.col("definition") != pl.col("definition_now"))["metric"])
