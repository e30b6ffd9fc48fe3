"""# Change and its causes

A change is split without a rest: what got better, what moved, what was handed over, who answered.
"""

from typing import Any

import numpy as np
import polars as pl
import pytest

from transforms.methods.budgets import BurnRule, budget_share_at, burn_threshold, burning
from transforms.methods.decompose import factor_effects, rate_and_mix
from transforms.methods.discoveries import benjamini_hochberg, expected_by_chance, holm
from transforms.methods.drivers import priority_mismatch, weigh_drivers
from transforms.methods.hollow import hollow_improvement
from transforms.methods.interrupted import Model, fit_interruption
from transforms.methods.owner_change import PARTS, owner_change


def cells(*rows: tuple[Any, ...]) -> pl.LazyFrame:
    """An owner's cells: touchpoint, segment, n and good before, n and good after, held before, held after."""
    names = (
        "touchpoint",
        "segment",
        "n_before",
        "sum_before",
        "n_after",
        "sum_after",
        "is_held_before",
        "is_held_after",
    )
    return pl.LazyFrame(rows, schema=names, orient="row").with_columns(owner=pl.lit("ann"))


def parts(frame: pl.LazyFrame) -> dict[str, float]:
    """The owner's parts, in points of 100, rounded."""
    found = owner_change(frame).collect()
    assert abs(found["unexplained"][0]) < 1e-12
    return {name: round(100 * found[name].sum(), 6) + 0.0 for name in PARTS}


def test_handing_away_the_worst_touchpoint_is_portfolio_and_nothing_else():
    """264, 255 and 195 of 300: 79.3 becomes 86.5 when the last one goes."""
    same = [("a", "", 300, 264, 300, 264, True, True), ("b", "", 300, 255, 300, 255, True, True)]
    found = parts(cells(*same, ("c", "", 300, 195, 300, 195, True, False)))
    assert found == {"rate": 0, "mix": 0, "portfolio": pytest.approx(7.166667, abs=1e-6), "who_answered": 0}


def test_doing_better_is_rate():
    assert parts(cells(("a", "", 100, 50, 200, 120, True, True))) == {
        "rate": 10, "mix": 0, "portfolio": 0, "who_answered": 0,
    }  # fmt: skip


def test_traffic_to_the_better_touchpoint_is_mix():
    """Half and half becomes a quarter and three quarters: 0.25 x (90 - 50) points."""
    found = parts(cells(("a", "", 100, 50, 50, 25, True, True), ("b", "", 100, 90, 150, 135, True, True)))
    assert found == {"rate": 0, "mix": 10, "portfolio": 0, "who_answered": 0}


def test_others_answering_is_not_doing_better():
    """One touchpoint, the young at 50 % and the old at 90 %; more of the old answer."""
    found = parts(
        cells(("a", "young", 100, 50, 50, 25, True, True), ("a", "old", 100, 90, 150, 135, True, True))
    )
    assert found == {"rate": 0, "mix": 0, "portfolio": 0, "who_answered": 10}


def test_a_touchpoint_without_data_in_one_period_is_flagged_and_still_adds_up():
    frame = cells(("a", "", 100, 50, 100, 60, True, True), ("new", "", 0, 0, 100, 90, False, True))
    found = owner_change(frame).collect()
    assert found.sort("touchpoint")["is_empty"].to_list() == [False, True]
    assert found["change"][0] == pytest.approx(0.75 - 0.5)
    assert abs(found["unexplained"][0]) < 1e-12


def test_if_only_one_order_can_be_measured_it_is_taken():
    """The new touchpoint had no data before: first the world changes (50 to 60 %), then the map (60 to 90 %)."""
    frame = cells(("a", "", 100, 50, 100, 60, True, False), ("new", "", 0, 0, 100, 90, False, True))
    found = parts(frame)
    assert found == {"rate": 10, "mix": 0, "portfolio": 30, "who_answered": 0}


def test_a_weak_touchpoint_that_is_gained_counts_as_a_loss():
    frame = cells(("a", "", 100, 90, 100, 90, True, True), ("weak", "", 100, 10, 100, 10, False, True))
    found = owner_change(frame).collect().sort("touchpoint")
    assert found["portfolio"].sum() == pytest.approx(-0.4)
    assert (found["portfolio"] < 0).all()


def test_a_wholly_new_portfolio_cannot_be_split():
    frame = cells(("a", "", 100, 50, 0, 0, True, False), ("new", "", 0, 0, 100, 90, False, True))
    found = owner_change(frame).collect()
    assert found["rate"].null_count() == 2
    assert found["unexplained"][0] == pytest.approx(0.4)


def test_an_empty_segment_takes_the_other_periods_rate():
    frame = pl.LazyFrame({
        "size_before": [50, 50], "rate_before": [0.2, 0.4], "size_after": [100, 0], "rate_after": [0.3, None],
    })  # fmt: skip
    found = rate_and_mix(frame).collect()
    assert found["is_empty"].to_list() == [False, True]
    assert found["rate"].sum() == pytest.approx(0.1 * 0.75), "only the first segment's rate changed"
    assert found["change"].sum() == pytest.approx(0.3 - 0.3)


def test_a_segments_number_changes_no_bit():
    """Numbers are given out as names arrive, so two workspaces with the same data have others."""
    noise = np.random.default_rng(5)
    n = noise.integers(1, 400, (2, 40))
    names = ("n_before", "n_after")
    sums = {f"sum_{name[2:]}": each * 0.1 * noise.random(40) for name, each in zip(names, n, strict=True)}
    rows = pl.DataFrame(dict(zip(names, n, strict=True)) | sums).with_columns(
        owner=pl.lit("ann"),
        touchpoint=pl.Series([f"t{row % 3}" for row in range(40)]),
        is_held_before=pl.lit(value=0.3),
        is_held_after=pl.lit(value=0.7),
    )
    found = [
        owner_change(rows.with_columns(segment=pl.Series(noise.permutation(40))).lazy()).collect()
        for _ in range(20)
    ]
    assert all(one.equals(found[0]) for one in found)


def test_centred_mix_calls_growth_of_a_weak_segment_a_loss():
    frame = pl.LazyFrame({
        "size_before": [50, 50], "rate_before": [0.2, 0.4], "size_after": [60, 40], "rate_after": [0.2, 0.4],
    })  # fmt: skip
    plain, centred = (rate_and_mix(frame, centred=way).collect()["mix"] for way in (False, True))
    assert plain[0] == pytest.approx(0.02)
    assert centred[0] < 0
    assert centred.sum() == pytest.approx(plain.sum())


def test_three_factors_by_hand():
    """2 x 3 x 5 becomes 4 x 3 x 5: all of the 30 is the first factor's."""
    assert factor_effects({"a": 2, "b": 3, "c": 5}, {"a": 4, "b": 3, "c": 5}) == {"a": 30, "b": 0, "c": 0}


def test_any_formula_can_be_split():
    effects = factor_effects({"good": 8, "n": 10}, {"good": 9, "n": 12}, lambda f: f["good"] / f["n"])
    assert sum(effects.values()) == pytest.approx(9 / 12 - 8 / 10)


def test_too_many_factors_are_refused():
    many = {str(i): 1.0 for i in range(13)}
    with pytest.raises(ValueError, match="13 factors"):
        factor_effects(many, many)


def test_adjusted_p_values_keep_their_order_and_their_nulls():
    frame = pl.DataFrame({"p": [0.04, None, 0.01, 0.03]})
    assert frame.select(benjamini_hochberg(pl.col("p")))["p"].to_list() == pytest.approx(
        [0.04, None, 0.03, 0.04]
    )
    assert frame.select(holm(pl.col("p")))["p"].to_list() == pytest.approx([0.06, None, 0.03, 0.06])
    assert frame.select(expected_by_chance(pl.col("p")))["p"].item() == pytest.approx(0.15)


def test_families_of_comparisons_are_adjusted_apart():
    frame = pl.DataFrame({"run": ["a", "a", "b"], "p": [0.01, 0.04, 0.04]})
    assert frame.select(benjamini_hochberg(pl.col("p")).over("run"))["p"].to_list() == [0.02, 0.04, 0.04]


def survey(seed: int = 7, n: int = 400) -> pl.DataFrame:
    """Two drivers that matter, the first more, and one that does not."""
    chance = np.random.default_rng(seed)
    a, b, nothing, noise = chance.normal(size=(4, n))
    frame = pl.DataFrame({"overall": 2 * a + b + noise, "a": a, "b": b, "nothing": nothing})
    return frame.with_columns(pl.when(pl.int_range(pl.len()) >= 3).then("a").alias("a"))


@pytest.mark.parametrize("method", ["lmg", "johnson"])
def test_drivers_are_ranked_and_noise_is_greyed(method: Any):
    found = weigh_drivers(survey(), "overall", ["a", "b", "nothing"], method=method, samples=200, seed=1)
    assert (found.n, found.excluded) == (397, 3)
    assert found.weights["driver"][found.weights["weight"].arg_max()] == "a"
    assert found.weights["is_clear"].to_list() == [True, True, False]
    assert found.weights["weight"].sum() == pytest.approx(found.r_squared)
    assert (found.weights["low"] <= found.weights["weight"]).all()
    assert (found.weights["weight"] <= found.weights["high"]).all()


def test_the_same_seed_gives_the_same_interval():
    one, two = (weigh_drivers(survey(), "overall", ["a", "b"], samples=20, seed=3).weights for _ in range(2))
    assert one.equals(two)


def test_too_few_cases_are_refused():
    with pytest.raises(ValueError, match="3 complete cases for 2 drivers"):
        weigh_drivers(survey(n=6), "overall", ["a", "b"])


def test_the_top_drivers_are_the_heaviest_of_those_that_are_clear():
    """Heavy but not clear is no place among the top: f is the fifth of the clear ones, g the sixth."""
    weights = pl.LazyFrame({
        "driver": ["a", "b", "c", "d", "e", "f", "g"],
        "weight": [0.3, 0.25, 0.2, 0.15, 0.1, 0.09, 0.08],
        "is_clear": [True, False, True, True, True, True, True],
    })  # fmt: skip
    goals = pl.LazyFrame({"driver": ["a", "b"]})
    found = priority_mismatch(weights, goals).collect()
    assert found.select("driver", "rank", "mismatch").rows() == [
        ("b", 2, "goal_on_no_driver"), *((name, rank, "driver_without_goal") for name, rank in zip("cdef", (3, 4, 5, 6), strict=True))
    ]  # fmt: skip


def test_drivers_without_goals_and_goals_on_nothing_are_told():
    weights = weigh_drivers(survey(), "overall", ["a", "b", "nothing"], samples=100).weights.lazy()
    goals = pl.LazyFrame({"driver": ["b", "nothing"]})
    found = priority_mismatch(weights, goals).collect().select("driver", "mismatch").rows()
    assert found == [("a", "driver_without_goal"), ("nothing", "goal_on_no_driver")]


RULE = [
    BurnRule("fast", ("bad_4w", "n_4w"), ("bad_1w", "n_1w"), 2.0),
    BurnRule("slow", ("bad_4w", "n_4w"), ("bad_1w", "n_1w"), 1.0),
]


@pytest.mark.parametrize(
    ("row", "burn"),
    [
        pytest.param((60, 200, 20, 50), "fast", id="both windows burn three times and more"),
        pytest.param((60, 200, 1, 50), None, id="it has stopped burning"),
        pytest.param((30, 200, 8, 50), "slow", id="one and a half times"),
        pytest.param((6, 20, 5, 10), None, id="too few to say"),
        pytest.param((20, 200, 5, 50), None, id="exactly as fast as allowed"),
    ],
)
def test_a_budget_burns_when_the_long_and_the_short_window_say_so(row: tuple, burn: str | None):
    frame = pl.LazyFrame([row], schema=["bad_4w", "n_4w", "bad_1w", "n_1w"], orient="row").with_columns(
        goal=0.9
    )
    assert burning(frame, RULE).collect()["burn"].item() == burn


def test_two_percent_of_a_month_in_an_hour_is_14_4():
    assert burn_threshold(0.02, 1, 720) == pytest.approx(14.4)
    assert budget_share_at(14.4, 1, 720) == pytest.approx(0.02)


def judged(**given: float | None) -> str | None:
    """Whether an improvement by 10 points, sure by 2, is hollow."""
    usual = {"change": 10, "change_low": 2, "counter_high": None, "portfolio": 0, "mix": 0, "who_answered": 0,
             "response_rate_before": 0.3, "response_rate_after": 0.3}  # fmt: skip
    frame = pl.DataFrame([usual | given], schema=dict.fromkeys(usual, pl.Float64))
    return frame.select(hollow_improvement()).item()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, None),
        ({"counter_high": -1}, "counter_metric_worsened"),
        ({"counter_high": 1}, None),
        ({"portfolio": 5}, "map_changed"),
        ({"mix": 9}, "mix_moved"),
        ({"who_answered": 6}, "others_answered"),
        ({"response_rate_after": 0.2}, "fewer_answered"),
        ({"change_low": -1, "portfolio": 10}, None),
    ],
    ids=str,
)
def test_an_improvement_is_hollow_for_a_reason(given: dict[str, float], reason: str | None):
    assert judged(**given) == reason


def test_the_step_is_measured_at_the_intervention_when_the_trend_may_bend():
    """Counts double at period 10 and then rise by a tenth a period."""
    time = np.arange(20)
    after = time >= 10
    counts = np.where(after, 2000 * 1.1 ** (time - 10), 1000.0)
    fitted = fit_interruption(counts, time, after, model=Model(bend=True))
    assert fitted.effects["step"].value == pytest.approx(2)
    assert fitted.effects["bend"].value == pytest.approx(1.1)
    assert fitted.counterfactual[10:] == pytest.approx(np.full(10, 1000.0))


def test_overdispersion_widens_the_errors_by_its_root():
    time, after = np.arange(12), np.arange(12) >= 6
    counts = np.array([90, 130, 80, 140, 100, 95, 60, 110, 70, 120, 65, 105])
    plain, wide = (
        fit_interruption(counts, time, after, model=Model(family)) for family in ("poisson", "quasipoisson")
    )
    ratio = wide.effects["step"].error / plain.effects["step"].error
    assert plain.dispersion > 2
    assert ratio == pytest.approx(plain.dispersion**0.5)
    assert wide.effects["step"].value == plain.effects["step"].value


def test_a_series_without_a_before_is_refused():
    with pytest.raises(ValueError, match="one side"):
        fit_interruption(np.ones(5), np.arange(5), np.ones(5))
