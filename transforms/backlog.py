"""Cases opened, resolved, closed and open, day by day, and how old the open ones are.

A case is open at an instant when it was opened before it and not closed before it. Every moment falls into a day,
by its number; counts are histograms of these numbers, and the earlier of two moments has the lower one. Ages come
from the open cases themselves, of which only those of the day that an age falls on are looked at one by one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from contracts.tables import FactIssueFlow
from transforms.groups import order_of

DAY = 86_400_000_000
_NEVER = np.iinfo(np.int64).max // 2
_LONG = 30 * DAY
_DAY = np.uint16
"""Days of 170 years; what is sorted by 16 bits is looked at once."""
_MILESTONES = ("opened", "resolved", "closed")
QUANTILES = {"age_p50_days": 0.5, "age_p90_days": 0.9, "age_max_days": 1.0}
MANY = 1_000
"""Beyond so many open at the end of a day it is quicker to find the day of opening first."""
AT_ONCE = 1 << 16
"""Of so many moments at once the days are found: they stay in the processor's cache."""


def issue_flow(
    cases: pl.DataFrame, days: pl.DataFrame, names: Sequence[str], together: str | None = None
) -> pl.DataFrame:
    """The flow of cases of every touchpoint on every day.

    Args:
        cases: touchpoint (number), opened_at, resolved_at, closed_at.
        days: date, starts_at and ends_at (UTC), every day to report, ascending and without a gap.
        names: What touchpoints are called, by number.
        together: What all touchpoints together are called; left out when absent.

    Returns:
        FactIssueFlow's rows, by touchpoint and day.
    """
    if cases.is_empty():
        return FactIssueFlow.empty()
    lives = _Lives(
        _instants(pl.concat([days["starts_at"].head(1), days["ends_at"]])),
        cases["touchpoint"].to_numpy(),
        *(_instants(cases[f"{name}_at"]) for name in _MILESTONES),
    )
    flow, ages = lives.flow(), [own.ages() for own in lives.by_touchpoint()]
    called = [names[number] for number in lives.touchpoints]
    if together is not None:
        called.append(together)
        flow = {name: np.vstack([counts, counts.sum(axis=0)]) for name, counts in flow.items()}
        ages.append(lives.by_day().ages() if len(ages) > 1 else ages[0])
    columns = {
        "date": pl.concat([days["date"]] * len(called)),
        "touchpoint_id": pl.Series(called, dtype=pl.String).gather(
            np.arange(len(called)).repeat(days.height)
        ),
        **{name: counts.reshape(-1) for name, counts in flow.items()},
        **dict(zip(QUANTILES, np.concatenate(ages).T, strict=True)),
    }
    told = pl.DataFrame(columns).with_columns(pl.col(*QUANTILES).fill_nan(None))
    return told.select(FactIssueFlow.column_names())


def days_of(moments: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Numbers of days, from 1; 0 is before the first one, and what is after the last has one more than that.

    Args:
        moments: Instants.
        edges: When the first day begins, and when every day ends.
    """
    found = np.empty(len(moments), dtype=_DAY)
    around = np.concatenate([[np.iinfo(np.int64).min], edges, [np.iinfo(np.int64).max]])
    for begin in range(0, len(moments), AT_ONCE):
        some = moments[begin : begin + AT_ONCE]
        # As if all days had 24 hours; where they have not, some are searched for.
        day = np.clip((some - edges[0]) // DAY + 1, 0, len(edges))
        wrong = np.flatnonzero((some < around[day]) | (some >= around[day + 1]))
        day[wrong] = np.searchsorted(edges, some[wrong], side="right")
        found[begin : begin + AT_ONCE] = day
    return found


@dataclass(frozen=True)
class _Lives:
    """Cases in any order, by instants; `_NEVER` where it has not come to that.

    Attributes:
        edges: When the first day begins, and when every day ends.
        touchpoint: Whose they are, numbers.
        opened: When they were opened.
        resolved: When they were resolved.
        closed: When they were closed.
    """

    edges: np.ndarray
    touchpoint: np.ndarray
    opened: np.ndarray
    resolved: np.ndarray
    closed: np.ndarray

    @cached_property
    def sizes(self) -> np.ndarray:
        """How many cases touchpoints have, by number."""
        return np.bincount(self.touchpoint)

    @cached_property
    def touchpoints(self) -> np.ndarray:
        """Numbers of the touchpoints that have any, ascending."""
        return np.flatnonzero(self.sizes)

    @cached_property
    def opened_on(self) -> np.ndarray:
        """Days of opening."""
        return days_of(self.opened, self.edges)

    @cached_property
    def closed_on(self) -> np.ndarray:
        """Days of closing."""
        return days_of(self.closed, self.edges)

    @cached_property
    def ended_on(self) -> np.ndarray:
        """The day on which a case is open no more: never before it was opened."""
        return np.maximum(self.closed_on, self.opened_on)

    def flow(self) -> Mapping[str, np.ndarray]:
        """How many came, went and were there, by touchpoint and day."""
        opened = self._counted(self.opened_on)
        upto = _upto(opened)
        resolved_on = days_of(self.resolved, self.edges)
        # Who closes without resolving has stopped waiting all the same, and nobody stops before they began.
        waiting_until = self._counted(np.clip(resolved_on, self.opened_on, self.ended_on))
        aged_on = days_of(self.opened + _LONG, self.edges)
        old_until = self._counted(np.maximum(self.ended_on, aged_on))
        return {
            "opened_count": opened[:, 1:-1],
            "resolved_count": self._counted(resolved_on)[:, 1:-1],
            "closed_count": self._counted(self.closed_on)[:, 1:-1],
            "backlog_count": upto - _upto(self._counted(self.ended_on)),
            "unresolved_count": upto - _upto(waiting_until),
            "over_30_days_count": _upto(self._counted(aged_on)) - _upto(old_until),
        }

    def by_day(self) -> "_Opened":
        """All cases by day of opening."""
        return self._at(self._order)

    def by_touchpoint(self) -> Iterator["_Opened"]:
        """Every touchpoint's cases by day of opening."""
        if len(self.touchpoints) == 1:
            yield self.by_day()
            return
        order = self._order[order_of(self.touchpoint[self._order], len(self.sizes))]
        ends = np.cumsum(self.sizes)
        for number in self.touchpoints:
            yield self._at(order[ends[number] - self.sizes[number] : ends[number]])

    @cached_property
    def _order(self) -> np.ndarray:
        return order_of(self.opened_on, len(self.edges) + 1)

    def _at(self, places: np.ndarray) -> "_Opened":
        return _Opened(self.edges, *(of[places] for of in (self.opened, self.opened_on, self.ended_on)))

    def _counted(self, days: np.ndarray) -> np.ndarray:
        """How many cases have their day on each day, by touchpoint."""
        every, width = len(self.sizes), len(self.edges) + 1
        place = self.touchpoint.astype(np.uint32) * width + days if len(self.touchpoints) > 1 else days
        counts = np.bincount(place, minlength=every * width if place is not days else width)
        return counts.reshape(-1, width)[self.touchpoints if place is not days else slice(None)]


def _upto(counts: np.ndarray) -> np.ndarray:
    """How many moments lie before each day's end."""
    return np.cumsum(counts, axis=-1)[..., 1:-1]


@dataclass(frozen=True)
class _Opened:
    """Cases by day of opening.

    Attributes:
        edges: When the first day begins, and when every day ends.
        opened: When they were opened: instants.
        opened_on: Days of opening, ascending.
        ended_on: Days on which they are open no more.
    """

    edges: np.ndarray
    opened: np.ndarray
    opened_on: np.ndarray
    ended_on: np.ndarray

    def ages(self) -> np.ndarray:
        """Quantiles of the ages of open cases at every day's end, in days; NaN where none is open."""
        width = len(self.edges) + 1
        came, went = (_upto(np.bincount(days, minlength=width)) for days in (self.opened_on, self.ended_on))
        there = came - went
        # Ages rise as openings fall. Interpolated between two neighbours (type 7).
        places = np.outer(there - 1, [1 - quantile for quantile in QUANTILES.values()])
        below = np.maximum(places.astype(np.int64), 0)
        above = np.minimum(below + 1, np.maximum(there - 1, 0)[:, None])
        look_up = _of_few if there.mean() <= MANY else _of_many
        low, high = np.hsplit(look_up(self, there, np.hstack([below, above])), 2)
        ages = (self.edges[1:, None] - (low + (high - low) * (places - below))) / DAY
        ages[there == 0] = np.nan
        return ages


def _of_few(cases: _Opened, there: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Openings of the cases that are open when a day ends, by day and rank, the oldest first: from every pair of both.

    Args:
        cases: The cases.
        there: How many are open at every day's end.
        ranks: Which of them, a row for every day; anything for a day on which none is open.
    """
    first = np.maximum(cases.opened_on, 1).astype(np.int64)
    length = np.maximum(np.minimum(cases.ended_on, len(cases.edges)).astype(np.int64) - first, 0)
    waited = np.flatnonzero(length)
    oldest = waited[np.argsort(cases.opened[waited])]
    first, length = first[oldest], length[oldest]
    begins = np.cumsum(length) - length
    day = np.repeat(first - begins, length) + np.arange(length.sum())
    order = order_of(day, len(cases.edges))
    openings = np.append(np.repeat(cases.opened[oldest], length)[order], 0)
    return openings[np.minimum((np.cumsum(there) - there)[:, None] + ranks, len(openings) - 1)]


def _of_many(cases: _Opened, there: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """As `_of_few`: how many are open is known by day of opening, and only a day's cases are looked at one by one."""
    every_day = np.arange(len(cases.edges) + 2)
    begins = np.searchsorted(cases.opened_on, every_day).tolist()
    order = order_of(cases.ended_on, len(every_day))
    ends = np.searchsorted(cases.ended_on[order], every_day).tolist()
    gone = cases.opened_on[order]
    open_by_day = np.zeros(len(every_day), dtype=np.int64)
    found = np.zeros(ranks.shape, dtype=np.int64)
    for day in range(len(cases.edges)):
        open_by_day[day] += begins[day + 1] - begins[day]
        open_by_day[: day + 1] -= np.bincount(gone[ends[day] : ends[day + 1]], minlength=day + 1)
        if not day or not there[day - 1]:
            continue
        upto = np.cumsum(open_by_day[: day + 1])
        opened_on = np.searchsorted(upto, ranks[day - 1], side="right")
        for own in set(opened_on.tolist()):
            of_day, is_own = slice(begins[own], begins[own + 1]), opened_on == own
            still_open = cases.opened[of_day][cases.ended_on[of_day] > day]
            wanted = ranks[day - 1, is_own] - (upto[own - 1] if own else 0)
            still_open.partition(wanted)
            found[day - 1, is_own] = still_open[wanted]
    return found


def _instants(moments: pl.Series) -> np.ndarray:
    return moments.to_physical().fill_null(_NEVER).to_numpy()
