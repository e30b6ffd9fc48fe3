"""Windows that widen until a value says something: the shortest whose interval is narrow enough."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from contracts.accountability import Metric
from contracts.tables import MetricWindow
from transforms.behaviour import SHARES, charts
from transforms.credit import PARTS, Scoring, named
from transforms.estimate import EVENTS
from transforms.measure import ADDITIVE
from transforms.observations import Observations
from transforms.periods import PERIOD, PERIOD_COLUMNS, Calendar
from transforms.verdict import answers_expected

_PAIR = ["touchpoint", "metric"]


@dataclass(frozen=True)
class _Window:
    """So many weeks up to yesterday."""

    weeks: int
    start: date
    end: date

    def named(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The window's rows of a frame with `date`, under the columns of a period."""
        return rows.filter(pl.col("date") >= self.start, pl.col("date") < self.end).with_columns(
            # Its own length is its name; `to_date` has no earlier self that it would be compared with.
            period=pl.lit("to_date", dtype=PERIOD), period_start=pl.lit(self.start), period_end=pl.lit(self.end)
        )  # fmt: skip


def charted(scoring: Scoring) -> frozenset[int]:
    """Numbers of metrics that a window is chosen for anywhere, and of `events`, as `cards.cards` wants them."""
    names = {EVENTS.id, *charts(scoring.atlas)["metric"]}
    return frozenset(number for number, name in enumerate(scoring.metric_ids) if name in names)


def window_sums(daily: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """Credited daily sums as sums of every window that any metric may be told over, as `cards.by_period` has them.

    Of metrics that no window is chosen for anywhere there are none.
    """
    whole = daily.filter(pl.col("dimension") == 0, pl.col("metric").is_in(sorted(charted(scoring))))
    every = [one.named(whole) for one in _windows(scoring)]
    return pl.concat(every).group_by(*PERIOD_COLUMNS, *PARTS).agg(pl.col(*ADDITIVE).sum())


def window_values(values: Observations, scoring: Scoring) -> Observations:
    """Observations of quantiles in every window instead of every period."""
    rows = [
        ("to_date", one.start, one.end, one.start, one.end - timedelta(days=1)) for one in _windows(scoring)
    ]
    kinds = {"period": PERIOD, **dict.fromkeys(("period_start", "period_end", "first", "last"), pl.Date())}
    return values.over(pl.DataFrame(rows, schema=kinds, orient="row"))


def metric_windows(made: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """MetricWindow, unsorted.

    Args:
        made: What `cards.cards` made of the windows, of touchpoints and `charted` metrics.
        scoring: Map, calendar, goals.
    """
    weeks = (pl.col("period_end") - pl.col("period_start")).dt.total_days() // 7
    half = (pl.col("value_high") - pl.col("value_low")) / 2
    allowed = pl.LazyFrame(
        [
            (number, weeks)
            for number, metric in enumerate(scoring.metrics, start=1)
            for weeks in _lengths(metric, scoring.calendar)
        ],
        schema={"metric": pl.UInt16, "window_weeks": pl.Int64},
        orient="row",
    )
    told = (
        made.with_columns(window_weeks=weeks, half_width=half)
        .join(allowed, on=["metric", "window_weeks"], how="semi")
        .with_columns(tolerance=_tolerance(scoring))
        .with_columns(is_narrow_enough=(pl.col("half_width") <= pl.col("tolerance")).fill_null(value=False))
    )
    # The shortest that is narrow enough, else the longest.
    length = pl.col("window_weeks")
    order = pl.when("is_narrow_enough").then(length).otherwise(1000 - length)
    chosen = (
        told.with_columns(__wide=~pl.col("is_narrow_enough"), __order=order)
        .sort(*_PAIR, "__wide", "__order")
        .group_by(_PAIR, maintain_order=True)
        .first()
    )
    return _published(chosen, scoring)


def _published(chosen: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    units = ["count", *(metric.unit for metric in scoring.metrics)]
    days = pl.col("window_weeks") * 7
    return (
        chosen.with_columns(
            touchpoint_id=named("touchpoint", scoring.touchpoints),
            unit=named("metric", units),
            metric=named("metric", scoring.metric_ids),
            excluded_count="excluded",
            window_start_date="period_start",
            window_end_date="period_end",
            answers_expected_date=answers_expected(pl.col("n"), days, scoring.calendar.today),
        )
        .join(charts(scoring.atlas).lazy(), on=["touchpoint_id", "metric"], how="semi")
        .select(pl.col(name).cast(kind) for name, kind in MetricWindow.published_schema().items())
    )


def _windows(scoring: Scoring) -> Iterator[_Window]:
    """Every window that any metric may be told over now."""
    lengths = {weeks for metric in scoring.metrics for weeks in _lengths(metric, scoring.calendar)} or {1}
    today = scoring.calendar.today
    return (_Window(weeks, today - timedelta(weeks=weeks), today) for weeks in sorted(lengths))


def _lengths(metric: Metric, calendar: Calendar) -> Iterator[int]:
    """Lengths in weeks of a metric's windows that lie within the days that are known; its shortest in any case."""
    known = (calendar.today - calendar.first).days // 7
    return (weeks for weeks in metric.windows if weeks <= known or weeks == metric.windows[0])


def _tolerance(scoring: Scoring) -> pl.Expr:
    """The widest half interval that is still useful, by metric."""
    declared = pl.Series([None, *(_declared(metric) for metric in scoring.metrics)], dtype=pl.Float64)
    return pl.coalesce(pl.lit(declared).gather(pl.col("metric")), pl.col("value").abs() / 10)


def _declared(metric: Metric) -> float | None:
    """As the map says; else 0.05 of a share, 10 points; None for a tenth of the value."""
    return metric.tolerance or (
        10.0 if metric.estimator == "nps" else 0.05 if metric.estimator in SHARES else None
    )
