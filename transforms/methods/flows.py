"""Work that flows: Little's law over a window, what a line can do, rates per thousand."""

from datetime import datetime
from typing import NamedTuple

import polars as pl

from transforms import intervals

_HOUR = 3_600_000_000


def littles_check(cases: pl.LazyFrame, start: datetime, end: datetime) -> pl.LazyFrame:
    """Little's law over a window, exact: time-average in the system = arrival rate x time in the window.

    L = sum of hours in the window / hours of the window. With lambda = arrivals / hours and W = hours in the
    window / arrivals, L = lambda W exactly. The textbook's W (whole times of those closed in the window)
    differs by what was carried over and what is still open: `mean_hours_closed` says by how much.
    Units: cases, cases an hour, hours. Source: Little 1961, 2011; Hopp and Spearman, Factory Physics.

    Args:
        cases: `opened_at` and `closed_at` (null while open).
        start: First instant of the window.
        end: First instant after it.

    Returns:
        One row: hours, sojourn_hours, cases_average (L), arrivals, arrivals_per_hour (lambda),
        hours_in_window (W), cases_from_law, mean_hours_closed.
    """
    opened, closed = pl.col("opened_at"), pl.col("closed_at")
    begin = pl.max_horizontal(opened, pl.lit(start, dtype=pl.Datetime("us", _zone(start))))
    finish = pl.min_horizontal(closed, pl.lit(end, dtype=pl.Datetime("us", _zone(end))))
    inside = (finish - begin).dt.total_microseconds().clip(0, None)
    hours = (end - start).total_seconds() / 3600
    arrived = ((opened >= start) & (opened < end)).sum()
    done = (closed >= start) & (closed < end)
    return (
        cases.select(
            hours=pl.lit(hours),
            sojourn_hours=inside.sum() / _HOUR,
            arrivals=arrived,
            mean_hours_closed=(closed - opened).filter(done).dt.total_microseconds().mean() / _HOUR,
        )
        .with_columns(
            cases_average=pl.col("sojourn_hours") / pl.col("hours"),
            arrivals_per_hour=pl.col("arrivals") / pl.col("hours"),
            hours_in_window=pl.col("sojourn_hours") / pl.col("arrivals"),
        )
        .with_columns(cases_from_law=pl.col("arrivals_per_hour") * pl.col("hours_in_window"))
    )


def _zone(moment: datetime) -> str | None:
    return str(moment.tzinfo) if moment.tzinfo else None


class Line(NamedTuple):
    """What a line does with so much work in it: work in process = throughput x cycle time.

    Attributes:
        throughput: Cases an hour.
        cycle_hours: Hours a case takes.
    """

    throughput: float
    cycle_hours: float


def best_case(work: float, bottleneck_rate: float, raw_hours: float) -> Line:
    """The most a line can do: throughput = min(w / T0, rb), cycle time = max(T0, w / rb).

    Units: cases an hour, hours. Source: Hopp and Spearman, Factory Physics, chapter 7.
    Reproduces: little_01_penny_fab.

    Args:
        work: Cases in the line.
        bottleneck_rate: Cases an hour at the slowest station (rb).
        raw_hours: Hours a case takes when nobody is in its way (T0).
    """
    return Line(min(work / raw_hours, bottleneck_rate), max(raw_hours, work / bottleneck_rate))


def practical_worst_case(work: float, bottleneck_rate: float, raw_hours: float) -> Line:
    """A line of equal stations with the most random times: throughput = w / (W0 + w - 1) rb, W0 = rb T0.

    Cycle time = T0 + (w - 1) / rb. A line that does worse has something to mend.
    Source: Hopp and Spearman, Factory Physics, chapter 7.
    Reproduces: little_01_penny_fab.
    """
    critical = bottleneck_rate * raw_hours
    throughput = work / (critical + work - 1) * bottleneck_rate
    return Line(throughput, raw_hours + (work - 1) / bottleneck_rate)


def worst_case(work: float, bottleneck_rate: float, raw_hours: float) -> Line:
    """The least a line can do, every case waiting for all others: throughput = 1 / T0, cycle time = w T0.

    Source: Hopp and Spearman, Factory Physics, chapter 7. Takes what `best_case` takes.
    """
    del bottleneck_rate  # every law of a line takes the same three, and this one needs only two
    return Line(1 / raw_hours, work * raw_hours)


class Rate(NamedTuple):
    """A rate and its interval.

    Attributes:
        value: Events per so much exposure.
        low: Lower end.
        high: Upper end.
    """

    value: pl.Expr
    low: pl.Expr
    high: pl.Expr


def rate_per(count: pl.Expr, exposure: pl.Expr, z: float, per: float = 1000.0) -> Rate:
    """Events per thousand of exposure (complaints per 1,000 orders), with Byar's interval of the count.

    Unit: events per `per`; null without exposure. Source: Breslow and Day 1987.
    Convention: the count is Poisson and the exposure is known; more complaints than orders are possible.
    """
    low, high = intervals.byar(count, z)
    known = exposure > 0
    return Rate(*(pl.when(known).then(per * term / exposure) for term in (count, low, high)))
