"""What follows what, of one customer: answers after an invitation, contacts after a contact, returns after a first visit."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from contracts.accountability import MOST_DIMENSIONS, Metric
from contracts.events import INSTANT, Codebook
from transforms.measure import PAIRED, SUMS, shaped
from transforms.predicates import where_coded

_SAME = ("same_1", "same_2")
_BY = tuple(f"by_{place}" for place in range(1, MOST_DIMENSIONS + 1))
FOLLOWED = {
    "metric": pl.UInt16,
    "customer": pl.UInt32,
    **dict.fromkeys(_SAME, pl.UInt32),
    "occurred_at": INSTANT,
    "is_next": pl.Boolean,
    "slot": pl.UInt32,
    "touchpoint": pl.UInt16,
    **dict.fromkeys(_BY, pl.UInt32),
}
"""Events that a metric looks ahead from, and those it looks for. Grain: metric, event, which of the two."""


def paired(metrics: Sequence[Metric]) -> dict[int, Metric]:
    """Metrics over events that look ahead, by number."""
    return {n: m for n, m in enumerate(metrics, start=1) if m.estimator in PAIRED and m.of == "events"}


def followed_events(matched: pl.LazyFrame, metrics: Sequence[Metric], codebook: Codebook) -> pl.LazyFrame:
    """Both kinds of events of every such metric, unsorted: `FOLLOWED`.

    Those that a metric looks ahead from belong to a touchpoint; what follows may belong to none.
    """
    made = []
    for number, metric in paired(metrics).items():
        following = metric.followed_by if metric.estimator == "followed" else metric.where
        same = [_key(name, codebook) for name in metric.same]
        by = [pl.col(codebook.column(name)) for name in metric.by]
        columns = {
            "metric": pl.lit(number),
            "customer": pl.col("customer"),
            **dict(zip(_SAME, [*same, *[pl.lit(0)] * (len(_SAME) - len(same))], strict=True)),
            "occurred_at": pl.col("occurred_at"),
            "slot": pl.col("slot"),
            "touchpoint": pl.col("touchpoint"),
            **dict(zip(_BY, [*by, *[pl.lit(0)] * (len(_BY) - len(by))], strict=True)),
        }
        for is_next, where in ((False, metric.where), (True, following)):
            told = matched if is_next else matched.filter(pl.col("touchpoint") > 0)
            rows = told.filter(where_coded(where, codebook)).select(**columns, is_next=pl.lit(is_next))
            made.append(rows.select(pl.col(name).cast(kind) for name, kind in FOLLOWED.items()))
    return pl.concat(made) if made else pl.LazyFrame(schema=FOLLOWED)


def measure_followed(rows: pl.LazyFrame, metrics: Sequence[Metric], now: datetime) -> pl.LazyFrame:
    """Sums of the metrics that look ahead: `SUMS`, unsorted.

    An event counts in its own slot, and only once all its time to be followed has passed: what is younger, and
    what nobody known did, is excluded. What happens at the same instant does not follow.

    Args:
        rows: What `followed_events` returned, of all events.
        metrics: The map's metrics.
        now: The instant it is.
    """
    made = [
        part
        for number, metric in paired(metrics).items()
        for part in _followed(rows.filter(pl.col("metric") == number), metric, number, now)
    ]
    return pl.concat(made) if made else pl.LazyFrame(schema=dict(SUMS))


def _followed(rows: pl.LazyFrame, metric: Metric, number: int, now: datetime) -> list[pl.LazyFrame]:
    after, within = timedelta(days=metric.after_days), timedelta(days=metric.within_days or 0)
    keys = ["customer", *_SAME]
    known = pl.col("customer") > 0
    next_ones = rows.filter("is_next", known).select(*keys, next_at="occurred_at").sort("next_at")
    since = rows.filter(~pl.col("is_next")).with_columns(looks_from=pl.col("occurred_at") + after)
    found = since.sort("looks_from").join_asof(
        next_ones,
        left_on="looks_from",
        right_on="next_at",
        by=keys,
        strategy="forward",
        allow_exact_matches=metric.after_days > 0,
        check_sortedness=False,
    )
    valid = known & (pl.col("occurred_at") + within <= now)
    is_followed = (pl.col("next_at") <= pl.col("occurred_at") + within).fill_null(value=False)
    judged = found.with_columns(valid=valid, good=valid & is_followed)
    parts = []
    for index in range(len(metric.by) + 1):
        segment = pl.col(_BY[index - 1]) if index else pl.lit(0, dtype=pl.UInt32)
        summed = judged.group_by("slot", "touchpoint", segment.alias("segment")).agg(
            n=pl.col("valid").sum(), excluded=(~pl.col("valid")).sum(), good=pl.col("good").sum()
        )
        parts.append(shaped(summed.with_columns(metric=pl.lit(number), dimension=pl.lit(index))))
    return parts


def _key(name: str, codebook: Codebook) -> pl.Expr:
    return pl.col(name if name == "touchpoint" else codebook.column(name))
