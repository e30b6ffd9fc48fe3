"""Which feeds stand behind a number, and from which day on it is not known."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from contracts.accountability import Metric
from contracts.events import Codebook
from transforms.measure import judged_cases
from transforms.predicates import where_coded

BEHIND = {"touchpoint": pl.UInt16, "metric": pl.UInt16, "feed": pl.UInt16}
"""Columns: numbers of touchpoint and metric (0 is `events`), code of a feed that told of it."""
FROZEN = {"touchpoint": pl.UInt32, "metric": pl.UInt16, "known_until": pl.Date}
"""Columns: touchpoint, metric, and the first day that is not known whole."""


def feeds_of_events(matched: pl.LazyFrame, metrics: Sequence[Metric], codebook: Codebook) -> pl.LazyFrame:
    """`BEHIND` of the volume and of every metric over events, distinct.

    Args:
        matched: Stored events with `touchpoint`.
        metrics: The map's metrics; those over cases are skipped here.
        codebook: What the stored codes stand for.
    """
    owned = matched.filter(pl.col("touchpoint") > 0)
    bases = {0: owned} | {
        number: owned.filter(where_coded(metric.where, codebook))
        for number, metric in enumerate(metrics, start=1)
        if metric.of == "events"
    }
    return _distinct(bases)


def feeds_of_cases(cases: pl.LazyFrame, metrics: Sequence[Metric], codebook: Codebook) -> pl.LazyFrame:
    """`BEHIND` of every metric over cases, distinct."""
    bases = {
        number: judged_cases(cases, metric, codebook)
        for number, metric in enumerate(metrics, start=1)
        if metric.of == "cases"
    }
    return _distinct(bases) if bases else pl.LazyFrame(schema=BEHIND)


def frozen(
    behind: pl.DataFrame, codebook: Codebook, stale_since: Mapping[str, datetime], zone: ZoneInfo
) -> pl.DataFrame:
    """`FROZEN`: touchpoints and metrics behind which a stale feed stands, the earliest first.

    Args:
        behind: `BEHIND`.
        codebook: What the codes of feeds stand for.
        stale_since: The newest event of every stale feed.
        zone: Where days begin and end.
    """
    known = [(code, name) for code, name in enumerate(codebook.series("feed")) if name in stale_since]
    days = [(code, stale_since[name].astimezone(zone).date()) for code, name in known]
    by_feed = pl.DataFrame(days, schema={"feed": pl.UInt16, "known_until": pl.Date}, orient="row")
    return (
        behind.join(by_feed, on="feed")
        .group_by("touchpoint", "metric")
        .agg(pl.col("known_until").min())
        .select(pl.col(name).cast(kind) for name, kind in FROZEN.items())
        .sort("touchpoint", "metric")
    )


def _distinct(bases: Mapping[int, pl.LazyFrame]) -> pl.LazyFrame:
    return pl.concat(
        base.select("touchpoint", "feed").unique().with_columns(metric=pl.lit(number, dtype=pl.UInt16))
        for number, base in bases.items()
    ).select(pl.col(name).cast(kind) for name, kind in BEHIND.items())
