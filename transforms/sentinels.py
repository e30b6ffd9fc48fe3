"""SamplingSentinel: whether those asked, how many answer, and how soon, have left their usual range."""

from datetime import date, datetime
from typing import cast
from zoneinfo import ZoneInfo

import polars as pl

from contracts.tables import SamplingSentinel
from contracts.tables.trust import SENTINELS
from contracts.tenures import EARLIEST, instant
from transforms.methods.sentinels import trailing
from transforms.sampling import GRAIN, SAMPLED
from transforms.who_answered import Names

_KEYS = ("touchpoint", "metric", "sentinel", "dimension", "segment")
_KINDS = {
    "response_rate": "share",
    "asked_share": "rate",
    "asked_count": "rate",
    "mix": "share",
    "delay": "value",
}
_SERIES = ("touchpoint_id", "metric", "sentinel", "dimension", "segment")
_HOUR, _SHORTEST = 60, 1.0
LATELY_WEEKS = 6
"""A drift stands while the series was judged in so many of the last weeks."""


def sampling_sentinels(
    daily: pl.DataFrame, people: pl.DataFrame, delays: pl.DataFrame, known: pl.DataFrame, names: Names
) -> pl.DataFrame:
    """SamplingSentinel.

    Args:
        daily: What `sampling.sampled_daily` returned, collected.
        people: What `sampling.people_asked` returned, collected.
        delays: What `sampling.answer_delays` returned, collected.
        known: touchpoint, metric, known_until: the first day that is not known whole.
        names: What the numbers stand for.
    """
    first = cast("date | None", daily["date"].min())
    weekly = _whole(_weekly(daily), known, first)
    points = pl.concat(
        [
            _rates(weekly),
            *_asked(weekly),
            _mix(_whole(people, known, first)),
            _delays(_whole(delays, known, first)),
        ]
    )
    usual_from = _usual_from(names)
    dated = points.filter(
        pl.col("n") > 0, pl.col("week_start") >= pl.lit(usual_from).gather(pl.col("metric").cast(pl.UInt32))
    )
    ordered = dated.sort(*_KEYS, "week_start")
    judged = trailing(ordered, list(_KEYS)).with_columns(is_beyond=pl.col("side") != 0)
    made = _published(_since(judged), names)
    last = cast("date | None", known["known_until"].max())
    keys = ["week_start", *_SERIES]
    standing = standing_drifts(made, last).select(keys) if last else made.select(keys).clear()
    return made.join(
        standing.with_columns(is_standing=pl.lit(value=True)), on=keys, how="left", maintain_order="left"
    ).with_columns(pl.col("is_standing").fill_null(value=False))


def standing_drifts(sentinels: pl.DataFrame, known_until: date) -> pl.DataFrame:
    """The rows of the last judged week of every series that has drifted and not come back.

    How many are asked is a drift only when their number and their share have left to the same side: a quota
    keeps the number, a rate keeps the share, and more customers change one of the two.

    Args:
        sentinels: SamplingSentinel.
        known_until: The day until which surveys are known; a series not judged for long has ended.
    """
    keys = list(_SERIES)
    last = sentinels.sort(*keys, "week_start").unique(keys, keep="last", maintain_order=True)
    since = pl.lit(known_until).dt.offset_by(f"-{LATELY_WEEKS}w")
    standing = last.filter("is_drift", pl.col("week_start") >= since).with_columns(
        is_above=pl.col("value") > pl.col("usual")
    )
    counts = pl.col("sentinel").cast(pl.String) == "asked_count"
    shares = pl.col("sentinel").cast(pl.String) == "asked_share"
    on = ["touchpoint_id", "metric", "is_above"]
    both = standing.filter(shares).join(standing.filter(counts).select(on), on=on, how="semi")
    return pl.concat([standing.filter(~counts & ~shares), both]).sort(keys)


def _weekly(daily: pl.DataFrame) -> pl.DataFrame:
    weeks = daily.with_columns(week_start=pl.col("date").dt.truncate("1w"))
    return weeks.group_by("week_start", *GRAIN).agg(pl.col(*SAMPLED).sum())


def _whole(weekly: pl.DataFrame, known: pl.DataFrame, first: date | None) -> pl.DataFrame:
    """Weeks that are known whole: from the first day of all until what is known ends."""
    ended = pl.col("week_start").dt.offset_by("1w") <= pl.col("known_until")
    return weekly.join(known, on=["touchpoint", "metric"]).filter(
        ended, pl.col("week_start") >= pl.lit(first, dtype=pl.Date)
    )


def _point(rows: pl.DataFrame, sentinel: str, count: pl.Expr, n: pl.Expr) -> pl.DataFrame:
    return rows.select(
        "week_start",
        "touchpoint",
        "metric",
        sentinel=pl.lit(sentinel, dtype=pl.Enum(SENTINELS)),
        dimension=pl.col("dimension"),
        segment=pl.col("segment"),
        kind=pl.lit(_KINDS[sentinel]),
        count=count.cast(pl.Float64),
        n=n.cast(pl.Float64),
    )


def _rates(weekly: pl.DataFrame) -> pl.DataFrame:
    ripe = weekly.filter(pl.col("dimension") == 0, pl.col("ripe") == pl.col("asked"))
    return _point(ripe, "response_rate", pl.col("answered"), pl.col("ripe"))


def _asked(weekly: pl.DataFrame) -> list[pl.DataFrame]:
    whole = weekly.filter(pl.col("dimension") == 0, pl.col("lived") > 0)
    shares = _point(whole, "asked_share", pl.col("asked"), pl.col("lived"))
    return [shares, _point(whole, "asked_count", pl.col("asked"), pl.lit(1))]


def _mix(people: pl.DataFrame) -> pl.DataFrame:
    """Every segment that was ever asked, in every week in which anybody was."""
    told = people.filter(pl.col("segment") > 0)
    series = ["touchpoint", "metric", "dimension"]
    sizes = told.group_by(*series, "week_start").agg(size=pl.col("people").sum())
    every = sizes.join(told.select(*series, "segment").unique(), on=series)
    counted = every.join(told, on=[*series, "segment", "week_start"], how="left")
    return _point(counted, "mix", pl.col("people").fill_null(0), pl.col("size"))


def _delays(delays: pl.DataFrame) -> pl.DataFrame:
    rows = delays.with_columns(dimension=pl.lit(0, dtype=pl.UInt8), segment=pl.lit(0, dtype=pl.UInt32))
    hours = pl.max_horizontal(pl.col("minutes"), pl.lit(_SHORTEST)) / _HOUR
    return _point(rows, "delay", hours, pl.col("n"))


def _usual_from(names: Names) -> pl.Series:
    """By number of the metric: the first day whose weeks count as usual."""
    zone: ZoneInfo = names.atlas.zone
    moments: list[datetime | None] = [
        None,
        *(m.sample.usual_from if m.sample else None for m in names.metrics),
    ]
    starts = [instant(one, zone, EARLIEST) for one in moments]
    days = [date.min if one == EARLIEST else one.astimezone(zone).date() for one in starts]
    return pl.Series(days, dtype=pl.Date)


def _since(judged: pl.DataFrame) -> pl.DataFrame:
    """With `drift_since_date`: the first week beyond its limits of those that led up to a drift."""
    keys = list(_KEYS)
    begins = pl.col("is_drift") & ~pl.col("is_drift").shift(fill_value=False).over(keys)
    beyond = pl.when(pl.col("is_beyond").fill_null(value=False)).then("week_start")
    led = pl.min_horizontal(*(beyond.shift(back).over(keys) for back in range(4)))
    return judged.with_columns(
        drift_since_date=pl.when("is_drift").then(pl.when(begins).then(led).forward_fill().over(keys))
    )


def _published(judged: pl.DataFrame, names: Names) -> pl.DataFrame:
    return (
        judged.join(names.segments(), on=["metric", "dimension", "segment"])
        .with_columns(touchpoint_id=names.touchpoint(), metric=names.metric(), n=pl.col("n").cast(pl.Int64))
        .drop("dimension", "segment")
        .rename({"dimension_name": "dimension", "segment_name": "segment"})
        .select(name for name in SamplingSentinel.column_names() if name != "is_standing")
    )
