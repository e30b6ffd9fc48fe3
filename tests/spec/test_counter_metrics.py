"""# Counter-metrics and hollow improvements

What is pushed often pushes something else aside. A goal's counter-metric stands beside it; when the one got better on
evidence while the other got worse on evidence, the improvement is hollow.
"""

import pytest

from contracts.accountability import AccountabilityMap
from contracts.errors import MapError
from tests.spec.pipeline import MAP, a_map
from tests.spec.test_pacing import pacing
from tests.spec.weeks import monday_of, of_answers

FAST = '{id: fast, name: Fast, estimator: share, value: score, where: {scale: speed}, good: {score: ">= 4"}}'
KIND = "{id: kind, name: Kind, estimator: csat, where: {scale: kindness}}"
GOAL = "[{metric: fast, at_least: 0.8, from: 2025-02-03, due: 2025-12-31, why: waiting COUNTER}]"


def of(counter: str = ", counter_metric: kind", metrics: str = f"{FAST}, {KIND}") -> AccountabilityMap:
    text = MAP.replace("metrics: METRIC\n", "metrics: [fast, kind]\n")
    return a_map(metrics, GOAL.replace("COUNTER", counter), text=text)


def rows(speed: list[tuple[int, int]], kindness: list[tuple[int, int]]) -> list[str]:
    return [
        f"{monday_of(week)} 09:00 | {5 if number < good else 1} | {scale}"
        for scale, weeks in (("speed", speed), ("kindness", kindness))
        for week, (good, bad) in enumerate(weeks)
        for number in range(good + bad)
    ]


def last(
    speed: list[tuple[int, int]], kindness: list[tuple[int, int]], atlas: AccountabilityMap | None = None
) -> dict:
    """The last of eight weeks; the goal begins after the fourth."""
    atlas = atlas or of()
    scored = of_answers(rows(speed, kindness), atlas, 8, columns="occurred_at | score | scale")
    return pacing(scored, atlas).row(-1, named=True)


SLOW, QUICK = [(50, 50)] * 4, [(90, 10)] * 4
STEADY, WORSE = [(80, 20)] * 4, [(60, 40)] * 4


@pytest.mark.parametrize(
    ("speed", "kindness", "is_hollow"),
    [
        pytest.param(SLOW + QUICK, STEADY + WORSE, True, id="faster, and less kind"),
        pytest.param(SLOW + QUICK, STEADY + STEADY, False, id="faster, and as kind as before"),
        pytest.param(SLOW + QUICK, STEADY + [(78, 22)] * 4, False, id="less kind, but that could be chance"),
        pytest.param(SLOW + SLOW, STEADY + WORSE, None, id="no faster: there is no improvement to be hollow"),
        pytest.param(SLOW + [(51, 49)] * 4, STEADY + WORSE, None, id="a point faster could be chance"),
    ],
)
def test_an_improvement_is_hollow_when_its_counter_metric_got_worse_on_evidence(speed, kindness, is_hollow):
    row = last(speed, kindness)
    assert row["is_hollow"] is is_hollow
    assert row["hollow_reason"] == ("counter_metric_worsened" if is_hollow else None)


def test_both_are_held_against_the_last_28_days_before_the_goal():
    row = last(SLOW + QUICK, STEADY + WORSE)
    assert row["change_since_date"] == monday_of(4)
    assert (row["change"], row["counter_change"]) == (pytest.approx(0.4), pytest.approx(-0.2))
    assert row["change_low"] < 0.4 < row["change_high"]
    assert row["counter_change_high"] < 0, "worse with its whole interval"


def test_the_counter_metric_stands_beside_the_goal_with_its_n_and_interval():
    row = last(SLOW + QUICK, STEADY + WORSE)
    assert (row["counter_metric"], row["counter_n"], row["counter_value"]) == ("kind", 400, 0.6)
    assert row["counter_value_low"] < 0.6 < row["counter_value_high"]


def test_windows_that_overlap_are_not_compared():
    atlas = of()
    drawn = rows(SLOW + QUICK, STEADY + WORSE)
    found = pacing(of_answers(drawn, atlas, 8, columns="occurred_at | score | scale"), atlas)
    assert found["change"].null_count() == found.height - 1, "only the fifth to the eighth week are apart"


def test_a_metric_may_declare_what_stands_beside_all_its_goals():
    declared = of(counter="", metrics=f"{FAST[:-1]}, counter_metric: kind}}, {KIND}")
    assert last(SLOW + QUICK, STEADY + WORSE, declared)["is_hollow"]
    alone = last(SLOW + QUICK, STEADY + WORSE, of(counter=""))
    assert (alone["counter_metric"], alone["is_hollow"]) == (None, None)


def test_a_metric_is_no_counter_metric_of_itself():
    with pytest.raises(MapError, match="'fast' is its own counter-metric"):
        of(metrics=f"{FAST[:-1]}, counter_metric: fast}}, {KIND}")


def test_a_counter_metric_has_to_be_there():
    with pytest.raises(MapError, match="metric 'knid' is not in the map"):
        of(counter="", metrics=f"{FAST[:-1]}, counter_metric: knid}}, {KIND}")
