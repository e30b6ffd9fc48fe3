"""Instants: drawing them with the company's rhythm, and writing them down.

Arrays and ``at`` columns hold whole UTC seconds since 1970; Berlin time is for people.
"""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from examples.larkspur import plan

# Monday to Sunday, and hour 0 to 23 of the Berlin day: relative traffic.
_WEEKDAYS = np.array([1.10, 1.05, 1.00, 1.02, 1.08, 0.92, 0.83])
_HOURS = np.array(
    [4, 2, 1, 1, 1, 3, 8, 16, 28, 36, 40, 42, 44, 40, 38, 38, 40, 44, 50, 58, 62, 52, 32, 14],
    dtype=float,
)
_GROWTH = 0.25  # more traffic on the last day than on the first
_CHRISTMAS_EXTRA, _CHRISTMAS_PEAK, _CHRISTMAS_WIDTH = 0.7, 342, 16.0  # share, day of year, days


def seconds(moment: datetime) -> int:
    """Return the instant in whole UTC seconds."""
    return int(moment.timestamp())


WINDOW = (seconds(plan.WINDOW_FROM), seconds(plan.WINDOW_UNTIL))


def draw(
    rng: np.random.Generator,
    count: int,
    first: datetime = plan.WINDOW_FROM,
    until: datetime = plan.WINDOW_UNTIL,
) -> np.ndarray:
    """Draw instants with growth, weekly, daily and pre-Christmas shape.

    Args:
        rng: Source of chance.
        count: How many instants.
        first: First Berlin day.
        until: Berlin day after the last one.

    Returns:
        Sorted UTC seconds, clear of clock changes.

    """
    days = np.arange(np.datetime64(first.date()), np.datetime64(until.date()))
    weights = _day_weights(days)
    day = rng.choice(len(days), count, p=weights / weights.sum())
    hour = rng.choice(24, count, p=_HOURS / _HOURS.sum())
    wall = days[day].astype(np.int64) * plan.DAY + hour * plan.HOUR + rng.integers(0, 3600, count)
    return np.sort(_from_wall(wall))


def clear_of_clock_changes(at: np.ndarray) -> np.ndarray:
    """Move instants whose Berlin wall time occurs twice on by two hours."""
    wall = pl.from_epoch(pl.Series(at), "s").dt.replace_time_zone("UTC")
    changing = _in_clock_change(wall.dt.convert_time_zone(plan.ZONE))
    return at + 2 * plan.HOUR * changing.to_numpy()


def instant(column: str = "at") -> pl.Expr:
    """Express a column of UTC seconds as a UTC datetime in microseconds."""
    epoch = pl.from_epoch(pl.col(column), "s").cast(pl.Datetime("us"))
    return epoch.dt.replace_time_zone("UTC").alias("occurred_at")


def wall(column: str = "at") -> pl.Expr:
    """Express a column of UTC seconds as Berlin time."""
    return instant(column).dt.convert_time_zone(plan.ZONE)


def wall_text(column: str = "at") -> pl.Expr:
    """Write a column of UTC seconds as a Berlin clock shows it, without offset."""
    return wall(column).dt.strftime("%Y-%m-%d %H:%M:%S")


def offset_text(column: str = "at") -> pl.Expr:
    """Write a column of UTC seconds as ISO Berlin time with its offset."""
    return wall(column).dt.strftime("%Y-%m-%dT%H:%M:%S%:z")


def zulu_text(column: str = "at") -> pl.Expr:
    """Write a column of UTC seconds as ISO UTC time ending in Z."""
    return instant(column).dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def month(column: str = "at") -> pl.Expr:
    """Write the Berlin month of a column of UTC seconds, e.g. ``2026-03``."""
    return wall(column).dt.strftime("%Y-%m")


def in_window(column: str = "at") -> pl.Expr:
    """Tell which UTC seconds lie inside the window."""
    return pl.col(column).is_between(*WINDOW, closed="left")


def month_end(name: str) -> datetime:
    """Return the first Berlin instant after a month named like ``2026-03``."""
    return (plan.berlin(f"{name}-01") + timedelta(days=31)).replace(day=1)


def _day_weights(days: np.ndarray) -> np.ndarray:
    """Return the relative traffic of each day."""
    monday_first = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    growth = 1 + _GROWTH * np.linspace(0, 1, len(days))
    day_of_year = (days - days.astype("datetime64[Y]")).astype(np.int64)
    near = np.exp(-(((day_of_year - _CHRISTMAS_PEAK) / _CHRISTMAS_WIDTH) ** 2))
    return _WEEKDAYS[monday_first] * growth * (1 + _CHRISTMAS_EXTRA * near)


def _from_wall(naive: np.ndarray) -> np.ndarray:
    """Turn Berlin wall time, in seconds since its 1970, into UTC seconds."""
    text = pl.from_epoch(pl.Series(naive), "s")
    moved = naive + 2 * plan.HOUR * _in_clock_change(text).to_numpy()
    return pl.from_epoch(pl.Series(moved), "s").dt.replace_time_zone(plan.ZONE).dt.epoch("s").to_numpy()


def _in_clock_change(local: pl.Series) -> pl.Series:
    """Tell which Berlin times fall in the hour a clock change skips or repeats."""
    last_sunday = (local.dt.weekday() == 7) & (local.dt.day() >= 25)
    return local.dt.month().is_in([3, 10]) & last_sunday & (local.dt.hour() == 2)
