"""The tables of customers from spans and moves, customer by customer: what those that are made of counts have to say."""

from collections.abc import Sequence

import polars as pl

from contracts.accountability import CustomerGroup
from contracts.events import Codebook
from contracts.tables import FactCustomerCohort, FactCustomerFlow, FactCustomerLoss
from contracts.tables.scorecards import FLOW_PERIODS
from transforms import intervals
from transforms.customer_counts import EVERY as _EVERY
from transforms.customers import _COUNTS, _KEYS, ALL, LAPSED, STEPS, _named
from transforms.durations import in_units
from transforms.estimate import CONFIDENCE
from transforms.found import NONE
from transforms.methods.retention import cohort_retention, customer_flow
from transforms.periods import Calendar


def fact_customer_flow(
    spans: pl.LazyFrame, groups: Sequence[CustomerGroup], calendar: Calendar, codebook: Codebook
) -> pl.LazyFrame:
    """FactCustomerFlow's rows, unsorted: every group, every segment of it and `all` of them."""
    every = _with_all(spans, groups, codebook).cache()
    rows = []
    for period in FLOW_PERIODS:
        days = _periods(calendar, period)
        flow = customer_flow(every, days, _KEYS)
        rows.append(
            flow.drop("opening", "opening_value", "closing", "closing_value")
            .join(_standing(every, days, "period_start", "opening"), on=[*_KEYS, "period_start"])
            .join(_standing(every, days, "period_end", "closing"), on=[*_KEYS, "period_end"])
            .with_columns(period=pl.lit(period, dtype=pl.Enum(FLOW_PERIODS)))
        )
    z = intervals.z_of(CONFIDENCE)
    stayed = pl.col("opening") - pl.col("lost") + pl.col("lost_new")
    low, high = intervals.wilson(stayed, pl.col("opening"), z)
    known = pl.col("opening") > 0
    return (
        pl.concat(rows)
        .with_columns(
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
    spans: pl.LazyFrame, groups: Sequence[CustomerGroup], calendar: Calendar, codebook: Codebook
) -> pl.LazyFrame:
    """FactCustomerLoss's rows, unsorted."""
    texts = [codebook.series(codebook.column(group.reason)) if group.reason else None for group in groups]
    told = pl.lit(None, dtype=pl.String)
    for number, text in enumerate(texts):
        if text is not None:
            name = pl.lit(text).gather(pl.col("reason"), null_on_oob=True)
            told = pl.when(pl.col("group") == number).then(name).otherwise(told)
    lost = spans.filter(pl.col("ended_at") <= calendar.today).with_columns(
        reason=pl.when("is_lapsed").then(pl.lit(LAPSED)).otherwise(told).fill_null(NONE)
    )
    starts = pl.col("ended_at").dt.truncate
    return (
        pl.concat(
            lost.with_columns(
                period=pl.lit(period, dtype=pl.Enum(FLOW_PERIODS)), period_start=starts(every).cast(pl.Date)
            )
            for period, every in _EVERY.items()
        )
        .group_by("group", "period", "period_start", "reason")
        .agg(lost_count=pl.len().cast(pl.Int64), lost_value=in_units(pl.col("value").sum(), STEPS))
        .with_columns(**_named(groups))
        .select(FactCustomerLoss.column_names())
    )


def fact_customer_cohort(
    moves: pl.LazyFrame, groups: Sequence[CustomerGroup], calendar: Calendar
) -> pl.LazyFrame:
    """FactCustomerCohort's rows, unsorted: months after the first one, exactly then and then or later."""
    month = 12 * pl.col("date").dt.year().cast(pl.Int64) + pl.col("date").dt.month() - 1
    activity = moves.filter(~pl.col("is_left")).select("group", customer_id="customer", period=month).cache()
    last_whole = 12 * calendar.today.year + calendar.today.month - 2
    cell = ["group", "cohort", "offset"]
    exactly, later = (
        cohort_retention(activity, unbounded=way, last_whole=last_whole, keys=["group"])
        for way in (False, True)
    )
    known = pl.col("cohort_size") > 0
    low, high = intervals.wilson(pl.col("active"), pl.col("cohort_size"), intervals.z_of(CONFIDENCE))
    both = exactly.join(later.select(*cell, active_or_later="active", unbounded="retention"), on=cell)
    return both.with_columns(
        cohort_start=pl.date(pl.col("cohort") // 12, pl.col("cohort") % 12 + 1, 1),
        months_after=pl.col("offset").cast(pl.Int64),
        cohort_count=pl.col("cohort_size").cast(pl.Int64),
        active_count=pl.col("active").cast(pl.Int64),
        active_or_later_count=pl.col("active_or_later").cast(pl.Int64),
        retention_share=pl.col("retention"),
        retention_low=pl.when(known).then(low),
        retention_high=pl.when(known).then(high),
        unbounded_share=pl.col("unbounded"),
        **_named(groups),
    ).select(FactCustomerCohort.column_names())


def _with_all(spans: pl.LazyFrame, groups: Sequence[CustomerGroup], codebook: Codebook) -> pl.LazyFrame:
    """Spans once for their group's segment, by name, and once for the whole group."""
    whole = spans.with_columns(segment=pl.lit(ALL))
    parts = []
    for number, group in enumerate(groups):
        if group.by:
            names = pl.lit(codebook.series(codebook.column(group.by)))
            of_group = spans.filter(pl.col("group") == number)
            parts.append(of_group.with_columns(segment=names.gather(pl.col("segment")).fill_null(NONE)))
    return pl.concat([whole, *parts])


def _periods(calendar: Calendar, period: str) -> pl.LazyFrame:
    days = pl.LazyFrame({"date": pl.date_range(calendar.first, calendar.today, eager=True)})
    every = _EVERY[period]
    start = pl.col("date").dt.truncate(every).cast(pl.Date)
    starts = days.select(period_start=start).unique().sort("period_start")
    return starts.with_columns(period_end=pl.col("period_start").dt.offset_by(every))


def _standing(spans: pl.LazyFrame, periods: pl.LazyFrame, moment: str, name: str) -> pl.LazyFrame:
    """How many customers there are at a moment of every period, and their value: begun less ended before.

    Counted by itself, so that the identity of the flow is a check.
    """
    at = spans.select(_KEYS).unique().join(periods.select(moment), how="cross").sort(moment)
    for sign, day in ((1, "started_at"), (-1, "ended_at")):
        dated = (
            spans.filter(pl.col(day).is_not_null())
            .group_by(*_KEYS, day)
            .agg(pl.len().cast(pl.Int64).alias("__n"), pl.col("value").sum().alias("__v"))
            .sort(*_KEYS, day)
            .with_columns(pl.col("__n", "__v").cum_sum().over(_KEYS))
            .rename({"__n": f"__n{sign}", "__v": f"__v{sign}"})
            .sort(day)
        )
        at = at.join_asof(
            dated,
            left_on=moment,
            right_on=day,
            by=list(_KEYS),
            allow_exact_matches=False,
            check_sortedness=False,
        ).sort(moment)
    n, v = (pl.col(f"__{of}1").fill_null(0) - pl.col(f"__{of}-1").fill_null(0) for of in ("n", "v"))
    return at.select(*_KEYS, moment, n.alias(name), v.alias(f"{name}_value"))
