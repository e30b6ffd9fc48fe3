"""# Inherited or earned

A breach is inherited when it began before its owner took over, for as long as their days of grace last.
Ada holds the seat until 11 March 12:00, then it is vacant, and Ben's from 12 March on.
"""

from datetime import date, datetime

import polars as pl
import pytest

from contracts.alerts import AlertMessage, Decision, Episode, Notice, Rung
from contracts.tables import DataTrust, ScorecardOwner, ScorecardTouchpoint
from contracts.tenures import tenures
from tests.spec.pipeline import BERLIN, MAP, Scored, a_map, score
from transforms.alert_decision import began_on, facts_of
from transforms.alert_evidence import Numbers, evidence
from transforms.alert_messages import Telling, message

GOAL = "[{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]"
MONDAYS = ("2026-02-09", "2026-02-16", "2026-02-23", "2026-03-02", "2026-03-09", "2026-03-16", "2026-03-23")


def week(day: str, good: int, bad: int) -> list[str]:
    """A week's answers, all on its Monday."""
    return [f"{day} 09:00 | {score}" for score in (5,) * good + (1,) * bad]


def cards(weeks: dict[str, tuple[int, int]], today: str, grace: int = 90, text: str = MAP):
    rows = [row for day, (good, bad) in weeks.items() for row in week(day, good, bad)]
    atlas = a_map(goals=GOAL, text=text)
    return score("\n".join(["occurred_at | score", *rows]), atlas, today, grace_days=grace)


def row(scored, period: str, start: str | None = None) -> dict:
    found = scored.card(ScorecardTouchpoint, period=period, metric="csat").sort("period_start")
    if start:
        found = found.filter(pl.col("period_start") == date.fromisoformat(start))
    return found.row(-1, named=True)


BAD, GOOD = (18, 12), (29, 1)


def test_a_breach_that_began_before_the_owner_took_over_is_inherited():
    """Four bad weeks from 23 February on: the breach is found in the last of them, and began with the first."""
    scored = cards(dict.fromkeys(MONDAYS[2:6], BAD), "2026-03-23")
    last = row(scored, "week", "2026-03-16")
    assert (last["is_breach"], last["owner_id"], last["owner_days"]) == (True, "ben", 11)
    assert (last["breach_began_date"], last["is_inherited"]) == (date(2026, 2, 23), True)
    owner = scored.card(ScorecardOwner, period="week", metric="csat", owner_id="ben").sort("period_start")
    assert owner.select("goals_missed_count", "goals_inherited_count").row(-1) == (1, 1)


def test_the_owner_before_earned_it():
    scored = cards(dict.fromkeys(MONDAYS[:4], BAD), "2026-03-09")
    last = row(scored, "week", "2026-03-02")
    assert (last["is_breach"], last["owner_id"], last["is_inherited"]) == (True, "ada", False)
    assert (last["owner_since_at"], last["owner_days"]) == (None, None), "the map knows no beginning"


def test_after_the_days_of_grace_it_is_their_own():
    weeks = dict.fromkeys(MONDAYS[2:6], BAD)
    assert row(cards(weeks, "2026-03-23", grace=12), "week", "2026-03-16")["is_inherited"]
    assert row(cards(weeks, "2026-03-23", grace=11), "week", "2026-03-16")["is_inherited"] is False


def test_a_breach_that_begins_under_the_owner_is_their_own():
    weeks = dict.fromkeys(MONDAYS[:5], GOOD) | {MONDAYS[5]: (3, 27), MONDAYS[6]: (3, 27)}
    last = row(cards(weeks, "2026-03-30"), "week", "2026-03-23")
    assert (last["is_breach"], last["breach_began_date"]) == (True, date(2026, 3, 16))
    assert last["is_inherited"] is False


def test_a_week_that_is_no_breach_ends_it():
    weeks = dict.fromkeys(MONDAYS[:4], BAD) | {MONDAYS[4]: GOOD}
    recovered = row(cards(weeks, "2026-03-16"), "week", "2026-03-09")
    assert (recovered["is_breach"], recovered["breach_began_date"], recovered["is_inherited"]) == (
        False,
        None,
        None,
    )


def test_a_week_without_answers_neither_ends_a_breach_nor_begins_one():
    weeks = dict.fromkeys((*MONDAYS[1:4], MONDAYS[5]), BAD)
    last = row(cards(weeks, "2026-03-23"), "week", "2026-03-16")
    assert (last["is_breach"], last["breach_began_date"]) == (True, date(2026, 2, 23))


@pytest.mark.parametrize("period", ["month", "quarter", "rolling_28d", "to_date"])
def test_every_verdict_knows_of_the_breach_that_stood_when_its_period_closed(period: str):
    last = row(cards(dict.fromkeys(MONDAYS[2:6], BAD), "2026-03-23"), period)
    assert (last["breach_began_date"], last["is_inherited"], last["owner_days"]) == (
        date(2026, 2, 23),
        True,
        11,
    )


def letter(scored: Scored, today: str, text: str = MAP) -> AlertMessage:
    """What Ben is told of the breach on the morning of a day."""
    atlas, now = a_map(goals=GOAL, text=text), datetime.fromisoformat(f"{today}T06:00").replace(tzinfo=BERLIN)
    (one,) = evidence(Numbers(scored.tables[ScorecardTouchpoint], DataTrust.empty()), atlas, [], now)
    began = began_on(one.weeks)
    assert began is not None
    episode = Episode(
        id="a",
        key=one.key,
        state="firing",
        reason="breach_on_evidence",
        opened_at=now,
        began=began,
        owner="ben",
    )
    notice = Notice("breach", Rung("owner", "ben", "seat", "role accountable"))
    decision = Decision(key=one.key, reason="breach_on_evidence", after=episode, facts=facts_of(one))
    return message(decision, notice, Telling(atlas, [], tenures(atlas), now, {}))


AT_NOON = MAP.replace("2026-03-11T12:00", "2026-02-22T18:00").replace("2026-03-12", "2026-02-23T12:00")
"""Ben takes over at noon of the day with which the breach begins."""


@pytest.mark.parametrize(
    ("today", "grace", "text", "is_inherited"),
    [
        pytest.param("2026-03-23", 90, MAP, True, id="Ben took over while it lasted"),
        pytest.param("2026-03-23", 12, MAP, True, id="in the last of his days of grace"),
        pytest.param("2026-03-23", 11, MAP, False, id="when his days of grace are over"),
        pytest.param("2026-03-23", 90, AT_NOON, False, id="within the first day of it"),
    ],
)
def test_a_letter_calls_inherited_what_the_scorecard_does(
    today: str, grace: int, text: str, is_inherited: bool
):
    scored = cards(dict.fromkeys(MONDAYS[2:6], BAD), today, grace, text)
    assert row(scored, "week", "2026-03-16")["is_inherited"] is is_inherited
    told = letter(scored, today, text)
    assert (told.began, told.person, told.is_inherited) == (date(2026, 2, 23), "ben", is_inherited)


def test_whoever_takes_over_after_the_week_has_inherited_it():
    """The week's owner was Ada, the breach's whole life long; the letter of Thursday is to Ben."""
    text = MAP.replace("2026-03-11T12:00", "2026-03-16T12:00").replace("2026-03-12", "2026-03-17")
    scored = cards(dict.fromkeys(MONDAYS[1:5], BAD), "2026-03-19", text=text)
    assert row(scored, "week", "2026-03-09")["is_inherited"] is False
    assert letter(scored, "2026-03-19", text).is_inherited


def test_a_touchpoint_of_nobody_has_no_days():
    rows = "\n".join(["occurred_at | score", *week(MONDAYS[1], 18, 12)])
    unowned = score(
        rows, a_map(goals=GOAL, text=MAP.replace("accountable: seat", "accountable: nobody")), "2026-03-02"
    )
    assert row(unowned, "week")["owner_days"] is None
