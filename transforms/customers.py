"""Customers opening, gained, back and lost, by volume and value; and cohorts that stay.

From events that show that somebody is a customer, and events that end it. What tells a customer from one day
to the next is a *span*: the days from their first active event until they left, or until they lapsed. Tables are made
of counts of spans by day, see `transforms.customer_counts`; `customer_spans` is the readable way to what they count.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from contracts.accountability import CustomerGroup
from contracts.events import Codebook
from contracts.tables import FactCustomerCohort, FactCustomerFlow, FactCustomerLoss
from contracts.tables.scorecards import FLOW_PERIODS
from transforms import intervals
from transforms.customer_counts import EVERY, Counts
from transforms.customer_moves import STEPS
from transforms.durations import in_units
from transforms.estimate import CONFIDENCE
from transforms.found import NONE
from transforms.methods.retention import closed
from transforms.periods import Calendar

ALL = "all"
LAPSED = "lapsed"
_KEYS = ("group", "segment")
_COUNTS = ("opening", "gained", "back", "lost", "lost_new", "closing")


def customer_spans(moves: pl.LazyFrame, groups: Sequence[CustomerGroup], today: date) -> pl.LazyFrame:
    """The spans of every customer.

    Args:
        moves: What `customer_moves` returned.
        groups: The map's groups.
        today: The day that is running; who lapses on it or later is still a customer.

    Returns:
        group, segment (codes), customer_id, started_at, ended_at (days; null while it lasts), value (whole
        thousandths), reason (code), is_lapsed. Who left and came back on one day never left.
    """
    patience = pl.lit(pl.Series([group.lapse_days for group in groups], dtype=pl.Int64)).gather(
        pl.col("group").cast(pl.UInt32)
    )
    active = ~pl.col("is_left")
    worth = pl.col("steps").filter(active)
    bases = {"total": worth.sum(), "first": worth.first(), "last": worth.last()}
    basis = pl.lit(pl.Series([group.value_basis for group in groups], dtype=pl.String)).gather("group")
    value = pl.coalesce(pl.when(basis == name).then(pl.col(f"__worth_{name}")) for name in bases)
    lapses, left = pl.col("__last") + pl.duration(days=patience + 1), pl.col("__left")
    is_lapsed = left.is_null() & (lapses < today).fill_null(value=False)
    return (
        _told_apart(moves, patience)
        .group_by("__span")
        .agg(
            pl.col("group", "segment").first(),
            pl.col("customer").first().alias("customer_id"),
            pl.col("date").min().alias("started_at"),
            pl.col("date").filter(active).max().alias("__last"),
            pl.col("date").filter(~active).first().alias("__left"),
            pl.col("reason").filter(~active).first().fill_null(0),
            **{f"__worth_{name}": made for name, made in bases.items()},
        )
        .with_columns(is_lapsed=is_lapsed, value=value.fill_null(0))
        .with_columns(ended_at=pl.when(left.is_not_null()).then(left).when(pl.col("is_lapsed")).then(lapses))
        .select(*_KEYS, "customer_id", "started_at", "ended_at", "value", "reason", "is_lapsed")
    )


def _told_apart(moves: pl.LazyFrame, patience: pl.Expr) -> pl.LazyFrame:
    """Moves in order, with the number of the span they belong to; those that change nothing are left out."""
    person = ("group", "customer")
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in person).fill_null(value=False)
    waited = (pl.col("date") - pl.col("date").shift()).dt.total_days()
    is_over = (~same | pl.col("is_left").shift() | (waited > patience).fill_null(value=False)).fill_null(
        value=True
    )
    is_back = pl.col("is_left") & same.shift(-1) & (pl.col("date") == pl.col("date").shift(-1))
    return (
        moves.sort(*person, "occurred_at", "is_left", "steps", "reason", "segment")
        # Leaving ends nothing where nothing lasts, nor when they are back the same day.
        .filter(~(pl.col("is_left") & is_over))
        .filter(~is_back.fill_null(value=False))
        .with_columns(__span=is_over.cum_sum())
    )


def fact_customer_flow(
    counts: Counts, groups: Sequence[CustomerGroup], calendar: Calendar, codebook: Codebook
) -> pl.LazyFrame:
    """FactCustomerFlow's rows, unsorted: every group, every segment of it and `all` of them.

    Args:
        counts: What `customer_counts.counted` returned.
        groups: The map's groups.
        calendar: The days that are reported on.
        codebook: What the codes stand for.
    """
    begun, over = _dated(counts["starts"]), _ended(counts, calendar)
    starts = _with_all(begun, begun.with_columns(is_back="is_back_there"), groups, codebook).cache()
    ends = _with_all(over, over, groups, codebook).cache()
    rows = []
    for period in FLOW_PERIODS:
        days = _periods(calendar, period)
        rows.append(
            _flow(starts, ends, days, period)
            .drop("opening", "opening_value", "closing", "closing_value")
            .join(_standing(starts, ends, days, "period_start", "opening"), on=[*_KEYS, "period_start"])
            .join(_standing(starts, ends, days, "period_end", "closing"), on=[*_KEYS, "period_end"])
            .with_columns(period=pl.lit(period, dtype=pl.Enum(FLOW_PERIODS)))
        )
    return _balanced(pl.concat(rows), groups, calendar)


def _balanced(rows: pl.LazyFrame, groups: Sequence[CustomerGroup], calendar: Calendar) -> pl.LazyFrame:
    """FactCustomerFlow's rows of what came, went and was there, by number of the group."""
    z = intervals.z_of(CONFIDENCE)
    stayed = pl.col("opening") - pl.col("lost") + pl.col("lost_new")
    low, high = intervals.wilson(stayed, pl.col("opening"), z)
    known = pl.col("opening") > 0
    return (
        rows.with_columns(
            retained_count=stayed,
            retention_low=pl.when(known).then(low),
            retention_high=pl.when(known).then(high),
            is_final=pl.col("period_end") <= calendar.today,
            **_named(groups),
            **{f"{name}_value": in_units(pl.col(f"{name}_value"), STEPS) for name in _COUNTS},
        )
        .rename({name: f"{name}_count" for name in _COUNTS})
        .select(FactCustomerFlow.column_names())
    )


def fact_customer_loss(
    counts: Counts, groups: Sequence[CustomerGroup], calendar: Calendar, codebook: Codebook
) -> pl.LazyFrame:
    """FactCustomerLoss's rows, unsorted; arguments as of `fact_customer_flow`."""
    lost = (
        _ended(counts, calendar)
        .filter(pl.col("date") <= calendar.today)
        .with_columns(reason=_why(groups, codebook))
    )
    return (
        pl.concat(
            lost.with_columns(period=pl.lit(period, dtype=pl.Enum(FLOW_PERIODS)), period_start=_begin(period))
            for period in FLOW_PERIODS
        )
        .group_by("group", "period", "period_start", "reason")
        .agg(lost_count=pl.col("n").sum(), lost_value=in_units(pl.col("value").sum(), STEPS))
        .with_columns(**_named(groups))
        .select(FactCustomerLoss.column_names())
    )


def _why(groups: Sequence[CustomerGroup], codebook: Codebook) -> pl.Expr:
    """Why customers are lost, in words."""
    texts = [codebook.series(codebook.column(group.reason)) if group.reason else None for group in groups]
    told = pl.lit(None, dtype=pl.String)
    for number, text in enumerate(texts):
        if text is not None:
            name = pl.lit(text).gather(pl.col("reason"), null_on_oob=True)
            told = pl.when(pl.col("group") == number).then(name).otherwise(told)
    return pl.when("is_lapsed").then(pl.lit(LAPSED)).otherwise(told).fill_null(NONE)


def fact_customer_cohort(counts: Counts, groups: Sequence[CustomerGroup], calendar: Calendar) -> pl.LazyFrame:
    """FactCustomerCohort's rows, unsorted: months after the first one, exactly then and then or later.

    Arguments as of `fact_customer_flow`. The same as `methods.retention.cohort_retention` says, both ways.
    """
    months, lasts = (counts[name].lazy() for name in ("months", "lasts"))
    running = 12 * calendar.today.year + calendar.today.month - 1
    size = pl.col("cohort_count")
    cell = ["group", "cohort", "offset"]
    offsets = pl.int_ranges(0, pl.col("__last") - pl.col("cohort") + 1, dtype=pl.Int64).alias("offset")
    grid = (
        months.filter(pl.col("month") == pl.col("cohort"))
        .select("group", "cohort", cohort_count="n")
        .join(months.select(__last=pl.max_horizontal(pl.col("month").max(), running)), how="cross")
        .with_columns(offsets)
        .explode("offset")
        .drop("__last")
    )
    exactly = months.select("group", "cohort", offset=_after("month"), active_count="n")
    later = (
        grid.join(lasts.select("group", "cohort", "n", __until=_after("last")), on=["group", "cohort"])
        .filter(pl.col("__until") >= pl.col("offset"))
        .group_by(cell)
        .agg(active_or_later_count=pl.col("n").sum())
    )
    low, high = intervals.wilson(pl.col("active_count"), size, intervals.z_of(CONFIDENCE))
    return (
        grid.join(exactly, on=cell, how="left")
        .join(later, on=cell, how="left")
        .with_columns(pl.col("active_count", "active_or_later_count").fill_null(0))
        .with_columns(
            cohort_start=pl.date(pl.col("cohort") // 12, pl.col("cohort") % 12 + 1, 1),
            months_after="offset",
            retention_share=pl.col("active_count") / size,
            retention_low=pl.when(size > 0).then(low),
            retention_high=pl.when(size > 0).then(high),
            unbounded_share=pl.col("active_or_later_count") / size,
            is_partial=pl.col("cohort") + pl.col("offset") >= running,
            **_named(groups),
        )
        .select(FactCustomerCohort.column_names())
    )


def _after(month: str) -> pl.Expr:
    return (pl.col(month) - pl.col("cohort")).cast(pl.Int64)


def _ended(counts: Counts, calendar: Calendar) -> pl.LazyFrame:
    """Spans that are over, by `date`: who lapses today or later is still a customer."""
    ends = _dated(counts["ends"])
    return ends.filter(~pl.col("is_lapsed") | (pl.col("date") < calendar.today))


def _dated(counts: pl.DataFrame) -> pl.LazyFrame:
    """Counts with `date`, the day as one."""
    return counts.lazy().with_columns(date=pl.col("day").cast(pl.Date))


def _begin(period: str) -> pl.Expr:
    """The first day of the period that a date is in."""
    return pl.col("date").dt.truncate(EVERY[period]).cast(pl.Date)


def _flow(starts: pl.LazyFrame, ends: pl.LazyFrame, periods: pl.LazyFrame, period: str) -> pl.LazyFrame:
    """What came and went, as `methods.retention.customer_flow` says of spans."""
    begin = _begin(period).alias("period_start")
    came = starts.group_by(*_KEYS, begin).agg(
        _sums(~pl.col("is_back"), "gained") + _sums(pl.col("is_back"), "back")
    )
    went = ends.group_by(*_KEYS, begin).agg(
        _sums(pl.lit(value=True), "lost") + _sums(pl.col(f"in_{period}"), "lost_new")
    )
    first = pl.col("period_start").min()
    before = (
        pl.concat([starts.select(*_KEYS, "date", "n", "value"), _taken_off(ends)])
        .join(periods.select(first.alias("__first")), how="cross")
        .with_columns(pl.when(pl.col("date") < pl.col("__first")).then(pl.col("n", "value")).otherwise(0))
        .group_by(_KEYS)
        .agg(__open=pl.col("n").sum(), __open_value=pl.col("value").sum())
    )
    return closed(before, periods, [came, went], _KEYS)


def _taken_off(ends: pl.LazyFrame) -> pl.LazyFrame:
    return ends.select(*_KEYS, "date", pl.col("n", "value") * -1)


def _sums(held: pl.Expr, name: str) -> list[pl.Expr]:
    """How many spans, and what they are worth, of those that something holds of."""
    return [
        pl.col("n").filter(held).sum().alias(name),
        pl.col("value").filter(held).sum().alias(f"{name}_value"),
    ]


def _with_all(
    whole: pl.LazyFrame, apart: pl.LazyFrame, groups: Sequence[CustomerGroup], codebook: Codebook
) -> pl.LazyFrame:
    """Rows of groups as a whole, and of their segments, by name."""
    parts = [whole.with_columns(segment=pl.lit(ALL))]
    for number, group in enumerate(groups):
        if group.by:
            names = pl.lit(codebook.series(codebook.column(group.by)))
            of_group = apart.filter(pl.col("group") == number)
            parts.append(of_group.with_columns(segment=names.gather(pl.col("segment")).fill_null(NONE)))
    return pl.concat(parts)


def _periods(calendar: Calendar, period: str) -> pl.LazyFrame:
    days = pl.LazyFrame({"date": pl.date_range(calendar.first, calendar.today, eager=True)})
    every = EVERY[period]
    start = pl.col("date").dt.truncate(every).cast(pl.Date)
    starts = days.select(period_start=start).unique().sort("period_start")
    return starts.with_columns(period_end=pl.col("period_start").dt.offset_by(every))


def _standing(
    starts: pl.LazyFrame, ends: pl.LazyFrame, periods: pl.LazyFrame, moment: str, name: str
) -> pl.LazyFrame:
    """How many customers there are at a moment of every period, and their value: begun less ended before.

    Counted by itself, so that the identity of the flow is a check.
    """
    at = starts.select(_KEYS).unique().join(periods.select(moment), how="cross").sort(moment)
    for side, counts in (("begun", starts), ("over", ends)):
        dated = (
            counts.group_by(*_KEYS, "date")
            .agg(pl.col("n").sum().alias(f"__n_{side}"), pl.col("value").sum().alias(f"__value_{side}"))
            .sort(*_KEYS, "date")
            .with_columns(pl.col(f"__n_{side}", f"__value_{side}").cum_sum().over(_KEYS))
            .sort("date")
        )
        at = at.join_asof(
            dated,
            left_on=moment,
            right_on="date",
            by=list(_KEYS),
            allow_exact_matches=False,
            check_sortedness=False,
        ).sort(moment)
    n, value = (
        pl.col(f"__{of}_begun").fill_null(0) - pl.col(f"__{of}_over").fill_null(0) for of in ("n", "value")
    )
    return at.select(*_KEYS, moment, n.alias(name), value.alias(f"{name}_value"))


def _named(groups: Sequence[CustomerGroup]) -> dict[str, pl.Expr]:
    number = pl.col("group").cast(pl.UInt32)
    ids, units = ([getattr(group, name) for group in groups] for name in ("id", "unit"))
    return {
        "customer_group": pl.lit(pl.Series(ids, dtype=pl.String)).gather(number),
        "unit": pl.lit(pl.Series(units, dtype=pl.String)).gather(number),
    }
