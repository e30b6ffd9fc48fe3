"""How much memory a run may take: what it needs is reckoned from the sizes of files and some events, before it begins.

There are two ends to it. The pass reads files of events, a large one in turns of whole buckets of customers: how
much it takes is ours to choose. What comes of it stands in memory as a whole while it is scored and published:
sums, which do not grow with the events of a day, what is told of single customers, and cases. That is not ours to
choose; where it does not fit nothing is begun.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from contracts.errors import AllowanceError, WorkspaceError
from flows.briefs import brief_of
from flows.packs import TURN_ROWS
from flows.workspace import LoadedWorkspace
from transforms.pieces import pieces
from warehouse.months import BUCKET_ROWS, EventFile
from warehouse.store import State

VARIABLE = "ANSWERABLE_MEMORY"

BASE, BASE_PASS = 350_000_000, 260_000_000
"""Of any run, however small: Python, polars, the map, the scorecards of two years; and of one that only reads."""
PER_EVENT, PER_CASE, PER_UNMATCHED = 2, 100, 24
"""Of every event in the store, of every subject that cases may be of, and of every event that no rule matches."""
PER_EVENT_AT_ONCE = 450
"""Of every event that is read at once. All six are measured: `python -m tests.bench.allowed`."""
LEAST_AT_ONCE = max(TURN_ROWS, 2 * BUCKET_ROWS)
"""So many events are read at once in any case."""
STRETCHES, STRETCH_ROWS = 8, 1 << 14
"""How many no rule matches is reckoned from so many stretches of a file, of so many events: a bucket may be of one customer."""
_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b)", re.IGNORECASE)


@dataclass(frozen=True)
class Need:
    """What a run takes at least, in bytes.

    Attributes:
        events: Events in the store.
        cases: Subjects that cases may be of; 0 where the map has none.
        least_at_once: Events that have to be read at once, at least.
        unmatched: Events that no rule matches, about.
    """

    events: int
    cases: int
    least_at_once: int
    unmatched: int = 0

    @property
    def of_the_pass(self) -> int:
        """While events are read, but for those that are read at once."""
        return BASE_PASS + self._of_events + PER_CASE * self.cases // 2

    @property
    def of_the_rest(self) -> int:
        """While everything is scored, audited and published."""
        return BASE + self._of_events + PER_CASE * self.cases

    @property
    def _of_events(self) -> int:
        """What is told of single customers."""
        return PER_EVENT * self.events + PER_UNMATCHED * self.unmatched

    @property
    def least(self) -> int:
        """At least, with as little as possible read at once."""
        return max(self.of_the_pass + PER_EVENT_AT_ONCE * self.least_at_once, self.of_the_rest)


@dataclass(frozen=True)
class Allowance:
    """How much memory a run may take.

    Attributes:
        limit: Bytes; None for as much as it likes.
    """

    limit: int | None = None

    def at_once(self, workspace: LoadedWorkspace, state: State) -> int | None:
        """How many events may be read at once; None for a whole file, however large.

        Raises:
            AllowanceError: The run needs more than it is allowed, however little is read at once.
        """
        if self.limit is None:
            return None
        need = need_of(workspace, state)
        if need.least > self.limit:
            told = f"{need.events:,} events" + (f" and {need.cases:,} cases" if need.cases else "")
            if need.unmatched * PER_UNMATCHED > need.least // 10:
                told += f" (about {need.unmatched:,} events match no rule)"
            raise AllowanceError.at(
                "memory",
                f"a run over {told} needs {shown(need.least)}, and {shown(self.limit)} are allowed.",
                f"Nothing was computed. Allow it {shown(need.least)}, or run it where there is that much.",
            )
        return max((self.limit - need.of_the_pass) // PER_EVENT_AT_ONCE, need.least_at_once)


def allowance_of(workspace: LoadedWorkspace, environment: Mapping[str, str]) -> Allowance:
    """What the environment allows, else what the workspace does.

    Raises:
        WorkspaceError: It is no size.
    """
    named = environment.get(VARIABLE, "").strip()
    if named:
        return Allowance(size(named, VARIABLE))
    written = workspace.settings.memory
    return Allowance(size(written, "answerable.yaml: memory") if written else None)


def need_of(workspace: LoadedWorkspace, state: State) -> Need:
    """What a run over the events of a store takes, from the sizes of its files and a look at some events."""
    paths = state.codes.get("subject_id", ()) if workspace.atlas.cases else ()
    cases = sum(pq.read_metadata(state.folder / path).num_rows for path in paths)
    largest = max((_largest_bucket(state, file) for file in state.event_files), default=0)
    # Small files are read together, in turns of no more than this.
    return Need(state.rows, cases, max(largest, min(state.rows, LEAST_AT_ONCE)), _unmatched(workspace, state))


def _unmatched(workspace: LoadedWorkspace, state: State) -> int:
    """About how many events of somebody known no rule matches: of stretches of the largest file and of a newest one.

    Those of nobody known take no room: they are counted together.
    """
    if not state.rows:
        return 0
    matcher, _, _ = brief_of(workspace).compiled(state)
    newest = state.months[max(state.months)].files
    largest = [max(files, key=lambda file: file.rows) for files in (state.event_files, newest)]
    looked_at = unmatched = 0
    for file in {one.path: one for one in largest}.values():
        scanned = state.scan_files([file], [*dict.fromkeys([*matcher.columns, "customer"])], as_stored=True)
        for begin in range(0, file.rows, -(-file.rows // STRETCHES)):
            for some in pieces(scanned.slice(begin, STRETCH_ROWS).collect(engine="in-memory")):
                is_lost = (matcher.decision.numbers(some) == 0) & (some.whole("customer") > 0)
                looked_at, unmatched = looked_at + some.height, unmatched + int(np.count_nonzero(is_lost))
    return state.rows * unmatched // looked_at


def _largest_bucket(state: State, file: EventFile) -> int:
    return file.rows if file.rows <= LEAST_AT_ONCE else max(file.buckets(state.folder))


def size(text: str, where: str) -> int:
    """A size as people write it, in bytes: `2GB`, `1.5 GiB`, `800mb`.

    Raises:
        WorkspaceError: It is none.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise WorkspaceError.at(where, f"is no size: {text!r}.", "Write one like '2GB' or '800MB'.")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def shown(count: int) -> str:
    """A size for people, never less than it is."""
    return f"{-(-count // 10**7) / 100:,.2f} GB"
