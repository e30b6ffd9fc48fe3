"""What a pack of events gives, read in turns: by kernel what is made of all events, by query what is made of few.

All of a customer's events of one file are in one turn, and what files give adds up: so does what turns give.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from contracts.accountability import AccountabilityMap
from contracts.events import Codebook
from transforms.beside import Order
from transforms.case_arrays import CaseMaker
from transforms.cases import BY_SUBJECT, case_columns
from transforms.customer_counts import BY_PERSON
from transforms.customer_moves import Finders
from transforms.followed import followed_events, paired
from transforms.match import Matched, Matcher, match
from transforms.measure import ADDITIVE, CELL, measure_rates
from transforms.periods import Calendar
from transforms.pieces import Some, pieces
from transforms.sampling import asked_and_answered
from transforms.stakes import ownerless_events, recent_events, unmatched_events
from transforms.tallies import Tallies

FACTS, TOLD, MOVED, TYPES, STAKES = "facts", "told", "moved", "types", "stakes"
MISSED, RECENT = "missed", "recent"
"""What is told of single customers, a row for each: events that no rule matched, and those of the last 28 days."""
_UNMATCHED = ("feed", "kind", "channel", "customer", "occurred_at", "touchpoint")
_SUBJECT = "subject_id"
_RATES = "rates"
UNMATCHED_ROWS = 1 << 17
"""So many unmatched events are held before they are counted: where nothing matches, groups of them take far more room."""

_OF_FACTS = {FACTS: (_RATES, "told", "lived", "ahead"), MISSED: (MISSED,)}
_OF_STAKES = {STAKES: ("ownerless",), RECENT: (RECENT,)}
"""What is found by queries, by the kind that it is kept under."""

Frames = Mapping[str, pl.DataFrame]
Query = Callable[[pl.LazyFrame], pl.LazyFrame]


@dataclass(frozen=True)
class Wanted:
    """What is made of events.

    Attributes:
        atlas: The map.
        matcher: The compiled map.
        codebook: What the codes stand for.
        calendar: The days that are reported on.
    """

    atlas: AccountabilityMap
    matcher: Matcher
    codebook: Codebook
    calendar: Calendar
    _of_nothing: dict[str, pl.DataFrame] = field(default_factory=dict, repr=False)

    def of_nothing(self, names: Iterable[str], nothing: pl.LazyFrame) -> Mapping[str, pl.DataFrame]:
        """What some queries give of no event: worked out once, for every pack asks for it."""
        every = {**self.queries, **self.queries_of_stakes}
        lacking = {name: every[name](nothing) for name in names if name not in self._of_nothing}
        found = pl.collect_all(list(lacking.values()), engine="in-memory") if lacking else []
        self._of_nothing.update(zip(lacking, found, strict=True))
        return self._of_nothing

    @cached_property
    def tallies(self) -> Tallies:
        """What is counted and added up."""
        return Tallies(self.matcher, self.atlas.metrics, self.codebook)

    @cached_property
    def told_columns(self) -> list[str]:
        """Columns of the events that cases are made of."""
        stored = {name for spec in self.atlas.cases for name in case_columns(spec, self.codebook)}
        return sorted({*stored, "touchpoint"})

    @cached_property
    def case_makers(self) -> list[CaseMaker]:
        """What makes cases."""
        return [CaseMaker(spec, self.codebook) for spec in self.atlas.cases]

    @cached_property
    def finders(self) -> Finders:
        """Which events make or end a customer."""
        return Finders(self.atlas.customers, self.matcher.slots, self.codebook)

    @cached_property
    def queries(self) -> Mapping[str, Query]:
        """What else is additive: of few events."""
        atlas, codebook = self.atlas, self.codebook
        return {
            _RATES: lambda rows: measure_rates(rows, atlas.metrics, codebook, self.matcher.touchpoints),
            "told": lambda rows: asked_and_answered(rows, atlas.metrics, codebook)[0],
            "lived": lambda rows: asked_and_answered(rows, atlas.metrics, codebook)[1],
            MISSED: unmatched_events,
            "ahead": lambda rows: followed_events(rows, atlas.metrics, codebook),
        }

    @cached_property
    def queries_of_stakes(self) -> Mapping[str, Query]:
        """What hangs on owners and the day."""
        slots = self.matcher.slots
        return {
            RECENT: lambda rows: recent_events(rows, slots, self.calendar),
            "ownerless": lambda rows: ownerless_events(rows, slots),
        }

    @cached_property
    def told_of(self) -> frozenset[str]:
        """The queries of any event at all: the others find nothing, whatever happened."""
        metrics = self.atlas.metrics
        found = {
            _RATES: any(metric.estimator == "rate" for metric in metrics),
            "told": any(metric.sample for metric in metrics),
            "lived": any(metric.sample for metric in metrics),
            "ahead": bool(paired(metrics)),
        }
        return frozenset(name for name, is_asked in found.items() if is_asked)


class Turns:
    """What events give, turn by turn."""

    def __init__(self, wanted: Wanted, nothing: pl.DataFrame, *, facts: bool, stakes: bool) -> None:
        """Nothing yet.

        Args:
            wanted: What is made of events.
            nothing: Stored events, none of them.
            facts: Whether what is additive is made, and the events that cases are made of.
            stakes: Whether what hangs on owners and the day is.
        """
        self._wanted, self._facts, self._stakes = wanted, facts, stakes
        self._tally = wanted.tallies.begin()
        self._nothing = match(nothing.lazy(), wanted.matcher)
        self._turns = 0
        kinds = dict(self._nothing.collect_schema())
        # Without facts not all columns are read.
        told = {name: kinds[name] for name in wanted.told_columns} if facts else {}
        self._of_subjects = Some(told)
        self._moves = wanted.finders.begin() if facts and wanted.atlas.customers else None
        self._unmatched_kinds = {name: kinds[name] for name in _UNMATCHED} if facts else {}
        self._unmatched = Some(self._unmatched_kinds)
        self._found: dict[str, list[pl.DataFrame]] = {}

    def add(self, events: pl.DataFrame) -> None:
        """What one turn gives."""
        self._turns += 1
        whole, queries = [], self._queries()
        for piece in pieces(events):
            matched = self._wanted.matcher.looked_up(piece)
            if self._facts:
                self._tally.add(matched)
                matched.put(np.flatnonzero(matched.rule == 0), self._unmatched)
                if self._unmatched.rows > UNMATCHED_ROWS:
                    self._miss()
                if self._wanted.atlas.cases:
                    self._tell(matched)
            if self._moves:
                self._moves.add(matched)
            if queries:
                whole.append(matched.whole())
        plans = {}
        if whole:
            rows = pl.concat(whole, rechunk=True).lazy()
            plans = {name: query(rows) for name, query in queries.items()}
        found = pl.collect_all(list(plans.values()), engine="in-memory") if plans else []
        for name, frame in zip(plans, found, strict=True):
            self._found.setdefault(name, []).append(frame)

    def _miss(self) -> None:
        """Count the unmatched, mostly those of several turns at once."""
        if self._unmatched.rows:
            missed = unmatched_events(self._unmatched.frame().lazy()).collect(engine="in-memory")
            self._found.setdefault(MISSED, []).append(missed)
            self._unmatched = Some(self._unmatched_kinds)

    def _queries(self) -> dict[str, Query]:
        facts = self._wanted.queries if self._facts else {}
        queries = {name: query for name, query in facts.items() if name in self._wanted.told_of}
        return {**queries, **(self._wanted.queries_of_stakes if self._stakes else {})}

    def _tell(self, matched: Matched) -> None:
        """Hold the events about subjects."""
        rows = np.flatnonzero(matched.events.whole(_SUBJECT) > 0)
        touchpoint = matched.touchpoints.take(matched.rule.take(rows))
        self._of_subjects.add(matched.events, rows, touchpoint=touchpoint)

    def parts(self) -> dict[str, Frames]:
        """All of it, by kind."""
        self._miss()
        kinds = (_OF_FACTS if self._facts else {}) | (_OF_STAKES if self._stakes else {})
        lacking = [name for own in kinds.values() for name in own if name not in self._found]
        found = {
            **self._wanted.of_nothing(lacking, self._nothing),
            **{name: pl.concat(frames) for name, frames in self._found.items()},
        }
        made: dict[str, Frames] = {kind: {name: found[name] for name in own} for kind, own in kinds.items()}
        if FACTS in made:
            made[FACTS] = self._additive(made[FACTS])
        starts = self._wanted.matcher.slots.starts
        parts: dict[str, Frames] = {
            kind: {name: _cut(frame, starts) for name, frame in tables.items()}
            for kind, tables in made.items()
        }
        if self._facts and self._wanted.atlas.cases:
            parts[TOLD] = _kept(self._of_subjects.frame(), TOLD, BY_SUBJECT)
        if self._moves:
            parts[MOVED] = _kept(self._moves.moves(), MOVED, BY_PERSON)
        return parts

    def _additive(self, found: Frames) -> Frames:
        """Facts, those that are counted included; what several turns tell of alike once."""
        tallies = self._tally.tables()
        sums = pl.concat([tallies["sums"], found[_RATES]])
        if self._turns > 1:
            sums = sums.group_by(CELL).agg(pl.col(ADDITIVE).sum()).select(sums.columns)
        return {**tallies, **{name: found[name] for name in found if name != _RATES}, "sums": sums}


def _kept(rows: pl.DataFrame, kind: str, by: Order) -> Frames:
    """Rows of each one beside each other, every column as narrow as its numbers, and the types they have."""
    return {kind: by.beside(by.narrow(rows)), TYPES: rows.clear()}


def _cut(frame: pl.DataFrame, starts: np.ndarray) -> pl.DataFrame:
    """Rows with the instant at which their slot begins: slots are numbered anew whenever owners change."""
    if "slot" not in frame.columns:
        return frame
    columns = frame.to_dict()
    columns["cut"] = pl.Series("cut", starts.take(columns.pop("slot").to_numpy()))
    return pl.DataFrame(columns)
