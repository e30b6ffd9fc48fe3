"""The kernels that gather observations against the readable way: a list of values for every period and key."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from contracts.tenures import tenures
from tests.spec.pipeline import BERLIN, MAP, a_map
from transforms.cards import GRAINS, KEYS, _keys_by_card, _split
from transforms.credit import PARTS, Scoring
from transforms.estimate import ESTIMATED
from transforms.gathered import gathered, quantiles
from transforms.gathered import told as told_of
from transforms.map_tables import dim_goal
from transforms.measure import SUMS
from transforms.observations import Observations, observed
from transforms.periods import PERIOD_COLUMNS, Calendar
from transforms.quantiles import (
    ascending,
    estimate_quantiles,
    estimate_waiting,
    is_censored,
    ordered_values,
    quantile_families,
    waiting_curves,
)
from transforms.slots import slots
from transforms.valued import Values

METRICS = """{id: p50, name: a, estimator: quantile, quantile: 0.5, of: cases, value: resolution_hours, by: [channel]},
  {id: p90, name: b, estimator: quantile, quantile: 0.9, of: cases, value: resolution_hours, by: [channel]},
  {id: whole, name: c, estimator: quantile, quantile: 0.25, of: cases, value: closing_hours, open_cases: left_out}"""
TWO = MAP.replace(
    "rules: [{id: every_event, touchpoint: point}]",
    """  - {id: second, name: Other, stage: exit, accountable: seat, metrics: [p90], goals: [{metric: p90, at_most: 9, due: 2026-12-31, why: w}]}
rules: [{id: web, touchpoint: point, channel: web}, {id: app, touchpoint: second, channel: app}]""",
)
FIRST, LAST, TODAY = date(2026, 2, 1), date(2026, 3, 30), date(2026, 3, 29)

observations = st.lists(
    st.tuples(
        st.integers(0, (LAST - FIRST).days),
        st.integers(1, 2),
        st.sampled_from([(1, 0), (1, 1), (3, 0)]),
        st.integers(0, 2),
        st.none() | st.integers(0, 6).map(lambda half: half / 2) | st.floats(0, 1e6),
        st.booleans(),
    ),
    max_size=80,
)


def scoring() -> Scoring:
    atlas = a_map(METRICS, text=TWO)
    names = [one.id for one in atlas.touchpoints]
    days = slots(tenures(atlas), names, FIRST, LAST + timedelta(days=1), BERLIN)
    segments = pl.DataFrame(schema={"metric": pl.UInt16, "dimension": pl.UInt8, "segment": pl.UInt32})
    now = datetime(2026, 3, 29, 4, tzinfo=UTC)
    return Scoring(atlas, days, Calendar(FIRST, TODAY), now, dim_goal(atlas), segments)


SCORING = scoring()


def as_values(drawn: list[tuple]) -> pl.LazyFrame:
    """Drawn observations as `case_values` has them."""
    of_day = dict(SCORING.slots.frame().select("date", "slot").iter_rows())
    rows = [
        (
            of_day[FIRST + timedelta(days=day)],
            touchpoint,
            metric,
            dimension,
            segment * dimension,
            value,
            event or metric == 3,
        )
        for day, touchpoint, (metric, dimension), segment, value, event in drawn
    ]
    keys = {name: SUMS[name] for name in ("slot", "touchpoint", "metric", "dimension", "segment")}
    return pl.LazyFrame(rows, schema={**keys, "value": pl.Float64, "is_event": pl.Boolean}, orient="row")


def gathered_of(values: pl.LazyFrame) -> Observations:
    return observed(Values.of(values.collect()), SCORING.calendar.spans().collect(), SCORING)


def readable(values: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Every quantile of every card and period, from lists."""
    credited = SCORING.credited(values).select("date", *PARTS, "value", "is_event")
    every = (
        ascending(credited).join(SCORING.calendar.day_table(), on="date", maintain_order="left").drop("date")
    )
    grain = ["card", *PERIOD_COLUMNS, *KEYS]
    parts = [
        frame.with_columns(
            card=pl.lit(card), **{key: pl.col(key) if key in keys else pl.lit(0) for key in KEYS}
        )
        .with_columns(pl.col(KEYS).cast(pl.UInt32))
        .select(*grain, "metric", "value", "is_event")
        for card, (keys, frame) in _split(every, SCORING).items()
    ]
    long = pl.concat(parts).collect().lazy()
    censored = [n for n in quantile_families(SCORING.metrics) if is_censored(SCORING.metrics[n - 1])]
    waits = pl.col("metric").is_in(censored)
    return [
        *estimate_waiting(waiting_curves(long.filter(waits), grain), SCORING.metrics),
        *estimate_quantiles(ordered_values(long.filter(~waits), grain), SCORING.metrics),
    ]


def by_kernels(values: pl.LazyFrame) -> list[pl.LazyFrame]:
    found = gathered_of(values)
    return quantiles(gathered(found, _keys_by_card(found, SCORING, tuple(GRAINS))), SCORING.metrics)


def rows(made: list[pl.LazyFrame]) -> pl.DataFrame:
    grain = ["metric", "card", *PERIOD_COLUMNS, *KEYS]
    columns = [*grain, "n", "excluded", *ESTIMATED]
    whole = pl.concat([one.select(columns).with_columns(pl.col("card").cast(pl.String)) for one in made])
    return whole.collect().sort(grain)


@settings(max_examples=60, deadline=None)
@given(observations)
def test_every_quantile_and_interval_is_that_of_the_lists_to_the_last_bit(drawn: list[tuple]):
    values = as_values(drawn)
    assert_frame_equal(rows(by_kernels(values)), rows(readable(values)), check_exact=True)


@settings(max_examples=30, deadline=None)
@given(observations)
def test_what_is_told_of_is_every_combination_in_every_period_it_occurs_in_once(drawn: list[tuple]):
    values = as_values(drawn)
    every = SCORING.credited(values).join(SCORING.calendar.day_table(), on="date")
    expected = every.select(*PERIOD_COLUMNS, *PARTS).unique().collect()
    told = told_of(gathered_of(values)).select(expected.columns)
    assert_frame_equal(told, expected, check_row_order=False)
    assert_frame_equal(told, told.unique(), check_row_order=False)


def test_more_groups_than_sixteen_bits_can_number_are_told_apart():
    many = (1 << 16) // 4  # in nine weeks each
    drawn = [(day % 50, 1, (1, 1), 0, float(day % 7), True) for day in range(many)]
    segments = pl.Series("segment", range(many), dtype=pl.UInt32)
    values = as_values(drawn).with_columns(segments)
    found = gathered_of(values)
    assert found.parts.height * 9 > 1 << 16
    made = rows(by_kernels(values)).filter(card="segment", period="week", metric=1)
    assert made.sort("segment")["value"].to_list() == [float(day % 7) for day in range(many)]


def test_nothing_observed_gives_no_row():
    assert rows(by_kernels(as_values([]))).is_empty()
