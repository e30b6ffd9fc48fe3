"""Cards to scorecards: names for numbers, owners at the close, breaches, what is still to come."""

from collections.abc import Sequence

import polars as pl

from contracts.tables import (
    MeasureDaily,
    ScorecardCompany,
    ScorecardOwner,
    ScorecardSegment,
    ScorecardStage,
    ScorecardTeam,
    ScorecardTouchpoint,
    ScoreDistribution,
    Table,
)
from transforms.attribution import owner_changes
from transforms.cards import KEYS
from transforms.credit import Scoring, named
from transforms.estimate import estimate
from transforms.inherited import inherited_counts, with_breach_began, with_inheritance
from transforms.periods import PERIOD_COLUMNS, ROLLING_DAYS
from transforms.segments import with_comparisons
from transforms.verdict import answers_expected, bound_misses_goal

_GRAIN = [*PERIOD_COLUMNS, *KEYS, "metric"]


def scorecards(
    cards: pl.LazyFrame, counts: pl.LazyFrame, changes: pl.LazyFrame, scoring: Scoring
) -> dict[type[Table], pl.LazyFrame]:
    """Every scorecard.

    Args:
        cards: What `cards.cards` returned, collected.
        counts: What `cards.touchpoint_counts` returned, collected.
        changes: What `attribution.change_parts` returned, collected.
        scoring: Map, slots, calendar, goals.

    Returns:
        Each scorecard's rows with at least its columns, unsorted.
    """
    judged = _of(cards, "touchpoint")
    atlas = scoring.atlas
    stages = {stage.id: number for number, stage in enumerate(atlas.stages, start=1)}
    stage_of = pl.Series([0, *(stages[t.stage] for t in atlas.touchpoints)], dtype=pl.UInt32)
    in_stage = judged.with_columns(stage=pl.lit(stage_of).gather(pl.col("touchpoint")))

    def rolled(card: str, parts: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
        return _with_goals(_of(cards, card), parts, _of(counts, card), keys)

    touchpoints = _with_owner(_with_breach(_with_expected_date(judged, scoring)), scoring).cache()
    parts = _of(cards, "owner parts")
    inherited = inherited_counts(touchpoints, parts, scoring)
    plans = {
        ScorecardTouchpoint: _touchpoint_names(touchpoints, scoring),
        ScorecardOwner: _owner_names(rolled("owner", parts, ["owner"]), inherited, changes, scoring),
        ScorecardTeam: _team_names(rolled("team", _of(cards, "team parts"), ["team"]), scoring),
        ScorecardStage: _stage_names(rolled("stage", in_stage, ["stage"]), scoring),
        ScorecardCompany: rolled("company", judged, []),
        ScorecardSegment: _segment_names(cards, scoring),
    }
    return {table: _published(plan, scoring) for table, plan in plans.items()}


def measure_daily(daily: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """MeasureDaily's rows: the credited sums with names for numbers, unsorted."""
    named_sums = estimate(daily.filter(pl.col("dimension") == 0), scoring.metrics).with_columns(
        touchpoint_id=named("touchpoint", scoring.touchpoints),
        owner_id=named("owner", scoring.owners),
        team_id=named("team", scoring.teams),
        metric=named("metric", scoring.metric_ids),
        **excluded(),
    )
    return named_sums.select(MeasureDaily.column_names())


def score_distribution(answers: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """ScoreDistribution's rows, unsorted.

    Args:
        answers: slot, touchpoint, metric, score, n.
        scoring: What they are credited by.
    """
    dated = scoring.credited(answers).with_columns(month_start=pl.col("date").dt.truncate("1mo"))
    counted = dated.group_by("month_start", "touchpoint", "metric", "score").agg(
        answers_count=pl.col("n").sum()
    )
    return counted.with_columns(
        touchpoint_id=named("touchpoint", scoring.touchpoints), metric=named("metric", scoring.metric_ids)
    ).select(ScoreDistribution.column_names())


def excluded() -> dict[str, pl.Expr]:
    """Observations left out, and why."""
    return {
        "excluded_count": pl.col("excluded"),
        "excluded_missing_count": pl.col("excluded") - pl.col("outside"),
        "excluded_outside_count": pl.col("outside"),
    }


def _of(frame: pl.LazyFrame, card: str) -> pl.LazyFrame:
    return frame.filter(pl.col("card") == card).drop("card")


def _with_expected_date(judged: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """When the answers that are still needed will have come, at the rate of the last whole window."""
    today = scoring.calendar.today
    last_window = (pl.col("period") == "rolling_28d") & (pl.col("period_end") == today)
    rate = judged.filter(last_window).select("touchpoint", "metric", recent="n")
    is_open = last_window | (pl.col("period_end") > today)
    expected = answers_expected(pl.col("recent"), ROLLING_DAYS, today)
    return judged.join(rate, on=["touchpoint", "metric"], how="left").with_columns(
        answers_expected_date=pl.when(is_open).then(expected)
    )


def _with_breach(judged: pl.LazyFrame) -> pl.LazyFrame:
    """Whether a week's goal is missed on evidence: the four weeks' bound misses it, and so does the week.

    False onsets on a healthy series at 30 answers a week: 0.03 a year, against 6.7 of "value below
    goal" (simulated; DECISIONS.md).
    """
    window = judged.filter(pl.col("period") == "rolling_28d").select(
        "touchpoint", "metric", "period_end", pl.col("bound_low", "bound_high")
    )
    on = ["touchpoint", "metric", "period_end"]
    weekly = (pl.col("period") == "week") & ~pl.col("is_stale")
    return (
        judged.drop("bound_low", "bound_high")
        .join(window, on=on, how="left")
        .with_columns(
            is_breach=pl.when(weekly).then(bound_misses_goal() & pl.col("is_below_goal")),
            breach_bound=pl.when(weekly & pl.col("goal").is_not_null()).then(
                pl.when(pl.col("direction") == "higher")
                .then(pl.col("bound_high"))
                .otherwise(pl.col("bound_low"))
            ),
        )
    )


def _with_owner(rows: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """Rows with the tenure in force at their close, and whether a breach that stood then is inherited."""
    held = with_breach_began(rows, scoring).with_columns(tenure=scoring.closing_owner())
    return with_inheritance(held, scoring)


def _touchpoint_names(rows: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    atlas = scoring.atlas
    owned = scoring.slots.owners()
    tenure = pl.col("tenure")
    people = {person.id: person.name for person in atlas.people}
    names = owned["owner_id"].replace_strict(people, default=None, return_dtype=pl.String)
    return rows.with_columns(
        touchpoint_id=named("touchpoint", scoring.touchpoints),
        touchpoint_name=named("touchpoint", ["Matched by no rule", *(t.name for t in atlas.touchpoints)]),
        stage_id=named("touchpoint", [None, *(t.stage for t in atlas.touchpoints)]),
        owner_id=pl.lit(owned["owner_id"]).gather(tenure),
        owner_name=pl.lit(names).gather(tenure),
        seat_id=pl.lit(owned["seat_id"]).gather(tenure),
        # What was published before is held against it when it is published.
        is_restated=pl.lit(value=False),
    )


def _owner_names(
    rows: pl.LazyFrame, inherited: pl.LazyFrame, changes: pl.LazyFrame, scoring: Scoring
) -> pl.LazyFrame:
    people = {person.id: person.name for person in scoring.atlas.people}
    on = [*PERIOD_COLUMNS, "owner", "metric"]
    counted = rows.join(inherited, on=on, how="left").join(owner_changes(changes), on=on, how="left")
    return counted.with_columns(
        pl.col("goals_inherited_count").fill_null(0),
        owner_id=named("owner", scoring.owners),
        owner_name=named("owner", [people.get(owner) for owner in scoring.owners]),
    )


def _team_names(rows: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    teams = {team.id: team.name for team in scoring.atlas.teams}
    return rows.with_columns(
        team_id=named("team", scoring.teams),
        team_name=named("team", [teams.get(team) for team in scoring.teams]),
    )


def _stage_names(rows: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    stages = scoring.atlas.stages
    return rows.with_columns(
        stage_id=named("stage", [None, *(stage.id for stage in stages)]),
        stage_name=named("stage", [None, *(stage.name for stage in stages)]),
        stage_order=pl.col("stage").cast(pl.Int64),
    )


def _segment_names(cards: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    each = _of(cards, "segment").with_columns(touchpoint_id=named("touchpoint", scoring.touchpoints))
    every = _of(cards, "segment of all").with_columns(touchpoint_id=pl.lit("all"))
    return with_comparisons(
        pl.concat([each, every])
        .join(scoring.segments.lazy(), on=["metric", "dimension", "segment"])
        .drop("dimension", "segment")
        .rename({"dimension_name": "dimension", "segment_name": "segment"})
    )


def _with_goals(
    card: pl.LazyFrame, parts: pl.LazyFrame, counts: pl.LazyFrame, keys: Sequence[str]
) -> pl.LazyFrame:
    """A card with how many touchpoints it rests on and how many of its parts' goals are met."""
    words = ("met", "missed", "cannot_tell", "no_data")
    on = [*PERIOD_COLUMNS, *keys, "metric"]
    judged = parts.group_by(on).agg(
        (pl.col("verdict") == word).sum().cast(pl.Int64).alias(f"goals_{word}_count") for word in words
    )
    joined = card.join(counts, on=_GRAIN, how="left").join(judged, on=on, how="left")
    return joined.with_columns(
        pl.col("touchpoint_count", *(f"goals_{word}_count" for word in words)).fill_null(0)
    )


def _published(card: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    units = ["count", *(metric.unit for metric in scoring.metrics)]
    return card.with_columns(
        unit=named("metric", units),
        metric=named("metric", scoring.metric_ids),
        **excluded(),
        is_final=pl.col("period_end") <= scoring.calendar.today,
    )
