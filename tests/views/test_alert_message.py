"""What a message says: the form is fixed, and the same in text, Markdown and HTML."""

from dataclasses import replace

import pytest

from contracts.alerts import AlertMessage, plain
from tests.flows.letters import BREACH, LATE, RESOLVED, ZONE
from views.alert_message import Rendered, render

LINKS = {BREACH.alert: {action: f"https://a.test/{action}" for action in ("ack", "dispute", "silence")}}


def shown(*messages: AlertMessage, links: dict | None = None, **more: bool) -> Rendered:
    return render([plain(one) for one in messages], links if links is not None else LINKS, ZONE, **more)


def test_a_breach_names_the_accountable_person_the_evidence_and_the_next_step():
    assert (
        shown(BREACH).text
        == """\
BREACH  Engage > Receive <the> shipment | CSAT 74 % (69-79, n=312, 4 weeks)  goal >= 82 % by 2026-12-31  trust B
Accountable: Dana Okafor (Head of Last Mile), since 2026-09-14 (68 days).  Began 2026-10-26, under Dana Okafor.  Cover: L. Brandt.
Confidence: one-sided 95 % upper bound 78 % < 82 % over 4 weeks, and last week (72 %, n=78) misses the goal too
Customers: 1,940 in the last 28 days, about 504 of them dissatisfied (scaled from the answers)
What changed since 2026-10-26: 82 % (n=290) in the 4 weeks before it, 74 % in the last 4: -8.1 points
Do one of: ack https://a.test/ack  |  dispute evidence https://a.test/dispute  |  silence until a date, with a reason https://a.test/silence
If nobody acknowledges by Tue 2026-11-24 10:00 -> acting for the accountable person Head of Last Mile (L. Brandt) -> integrator Fulfilment (M. Ito)
Why you: map@3f2c91e touchpoint receive_shipment, role accountable.  explain: answerable alerts why 8c1f00aa11
"""
    )


def test_what_was_inherited_says_since_when_it_is_held_and_from_whom():
    text = shown(replace(BREACH, is_inherited=True, began_under="Bo Castellan")).text
    assert "Began 2026-10-26, under Bo Castellan: inherited, held since 2026-09-14 02:00." in text


def test_a_resolution_says_after_how_long_and_what_happened():
    assert shown(RESOLVED).text.splitlines()[:4] == [
        "RESOLVED after 23 days  Engage > Receive <the> shipment | CSAT 83 % (69-79, n=312, 4 weeks)  goal >= 82 % by 2026-12-31  trust B",
        "Accountable: Dana Okafor (Head of Last Mile), since 2026-09-14 (68 days).  Began 2026-10-26, under Dana Okafor.  Cover: L. Brandt.",
        "Why: back at its goal for 3 windows of four weeks in a row",
        "Meanwhile: acknowledged by Dana Okafor on 2026-11-22",
    ]


def test_a_held_delivery_is_named_alone_and_beside_a_late_feed():
    def head(**facts: object) -> str:
        return shown(replace(LATE, facts={**LATE.facts, "held_files": 1, **facts})).subject

    assert head(is_late=False) == "NO DATA  feed Survey tool | 1 delivery could not be taken in"
    assert head(is_late=True, held_files=2) == (
        "NO DATA  feed Survey tool | 2 deliveries could not be taken in; late: 31 h old, its contract allows 24 h"
    )


def test_what_cannot_be_believed_any_more_says_why_and_earlier_letters_know_no_grade():
    text = shown(replace(BREACH, facts={**BREACH.facts, "trust": "D", "doubts": ["response"]})).text
    assert text.splitlines()[0].endswith("by 2026-12-31  trust D")
    assert "misses the goal too; graded D for response, so no alert would fire on it\n" in text
    earlier = {name: one for name, one in BREACH.facts.items() if name not in ("trust", "doubts")}
    assert "trust" not in shown(replace(BREACH, facts=earlier)).text


def test_a_late_feed_says_what_cannot_be_judged_meanwhile():
    lines = shown(LATE).text.splitlines()
    assert lines[0] == "NO DATA  feed Survey tool | late: 31 h old, its contract allows 24 h"
    assert "Confidence: newest event 2026-11-21 02:00; 14 goals cannot be judged meanwhile" in lines


def test_without_links_the_commands_stand_there():
    text = shown(BREACH, links={}).text
    assert "Do one of: answerable alerts ack 8c1f00aa11 --by dana  |  answerable alerts dispute" in text


def test_commands_name_the_workspace_that_they_are_about():
    text = render([plain(BREACH)], {}, ZONE, "/srv/our shop").text
    assert "Do one of: answerable alerts ack 8c1f00aa11 '/srv/our shop' --by dana  |  " in text
    assert "explain: answerable alerts why 8c1f00aa11 '/srv/our shop'" in text


def test_what_nobody_owns_names_the_gap():
    nobody = replace(BREACH, person=None, person_name=None, unowned="the seat is vacant")
    assert (
        "Accountable: NOBODY (the seat is vacant).  Began 2026-10-26.  The gap is a finding"
        in shown(nobody).text
    )


def test_lower_is_better_turns_every_sign():
    facts = {
        **BREACH.facts,
        "direction": "lower", "unit": "hours", "value": 30.0, "value_low": 26.0, "value_high": 33.5,
        "bound": 27.0, "goal": 24.0, "week_value": 31.0, "before_value": 20.0,
    }  # fmt: skip
    text = shown(replace(BREACH, facts=facts, expected_dissatisfied=None)).text
    assert "CSAT 30 hours (26-33.5, n=312, 4 weeks)  goal <= 24 hours" in text
    assert "lower bound 27 hours > 24 hours over 4 weeks" in text
    assert "20 hours (n=290) in the 4 weeks before it, 30 hours in the last 4: +10.0 hours" in text
    assert "Customers: 1,940 in the last 28 days\n" in text


@pytest.mark.parametrize("unit", ["count", "value"])
def test_a_plain_number_stands_without_a_unit(unit: str):
    facts = {**BREACH.facts, "unit": unit, "value": 30.0, "goal": 34.5, "before_value": 42.0}
    text = shown(replace(BREACH, facts=facts)).text
    assert "goal >= 34.5 by" in text
    assert "42 (n=290) in the 4 weeks before it, 30 in the last 4: -12.0\n" in text


def test_while_too_many_cases_are_open_a_breach_says_what_the_value_is_beyond():
    facts = {
        **BREACH.facts,
        "direction": "lower", "unit": "hours", "value": None, "value_low": 168.0, "value_high": None,
        "bound": 168.0, "goal": 24.0, "week_value": None,
    }  # fmt: skip
    text = shown(replace(BREACH, facts=facts, expected_dissatisfied=None)).text
    assert "CSAT beyond 168 hours (n=312, 4 weeks)  goal <= 24 hours" in text
    assert "lower bound 168 hours > 24 hours over 4 weeks, and last week (no value yet, n=78) misses" in text
    assert "What changed" not in text
    unknown = shown(replace(BREACH, facts={**facts, "value_low": None, "bound": None})).text
    assert "CSAT no value yet (n=312, 4 weeks)" in unknown
    assert "Confidence: no interval over 4 weeks; last week (no value yet, n=78)" in unknown


PACE = {
    "expected": 0.78, "p_meet": 0.031, "budget_used_share": 0.61, "budget_time_share": 0.4, "burn_long": 2.34,
    "burn_short": 3.1, "burn_long_weeks": 4, "burn_short_weeks": 1,
}  # fmt: skip


def test_a_goal_on_its_way_says_where_it_should_be_and_what_its_budget_is():
    goal, budget = shown(replace(BREACH, facts={**BREACH.facts, **PACE})).text.splitlines()[3:5]
    assert goal == "Goal: its path expects 78 % by now; chance to meet it when it is due 3 %, as the weeks go"
    assert budget == (
        "Budget: 61 % of the quarter's bad experiences are used at 40 % of its time; burning 2.3 times as fast as "
        "allowed over 4 weeks, 3.1 times as fast as allowed over 1 week"
    )


def test_what_is_not_known_of_a_goals_way_is_not_said():
    facts = {**BREACH.facts, **dict.fromkeys(PACE), "expected": 0.82, "p_meet": 0.0001}
    text = shown(replace(BREACH, facts=facts)).text
    assert "Goal: chance to meet it when it is due below 1 %, as the weeks go\n" in text
    assert "Budget" not in text
    assert "Goal" not in shown(BREACH).text


def test_several_alerts_are_one_message_and_a_digest_says_that_it_is_one():
    assert shown(BREACH, LATE).subject == "2 alerts: 1 breach, 1 no data"
    assert shown(BREACH, LATE, is_digest=True).text.startswith(
        "Digest: 2 alerts: 1 breach, 1 no data\n\nBREACH"
    )


def test_names_are_text_and_never_markup():
    rendered = shown(BREACH)
    assert "<the>" not in rendered.html
    assert "&lt;the&gt;" in rendered.html
    assert '<a href="https://a.test/ack">https://a.test/ack</a>' in rendered.html
    assert r"Receive \<the\> shipment \| CSAT" in rendered.markdown


def test_every_form_says_the_same():
    rendered = shown(BREACH, RESOLVED, LATE)
    for word in ("Dana Okafor", "504", "M. Ito", "3f2c91e", "Sofia Marchetti"):
        assert all(word in form for form in (rendered.text, rendered.markdown, rendered.html))
