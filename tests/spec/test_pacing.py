"""# Goals on their way

A goal says where it should stand by now, whether it will be met when it is due, and how many bad experiences it still
allows. What is not known is not said.
"""

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest

from contracts.accountability import AccountabilityMap
from contracts.tables import FactGoalPacing, ScorecardTouchpoint
from tests.spec.pipeline import Scored, a_map
from tests.spec.test_windows import of_calls
from tests.spec.weeks import FIRST, MEAN, amounts, answers, monday_of, of_amounts, of_answers, typed
from transforms.goal_paths import GOAL
from transforms.map_tables import dim_goal
from transforms.pacing import Pacing, aspects, fact_goal_pacing, goal_weeks

NOT_MOVED = pl.DataFrame(
    schema={**dict.fromkeys(GOAL[:2], pl.String), GOAL[2]: pl.Date, "moved_date": pl.Date}
)


def pacing(scored: Scored, atlas: AccountabilityMap) -> pl.DataFrame:
    """FactGoalPacing of what was scored, its promises checked."""
    rests_on = Pacing(scored.tables[ScorecardTouchpoint], scored.daily, dim_goal(atlas), atlas)
    weeks = goal_weeks(rests_on).collect()
    told = pl.collect_all(aspects(weeks, rests_on))
    return typed(FactGoalPacing, fact_goal_pacing(weeks, told, NOT_MOVED).collect())


def goal(metric: str = "csat", **more: object) -> str:
    said = {
        "metric": metric,
        "at_least": 0.8,
        "from": "2025-01-06",
        "due": "2025-12-29",
        "why": "it matters",
        **more,
    }
    return "[{" + ", ".join(f"{name}: {value}" for name, value in said.items() if value is not None) + "}]"


def of_weeks(weeks: list[tuple[int, int]], **more: object) -> pl.DataFrame:
    """Weeks of so many satisfied and dissatisfied answers, and their goal."""
    atlas = a_map(goals=goal(**more))
    return pacing(of_answers(answers(weeks), atlas, len(weeks)), atlas)


def of_values(values: list[float], **more: object) -> pl.DataFrame:
    """Weeks of one amount each."""
    atlas = a_map(MEAN, goal("amount", **{"at_least": 100, **more}))
    return pacing(of_amounts(amounts(values), atlas, len(values)), atlas)


def test_without_a_path_the_level_is_expected_from_the_first_day_on():
    found = of_weeks([(8, 2)] * 6)
    assert found["expected"].to_list() == [0.8] * 6
    assert found["period_start"].to_list() == [monday_of(week) for week in range(6)]


BASE = {"baseline": 0.6, "baseline_at": "2025-01-06", "due": "2025-03-17"}
"""Ten weeks from 60 % to 80 %."""


def test_a_linear_path_climbs_from_the_baseline_to_the_level():
    """Two points a week; the week's last day counts: 6/70 of the way after one week."""
    found = of_weeks([(8, 2)] * 12, path="linear", **BASE)
    expected = [0.6 + 0.2 * min(7 * week + 6, 70) / 70 for week in range(12)]
    assert found["expected"].to_list() == pytest.approx(expected)


def test_a_step_expects_the_baseline_until_it_is_due():
    found = of_weeks([(8, 2)] * 12, path="step", **BASE)
    assert found["expected"].to_list() == [0.6] * 10 + [0.8] * 2


def test_waypoints_are_joined_by_straight_lines():
    """Nothing is expected before the first one, since no baseline says where the way begins."""
    found = of_weeks(
        [(8, 2)] * 6, path="[{by: 2025-01-19, level: 0.5}, {by: 2025-02-02, level: 0.7}]", due="2025-02-09"
    )
    assert found["expected"].to_list() == [None, 0.5, pytest.approx(0.6), 0.7, pytest.approx(0.8), 0.8]


def test_twenty_eight_days_are_held_against_the_path_in_their_middle():
    """Of a way of 20 points in ten weeks, four weeks later the window's middle is two weeks back."""
    found = of_weeks([(7, 3)] * 12, path="linear", **BASE)
    fourth = found.row(3, named=True)
    assert (fourth["n"], fourth["value"]) == (40, 0.7)
    assert fourth["expected_in_window"] == pytest.approx(0.6 + 0.2 * 14 / 70)
    assert fourth["is_on_path"]


@pytest.mark.parametrize(
    ("good", "verdict", "is_on_path"),
    [
        pytest.param(95, "met", True, id="the whole interval reaches the path"),
        pytest.param(60, "missed", False, id="none of it does"),
        pytest.param(78, "cannot_tell", False, id="78 of 100 is below 80, but could be chance"),
    ],
)
def test_the_interval_says_whether_it_is_on_its_path(good: int, verdict: str, is_on_path: bool):
    row = of_weeks([(good, 100 - good)] * 4).row(3, named=True)
    assert (row["path_verdict"], row["is_on_path"]) == (verdict, is_on_path)


def test_a_stale_week_is_not_judged():
    atlas = a_map(goals=goal())
    rows = [f"{row} | survey" for row in answers([(9, 1)] * 8)]
    stale = {"survey": f"{monday_of(6)}T12:00"}
    scored = of_answers(rows, atlas, 8, stale, "occurred_at | score | feed")
    last = pacing(scored, atlas).row(-1, named=True)
    assert last["is_stale"]
    assert (last["path_verdict"], last["is_on_path"], last["p_meet"], last["projection_refused"]) == (
        "no_data",
        None,
        None,
        "is_stale",
    )


def test_a_line_through_the_weeks_leads_to_the_due_date():
    """Up by one a week with a little noise: 51 weeks later about 60, far from 100."""
    noise = [0.3, -0.2, 0.1, -0.3, 0.2, 0.0, -0.1, 0.2, -0.2, 0.1]
    last = of_values([10 + week + noise[week] for week in range(10)]).row(-1, named=True)
    assert last["point_count"] == 10
    assert last["projection"] == pytest.approx(60, abs=3)
    assert last["projection_low"] < last["projection"] < last["projection_high"]
    assert last["p_meet"] < 0.001


def test_the_chance_to_meet_a_level_on_the_line_is_one_half():
    values = [10 + week + (0.5 if week % 2 else -0.5) for week in range(12)]
    projected = of_values(values).row(-1, named=True)["projection"]
    assert of_values(values, at_least=projected).row(-1, named=True)["p_meet"] == pytest.approx(0.5)


def test_fewer_than_six_weeks_are_refused():
    found = of_values([10.0, 11.5, 12.0, 13.5, 14.0, 15.5])
    assert found["projection_refused"].to_list() == ["too_few_points"] * 5 + [None]
    assert found["projection"].null_count() == found["p_meet"].null_count() == 5


def test_a_goal_that_is_due_has_nothing_ahead():
    found = of_values([10.0 + week % 2 for week in range(10)], due=str(monday_of(8)))
    assert found["projection_refused"].to_list()[-2:] == ["is_due", "is_due"]


def test_every_week_has_the_projection_of_its_time():
    values = [10.0 + (week % 3) for week in range(9)]
    assert (
        of_values(values).row(6, named=True)["projection"]
        == of_values(values[:7]).row(-1, named=True)["projection"]
    )


def test_the_budget_is_what_the_goal_allows_in_the_quarter():
    """Seven weeks of 100 answers with 25 bad ones; 100 a week to come: of 1,214 answers 243 may be bad.

    The goal begins on 6 January, so the quarter's part is 85 days: 49 passed, 36 to come at 400 in 28 days.
    """
    last = of_weeks([(75, 25)] * 7).row(-1, named=True)
    assert (last["budget_start_date"], last["budget_end_date"]) == (FIRST, date(2025, 4, 1))
    assert last["budget_used_count"] == 175
    assert last["budget_time_share"] == pytest.approx(49 / 85)
    assert last["budget_count"] == pytest.approx(0.2 * (700 + 400 / 28 * 36))
    assert last["budget_used_share"] == pytest.approx(175 / (0.2 * (700 + 400 / 28 * 36)))


def test_the_budget_begins_anew_with_the_quarter_even_within_a_week():
    """The week of 31 March has one day in the first quarter and six in the second."""
    found = of_weeks([(63, 7)] * 13)
    last = found.row(-1, named=True)
    assert (last["period_start"], last["budget_start_date"]) == (date(2025, 3, 31), date(2025, 4, 1))
    assert last["budget_used_count"] == 6, "of seven bad answers, one a day, the first is the old quarter's"
    assert found.row(-2, named=True)["budget_used_count"] == 84


@pytest.mark.parametrize(
    ("weeks", "windows", "burn", "rates"),
    [
        pytest.param([(80, 20)] * 8, (4, 1), None, (1.0, 1.0), id="exactly as fast as allowed"),
        pytest.param([(80, 20)] * 4 + [(50, 50)] * 4, (4, 1), "fast", (2.5, 2.5), id="fast, and it still burns"),
        pytest.param([(80, 20)] * 4 + [(70, 30)] * 4, (4, 1), "slow", (1.5, 1.5), id="slowly"),
        pytest.param([(50, 50)] * 7 + [(90, 10)], (4, 1), None, (2.0, 0.5), id="it burnt, and has stopped"),
        pytest.param([(3, 1)] * 13, (13, 4), "slow", (1.25, 1.25), id="few answers widen both windows"),
        pytest.param([(1, 1)] * 6, (None, None), None, (None, None), id="twelve answers say nothing"),
    ],
)  # fmt: skip
def test_the_budget_burns_when_the_long_and_the_short_window_do(weeks, windows, burn, rates):
    last = of_weeks(weeks).row(-1, named=True)
    assert (last["burn_long_weeks"], last["burn_short_weeks"], last["burn"]) == (*windows, burn)
    told = (last["burn_long"], last["burn_short"])
    assert told == rates if None in rates else told == pytest.approx(rates)


def test_on_its_path_a_goal_burns_no_budget():
    """On the way from 60 to 80 % the path allows more at first: 65 % good is no overspending in week four."""
    row = of_weeks([(65, 35)] * 4, path="linear", **BASE).row(3, named=True)
    assert row["burn_long"] < 1.02
    assert of_weeks([(65, 35)] * 4).row(3, named=True)["burn_long"] == pytest.approx(1.75)


def test_where_lower_is_better_the_good_ones_are_the_bad_ones():
    metric = '{id: slow, name: Slow, estimator: share, good: {score: "<= 2"}, direction: lower}'
    atlas = a_map(metric, goal("slow", at_least=None, at_most=0.1))
    last = pacing(of_answers(answers([(90, 10)] * 5), atlas, 5), atlas).row(-1, named=True)
    assert (last["budget_used_count"], last["burn_long"]) == (50, pytest.approx(1.0))


def test_calls_that_are_repeated_use_up_a_budget():
    """Two of twelve a week are repeated, where a quarter of them may be: two thirds of what is allowed."""
    said = goal("m", at_least=None, at_most=0.25)
    atlas = a_map("{id: m, name: M, estimator: repeat, within_days: 3}", said)
    last = pacing(of_calls(atlas), atlas).row(-1, named=True)
    assert last["budget_used_count"] == 10
    assert last["budget_count"] == pytest.approx(0.25 * (60 + 48 / 28 * 50)), (
        "50 days of the quarter are left"
    )
    assert last["burn_long"] == pytest.approx((2 / 12) / 0.25)


def test_what_is_no_share_has_no_budget():
    last = of_values([10.0, 11.0] * 4).row(-1, named=True)
    assert [last[name] for name in ("budget_count", "budget_used_share", "burn_long", "burn")] == [None] * 4


def test_a_week_without_answers_has_a_row_and_no_value():
    atlas = a_map(goals=goal())
    rows = [*answers([(8, 2)]), *answers([(8, 2)], first=9)]
    found = pacing(of_answers(rows, atlas, 10), atlas)
    assert found["period_start"].to_list() == [monday_of(week) for week in range(10)]
    assert found.select("n", "value", "path_verdict").rows()[3:9] == [(10, 0.8, "cannot_tell")] + 5 * [
        (0, None, "no_data")
    ]


def test_weeks_without_answers_up_to_today_have_rows_too():
    atlas = a_map(goals=goal())
    found = pacing(of_answers(answers([(8, 2)] * 4), atlas, 7), atlas)
    assert found["n"].to_list() == [None] * 3 + [40, 30, 20, 10]


def test_a_week_without_answers_is_one_of_the_four_that_burn():
    """Bad are two of ten, two of ten, none of none and five of ten: nine of thirty, where six are allowed."""
    row = of_weeks([(8, 2)] * 4 + [(0, 0), (5, 5)]).row(-1, named=True)
    assert (row["burn_long_weeks"], row["burn_long"]) == (4, pytest.approx(1.5))


@pytest.mark.parametrize("weeks", [4, 5, 6, 7])
def test_of_the_first_three_weeks_there_are_no_28_days_whichever_day_it_is(weeks: int):
    found = of_weeks([(8, 2)] * weeks)
    told = found.select("n", "excluded_count", "value", "path_verdict", "budget_used_count").rows()
    assert told[:4] == [(None, None, None, "no_data", used) for used in (2, 4, 6)] + [
        (40, 0, 0.8, "cannot_tell", 8)
    ]


def test_what_is_still_to_come_comes_as_in_the_last_28_days_even_if_that_is_not_at_all():
    """Of 40 answers in January 8 were bad, as many as are allowed; and then nobody answered any more."""
    atlas = a_map(goals=goal())
    rows = [*answers([(8, 2)] * 4), f"{monday_of(8)} 09:00 | 11"]
    last = pacing(of_answers(rows, atlas, 9), atlas).row(-1, named=True)
    assert (last["n"], last["budget_count"], last["budget_used_share"]) == (
        0,
        pytest.approx(8),
        pytest.approx(1),
    )


def test_a_goal_has_rows_while_it_is_in_force():
    atlas = a_map(goals=goal(**{"from": "2025-01-20", "until": "2025-02-05"}))
    found = pacing(of_answers(answers([(8, 2)] * 8), atlas, 8), atlas)
    assert found["period_end"].to_list() == [date(2025, 1, 27), date(2025, 2, 3)]
    assert all(later - earlier == timedelta(days=7) for earlier, later in pairwise(found["period_end"]))
