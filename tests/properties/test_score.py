"""Laws of scorecards over drawn events."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.tables import (
    FactAttribution,
    ScorecardCompany,
    ScorecardOwner,
    ScorecardStage,
    ScorecardTeam,
    ScorecardTouchpoint,
)
from tests.spec.pipeline import MAP, Scored, a_map, score

METRICS = """{id: nps, name: NPS, estimator: nps, by: [channel]},
  {id: csat, name: CSAT, estimator: csat, low: 1, high: 5},
  {id: basket, name: Basket, estimator: mean, value: amount, step: 0.01}"""
TWO = MAP.replace(
    "rules: [{id: every_event, touchpoint: point}]",
    """rules: [{id: web, touchpoint: point, channel: web}, {id: app, touchpoint: other_point, channel: app}]""",
).replace(
    "rules:",
    """  - {id: other_point, name: Other, stage: exit, accountable: nobody, metrics: [nps]}
rules:""",
)

events = st.lists(
    st.tuples(
        st.integers(1, 27),
        st.integers(0, 23),
        st.sampled_from(["web", "app", None]),
        st.none() | st.integers(0, 11),
        st.none() | st.integers(0, 5000),
    ),
    min_size=1,
    max_size=60,
)


def table(drawn: list[tuple]) -> pl.DataFrame:
    """Drawn events as texts, as a feed has them."""
    rows = [
        (
            f"2026-02-{day:02d} {hour:02d}:30",
            channel,
            None if s is None else str(s),
            None if a is None else f"{a / 100:.2f}",
        )
        for day, hour, channel, s, a in drawn
    ]
    return pl.DataFrame(
        rows, schema=dict.fromkeys(("occurred_at", "channel", "score", "amount"), pl.String), orient="row"
    )


def scored(drawn: list[tuple]) -> Scored:
    return score(table(drawn), a_map(METRICS, text=TWO), "2026-03-02")


PARTS = ("n", "excluded_count", "numerator", "sum", "promoters", "detractors")
KEYS = ["period", "period_start", "period_end", "metric"]


@settings(max_examples=25, deadline=None)
@given(events)
def test_parts_add_up_to_the_whole(drawn: list[tuple]):
    found = scored(drawn)
    whole = found.tables[ScorecardCompany].select(*KEYS, *PARTS).sort(KEYS)
    for parts in (ScorecardTouchpoint, ScorecardOwner, ScorecardTeam):
        summed = found.tables[parts].group_by(KEYS).agg(pl.col(PARTS).sum()).sort(KEYS)
        # Values of whole steps add up exactly; divided into units they are binary fractions.
        steps = pl.col("numerator", "sum").round(6)
        filled = whole.with_columns(pl.col(PARTS).fill_null(0)).with_columns(steps)
        assert summed.with_columns(steps).equals(filled)
    judged = pl.col("metric") != "events"
    staged = found.tables[ScorecardStage].filter(judged).group_by(KEYS).agg(pl.col("n").sum()).sort(KEYS)
    assert staged.equals(whole.filter(judged).select(*KEYS, "n")), "unmatched events have no stage"


@settings(max_examples=15, deadline=None)
@given(events, events)
def test_the_effects_of_every_change_add_up_to_it(january: list[tuple], february: list[tuple]):
    """Over every scope, and every owner's scorecard; and no scope of a month is left out."""
    told = pl.concat([
        table(january).with_columns(pl.col("occurred_at").str.replace("2026-02", "2026-01")),
        table(february),
    ])  # fmt: skip
    found = score(told, a_map(METRICS, text=TWO), "2026-03-02")
    rows = FactAttribution.validate(found.tables[FactAttribution].sort(FactAttribution.primary_key()))
    card = found.tables[ScorecardOwner].with_columns(
        before=pl.col("previous_value"), change_seen=pl.col("value") - pl.col("previous_value")
    )
    both = card.filter(pl.col("change_seen").is_not_null(), pl.col("metric") != "events")
    assert both["change"].null_count() == 0
    assert (both["change"] - both["change_seen"]).abs().max() in (None, pytest.approx(0, abs=1e-9))
    monthly = both.filter(period="month").select("owner_id", "metric").rows()
    assert set(rows.filter(scope_type="owner", period="month").select("scope_id", "metric").rows()) == set(
        monthly
    )


@settings(max_examples=15, deadline=None)
@given(events, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(drawn: list[tuple], shuffler):
    shuffled = list(drawn)
    shuffler.shuffle(shuffled)
    one, other = scored(drawn), scored(shuffled)
    for name, frame in one.tables.items():
        keys = name.primary_key()
        assert (
            frame.select(name.column_names())
            .sort(keys)
            .equals(other.tables[name].select(name.column_names()).sort(keys))
        )


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(events)
def test_a_further_promoter_never_lowers_the_score(drawn: list[tuple]):
    day, hour = 5, 9
    more = [*drawn, (day, hour, "web", 10, None)]
    before, after = (
        found.card(ScorecardCompany, period="to_date", metric="nps")["value"].to_list()
        for found in (scored(drawn), scored(more))
    )
    if before and before[0] is not None:
        assert after[0] >= before[0]


@settings(max_examples=15, deadline=None)
@given(events)
def test_every_event_is_matched_or_unmatched(drawn: list[tuple]):
    found = scored(drawn)
    row = found.card(ScorecardTouchpoint, period="to_date", metric="events")
    assert row["n"].sum() == len(drawn)
    unmatched = row.filter(touchpoint_id="unmatched")["n"].sum()
    assert unmatched == sum(channel is None for _, _, channel, _, _ in drawn)


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 13),
            st.integers(0, 23),
            st.sampled_from(["web", "app"]),
            st.integers(0, 10),
            st.none(),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_shifting_time_by_a_week_shifts_the_weeks(drawn: list[tuple]):
    later = [(day + 7, *rest) for day, *rest in drawn]
    columns = ["period_start", "touchpoint_id", "metric", "n", "numerator"]
    one, other = (
        found.card(ScorecardTouchpoint, period="week").select(columns).sort(columns)
        for found in (scored(drawn), scored(later))
    )
    assert one.with_columns(pl.col("period_start").dt.offset_by("7d")).equals(other)


@settings(max_examples=15, deadline=None)
@given(events)
def test_every_row_keeps_its_table_s_promise(drawn: list[tuple]):
    for name, frame in scored(drawn).tables.items():
        schema = name.published_schema()
        typed = frame.select(pl.col(column).cast(kind) for column, kind in schema.items())
        name.validate(typed)
