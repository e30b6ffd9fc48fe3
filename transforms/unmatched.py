"""Events that no rule matches: their share against its goal, and what to paste into the map for them."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from contracts.tables import UnmatchedShare
from transforms.intervals import wilson, z_of
from transforms.verdict import verdict


def unmatched_share(by_touchpoint: pl.LazyFrame, by_company: pl.LazyFrame, goal: float) -> pl.LazyFrame:
    """UnmatchedShare's rows, one a period, unsorted.

    Args:
        by_touchpoint: ScorecardTouchpoint.
        by_company: ScorecardCompany.
        goal: The share that is allowed.
    """
    grain = ["period", "period_start", "period_end"]
    events = by_company.filter(pl.col("metric") == "events").select(*grain, "is_final", event_count="n")
    lost = by_touchpoint.filter(pl.col("metric") == "events", pl.col("touchpoint_id") == "unmatched")
    joined = events.join(lost.select(*grain, unmatched_count="n"), on=grain, how="left").with_columns(
        pl.col("unmatched_count").fill_null(0), pl.col("period").cast(pl.String)
    )
    low, high = wilson(pl.col("unmatched_count"), pl.col("event_count"), z_of(0.95))
    some = pl.col("event_count") > 0
    return (
        joined.with_columns(
            value=pl.when(some).then(pl.col("unmatched_count") / pl.col("event_count")),
            value_low=pl.when(some).then(low),
            value_high=pl.when(some).then(high),
            n="event_count",
            goal=pl.lit(goal),
            direction=pl.lit("lower", dtype=pl.Enum(["higher", "lower"])),
        )
        .with_columns(verdict())
        .select(UnmatchedShare.column_names())
    )


@dataclass(frozen=True)
class Lost:
    """A kind of event that no rule matches.

    Attributes:
        feed: Its feed.
        kind: Its kind.
        events: How many there were, whole history.
        customers: Customers they happened to.
        channels: Channels they came on.
    """

    feed: str
    kind: str
    events: int
    customers: int
    channels: Sequence[str]


def inbox(unmatched: pl.DataFrame) -> list[Lost]:
    """Kinds of FactEventUnmatched, the most customers first."""
    kinds = (
        unmatched.group_by("feed", "kind")
        .agg(
            pl.col("event_count").sum(),
            pl.col("kind_customer_count").first(),
            pl.col("channel").sort_by("event_count", "channel", descending=[True, False]),
        )
        .sort("kind_customer_count", "event_count", "feed", "kind", descending=[True, True, False, False])
    )
    return [Lost(*row) for row in kinds.iter_rows()]


def free_name(wanted: str, taken: Collection[str]) -> str:
    """An id made of any text that nothing in the map has yet."""
    slug = re.sub(r"[^a-z0-9]+", "_", wanted.lower()).strip("_")[:50] or "event"
    slug = slug if slug[0].isalpha() else f"event_{slug}"
    number, name = 1, slug
    while name in taken:
        number += 1
        name = f"{slug}_{number}"
    return name
