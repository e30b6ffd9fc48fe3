"""# Alerts

An alert fires on evidence: the one-sided bound over four weeks misses the goal, and so does the last week.
It resolves when three windows in a row are back at the goal. Missing data does neither. A change of owner
hands it over without a second message. Goal 80 %; runs on Mondays; `[..]` waits for the week's digest.
"""

from datetime import timedelta

from contracts.alert_settings import Alerts
from tests.spec.alerts import FEED, FIRST, Story, played, week


def as_drawn(text: str, story: Story | None = None) -> None:
    rows = played(text, story)
    assert [(row, found) for row, _, found in rows] == [(row, wanted) for row, wanted, _ in rows]


def test_noise_below_the_goal_is_no_alert():
    as_drawn("""
        n  | value | four | bound | state | reason                 | told
        30 | 0.70  |      |       | -     | too_little_history     |
        30 | 0.85  | 0.82 | 0.88  | -     | at_goal                |
        30 | 0.70  | 0.79 | 0.85  | -     | bound_reaches_goal     |
        30 | 0.90  | 0.74 | 0.79  | -     | last_week_reaches_goal |
    """)


def test_a_breach_is_told_once_and_its_end_too():
    as_drawn("""
        n  | value | four | bound | state     | reason                      | told
        30 | 0.85  | 0.85 | 0.90  | -         | at_goal                     |
        30 | 0.66  | 0.70 | 0.76  | firing    | breach_on_evidence          | breach ann
        30 | 0.79  | 0.78 | 0.83  | escalated | not_acknowledged            | escalated ivy
        30 | 0.90  | 0.82 | 0.86  | escalated | value_reaches_goal          |
        30 | 0.90  | 0.82 | 0.86  | escalated | value_reaches_goal          |
        30 | 0.90  | 0.82 | 0.86  | resolved  | back_at_goal                | resolved ann resolved ivy
    """)


def test_acknowledged_it_no_longer_climbs_and_three_windows_at_the_goal_end_it():
    as_drawn("""
        n  | value | four | bound | before  | state        | reason             | told
        30 | 0.66  | 0.70 | 0.76  |         | firing       | breach_on_evidence | breach ann
        30 | 0.66  | 0.70 | 0.76  | ack ann | acknowledged | acknowledged       |
        30 | 0.90  | 0.81 | 0.86  |         | acknowledged | acknowledged       |
        30 | 0.90  | 0.82 | 0.87  |         | acknowledged | acknowledged       |
        30 | 0.90  | 0.83 | 0.88  |         | resolved     | back_at_goal       | resolved ann
        30 | 0.90  | 0.83 | 0.88  |         | -            | at_goal            |
    """)


def test_one_bad_window_begins_the_count_anew():
    as_drawn("""
        n  | value | four | bound | before  | state        | reason             | told
        30 | 0.66  | 0.70 | 0.76  |         | firing       | breach_on_evidence | breach ann
        30 | 0.90  | 0.81 | 0.86  | ack ann | acknowledged | acknowledged       |
        30 | 0.90  | 0.82 | 0.87  |         | acknowledged | acknowledged       |
        30 | 0.70  | 0.79 | 0.84  |         | acknowledged | acknowledged       |
        30 | 0.90  | 0.82 | 0.87  |         | acknowledged | acknowledged       |
        30 | 0.90  | 0.82 | 0.87  |         | acknowledged | acknowledged       |
        30 | 0.90  | 0.82 | 0.87  |         | resolved     | back_at_goal       | resolved ann
    """)


def test_missing_data_never_resolves_and_never_fires():
    """Neither a week without answers nor one that its feed has not delivered, whatever the four weeks say."""
    as_drawn("""
        n  | value | four | bound | late | before  | state        | reason             | told
        0  |       | 0.70 | 0.76  |      |         | -            | data_missing       |
        30 | 0.66  | 0.70 | 0.76  | yes  |         | -            | data_missing       |
        30 | 0.66  | 0.70 | 0.76  |      |         | firing       | breach_on_evidence | breach ann
        0  |       | 0.90 | 0.95  |      | ack ann | no_data      | data_missing       |
        0  |       | 0.90 | 0.95  |      |         | no_data      | data_missing       |
        30 | 0.90  | 0.90 | 0.95  | yes  |         | no_data      | data_missing       |
        30 | 0.70  | 0.75 | 0.79  |      |         | acknowledged | data_back          |
    """)


def test_while_too_many_cases_are_open_for_a_value_its_bound_can_fire_and_nothing_resolves():
    """What is `open` is worse than its bound, however much; without a bound nobody can tell."""
    as_drawn("""
        n  | value | four | bound | state     | reason                      | told
        30 | open  | open |       | -         | too_many_open               |
        30 | open  | open | 0.85  | -         | too_many_open               |
        30 | open  | open | 0.76  | firing    | breach_on_evidence          | breach ann
        30 | 0.90  | 0.82 | 0.86  | firing    | value_reaches_goal          |
        30 | 0.90  | 0.82 | 0.86  | firing    | value_reaches_goal          |
        30 | open  | open |       | escalated | not_acknowledged            | escalated ivy
        30 | 0.90  | 0.82 | 0.86  | escalated | value_reaches_goal          |
        30 | 0.90  | 0.82 | 0.86  | escalated | value_reaches_goal          |
        30 | 0.90  | 0.82 | 0.86  | resolved  | back_at_goal                | resolved ann resolved ivy
        30 | open  | 0.70 | 0.76  | firing    | breach_on_evidence          | breach ann
    """)


def test_an_alert_that_waits_for_more_weeks_goes_on_waiting_while_too_many_cases_are_open():
    as_drawn(
        """
        n  | value | four | bound | state   | reason              | told
        30 | 0.66  | 0.70 | 0.76  | pending | waiting_for_windows |
        30 | open  | open |       | pending | too_many_open       |
        """,
        Story(Alerts(fire_after_windows=2)),
    )


def test_what_cannot_be_believed_names_nobody_and_resolves_nothing():
    """A week whose four weeks are graded D, for who answered say: what has fired before stands and climbs."""
    as_drawn("""
        n  | value | four | bound | doubts         | state     | reason             | told
        30 | 0.66  | 0.70 | 0.76  | response       | -         | not_believed       |
        30 | 0.85  | 0.82 | 0.88  | representation | -         | at_goal            |
        30 | 0.66  | 0.70 | 0.76  |                | firing    | breach_on_evidence | breach ann
        30 | 0.66  | 0.70 | 0.76  | n quarantine   | escalated | not_acknowledged   | escalated ivy
        30 | 0.90  | 0.82 | 0.86  | response       | escalated | value_reaches_goal |
        30 | 0.90  | 0.82 | 0.86  |                | escalated | value_reaches_goal |
        30 | 0.90  | 0.82 | 0.86  | response       | escalated | value_reaches_goal |
        30 | 0.90  | 0.82 | 0.86  |                | escalated | value_reaches_goal |
        30 | 0.90  | 0.82 | 0.86  |                | resolved  | back_at_goal       | resolved ann resolved ivy
    """)


def test_what_cannot_be_believed_neither_counts_as_a_window_nor_breaks_the_wait():
    as_drawn(
        """
        n  | value | four | bound | doubts   | state   | reason              | told
        30 | 0.66  | 0.70 | 0.76  |          | pending | waiting_for_windows |
        30 | 0.66  | 0.70 | 0.76  | response | pending | not_believed        |
        30 | 0.66  | 0.70 | 0.76  |          | firing  | breach_on_evidence  | breach ann
        """,
        Story(Alerts(fire_after_windows=2)),
    )


def test_while_data_is_missing_nothing_climbs_and_the_wait_begins_anew_with_it():
    as_drawn("""
        n  | value | four | bound | state     | reason             | told
        30 | 0.66  | 0.70 | 0.76  | firing    | breach_on_evidence | breach ann
        0  |       |      |       | no_data   | data_missing       |
        0  |       |      |       | no_data   | data_missing       |
        30 | 0.66  | 0.70 | 0.76  | firing    | data_back          |
        30 | 0.66  | 0.70 | 0.76  | escalated | not_acknowledged   | escalated ivy
    """)


def test_a_new_owner_takes_it_over_without_a_second_message():
    as_drawn("""
        n  | value | four | bound | before    | state        | reason             | told
        30 | 0.66  | 0.70 | 0.76  |           | firing       | breach_on_evidence | breach ann
        30 | 0.66  | 0.70 | 0.76  | owner ben | firing       | handed_over        | [handed_over ben]
        30 | 0.66  | 0.70 | 0.76  | ack ben   | acknowledged | acknowledged       |
        30 | 0.66  | 0.70 | 0.76  | owner cy  | firing       | handed_over        | [handed_over cy]
        30 | 0.66  | 0.70 | 0.76  | owner ann | firing       | handed_over        |
    """)


def test_an_owner_who_leaves_a_gap_hands_it_to_the_next_on_the_path():
    as_drawn("""
        n  | value | four | bound | before       | state     | reason             | told
        30 | 0.66  | 0.70 | 0.76  |              | firing    | breach_on_evidence | breach ann
        30 | 0.66  | 0.70 | 0.76  | owner nobody | firing    | handed_over        | [handed_over ivy]
        30 | 0.66  | 0.70 | 0.76  |              | escalated | not_acknowledged   | escalated sam
    """)


def test_what_nobody_owns_goes_to_the_next_on_the_path():
    as_drawn(
        """
        n  | value | four | bound | state  | reason             | told
        30 | 0.66  | 0.70 | 0.76  | firing | breach_on_evidence | breach ivy
        """,
        Story(owner=None),
    )


def test_it_climbs_to_the_end_of_its_path_and_no_further():
    as_drawn("""
        n  | value | four | bound | state     | reason             | told
        30 | 0.66  | 0.70 | 0.76  | firing    | breach_on_evidence | breach ann
        30 | 0.66  | 0.70 | 0.76  | escalated | not_acknowledged   | escalated ivy
        30 | 0.66  | 0.70 | 0.76  | escalated | not_acknowledged   | escalated sam
        30 | 0.66  | 0.70 | 0.76  | escalated | nobody_above       |
    """)


def test_a_silenced_breach_is_counted_and_told_when_the_silence_ends():
    as_drawn("""
        n  | value | four | bound | before     | state     | reason             | told
        30 | 0.66  | 0.70 | 0.76  | silence 10 | firing    | silenced           |
        30 | 0.66  | 0.70 | 0.76  |            | firing    | silenced           |
        30 | 0.66  | 0.70 | 0.76  |            | firing    | silence_ended      | breach ann
        30 | 0.66  | 0.70 | 0.76  | silence 7  | firing    | silenced           |
        30 | 0.66  | 0.70 | 0.76  |            | escalated | not_acknowledged   | escalated ivy
    """)


def test_a_silenced_breach_that_ends_in_silence_was_told_to_nobody():
    as_drawn("""
        n  | value | four | bound | before     | state    | reason       | told
        30 | 0.66  | 0.70 | 0.76  | silence 60 | firing   | silenced     |
        30 | 0.90  | 0.85 | 0.90  |            | firing   | silenced     |
        30 | 0.90  | 0.85 | 0.90  |            | firing   | silenced     |
        30 | 0.90  | 0.85 | 0.90  |            | resolved | back_at_goal |
    """)


def test_a_planned_change_waits_and_what_outlasts_it_fires():
    as_drawn("""
        n  | value | four | bound | before     | state   | reason             | told
        30 | 0.66  | 0.70 | 0.76  | planned 10 | pending | planned_change     |
        30 | 0.66  | 0.70 | 0.76  |            | pending | planned_change     |
        30 | 0.66  | 0.70 | 0.76  |            | firing  | breach_on_evidence | breach ann
    """)


def test_more_weeks_of_evidence_can_be_asked_for():
    story = Story(settings=Alerts(fire_after_windows=2))
    as_drawn(
        """
        n  | value | four | bound | state    | reason              | told
        30 | 0.66  | 0.70 | 0.76  | pending  | waiting_for_windows |
        30 | 0.90  | 0.81 | 0.86  | resolved | did_not_last        |
        30 | 0.66  | 0.70 | 0.76  | pending  | waiting_for_windows |
        0  |       |      |       | pending  | data_missing        |
        30 | 0.66  | 0.70 | 0.76  | firing   | breach_on_evidence  | breach ann
        """,
        story,
    )


def test_a_goal_that_ends_ends_its_alert():
    as_drawn("""
        n  | value | four | bound | before     | state    | reason             | told
        30 | 0.66  | 0.70 | 0.76  |            | firing   | breach_on_evidence | breach ann
        30 | 0.66  | 0.70 | 0.76  | goal ended | resolved | goal_ended         | resolved ann
        30 | 0.66  | 0.70 | 0.76  |            | -        | no_goal            |
    """)


def test_it_began_with_the_unbroken_weeks_below_the_goal_and_those_without_data_do_not_break_them():
    story = Story()
    played(
        """
        n  | value | four | bound | state  | reason             | told
        30 | 0.70  | 0.82 | 0.88  | -      | at_goal            |
        30 | 0.85  | 0.82 | 0.88  | -      | at_goal            |
        30 | 0.70  | 0.79 | 0.85  | -      | bound_reaches_goal |
        0  |       |      |       | -      | data_missing       |
        30 | 0.60  | 0.70 | 0.76  | firing | breach_on_evidence | breach ann
        """,
        story,
    )
    assert story.episode is not None
    assert str(story.episode.began) == "2026-01-19"


def test_a_late_feed_is_its_owners_until_it_delivers():
    story = Story(key=FEED)
    for _ in range(10):
        decision, _ = story.decide_feed(60)
    assert decision.after is not None
    assert (decision.after.state, story.told) == ("no_data", ["no_data ann"])
    story.now += timedelta(days=7)
    assert story.decide_feed(200)[0].reason == "not_acknowledged"
    ended, _ = story.decide_feed(1)
    assert (ended.reason, ended.after.state if ended.after else None) == ("feed_on_time", "resolved")
    assert story.told == ["no_data ann", "escalated ivy", "resolved ann", "resolved ivy"]


def test_a_delivery_that_cannot_be_taken_in_is_the_feed_owners_until_it_is():
    """Also where the contract promises no freshness; that it is late by then is the same alert."""
    story = Story(key=FEED)
    decision, told = story.decide_feed(1, limit=None, held_files=1)
    assert (decision.reason, told) == ("delivery_held", ["no_data ann"])
    assert story.decide_feed(60, held_files=1)[0].reason == "waiting_for_acknowledgement"
    ended, told = story.decide_feed(1)
    assert (ended.reason, told) == ("feed_on_time", ["resolved ann"])


def test_a_feed_that_never_delivered_is_late():
    story = Story(key=FEED)
    assert story.decide_feed(None)[0].reason == "feed_late"


def test_windows_that_ended_before_it_fired_do_not_end_it_when_late_answers_change_them():
    story = Story()
    drawn_weeks = """
        n  | value | four | bound | state  | reason             | told
        30 | 0.85  | 0.85 | 0.90  | -      | at_goal            |
        30 | 0.85  | 0.85 | 0.90  | -      | at_goal            |
        30 | 0.66  | 0.70 | 0.76  | firing | breach_on_evidence | breach ann
    """
    as_drawn(drawn_weeks, story)
    told_anew = [week(FIRST + timedelta(weeks=place), "30", "0.85", "0.85", "0.90") for place in range(3)]
    assert story.decide(told_anew)[0].reason == "value_reaches_goal"
