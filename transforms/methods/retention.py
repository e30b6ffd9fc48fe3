"""Customers opening, gained, back and lost, by volume and value, and cohorts that stay.

A *span* is a stretch in which somebody is a customer: `customer_id`, `started_at`, `ended_at` (null while it
lasts) and `value` (on a named basis: recurring revenue, lifetime). A customer's later spans are returns.
"""

from collections.abc import Sequence

import polars as pl

FLOW = ("opening", "gained", "back", "lost", "closing")


def customer_flow(spans: pl.LazyFrame, periods: pl.LazyFrame, keys: Sequence[str] = ()) -> pl.LazyFrame:
    """What came and went in every period, with the identity opening + gained + back - lost = closing.

    churn = lost from the opening over opening, retention = 1 - churn. Units: customers, the value's unit,
    shares. Source: Bliss 2006, Chief Customer Officer.
    Convention: the base is the customers at the start; who was gained within the period is not in it, and
    `lost_new` counts those of them who left within it. Lapses need a rule, which the spans carry.

    Args:
        spans: `customer_id`, `started_at`, `ended_at`, `value`; a customer's spans do not overlap.
        periods: `period_start`, `period_end` (exclusive), ascending, without gap or overlap.
        keys: Columns of the spans within which customers are counted.

    Returns:
        One row a period and key: keys, the period, `FLOW` and `lost_new` as counts, the same with `_value`, `churn_share`,
        `retention_share`, `value_churn_share`; shares are null without opening customers.
    """
    again = pl.col("started_at") > pl.col("started_at").min().over(*keys, "customer_id")
    told = spans.with_columns(__again=again)
    starts = _in_period(told, periods, "started_at")
    ends = _in_period(told.filter(pl.col("ended_at").is_not_null()), periods, "ended_at")
    came, went = pl.col("__again"), pl.col("started_at") >= pl.col("period_start")
    cell = [*keys, "period_start"]
    gained = starts.group_by(cell).agg(_sums(~came, "gained") + _sums(came, "back"))
    lost = ends.group_by(cell).agg(_sums(pl.col("ended_at").is_not_null(), "lost") + _sums(went, "lost_new"))
    first = periods.select(pl.col("period_start").min().alias("__first"))
    there = pl.col("started_at") < pl.col("__first")
    there &= pl.col("ended_at").is_null() | (pl.col("ended_at") >= pl.col("__first"))
    at_first = [
        there.sum().cast(pl.Int64).alias("__open"),
        pl.col("value").filter(there).sum().alias("__open_value"),
    ]
    placed = told.join(first, how="cross")
    before = placed.group_by(keys).agg(at_first) if keys else placed.select(at_first)
    return closed(before, periods, [gained, lost], keys)


def closed(
    before: pl.LazyFrame, periods: pl.LazyFrame, moved: Sequence[pl.LazyFrame], keys: Sequence[str]
) -> pl.LazyFrame:
    """What came and went with opening, closing and shares, as `customer_flow` returns it.

    Args:
        before: Keys, `__open` and `__open_value`: those who are there when the first period begins.
        periods: As of `customer_flow`.
        moved: Keys, `period_start` and, in any of them, gained, back, lost and lost_new, also as `_value`.
        keys: The keys.
    """
    cell = [*keys, "period_start"]
    rows = before.join(periods, how="cross")
    for one in moved:
        rows = rows.join(one, on=cell, how="left")
    rows = rows.with_columns(pl.exclude(*keys, "period_start", "period_end").fill_null(0))
    rows = rows.sort(cell)  # last: no join promises an order, and what follows runs sums over periods
    for unit in ("", "_value"):
        net = pl.col(f"gained{unit}") + pl.col(f"back{unit}") - pl.col(f"lost{unit}")
        closing = pl.col(f"__open{unit}") + (net.cum_sum().over(keys) if keys else net.cum_sum())
        rows = rows.with_columns(closing.alias(f"closing{unit}"), (closing - net).alias(f"opening{unit}"))
    from_opening = {unit: pl.col(f"lost{unit}") - pl.col(f"lost_new{unit}") for unit in ("", "_value")}
    rows = rows.with_columns(
        churn_share=churn(pl.col("opening"), from_opening[""]),
        value_churn_share=churn(pl.col("opening_value"), from_opening["_value"]),
    )
    names = [f"{name}{unit}" for unit in ("", "_value") for name in (*FLOW, "lost_new")]
    retained = (1 - pl.col("churn_share")).alias("retention_share")
    return rows.select(
        *keys, "period_start", "period_end", *names, "churn_share", retained, "value_churn_share"
    )


def churn(opening: pl.Expr, lost: pl.Expr) -> pl.Expr:
    """Share of those there at the start who were lost: lost / opening; null without any at the start.

    Reproduces: churn_01_telco_counts.
    """
    return pl.when(opening > 0).then(lost / opening)


def _in_period(spans: pl.LazyFrame, periods: pl.LazyFrame, moment: str) -> pl.LazyFrame:
    placed = spans.sort(moment).join_asof(
        periods.sort("period_start"), left_on=moment, right_on="period_start"
    )
    return placed.filter(pl.col(moment) < pl.col("period_end"))


def _sums(held: pl.Expr, name: str) -> list[pl.Expr]:
    return [
        pl.col("value").filter(held).len().cast(pl.Int64).alias(name),
        pl.col("value").filter(held).sum().alias(f"{name}_value"),
    ]


def cohort_retention(
    activity: pl.LazyFrame,
    *,
    unbounded: bool = False,
    last_whole: int | None = None,
    keys: Sequence[str] = (),
) -> pl.LazyFrame:
    """Which share of those first seen in a period is seen again k periods later.

    bounded: active in exactly period k. unbounded: in k or later. Unit: share. Source: Fader and Hardie 2007.
    Convention: bounded; cells that reach into a period which is not over are flagged, not dropped.

    Args:
        activity: keys, `customer_id` and `period` (a running number), any number of rows each.
        unbounded: Whether being seen later counts as being there now.
        last_whole: The last period that is over; every one when absent.
        keys: Columns within which customers are counted.

    Returns:
        keys, cohort, offset, active, cohort_size, retention, is_partial: every offset up to the last period
        seen, or the one after the last whole one, with zeros.
    """
    seen = activity.select(*keys, "customer_id", "period").unique()
    person = [*keys, "customer_id"]
    cohort = pl.col("period").min().over(person)
    placed = seen.with_columns(cohort=cohort, last=pl.col("period").max().over(person))
    sizes = placed.group_by(*keys, "cohort").agg(cohort_size=pl.col("customer_id").n_unique())
    running = None if last_whole is None else last_whole + 1
    last = seen.select(__last=pl.max_horizontal(pl.col("period").max(), running))
    offsets = pl.int_ranges(0, pl.col("__last") - pl.col("cohort") + 1).alias("offset")
    grid = sizes.join(last, how="cross").with_columns(offsets).explode("offset").drop("__last")
    if unbounded:
        people = placed.filter(pl.col("period") == pl.col("cohort"))
        reach = pl.int_ranges(0, pl.col("last") - pl.col("cohort") + 1).alias("offset")
        hits = people.with_columns(reach).explode("offset")
    else:
        hits = placed.with_columns(offset=pl.col("period") - pl.col("cohort"))
    cell = [*keys, "cohort", "offset"]
    active = hits.group_by(cell).agg(active=pl.len())
    whole = pl.lit(value=False) if last_whole is None else pl.col("cohort") + pl.col("offset") > last_whole
    return (
        grid.join(active, on=cell, how="left", nulls_equal=True)
        .with_columns(pl.col("active").fill_null(0))
        .select(
            *cell,
            "active",
            "cohort_size",
            retention=pl.col("active") / pl.col("cohort_size"),
            is_partial=whole,
        )
        .sort(cell)
    )
