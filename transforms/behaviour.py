"""What the weeks of every metric signal: natural process limits, baselines and runs, for all series at once.

The chart follows the estimator. Shares (csat, ces, share, followed, repeat, fcr) rest on another n every week, so their limits follow
it: Laney's p', which a plain p chart needs at large n. Means, quantiles, net promoter scores, counts and sums are
charted as individuals (XmR); for counts over weeks, equal exposures, u' would be the same chart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from contracts.accountability import AccountabilityMap, Touchpoint
from contracts.tables import ProcessBehaviour
from contracts.tables.goals import CHARTS, SIGNALS
from contracts.tenures import EARLIEST, LATEST, instant
from transforms.business_days import monday
from transforms.estimate import ESTIMATES
from transforms.methods.charts import laney_p_chart, xmr
from transforms.methods.run_rules import RULE_SETS, signals

BASELINE_WEEKS = 26
"""Weeks that limits are worked out from: with 12 a stable process signals 1.7 times a year, with 26 once; a share near
0 or 1 of few answers signals more often (97 % of 30 a week, with 26: twice)."""
LEAST_WEEKS = 12
"""With fewer nothing is signalled: such limits are guesses."""
SHARES = tuple(name for name, how in ESTIMATES.items() if how.method == "wilson")
"""Estimators whose observations are good or bad: csat, ces, share, followed, repeat, fcr."""
ADDED_UP = tuple(name for name, how in ESTIMATES.items() if not how.has_denominator)
"""Estimators of which a week with nothing to count is a week of zero: sum, count."""
_SERIES = ["touchpoint_id", "metric"]
_WEEK = [*_SERIES, "period_start", "period_end", "unit", "n", "numerator", "value", "direction"]
_STRETCH = [*_SERIES, "baseline_start_date"]
_RULES = RULE_SETS["wheeler"]


def process_behaviour(card: pl.LazyFrame, atlas: AccountabilityMap, first: date) -> pl.LazyFrame:
    """ProcessBehaviour.

    Args:
        card: ScorecardTouchpoint.
        atlas: The map: what is judged where, estimators, directions, re-baselinings.
        first: Day of the first event; the week it falls into is only whole when it is a Monday.
    """
    whole = (pl.col("period") == "week") & pl.col("is_final") & ~pl.col("is_stale")
    weeks = card.filter(whole, pl.col("period_start") >= first, pl.col("value").is_not_null()).select(_WEEK)
    judged = _with_quiet_weeks(weeks, card, atlas).join(charts(atlas).lazy(), on=_SERIES)
    return charted(_with_baselines(judged, atlas))


def _with_quiet_weeks(weeks: pl.LazyFrame, card: pl.LazyFrame, atlas: AccountabilityMap) -> pl.LazyFrame:
    """Weeks, and those between in which nothing was counted: for counts and sums they are zero, and no row says so.

    From the first week that has any up to the last whole one, or to the touchpoint's end; where a feed behind the
    metric is late or broken, up to the last week that has any.
    """
    added = [metric.id for metric in atlas.metrics if metric.estimator in ADDED_UP]
    if not added:
        return weeks
    monday_of_today = (pl.col("period_end") - timedelta(days=1)).dt.truncate("1w")
    whole = card.filter(pl.col("period") == "to_date").select(
        *_SERIES, "is_stale", until=monday_of_today - timedelta(days=7)
    )
    counted = weeks.filter(pl.col("metric").is_in(added)).group_by(_SERIES)
    ends = counted.agg(
        pl.col("unit", "direction").first(),
        first=pl.col("period_start").min(),
        last=pl.col("period_start").max(),
    )
    until = pl.when("is_stale").then("last").otherwise(pl.min_horizontal("until", "gone"))
    starts = pl.date_ranges("first", pl.max_horizontal("last", until), "1w")
    quiet = (
        ends.join(whole, on=_SERIES)
        .join(_last_weeks(atlas), on="touchpoint_id", how="left")
        .with_columns(period_start=starts)
        .explode("period_start")
        .join(weeks, on=[*_SERIES, "period_start"], how="anti")
        .with_columns(
            period_end=pl.col("period_start") + timedelta(days=7), n=pl.lit(0, pl.Int64), value=pl.lit(0.0)
        )
    )
    return pl.concat([weeks, quiet.select(name for name in _WEEK if name != "numerator")], how="diagonal")


def _last_weeks(atlas: AccountabilityMap) -> pl.LazyFrame:
    """touchpoint_id, gone: the last week that a touchpoint that has ended was there for as a whole."""
    rows = [
        (one.id, monday(instant(one.exists_until, atlas.zone, LATEST), atlas.zone) - timedelta(days=7))
        for one in atlas.touchpoints
        if one.exists_until is not None
    ]
    return pl.LazyFrame(rows, schema={"touchpoint_id": pl.String, "gone": pl.Date}, orient="row")


def charts(atlas: AccountabilityMap) -> pl.DataFrame:
    """Which metrics are charted where, and how: touchpoint_id, metric, chart."""
    kinds = {one.id: "laney_p" if one.estimator in SHARES else "xmr" for one in atlas.metrics}
    rows = [
        (one.id, metric, kinds[metric])
        for one in atlas.touchpoints
        for metric in dict.fromkeys((*one.metrics, *(goal.metric for goal in one.goals)))
    ]
    schema = {"touchpoint_id": pl.String, "metric": pl.String, "chart": pl.Enum(CHARTS)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def charted(weeks: pl.LazyFrame) -> pl.LazyFrame:
    """Weeks with their limits and signals.

    Runs are counted within the baseline and anew after it, as the false-alarm figures are.

    Args:
        weeks: touchpoint_id, metric, period_start, period_end, unit, direction, chart, n, numerator, value,
            baseline_start_date, baseline_why, in_baseline.
    """
    ordered = weeks.sort(*_SERIES, "period_start").with_columns(pl.col("value").alias("told"))
    shares = ordered.filter(pl.col("chart") == "laney_p").with_columns(count="numerator")
    others = ordered.filter(pl.col("chart") == "xmr")
    limits = [
        others.pipe(xmr, _STRETCH),
        laney_p_chart(shares, _STRETCH).drop("count", "sigma_z"),
    ]
    each = pl.concat(limits, how="diagonal_relaxed").sort(*_SERIES, "period_start")
    marked = signals(each, [*_STRETCH, "in_baseline"], _RULES)
    counted = marked.with_columns(
        baseline_weeks=pl.col("in_baseline").sum().over(_STRETCH).cast(pl.Int64),
        signal=pl.col("signal").cast(pl.String).cast(pl.Enum(SIGNALS)),
    )
    said = pl.when(pl.col("baseline_weeks") >= LEAST_WEEKS).then("signal")
    better = (pl.col("z") > 0) == (pl.col("direction") == "higher")
    return (
        counted.with_columns(signal=said)
        .with_columns(
            is_onset=pl.col("signal").is_not_null() & ~_goes_on(),
            signal_direction=pl.when(pl.col("signal").is_not_null()).then(
                pl.when(better).then(pl.lit("better")).otherwise(pl.lit("worse"))
            ),
        )
        .with_columns(value="told", moving_range_high="range_high", is_baseline="in_baseline")
        .select(_typed())
    )


def _goes_on() -> pl.Expr:
    """Whether the week before, of the same run of weeks, signals the same."""
    same = [pl.col(name) == pl.col(name).shift() for name in (*_STRETCH, "in_baseline", "signal")]
    side = (pl.col("z") > 0) == (pl.col("z").shift() > 0)
    return pl.all_horizontal(*same, side).fill_null(value=False)


def _typed() -> list[pl.Expr]:
    return [pl.col(name).cast(kind) for name, kind in ProcessBehaviour.published_schema().items()]


@dataclass(frozen=True)
class _Begin:
    """Where a new process begins."""

    touchpoint_id: str
    metric: str
    begin: date
    why: str
    weeks: int


def _with_baselines(weeks: pl.LazyFrame, atlas: AccountabilityMap) -> pl.LazyFrame:
    """Weeks with the stretch they belong to, and whether its limits are worked out from them."""
    begins = sorted(
        (one for touchpoint in atlas.touchpoints for one in _begins(touchpoint, atlas)),
        key=lambda one: (one.touchpoint_id, one.metric, one.begin),
    )
    schema = {
        "touchpoint_id": pl.String, "metric": pl.String, "begin": pl.Date, "why": pl.String, "weeks": pl.Int64,
    }  # fmt: skip
    changed = pl.LazyFrame([vars(one) for one in begins], schema=schema)
    stretched = (
        weeks.sort("period_start")
        .join_asof(
            changed.sort("begin"),
            left_on="period_start",
            right_on="begin",
            by=_SERIES,
            check_sortedness=False,
        )
        .sort(*_SERIES, "period_start")
    )
    stretch = [*_SERIES, "begin"]
    place = pl.int_range(pl.len()).over(stretch)
    return stretched.with_columns(
        baseline_start_date=pl.col("period_start").min().over(stretch),
        baseline_why="why",
        in_baseline=place < pl.col("weeks").fill_null(BASELINE_WEEKS),
    )


def _begins(touchpoint: Touchpoint, atlas: AccountabilityMap) -> Iterator[_Begin]:
    """The first week of every declared change; of two in one week the later declaration counts."""
    found = {}
    for change in touchpoint.rebaseline:
        begin = monday(instant(change.at, atlas.zone, EARLIEST), atlas.zone)
        for metric in [change.metric] if change.metric else touchpoint.metrics:
            found[metric, begin] = _Begin(touchpoint.id, metric, begin, change.why, change.weeks)
    yield from found.values()
