"""# Stale feeds

A feed that has stopped makes nobody meet or miss a goal: periods that reach beyond its newest event are
not judged until it comes again. Periods that had ended before stay judged.
"""

import polars as pl
import pytest

from contracts.tables import ScorecardOwner, ScorecardTouchpoint
from tests.spec.pipeline import Scored, a_map, score

GOAL = "[{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]"
WORDS = "occurred_at | score | feed"


def scored(since: dict[str, str], *, feeds: tuple[str, str] = ("survey", "survey")) -> Scored:
    """A hundred bad answers in the week of Monday 2 March and as many in the week after."""
    weeks = ("2026-03-03", "2026-03-10")
    rows = [f"2026-02-02 09:00 | 5 | {feeds[1]}"]
    rows += [f"{day} 15:00 | 1 | {feed}" for day, feed in zip(weeks, feeds, strict=True) for _ in range(100)]
    return score("\n".join([WORDS, *rows]), a_map(goals=GOAL), "2026-03-17", since)


def week(found: Scored, start: int) -> dict:
    rows = found.card(ScorecardTouchpoint, period="week", metric="csat", period_start=pl.date(2026, 3, start))
    return rows.row(0, named=True)


def test_a_period_that_ended_before_the_newest_event_stays_judged():
    found = week(scored({"survey": "2026-03-10T15:00"}), 2)
    assert (found["verdict"], found["is_stale"], found["is_breach"]) == ("missed", False, True)


def test_a_period_that_reaches_beyond_it_is_neither_met_nor_missed_nor_a_breach():
    found = week(scored({"survey": "2026-03-10T15:00"}), 9)
    assert (found["verdict"], found["is_stale"]) == ("no_data", True)
    assert (found["is_below_goal"], found["is_breach"], found["answers_needed"]) == (None, None, None)
    assert (found["n"], found["value"]) == (100, 0.0)  # the last known value stands there all the same


@pytest.mark.parametrize(
    ("newest", "verdict"),
    [
        pytest.param("2026-03-15T23:59", "no_data", id="the last minute of the week may lack something"),
        pytest.param("2026-03-16T00:00", "missed", id="an event of the next day: the week is whole"),
    ],
)
def test_the_border_is_the_local_midnight_that_ends_the_period(newest: str, verdict: str):
    assert week(scored({"survey": newest}), 9)["verdict"] == verdict


def test_a_feed_that_is_on_time_freezes_nothing():
    assert {week(scored({}), start)["verdict"] for start in (2, 9)} == {"missed"}


def test_a_number_behind_which_no_stale_feed_stands_is_judged():
    found = scored({"other": "2026-03-05T10:00"})
    assert week(found, 9)["verdict"] == "missed"


def test_one_stale_feed_of_two_is_enough():
    """The first week's answers came from the feed that stopped; it may owe some of the second week's."""
    found = scored({"other": "2026-03-05T10:00"}, feeds=("other", "survey"))
    assert week(found, 9)["verdict"] == "no_data"


def test_the_longer_periods_around_a_stale_week_are_stale_too():
    card = scored({"survey": "2026-03-10T15:00"}).card(ScorecardTouchpoint, metric="csat")
    stale = card.filter(is_stale=True)["period"].cast(pl.String).unique().sort().to_list()
    assert stale == ["month", "quarter", "rolling_28d", "to_date", "week"]


def test_goals_that_wait_for_data_are_counted_as_such():
    owners = scored({"survey": "2026-03-10T15:00"}).card(ScorecardOwner, period="week", metric="csat")
    late = owners.filter(period_start=pl.date(2026, 3, 9), owner_id="ada").row(0, named=True)
    words = ("met", "missed", "cannot_tell", "no_data")
    assert [late[f"goals_{word}_count"] for word in words] == [0, 0, 0, 1]


def test_case_metrics_freeze_with_the_feed_of_their_cases():
    metric = "{id: slow, name: Slow, estimator: quantile, quantile: 0.5, of: cases, value: resolution_hours}"
    goals = "[{metric: slow, at_most: 4, due: 2026-12-31, why: it matters}]"
    lines = [
        f"2026-03-03 {hour}:00 | desk | {kind} | ticket | t{case}"
        for case in range(30)
        for hour, kind in (("09", "ticket.opened"), ("19", "ticket.resolved"))
    ]
    text = "\n".join(["occurred_at | feed | kind | subject_type | subject_id", *lines])
    card = score(text, a_map(metric, goals), "2026-03-17", {"desk": "2026-03-03T19:00"})
    row = card.card(ScorecardTouchpoint, period="week", metric="slow").row(0, named=True)
    assert (row["verdict"], row["value"]) == ("no_data", 10.0)
