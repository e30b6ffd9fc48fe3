"""# Drivers and priorities

How much every touchpoint's score explains of the score for the whole, and where goals are set elsewhere.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from contracts.documents import parse
from contracts.errors import MapError
from contracts.map_checks import assemble
from contracts.tables import DriverWeight, PriorityMismatch
from contracts.tenures import tenures
from tests.spec.pipeline import BERLIN
from transforms.in_force import Standing
from transforms.priorities import driver_weights, priority_mismatches

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
GOAL = "goals: [{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters, from: 2026-01-01}]"
MAP = """
teams: [{id: team, name: Team}]
people: [{id: ada, name: Ada Lovelace}]
seats: [{id: seat, name: Seat, team: team, holders: [{person: ada}]}]
metrics: [{id: csat, name: CSAT, estimator: csat}]
touchpoints:
  - {id: food, name: Food, stage: engage, accountable: seat, metrics: csat}
  - {id: shops, name: Shops, stage: engage, accountable: seat, metrics: csat, GOAL}
  - {id: toilets, name: Toilets, stage: engage, accountable: seat, was: rest_rooms}
cases: [{subject: sheet, opened: answered, attributes: {whole: max, food: max, shops: max, toilets: max, size: max}}]
drivers: [{id: rating, name: the rating, outcome: whole, SCORES, low: 1, high: 5, days: 90 MORE}]
""".replace("GOAL", GOAL)
SCORES = "touchpoints: {food: food, shops: shops, rest_rooms: toilets}"


def standing(scores: str = SCORES, more: str = "") -> Standing:
    text = MAP.replace("SCORES", scores).replace(" MORE", more)
    atlas = assemble([parse(text, "map.yaml")], BERLIN)
    return Standing(atlas, tenures(atlas), NOW)


def answers(n: int = 400, seed: int = 11, **given: object) -> pl.DataFrame:
    """Cases of the last days: food moves the whole much, toilets a little, shops not at all."""
    noise = np.random.default_rng(seed)
    food, shops, toilets = noise.integers(1, 6, (3, n))
    whole = np.clip(np.round(0.7 * food + 0.3 * toilets + noise.normal(0, 0.5, n)), 1, 5)
    scores = {"whole": whole, "food": food, "shops": shops, "toilets": toilets, "size": np.ones(n)} | given
    columns = {f"attribute_{name}": np.asarray(each, dtype=float) for name, each in scores.items()}
    opened = [NOW - timedelta(days=1 + row % 60) for row in range(n)]
    ids = [f"c{row:05d}" for row in range(n)]
    return pl.DataFrame({"feed": "survey", "case_id": ids, "opened_at": opened} | columns)


def weighed(cases: pl.DataFrame, map_now: Standing | None = None) -> pl.DataFrame:
    found = driver_weights(cases, map_now or standing())
    DriverWeight.validate(found, cast=True)
    return found


def test_the_heaviest_driver_is_first_and_noise_is_not_clear():
    found = weighed(answers()).sort("rank")
    assert found["touchpoint_id"].to_list() == ["food", "toilets", "shops"]
    assert found["is_clear"].to_list() == [True, True, False]
    assert found["weight"].sum() == pytest.approx(found["r_squared"][0], abs=1e-12)
    assert found["explained_share"].sum() == pytest.approx(1)
    assert (found["weight_low"] <= found["weight"]).all()
    assert (found["weight"] <= found["weight_high"]).all()
    assert found["owner_id"].to_list() == ["ada"] * 3


def test_goals_are_held_against_drivers():
    map_now = standing()
    found = priority_mismatches(weighed(answers(), map_now).lazy(), map_now).collect().sort("touchpoint_id")
    PriorityMismatch.validate(found, cast=True)
    assert found.select("touchpoint_id", "mismatch", "sentence").rows() == [
        ("food", "driver_without_goal", "Food is number 1 of what moves the rating, and has no goal."),
        ("shops", "goal_on_no_driver", "Shops has a goal, and moves the rating no more than chance does."),
        ("toilets", "driver_without_goal", "Toilets is number 2 of what moves the rating, and has no goal."),
    ]


def test_both_methods_explain_the_same_whole():
    whole = {
        m: weighed(answers(), standing(more=f", method: {m}"))["r_squared"][0] for m in ("lmg", "johnson")
    }
    assert whole["lmg"] == pytest.approx(whole["johnson"], abs=1e-12)


def test_what_is_no_score_is_left_out_and_counted():
    cases = answers()
    blank = cases.with_columns(
        attribute_food=pl.when(pl.int_range(pl.len()) < 50).then(0.0).otherwise("attribute_food"),
        attribute_shops=pl.when(pl.int_range(pl.len()) >= 370).then(None).otherwise("attribute_shops"),
    )
    found = weighed(blank)
    assert found["n"].unique().to_list() == [320]
    assert found["excluded_count"].unique().to_list() == [80]
    assert dict(found.select("touchpoint_id", "n_touchpoint").iter_rows()) == {
        "food": 350,
        "shops": 370,
        "toilets": 400,
    }


def test_cases_count_from_the_first_day_to_the_running_one():
    cases = answers()
    day = timedelta(days=1)
    since = datetime(2025, 12, 19, 23, tzinfo=UTC)  # midnight in Berlin, 90 days before the running day
    edges = {"earlier": since - timedelta(microseconds=1), "first": since, "today": NOW - timedelta(hours=1)}
    extra = [cases.head(1).with_columns(case_id=pl.lit(k), opened_at=pl.lit(v)) for k, v in edges.items()]
    found = weighed(pl.concat([cases, *extra], how="vertical_relaxed"))
    assert found["n"][0] == 401
    assert found["window_end_date"][0] - found["window_start_date"][0] == 90 * day


@pytest.mark.parametrize(
    ("cases", "refused"),
    [
        pytest.param(answers(0), "no_cases", id="no cases"),
        pytest.param(answers(73), "too_few_cases", id="fewer than 50 and 8 a touchpoint"),
        pytest.param(answers(whole=[3] * 400), "outcome_never_differs", id="everybody says 3"),
        pytest.param(
            answers().with_columns(attribute_shops="attribute_food"),
            "cannot_tell_apart",
            id="two scores that are one",
        ),
        pytest.param(answers().drop("attribute_whole"), "no_cases", id="nothing was ever asked"),
    ],
)
def test_what_cannot_be_weighed_says_why(cases: pl.DataFrame, refused: str):
    found = weighed(cases)
    assert found["refused"].to_list() == [refused] * 3
    assert found["weight"].null_count() == 3
    assert priority_mismatches(found.lazy(), standing()).collect().is_empty()


@pytest.mark.parametrize("impossible", [-1.0, -0.001, float("inf"), float("nan")])
def test_an_answer_that_stands_for_fewer_than_none_or_for_all_is_left_out(impossible: float):
    by_size = standing(more=", weight: size")
    some = answers()[1:]
    found = weighed(answers(size=[impossible] + [1] * 399), by_size)
    assert found["excluded_count"].to_list() == [1] * 3
    assert found["n"].to_list() == [399] * 3
    whole = weighed(some, by_size)
    counts = ("excluded_count", "n_touchpoint")
    assert_frame_equal(found.drop(counts), whole.drop(counts))


def test_a_score_that_never_differs_explains_nothing():
    found = weighed(answers(shops=[4] * 400)).filter(touchpoint_id="shops")
    assert found.select("weight", "is_clear", "rank").row(0) == (0.0, False, 3)


RARELY_4 = [5] * 399 + [4]
"""Of 400 cases drawn with replacement, 37 % of samples are without the one."""


@pytest.mark.parametrize("method", ["lmg", "johnson"])
def test_a_score_that_differs_once_explains_nothing_in_samples_without_it(method: str):
    found = weighed(answers(shops=RARELY_4), standing(more=f", method: {method}"))
    shops = found.row(by_predicate=pl.col("touchpoint_id") == "shops", named=True)
    assert 0 < shops["weight"] < 0.01
    assert shops["weight_low"] == pytest.approx(0, abs=1e-9)
    assert not shops["is_clear"]
    assert found.filter("is_clear")["touchpoint_id"].to_list() == ["food", "toilets"]


@pytest.mark.parametrize("method", ["lmg", "johnson"])
def test_scores_that_differ_from_each_other_once_share_what_they_explain_in_samples_without_it(method: str):
    food = answers()["attribute_food"].to_numpy()
    shops = np.append(6 - food[:1], food[1:])
    found = weighed(answers(food=food, shops=shops), standing(more=f", method: {method}"))
    by_name = {row["touchpoint_id"]: row for row in found.iter_rows(named=True)}
    assert found["weight"].sum() == pytest.approx(found["r_squared"][0], abs=1e-9)
    # In 37 % of samples they are one: each has half of what food explains alone.
    half = weighed(answers()).filter(touchpoint_id="food")["weight"][0] / 2
    for name in ("food", "shops"):
        assert by_name[name]["weight_low"] < half < by_name[name]["weight_high"], name
        assert by_name[name]["weight_high"] < 2 * half, name


@pytest.mark.parametrize("method", ["lmg", "johnson"])
def test_a_whole_that_differs_once_is_explained_by_nothing_in_samples_without_it(method: str):
    found = weighed(answers(whole=RARELY_4), standing(more=f", method: {method}"))
    assert found["refused"].null_count() == 3
    assert found["weight_low"].to_list() == pytest.approx([0] * 3, abs=1e-9)
    assert found["is_clear"].to_list() == [False] * 3


def test_a_score_that_differs_only_where_answers_count_for_nobody_explains_nothing():
    found = weighed(answers(shops=RARELY_4, size=[1] * 399 + [0]), standing(more=", weight: size")).filter(
        touchpoint_id="shops"
    )
    assert found.select("weight", "weight_low", "weight_high", "is_clear").row(0) == (0, 0, 0, False)


def test_weights_of_answers_count():
    n = np.random.default_rng(3).integers(1, 6, 400)
    doubled = answers(size=n)
    repeated = doubled.select(pl.all().repeat_by(pl.col("attribute_size").cast(pl.UInt32))).explode(pl.all())
    repeated = repeated.with_columns(case_id=pl.format("r{}", pl.int_range(pl.len())))
    one = weighed(doubled, standing(more=", weight: size"))
    other = weighed(repeated)
    # An answer for n people and n answers differ by the degrees of freedom alone, which R-squared has not.
    assert_frame_equal(one.select("touchpoint_id", "weight"), other.select("touchpoint_id", "weight"))


def test_the_order_of_cases_changes_nothing():
    cases = answers()
    assert weighed(cases).equals(weighed(cases.sample(fraction=1, shuffle=True, seed=4)))


@pytest.mark.parametrize(
    ("scores", "more", "told"),
    [
        pytest.param(
            "touchpoints: {food: food, park: shops}", "", "touchpoint 'park' is not in the map", id="unknown"
        ),
        pytest.param("touchpoints: {food: food}", "", "Write at least 2", id="one alone"),
        pytest.param(
            "touchpoints: {food: food, shops: food}", "", "'food' stands here twice", id="a column twice"
        ),
        pytest.param(SCORES, ", method: guess", "Known: johnson, lmg", id="no method"),
        pytest.param(
            "touchpoints: {" + ", ".join(f"t{n}: food{n}" for n in range(11)) + "}",
            "",
            "11 touchpoints are too many for 'lmg'",
            id="too many for all orders",
        ),
    ],
)
def test_an_analysis_that_makes_no_sense_is_refused(scores: str, more: str, told: str):
    with pytest.raises(MapError) as raised:
        standing(scores, more)
    assert told in str(raised.value)
