"""Which feeds stand behind a number, and from which day on it is not known."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from contracts.accountability import Metric
from contracts.events import Codebook
from transforms.measure import in_scale
from transforms.predicates import where_coded

BEHIND: dict[str, pl.DataType] = {"touchpoint": pl.UInt16(), "metric": pl.UInt16(), "feed": pl.UInt16()}
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
    holds = {0: pl.lit(value=True)} | {
        number: where_coded(metric.where, codebook) & in_scale(metric, codebook)
        for number, metric in enumerate(metrics, start=1)
        if metric.of == "events"
    }
    return _counted(matched, holds).select(list(BEHIND))


def feeds_of_cases(cases: pl.LazyFrame, metrics: Sequence[Metric], codebook: Codebook) -> pl.LazyFrame:
    """`BEHIND` of every metric over cases, distinct."""
    return cases_by_feed(cases, metrics, codebook).select(list(BEHIND))


def cases_by_feed(cases: pl.LazyFrame, metrics: Sequence[Metric], codebook: Codebook) -> pl.LazyFrame:
    """`BEHIND` of every metric over cases and `n`, how many cases it is; no row twice."""
    holds = {
        number: where_coded(metric.where, codebook) & pl.col(f"slot_{metric.at}").is_not_null()
        for number, metric in enumerate(metrics, start=1)
        if metric.of == "cases"
    }
    return _counted(cases, holds) if holds else pl.LazyFrame(schema={**BEHIND, "n": pl.Int64})


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


def _counted(rows: pl.LazyFrame, holds: Mapping[int, pl.Expr]) -> pl.LazyFrame:
    owned = rows.filter(pl.col("touchpoint") > 0)
    seen = owned.group_by("touchpoint", "feed").agg(
        held.fill_null(value=False).sum().cast(pl.Int64).alias(str(number)) for number, held in holds.items()
    )
    names = [str(number) for number in holds]
    long = seen.unpivot(names, index=["touchpoint", "feed"], variable_name="metric", value_name="n")
    return long.filter(pl.col("n") > 0).select(
        *(pl.col(name).cast(kind) for name, kind in BEHIND.items()), "n"
    )
