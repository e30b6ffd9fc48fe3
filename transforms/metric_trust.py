"""How far to believe a number: a grade a component, and the weakest for the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from contracts.accountability import Metric
from contracts.tables import MetricTrust, SampleMix, WhoAnswered
from contracts.tables.findings import COMPONENTS, GRADES
from contracts.workspace import Grades
from transforms.periods import PERIOD_COLUMNS
from transforms.trust import by_feed
from transforms.who_answered import ALL

GRADE = pl.Enum(GRADES)
_PAIR = ["touchpoint_id", "metric"]
_CONFLICTS = pl.DataFrame(
    schema={"touchpoint_id": pl.String, "metric": pl.String, "is_conflicted": pl.Boolean}
)


@dataclass(frozen=True)
class Known:
    """What is known about the numbers besides their scorecard.

    Attributes:
        behind: Which feeds stand behind which numbers: touchpoint, metric, feed (numbers and codes).
        trust: DataTrust.
        names: What the numbers stand for: touchpoint, metric, feed.
        mix: SampleMix.
        answered: WhoAnswered.
        conflicted: touchpoint_id, metric, is_conflicted.
        scales: What `scales_of` the map's metrics says.
    """

    behind: pl.DataFrame
    trust: pl.DataFrame
    names: Mapping[str, Sequence[str]]
    mix: pl.DataFrame = field(default_factory=SampleMix.empty)
    answered: pl.DataFrame = field(default_factory=WhoAnswered.empty)
    conflicted: pl.DataFrame = field(default_factory=lambda: _CONFLICTS)
    scales: Mapping[str, float] = field(default_factory=dict)


def scales_of(metrics: Sequence[Metric]) -> dict[str, float]:
    """How wide the scale is of metrics in points: an NPS's hundred, else from its lowest score to its highest."""
    return {
        one.id: 100.0 if one.estimator == "nps" else float(one.high - one.low)
        for one in metrics
        if one.unit == "points" and one.low is not None and one.high is not None
    }


def metric_trust(card: pl.LazyFrame, known: Known, ends: Grades | None = None) -> pl.LazyFrame:
    """MetricTrust.

    Args:
        card: ScorecardTouchpoint.
        known: What else is known.
        ends: Where the grades end; their defaults when absent.
    """
    ends = ends or Grades()
    judged = (
        card.filter(pl.col("metric") != "events")
        .join(_feeds(known), on=_PAIR)
        .join(_asked(known.mix), on=[*PERIOD_COLUMNS, *_PAIR], how="left")
        .join(_mixed(known.answered), on=[*PERIOD_COLUMNS, *_PAIR], how="left")
        .join(known.conflicted.lazy(), on=_PAIR, how="left")
    )
    half = half_width(known.scales)
    grades = {
        "n": _graded(pl.col("n"), ends.n, rises=True),
        "precision": _graded(half, ends.half_width).fill_null(pl.lit("D", dtype=GRADE)),
        "freshness": pl.when("has_promise").then(
            pl.when("is_stale").then(pl.lit("D", dtype=GRADE)).otherwise(pl.lit("A", dtype=GRADE))
        ),
        "quarantine": _graded(pl.col("quarantine_share"), ends.quarantine_share),
        "response": _graded(pl.col("response_rate"), ends.response_rate, rises=True),
        "representation": _graded(pl.col("mix_excess"), ends.mix_excess),
    }
    graded = judged.with_columns(
        half.alias("half_width"), *(grade.alias(f"{name}_grade") for name, grade in grades.items())
    )
    worst = pl.max_horizontal(pl.col(f"{name}_grade").to_physical() for name in COMPONENTS)
    is_worst = [
        pl.when(pl.col(f"{name}_grade").to_physical() == worst).then(pl.lit(name)) for name in COMPONENTS
    ]
    return graded.with_columns(
        grade=pl.lit(pl.Series(GRADES, dtype=GRADE)).gather(worst), weakest=pl.coalesce(is_worst)
    ).select(MetricTrust.column_names())


def half_width(scales: Mapping[str, float]) -> pl.Expr:
    """Half the interval, as a share of the scale: of scores by its width, of amounts by the value."""
    half = (pl.col("value_high") - pl.col("value_low")) / 2
    width = pl.col("metric").replace_strict(scales, default=None, return_dtype=pl.Float64)
    by_value = pl.when(pl.col("value") != 0).then(half / pl.col("value").abs())
    return pl.when(pl.col("unit") == "share").then(half).otherwise(pl.coalesce(half / width, by_value))


def _graded(value: pl.Expr, ends: Sequence[float], *, rises: bool = False) -> pl.Expr:
    a, b, c = (value >= end if rises else value <= end for end in ends)
    grade = pl.when(a).then(pl.lit("A")).when(b).then(pl.lit("B")).when(c).then(pl.lit("C"))
    return pl.when(value.is_not_null()).then(grade.otherwise(pl.lit("D"))).cast(GRADE)


def _feeds(known: Known) -> pl.LazyFrame:
    """touchpoint_id, metric, feeds, the worst quarantine share, and whether any promises freshness."""
    called = {
        name: pl.lit(pl.Series(told, dtype=pl.String)).gather(pl.col(name))
        for name, told in known.names.items()
    }
    return (
        known.behind.lazy()
        .select(touchpoint_id=called["touchpoint"], metric=called["metric"], feed=called["feed"])
        .join(by_feed(known.trust).lazy(), on="feed")
        .group_by(_PAIR)
        .agg(
            feeds=pl.col("feed").sort().str.join(", "),
            quarantine_share=pl.col("quarantine_share").max(),
            has_promise=pl.col("has_promise").any(),
        )
    )


def _asked(mix: pl.DataFrame) -> pl.LazyFrame:
    """Who was asked and answered; null where nobody's time to answer is over."""
    whole = mix.lazy().filter(pl.col("dimension") == ALL, pl.col("asked_count") > 0)
    return whole.select(
        *PERIOD_COLUMNS,
        *_PAIR,
        "response_rate",
        asked_count="ripe_count",
        answered_count="answered_count",
    )


def _mixed(answered: pl.DataFrame) -> pl.LazyFrame:
    """The dimension in which those who answered resemble those who were there least."""
    told = answered.lazy().filter(pl.col("mix_excess").is_not_null())
    worst = told.sort("mix_excess", "dimension", descending=[True, False]).unique(
        [*PERIOD_COLUMNS, *_PAIR], keep="first", maintain_order=True
    )
    return worst.select(
        *PERIOD_COLUMNS,
        *_PAIR,
        "mix_excess",
        mix_dimension="dimension",
        held_against=pl.col("held_against").cast(pl.String),
    )


def sample_doubts(trust: pl.DataFrame) -> dict[tuple[str, str], list[str]]:
    """Why the samples of the last 28 days cannot be believed: those graded D, in the words of the ladder.

    Args:
        trust: MetricTrust.
    """
    windows = trust.filter(pl.col("period").cast(pl.String) == "rolling_28d", ~pl.col("is_stale"))
    last = windows.filter(pl.col("period_end") == pl.col("period_end").max().over(_PAIR))
    found: dict[tuple[str, str], list[str]] = {}
    for row in last.sort(_PAIR).iter_rows(named=True):
        said = []
        if row["response_grade"] == "D":
            said.append(f"only {row['response_rate']:.1%} of those asked answered")
        if row["representation_grade"] == "D":
            said.append(
                f"{row['mix_excess']:.0%} of the answers would have to come from another {row['mix_dimension']}"
            )
        if said:
            found[row["touchpoint_id"], row["metric"]] = said
    return found
