"""What the pass makes of each pack of files of events, kept under a hash of all that went into it.

A pack's part is made of its files, the rules, the metrics and the instants at which its slots begin, and of
nothing else: not of who is accountable, which goals stand, what day it is or what other files hold. So a
part is computed once and read as long as none of these changes, and the parts add up to the whole, to the
last bit. What hangs on owners and on the day (events of the last 28 days, events of nobody) is a second,
smaller part. Customers are stored by the codes they had; who they are today is looked up when parts are read.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, cached_property, partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import polars as pl

import transforms
from contracts.accountability import AccountabilityMap
from contracts.events import Codebook
from flows.packs import Pack, least_at_once, packs, turns_of
from flows.progress import Tell
from flows.side_by_side import side_by_side
from flows.turn_parts import FACTS, MISSED, MOVED, RECENT, STAKES, TOLD, TYPES, Frames, Turns, Wanted
from transforms.behind import BEHIND
from transforms.cases import case_columns
from transforms.customer_moves import moves_columns
from transforms.followed import FOLLOWED
from transforms.match import Matcher
from transforms.measure import SUMS
from transforms.periods import ROLLING_DAYS, Calendar
from transforms.sampling import sample_columns, sample_schemas
from transforms.slots import microseconds
from transforms.stakes import disowned_events
from warehouse.kept import Kept
from warehouse.store import State

__all__ = ["FACTS", "MISSED", "MOVED", "RECENT", "STAKES", "TOLD", "TYPES", "Frames"]

PARTITION_ROWS = 2_000_000
_MADE_BY = ("lately", "named_cases", "passes", "stages")
"""Modules beside those of parts that say what is kept of what parts come to."""
PACKS_MAX = 8
"""So many packs are read at the same time at most: with more of them it is memory that one waits for."""
BY_STAKES = (STAKES, RECENT)
"""What hangs on owners and the day; all else is kept under the key of the facts."""
_AS_IN_MEMORY = (TOLD, MOVED, MISSED, RECENT)
"""Of these mostly little or nothing is asked for later: it is looked up where it lies."""
_ALWAYS = ("feed", "kind", "channel", "customer")
_STAKES_COLUMNS = ("customer",)
_UNMEASURED = {"id", "name", "unit", "direction", "independence"}
"""What a metric says besides how it is measured."""

_PLACE = {"slot": pl.UInt32(), "touchpoint": pl.UInt16()}
_N = {"n": pl.Int64()}
_SUMMED: Mapping[str, Mapping[str, Any]] = {
    "counted": {"slot": pl.UInt32(), "rule": pl.UInt16(), "touchpoint": pl.UInt16(), **_N},
    "sums": SUMS,
    "answers": {**_PLACE, "metric": pl.UInt16(), "score": pl.Int64(), **_N},
    "behind": BEHIND,
    "ahead": FOLLOWED,
    "ownerless": {**_PLACE, "customer": pl.UInt32(), **_N},
}
"""What the files' parts are as a whole; in a part `cut`, where the slot begins, stands in place of `slot`."""


@dataclass
class Read:
    """How many events were read."""

    rows: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, rows: int) -> None:
        """So many more; told by several at the same time."""
        with self._lock:
            self.rows += rows


@dataclass(frozen=True)
class Pass:
    """What is asked of the events.

    Attributes:
        atlas: The map.
        matcher: The compiled map.
        codebook: What the codes stand for.
        calendar: The days that are reported on.
        state: The events.
        kept: Where parts are kept.
        zone: Where days begin and end.
        read: How many events had to be read so far.
        at_once: How many events may be read at once, unless one bucket of customers has more; None for a file's.
    """

    atlas: AccountabilityMap
    matcher: Matcher
    codebook: Codebook
    calendar: Calendar
    state: State
    kept: Kept
    zone: str = "UTC"
    read: Read = field(default_factory=Read)
    at_once: int | None = None

    @cached_property
    def columns(self) -> list[str]:
        """Stored columns that the pass reads."""
        return pass_columns(self.atlas, self.matcher, self.codebook)

    @cached_property
    def wanted(self) -> Wanted:
        """What is made of them."""
        return Wanted(self.atlas, self.matcher, self.codebook, self.calendar)

    @cached_property
    def packs_at_once(self) -> int:
        """How many packs may be read at the same time: one by each core, as far as memory goes."""
        cores = min(pl.thread_pool_size(), PACKS_MAX)
        if self.at_once is None:
            return cores
        return max(1, min(cores, self.at_once // least_at_once(self.state.event_files, self.state.folder)))

    @property
    def in_one_turn(self) -> int | None:
        """How many events may be read at once of each of them."""
        return None if self.at_once is None else self.at_once // self.packs_at_once

    @cached_property
    def asked(self) -> str:
        """Everything that is asked of every pack's events alike."""
        said = {
            "code": code_hash(),
            "zone": self.zone,
            "touchpoints": list(self.matcher.touchpoints),
            "rules": [rule.model_dump(mode="json", exclude={"id", "examples"}) for rule in self.atlas.rules],
            "metrics": [
                one.model_dump(mode="json", exclude=_UNMEASURED) if one.of == "events" else None
                for one in self.atlas.metrics
            ],
            "customers": [group.model_dump(mode="json") for group in self.atlas.customers],
            "cases": [spec.model_dump(mode="json") for spec in self.atlas.cases],
            "columns": {name: self.codebook.is_coded(name) for name in self.columns},
        }
        return json.dumps(said, sort_keys=True)

    @cached_property
    def tested(self) -> list[str]:
        """Coded columns whose values any condition looks at."""
        named = {"feed", "kind", "channel", "subject_type"}
        for one in (*self.atlas.rules, *self.atlas.metrics):
            named |= set(one.where)
        for metric in self.atlas.metrics:
            named |= {*metric.good, *metric.exposure, *metric.followed_by}
            if metric.sample:
                named |= {*metric.sample.asked, *metric.sample.bounced, *metric.sample.lived}
        for group in self.atlas.customers:
            named |= {*group.active, *group.left}
        columns = {self.codebook.column(name) for name in named}
        return sorted(column for column in columns if self.codebook.is_coded(column))

    @cached_property
    def since(self) -> int:
        """Where the last 28 days begin, microseconds since 1970."""
        later = self.matcher.slots.frame()["date"] >= self.calendar.today - timedelta(days=ROLLING_DAYS)
        starts = self.matcher.slots.starts[later.to_numpy()]
        return int(starts[0]) if starts.size else int(np.iinfo(np.int64).max)

    @cached_property
    def ownerless(self) -> np.ndarray:
        """Whether nobody is accountable, by touchpoint code and slot."""
        slots = self.matcher.slots
        empty = np.array([False, *(tenure.person is None for tenure in slots.tenures)])
        found = empty[slots.tenure_of]
        found[0] = False
        return found


@dataclass(frozen=True)
class PackKeys:
    """Under which keys the parts of a pack of files of events are kept.

    Attributes:
        files: The files.
        facts: Key of what is additive, and of the events that cases are made of.
        stakes: Key of what hangs on owners and the day; None when nothing does.
    """

    files: Pack
    facts: str
    stakes: str | None

    @property
    def rows(self) -> int:
        """How many events it has."""
        return sum(file.rows for file in self.files)

    def under(self, kind: str) -> str:
        """Under which key it is kept."""
        return str(self.stakes) if kind in BY_STAKES else self.facts


def keys_of(asked: Pass) -> list[PackKeys]:
    """The keys of every pack of files, the oldest first."""
    values = {column: asked.codebook.values.get(column, ()) for column in asked.tested}
    known = _Known(values)
    return [_pack_keys(asked, pack, known) for pack in packs(asked.state.months)]


def _pack_keys(asked: Pass, pack: Pack, known: "_Known") -> PackKeys:
    slots = asked.matcher.slots
    first, last = min(file.first_at for file in pack), max(file.last_at for file in pack)
    ends = [microseconds(datetime.fromisoformat(at)) for at in (first, last)]
    low, high = np.maximum(np.searchsorted(slots.starts, ends, side="right"), 1) - 1
    base = [asked.asked, slots.starts[low : high + 1].tobytes().hex()]
    for file in pack:
        base += [file.path, *(known.upto(column, file.codes.get(column)) for column in asked.tested)]
    facts = hash_of(base)
    ownerless = asked.ownerless[:, low : high + 1]
    is_recent = ends[1] >= asked.since
    stakes = [str(asked.since) if is_recent else "", ownerless.tobytes().hex() if ownerless.any() else ""]
    return PackKeys(pack, facts, hash_of([facts, *stakes]) if any(stakes) else None)


class _Known:
    """Hashes of the first so many values of columns: what codes stood for when a file was written."""

    def __init__(self, values: Mapping[str, Sequence[str] | pl.Series]) -> None:
        self._values = values
        self._hashes: dict[tuple[str, int], str] = {}

    def upto(self, column: str, count: int | None) -> str:
        values = self._values[column]
        end = len(values) if count is None else min(count, len(values))
        if (column, end) not in self._hashes:
            self._hashes[column, end] = hash_of([column, *values[:end]])
        return self._hashes[column, end]


@dataclass(frozen=True)
class Lacking:
    """What of a pack is not kept: one task.

    Attributes:
        keys: The pack, and what its parts are kept under.
        facts: Whether its facts are made, what is told of cases and customers included.
        stakes: Whether its stakes are.
    """

    keys: PackKeys
    facts: bool
    stakes: bool


def lacking(asked: Pass, keys: Sequence[PackKeys]) -> list[Lacking]:
    """What there is to do, by pack: what is not kept of those that have anything."""
    found = []
    for one in keys:
        told = [*([TOLD] if asked.atlas.cases else []), *([MOVED] if asked.atlas.customers else [])]
        facts = not _has(asked, one.facts, FACTS, MISSED, *told)
        stakes = one.stakes is not None and (facts or not _has(asked, one.stakes, *BY_STAKES))
        if facts or stakes:
            found.append(Lacking(one, facts, stakes))
    return found


def make_part(asked: Pass, lack: Lacking) -> dict[str, Frames]:
    """Compute what lacks of a pack, and keep it."""
    return _keep(asked, lack, _lacking_of(asked, lack))


def _lacking_of(asked: Pass, lack: Lacking) -> dict[str, Frames]:
    return _computed(asked, lack.keys, stakes=lack.stakes, facts=lack.facts)


def _keep(asked: Pass, lack: Lacking, made: dict[str, Frames]) -> dict[str, Frames]:
    for kind, tables in made.items():
        asked.kept.put(kind, lack.keys.under(kind), tables, as_in_memory=kind in _AS_IN_MEMORY)
    return made


def parts_of(asked: Pass, keys: Sequence[PackKeys], tell: Tell) -> list[Frames]:
    """Every pack's facts and stakes; what is not kept yet is computed and kept."""
    # Found first: what turns out to be damaged is lacking.
    facts = {one.facts: asked.kept.find(FACTS, one.facts) for one in keys}
    stakes = {one.facts: asked.kept.find(STAKES, one.stakes) for one in keys if one.stakes}
    waiting = lacking(asked, keys)
    computed = side_by_side(partial(_lacking_of, asked), waiting, asked.packs_at_once)
    for done, (lack, result) in enumerate(zip(waiting, computed, strict=True), start=1):
        made = _keep(asked, lack, result)
        for kind, found in ((FACTS, facts), (STAKES, stakes)):
            if kind in made:
                found[lack.keys.facts] = made[kind]
        tell("measure", done, len(waiting))
    return [frames for found in (facts, stakes) for frames in found.values() if frames]


def _has(asked: Pass, key: str, *kinds: str) -> bool:
    return all(asked.kept.has(kind, key) for kind in kinds)


def _computed(asked: Pass, one: PackKeys, *, stakes: bool, facts: bool) -> dict[str, Frames]:
    """One pack's parts, by kind: it is read in turns, so many events at once as may be."""
    columns = asked.columns if facts else sorted({*asked.matcher.columns, *_STAKES_COLUMNS})
    kinds = asked.state.scan_files(one.files[:1], columns, as_stored=True).collect_schema()
    made = Turns(asked.wanted, pl.DataFrame(schema=kinds), facts=facts, stakes=stakes)
    for files, turns in groupby(turns_of(one.files, asked.state.folder, asked.in_one_turn), itemgetter(0)):
        scanned = asked.state.scan_files(files, columns, as_stored=True)
        for _, first, count in turns:
            # Left as it is read, piece by piece: to put pieces together is to copy all of it.
            made.add(scanned.slice(first, count).collect(engine="in-memory"))
    asked.read.add(one.rows)
    return made.parts()


def part_of(asked: Pass, one: PackKeys, kind: str) -> Frames:
    """What is kept of a pack under a kind; made again where that was swept or damaged since the keys were looked at.

    Of `TOLD` and `MOVED` it is what is told, and the types that its columns have.
    """
    found = asked.kept.find(kind, one.under(kind))
    if found is None:
        by_stakes = kind in BY_STAKES
        found = _computed(asked, one, stakes=by_stakes, facts=not by_stakes)[kind]
        # Whoever asks next, perhaps of another bucket, finds it.
        asked.kept.put(kind, one.under(kind), found, as_in_memory=kind in _AS_IN_MEMORY)
    return found


def widened(tables: Frames, kind: str) -> pl.DataFrame:
    """What is told of `TOLD` or `MOVED`, with the types that its columns have."""
    return tables[kind].cast(dict(tables[TYPES].schema))


def put_together(asked: Pass, parts: Sequence[Frames]) -> dict[str, pl.DataFrame]:
    """The packs' parts as a whole: with slots, and customers as they are known today."""
    slots, merged = asked.matcher.slots, asked.state.merged()
    whole: dict[str, pl.LazyFrame] = {}
    for name, schema in {**_SUMMED, **sample_schemas(asked.atlas.metrics)}.items():
        frames = [tables[name].lazy() for tables in parts if name in tables]
        frame = pl.concat(frames) if frames else pl.LazyFrame(schema=dict(schema))
        if "slot" in schema and frames:
            frame = frame.with_columns(slot=slots.find(pl.col("cut")))
        whole[name] = frame.with_columns(merged) if "customer" in schema else frame
        whole[name] = whole[name].select(list(schema))
    whole["disowned"] = disowned_events(whole.pop("ownerless"), slots)
    return dict(zip(whole, pl.collect_all(list(whole.values())), strict=True))


def pass_columns(atlas: AccountabilityMap, matcher: Matcher, codebook: Codebook) -> list[str]:
    """Stored columns that the pass reads."""
    wanted = {*matcher.columns, *_ALWAYS}
    for metric in atlas.metrics:
        if metric.of == "events":
            named = [
                *metric.where,
                *metric.good,
                *metric.exposure,
                *metric.followed_by,
                *metric.by,
                *(name for name in metric.same if name != "touchpoint"),
                *([metric.value] if metric.value else []),
            ]
            wanted |= {codebook.column(name) for name in named}
    wanted |= moves_columns(atlas.customers, codebook) | sample_columns(atlas.metrics, codebook)
    for spec in atlas.cases:
        wanted |= set(case_columns(spec, codebook))
    return sorted(wanted)


@cache
def code_hash() -> str:
    """A hash of the code that parts are made by: whoever changes it has everything computed anew."""
    here = Path(__file__).parent
    ours = [*here.glob("*parts.py"), *(here / f"{name}.py" for name in _MADE_BY)]
    made_by = [*sorted(Path(transforms.__file__).parent.glob("*.py")), *sorted(ours)]
    found = hashlib.sha256(pl.__version__.encode())
    for path in made_by:
        found.update(path.read_bytes())
    return found.hexdigest()


def hash_of(said: Sequence[str]) -> str:
    """A hash of texts."""
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:24]
