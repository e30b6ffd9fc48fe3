"""# Process behaviour

The weeks of a metric have natural limits. Inside them every week is routine variation; what is beyond, or a run on
one side, is a signal: something changed, and it is worth asking what. Signals are for the agenda, never for paging.
"""

from itertools import pairwise

import polars as pl
import pytest

from contracts.accountability import AccountabilityMap
from contracts.tables import ProcessBehaviour, ScorecardTouchpoint
from tests.spec.pipeline import MAP, a_map
from tests.spec.weeks import FIRST, MEAN, amounts, answers, monday_of, of_amounts, of_answers, typed
from transforms.behaviour import charts, process_behaviour

ROUTINE = [10, 12, 11, 9, 10, 12, 11, 9, 10, 12, 11, 9, 10, 12, 11, 9, 10, 12, 11, 9, 10, 12, 11, 9, 10, 12]
"""26 weeks of routine: mean 10.54."""


def rebaselined(declared: str, metric: str = MEAN) -> AccountabilityMap:
    return a_map(
        metric, text=MAP.replace("    goals: GOALS\n", f"    goals: GOALS\n    rebaseline: {declared}\n")
    )


def behaviour(scored, atlas: AccountabilityMap) -> pl.DataFrame:
    card = scored.tables[ScorecardTouchpoint].lazy()
    return typed(ProcessBehaviour, process_behaviour(card, atlas, FIRST).collect())


def of_weeks(values: list[float | None], declared: str = "[]") -> pl.DataFrame:
    atlas = rebaselined(declared)
    return behaviour(of_amounts(amounts(values), atlas, len(values)), atlas)


def test_limits_are_the_mean_and_266_moving_ranges():
    """Wheeler: the centre plus or minus 2.66 times the mean distance from week to week."""
    found = of_weeks(ROUTINE).row(0, named=True)
    assert (found["chart"], found["baseline_weeks"], found["centre"]) == (
        "xmr",
        26,
        pytest.approx(10.5385, abs=1e-4),
    )
    ranges = [abs(b - a) for a, b in pairwise(ROUTINE)]
    width = 2.66 * sum(ranges) / len(ranges)
    assert found["limit_high"] - found["centre"] == pytest.approx(width)
    assert found["moving_range_high"] == pytest.approx(3.268 * sum(ranges) / len(ranges))


@pytest.mark.parametrize(
    ("later", "signal", "direction", "completes"),
    [
        pytest.param([10, 18], "beyond_limit", "better", 1, id="a week beyond a limit"),
        pytest.param([11] * 8, "eight_on_side", "better", 7, id="the eighth week in a row above the centre"),
        pytest.param(
            [8.2, 8.2, 10.5, 8.2], "three_of_four", "worse", 3, id="three of four weeks nearer to the limit"
        ),
        pytest.param([9, 12, 10, 12], None, None, 0, id="routine variation"),
    ],
)
def test_a_signal_stands_on_the_week_that_completes_it(later, signal, direction, completes):
    found = of_weeks([*ROUTINE, *later]).filter(~pl.col("is_baseline"))
    row = found.row(completes, named=True)
    assert (row["signal"], row["signal_direction"]) == (signal, direction)
    assert found["signal"][:completes].null_count() == completes
    assert found["is_onset"].sum() == (signal is not None)


def test_the_baseline_is_26_weeks_and_later_weeks_do_not_move_the_limits():
    short, long = of_weeks(ROUTINE), of_weeks([*ROUTINE, *[30] * 10])
    assert long["limit_high"].unique().to_list() == [short["limit_high"][0]]
    assert long["is_baseline"].sum() == 26
    assert long.filter("is_onset")["period_start"].to_list() == [monday_of(26)], "it goes on, and begins once"


@pytest.mark.parametrize(
    ("metric", "chart"),
    [
        ("estimator: csat", "laney_p"),
        ("estimator: ces", "laney_p"),
        ("estimator: share, good: {kind: solved}", "laney_p"),
        ("estimator: followed, followed_by: {kind: answered}, within_days: 7", "laney_p"),
        ("estimator: repeat", "laney_p"),
        ("estimator: fcr, of: cases", "laney_p"),
        ("estimator: nps", "xmr"),
        ("estimator: ces_1", "xmr"),
        ("estimator: rate, exposure: {kind: ordered}", "xmr"),
        ("estimator: count", "xmr"),
    ],
)
def test_every_share_is_charted_by_how_many_it_rests_on(metric: str, chart: str):
    assert charts(a_map(f"{{id: m, name: M, {metric}}}"))["chart"].to_list() == [chart]


def test_a_declared_change_begins_a_new_baseline():
    """A new carrier from week 26 on: limits anew, with the reason beside them."""
    declared = f"[{{metric: amount, at: {monday_of(26)}T12:00, why: a new carrier, weeks: 12}}]"
    found = of_weeks([*ROUTINE, *[value + 20 for value in ROUTINE]], declared)
    later = found.filter(pl.col("period_start") >= monday_of(26))
    assert later["baseline_why"].unique().to_list() == ["a new carrier"]
    assert (later["baseline_start_date"][0], later["baseline_weeks"][0]) == (monday_of(26), 12)
    assert later["centre"][0] == pytest.approx(30.5)
    assert found["signal"].null_count() == found.height, "what was declared is no signal"


def test_below_twelve_weeks_there_are_limits_but_no_signal():
    found = of_weeks([10, 11, 10, 11, 10, 11, 10, 90])
    assert found["limit_high"].null_count() == 0
    assert found["signal"].null_count() == found.height


def test_a_week_without_observations_is_no_point_and_ranges_reach_over_it():
    found = of_weeks([10, None, 13, 12])
    assert found["period_start"].to_list() == [monday_of(week) for week in (0, 2, 3)]
    assert found["moving_range"].to_list() == [None, 3, 1]


COUNT = "{id: amount, name: Amount, estimator: count, where: {amount: '>= 0'}}"


def counted(rows: list[str], weeks: int, stale_since: dict[str, str] | None = None) -> list[tuple]:
    atlas = a_map(COUNT)
    told = [f"{row} | survey" for row in rows]
    scored = of_answers(told, atlas, weeks, stale_since, columns="occurred_at | amount | feed")
    return behaviour(scored, atlas).select("period_start", "n", "value", "centre").rows()


def test_a_week_without_anything_to_count_is_a_week_of_zero():
    """4, none, 4, none, none: the centre is 1.6, not 4; the week before the first one was not counted yet."""
    rows = amounts([4]) * 4 + amounts([4], first=2) * 4
    assert counted(rows, 5) == [
        (monday_of(week), n, n, pytest.approx(1.6)) for week, n in enumerate([4, 0, 4, 0, 0])
    ]


def test_what_a_late_feed_has_not_told_is_no_week_of_zero():
    rows = amounts([4]) * 4 + amounts([4], first=2) * 4
    told = counted(rows, 5, {"survey": f"{monday_of(2)} 10:00"})
    assert [week for week, *_ in told] == [monday_of(0)], "the week in which it stopped is not whole"


def test_shares_have_limits_that_follow_every_weeks_n():
    """p': 90 of 100 and 450 of 500 have the same value; the larger week has the narrower limits."""
    atlas = a_map()
    weeks = [(90 + shift, 10 - shift) for shift in (0, 2, -2, 1, -1, 3, -3, 2, 0, -2, 1, -1)] + [(450, 50)]
    found = behaviour(of_answers(answers(weeks), atlas, 13), atlas)
    assert found["chart"].unique().to_list() == ["laney_p"]
    widths = found["limit_high"] - found["limit_low"]
    assert widths[12] == pytest.approx(widths[0] / 5**0.5)
    assert found["moving_range"].null_count() == found.height


def test_only_whole_weeks_are_charted():
    atlas = a_map(MEAN)
    rows = amounts([10, 11, 10])
    scored = of_amounts([*rows, f"{monday_of(3)} 05:00 | 99"], atlas, 3)
    assert behaviour(scored, atlas).height == 3, "the running week is none"
    card = scored.tables[ScorecardTouchpoint].lazy()
    assert process_behaviour(card, atlas, monday_of(0).replace(day=8)).collect().height == 2


def test_what_the_map_does_not_judge_is_not_charted():
    atlas = a_map(MEAN, text=MAP.replace("    metrics: METRIC\n", "    metrics: []\n"))
    assert behaviour(of_amounts(amounts([1, 2, 3]), atlas, 3), atlas).is_empty()
