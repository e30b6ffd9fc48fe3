"""The only pass over events: sums by slot and touchpoint, from which every scorecard is made.

Sums are exact: values are counted in whole steps of the metric, so their order never matters and the
same events give the same bytes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from contracts.accountability import MOST_STEPS, Metric
from contracts.events import Codebook
from transforms.durations import HOUR, in_units
from transforms.predicates import where_coded
from transforms.quantiles import is_censored, quantile_families

SCORED = ("nps", "csat", "ces", "ces_1")
PAIRED = ("followed", "repeat", "fcr")
"""Estimators that look ahead, to what follows."""

SUMS: Mapping[str, pl.DataType] = {
    "slot": pl.UInt32(),
    "touchpoint": pl.UInt16(),
    "metric": pl.UInt16(),
    "dimension": pl.UInt8(),
    "segment": pl.UInt32(),
    "n": pl.Int64(),
    "excluded": pl.Int64(),
    "outside": pl.Int64(),
    "good": pl.Int64(),
    "total": pl.Int128(),
    "squares": pl.Int128(),
    "promoters": pl.Int64(),
    "detractors": pl.Int64(),
}
"""Columns of the sums. Grain: slot, touchpoint, metric, dimension, segment.

metric: number of the metric, from 1; 0 is `events`, the count of what happened. dimension: number of
the dimension in the metric's `by`, from 1; 0 for the whole. segment: code of the dimension's value.
outside: of the excluded ones those outside the scale, or of more than `MOST_STEPS`; the others have no value, or none that is known yet.
total, squares: in steps of the metric and their squares.
"""

CELL = ("slot", "touchpoint", "metric", "dimension", "segment")
"""The keys of the sums."""
VALUED = {**{name: SUMS[name] for name in CELL}, "value": pl.Float64(), "is_event": pl.Boolean()}
"""An observation of a quantile."""

ANSWERS: Mapping[str, pl.DataType] = {
    "slot": pl.UInt32(),
    "touchpoint": pl.UInt16(),
    "score": pl.Int64(),
    "n": pl.Int64(),
    "metric": pl.UInt16(),
}
"""Columns of `answers`."""

ADDITIVE = ("n", "excluded", "outside", "good", "total", "squares", "promoters", "detractors")


def count_events(matched: pl.LazyFrame) -> pl.LazyFrame:
    """How many events every rule put where: slot, rule, touchpoint, n."""
    return matched.group_by("slot", "rule", "touchpoint").agg(n=pl.len().cast(pl.Int64))


def volume(counted: pl.LazyFrame) -> pl.LazyFrame:
    """Counted events as sums of metric 0."""
    summed = counted.group_by("slot", "touchpoint").agg(pl.col("n").sum())
    return shaped(summed)


def measure_events(
    matched: pl.LazyFrame,
    metrics: Sequence[Metric],
    codebook: Codebook,
    touchpoints: Sequence[str] = (),
) -> pl.LazyFrame:
    """Sums of every metric over events.

    Args:
        matched: Stored events with `slot` and `touchpoint`; those without a touchpoint are left out.
        metrics: The map's metrics; those over cases, and those that look ahead, are skipped here.
        codebook: What the stored codes stand for.
        touchpoints: Ids of touchpoints, the first of which has number 1: for rates that are counted at one.
            A rate whose touchpoint is not among them is skipped.

    Returns:
        `SUMS`, unsorted; sums of parts of the events may be concatenated and added up.
    """
    owned = matched.filter(pl.col("touchpoint") > 0)
    made = [
        part
        for number, metric in enumerate(metrics, start=1)
        if is_summed(metric)
        for part in _sums(owned.filter(where_coded(metric.where, codebook)), metric, number, codebook)
    ]
    return pl.concat([*made, measure_rates(matched, metrics, codebook, touchpoints)])


def is_summed(metric: Metric) -> bool:
    """Whether a metric adds up what each of its own events adds, whatever others there are."""
    return metric.of == "events" and metric.estimator not in ("quantile", "rate", *PAIRED)


def measure_rates(
    matched: pl.LazyFrame, metrics: Sequence[Metric], codebook: Codebook, touchpoints: Sequence[str] = ()
) -> pl.LazyFrame:
    """Sums of rates alone, as `measure_events` has them among others."""
    owned = matched.filter(pl.col("touchpoint") > 0)
    made = [pl.LazyFrame(schema=dict(SUMS))]
    for number, metric in enumerate(metrics, start=1):
        if metric.estimator == "rate" and metric.touchpoint is None:
            made += _rate(owned, metric, number, codebook)
        elif metric.estimator == "rate" and metric.touchpoint in touchpoints:
            place = pl.lit(touchpoints.index(metric.touchpoint) + 1, dtype=pl.UInt16)
            made += _rate(matched.with_columns(touchpoint=place), metric, number, codebook)
    return pl.concat(made)


def _rate(told: pl.LazyFrame, metric: Metric, number: int, codebook: Codebook) -> Iterator[pl.LazyFrame]:
    """What is counted adds to `good`, what it is counted against to `n`."""
    for where, column in ((metric.where, "good"), (metric.exposure, "n")):
        base = told.filter(where_coded(where, codebook))
        for index, dimension in enumerate(["", *metric.by]):
            segment = pl.col(codebook.column(dimension)) if dimension else pl.lit(0)
            summed = base.group_by("slot", "touchpoint", segment.cast(pl.UInt32).alias("segment"))
            counted = summed.agg(pl.len().alias(column))
            yield shaped(counted.with_columns(metric=pl.lit(number), dimension=pl.lit(index)))


def measure_cases(
    cases: pl.LazyFrame,
    metrics: Sequence[Metric],
    codebook: Codebook,
    now: datetime,
    wanted: Callable[[Metric], bool] = lambda _: True,
) -> pl.LazyFrame:
    """Sums of every metric over cases, except quantiles.

    Args:
        cases: Cases with `touchpoint` and `slot_opened`, `slot_resolved`, `slot_closed` (null where
            it has not come to that).
        metrics: The map's metrics; those over events are skipped here.
        codebook: What the codes of attributes stand for.
        now: The instant it is: what follows a case may not be known yet.
        wanted: Of which of them; of all when absent.
    """
    made = [
        part
        for number, metric in enumerate(metrics, start=1)
        if metric.of == "cases" and metric.estimator != "quantile" and wanted(metric)
        for part in _sums(
            judged_cases(_looked_ahead(cases, metric, codebook, now), metric, codebook),
            metric,
            number,
            codebook,
        )
    ]
    return pl.concat(made) if made else pl.LazyFrame(schema=dict(SUMS))


def looks_ahead(metric: Metric) -> bool:
    """Whether what a case counts for hangs on cases that follow it."""
    return metric.estimator in PAIRED


def _looked_ahead(cases: pl.LazyFrame, metric: Metric, codebook: Codebook, now: datetime) -> pl.LazyFrame:
    """Cases with whether the same customer opened another one like it soon after, for metrics that ask."""
    if not looks_ahead(metric):
        return cases
    same = ["customer", *(name if name == "touchpoint" else codebook.column(name) for name in metric.same)]
    within = timedelta(days=metric.within_days or 0)
    opened = pl.col("opened_at")
    alike = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in same)
    # Only the order within the same matters: cases opened at one instant are all repeated but one.
    return cases.sort(*same, "opened_at", maintain_order=True).with_columns(
        __known=(pl.col("customer") > 0) & (opened + within <= now),
        __repeated=(alike & (opened.shift(-1) - opened <= within)).fill_null(value=False),
    )


def case_values(
    cases: pl.LazyFrame, metrics: Sequence[Metric], codebook: Codebook, now: datetime
) -> pl.LazyFrame:
    """Observations of quantiles: `VALUED`.

    Quantiles of the same values share them, under the number of the first of their family. A case that is
    still open now has its age for a duration, without the event, where the metric counts open cases.
    """
    made = []
    for number in quantile_families(metrics):
        metric = metrics[number - 1]
        value = pl.col(codebook.column(metric.value or "")).cast(pl.Float64)
        if is_censored(metric):
            still = pl.col("closed_at").is_null()
            age = in_units((pl.lit(now) - pl.col("opened_at")).dt.total_microseconds(), HOUR)
            so_far = pl.coalesce(value, pl.when(still).then(age))
        else:
            so_far = value
        base = judged_cases(cases, metric, codebook)
        for index, dimension in enumerate(["", *metric.by]):
            segment = pl.col(codebook.column(dimension)) if dimension else pl.lit(0)
            made.append(
                base.select(
                    "slot",
                    "touchpoint",
                    metric=pl.lit(number, dtype=pl.UInt16),
                    dimension=pl.lit(index, dtype=pl.UInt8),
                    segment=segment.cast(pl.UInt32),
                    value=so_far,
                    is_event=value.is_not_null(),
                )
            )
    return pl.concat(made) if made else pl.LazyFrame(schema=VALUED)


def judged_cases(cases: pl.LazyFrame, metric: Metric, codebook: Codebook) -> pl.LazyFrame:
    """The cases in a metric's base, with the `slot` in which they count."""
    slot = pl.col(f"slot_{metric.at}")
    base = cases.filter(where_coded(metric.where, codebook), slot.is_not_null(), pl.col("touchpoint") > 0)
    return base.with_columns(slot.alias("slot"))


def answers(matched: pl.LazyFrame, metrics: Sequence[Metric], codebook: Codebook) -> pl.LazyFrame:
    """How many answers every score got: slot, touchpoint, metric, score, n. Scored metrics only."""
    owned = matched.filter(pl.col("touchpoint") > 0)
    made = [
        owned.filter(where_coded(metric.where, codebook), in_scale(metric, codebook))
        .group_by("slot", "touchpoint", value_of(metric, codebook).cast(pl.Int64).alias("score"))
        .agg(n=pl.len().cast(pl.Int64))
        .with_columns(metric=pl.lit(number, dtype=pl.UInt16))
        for number, metric in enumerate(metrics, start=1)
        if metric.of == "events" and metric.estimator in SCORED
    ]
    return pl.concat(made) if made else pl.LazyFrame(schema=dict(ANSWERS))


def add_up(sums: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Sums by fewer keys."""
    return sums.group_by(keys).agg(pl.col(*ADDITIVE).sum())


def _sums(base: pl.LazyFrame, metric: Metric, number: int, codebook: Codebook) -> Iterator[pl.LazyFrame]:
    valued = base.with_columns(observed(metric, codebook))
    for index, dimension in enumerate(["", *metric.by]):
        segment = pl.col(codebook.column(dimension)) if dimension else pl.lit(0)
        steps = pl.col("__steps").cast(pl.Int128)
        summed = valued.group_by("slot", "touchpoint", segment.cast(pl.UInt32).alias("segment")).agg(
            n=pl.col("__valid").sum(),
            excluded=(~pl.col("__valid")).sum(),
            outside=pl.col("__outside").sum(),
            good=pl.col("__good").sum(),
            total=steps.sum(),
            squares=(steps * steps).sum(),
            promoters=pl.col("__promoter").sum(),
            detractors=pl.col("__detractor").sum(),
        )
        yield shaped(summed.with_columns(metric=pl.lit(number), dimension=pl.lit(index)))


def observed(metric: Metric, codebook: Codebook) -> list[pl.Expr]:
    """What one row adds: whether it counts or is outside the scale, whether it is good, its value in steps."""
    no = pl.lit(value=False)
    if metric.estimator in PAIRED:
        return _observed_ahead(metric)
    value, valid = value_of(metric, codebook), in_scale(metric, codebook)
    # Multiplied: what a division gives depends on how a frame is cut (`transforms.durations`).
    steps = pl.when(valid).then((value * (1 / metric.step)).round()).cast(pl.Int64).fill_null(0)
    is_nps, is_scored = metric.estimator == "nps", metric.estimator in ("csat", "ces")
    top = value >= metric.top if is_scored and metric.top is not None else no
    better = where_coded(metric.good, codebook) if metric.estimator == "share" else top
    outside = value.is_not_null() & ~valid
    return [
        valid.alias("__valid"),
        outside.alias("__outside"),
        (valid & better).fill_null(value=False).alias("__good"),
        steps.alias("__steps"),
        ((valid & (value >= 9)) if is_nps else no).fill_null(value=False).alias("__promoter"),
        ((valid & (value <= 6)) if is_nps else no).fill_null(value=False).alias("__detractor"),
    ]


def _observed_ahead(metric: Metric) -> list[pl.Expr]:
    """What a case adds to a metric that looks ahead."""
    known, repeated, no = pl.col("__known"), pl.col("__repeated"), pl.lit(value=False)
    clean = ~repeated & (pl.col("reopened_count") == 0) & (pl.col("handoff_count") == 0)
    return [
        known.alias("__valid"),
        no.alias("__outside"),
        (known & (clean if metric.estimator == "fcr" else repeated)).alias("__good"),
        pl.lit(0, dtype=pl.Int64).alias("__steps"),
        no.alias("__promoter"),
        no.alias("__detractor"),
    ]


def value_of(metric: Metric, codebook: Codebook) -> pl.Expr:
    """The value that an event gives a metric, in the metric's unit."""
    if metric.value is None:
        return pl.lit(0.0)
    return pl.col(codebook.column(metric.value)).cast(pl.Float64)


def in_scale(metric: Metric, codebook: Codebook) -> pl.Expr:
    """Whether an event gives a metric an observation, once it is in its base."""
    if metric.value is None:
        return pl.lit(value=True)
    low, high = metric.low, metric.high
    if low is None or high is None:
        high = MOST_STEPS * metric.step
        low = -high
    return value_of(metric, codebook).is_between(low, high).fill_null(value=False)


def shaped(summed: pl.LazyFrame) -> pl.LazyFrame:
    """Sums with every column of `SUMS`; those that are not there are 0."""
    there = summed.collect_schema().names()
    return summed.select(
        (pl.col(name) if name in there else pl.lit(0).alias(name)).cast(kind) for name, kind in SUMS.items()
    )
