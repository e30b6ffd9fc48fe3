"""How old open cases are at the end of every day: order statistics, which do not add up.

They hang on the instants of opening of the cases that are open then. A set of instants has a mark, which adds up; so
of a day whose set has been looked at before, in whatever run, nothing is looked at again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from transforms.groups import order_of
from transforms.known import Known
from transforms.ranked import select

DAY = 86_400_000_000
_DAY = np.uint16
"""Days of 170 years; what is sorted by 16 bits is looked at once."""
QUANTILES = {"age_p50_days": 0.5, "age_p90_days": 0.9, "age_max_days": 1.0}
MANY = 1_000
"""Beyond so many open at the end of a day it is quicker to find the day of opening first."""
AT_ONCE = 1 << 16
"""Of so many moments at once the days are found: they stay in the processor's cache."""

AGED = {"end": pl.Int64, "mark": pl.UInt64, **dict.fromkeys(QUANTILES, pl.Float64)}
"""How old a set of cases is when a day ends: that instant (microseconds since 1970), the set's mark, ages in days."""


class KnownAges(Known):
    """What is known of sets of open cases by day.

    Args:
        known: `AGED`, no pair of end and mark twice; nothing when absent.
    """

    def __init__(self, known: pl.DataFrame | None = None) -> None:
        super().__init__(AGED, ("end", "mark"), known)

    def find(self, ends: np.ndarray, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ages of sets, a row for each, and which of them are known."""
        found, is_known = self._look_up(pl.DataFrame({"end": ends, "mark": marks}))
        return found.select(*QUANTILES).to_numpy().copy(), is_known

    def note(self, ends: np.ndarray, marks: np.ndarray, ages: np.ndarray, *, has_learnt: bool) -> None:
        """Note ages of sets, known before or not."""
        told = {"end": ends, "mark": marks, **dict(zip(QUANTILES, ages.T, strict=True))}
        self._note(pl.DataFrame(told, schema=AGED), has_learnt=has_learnt)


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
class Lives:
    """Cases in any order, by instants.

    Attributes:
        edges: When the first day begins, and when every day ends.
        wanted: Which of the days are looked at: the cases need only be those that are open at their ends.
        touchpoint: Whose they are, numbers.
        opened: When they were opened.
        closed: When they were closed; later than every day where they have not been.
    """

    edges: np.ndarray
    wanted: slice
    touchpoint: np.ndarray
    opened: np.ndarray
    closed: np.ndarray

    def of_all(self) -> np.ndarray:
        """Ages of all open cases at every day's end, as `_Opened.ages`."""
        return self._at(self._order).ages()

    def by_touchpoint(self, touchpoints: Sequence[int]) -> Iterator[np.ndarray]:
        """Ages of the open cases of some touchpoints at every day's end."""
        sizes = np.bincount(self.touchpoint, minlength=max(touchpoints, default=0) + 1)
        order = self._order if np.count_nonzero(sizes) == 1 else self._order[self._by_touchpoint]
        ends = np.cumsum(sizes)
        for number in touchpoints:
            yield self._at(order[ends[number] - sizes[number] : ends[number]]).ages()

    @cached_property
    def _opened_on(self) -> np.ndarray:
        return days_of(self.opened, self.edges)

    @cached_property
    def _ended_on(self) -> np.ndarray:
        """The day on which a case is open no more: never before it was opened."""
        return np.maximum(days_of(self.closed, self.edges), self._opened_on)

    @cached_property
    def _order(self) -> np.ndarray:
        return order_of(self._opened_on, len(self.edges) + 1)

    @cached_property
    def _by_touchpoint(self) -> np.ndarray:
        return order_of(self.touchpoint[self._order], int(self.touchpoint.max(initial=0)) + 1)

    def _at(self, places: np.ndarray) -> "_Opened":
        return _Opened(
            self.edges, self.wanted, self.opened[places], self._opened_on[places], self._ended_on[places]
        )


def _upto(counts: np.ndarray) -> np.ndarray:
    """How many moments lie before each day's end."""
    return np.cumsum(counts, axis=-1)[..., 1:-1]


@dataclass(frozen=True)
class _Opened:
    """Cases by day of opening.

    Attributes:
        edges: When the first day begins, and when every day ends.
        wanted: Which of the days are looked at.
        opened: When they were opened: instants.
        opened_on: Days of opening, ascending.
        ended_on: Days on which they are open no more.
    """

    edges: np.ndarray
    wanted: slice
    opened: np.ndarray
    opened_on: np.ndarray
    ended_on: np.ndarray

    def ages(self) -> np.ndarray:
        """Quantiles of the ages of open cases at every wanted day's end, in days; NaN where none is open."""
        width = len(self.edges) + 1
        came, went = (_upto(np.bincount(days, minlength=width)) for days in (self.opened_on, self.ended_on))
        there = came - went
        # Ages rise as openings fall. Interpolated between two neighbours (type 7).
        places = np.outer(there - 1, [1 - quantile for quantile in QUANTILES.values()])
        below = np.maximum(places.astype(np.int64), 0)
        above = np.minimum(below + 1, np.maximum(there - 1, 0)[:, None])
        look_up = _of_few if there[self.wanted].mean() <= MANY else _of_many
        low, high = np.hsplit(look_up(self, there, np.hstack([below, above])), 2)
        ages = (self.edges[1:, None] - (low + (high - low) * (places - below))) / DAY
        ages[there == 0] = np.nan
        return ages[self.wanted]


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
    """As `_of_few`: how many are open is known by day of opening, and only a day's cases are looked at one by one.

    Only of wanted days; of all others it is anything.
    """
    every_day = np.arange(len(cases.edges) + 2)
    begins = np.searchsorted(cases.opened_on, every_day).tolist()
    order = order_of(cases.ended_on, len(every_day))
    ends = np.searchsorted(cases.ended_on[order], every_day).tolist()
    gone = cases.opened_on[order]
    open_by_day = np.zeros(len(every_day), dtype=np.int64)
    found = np.zeros(ranks.shape, dtype=np.int64)
    for day in range(cases.wanted.stop + 1):
        open_by_day[day] += begins[day + 1] - begins[day]
        open_by_day[: day + 1] -= np.bincount(gone[ends[day] : ends[day + 1]], minlength=day + 1)
        if day <= cases.wanted.start or not there[day - 1]:
            continue
        upto = np.cumsum(open_by_day[: day + 1])
        opened_on = np.searchsorted(upto, ranks[day - 1], side="right")
        for own in set(opened_on.tolist()):
            of_day, is_own = slice(begins[own], begins[own + 1]), opened_on == own
            still_open = cases.opened[of_day][cases.ended_on[of_day] > day]
            wanted = ranks[day - 1, is_own] - (upto[own - 1] if own else 0)
            select(still_open, wanted)
            found[day - 1, is_own] = still_open[wanted]
    return found
