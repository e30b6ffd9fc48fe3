"""Cases opened, resolved, closed and open, day by day, and how old the open ones are.

A case is open at an instant when it was opened before it and not closed before it. Every moment falls into a day,
by its number; counts are histograms of these numbers, and the earlier of two moments has the lower one. Histograms
add up, so of cases made long before they are remembered. Ages come from the open cases themselves, see `transforms.ages`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from contracts.tables import FactIssueFlow
from transforms.ages import AT_ONCE, DAY, QUANTILES, KnownAges, Lives, days_of
from transforms.groups import grouped
from transforms.ranked import mixed
from transforms.renewed import Renewed
from transforms.slots import midnights_of

_NEVER = np.iinfo(np.int64).max // 2
_NEVER_DAY = np.iinfo(np.int32).max
_LONG_DAYS = 30
_EPOCH = date(1970, 1, 1)
_COUNTED = ("opened", "ended", "resolved", "closed", "waited", "aged", "old")
"""Days that are counted: of opening, of being open no more, resolving, closing, of waiting no more; from which on a case is
old while it is open, and on which it is open no more once it is."""
_MOMENTS = ("opened", "resolved", "closed")
_BY = ("touchpoint", "counted", "day")
_KINDS = {"touchpoint": pl.UInt16, "counted": pl.UInt8, "day": pl.Int32, "n": pl.Int64, "mark": pl.Int64}


@dataclass(frozen=True)
class Span:
    """Days that follow each other.

    Attributes:
        first: The first one.
        last: The last one.
        zone: Where they begin.
    """

    first: date
    last: date
    zone: ZoneInfo

    @cached_property
    def days(self) -> list[date]:
        """All of them."""
        return [self.first + timedelta(days=day) for day in range((self.last - self.first).days + 1)]

    @cached_property
    def edges(self) -> np.ndarray:
        """When the first one begins, and when each of them ends: microseconds since 1970."""
        return np.array(midnights_of([*self.days, self.last + timedelta(days=1)], self.zone))

    @property
    def before(self) -> int:
        """The day before, days since 1970."""
        return (self.first - _EPOCH).days - 1


def issue_flow(
    cases: Renewed,
    span: Span,
    names: Sequence[str],
    together: str | None = None,
    known: KnownAges | None = None,
) -> pl.DataFrame:
    """The flow of cases of every touchpoint on every day.

    Args:
        cases: touchpoint (number), opened_at, resolved_at, closed_at.
        span: Every day to report.
        names: What touchpoints are called, by number.
        together: What all touchpoints together are called; left out when absent.
        known: What is known of ages; nothing when absent.

    Returns:
        FactIssueFlow's rows, by touchpoint and day.
    """
    if not cases.height:
        return FactIssueFlow.empty()
    counted = cases.summed(f"flow-{span.zone.key}", lambda rows: _counted(rows, span.zone), _BY)
    flow = _Flow.of(counted, span)
    called = [names[number] for number in flow.touchpoints]
    if together is not None:
        called.append(together)
        flow = flow.with_all()
    columns = {
        "date": pl.Series(span.days * len(called), dtype=pl.Date),
        "touchpoint_id": pl.Series(called, dtype=pl.String).gather(
            np.arange(len(called)).repeat(len(span.days))
        ),
        **{name: counts.reshape(-1) for name, counts in flow.counts().items()},
        **dict(zip(QUANTILES, flow.ages(cases, known or KnownAges()).T, strict=True)),
    }
    told = pl.DataFrame(columns).with_columns(pl.col(*QUANTILES).fill_nan(None))
    return told.select(FactIssueFlow.column_names())


def _counted(cases: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    """touchpoint, counted (place in `_COUNTED`), day (since 1970), n, mark: how many cases have which days, and theirs."""
    if cases.is_empty():
        return pl.DataFrame(schema=_KINDS)
    moments = cases.select(pl.col(f"{name}_at").to_physical() for name in _MOMENTS)
    ends = moments.select(low=pl.min_horizontal(pl.all().min()), high=pl.max_horizontal(pl.all().max()))
    low, high = ends.row(0)
    span = Span(_local(low, zone), _local(high, zone) + timedelta(days=_LONG_DAYS + 1), zone)
    parts = [
        one
        for begin in range(0, cases.height, AT_ONCE)
        for one in _counted_of(cases[begin : begin + AT_ONCE], span)
    ]
    made = pl.DataFrame({name: np.concatenate([one[name] for one in parts]) for name in _KINDS})
    together = made.select(pl.col(name).cast(kind) for name, kind in _KINDS.items())
    return together if cases.height <= AT_ONCE else together.group_by(_BY).agg(pl.col("n", "mark").sum())


def _counted_of(cases: pl.DataFrame, span: Span) -> Iterator[Mapping[str, np.ndarray]]:
    """What `_counted` says of so few cases that all that is made of them stays in the processor's caches: in parts."""
    opened, resolved, closed = (_instants(cases[f"{name}_at"]) for name in _MOMENTS)

    def day(moments: np.ndarray) -> np.ndarray:
        found = days_of(moments, span.edges).astype(np.int32)
        found += np.int32(span.before)
        found[moments >= _NEVER] = _NEVER_DAY
        return found

    days = {"opened": day(opened), "resolved": day(resolved), "closed": day(closed)}
    days["ended"] = np.maximum(days["closed"], days["opened"])
    # Who closes without resolving has stopped waiting all the same, and nobody stops before they began.
    days["waited"] = np.clip(days["resolved"], days["opened"], days["ended"])
    days["aged"] = day(opened + _LONG_DAYS * DAY)
    days["old"] = np.maximum(days["ended"], days["aged"])
    touchpoint, marks = cases["touchpoint"].to_numpy(), mixed(opened.view(np.uint64)).view(np.int64)
    for place, name in enumerate(_COUNTED):
        # Of those that were never there it is enough that they are not counted at all.
        there = np.flatnonzero(days[name] < _NEVER_DAY)
        if there.size == cases.height:
            found, own = grouped({"touchpoint": touchpoint, "day": days[name]}), marks
        else:
            own = marks.take(there)
            found = grouped({"touchpoint": touchpoint.take(there), "day": days[name].take(there)})
        mark = found.add_up(own) if name in ("opened", "ended") else np.zeros_like(found.sizes)
        yield {**found.keys, "counted": found.all(place, np.uint8), "n": found.sizes, "mark": mark}


@dataclass(frozen=True)
class _Flow:
    """Counts by touchpoint and day.

    Attributes:
        span: The days.
        touchpoints: Numbers of the touchpoints that have any case, ascending.
        n: How many, by name of what is counted: a row for every touchpoint, a column for every day; the first is
            of all before.
        mark: The sums of their marks.
        all_row: Whether the last row is of all touchpoints.
    """

    span: Span
    touchpoints: np.ndarray
    n: Mapping[str, np.ndarray]
    mark: Mapping[str, np.ndarray]
    all_row: bool = False

    @classmethod
    def of(cls, counted: pl.DataFrame, span: Span) -> "_Flow":
        """What is counted, on the days of a span."""
        touchpoints = np.unique(counted["touchpoint"].to_numpy())
        width = len(span.days) + 1
        n, mark = {}, {}
        for place, name in enumerate(_COUNTED):
            own = counted.filter(pl.col("counted") == place)
            day = np.maximum(own["day"].to_numpy() - span.before, 0)
            row = np.searchsorted(touchpoints, own["touchpoint"].to_numpy())
            there = day < width
            for made, column in ((n, "n"), (mark, "mark")):
                made[name] = np.zeros((len(touchpoints), width), dtype=np.int64)
                np.add.at(made[name], (row[there], day[there]), own[column].to_numpy()[there])
        return cls(span, touchpoints, n, mark)

    def with_all(self) -> "_Flow":
        """With all touchpoints together."""
        n, mark = (
            {name: np.vstack([counts, counts.sum(axis=0)]) for name, counts in of.items()}
            for of in (self.n, self.mark)
        )
        return _Flow(self.span, self.touchpoints, n, mark, all_row=True)

    def counts(self) -> Mapping[str, np.ndarray]:
        """How many came, went and were there, by touchpoint and day."""
        upto = {name: np.cumsum(counts, axis=1)[:, 1:] for name, counts in self.n.items()}
        return {
            "opened_count": self.n["opened"][:, 1:],
            "resolved_count": self.n["resolved"][:, 1:],
            "closed_count": self.n["closed"][:, 1:],
            "backlog_count": upto["opened"] - upto["ended"],
            "unresolved_count": upto["opened"] - upto["waited"],
            "over_30_days_count": upto["aged"] - upto["old"],
        }

    def ages(self, cases: Renewed, known: KnownAges) -> np.ndarray:
        """Quantiles of the ages of open cases at every day's end, in days: row by row; NaN where none is open."""
        there, marks = (np.cumsum(of["opened"] - of["ended"], axis=1)[:, 1:] for of in (self.n, self.mark))
        # By the instant at which a day ends: another zone's days end at others.
        told, marked = np.tile(self.span.edges[1:], len(there)), marks.reshape(-1).view(np.uint64)
        is_open = there.reshape(-1) > 0
        ages, is_known = known.find(told, marked)
        ages[~is_open] = np.nan
        lacking = (is_open & ~is_known).reshape(there.shape)
        for row, first, found in self._looked_at(cases, lacking):
            begin = row * len(self.span.days) + first
            ages[begin : begin + len(found)] = found
        noted = np.flatnonzero(is_open)
        known.note(told[noted], marked[noted], ages[noted], has_learnt=bool(lacking.any()))
        return ages

    def _looked_at(self, cases: Renewed, lacking: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
        """Ages that lack, with some that do not: row, first day, and those from then on."""
        days = np.flatnonzero(lacking.any(axis=0))
        if not days.size:
            return
        first, last = int(days[0]), int(days[-1])
        edges = self.span.edges
        # Who was gone by then or came later is open at none of these days' ends.
        opened, closed = (pl.col(f"{name}_at").to_physical() for name in ("opened", "closed"))
        is_open = (opened < edges[last + 1]) & (closed.is_null() | (closed >= edges[first + 1]))
        some = cases.where(is_open, ["touchpoint", "opened_at", "closed_at"])
        moments = (_instants(some[f"{name}_at"]) for name in ("opened", "closed"))
        lives = Lives(edges, slice(first, last + 1), some["touchpoint"].to_numpy(), *moments)
        rows = np.flatnonzero(lacking.any(axis=1)).tolist()
        is_one = len(self.touchpoints) == 1
        own = [row for row in rows if row < len(self.touchpoints) and not (is_one and self.all_row)]
        for row, found in zip(own, lives.by_touchpoint(self.touchpoints[own].tolist()), strict=True):
            yield row, first, found
        if self.all_row and len(rows) > len(own):
            found = lives.of_all()
            for row in rows[len(own) :]:
                yield row, first, found


def _local(moment: int, zone: ZoneInfo) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(moment))).astimezone(zone).date()


def _instants(moments: pl.Series) -> np.ndarray:
    return moments.to_physical().fill_null(_NEVER).to_numpy()
