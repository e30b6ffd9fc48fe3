"""Credited sums to scorecards: owners, goals, verdicts, the period before.

Sums are rolled up to periods once and then added up to every scorecard's grain. Nothing is averaged.
"""

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
from transforms.credit import PARTS, Scoring, named
from transforms.estimate import ESTIMATED, estimate, estimate_quantiles
from transforms.measure import ADDITIVE
from transforms.periods import PERIOD_COLUMNS, ROLLING_DAYS, periodic, previous_start
from transforms.verdict import answers_needed, below_goal, bound_misses_goal, verdict

_JUDGED = ("n", "excluded", *ESTIMATED)
_GOAL = ("goal", "goal_due_date")


def by_period(daily: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """Daily sums as sums of every period: the period's columns, `PARTS`, the additive columns."""
    return periodic(daily, scoring.calendar, PARTS, ADDITIVE)


def values_by_period(values: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """Every quantile's observations, once for each period they belong to.

    Args:
        values: slot, touchpoint, metric, dimension, segment, value.
        scoring: What they are credited by.
    """
    credited = scoring.credited(values).select("date", *PARTS, "value")
    return credited.join(scoring.calendar.day_table(), on="date").drop("date")


def scorecards(
    periods: pl.LazyFrame, values: pl.LazyFrame, scoring: Scoring
) -> dict[type[Table], pl.LazyFrame]:
    """Every scorecard.

    Args:
        periods: What `by_period` returned, collected.
        values: What `values_by_period` returned, collected.
        scoring: Map, slots, calendar, goals.

    Returns:
        Each scorecard's rows with at least its columns, unsorted.
    """
    whole, whole_values = (frame.filter(pl.col("dimension") == 0) for frame in (periods, values))

    def card(*keys: str) -> pl.LazyFrame:
        return _card(whole, whole_values, keys, scoring)

    judged = _judged(card("touchpoint"), scoring)
    stage_of = _stage_numbers(scoring)
    staged, staged_values = (
        frame.with_columns(stage=pl.lit(stage_of).gather(pl.col("touchpoint"))).filter(pl.col("stage") > 0)
        for frame in (whole, whole_values)
    )
    in_stage = judged.with_columns(stage=pl.lit(stage_of).gather(pl.col("touchpoint")))
    return {
        ScorecardTouchpoint: _touchpoint_card(judged, scoring),
        ScorecardOwner: _owner_card(card("owner"), _judged(card("owner", "touchpoint"), scoring), scoring),
        ScorecardTeam: _team_card(card("team"), _judged(card("team", "touchpoint"), scoring), scoring),
        ScorecardStage: _stage_card(_card(staged, staged_values, ["stage"], scoring), in_stage, scoring),
        ScorecardCompany: _published(_with_goal_counts(card(), judged, []), scoring),
        ScorecardSegment: _segment_card(periods, values, scoring),
    }


def _card(periods: pl.LazyFrame, values: pl.LazyFrame, keys: Sequence[str], scoring: Scoring) -> pl.LazyFrame:
    """Values and intervals at one grain, with those of the period before."""
    grain = [*PERIOD_COLUMNS, *keys]
    sums = periods.group_by(*grain, "metric").agg(pl.col(*ADDITIVE).sum())
    made = estimate(sums, scoring.metrics).select(*grain, "metric", *_JUDGED)
    quantiles = estimate_quantiles(values, scoring.metrics, grain)
    if quantiles is not None:
        made = pl.concat([made, quantiles.select(*grain, "metric", *_JUDGED)])
    earlier = ["period", "previous_start", *keys, "metric"]
    previous = made.select(
        "period",
        *keys,
        "metric",
        pl.col("period_start").alias("previous_start"),
        pl.col("value").alias("previous_value"),
        pl.col("n").alias("previous_n"),
    )
    return made.with_columns(previous_start=previous_start()).join(previous, on=earlier, how="left")


def _judged(card: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """A card by touchpoint (and more) with the goal in force and the verdict."""
    last_day = pl.min_horizontal("period_end", pl.lit(scoring.calendar.end)).dt.offset_by("-1d")
    goals = scoring.goals.lazy().select(
        touchpoint=_number("touchpoint_id", scoring.touchpoints),
        metric=_number("metric", scoring.metric_ids),
        goal="level",
        goal_due_date="due_date",
        goal_from="in_force_from_date",
        goal_until="in_force_until_date",
    )
    rows = card.with_columns(judged_on=last_day)
    in_force = (
        rows.select("touchpoint", "metric", "judged_on")
        .unique()
        .join(goals, on=["touchpoint", "metric"])
        .filter(
            pl.col("goal_from") <= pl.col("judged_on"),
            pl.col("goal_until").is_null() | (pl.col("judged_on") < pl.col("goal_until")),
        )
        .select("touchpoint", "metric", "judged_on", *_GOAL)
    )
    directions = ["higher", *(metric.direction for metric in scoring.metrics)]
    return (
        rows.join(in_force, on=["touchpoint", "metric", "judged_on"], how="left")
        .with_columns(direction=named("metric", directions))
        .with_columns(verdict(), below_goal())
        .with_columns(answers_needed())
    )


def _touchpoint_card(judged: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    atlas = scoring.atlas
    owned = scoring.slots.owners()
    tenure = pl.col("tenure")
    rows = _with_breach(_with_expected_date(judged, scoring)).with_columns(tenure=scoring.closing_owner())
    people = {person.id: person.name for person in atlas.people}
    return _published(
        rows.with_columns(
            touchpoint_id=named("touchpoint", scoring.touchpoints),
            touchpoint_name=named("touchpoint", ["Matched by no rule", *(t.name for t in atlas.touchpoints)]),
            stage_id=named("touchpoint", [None, *(t.stage for t in atlas.touchpoints)]),
            owner_id=pl.lit(owned["owner_id"]).gather(tenure),
            owner_name=pl.lit(
                owned["owner_id"].replace_strict(people, default=None, return_dtype=pl.String)
            ).gather(tenure),
            seat_id=pl.lit(owned["seat_id"]).gather(tenure),
            owner_since_at=pl.lit(scoring.owner_since()).gather(tenure),
        ),
        scoring,
    )


def _with_expected_date(judged: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """When the answers that are still needed will have come, at the rate of the last whole window."""
    today = scoring.calendar.today
    last_window = (pl.col("period") == "rolling_28d") & (pl.col("period_end") == today)
    rate = judged.filter(last_window).select("touchpoint", "metric", rate=pl.col("n") / ROLLING_DAYS)
    days = (pl.col("answers_needed") / pl.col("rate")).ceil()
    is_open = last_window | (pl.col("period_end") > today)
    known = is_open & (pl.col("rate") > 0) & (days < 36_500)
    expected = pl.lit(today) + pl.duration(days=days.cast(pl.Int64))
    return judged.join(rate, on=["touchpoint", "metric"], how="left").with_columns(
        answers_expected_date=pl.when(known).then(expected).cast(pl.Date)
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
    weekly = pl.col("period") == "week"
    return (
        judged.drop("bound_low", "bound_high")
        .join(window, on=on, how="left")
        .with_columns(is_breach=pl.when(weekly).then(bound_misses_goal() & pl.col("is_below_goal")))
    )


def _owner_card(card: pl.LazyFrame, parts: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    people = {person.id: person.name for person in scoring.atlas.people}
    return _published(
        _with_goal_counts(card, parts, ["owner"]).with_columns(
            owner_id=named("owner", scoring.owners),
            owner_name=named("owner", [people.get(owner) for owner in scoring.owners]),
        ),
        scoring,
    )


def _team_card(card: pl.LazyFrame, parts: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    teams = {team.id: team.name for team in scoring.atlas.teams}
    return _published(
        _with_goal_counts(card, parts, ["team"]).with_columns(
            team_id=named("team", scoring.teams),
            team_name=named("team", [teams.get(team) for team in scoring.teams]),
        ),
        scoring,
    )


def _stage_card(card: pl.LazyFrame, parts: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    stages = scoring.atlas.stages
    return _published(
        _with_goal_counts(card, parts, ["stage"]).with_columns(
            stage_id=named("stage", [None, *(stage.id for stage in stages)]),
            stage_name=named("stage", [None, *(stage.name for stage in stages)]),
            stage_order=pl.col("stage").cast(pl.Int64),
        ),
        scoring,
    )


def _segment_card(periods: pl.LazyFrame, values: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    parts, part_values = (frame.filter(pl.col("dimension") > 0) for frame in (periods, values))
    keys = ["touchpoint", "dimension", "segment"]
    unmatched = pl.lit(0, dtype=pl.UInt16).alias("touchpoint")
    cards = [
        _card(parts, part_values, keys, scoring).with_columns(
            touchpoint_id=named("touchpoint", scoring.touchpoints)
        ),
        _card(parts.with_columns(unmatched), part_values.with_columns(unmatched), keys, scoring).with_columns(
            touchpoint_id=pl.lit("all")
        ),
    ]
    numbers = ["metric", "dimension", "segment"]
    return _published(
        pl.concat(cards)
        .join(scoring.segments.lazy(), on=numbers)
        .drop("dimension", "segment")
        .rename({"dimension_name": "dimension", "segment_name": "segment"}),
        scoring,
    )


def _with_goal_counts(card: pl.LazyFrame, parts: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """A card with the number of touchpoints it rests on and how many of their goals are met."""
    grain = [*PERIOD_COLUMNS, *keys, "metric"]
    counted = parts.group_by(grain).agg(
        touchpoint_count=(pl.col("touchpoint") > 0).sum().cast(pl.Int64),
        **{
            f"goals_{name}_count": (pl.col("verdict") == name).sum().cast(pl.Int64)
            for name in ("met", "missed", "cannot_tell")
        },
    )
    counts = ["touchpoint_count", *(f"goals_{name}_count" for name in ("met", "missed", "cannot_tell"))]
    return card.join(counted, on=grain, how="left").with_columns(pl.col(counts).fill_null(0))


def _published(card: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    units = ["count", *(metric.unit for metric in scoring.metrics)]
    return card.with_columns(
        unit=named("metric", units),
        metric=named("metric", scoring.metric_ids),
        excluded_count=pl.col("excluded"),
        is_final=pl.col("period_end") <= scoring.calendar.today,
    )


def measure_daily(daily: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """MeasureDaily's rows: the credited sums with names for numbers, unsorted."""
    named_sums = estimate(daily.filter(pl.col("dimension") == 0), scoring.metrics).with_columns(
        touchpoint_id=named("touchpoint", scoring.touchpoints),
        owner_id=named("owner", scoring.owners),
        team_id=named("team", scoring.teams),
        metric=named("metric", scoring.metric_ids),
        excluded_count=pl.col("excluded"),
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


def _number(column: str, known: Sequence[str]) -> pl.Expr:
    return pl.col(column).replace_strict(known, range(len(known)), return_dtype=pl.UInt16).alias(column)


def _stage_numbers(scoring: Scoring) -> pl.Series:
    order = {stage.id: number for number, stage in enumerate(scoring.atlas.stages, start=1)}
    numbers = [0, *(order[touchpoint.stage] for touchpoint in scoring.atlas.touchpoints)]
    return pl.Series(numbers, dtype=pl.UInt16)
