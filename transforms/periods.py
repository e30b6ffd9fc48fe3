"""Weeks, months, quarters, rolling windows: which days they hold. Half-open, in local days.

A rolling window is 28 days long. One ends with every ISO week, so four weeks make it up; one ends with
the last whole day, and one where that one begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from contracts.tables.scorecards import PERIODS

PERIOD = pl.Enum(PERIODS)
ROLLING_DAYS = 28
PERIOD_COLUMNS = ("period", "period_start", "period_end")


@dataclass(frozen=True)
class Calendar:
    """The days that are reported on.

    Attributes:
        first: Day of the first event.
        today: The day that is running; yesterday is the last whole one.
    """

    first: date
    today: date

    @property
    def end(self) -> date:
        """First day after today."""
        return self.today + timedelta(days=1)

    def day_table(self) -> pl.LazyFrame:
        """Every pair of a day and a period that holds it: date and the period's columns."""
        days = pl.LazyFrame({"date": pl.date_range(self.first, self.today, eager=True)})
        return periodic(days.with_columns(n=pl.lit(1)), self, ["date"], ["n"]).drop("n")

    def spans(self) -> pl.LazyFrame:
        """Every period: its columns, `first` and `last`, the days that it holds."""
        held = self.day_table().group_by(PERIOD_COLUMNS)
        return held.agg(first=pl.col("date").min(), last=pl.col("date").max()).sort(PERIOD_COLUMNS)


def periodic(
    daily: pl.LazyFrame, calendar: Calendar, keys: Sequence[str], sums: Sequence[str]
) -> pl.LazyFrame:
    """Daily sums as sums of every period.

    Args:
        daily: `date`, the keys and the sums, one row per day and key.
        calendar: The days that are reported on.
        keys: Columns kept.
        sums: Columns added up.

    Returns:
        period, period_start, period_end, keys, sums. Weeks and months come from days, rolling
        windows from weeks, quarters and the whole from months: sums add.
    """

    def grouped(frame: pl.LazyFrame) -> pl.LazyFrame:
        return frame.group_by(*PERIOD_COLUMNS, *keys).agg(pl.col(*sums).sum())

    weeks = grouped(_truncated(daily, "date", "week", "1w"))
    months = grouped(_truncated(daily, "date", "month", "1mo"))
    return pl.concat(
        [
            weeks,
            months,
            grouped(_truncated(months, "period_start", "quarter", "1q")),
            grouped(_windows_of_weeks(weeks, calendar)),
            grouped(_last_window(daily, calendar)),
            grouped(_whole(months, calendar)),
        ]
    )


def _named(frame: pl.LazyFrame, period: str, start: pl.Expr, end: pl.Expr) -> pl.LazyFrame:
    return frame.with_columns(
        period=pl.lit(period, dtype=PERIOD),
        period_start=start.cast(pl.Date),
        period_end=end.cast(pl.Date),
    )


def _truncated(frame: pl.LazyFrame, column: str, period: str, every: str) -> pl.LazyFrame:
    start = pl.col(column).dt.truncate(every)
    return _named(frame, period, start, start.dt.offset_by(every))


def _windows_of_weeks(weeks: pl.LazyFrame, calendar: Calendar) -> pl.LazyFrame:
    parts = []
    for later in range(ROLLING_DAYS // 7):
        end = pl.col("period_end").dt.offset_by(f"{7 * later}d")
        parts.append(_named(weeks, "rolling_28d", end.dt.offset_by(f"-{ROLLING_DAYS}d"), end))
    return pl.concat(parts).filter(is_window(calendar))


def is_window(calendar: Calendar) -> pl.Expr:
    """Whether 28 days are a window of a calendar: they end with one of its weeks, or are its last or the one before.

    The last two are there on every day of the week and may begin before the first day; on the next day they are gone.
    """
    start, end = pl.col("period_start"), pl.col("period_end")
    last = end.is_in([calendar.today - timedelta(days=ROLLING_DAYS), calendar.today])
    of_weeks = (end.dt.weekday() == 1) & (start >= calendar.first) & (end <= calendar.today)
    return last | of_weeks


def _last_window(daily: pl.LazyFrame, calendar: Calendar) -> pl.LazyFrame:
    """The window that ends with the last whole day, and the one before it."""
    if calendar.today.weekday() == 0:  # the windows that end with weeks are these
        return _named(daily.clear(), "rolling_28d", pl.lit(calendar.first), pl.lit(calendar.end))
    window = timedelta(days=ROLLING_DAYS)
    ends = [calendar.today - window, calendar.today]
    parts = []
    for end in ends:
        held = daily.filter(pl.col("date") >= end - window, pl.col("date") < end)
        parts.append(_named(held, "rolling_28d", pl.lit(end - window), pl.lit(end)))
    return pl.concat(parts)


def _whole(months: pl.LazyFrame, calendar: Calendar) -> pl.LazyFrame:
    return _named(months, "to_date", pl.lit(calendar.first), pl.lit(calendar.end))


def previous_start() -> pl.Expr:
    """Where the period before begins: a whole period earlier; null for `to_date`."""
    start = pl.col("period_start")
    return (
        pl.when(pl.col("period") == "week")
        .then(start.dt.offset_by("-1w"))
        .when(pl.col("period") == "month")
        .then(start.dt.offset_by("-1mo"))
        .when(pl.col("period") == "quarter")
        .then(start.dt.offset_by("-1q"))
        .when(pl.col("period") == "rolling_28d")
        .then(start.dt.offset_by(f"-{ROLLING_DAYS}d"))
    )
