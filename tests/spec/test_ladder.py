"""The ladder of accountability: what every rung takes, and how the gaps add up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from contracts.documents import parse
from contracts.map_checks import assemble
from contracts.tenures import tenures
from transforms.apportion import apportioned
from transforms.in_force import Standing
from transforms.ladder import Climb, accountability_ladder, gap_waterfall
from transforms.lived import Lived
from views.ladder import STEPS, sentence

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
MAP = """
teams: [{id: team, name: Team}]
people: [{id: ada, name: Ada Okoro}]
seats: [{id: seat, name: Seat, team: team, holders: [{person: ada}]}]
touchpoints:
  - id: point
    name: Point
    stage: engage
    accountable: seat
    metrics: [csat, ces]
    goals:
      - {metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}
rules: [{id: every_event, touchpoint: point}]
metrics: [{id: csat, name: CSAT, estimator: csat}, {id: ces, name: CES, estimator: ces}]
reviews: [{id: weekly, name: Weekly, every: week, chair: seat}]
"""
GOAL = "      - {metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}\n"
NO_GOALS = f"    goals:\n{GOAL}"
VACANT = "holders: [{person: ada, until: 2026-03-01}, {vacant: true, from: 2026-03-01}]"


def climb(
    *changes: tuple[str, str], trusted: str = "csat ces", verdict: str = "met", events: str = "point:1:1"
) -> Climb:
    """A map at the top of the ladder, changed in some places. Events are touchpoint:customer:count."""
    text = MAP
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    atlas = assemble([parse(text, "map.yaml")], ZoneInfo("UTC"))
    lived = [one.split(":") for one in events.split()]
    return Climb(
        standing=Standing(atlas, tenures(atlas), NOW),
        lived=Lived.told(
            pl.DataFrame(
                [(name, int(customer), int(n)) for name, customer, n in lived],
                schema={"touchpoint_id": pl.String, "customer": pl.UInt32, "n": pl.Int64},
                orient="row",
            )
        ),
        trusted=frozenset(("point", metric) for metric in trusted.split()),
        why_not={("point", "csat"): "csat: too few"},
        verdicts={("point", "csat"): verdict, ("point", "ces"): verdict},
    )


@pytest.mark.parametrize(
    ("changes", "seen", "rung", "first_fail", "why"),
    [
        ([], {}, 5, "none", None),
        ([("accountable: seat", "accountable: nobody")], {}, 0, "owner", "the map names no seat"),
        ([("holders: [{person: ada}]", VACANT)], {}, 0, "owner", "its seat is vacant"),
        ([("Ada Okoro", "The whole team")], {}, 0, "owner", "'The whole team' is no single person"),
        ([], {"trusted": ""}, 1, "metric", "csat: too few"),
        # Its goal is about csat: another metric that can be trusted does not help.
        ([], {"trusted": "ces"}, 1, "metric", "csat: too few"),
        (
            [(NO_GOALS, ""), ("metrics: [csat, ces]", "metrics: []")],
            {},
            1,
            "metric",
            "the map names no metric",
        ),
        ([(NO_GOALS, "")], {"trusted": "ces"}, 2, "goal", "no goal is in force for ces"),
        ([("due: 2026", "until: 2026-03-20, due: 2026")], {}, 2, "goal", "no goal is in force for csat, ces"),
        ([("due: 2026", "from: 2026-03-21, due: 2026")], {}, 2, "goal", "no goal is in force for csat, ces"),
        ([("chair: seat", "chair: seat, stages: exit")], {}, 3, "review", "no review with a chair covers it"),
        ([], {"verdict": "missed"}, 4, "outcome", "csat: its goal is missed"),
        ([], {"verdict": "cannot_tell"}, 4, "outcome", "csat: it cannot be told yet whether its goal is met"),
        ([], {"verdict": "no_data"}, 4, "outcome", "csat: nothing was observed"),
    ],
)
def test_a_touchpoint_stops_at_the_first_rung_that_it_lacks(
    changes: list, seen: dict, rung: int, first_fail: str, why: str | None
):
    row = accountability_ladder(climb(*changes, **seen)).filter(touchpoint_id="point").row(0, named=True)
    assert (row["rung"], row["first_fail"], row["why"]) == (rung, first_fail, why)


def test_a_lower_gap_hides_the_higher_ones():
    nothing = climb(("accountable: seat", "accountable: nobody"), trusted="", verdict="missed")
    assert accountability_ladder(nothing).filter(touchpoint_id="point")["first_fail"].to_list() == ["owner"]


def test_every_goal_in_force_has_to_be_met():
    both = climb((GOAL, GOAL + GOAL.replace("csat", "ces")))
    assert accountability_ladder(both)["rung"].max() == 5
    one = replace(both, verdicts={("point", "csat"): "met", ("point", "ces"): "missed"})
    row = accountability_ladder(one).filter(touchpoint_id="point").row(0, named=True)
    assert (row["first_fail"], row["why"]) == ("outcome", "ces: its goal is missed")


def test_a_goal_on_a_metric_that_is_not_trusted_is_not_counted_against_anybody():
    both = climb((GOAL, GOAL + GOAL.replace("csat", "ces")), trusted="csat")
    told = replace(both, verdicts={("point", "csat"): "met", ("point", "ces"): "missed"})
    assert accountability_ladder(told)["rung"].max() == 5


@pytest.mark.parametrize(("second", "owner"), [(-1, "ada"), (0, "nobody"), (1, "nobody")])
def test_who_answers_changes_with_the_instant_of_the_change(second: int, owner: str):
    leaves = NOW - timedelta(seconds=second)
    until = f"{leaves:%Y-%m-%dT%H:%M:%S}"
    handed = f"holders: [{{person: ada, until: '{until}'}}, {{vacant: true, from: '{until}'}}]"
    looked_at = climb(("holders: [{person: ada}]", handed))
    assert accountability_ladder(looked_at).filter(touchpoint_id="point")["owner_id"].to_list() == [owner]
    assert (looked_at.standing.held["point"].person or "nobody") == owner
    assert (looked_at.standing.answering["seat"] or "nobody") == owner


def test_a_touchpoint_that_has_ended_counts_while_it_has_events_and_is_judged_as_it_stood_last():
    ended = ("    metrics:", "    until: 2026-03-10\n    metrics:")
    row = accountability_ladder(climb(ended)).filter(touchpoint_id="point").row(0, named=True)
    assert (row["owner_id"], row["event_count"]) == ("ada", 1)
    without = accountability_ladder(climb(ended, events=""))
    assert without["touchpoint_id"].to_list() == ["unmatched"]
    not_yet = ("    metrics:", "    from: 2026-04-01\n    metrics:")
    assert accountability_ladder(climb(not_yet, events=""))["touchpoint_id"].to_list() == ["unmatched"]


def test_the_waterfall_weighs_by_events_counts_customers_once_and_adds_up():
    """Three of eight events match nothing: 37.5 and 62.5; the half goes to the earlier of equal remainders."""
    looked_at = climb(events="point:1:2 point:2:2 point:0:1 unmatched:2:3")
    ladder = accountability_ladder(looked_at)
    waterfall = gap_waterfall(ladder, looked_at.lived, ["engage", "exit"])
    company = waterfall.filter(scope_type="company")
    told = {
        step: rest
        for step, *rest in company.select(
            "step", "event_count", "customer_count", "percent", "remaining_percent"
        ).iter_rows()
    }
    assert told["unmatched"] == [3, 1, 38, 62]
    assert told["none"] == [5, 2, 62, 0]
    engage = waterfall.filter(scope_id="engage", step="none").row(0, named=True)
    assert (engage["event_count"], engage["percent"], engage["touchpoint_count"]) == (5, 100, 1)
    assert waterfall.filter(scope_id="exit")["percent"].sum() == 0
    assert ladder.filter(touchpoint_id="point")["event_share"].to_list() == [5 / 8]


@pytest.mark.parametrize(
    ("counts", "percents"),
    [
        ([1, 1, 1], [34, 33, 33]),
        ([0, 0, 0], [0, 0, 0]),
        ([5], [100]),
        # 14.29, 28.57, 57.14: one point is left, and the largest remainder is 0.57.
        ([1, 2, 4], [14, 29, 57]),
        # 0.5 four times and 98: two points are left for the first two of four equal remainders.
        ([1, 1, 1, 1, 196], [1, 1, 0, 0, 98]),
        # Hamilton's method for the 1st US apportionment of 100 seats among 53:24:23 is exact.
        ([53, 24, 23], [53, 24, 23]),
    ],
)
def test_percents_by_largest_remainder(counts: list[int], percents: list[int]):
    assert apportioned(counts) == percents


def test_the_sentence_is_what_the_waterfall_says():
    steps = ["unmatched", "owner", "metric", "goal", "review", "outcome", "none"]
    told = pl.DataFrame({"scope_type": "company", "step": steps, "percent": [5, 14, 11, 9, 20, 21, 20]})
    assert sentence(told) == (
        "61 % of what customers went through in the last 28 days had one named person, a measure to trust and "
        "a goal; of the other 39 %: 14 unowned, 11 without a measure to trust, 9 without a goal, 5 not matched."
    )
    whole = told.with_columns(percent=pl.Series([0, 0, 0, 0, 0, 0, 100]))
    assert sentence(whole).endswith(
        "100 % of what customers went through in the last 28 days had one named person, a measure to trust and a goal."
    )
    assert sentence(told.with_columns(percent=0)) == "Nothing happened to any customer in the last 28 days."


def test_a_goal_that_cannot_be_told_yet_is_never_said_to_be_missed():
    """The last step holds both."""
    assert STEPS["outcome"] == "not shown to be at its goal: missed, or not to be told yet"
