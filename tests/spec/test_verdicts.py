"""# Verdicts

A goal is met or missed when the whole interval says so; otherwise nobody can tell yet.
"""

import math
from datetime import date

import polars as pl
import pytest

from contracts.tables import ScorecardOwner, ScorecardTouchpoint
from tests.spec.pipeline import a_map, score
from transforms.intervals import z_of

GOAL = "[{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]"


def answers(good: int, bad: int, day: str = "2026-03-03") -> list[str]:
    """Drawn answers: so many fives and so many ones."""
    return [f"{day} 09:00 | 5"] * good + [f"{day} 09:00 | 1"] * bad


def judged(rows: list[str], goals: str = GOAL, today: str = "2026-03-20", **where: object) -> dict:
    """The touchpoint's row of one period, the whole unless said otherwise."""
    scored = score("\n".join(["occurred_at | score", *rows]), a_map(goals=goals), today)
    chosen = {"period": "to_date", "metric": "csat", **where}
    return scored.card(ScorecardTouchpoint, **chosen).row(0, named=True)


@pytest.mark.parametrize(
    ("good", "bad", "verdict"),
    [
        pytest.param(95, 5, "met", id="95 of 100 is above 80 % with its whole interval"),
        pytest.param(60, 40, "missed", id="60 of 100 is below it with its whole interval"),
        pytest.param(82, 18, "cannot_tell", id="82 of 100 is above it, but not by enough"),
        pytest.param(1, 0, "cannot_tell", id="one happy customer proves nothing"),
    ],
)
def test_the_interval_decides(good: int, bad: int, verdict: str):
    assert judged(answers(good, bad))["verdict"] == verdict


def test_without_a_goal_there_is_no_verdict():
    assert judged(answers(9, 1), goals="[]")["verdict"] == "no_goal"


def test_without_an_answer_there_is_no_data():
    assert judged(["2026-03-03 09:00 | 9"])["verdict"] == "no_data"


def test_lower_is_better_where_the_metric_says_so():
    metric = '{id: slow, name: Slow, estimator: share, good: {score: ">= 4"}, direction: lower}'
    goals = "[{metric: slow, at_most: 0.5, due: 2026-12-31, why: it matters}]"
    text = "\n".join(["occurred_at | score", *answers(10, 90)])
    row = (
        score(text, a_map(metric, goals))
        .card(ScorecardTouchpoint, period="to_date", metric="slow")
        .row(0, named=True)
    )
    assert (row["verdict"], row["is_below_goal"]) == ("met", False)


def test_the_answers_needed_are_exactly_enough():
    """With that many more answers of the same kind the interval clears the goal; with one fewer it does not."""
    row = judged(answers(41, 9))
    needed, share = row["answers_needed"], row["value"]
    z, goal = z_of(0.95), 0.8

    def clears(n: float) -> bool:
        centre, half = share * n + z * z / 2, z * math.sqrt(n * share * (1 - share) + z * z / 4)
        return (centre - half) / (n + z * z) >= goal

    assert clears(row["n"] + needed)
    assert not clears(row["n"] + needed - 1)


def test_the_expected_date_follows_the_last_28_days():
    """70 answers in 28 days are 2.5 a day."""
    row = judged([*answers(58, 12, "2026-03-10")], period="rolling_28d", period_end=pl.date(2026, 3, 20))
    assert row["verdict"] == "cannot_tell"
    days = math.ceil(row["answers_needed"] / 2.5)
    assert (row["answers_expected_date"] - row["period_end"]).days == days


def test_the_goal_in_force_on_the_last_day_counts():
    goals = """[{metric: csat, at_least: 0.5, until: 2026-03-09, due: 2026-12-31, why: first},
                {metric: csat, at_least: 0.9, from: 2026-03-09, due: 2026-12-31, why: then}]"""
    rows = [*answers(8, 2, "2026-03-04"), *answers(8, 2, "2026-03-11")]
    first = judged(rows, goals, period="week", period_start=pl.date(2026, 3, 2))
    then = judged(rows, goals, period="week", period_start=pl.date(2026, 3, 9))
    assert (first["goal"], then["goal"]) == (0.5, 0.9)


def test_a_week_is_a_breach_when_four_weeks_and_the_week_itself_say_so():
    weeks = ("2026-02-23", "2026-03-02", "2026-03-09", "2026-03-16")
    bad = [row for day in weeks for row in answers(18, 12, day)]
    last = judged(bad, today="2026-03-23", period="week", period_start=pl.date(2026, 3, 16))
    assert last["is_breach"]
    # Wilson's upper end of 72 of 120, one-sided: z 1.644854.
    assert last["breach_bound"] == pytest.approx(0.6705731050325846, abs=1e-9)
    recovered = [row for day in weeks[:3] for row in answers(18, 12, day)] + answers(29, 1, weeks[3])
    last = judged(recovered, today="2026-03-23", period="week", period_start=pl.date(2026, 3, 16))
    assert not last["is_breach"], "the last week is above its goal"


def test_one_bad_week_is_below_its_goal_but_no_breach():
    rows = [row for day in ("2026-02-23", "2026-03-02", "2026-03-09") for row in answers(27, 3, day)]
    week = judged(
        [*rows, *answers(22, 8, "2026-03-16")],
        today="2026-03-23",
        period="week",
        period_start=pl.date(2026, 3, 16),
    )
    assert (week["is_below_goal"], week["is_breach"]) == (True, False)


def test_the_owner_shown_is_the_one_when_the_period_closed():
    rows = ["2026-03-10 09:00 | 5", "2026-03-13 09:00 | 5", "2026-03-19 09:00 | 5"]
    week = judged(rows, period="week", period_start=pl.date(2026, 3, 9))
    assert (week["owner_id"], week["owner_name"], str(week["owner_since_at"])) == (
        "ben",
        "Ben",
        "2026-03-11 23:00:00+00:00",
    )
    assert judged(["2026-03-03 09:00 | 5"], today="2026-03-11", period="week")["owner_id"] == "ada"


def test_an_owners_goals_are_judged_on_their_own_part():
    """Ada's hundred answers miss the goal, Ben's meet it; together nobody could tell."""
    rows = [*answers(60, 40, "2026-03-10"), *answers(97, 3, "2026-03-13")]
    scored = score("\n".join(["occurred_at | score", *rows]), a_map(goals=GOAL))
    card = scored.card(ScorecardOwner, period="to_date", metric="csat").sort("owner_id")
    counts = card.select("owner_id", "goals_met_count", "goals_missed_count", "goals_cannot_tell_count")
    assert counts.rows() == [("ada", 0, 1, 0), ("ben", 1, 0, 0)]
    assert judged(rows)["verdict"] == "cannot_tell"


KM = "{id: wait, name: Wait, estimator: quantile, quantile: 0.5, of: cases, value: resolution_hours}"
FOUR = ("02", "09", "16", "23")
"""Mondays of four whole weeks."""


def waiting(solved: int, *, at_most: float = 24, of: int = 20) -> pl.DataFrame:
    """Every Monday of March so many tickets opened, of which so many are resolved after four hours, the others never."""
    rows = [
        f"2026-03-{day} {hour}:00 | ticket.{kind} | ticket | {day}-{place} | {place + 1}"
        for day in FOUR
        for hour, kind, many in (("08", "opened", of), ("12", "resolved", solved))
        for place in range(many)
    ]
    goals = f"[{{metric: wait, at_most: {at_most}, due: 2026-12-31, why: it matters}}]"
    head = "occurred_at | kind | subject_type | subject_id | customer"
    scored = score("\n".join([head, *rows]), a_map(KM, goals), "2026-03-30")
    return scored.card(ScorecardTouchpoint, metric="wait").sort("period", "period_end")


def test_a_value_beyond_the_longest_wait_misses_a_goal_that_its_lower_end_misses():
    """Of 20 tickets a week 18 are resolved after four hours and so is the median; of 4 nobody knows it, but it is days."""
    judged = ["value", "verdict", "is_below_goal", "is_breach"]
    last = {"period": "week", "period_start": date(2026, 3, 23)}
    assert waiting(18).filter(**last).select(judged).row(0) == (4.0, "met", False, False)
    assert waiting(4).filter(**last).select(judged).row(0) == (None, "missed", True, True)
    whole = waiting(4).filter(period="rolling_28d", period_end=date(2026, 3, 30))
    assert whole.select(judged).row(0) == (None, "missed", True, None)


def test_a_low_end_beyond_the_curve_is_what_the_value_is_not_below_however_long_the_open_cases_take():
    """Were all 80 closed now the median would be at the 31st shortest at least, of 16 a week the 6th of 20: those of
    the last week, who have waited for 165 hours (until 30 March 6:00, an hour less by the clock). Not the longest."""
    ends = ["n", "value_low", "value_high"]
    whole = waiting(4).filter(period="rolling_28d", period_end=date(2026, 3, 30))
    week = waiting(4).filter(period="week", period_start=date(2026, 3, 23))
    assert (whole.select(ends).row(0), week.select(ends).row(0)) == ((80, 165.0, None), (20, 165.0, None))
    assert week["breach_bound"].item() == 333.0, "one side of 5 %: the 33rd, of the week before"


def test_a_value_beyond_the_longest_wait_cannot_be_told_while_its_lower_end_reaches_the_goal():
    """Nobody has waited for 1,000 hours yet; and of one ticket a week nothing is known for sure."""
    for rows in (waiting(4, at_most=1000), waiting(0, of=1)):
        last = rows.filter(period="week", period_start=date(2026, 3, 23)).row(0, named=True)
        told = [last[name] for name in ("value", "verdict", "is_below_goal")]
        assert told == [None, "cannot_tell", None]
        assert not last["is_breach"]
