"""The whole store and every table made anew from what was landed, and held against what is published.

It proves that the numbers follow from the deliveries and nothing else: not from the order in which they
came, nor from runs that were killed in between.
"""

import shutil
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from contracts.dictionary import ordered_columns
from contracts.errors import PromiseError, QuestionError
from contracts.tables import Column, FactCase, Restatement, ScorecardTouchpoint, Table
from flows.attesting import standing
from flows.auditing import audited
from flows.goals import scored
from flows.landing import FeedLanding
from flows.map_history import map_history
from flows.mapped import mapped
from flows.named_cases import NamedCases
from flows.passes import measure
from flows.progress import Tell, silent
from flows.restated import COMPARED, HISTORIES, Difference, difference, together
from flows.stages import Tables, absorb, case_attributes, named_cases
from flows.workspace import LoadedWorkspace
from transforms.restatement import marks_of, with_restated
from warehouse.files import is_older, part_of
from warehouse.kept import Kept
from warehouse.promises import as_published
from warehouse.releases import Release, Releases
from warehouse.store import EventStore, State

_LEFT_SECONDS = 86_400.0
"""Nobody makes everything anew for longer than this."""


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild gave.

    Attributes:
        release: Number of the release it was held against.
        events: Events in the store made anew.
        differences: How every table differs.
    """

    release: int
    events: int
    differences: list[Difference]

    @property
    def wrong(self) -> list[Difference]:
        """Tables that differ."""
        return [one for one in self.differences if not one.is_none]

    def must_be_equal(self) -> None:
        """Fail when a single cell differs.

        Raises:
            PromiseError: Some do.
        """
        if self.wrong:
            told = "; ".join(
                f"{one.table}: {one.added} added, {one.removed} removed, {one.changed} changed"
                for one in self.wrong
            )
            raise PromiseError.at(
                f"release {self.release}",
                f"does not follow from its deliveries ({told}).",
                "Run again with a map and contracts that have not changed; if it still differs, report it.",
            )


def rebuild(workspace: LoadedWorkspace, tell: Tell = silent) -> Rebuilt:
    """Make the store anew from landing in a scratch folder, score it, and hold it against the newest release.

    Args:
        workspace: The workspace.
        tell: Told of progress.

    Raises:
        QuestionError: There is no release, or the map has changed since.
    """
    releases = Releases(workspace.warehouse / "published")
    release, manifest = _newest(workspace, releases)
    then = replace(workspace, now=datetime.fromisoformat(manifest["as_of"]))
    store = EventStore(workspace.warehouse / "store")
    landed = store.at(manifest["store_commit"])
    if store.mirror is not None:
        paths = {path for one in landed.deliveries for path in one.parts.values()}
        store.mirror.bring([store.folder / path for path in paths])
    with _scratch(workspace.warehouse, store) as scratch:
        state = absorb(then, scratch, State(scratch.folder), _landings(landed)).state
        tell("absorb", 1, 1)
        log = releases.frame(release, Restatement.table_name())
        anew = made_anew(then, state, log, scratch.keeping(holds=False), tell)
        tell("score", 1, 1)
        found = dict(anew.differences(releases, release))
    return Rebuilt(release.number, state.rows, [found[table] for table in COMPARED])


@dataclass(frozen=True)
class Anew:
    """Every table that has no history of its own, as a release would hold it.

    Attributes:
        tables: The tables in the order in which they are made, but for FactCase.
        cases: Cases, whose rows are made some at a time: millions of them under their names take gigabytes.
        attributes: Columns that the workspace adds to FactCase.
        read: How many events were read.
    """

    tables: Tables
    cases: NamedCases
    attributes: Mapping[str, Column]
    read: int

    def columns(self, table: type[Table]) -> list[str]:
        """The columns of a table."""
        return ordered_columns(FactCase, self.attributes) if table is FactCase else self.tables[table].columns

    def differences(self, releases: Releases, release: Release) -> Iterator[tuple[type[Table], Difference]]:
        """How every table of a release differs, and which columns only one of both has."""
        for table, frame in self.tables.items():
            yield table, _compared(table, releases.frame(release, table.table_name()), frame)
        yield (
            FactCase,
            together(
                _compared(
                    FactCase,
                    releases.frame(release, FactCase.table_name(), where=where),
                    as_published(FactCase, self.cases.rows(where), self.attributes),
                )
                for where in self.cases.by_month()
            ),
        )


def made_anew(
    workspace: LoadedWorkspace, state: State, log: pl.DataFrame, kept: Kept, tell: Tell = silent
) -> Anew:
    """Every table that has no history of its own, as a release would hold it, from events alone.

    Args:
        workspace: Map, and the clock to go by.
        state: The events.
        log: Restatement, as published.
        kept: Where what is made on the way is kept; empty, or all of it is not from events alone.
        tell: Told of progress.
    """
    measured, recorded = measure(workspace, state, tell, kept), map_history(workspace)
    made = scored(workspace, measured, state, recorded)
    said = standing(workspace)
    made |= {**audited(workspace, measured, state, made, recorded, said), **mapped(workspace, said)}
    made[ScorecardTouchpoint] = with_restated(made[ScorecardTouchpoint], marks_of(log))
    anew = {table: as_published(table, frame, {}) for table, frame in made.items() if table not in HISTORIES}
    cases, attributes = named_cases(workspace, measured, state), case_attributes(workspace, measured)
    return Anew(anew, cases, attributes, measured.read)


def _compared(table: type[Table], published: pl.DataFrame, anew: pl.DataFrame) -> Difference:
    foreign = sorted({*published.columns} ^ {*anew.columns})
    return replace(difference(table, published, anew), foreign=tuple(foreign))


def _newest(workspace: LoadedWorkspace, releases: Releases) -> tuple[Release, dict]:
    release = releases.head()
    if release is None:
        raise QuestionError.at(str(workspace.root), "has no release yet.", "Run 'answerable run' first.")
    manifest = releases.manifests.read(release.number)
    if manifest["map_version"] != workspace.atlas.version:
        raise QuestionError.at(
            f"release {release.number}",
            f"was made with map {manifest['map_version']}, and the map is now {workspace.atlas.version}.",
            "Run 'answerable run' first.",
        )
    return release, manifest


def _landings(state: State) -> list[FeedLanding]:
    """Every delivery as if it came for the first time, in the order of the commit."""
    feeds = dict.fromkeys(delivery.feed for delivery in state.deliveries)
    found = []
    for feed in feeds:
        own = tuple(delivery for delivery in state.deliveries if delivery.feed == feed)
        accepted = tuple(one for one in own if one.state == "accepted" and "events" in one.parts)
        found.append(FeedLanding(feed, deliveries=own, read=own, fresh=accepted))
    return found


@contextmanager
def _scratch(warehouse: Path, store: EventStore) -> Generator[EventStore]:
    """An empty store that sees what the real one landed."""
    with scratch_folder(warehouse) as folder:
        (folder / "landing").symlink_to((store.folder / "landing").absolute())
        yield EventStore(folder)


@contextmanager
def scratch_folder(warehouse: Path) -> Generator[Path]:
    """An empty folder of a warehouse, gone afterwards: what is made in it may take gigabytes.

    What a process left there that was killed is deleted after a day.
    """
    for left in warehouse.glob(".scratch.*.part"):
        if is_older(left, time.time() - _LEFT_SECONDS):  # noqa: TID251 - of files, not of the company
            shutil.rmtree(left, ignore_errors=True)
    folder = part_of(warehouse / "scratch")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
