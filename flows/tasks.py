"""What one task of the pass is, in words that can be sent anywhere; and the team that does many of them.

A task is pure: it reads files that never change and keeps what comes of them under a name that says what it
was made of. Who does it, how often and on which machine changes nothing, so a worker that dies costs a retry,
and two that do the same cost time only. No event and no result travels with a task: workers read the store
and keep their results in it, so they have to see the same folder under the same name, or the object store that is
behind it.
"""

import json
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from contracts import errors
from contracts.errors import AnswerableError, ExecutorError, Problem
from flows.briefs import Brief
from flows.case_parts import BUCKET, Cut, bucket_key, make_bucket
from flows.parts import (
    BY_STAKES,
    FACTS,
    MISSED,
    MOVED,
    TOLD,
    Lacking,
    PackKeys,
    Pass,
    keys_of,
    lacking,
    make_part,
)
from flows.progress import Tell
from warehouse.executors import Executor
from warehouse.files import sweep
from warehouse.kept import Kept
from warehouse.mirror import cache_for, cache_name
from warehouse.places import PLACES, place
from warehouse.store import EventStore, State

_TIDY_SECONDS = 86_400.0
_OTHER = "Install the same release of answerable there as here, with the same polars."


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        store: Folder of the event store.
        commit: Which commit of it.
        brief: What is asked: a file in the store's folder of what is kept, see `Brief`.
        keys: Key of the pack's facts; of all packs' facts where cases are made.
        at_once: How many events may be read at once.
        bucket: Which bucket's cases are made; None where a pack's part is.
        buckets: Of how many.
        objects: Where in an object store the warehouse is, if its folder is a cache.
    """

    store: str
    commit: int
    brief: str
    keys: tuple[str, ...]
    at_once: int | None = None
    bucket: int | None = None
    buckets: int = 1
    objects: str | None = None

    def said(self) -> str:
        """The task as text."""
        return json.dumps(asdict(self))


def compute(said: str) -> str:
    """Do one task, on whatever machine; what is kept already is not made again.

    Returns:
        How many events were read; or what is wrong, in words that survive any way back.
    """
    task = Task(**json.loads(said))
    try:
        return json.dumps({"rows": _done(task)})
    except AnswerableError as error:
        problems = [asdict(problem) for problem in error.problems]
        return json.dumps({"error": type(error).__name__, "problems": problems})
    except Exception:  # noqa: BLE001 - a defect: its traceback is told where somebody reads it
        return json.dumps({"defect": traceback.format_exc()})


def _done(task: Task) -> int:
    store = _seen(task)
    asked, keys = _asked(store, task.commit, Path(task.brief).name, task.at_once)
    asked.kept.look()
    before = asked.read.rows
    theirs = [keys[key] for key in task.keys if key in keys]
    if len(theirs) < len(task.keys):
        raise ExecutorError.at("worker", "makes parts of other things: its program is another one.", _OTHER)
    if task.bucket is not None:
        if not asked.kept.has(BUCKET, bucket_key(theirs, task.bucket, task.buckets)):
            make_bucket(asked, Cut.of(asked, theirs, task.buckets), task.bucket)
    else:
        for lack in lacking(asked, theirs):
            make_part(asked, lack)
    asked.kept.share(_kept_under(task, theirs))
    return asked.read.rows - before


def _kept_under(task: Task, keys: Sequence[PackKeys]) -> list[tuple[str, str]]:
    """Kinds and keys of what a task makes."""
    if task.bucket is not None:
        return [(BUCKET, bucket_key(keys, task.bucket, task.buckets))]
    kinds = (FACTS, MISSED, TOLD, MOVED, *BY_STAKES)
    return [(k, one.under(k)) for one in keys for k in kinds if one.stakes or k not in BY_STAKES]


def _seen(task: Task) -> Path:
    """The store's folder as this machine sees it: where it is a cache, perhaps one of its own."""
    if task.objects is None:
        return Path(task.store)
    warehouse = cache_for(task.objects, Path(task.store).parent)
    place(warehouse, task.objects)
    return warehouse / "store"


@lru_cache(maxsize=2)
def _asked(store: Path, commit: int, brief: str, at_once: int | None) -> tuple[Pass, dict[str, PackKeys]]:
    """The pass and the keys of its files, worked out once for all tasks of a run."""
    events = EventStore(store)
    state, kept = events.at(commit), events.kept
    if store.parent.name == cache_name(PLACES.get(store.parent, "")):
        _tidy(state, kept)
    asked = Brief.read(store / "kept" / brief).asked_of(state, kept, at_once)
    return asked, {one.facts: one for one in keys_of(asked)}


def _tidy(state: State, kept: Kept) -> None:
    """Drop of a worker's own cache what it has not used for a day, and events that are no longer: they can come again."""
    old = datetime.now(UTC).timestamp() - _TIDY_SECONDS  # noqa: TID251 - the files' clock
    kept.sweep(old)
    named = {str(state.folder / path) for path in state.named()}
    sweep(state.folder / "events", named, old)


@dataclass(frozen=True)
class Team:
    """Those who do what lacks, ahead of whoever reads it.

    Attributes:
        brief: What is asked.
        asked: The pass.
        keys: Keys of every pack.
        executor: Who does it. Without one nothing is done ahead: whoever reads finds it lacking and does it.
        tell: Told of every task that is done.
    """

    brief: Brief
    asked: Pass
    keys: Sequence[PackKeys]
    executor: Executor | None
    tell: Tell

    def make_parts(self) -> None:
        """Have what lacks of files made and kept.

        Raises:
            ExecutorError: Nobody answers, or what was kept is not seen here.
        """
        waiting = lacking(self.asked, self.keys)
        if self.executor is None or self.asked.kept.folder is None or not self._is_worth(waiting):
            return
        self._have_done([self._task(one.keys) for one in _largest_first(waiting)])
        self._must_see(len(lacking(self.asked, self.keys)))

    def make_cases(self, cut: Cut) -> None:
        """Have buckets of cases made and kept.

        Raises:
            ExecutorError: Nobody answers, or what was kept is not seen here.
        """
        if self.executor is None or self.asked.kept.folder is None:
            return
        buckets = cut.buckets
        self.asked.kept.share((TOLD, one.facts) for one in self.keys)
        self._have_done([self._task(*self.keys, bucket=bucket, buckets=buckets) for bucket in range(buckets)])
        seen = [self.asked.kept.has(BUCKET, bucket_key(self.keys, b, buckets)) for b in range(buckets)]
        self._must_see(seen.count(False))

    def _is_worth(self, waiting: Sequence[Lacking]) -> bool:
        rows = sum(one.keys.rows for one in waiting)
        return self.executor is not None and len(waiting) > 1 and rows >= self.executor.least

    def _task(self, *keys: PackKeys, bucket: int | None = None, buckets: int = 1) -> str:
        state, mirror = self.asked.state, self.asked.kept.mirror
        folder = state.folder.absolute() if mirror else state.folder.resolve()
        brief = str(self.brief.keep(folder / "kept"))
        facts, at_once = tuple(one.facts for one in keys), self.asked.at_once
        objects = mirror.bucket.url if mirror else None
        return Task(str(folder), state.number, brief, facts, at_once, bucket, buckets, objects).said()

    def _have_done(self, tasks: Sequence[str]) -> None:
        assert self.executor is not None  # noqa: S101 - asked before
        if (mirror := self.asked.kept.mirror) is not None:
            mirror.settle()
            mirror.push([Path(json.loads(tasks[0])["brief"])])
        for done, answer in enumerate(self.executor.run(compute, tasks), start=1):
            told = json.loads(answer)
            self.asked.read.rows += _rows(told)
            self.tell("measure", done, len(tasks))
        self.asked.kept.look()

    def _must_see(self, missing: int) -> None:
        if missing:
            raise ExecutorError.at(
                str(self.asked.kept.folder),
                f"does not hold what workers say they kept: {missing:,} parts are not to be seen here.",
                "Workers and this machine have to see the same folder under the same name, or one object store.",
            )


def _rows(told: Mapping[str, Any]) -> int:
    """How many events a task read; what went wrong with it is raised as if it had gone wrong here."""
    if "error" in told:
        raise getattr(errors, told["error"])(*(Problem(**problem) for problem in told["problems"]))
    if "defect" in told:
        raise RuntimeError(told["defect"])
    return told["rows"]


def _largest_first(waiting: Sequence[Lacking]) -> list[Lacking]:
    """The largest files first, so that none is left to one worker at the end."""
    return sorted(waiting, key=lambda one: -one.keys.rows)
