"""The tables of customers from spans and moves, customer by customer: what those that are made of counts have to say."""

from collections.abc import Sequence

import polars as pl

from contracts.accountability import CustomerGroup
from contracts.events import Codebook
from contracts.tables import FactCustomerCohort, FactCustomerLoss
from contracts.tables.scorecards import FLOW_PERIODS
from transforms import intervals
from transforms.customer_counts import EVERY as _EVERY
from transforms.customer_moves import STEPS
from transforms.customers import _KEYS, _balanced, _named, _periods, _why, _with_all
from transforms.durations import in_units
from transforms.estimate import CONFIDENCE
from transforms.methods.retention import cohort_retention, customer_flow
from transforms.periods import Calendar


def fact_customer_flow(
    spans: pl.LazyFrame, groups: Sequence[CustomerGroup], calendar: Calendar, codebook: Codebook
) -> pl.LazyFrame:
    """FactCustomerFlow's rows, unsorted: every group, every segment of it and `all` of them."""
    every = _with_all(spans, spans, groups, codebook).cache()
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
    return _balanced(pl.concat(rows), groups, calendar)


def fact_customer_loss(
    spans: pl.LazyFrame, groups: Sequence[CustomerGroup], calendar: Calendar, codebook: Codebook
) -> pl.LazyFrame:
    """FactCustomerLoss's rows, unsorted."""
    lost = spans.filter(pl.col("ended_at") <= calendar.today).with_columns(reason=_why(groups, codebook))
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
