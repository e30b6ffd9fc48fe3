"""Cases opened, resolved, closed and open, day by day, and how old the open ones are.

A case is open at an instant when it was opened before it and not closed before it. Counts come from
sorted milestones; ages from the open cases themselves, which are kept in the order they were opened.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from contracts.tables import FactIssueFlow

DAY = 86_400_000_000
_NEVER = np.iinfo(np.int64).max // 2
_LONG = 30 * DAY
QUANTILES = {"age_p50_days": 0.5, "age_p90_days": 0.9, "age_max_days": 1.0}


def issue_flow(cases: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """The flow of cases of every touchpoint on every day.

    Args:
        cases: touchpoint_id, opened_at, resolved_at, closed_at.
        days: date, starts_at and ends_at (UTC), every day to report, ascending and without a gap.

    Returns:
        FactIssueFlow's rows, by touchpoint and day.
    """
    starts, ends = (_instants(days[name]) for name in ("starts_at", "ends_at"))
    parts = []
    for (touchpoint,), own in cases.partition_by("touchpoint_id", as_dict=True).items():
        columns = {"date": days["date"], "touchpoint_id": touchpoint, **_flow(own, starts, ends)}
        parts.append(pl.DataFrame(columns).with_columns(pl.col(*QUANTILES).fill_nan(None)))
    return pl.concat(parts).select(FactIssueFlow.column_names()) if parts else FactIssueFlow.empty()


def _flow(cases: pl.DataFrame, starts: np.ndarray, ends: np.ndarray) -> Mapping[str, np.ndarray]:
    ordered = cases.sort("opened_at")
    opened = _instants(ordered["opened_at"])
    closed = np.maximum(_instants(ordered["closed_at"]), opened)
    resolved = _instants(ordered["resolved_at"])
    # Who closes without resolving has stopped waiting all the same.
    waiting = np.minimum(np.where(resolved == _NEVER, closed, resolved), closed)
    aged = opened + _LONG
    return {
        "opened_count": _within(opened, starts, ends),
        "resolved_count": _within(resolved, starts, ends),
        "closed_count": _within(_instants(ordered["closed_at"]), starts, ends),
        "backlog_count": _before(opened, ends) - _before(closed, ends),
        "unresolved_count": _before(opened, ends) - _before(waiting, ends),
        "over_30_days_count": _before(aged, ends) - _before(np.maximum(closed, aged), ends),
        **_ages(opened, closed, ends),
    }


def _before(moments: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """How many of the moments lie before each end."""
    return np.searchsorted(np.sort(moments), ends, side="left")


def _within(moments: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    return _before(moments, ends) - _before(moments, starts)


def _ages(opened: np.ndarray, closed: np.ndarray, ends: np.ndarray) -> dict[str, np.ndarray]:
    """Quantiles of the ages of open cases at every day's end, in days; NaN where none is open."""
    found = {name: np.full(len(ends), np.nan) for name in QUANTILES}
    upto = np.searchsorted(opened, ends, side="left")
    known, still_open = 0, (opened[:0], closed[:0])
    for day, end in enumerate(ends):
        if upto[day] > known:  # later cases follow earlier ones, so the order of opening is kept
            fresh = slice(known, upto[day])
            still_open = (
                np.concatenate((still_open[0], opened[fresh])),
                np.concatenate((still_open[1], closed[fresh])),
            )
            known = upto[day]
        kept = still_open[1] >= end
        if not kept.all():
            still_open = (still_open[0][kept], still_open[1][kept])
        since = still_open[0]
        if since.size:
            for name, quantile in QUANTILES.items():
                found[name][day] = (end - _from_end(since, quantile)) / DAY
    return found


def _from_end(since: np.ndarray, quantile: float) -> float:
    """The opening whose age is the quantile: ages rise as openings fall. Interpolates (type 7)."""
    place = (since.size - 1) * (1 - quantile)
    below = int(place)
    low = int(since[below])
    above = int(since[min(below + 1, since.size - 1)])
    return low + (above - low) * (place - below)


def _instants(moments: pl.Series) -> np.ndarray:
    return moments.to_physical().fill_null(_NEVER).to_numpy()
