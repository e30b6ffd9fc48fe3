"""Cases opened, resolved, closed and open, day by day, and how old the open ones are.

A case is open at an instant when it was opened before it and not closed before it. Every moment falls into a day,
by its number; counts are histograms of these numbers, and the earlier of two moments has the lower one. Ages come
from the open cases themselves, in the order they were opened.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from contracts.tables import FactIssueFlow

DAY = 86_400_000_000
_NEVER = np.iinfo(np.int64).max // 2
_LONG = 30 * DAY
_DAY = np.uint16
"""Days of 170 years; what is sorted by 16 bits is looked at once."""
_MILESTONES = ("opened", "resolved", "closed")
QUANTILES = {"age_p50_days": 0.5, "age_p90_days": 0.9, "age_max_days": 1.0}
_MANY = 5_000
"""Beyond so many open at once it is quicker to find the day of opening first."""


def issue_flow(cases: pl.DataFrame, days: pl.DataFrame, together: str | None = None) -> pl.DataFrame:
    """The flow of cases of every touchpoint on every day.

    Args:
        cases: touchpoint_id, opened_at, resolved_at, closed_at.
        days: date, starts_at and ends_at (UTC), every day to report, ascending and without a gap.
        together: What all touchpoints together are called; left out when absent.

    Returns:
        FactIssueFlow's rows, by touchpoint and day.
    """
    lived = cases.sort("opened_at")
    lives = _Lives(
        _instants(pl.concat([days["starts_at"].head(1), days["ends_at"]])),
        *(_instants(lived[f"{name}_at"]) for name in _MILESTONES),
    )
    parts = []
    for name, own in _by_touchpoint(lived["touchpoint_id"], lives, together):
        columns = {"date": days["date"], "touchpoint_id": name, **own.flow(), **own.ages()}
        parts.append(pl.DataFrame(columns).with_columns(pl.col(*QUANTILES).fill_nan(None)))
    return pl.concat(parts).select(FactIssueFlow.column_names()) if parts else FactIssueFlow.empty()


def _by_touchpoint(
    touchpoints: pl.Series, lives: "_Lives", together: str | None
) -> Iterator[tuple[str, "_Lives"]]:
    places = pl.DataFrame({"touchpoint_id": touchpoints}).with_row_index("place")
    for (name,), own in places.partition_by("touchpoint_id", as_dict=True).items():
        yield str(name), lives.at(own["place"].to_numpy())
    if together is not None and lives.opened.size:
        yield together, lives


@dataclass(frozen=True)
class _Lives:
    """Cases in the order of their opening.

    Attributes:
        edges: When the first day begins, and when every day ends.
        opened: Instants; `_NEVER` where it has not come to that.
        resolved: Likewise.
        closed: Likewise.
    """

    edges: np.ndarray
    opened: np.ndarray
    resolved: np.ndarray
    closed: np.ndarray

    def at(self, places: np.ndarray) -> "_Lives":
        """Some of them, with what is known of their days."""
        some = _Lives(self.edges, self.opened[places], self.resolved[places], self.closed[places])
        vars(some)["days"] = {name: of[places] for name, of in self.days.items()}
        return some

    @cached_property
    def days(self) -> Mapping[str, np.ndarray]:
        """Numbers of days, from 1; 0 is before the first one, and what is after the last has one more than that."""
        moments = {name: getattr(self, name) for name in _MILESTONES} | {"aged": self.opened + _LONG}
        return {
            name: np.searchsorted(self.edges, of, side="right").astype(_DAY) for name, of in moments.items()
        }

    @cached_property
    def ended_on(self) -> np.ndarray:
        """The day on which a case is open no more: never before it was opened."""
        return np.maximum(self.days["closed"], self.days["opened"])

    def flow(self) -> Mapping[str, np.ndarray]:
        """How many came, went and were there, by day."""
        opened, aged = self.days["opened"], self.days["aged"]
        upto = self._upto(opened)
        # Who closes without resolving has stopped waiting all the same.
        waiting = np.minimum(self.days["resolved"], self.ended_on)
        return {
            "opened_count": self._on(opened),
            "resolved_count": self._on(self.days["resolved"]),
            "closed_count": self._on(self.days["closed"]),
            "backlog_count": upto - self._upto(self.ended_on),
            "unresolved_count": upto - self._upto(waiting),
            "over_30_days_count": self._upto(aged) - self._upto(np.maximum(self.ended_on, aged)),
        }

    def ages(self) -> Mapping[str, np.ndarray]:
        """Quantiles of the ages of open cases at every day's end, in days; NaN where none is open."""
        at_once = np.cumsum(self._counted(self.days["opened"]) - self._counted(self.ended_on))
        oldest_first = _of_many if at_once.max(initial=0) > _MANY else _of_few
        found = {name: np.full(len(self.edges) - 1, np.nan) for name in QUANTILES}
        for day, still_open in enumerate(oldest_first(self), start=1):
            if still_open.size:
                for name, quantile in QUANTILES.items():
                    since = _from_end(still_open, quantile)
                    found[name][day - 1] = (int(self.edges[day]) - since) / DAY
        return found

    def _counted(self, days: np.ndarray) -> np.ndarray:
        return np.bincount(days, minlength=len(self.edges) + 1)

    def _on(self, days: np.ndarray) -> np.ndarray:
        """How many moments lie within each day."""
        return self._counted(days)[1:-1]

    def _upto(self, days: np.ndarray) -> np.ndarray:
        """How many moments lie before each day's end."""
        return np.cumsum(self._counted(days))[1:-1]


@dataclass(frozen=True)
class _OpenByDay:
    """Openings of the cases open at a day's end, found by day of opening.

    Attributes:
        lives: The cases.
        day: The day.
        begins: Place of the first case of every day of opening.
        upto: How many are open that were opened up to every day.
    """

    lives: _Lives
    day: int
    begins: np.ndarray
    upto: np.ndarray

    @property
    def size(self) -> int:
        return int(self.upto[-1])

    def __getitem__(self, place: int) -> int:
        opened_on = int(np.searchsorted(self.upto, place, side="right"))
        before = int(self.upto[opened_on - 1]) if opened_on else 0
        first = int(self.begins[opened_on])
        own = self.lives.ended_on[first : self.begins[opened_on + 1]] > self.day
        return int(self.lives.opened[first + np.flatnonzero(own)[place - before]])


_Instants = np.ndarray | _OpenByDay
"""Openings of the cases that are open, the oldest first."""


def _of_few(lives: _Lives) -> Iterator[_Instants]:
    """Openings of those open at every day's end: those of the day before that are still open, and later ones."""
    opened, ended_on = lives.opened, lives.ended_on
    upto = np.searchsorted(lives.days["opened"], np.arange(1, len(lives.edges)), side="right")
    known, still_open = 0, (opened[:0], ended_on[:0])
    for day, until in enumerate(upto, start=1):
        if until > known:  # later cases follow earlier ones, so the order of opening is kept
            fresh = slice(known, until)
            still_open = (
                np.concatenate((still_open[0], opened[fresh])),
                np.concatenate((still_open[1], ended_on[fresh])),
            )
            known = until
        kept = still_open[1] > day
        if not kept.all():
            still_open = (still_open[0][kept], still_open[1][kept])
        yield still_open[0]


def _of_many(lives: _Lives) -> Iterator[_Instants]:
    """The same; how many are open is known by day of opening, and only a day's cases are looked at one by one."""
    opened_on, ended_on = lives.days["opened"], lives.ended_on
    every_day = np.arange(len(lives.edges) + 2)
    begins = np.searchsorted(opened_on, every_day)
    order = np.argsort(ended_on, kind="stable")
    ends = np.searchsorted(ended_on[order], every_day)
    open_by_day = np.zeros(len(lives.edges) + 1, dtype=np.int64)
    for day in range(len(lives.edges)):
        open_by_day[day] += begins[day + 1] - begins[day]
        gone = opened_on[order[ends[day] : ends[day + 1]]]
        open_by_day[: day + 1] -= np.bincount(gone, minlength=day + 1)
        if day:
            yield _OpenByDay(lives, day, begins, np.cumsum(open_by_day[: day + 1]))


def _from_end(since: _Instants, quantile: float) -> float:
    """The opening whose age is the quantile: ages rise as openings fall. Interpolates (type 7)."""
    place = (since.size - 1) * (1 - quantile)
    below = int(place)
    low = int(since[below])
    above = int(since[min(below + 1, since.size - 1)])
    return low + (above - low) * (place - below)


def _instants(moments: pl.Series) -> np.ndarray:
    return moments.to_physical().fill_null(_NEVER).to_numpy()
