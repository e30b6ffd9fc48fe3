"""# Answers and what they stand for

Weights, response rates, scales, intervals that keep their promise, and goals that are well written.
"""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from transforms import intervals
from transforms.methods.differences import fisher_exact, pooled_z_test, share_difference
from transforms.methods.pace import GoalFacts, attainment, drift, expected_by, lint_goal, project, standing
from transforms.methods.percentiles import percentile
from transforms.methods.promoters import Counts, adjusted, bayesian, change, wald
from transforms.methods.responses import DISPOSITIONS, response_rates
from transforms.methods.scales import effort_agreed, effort_asked, item_response, top_two_box
from transforms.methods.weights import (
    clustered_error,
    design_effect,
    effective_n,
    linearised_error,
    post_stratify,
    rake,
    trim,
    weighted_mean,
)

Z = intervals.z_of(0.95)


def test_a_one_sided_bound_has_its_own_quantile():
    assert intervals.z_of(0.95, 1) == pytest.approx(1.6448536)
    low, _ = intervals.clopper_pearson(pl.lit(10), pl.lit(10), 0.95, 1)
    assert pl.select(low).item() == pytest.approx(0.05**0.1)


def test_clopper_pearson_of_none_of_three_by_hand():
    """The rule: 1 - (0.025) ^ (1/3)."""
    low, high = intervals.clopper_pearson(pl.lit(0), pl.lit(3), 0.95)
    assert pl.select(low=low, high=high).row(0) == (0, pytest.approx(1 - 0.025 ** (1 / 3)))


def test_a_difference_keeps_its_sign():
    there, back = (
        pl.select(**share_difference((pl.lit(a), pl.lit(10)), (pl.lit(b), pl.lit(10)), Z)._asdict()).row(0)
        for a, b in ((9, 3), (3, 9))
    )
    assert there == pytest.approx((-back[0], -back[2], -back[1]))


def test_a_pooled_z_test_by_hand():
    """60 and 40 of 100: p 0.5, standard error root 0.005, z 0.2 / 0.0707."""
    test = pooled_z_test((pl.lit(60), pl.lit(100)), (pl.lit(40), pl.lit(100)))
    z, p_value = pl.select(**test._asdict()).row(0)
    assert (z, p_value) == pytest.approx((0.2 / 0.005**0.5, 0.0046777), abs=1e-6)


def test_fisher_on_the_lady_who_tasted_tea():
    assert fisher_exact([[3, 1], [1, 3]], "greater") == pytest.approx(17 / 70)


def counts(up: int, down: int, n: int) -> Counts:
    """A sample of answers."""
    return Counts(pl.lit(up), pl.lit(down), pl.lit(n))


def test_a_prior_of_one_third_each_adds_one_answer():
    """3 promoters of 3: (3 + 1/3 - 1/3) / 4."""
    found = pl.select(**bayesian(counts(3, 0, 3), Z)._asdict()).row(0, named=True)
    # (1 x 10/12 + 1/12) - 0.75^2 over 4 + 1
    assert (found["value"], found["error"]) == pytest.approx((75, 100 * ((11 / 12 - 0.5625) / 5) ** 0.5))


def test_a_change_of_score_adds_variances():
    one, two = counts(50, 20, 100), counts(40, 30, 100)
    found = pl.select(**change(one, two, Z)._asdict()).row(0, named=True)
    errors = [pl.select(wald(c, Z).error).item() for c in (one, two)]
    assert (found["value"], found["error"]) == pytest.approx((20, np.hypot(*errors)))
    small = pl.select(change(adjusted(counts(5, 0, 5)), adjusted(counts(5, 0, 5)), Z).error).item()
    assert small > 0, "all promoters are not certain"


def test_bounces_leave_the_base():
    shape = dict.fromkeys(("partial", "refusal", "other", "unknown_household", "unknown_other"), 0)
    frame = pl.LazyFrame([shape | {"complete": 30, "non_contact": 70, "not_eligible": 900}])
    assert response_rates(frame).collect()["rr1"].item() == 0.3


def test_who_was_reached_but_did_not_refuse_is_other():
    """10 complete, 5 refused, 3 others reached, 2 not reached: 18 of 20 contacted, 10 of 18 cooperated."""
    frame = pl.LazyFrame([dict(zip(DISPOSITIONS, (10, 0, 5, 2, 3, 0, 0, 0), strict=True))])
    row = response_rates(frame).collect().row(0, named=True)
    assert (row["con1"], row["coop1"], row["coop3"], row["ref1"]) == (18 / 20, 10 / 18, 10 / 15, 5 / 20)


def test_an_empty_survey_has_no_rate():
    shape = (
        "complete",
        "partial",
        "refusal",
        "non_contact",
        "other",
        "unknown_household",
        "unknown_other",
        "not_eligible",
    )
    assert response_rates(pl.LazyFrame([dict.fromkeys(shape, 0)])).collect()["rr1"].item() is None


def test_scales_leave_out_what_is_off_them():
    frame = pl.DataFrame({"s": [0, 1, 4, 5, 6, 7, 8, None]})
    found = frame.select(
        csat=top_two_box(pl.col("s")), easy=effort_agreed(pl.col("s")), effort=effort_asked(pl.col("s"))
    )
    assert found["csat"].to_list() == [None, False, True, True, None, None, None, None]
    assert found["easy"].to_list() == [None, False, False, True, True, True, None, None]
    assert found["effort"].to_list() == [None, 1, 4, 5, None, None, None, None]
    assert frame.select(item_response(pl.col("s"), 1, 5)).item() == 3 / 8


def test_unequal_weights_cost_answers():
    """Weights 1, 1, 2: (4)^2 / 6."""
    frame = pl.DataFrame({"w": [1.0, 1.0, 2.0]})
    assert frame.select(effective_n(pl.col("w"))).item() == pytest.approx(16 / 6)
    assert frame.select(design_effect(pl.col("w"))).item() == pytest.approx(3 * 6 / 16)


def test_with_equal_weights_linearisation_is_the_textbook_error():
    values = [1.0, 2.0, 4.0, None]
    frame = pl.DataFrame({"y": values, "w": [3.0] * 4})
    found = frame.select(
        m=weighted_mean(pl.col("y"), pl.col("w")), e=linearised_error(pl.col("y"), pl.col("w"))
    )
    assert found.row(0) == pytest.approx((7 / 3, np.std([1, 2, 4], ddof=1) / 3**0.5))


def test_answers_of_one_cluster_count_as_one():
    """Two clusters whose sums are 1 and -1: root (2 / 1 x (1 + 1))."""
    frame = pl.LazyFrame(
        {"stratum": "a", "cluster": [1, 1, 2, 2], "influence": [0.5, 0.5, -0.5, -0.5], "fraction": 0.0}
    )
    assert clustered_error(frame).collect()["error"].item() == pytest.approx(2)
    half = frame.with_columns(fraction=0.75)
    assert clustered_error(half).collect()["error"].item() == pytest.approx(1)


def test_a_cell_that_nobody_answered_from_has_no_weight():
    sample, people = (
        pl.LazyFrame({"cell": ["a"], "n": [2]}),
        pl.LazyFrame({"cell": ["a", "b"], "size": [10, 5]}),
    )
    assert post_stratify(sample, people, ["cell"]).collect()["weight"].to_list() == [5, None]


ROWS = pl.DataFrame({"age": ["young", "young", "old", "old"], "town": ["x", "y", "x", "y"]})


def test_raking_hits_both_margins():
    raked = rake(ROWS, {"age": {"young": 30, "old": 70}, "town": {"x": 60, "y": 40}})
    assert raked.weights == pytest.approx([18, 12, 42, 28])


@pytest.mark.parametrize(
    ("margins", "message"),
    [
        ({"age": {"young": 1, "old": 1, "middle": 1}}, r"margin 'age': nobody answered in \['middle'\]"),
        ({"age": {"young": 1}}, "margin 'age': no total for 'old'"),
        ({"age": {"young": 1, "old": 1}, "town": {"x": 5, "y": 5}}, "Check that the totals agree"),
    ],
    ids=["empty", "unknown", "contradicting"],
)
def test_margins_that_cannot_be_hit_are_refused(margins: dict[str, dict[str, float]], message: str):
    with pytest.raises(ValueError, match=message):
        rake(ROWS, margins)


def test_trimming_keeps_the_sum():
    found = pl.DataFrame({"w": [1.0, 1.0, 1.0, 9.0]}).select(trim(pl.col("w"), 3))["w"]
    assert found.to_list() == pytest.approx([2, 2, 2, 6])


def test_percentiles_of_nothing_and_of_one():
    frame = pl.DataFrame({"v": [None, 4.0]})
    assert frame.select(percentile(pl.col("v"), 0.9)).item() == 4
    assert frame.head(1).select(percentile(pl.col("v"), 0.9)).item() is None


MARCH, JUNE = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "metric": "csat", "is_measured": True, "level": 0.9, "why": "they stay", "start": MARCH, "due": JUNE,
    "baseline": 0.8, "best": 0.92,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "letters"),
    [
        ({}, ""),
        ({"metric": None}, "S"),
        ({"is_measured": False}, "M"),
        ({"baseline": None}, "A"),
        ({"baseline": 0.95}, "A"),
        ({"best": 0.85}, "A"),
        ({"best": 0.85, "lever": "a second shift"}, ""),
        ({"level": 0.7, "baseline": 0.9, "direction": "lower", "best": 0.75}, "A"),
        ({"why": " "}, "R"),
        ({"due": None}, "T"),
        ({"due": MARCH}, "T"),
        ({"metric": None, "level": None, "why": None, "start": None, "due": None}, "SSRTT"),
    ],
    ids=str,
)
def test_the_lint_names_the_missing_letter(change: dict[str, Any], letters: str):
    assert "".join(lint.letter for lint in lint_goal(GoalFacts(**GOOD | change))) == letters


def test_the_path_is_straight_and_ends_at_the_goal():
    at = pl.Series([0, 5, 10, 20])
    path = pl.select(at=at).select(expected_by(pl.col("at"), pl.lit(0), pl.lit(10), pl.lit(0.8), pl.lit(0.9)))
    assert path.to_series().to_list() == pytest.approx([0.8, 0.85, 0.9, 0.9])


def test_attainment_works_downwards_too():
    assert pl.select(attainment(pl.lit(30.0), pl.lit(40.0), pl.lit(20.0))).item() == 0.5


def test_a_goal_is_confirmed_provisional_or_missed():
    frame = pl.DataFrame({"v": [0.9, 0.9, 0.7], "low": [0.85, 0.7, 0.6], "high": [0.95, 0.99, 0.75]})
    ends = (pl.col("low"), pl.col("high"))
    found = frame.select(standing(pl.col("v"), ends, pl.lit(0.8), pl.lit(value=True))).to_series().to_list()
    assert found == ["confirmed", "provisional", "missed"]


def weekly(values: list[float]) -> pl.LazyFrame:
    """A series of weekly values."""
    return pl.LazyFrame({"series": "a", "time": list(range(len(values))), "value": values})


GOAL = pl.LazyFrame({"series": ["a"], "due": [10], "level": [0.8], "direction": ["higher"]})


def test_a_projection_by_hand_agrees_with_least_squares():
    """Against scipy's line and the textbook's prediction error."""
    from scipy import stats

    values = [0.70, 0.73, 0.71, 0.75, 0.74, 0.78, 0.77]
    row = project(weekly(values), GOAL, ["series"]).collect().row(0, named=True)
    line = stats.linregress(range(7), values)
    rest = sum((v - line.intercept - line.slope * t) ** 2 for t, v in enumerate(values))
    error = (rest / 5 * (1 + 1 / 7 + (10 - 3) ** 2 / 28)) ** 0.5
    assert row["prediction"] == pytest.approx(line.intercept + 10 * line.slope)
    assert row["chance_to_meet"] == pytest.approx(stats.t.cdf((row["prediction"] - 0.8) / error, 5))
    assert row["prediction_high"] == pytest.approx(row["prediction"] + stats.t.ppf(0.975, 5) * error)
    assert row["is_on_track"] is True


def test_five_points_are_too_few_to_project():
    row = project(weekly([0.1, 0.2, 0.3, 0.4, 0.5]), GOAL, ["series"]).collect().row(0, named=True)
    assert (row["refused"], row["chance_to_meet"]) == ("too_few_points", None)


def test_a_perfect_line_is_certain():
    row = project(weekly([0.1 * i for i in range(7)]), GOAL, ["series"]).collect().row(0, named=True)
    assert row["chance_to_meet"] == pytest.approx(1)


def test_drift_over_three_points():
    assert drift(weekly([9, 1, 2, 4]), ["series"]).collect()["drift"].item() == 1.5
    assert drift(weekly([9, 1]), ["series"]).collect()["drift"].item() is None
