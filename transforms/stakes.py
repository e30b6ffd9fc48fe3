"""What is at stake: the events and customers behind a gap.

Counting customers does not add over parts of the events, so parts keep one row per customer until
they are put together.
"""

from datetime import timedelta

import polars as pl

from transforms.periods import ROLLING_DAYS, Calendar
from transforms.slots import Slots

COUNTED = ("events", "customers")


def recent_events(matched: pl.LazyFrame, slots: Slots, calendar: Calendar) -> pl.LazyFrame:
    """touchpoint, rule, customer, n: events of the last 28 days, the running day included."""
    frame = slots.frame()
    since = calendar.today - timedelta(days=ROLLING_DAYS)
    later = frame.filter(pl.col("date") >= since)["slot"]
    first = later[0] if later.len() else frame.height
    return _counted(matched.filter(pl.col("slot") >= first), "touchpoint", "rule")


def ownerless_events(matched: pl.LazyFrame, slots: Slots) -> pl.LazyFrame:
    """slot, touchpoint, customer, n: events of a touchpoint while nobody was accountable for it."""
    empty = pl.Series([False, *(tenure.person is None for tenure in slots.tenures)])
    owned = matched.filter(pl.col("touchpoint") > 0)
    return _counted(owned.filter(pl.lit(empty).gather(slots.credited())), "slot", "touchpoint")


def disowned_events(ownerless: pl.LazyFrame, slots: Slots) -> pl.LazyFrame:
    """tenure, customer, n: the same events by the tenure that nobody held."""
    return ownerless.select(slots.credited(), "customer", "n")


def unmatched_events(matched: pl.LazyFrame) -> pl.LazyFrame:
    """feed, kind, channel (codes), customer, n, first_at, last_at: events that no rule matched."""
    when = pl.col("occurred_at")
    return (
        matched.filter(pl.col("touchpoint") == 0)
        .group_by("feed", "kind", "channel", "customer")
        .agg(n=pl.len().cast(pl.Int64), first_at=when.min(), last_at=when.max())
    )


def together(parts: pl.LazyFrame, *keys: str) -> pl.LazyFrame:
    """Parts put together: the keys, events and customers (unknown customers are not counted)."""
    known = pl.col("customer").filter(pl.col("customer") > 0)
    # Less than half the work of adding up by customer first (0.06 against 0.15 CPU s for 800,000 parts).
    return parts.group_by(*keys).agg(events=pl.col("n").sum(), customers=known.n_unique().cast(pl.Int64))


def _counted(matched: pl.LazyFrame, *keys: str) -> pl.LazyFrame:
    return matched.group_by(*keys, "customer").agg(n=pl.len().cast(pl.Int64))
