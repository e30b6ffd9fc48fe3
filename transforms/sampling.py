"""Who was asked, who answered, who was there: the part of the pass over events that samples need.

An answer is joined to the event that asked for it by their subject, so that a response rate is that of the
people asked on a day, however late they answer, and an answer has the dimensions of its invitation.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from contracts.accountability import Metric
from contracts.events import INSTANT, Codebook
from transforms.measure import in_scale, observed
from transforms.periods import PERIOD_COLUMNS, Calendar, periodic
from transforms.predicates import where_coded
from transforms.slots import Slots

_ASKED, _ANSWERED, _BOUNCED, _LIVED = range(4)
_SUBJECT = ("subject_type", "subject_id")
_PLACE: Mapping[str, pl.DataType] = {
    "part": pl.UInt8(),
    "number": pl.UInt16(),
    "touchpoint": pl.UInt16(),
    "slot": pl.UInt32(),
}
_MOMENT: Mapping[str, pl.DataType] = {
    "occurred_at": INSTANT,
    "customer": pl.UInt32(),
    "subject_type": pl.UInt16(),
    "subject_id": pl.UInt32(),
    "score": pl.Int64(),
}
SAMPLED = ("lived", "asked", "ripe", "answered", "n", "score")
"""Sums of a sample. lived: events of those who could have been asked; asked: those asked; ripe: those of
them whose time to answer is over; answered: those of the ripe who did, in time; n, score: the answers of the
period, and what they add to the numerator in whole steps."""
GRAIN = ("touchpoint", "metric", "dimension", "segment")
"""Numbers: dimension 0 is the whole, i the i-th of the sample's `dimensions`; segment: code of its value."""


def families(metrics: Sequence[Metric]) -> dict[int, list[int]]:
    """Metrics with the same sample, under the number of the first of them."""
    found: dict[int, list[int]] = {}
    for number, metric in enumerate(metrics, start=1):
        if metric.sample is not None:
            first = next((one for one in found if metrics[one - 1].sample == metric.sample), number)
            found.setdefault(first, []).append(number)
    return found


def sample_columns(metrics: Sequence[Metric], codebook: Codebook) -> set[str]:
    """Stored columns that samples need."""
    samples = [metric.sample for metric in metrics if metric.sample is not None]
    named = {name for one in samples for name in (*one.asked, *one.bounced, *one.lived, *one.dimensions)}
    return {codebook.column(name) for name in named} | ({"occurred_at", *_SUBJECT} if samples else set())


def asked_and_answered(
    matched: pl.LazyFrame, metrics: Sequence[Metric], codebook: Codebook
) -> list[pl.LazyFrame]:
    """What samples are made of, of one partition of events; parts may be concatenated.

    Returns:
        Rows of those who were asked (number: of the family), bounced, and answered (number: of the metric),
        with the codes of their dimensions; and sums of those who lived through the touchpoint.
    """
    owned, width = matched.filter(pl.col("touchpoint") > 0), _width(metrics)
    told, lived = ([pl.LazyFrame(schema=one)] for one in sample_schemas(metrics).values())
    for family, members in families(metrics).items():
        sample = metrics[family - 1].sample
        if sample is None:
            continue
        columns = [codebook.column(name) for name in sample.dimensions]
        for part, where in ((_ASKED, sample.asked), (_BOUNCED, sample.bounced)):
            if where:
                told.append(_told(owned.filter(where_coded(where, codebook)), part, family, columns, width))
        for number in members:
            metric = metrics[number - 1]
            base = owned.filter(where_coded(metric.where, codebook), in_scale(metric, codebook))
            told.append(_told(base, _ANSWERED, number, columns, width, _score(metric, codebook)))
        if sample.lived:
            there = owned.filter(where_coded(sample.lived, codebook))
            lived += [_lived(there, family, place, name) for place, name in enumerate(["", *columns])]
    return [pl.concat(told), pl.concat(lived)]


def sampled_daily(
    told: pl.LazyFrame,
    lived: pl.LazyFrame,
    metrics: Sequence[Metric],
    slots: Slots,
    known: pl.LazyFrame,
) -> pl.LazyFrame:
    """Sums of every sample by day: date, `GRAIN`, `SAMPLED`.

    Args:
        told: Rows of `asked_and_answered`, of all partitions.
        lived: Its sums.
        metrics: The map's metrics.
        slots: Where days begin and end.
        known: touchpoint, metric (numbers), known_until, the first day that is not known whole: of every
            touchpoint and the metrics with a sample that it is judged by. Others are left out.
    """
    width, parts = _width(metrics), list[pl.LazyFrame]()
    for family, members in families(metrics).items():
        days = getattr(metrics[family - 1].sample, "answer_days", 0)
        asked = _asked(told, family)
        linked = asked.select((pl.col("subject_id") > 0).any().alias("is_linked"))
        there = _of(lived, _LIVED, family).select(
            "touchpoint", "dimension", "segment", date=slots.day(), lived=pl.col("n")
        )
        for number in members:
            answers = _linked(_of(told, _ANSWERED, number), asked, linked, days, width)
            in_time = answers.filter("is_in_time").with_columns(
                touchpoint=pl.col("asked_touchpoint"), slot=pl.col("asked_slot")
            )
            # A second answer of one person asked adds to n, not to how many of those asked have answered.
            order = [*_SUBJECT, "once", "occurred_at", "score", *_dimensions(width)]
            first = in_time.sort(order).unique([*_SUBJECT, "once"], keep="first")
            rows = [
                _long(_one_each(asked, slots, "asked"), width),
                _long(_one_each(first, slots, "answered"), width),
                _long(_one_each(answers, slots, "n"), width),
                _filled(there),
            ]
            summed = _ripe(pl.concat(rows).with_columns(metric=pl.lit(number, dtype=pl.UInt16)), known, days)
            wide = summed.with_columns(pl.col("score").cast(pl.Int128))
            parts.append(wide.group_by("date", *GRAIN).agg(pl.col(*SAMPLED).sum()))
    return pl.concat(parts) if parts else _no_daily()


def sampled_by_period(daily: pl.LazyFrame, calendar: Calendar) -> pl.LazyFrame:
    """The daily sums as sums of every period: the period's columns, `GRAIN`, `SAMPLED`."""
    return periodic(daily, calendar, GRAIN, SAMPLED).select(*PERIOD_COLUMNS, *GRAIN, *SAMPLED)


def people_asked(told: pl.LazyFrame, metrics: Sequence[Metric], slots: Slots) -> pl.LazyFrame:
    """How many people each week's asking was about: week_start, `GRAIN`, people.

    Somebody who is asked twice in a week is one; whoever is not known counts each time.
    """
    width, parts = _width(metrics), list[pl.LazyFrame]()
    for family, members in families(metrics).items():
        asked = _asked(told, family).with_columns(week_start=slots.day().dt.truncate("1w"))
        who = pl.col("customer")
        people = who.filter(who > 0).n_unique() + (who == 0).sum()
        parts += [
            asked.group_by("week_start", "touchpoint", segment=pl.col(name))
            .agg(people=people.cast(pl.Int64))
            .with_columns(metric=pl.lit(number, dtype=pl.UInt16), dimension=pl.lit(place, dtype=pl.UInt8))
            .select("week_start", *GRAIN, "people")
            for number in members
            for place, name in enumerate(_dimensions(width), start=1)
        ]
    kinds = {"touchpoint": pl.UInt16, "metric": pl.UInt16, "dimension": pl.UInt8, "segment": pl.UInt32}
    return (
        pl.concat(parts)
        if parts
        else pl.LazyFrame(schema={"week_start": pl.Date, **kinds, "people": pl.Int64})
    )


def answer_delays(
    told: pl.LazyFrame, metrics: Sequence[Metric], slots: Slots, known: pl.LazyFrame
) -> pl.LazyFrame:
    """How long those asked in a week took to answer: week_start, touchpoint, metric, n, minutes (median).

    Of weeks whose time to answer is over.
    """
    width, parts = _width(metrics), list[pl.LazyFrame]()
    for family, members in families(metrics).items():
        days = getattr(metrics[family - 1].sample, "answer_days", 0)
        asked = _asked(told, family)
        linked = asked.select((pl.col("subject_id") > 0).any().alias("is_linked"))
        for number in members:
            answers = _linked(_of(told, _ANSWERED, number), asked, linked, days, width)
            waited = answers.filter("is_in_time", pl.col("waited").is_not_null()).with_columns(
                touchpoint=pl.col("asked_touchpoint"), slot=pl.col("asked_slot")
            )
            dated = waited.with_columns(
                week_start=slots.day().dt.truncate("1w"), metric=pl.lit(number, dtype=pl.UInt16)
            )
            summed = dated.group_by("week_start", "touchpoint", "metric").agg(
                n=pl.len().cast(pl.Int64), minutes=pl.col("waited").median()
            )
            over = pl.col("week_start").dt.offset_by(f"{7 + days}d") <= pl.col("known_until")
            parts.append(_with_known(summed, known).filter(over).drop("known_until"))
    schema = {"week_start": pl.Date, "touchpoint": pl.UInt16, "metric": pl.UInt16, "n": pl.Int64}
    return pl.concat(parts) if parts else pl.LazyFrame(schema={**schema, "minutes": pl.Float64})


def _width(metrics: Sequence[Metric]) -> int:
    return max((len(metric.sample.dimensions) for metric in metrics if metric.sample is not None), default=0)


def _dimensions(width: int) -> list[str]:
    return [f"dimension_{place}" for place in range(1, width + 1)]


def sample_schemas(metrics: Sequence[Metric]) -> dict[str, dict[str, pl.DataType]]:
    """Columns of what `asked_and_answered` returns: told, lived."""
    dimensions = dict.fromkeys(_dimensions(_width(metrics)), pl.UInt32())
    lived = {"dimension": pl.UInt8(), "segment": pl.UInt32(), "n": pl.Int64()}
    return {"told": {**_PLACE, **_MOMENT, **dimensions}, "lived": {**_PLACE, **lived}}


def _no_daily() -> pl.LazyFrame:
    kinds = {"touchpoint": pl.UInt16, "metric": pl.UInt16, "dimension": pl.UInt8, "segment": pl.UInt32}
    return pl.LazyFrame(
        schema={"date": pl.Date, **kinds, **dict.fromkeys(SAMPLED, pl.Int64), "score": pl.Int128}
    )


def _score(metric: Metric, codebook: Codebook) -> pl.Expr:
    """What one answer adds to the numerator, in whole steps of `scale_of`."""
    made = {one.meta.output_name(): one for one in observed(metric, codebook)}
    if metric.estimator == "nps":
        return made["__promoter"].cast(pl.Int64) - made["__detractor"].cast(pl.Int64)
    return made["__steps" if metric.estimator == "mean" else "__good"].cast(pl.Int64)


def _told(
    rows: pl.LazyFrame,
    part: int,
    number: int,
    columns: Sequence[str],
    width: int,
    score: pl.Expr | None = None,
) -> pl.LazyFrame:
    coded = [pl.col(name) for name in columns] + [pl.lit(0)] * (width - len(columns))
    names = _dimensions(width)
    kinds = {**_PLACE, **_MOMENT, **dict.fromkeys(names, pl.UInt32())}
    made = rows.select(
        "touchpoint",
        "slot",
        "occurred_at",
        "customer",
        *_SUBJECT,
        part=pl.lit(part),
        number=pl.lit(number),
        score=pl.lit(0) if score is None else score,
        **dict(zip(names, coded, strict=True)),
    )
    return made.select(pl.col(name).cast(kind) for name, kind in kinds.items())


def _lived(rows: pl.LazyFrame, family: int, place: int, column: str) -> pl.LazyFrame:
    segment = (pl.col(column) if column else pl.lit(0)).cast(pl.UInt32).alias("segment")
    kinds = {**_PLACE, "dimension": pl.UInt8(), "segment": pl.UInt32(), "n": pl.Int64()}
    return (
        rows.group_by("touchpoint", "slot", segment)
        .agg(n=pl.len())
        .with_columns(part=pl.lit(_LIVED), number=pl.lit(family), dimension=pl.lit(place))
        .select(pl.col(name).cast(kind) for name, kind in kinds.items())
    )


def _of(rows: pl.LazyFrame, part: int, number: int) -> pl.LazyFrame:
    return rows.filter(pl.col("part") == part, pl.col("number") == number)


def _asked(told: pl.LazyFrame, family: int) -> pl.LazyFrame:
    """Those asked, each subject once, at first; what bounced was not asked."""
    rows = _of(told, _ASKED, family)
    named, nameless = rows.filter(pl.col("subject_id") > 0), rows.filter(pl.col("subject_id") == 0)
    first = named.sort(*_SUBJECT, "occurred_at", "touchpoint", "slot").unique(_SUBJECT, keep="first")
    returned = _of(told, _BOUNCED, family).select(_SUBJECT)
    return pl.concat([first.join(returned, on=_SUBJECT, how="anti"), nameless])


def _linked(
    answers: pl.LazyFrame, asked: pl.LazyFrame, linked: pl.LazyFrame, days: int, width: int
) -> pl.LazyFrame:
    """Answers with what asked for them: asked_touchpoint, asked_slot, waited (minutes), is_in_time.

    A dimension that the answer itself does not tell is that of what asked for it. Where asking has no
    subjects, an answer counts as one to those asked on its own day.
    """
    names = _dimensions(width)
    told = asked.filter(pl.col("subject_id") > 0).select(
        *_SUBJECT,
        asked_touchpoint="touchpoint",
        asked_slot="slot",
        asked_at="occurred_at",
        **{f"asked_{name}": pl.col(name) for name in names},
    )
    joined = answers.join(told, on=_SUBJECT, how="left").join(linked, how="cross")
    waited = pl.col("occurred_at") - pl.col("asked_at")
    own_day = ~pl.col("is_linked").fill_null(value=False)
    in_time = waited.is_between(pl.duration(), pl.duration(days=days))
    return joined.with_columns(
        waited=waited.dt.total_microseconds() / 60_000_000,
        is_in_time=in_time.fill_null(value=False) | own_day,
        asked_touchpoint=pl.coalesce("asked_touchpoint", "touchpoint"),
        asked_slot=pl.coalesce("asked_slot", "slot"),
        once=pl.when(own_day).then(pl.int_range(pl.len())).otherwise(-1),
        **{
            name: pl.when(pl.col(name) > 0).then(pl.col(name)).otherwise(pl.col(f"asked_{name}").fill_null(0))
            for name in names
        },
    )


def _one_each(rows: pl.LazyFrame, slots: Slots, name: str) -> pl.LazyFrame:
    """The rows by day, each counted under a name; only answers of the period (`n`) bring their score."""
    counted = rows.with_columns(pl.lit(1, dtype=pl.Int64).alias(name), date=slots.day())
    return counted if name == "n" else counted.drop("score")


def _long(rows: pl.LazyFrame, width: int) -> pl.LazyFrame:
    """One row for the whole and one for each dimension."""
    columns = rows.collect_schema().names()
    kept = ["date", "touchpoint", *(name for name in SAMPLED if name in columns)]
    whole = rows.select(*kept, dimension=pl.lit(0, dtype=pl.UInt8), segment=pl.lit(0, dtype=pl.UInt32))
    each = [
        rows.select(*kept, dimension=pl.lit(place, dtype=pl.UInt8), segment=pl.col(name))
        for place, name in enumerate(_dimensions(width), start=1)
    ]
    return _filled(pl.concat([whole, *each]))


def _filled(rows: pl.LazyFrame) -> pl.LazyFrame:
    columns = rows.collect_schema().names()
    zeros = [pl.lit(0).alias(name) for name in SAMPLED if name not in columns]
    sums = [pl.col(name).cast(pl.Int64) for name in SAMPLED]
    return rows.with_columns(zeros).select("date", "touchpoint", "dimension", "segment", *sums)


def _ripe(rows: pl.LazyFrame, known: pl.LazyFrame, days: int) -> pl.LazyFrame:
    """The rows with `ripe`, and `answered` of those days only whose time to answer is over."""
    over = pl.col("date").dt.offset_by(f"{1 + days}d") <= pl.col("known_until")
    return _with_known(rows, known).with_columns(
        ripe=pl.when(over).then("asked").otherwise(0), answered=pl.when(over).then("answered").otherwise(0)
    )


def _with_known(rows: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of touchpoints that are judged by the metric, with `known_until`."""
    return rows.join(known, on=["touchpoint", "metric"])
