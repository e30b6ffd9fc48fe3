"""How far to believe a number: a grade a component, and the weakest for the whole."""

from collections.abc import Mapping, Sequence

import polars as pl

from contracts.tables import MetricTrust
from contracts.tables.findings import COMPONENTS, GRADES

GRADE = pl.Enum(GRADES)
N_FROM = (100, 30, 10)
HALF_WIDTH_TO = (0.05, 0.10, 0.20)
QUARANTINE_TO = (0.01, 0.05, 0.10)
"""Where A, B and C end; what is worse is D."""


def metric_trust(
    card: pl.LazyFrame, behind: pl.DataFrame, trust: pl.DataFrame, names: Mapping[str, Sequence[str]]
) -> pl.LazyFrame:
    """MetricTrust.

    Args:
        card: ScorecardTouchpoint.
        behind: Which feeds stand behind which numbers: touchpoint, metric, feed (numbers and codes).
        trust: DataTrust.
        names: What the numbers stand for: touchpoint, metric, feed.
    """
    judged = card.filter(pl.col("metric") != "events").join(
        _feeds(behind, trust, names), on=["touchpoint_id", "metric"]
    )
    grades = {
        "n": _graded(pl.col("n"), N_FROM, rises=True),
        "precision": _graded(half_width(), HALF_WIDTH_TO).fill_null(pl.lit("D", dtype=GRADE)),
        "freshness": pl.when("has_promise").then(
            pl.when("is_stale").then(pl.lit("D", dtype=GRADE)).otherwise(pl.lit("A", dtype=GRADE))
        ),
        "quarantine": _graded(pl.col("quarantine_share"), QUARANTINE_TO),
    }
    graded = judged.with_columns(
        half_width().alias("half_width"), *(grade.alias(f"{name}_grade") for name, grade in grades.items())
    )
    worst = pl.max_horizontal(pl.col(f"{name}_grade").to_physical() for name in COMPONENTS)
    is_worst = [
        pl.when(pl.col(f"{name}_grade").to_physical() == worst).then(pl.lit(name)) for name in COMPONENTS
    ]
    return graded.with_columns(
        grade=pl.lit(pl.Series(GRADES, dtype=GRADE)).gather(worst), weakest=pl.coalesce(is_worst)
    ).select(MetricTrust.column_names())


def half_width() -> pl.Expr:
    """Half the interval, as a share of the scale: of NPS its hundred points, of amounts the value."""
    half = (pl.col("value_high") - pl.col("value_low")) / 2
    unit = pl.col("unit")
    by_value = pl.when(pl.col("value") != 0).then(half / pl.col("value").abs())
    return pl.when(unit == "share").then(half).when(unit == "points").then(half / 100).otherwise(by_value)


def _graded(value: pl.Expr, ends: Sequence[float], *, rises: bool = False) -> pl.Expr:
    a, b, c = (value >= end if rises else value <= end for end in ends)
    grade = pl.when(a).then(pl.lit("A")).when(b).then(pl.lit("B")).when(c).then(pl.lit("C"))
    return pl.when(value.is_not_null()).then(grade.otherwise(pl.lit("D"))).cast(GRADE)


def _feeds(behind: pl.DataFrame, trust: pl.DataFrame, names: Mapping[str, Sequence[str]]) -> pl.LazyFrame:
    """touchpoint_id, metric, feeds, the worst quarantine share, and whether all promise freshness."""
    by_feed = (
        trust.lazy()
        .group_by("feed")
        .agg(
            quarantine_share=pl.when(pl.col("rows_read").sum() > 0).then(
                pl.col("rows_quarantined").sum() / pl.col("rows_read").sum()
            ),
            has_promise=pl.col("age_max_hours").is_not_null().any(),
        )
    )
    called = {
        name: pl.lit(pl.Series(known, dtype=pl.String)).gather(pl.col(name)) for name, known in names.items()
    }
    return (
        behind.lazy()
        .select(touchpoint_id=called["touchpoint"], metric=called["metric"], feed=called["feed"])
        .join(by_feed, on="feed")
        .group_by("touchpoint_id", "metric")
        .agg(
            feeds=pl.col("feed").sort().str.join(", "),
            quarantine_share=pl.col("quarantine_share").max(),
            has_promise=pl.col("has_promise").any(),
        )
    )
