"""# Windows that widen

A value over a week of eight answers says nothing. The window widens until its interval is narrow enough for the metric's
tolerance, and says which one it was.
"""

from datetime import timedelta

import polars as pl
import pytest

from contracts.accountability import AccountabilityMap
from contracts.tables import MetricWindow
from tests.conftest import drawn
from tests.spec.pipeline import MAP, Scored, a_map, score
from tests.spec.test_verdicts import GOAL
from tests.spec.weeks import FIRST, answers, monday_of, of_amounts, of_answers, typed

CSAT = "{id: csat, name: CSAT, estimator: csat, windows: [1, 4, 13], tolerance: %s}"


def window(weeks: list[tuple[int, int]], tolerance: float = 0.1, **more: object) -> dict:
    """What is told of weekly answers, as of the Monday after them."""
    atlas = a_map(CSAT % tolerance, **{"goals": GOAL, **more})
    return typed(MetricWindow, of_answers(answers(weeks), atlas, len(weeks)).tables[MetricWindow]).row(
        0, named=True
    )


@pytest.mark.parametrize(
    ("a_week", "weeks", "is_narrow"),
    [
        pytest.param(100, 1, True, id="a hundred answers a week: the last week"),
        pytest.param(30, 4, True, id="thirty: four weeks"),
        pytest.param(10, 13, True, id="ten: thirteen weeks"),
        pytest.param(2, 13, False, id="two: the widest there is, and it says that it is too wide"),
    ],
)
def test_the_shortest_window_that_is_narrow_enough_is_told(a_week: int, weeks: int, is_narrow: bool):
    row = window([(a_week - max(1, a_week // 5), max(1, a_week // 5))] * 13)
    assert (row["window_weeks"], row["is_narrow_enough"]) == (weeks, is_narrow)
    assert row["n"] == weeks * a_week
    assert (row["window_start_date"], row["window_end_date"]) == (monday_of(13 - weeks), monday_of(13))
    assert (row["half_width"] <= row["tolerance"] == 0.1) == is_narrow


def test_it_has_everything_that_a_number_needs():
    row = window([(80, 20)] * 13)
    assert (row["numerator"], row["denominator"], row["value"], row["interval_method"]) == (
        80,
        100,
        0.8,
        "wilson",
    )
    assert row["value_low"] < 0.8 < row["value_high"]


def test_the_verdict_is_that_of_the_window():
    """52 of 65 answers a week are no evidence in a week; 90 of 100 are."""
    assert window([(90, 10)] * 13)["verdict"] == "met"
    told = window([(26, 4)] * 13, 0.01)
    assert (told["window_weeks"], told["verdict"]) == (13, "met")


def test_what_cannot_be_told_says_when_it_will():
    """At the window's own rate: 9 answers a week."""
    row = window([(7, 2)] * 13, 0.2)
    assert (row["window_weeks"], row["verdict"]) == (4, "cannot_tell")
    days = -(-row["answers_needed"] * 28 // 36)
    assert (row["answers_expected_date"] - monday_of(13)).days == days


def test_windows_that_reach_before_the_first_day_are_none():
    assert window([(7, 2)] * 5)["window_weeks"] == 4


TWO = MAP.replace("metrics: METRIC\n", "metrics: [csat, nps]\n")


@pytest.mark.parametrize(
    ("others", "weeks"),
    [
        pytest.param("[1, 4, 13, 26, 52]", {"csat": 4, "nps": 1}, id="shorter ones"),
        pytest.param("[13, 26]", {"csat": 4, "nps": 13}, id="longer ones"),
    ],
)
def test_the_shortest_window_is_there_in_any_case_whatever_the_others_have(others: str, weeks: dict):
    """Two weeks of ten answers a week; tolerances that no window of them meets."""
    metrics = (
        "{id: csat, name: CSAT, estimator: csat, windows: [4, 13], tolerance: 0.01}, "
        f"{{id: nps, name: NPS, estimator: nps, windows: {others}, tolerance: 0.1}}"
    )
    made = of_answers(answers([(8, 2)] * 2), a_map(metrics, text=TWO), 2).tables[MetricWindow]
    told = typed(MetricWindow, made).select("metric", "window_weeks", "n").rows()
    assert told == [("csat", 4, 20), ("nps", weeks["nps"], 10 if weeks["nps"] == 1 else 20)]


def test_without_a_tolerance_it_is_a_twentieth_of_a_share_ten_points_a_tenth_of_a_value():
    for metric, weeks, told in (
        ("{id: csat, name: CSAT, estimator: csat}", [(90, 10)], 0.05),
        ("{id: nps, name: NPS, estimator: nps, low: 0, high: 10}", [(90, 10)], 10.0),
    ):
        found = of_answers(answers(weeks), a_map(metric), 1).tables[MetricWindow]
        assert found["tolerance"].to_list() == [told]
    mean = a_map("{id: amount, name: Amount, estimator: mean, value: amount}")
    found = of_amounts([f"{monday_of(0)} 09:00 | 40", f"{monday_of(0)} 10:00 | 60"], mean, 1).tables[
        MetricWindow
    ]
    assert found["tolerance"].to_list() == [pytest.approx(5.0)]


CALLS = [
    f"{monday_of(week) + timedelta(days=day)} 09:00 | {customer} | called"
    for week in range(5)
    for customer, days in enumerate([(0, 1), (0, 1), *[(0,)] * 8], start=1)
    for day in days
]
"""Ten customers call on Monday, two of them again on Tuesday: two of twelve calls a week are repeated."""


def of_calls(atlas: AccountabilityMap) -> Scored:
    table = drawn("\n".join(["occurred_at | customer | kind", *CALLS]))
    return score(table.with_columns(pl.col("customer").cast(pl.UInt32)), atlas, str(monday_of(5)))


def test_what_is_repeated_is_a_share_too():
    atlas = a_map("{id: m, name: M, estimator: repeat, within_days: 3}")
    row = typed(MetricWindow, of_calls(atlas).tables[MetricWindow]).row(0, named=True)
    assert (row["unit"], row["tolerance"], row["n"], row["numerator"]) == ("share", 0.05, 48, 8)


def test_quantiles_widen_too():
    """The median of seven cases has too wide an interval; that of 28 is the best there is."""
    metric = "{id: wait, name: Wait, estimator: quantile, quantile: 0.5, of: cases, value: resolution_hours, windows: [1, 4]}"
    days = [FIRST + timedelta(days=day) for day in range(28)]
    rows = [
        f"{day} {hour:02d}:00 | c{place} | ticket | ticket.{what}"
        for place, day in enumerate(days)
        for hour, what in ((8, "opened"), (9 + place % 8, "resolved"))
    ]
    drawn = "\n".join(["occurred_at | subject_id | subject_type | kind", *rows])
    scored = score(drawn, a_map(metric), str(monday_of(4)))
    row = typed(MetricWindow, scored.tables[MetricWindow]).row(0, named=True)
    assert (row["window_weeks"], row["n"], row["interval_method"]) == (4, 28, "order_statistic")
