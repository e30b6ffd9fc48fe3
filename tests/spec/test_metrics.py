"""# Metrics

What every estimator makes of a handful of events, drawn. A period's value is a quotient of sums.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl
import pytest

from contracts.tables import ScorecardCompany, ScorecardOwner, ScorecardSegment, ScorecardTouchpoint
from tests.spec.pipeline import Scored, a_map, score
from views.units import value_text


def whole(scored: Scored, metric: str) -> dict:
    """The metric's row over everything so far."""
    return scored.card(ScorecardCompany, period="to_date", metric=metric).row(0, named=True)


def test_nps_is_promoters_minus_detractors():
    """Nine and ten promote, zero to six detract, seven and eight only count in the sample."""
    scored = score(
        """
        occurred_at      | score
        -----------------+------
        2026-03-02 09:00 | 10
        2026-03-03 09:00 | 9
        2026-03-04 09:00 | 7
        2026-03-05 09:00 | 3
        """,
        a_map("{id: nps, name: NPS, estimator: nps}"),
    )
    row = whole(scored, "nps")
    assert (row["promoters"], row["passives"], row["detractors"]) == (2, 1, 1)
    assert (row["numerator"], row["denominator"], row["value"]) == (1, 4, 25)


def test_codes_outside_the_scale_are_excluded_and_counted():
    """An 11 means "not answered" in some tools: it is neither a promoter nor in the sample."""
    scored = score(
        """
        occurred_at      | score
        -----------------+------
        2026-03-02 09:00 | 11
        2026-03-02 10:00 |
        2026-03-03 09:00 | 0
        2026-03-04 09:00 | 10
        """,
        a_map("{id: nps, name: NPS, estimator: nps}"),
    )
    row = whole(scored, "nps")
    assert (row["n"], row["excluded_count"], row["value"]) == (2, 2, 0)
    assert (row["excluded_missing_count"], row["excluded_outside_count"]) == (1, 1)


def test_csat_is_the_share_of_fours_and_fives():
    scored = score(
        """
        occurred_at      | score
        -----------------+------
        2026-03-02 09:00 | 5
        2026-03-02 10:00 | 4
        2026-03-03 09:00 | 3
        2026-03-04 09:00 | 6
        """,
        a_map(),
    )
    row = whole(scored, "csat")
    assert (row["n"], row["excluded_count"], row["numerator"]) == (3, 1, 2)
    assert row["value"] == pytest.approx(2 / 3)
    assert (row["sum"], row["sum_of_squares"]) == (12, 50)


def test_ces_is_the_share_of_fives_to_sevens_of_seven():
    scored = score(
        """
        occurred_at      | score
        -----------------+------
        2026-03-02 09:00 | 7
        2026-03-02 10:00 | 5
        2026-03-03 09:00 | 4
        2026-03-04 09:00 | 1
        """,
        a_map("{id: ces, name: CES, estimator: ces}"),
    )
    assert whole(scored, "ces")["value"] == 0.5


def test_a_share_counts_what_is_good():
    scored = score(
        """
        occurred_at      | duration_minutes
        -----------------+------
        2026-03-02 09:00 | 1440
        2026-03-02 10:00 | 1441
        2026-03-03 09:00 |
        """,
        a_map('{id: fast, name: Fast, estimator: share, good: {duration_minutes: "<= 1440"}}'),
    )
    row = whole(scored, "fast")
    assert (row["numerator"], row["denominator"]) == (1, 3), "an event without a duration is not good"


def test_a_mean_has_students_interval():
    """Mean 4, standard deviation 2, n 3: 4 plus or minus 4.3027 x 2 / root 3."""
    scored = score(
        """
        occurred_at      | amount
        -----------------+------
        2026-03-02 09:00 | 2
        2026-03-02 10:00 | 4
        2026-03-03 09:00 | 6
        """,
        a_map("{id: basket, name: Basket, estimator: mean, value: amount, step: 0.01, unit: EUR}"),
    )
    row = whole(scored, "basket")
    assert row["value"] == 4
    assert row["value_low"] == pytest.approx(4 - 4.302652729749464 * 2 / 3**0.5)
    assert row["value_high"] == pytest.approx(4 + 4.302652729749464 * 2 / 3**0.5)


@pytest.mark.parametrize("estimator", ["mean", "sum"])
def test_without_a_unit_an_amount_is_a_plain_value_and_no_share(estimator: str):
    told = "occurred_at | amount\n2026-03-02 09:00 | 54.2\n2026-03-02 10:00 | 54.2"
    scored = score(told, a_map(f"{{id: m, name: M, estimator: {estimator}, value: amount, step: 0.1}}"))
    row = whole(scored, "m")
    said = {"mean": "54.20", "sum": "108.40"}[estimator]
    assert (row["unit"], value_text(row["value"], row["unit"])) == ("value", said)


def of_amounts(amounts: Sequence[float], step: float) -> dict:
    """The row of a mean over amounts, whose goal is the first of them."""
    rows = "\n".join(f"2026-03-02 09:00 | {amount}" for amount in amounts)
    metric = f"{{id: basket, name: Basket, estimator: mean, value: amount, step: {step}}}"
    goals = f"[{{metric: basket, at_least: {amounts[0]}, due: 2026-12-31, why: w}}]"
    scored = score(f"occurred_at | amount\n{rows}", a_map(metric, goals))
    return scored.card(ScorecardTouchpoint, metric="basket", period="to_date").row(0, named=True)


@pytest.mark.parametrize("amount", [4.1, 0.3, 7.3, 19.9])
def test_what_is_always_the_same_has_an_interval_without_width(amount: float):
    row = of_amounts([amount] * 7, 0.1)
    assert (row["value"], row["value_low"], row["value_high"]) == (amount, amount, amount)
    assert row["verdict"] == "met"


def test_a_spread_is_exact_however_far_from_zero():
    """Half of 400 lie 5 cents above 5,000,000, half below: variance 0.0025 x 400 / 399, t 1.965927."""
    row = of_amounts([4_999_999.95, 5_000_000.05] * 200, 0.01)
    half = 1.965927295920829 * (0.0025 * 400 / 399 / 400) ** 0.5
    assert row["value"] == 5_000_000
    assert (row["value_high"] - row["value_low"]) / 2 == pytest.approx(half, rel=1e-6)


def test_a_mean_of_one_has_no_interval():
    scored = score(
        """
        occurred_at      | amount
        -----------------+------
        2026-03-02 09:00 | 2.5
        """,
        a_map("{id: basket, name: Basket, estimator: mean, value: amount, step: 0.01}"),
    )
    row = whole(scored, "basket")
    assert (row["value"], row["value_low"], row["value_high"]) == (2.5, None, None)


def test_a_sum_adds_whole_steps_exactly():
    """Ten times ten cents are one euro, whatever binary fractions say."""
    rows = "\n".join("2026-03-02 09:00 | 0.1" for _ in range(10))
    scored = score(
        f"occurred_at | amount\n{rows}", a_map("{id: s, name: S, estimator: sum, value: amount, step: 0.01}")
    )
    assert whole(scored, "s")["value"] == 1.0


@pytest.mark.parametrize(("step", "amount"), [(0.01, 1e12), (0.001, 4e11), (0.000001, 4e8)])
def test_sums_of_the_largest_amounts_are_exact(step: float, amount: float):
    """A hundred thousand of 1e14 steps and more are beyond 64 bits."""
    rows = pl.DataFrame({"occurred_at": ["2026-03-02 09:00"], "amount": [amount]}).select(
        pl.all().repeat_by(100_000).explode()
    )
    metric = f"{{id: s, name: S, estimator: sum, value: amount, step: {step}}}"
    row = whole(score(rows, a_map(metric)), "s")
    assert (row["n"], row["value"]) == (100_000, 100_000 * amount)
    assert row["sum_of_squares"] == pytest.approx(100_000 * amount**2)


def test_an_amount_of_more_steps_than_can_be_added_up_is_left_out_and_counted():
    lines = [f"2026-03-02 09:00 | {amount}" for amount in ("5e8", "-5e8", "1e30", "inf", "NaN", "7", "")]
    text = "\n".join(["occurred_at | amount", *lines])
    row = whole(score(text, a_map("{id: s, name: S, estimator: mean, value: amount, step: 0.000001}")), "s")
    told = ("n", "value", "excluded_outside_count", "excluded_missing_count")
    assert [row[name] for name in told] == [1, 7, 5, 1]


def test_events_are_counted_for_every_touchpoint():
    scored = score(
        """
        occurred_at      | score
        -----------------+------
        2026-03-02 09:00 | 1
        2026-03-02 10:00 |
        """,
        a_map(),
    )
    row = scored.card(ScorecardTouchpoint, period="week", metric="events").row(0, named=True)
    assert (row["touchpoint_id"], row["n"], row["value"]) == ("point", 2, 2)


def test_a_quantile_lies_between_its_neighbours():
    """Resolved after 1, 2, 3 and 10 hours: the median is 2.5, nine tenths 7.9 (type 7)."""
    lines = ["occurred_at | subject_type | subject_id | kind"]
    for ticket, hours in (("a", 1), ("b", 2), ("c", 3), ("d", 10)):
        lines.append(f"2026-03-02 08:00 | ticket | {ticket} | ticket.opened")
        lines.append(f"2026-03-02 {8 + hours:02d}:00 | ticket | {ticket} | ticket.resolved")
    lines.append("2026-03-02 08:00 | ticket | open | ticket.opened")
    text = "\n".join(lines)
    for quantile, value in ((0.5, 2.5), (0.9, 7.9)):
        metric = f"{{id: q, name: Q, estimator: quantile, quantile: {quantile}, of: cases, value: resolution_hours, open_cases: left_out}}"
        row = whole(score(text, a_map(metric)), "q")
        assert row["value"] == pytest.approx(value)
        assert (row["n"], row["excluded_count"]) == (4, 1), "an open ticket has no resolution time yet"


def test_every_period_holds_its_own_days():
    """A week begins on Monday, a month and a quarter on their first day; all end before the next."""
    scored = score(
        """
        occurred_at      | score
        -----------------+------
        2026-03-01 23:59 | 5
        2026-03-02 00:00 | 1
        2026-04-01 00:00 | 5
        """,
        a_map(),
        today="2026-04-02",
    )
    card = scored.card(ScorecardTouchpoint, metric="csat").select(
        "period", "period_start", "period_end", "n", "value"
    )
    rows = {(p, str(start), str(end)): (n, value) for p, start, end, n, value in card.iter_rows()}
    assert rows[("week", "2026-02-23", "2026-03-02")] == (1, 1.0)
    assert rows[("week", "2026-03-02", "2026-03-09")] == (1, 0.0)
    assert rows[("month", "2026-03-01", "2026-04-01")] == (2, 0.5)
    assert rows[("quarter", "2026-01-01", "2026-04-01")] == (2, 0.5)
    assert rows[("quarter", "2026-04-01", "2026-07-01")] == (1, 1.0)
    assert rows[("to_date", "2026-03-01", "2026-04-03")] == (3, pytest.approx(2 / 3))


def test_a_rolling_window_is_four_whole_weeks_or_ends_with_the_last_whole_day():
    scored = score(
        """
        occurred_at      | score
        -----------------+------
        2026-02-02 09:00 | 5
        2026-03-01 09:00 | 5
        2026-03-02 09:00 | 1
        2026-03-19 09:00 | 1
        2026-03-20 01:00 | 1
        """,
        a_map(),
    )
    card = scored.card(ScorecardTouchpoint, metric="csat", period="rolling_28d").sort("period_end")
    rows = {
        str(end): (str(start), n)
        for start, end, n in card.select("period_start", "period_end", "n").iter_rows()
    }
    assert rows["2026-03-02"] == ("2026-02-02", 2)
    assert rows["2026-03-09"] == ("2026-02-09", 2)
    assert rows["2026-03-20"] == ("2026-02-20", 3), "today is running and not in it"


def test_the_period_before_stands_beside():
    scored = score(
        """
        occurred_at      | score
        -----------------+------
        2026-03-03 09:00 | 5
        2026-03-10 09:00 | 1
        2026-03-11 09:00 | 1
        """,
        a_map(),
    )
    week = scored.card(ScorecardTouchpoint, metric="csat", period="week").sort("period_start")
    assert week.select("value", "previous_value", "previous_n").rows() == [(1, None, None), (0, 1, 1)]


def test_segments_split_a_metric_by_its_dimensions():
    scored = score(
        """
        occurred_at      | score | channel
        -----------------+-------+--------
        2026-03-03 09:00 | 5     | web
        2026-03-03 09:00 | 1     | web
        2026-03-03 09:00 | 5     |
        """,
        a_map("{id: csat, name: CSAT, estimator: csat, by: [channel]}"),
    )
    rows = scored.card(ScorecardSegment, period="to_date", touchpoint_id="all").sort("segment")
    assert rows.select("dimension", "segment", "n", "value").rows() == [
        ("channel", "(none)", 1, 1.0),
        ("channel", "web", 2, 0.5),
    ]


def test_summer_time_moves_no_event_to_another_day():
    """On 29 March 2026 clocks jump from two to three in Berlin; 23:30 is still that day, in UTC too early."""
    scored = score(
        """
        occurred_at      | score
        -----------------+------
        2026-03-29 00:30 | 5
        2026-03-29 23:30 | 5
        2026-03-30 00:10 | 1
        """,
        a_map(),
        today="2026-04-01",
    )
    daily = scored.daily.filter(metric="csat").group_by("date").agg(pl.col("n").sum()).sort("date")
    assert [(str(date), n) for date, n in daily.iter_rows()] == [("2026-03-29", 2), ("2026-03-30", 1)]


def test_parts_of_an_owner_add_up_to_the_touchpoint():
    scored = score(
        """
        occurred_at      | score
        -----------------+------
        2026-03-11 11:59 | 5
        2026-03-11 12:00 | 4
        2026-03-12 00:00 | 1
        """,
        a_map(),
    )
    rows = scored.card(ScorecardOwner, period="to_date", metric="csat").sort("owner_id")
    assert rows.select("owner_id", "n", "numerator").rows() == [
        ("ada", 1, 1),
        ("ben", 1, 0),
        ("nobody", 1, 1),
    ]


@pytest.mark.parametrize("today", ["2026-03-15", "2026-03-16", "2026-03-17"])
def test_a_young_history_has_its_last_28_days_on_a_monday_too(today: str):
    """The 16th is a Monday: its window ends with a week, and begins before there was any event."""
    events = """
        occurred_at      | feed   | kind            | scale | score
        2026-03-10 09:00 | survey | survey.answered | csat  | 5
        2026-03-11 09:00 | survey | survey.answered | csat  | 4
    """
    card = score(events, a_map(), today=today).card(ScorecardTouchpoint, period="rolling_28d", metric="csat")
    assert card.sort("period_end").select("period_end", "n").rows()[-1] == (date.fromisoformat(today), 2)


@pytest.mark.parametrize(
    "broken",
    [
        {"excluded_missing_count": 1},
        {"value_low": None},
        {"denominator": None},
        {"numerator": None},
        {"n": None},
        {"interval_method": None},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_a_row_without_what_its_value_rests_on_is_not_published(broken: dict[str, object]):
    """The release checks every row: n, numerator, denominator, interval, method, exclusions by reason."""
    scored = score("occurred_at | score\n2026-03-02 09:00 | 5", a_map())
    rows = scored.tables[ScorecardTouchpoint].select(ScorecardTouchpoint.column_names()).filter(metric="csat")
    assert ScorecardTouchpoint.is_valid(rows, cast=True)
    changed = rows.with_columns(
        pl.lit(value).cast(rows.schema[name]).alias(name) for name, value in broken.items()
    )
    assert not ScorecardTouchpoint.is_valid(changed, cast=True)
