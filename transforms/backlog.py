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
MANY = 1_000
"""Beyond so many open at the end of a day it is quicker to find the day of opening first."""


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
        there = self._upto(self.days["opened"]) - self._upto(self.ended_on)
        # Ages rise as openings fall. Interpolated between two neighbours (type 7).
        places = np.outer(there - 1, [1 - quantile for quantile in QUANTILES.values()])
        below = np.maximum(places.astype(np.int64), 0)
        above = np.minimum(below + 1, np.maximum(there - 1, 0)[:, None])
        look_up = _of_few if there.mean() <= MANY else _of_many
        low, high = np.hsplit(look_up(self, there, np.hstack([below, above])), 2)
        ages = (self.edges[1:, None] - (low + (high - low) * (places - below))) / DAY
        ages[there == 0] = np.nan
        return dict(zip(QUANTILES, ages.T, strict=True))

    def _counted(self, days: np.ndarray) -> np.ndarray:
        return np.bincount(days, minlength=len(self.edges) + 1)

    def _on(self, days: np.ndarray) -> np.ndarray:
        """How many moments lie within each day."""
        return self._counted(days)[1:-1]

    def _upto(self, days: np.ndarray) -> np.ndarray:
        """How many moments lie before each day's end."""
        return np.cumsum(self._counted(days))[1:-1]


def _of_few(lives: _Lives, there: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Openings of the cases that are open when a day ends, by day and rank, the oldest first: from every pair of both.

    Args:
        lives: The cases.
        there: How many are open at every day's end.
        ranks: Which of them, a row for every day; anything for a day on which none is open.
    """
    first = np.maximum(lives.days["opened"], 1).astype(np.int64)
    length = np.maximum(np.minimum(lives.ended_on, len(lives.edges)).astype(np.int64) - first, 0)
    begins = np.cumsum(length) - length
    day = np.repeat(first - begins, length) + np.arange(length.sum())
    order = np.argsort(day.astype(_DAY), kind="stable")
    openings = np.append(np.repeat(lives.opened, length)[order], 0)
    return openings[np.minimum((np.cumsum(there) - there)[:, None] + ranks, len(openings) - 1)]


def _of_many(lives: _Lives, there: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """As `_of_few`: how many are open is known by day of opening, and only a day's cases are looked at one by one."""
    opened_on, ended_on = lives.days["opened"], lives.ended_on
    every_day = np.arange(len(lives.edges) + 2)
    begins = np.searchsorted(opened_on, every_day)
    order = np.argsort(ended_on, kind="stable")
    ends = np.searchsorted(ended_on[order], every_day)
    open_by_day = np.zeros(len(lives.edges) + 1, dtype=np.int64)
    found = np.zeros(ranks.shape, dtype=np.int64)
    for day in range(len(lives.edges)):
        open_by_day[day] += begins[day + 1] - begins[day]
        gone = opened_on[order[ends[day] : ends[day + 1]]]
        open_by_day[: day + 1] -= np.bincount(gone, minlength=day + 1)
        if not day or not there[day - 1]:
            continue
        upto = np.cumsum(open_by_day[: day + 1])
        days_of_opening = np.searchsorted(upto, ranks[day - 1], side="right")
        for place, own in enumerate(days_of_opening):
            of_day = slice(begins[own], begins[own + 1])
            still_open = np.flatnonzero(ended_on[of_day] > day)
            rank = ranks[day - 1, place] - (upto[own - 1] if own else 0)
            found[day - 1, place] = lives.opened[of_day][still_open[rank]]
    return found


def _instants(moments: pl.Series) -> np.ndarray:
    return moments.to_physical().fill_null(_NEVER).to_numpy()
