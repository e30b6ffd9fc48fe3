"""Restatement: published values of ended periods that a new release changes, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from contracts.tables import (
    Restatement,
    ScorecardCompany,
    ScorecardOwner,
    ScorecardStage,
    ScorecardTeam,
    ScorecardTouchpoint,
    Table,
)
from transforms.periods import PERIOD_COLUMNS, Calendar, is_window
from transforms.who_answered import ALL

SCOPES: Mapping[type[Table], str | None] = {
    ScorecardTouchpoint: "touchpoint_id",
    ScorecardOwner: "owner_id",
    ScorecardTeam: "team_id",
    ScorecardStage: "stage_id",
    ScorecardCompany: None,
}
"""Scorecards whose values are kept account of, and the column of their scope."""
_ROW = ["scope_id", "metric", *PERIOD_COLUMNS]
_VALUES = ["value", "n", "is_final"]
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Between:
    """What happened between the release before and this one.

    Attributes:
        release: The number of the new one.
        now: The workspace's instant.
        ended: First day that the release before did not report on: periods that ended until then were final.
        has_events: Whether the event store changed.
        has_map: Whether the map did.
        metrics: Metrics whose declaration changed.
    """

    release: int
    now: datetime
    ended: date
    has_events: bool
    has_map: bool
    metrics: frozenset[str] = frozenset()


def restatements(
    before: Mapping[type[Table], pl.DataFrame], after: Mapping[type[Table], pl.DataFrame], between: Between
) -> pl.DataFrame:
    """Restatement's rows of this release.

    Windows of 28 days are held against each other where both releases have them: those that end on a running day
    come and go with it.

    Args:
        before: Scorecards as the release before has them.
        after: The same scorecards, made now.
        between: What happened in between.
    """
    lasting = (pl.col("period") != "rolling_28d") | (_has_window(before) & _has_window(after))
    parts = [
        _changed(_plain(before[table], scope), _plain(after[table], scope), between)
        .filter(lasting)
        .with_columns(scorecard=pl.lit(table.table_name()))
        for table, scope in SCOPES.items()
        if table in before and table in after
    ]
    if not parts:
        return Restatement.empty()
    told = pl.concat(parts).with_columns(
        release_number=pl.lit(between.release, dtype=pl.Int64),
        restated_at=pl.lit(between.now).cast(pl.Datetime("us", "UTC")),
        why=_why(between),
    )
    return told.select(pl.col(name).cast(kind) for name, kind in Restatement.published_schema().items())


def kept(log: pl.DataFrame, now: datetime, days: int) -> pl.DataFrame:
    """The rows that are still told of."""
    return log.filter(pl.col("restated_at") >= now - timedelta(days=days))


def marks_of(log: pl.DataFrame) -> pl.DataFrame:
    """touchpoint_id, metric and period: the touchpoints' values that a log tells of, each once."""
    own = log.filter(pl.col("scorecard") == ScorecardTouchpoint.table_name())
    periods = [pl.col("period").cast(pl.String), *PERIOD_COLUMNS[1:]]
    return own.select(pl.col("scope_id").alias("touchpoint_id"), "metric", *periods).unique()


def with_restated(card: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
    """ScorecardTouchpoint with `is_restated`, by `marks_of` the log of all releases so far."""
    plain = card.drop("is_restated", strict=False)
    typed = marks.with_columns(pl.col("period").cast(plain.schema["period"]), is_restated=True)
    on = ["touchpoint_id", "metric", *PERIOD_COLUMNS]
    return plain.join(typed, on=on, how="left", maintain_order="left").with_columns(
        pl.col("is_restated").fill_null(value=False)
    )


def compared(table: type[Table]) -> list[str]:
    """The columns of a scorecard that are held against the release before."""
    scope = SCOPES[table]
    return [*([scope] if scope else []), "metric", *PERIOD_COLUMNS, *_VALUES]


def _has_window(cards: Mapping[type[Table], pl.DataFrame]) -> pl.Expr:
    """Whether a release has a window, by the days that it reports on: those of its periods `to_date`."""
    whole = pl.concat(
        cards[table]
        .filter(pl.col("period").cast(pl.String) == "to_date")
        .select("period_start", "period_end")
        for table in SCOPES
        if table in cards
    )
    first, end = whole.select(pl.col("period_start").min(), pl.col("period_end").max()).row(0)
    return pl.lit(value=False) if first is None else is_window(Calendar(first, end - timedelta(days=1)))


def _plain(card: pl.DataFrame, scope: str | None) -> pl.DataFrame:
    return card.select(
        pl.lit(ALL).alias("scope_id") if scope is None else pl.col(scope).alias("scope_id"),
        "metric",
        pl.col("period").cast(pl.String),
        "period_start",
        "period_end",
        *_VALUES,
    )


def _changed(before: pl.DataFrame, after: pl.DataFrame, between: Between) -> pl.DataFrame:
    """Rows that were final and are another now; one that nobody had is one only of a known scope and metric."""
    both = before.join(after, on=_ROW, how="full", coalesce=True, suffix="_is")
    was_final = pl.when(pl.col("n").is_not_null()).then(pl.col("is_final"))
    appeared = pl.col("is_known") & (pl.col("period_end") <= between.ended)
    apart = (pl.col("value") - pl.col("value_is")).abs() > _ROUNDING * pl.max_horizontal(
        pl.col("value").abs(), pl.col("value_is").abs()
    )
    is_other = apart.fill_null(pl.col("value").is_null() != pl.col("value_is").is_null())
    counts = [pl.col("n").fill_null(0), pl.col("n_is").fill_null(0)]
    other = both.filter(is_other | (counts[0] != counts[1]))
    known = before.select("scope_id", "metric").unique().with_columns(is_known=True)
    told = other.join(known, on=["scope_id", "metric"], how="left")
    return told.filter(was_final.fill_null(appeared.fill_null(value=False))).select(
        *_ROW,
        value_was="value",
        value_is="value_is",
        n_was=counts[0],
        n_is=counts[1],
    )


def _why(between: Between) -> pl.Expr:
    """What changed in between and can have moved the value."""
    more, fewer = pl.col("n_is") > pl.col("n_was"), pl.col("n_is") < pl.col("n_was")
    events = pl.when(more).then(pl.lit("late events")).when(fewer).then(pl.lit("withdrawn"))
    metrics = pl.col("metric").is_in(sorted(between.metrics))
    causes = [
        events.otherwise(pl.lit("late or corrected events"))
        if between.has_events
        else pl.lit(None, dtype=pl.String),
        pl.when(metrics).then(pl.lit("metric changed")),
        pl.lit("map changed" if between.has_map else None, dtype=pl.String),
    ]
    said = pl.concat_str(causes, separator=", ", ignore_nulls=True)
    return pl.when(said.str.len_chars() > 0).then(said).otherwise(pl.lit("program or settings changed"))
