"""Values, intervals and verdicts at every grain that scorecards are made of, with numbers for names.

All grains are estimated together: one long frame whose column `card` says which grain a row belongs to,
and in which a key that a grain does not have is 0. Planning a query costs more than running it over a
few ten thousand rows, so one long query is several times cheaper than one for each scorecard.
"""

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from transforms.credit import PARTS, Scoring, named
from transforms.estimate import ESTIMATED, estimate
from transforms.gathered import gathered, quantiles, told
from transforms.measure import ADDITIVE, SUMS
from transforms.observations import Observations
from transforms.periods import PERIOD_COLUMNS, periodic, previous_start
from transforms.quantiles import quantile_families
from transforms.verdict import answers_needed, below_goal, frozen, verdict

KEYS = ("touchpoint", "owner", "team", "stage", "dimension", "segment")

GRAINS: Mapping[str, tuple[str, ...]] = {
    "touchpoint": ("touchpoint",),
    "owner": ("owner",),
    "owner parts": ("owner", "touchpoint"),
    "team": ("team",),
    "team parts": ("team", "touchpoint"),
    "stage": ("stage",),
    "company": (),
    "segment": ("touchpoint", "dimension", "segment"),
    "segment of all": ("dimension", "segment"),
}
"""Keys of every card. `parts` are judged for their goals, and only where there is one."""

CARD = pl.Enum(list(GRAINS))
_CODES = dict.fromkeys(KEYS, pl.UInt32)
_GOAL = ("goal", "goal_due_date")
EXACT = ("total", "squares")
"""Sums in whole steps, for whoever takes them from each other; null of quantiles."""


def by_period(daily: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """Daily sums as sums of every period: the period's columns, `PARTS`, the additive columns."""
    return periodic(daily, scoring.calendar, PARTS, ADDITIVE)


def cards(
    periods: pl.LazyFrame,
    values: Observations,
    scoring: Scoring,
    wanted: Collection[str] = tuple(GRAINS),
    only: Collection[int] | None = None,
) -> pl.LazyFrame:
    """Every row of every card.

    Args:
        periods: What `by_period` returned, collected.
        values: What `observations.observed` returned.
        scoring: Map, slots, calendar, goals.
        wanted: Names of the cards to make.
        only: Numbers of the metrics that are wanted, `events` among them; there may be others too. All when absent.

    Returns:
        card, the period's columns, `KEYS` (numbers, 0 where the card has no such key), metric (number),
        n, excluded, outside, `ESTIMATED`, `EXACT`, previous_value, previous_n, goal, goal_due_date, direction, is_stale,
        verdict, is_below_goal, answers_needed. Only rows of one touchpoint have a goal.
    """
    grain = ["card", *PERIOD_COLUMNS, *KEYS]
    sums = pl.concat(
        frame.group_by(*PERIOD_COLUMNS, *keys, "metric")
        .agg(pl.col(*ADDITIVE).sum())
        .with_columns(_keyed(card))
        .select(*grain, "metric", *ADDITIVE)
        for card, (keys, frame) in _split(periods, scoring).items()
        if card in wanted
    ).cache()
    columns = [*grain, "metric", "n", "excluded", "outside", *ESTIMATED, *EXACT]
    families = quantile_families(scoring.metrics).values()
    ranked: list[pl.LazyFrame] = []
    if only is None or any(number in only for members in families for number in members):
        ranked = quantiles(gathered(values, _keys_by_card(values, scoring, wanted)), scoring.metrics)
    made = [estimate(sums, scoring.metrics, only), *ranked]
    # Every estimator takes its share of the sums, and the rows are looked at again for their earlier
    # selves and their goals: each is made once.
    scaled, *unscaled = made
    lacking = [pl.lit(None, dtype=SUMS[name]).alias(name) for name in EXACT]
    unscaled = [frame.with_columns(*lacking, outside=pl.lit(0, dtype=pl.Int64)) for frame in unscaled]
    rows = pl.concat(frame.select(columns) for frame in (scaled, *unscaled)).cache()
    return _judged(_with_previous(rows).cache(), scoring)


def _keys_by_card(values: Observations, scoring: Scoring, wanted: Collection[str]) -> list[pl.DataFrame]:
    """Which of the combinations that are observed belong to each card, with its keys."""
    parts = values.parts.with_columns(_stage(scoring)).with_row_index("part")
    rows = _rows(scoring).items()
    return [
        parts.filter(mine).select("part", *_keyed(card), "metric") for card, mine in rows if card in wanted
    ]


def touchpoint_counts(periods: pl.LazyFrame, values: Observations, scoring: Scoring) -> pl.LazyFrame:
    """How many touchpoints every row of the rolled-up cards rests on: card, period, `KEYS`, metric.

    One of which all is excluded is none of them; one without any of a rate's exposure is, when something is counted there.
    """
    families = quantile_families(scoring.metrics)
    members = pl.LazyFrame(
        [(first, number) for first, numbers in families.items() for number in numbers],
        schema={"metric": pl.UInt16, "member": pl.UInt16},
        orient="row",
    )
    parts = ["touchpoint", "owner", "team", "stage"]
    whole, observed = (
        frame.filter(pl.col("dimension") == 0)
        .with_columns(_stage(scoring))
        .select(*PERIOD_COLUMNS, *parts, "metric")
        .unique()
        for frame in (periods.filter((pl.col("n") > 0) | (pl.col("good") > 0)), told(values).lazy())
    )
    every = observed.join(members, on="metric").drop("metric").rename({"member": "metric"})
    seen = pl.concat([whole, every.select(whole.collect_schema().names())]).filter(pl.col("touchpoint") > 0)
    return pl.concat(
        seen.select(*PERIOD_COLUMNS, *GRAINS[card], "metric", touch="touchpoint")
        .unique()
        .group_by(*PERIOD_COLUMNS, *GRAINS[card], "metric")
        .agg(touchpoint_count=pl.len().cast(pl.Int64))
        .with_columns(_keyed(card))
        .select("card", *PERIOD_COLUMNS, *KEYS, "metric", "touchpoint_count")
        for card in ("owner", "team", "stage", "company")
    )


def _split(frame: pl.LazyFrame, scoring: Scoring) -> Mapping[str, tuple[tuple[str, ...], pl.LazyFrame]]:
    """The rows that each card is made of, and its keys."""
    staged = frame.with_columns(_stage(scoring))
    return {card: (GRAINS[card], staged.filter(mine)) for card, mine in _rows(scoring).items()}


def _rows(scoring: Scoring) -> Mapping[str, pl.Expr]:
    """Which rows each card is made of."""
    whole, segments = pl.col("dimension") == 0, pl.col("dimension") > 0
    parts = whole & pl.col("metric").is_in(_metrics_with_goals(scoring))
    return {
        **dict.fromkeys(GRAINS, whole),
        "owner parts": parts,
        "team parts": parts,
        "stage": whole & (pl.col("stage") > 0),
        "segment": segments,
        "segment of all": segments,
    }


def _stage(scoring: Scoring) -> pl.Expr:
    """The number of a touchpoint's stage; 0 for unmatched events."""
    order = {stage.id: number for number, stage in enumerate(scoring.atlas.stages, start=1)}
    numbers = [0, *(order[touchpoint.stage] for touchpoint in scoring.atlas.touchpoints)]
    return pl.lit(pl.Series(numbers, dtype=pl.UInt32)).gather(pl.col("touchpoint")).alias("stage")


def _keyed(card: str) -> list[pl.Expr]:
    """The card's name, its keys as they are, and 0 for the others."""
    keys = [
        (pl.col(key) if key in GRAINS[card] else pl.lit(0)).cast(kind).alias(key)
        for key, kind in _CODES.items()
    ]
    return [pl.lit(card, dtype=CARD).alias("card"), *keys]


def _metrics_with_goals(scoring: Scoring) -> list[int]:
    """Numbers of metrics that any touchpoint has a goal for, and of their families."""
    aimed = {scoring.metric_ids.index(name) for name in scoring.goals["metric"].unique()}
    families = quantile_families(scoring.metrics)
    return sorted(aimed | {first for first, members in families.items() if aimed & set(members)})


def _with_previous(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with the value and the observations of one whole period earlier."""
    same = ["card", "period", *KEYS, "metric"]
    previous = rows.select(
        *same,
        previous_start="period_start",
        previous_value="value",
        previous_n="n",
    )
    return rows.with_columns(previous_start=previous_start()).join(
        previous, on=[*same, "previous_start"], how="left"
    )


def _judged(rows: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """Rows with the goal in force on their last day, and the verdict."""
    last_day = pl.min_horizontal("period_end", pl.lit(scoring.calendar.end)).dt.offset_by("-1d")
    on = ["touchpoint", "metric", "judged_on"]
    dated = rows.with_columns(judged_on=last_day)
    goals = scoring.goals.lazy().select(
        touchpoint=_number("touchpoint_id", scoring.touchpoints).cast(pl.UInt32),
        metric=_number("metric", scoring.metric_ids),
        goal="level",
        goal_due_date="due_date",
        goal_from="in_force_from_date",
        goal_until="in_force_until_date",
    )
    in_force = (
        dated.select(on)
        .unique()
        .join(goals, on=["touchpoint", "metric"])
        .filter(
            pl.col("goal_from") <= pl.col("judged_on"),
            pl.col("goal_until").is_null() | (pl.col("judged_on") < pl.col("goal_until")),
        )
        .select(*on, *_GOAL)
    )
    directions = ["higher", *(metric.direction for metric in scoring.metrics)]
    return (
        dated.join(in_force, on=on, how="left")
        .with_columns(direction=named("metric", directions))
        .join(scoring.frozen.lazy(), on=["touchpoint", "metric"], how="left")
        .with_columns(is_stale=(pl.col("period_end") > pl.col("known_until")).fill_null(value=False))
        .with_columns(verdict(), below_goal())
        .with_columns(frozen())
        .with_columns(answers_needed())
    )


def _number(column: str, known: Sequence[str]) -> pl.Expr:
    return pl.col(column).replace_strict(known, range(len(known)), return_dtype=pl.UInt16).alias(column)
