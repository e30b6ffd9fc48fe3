"""# Process behaviour

Limits come from the baseline, signals from named rules, and a re-baselining starts the limits anew.
"""

import polars as pl
import pytest

from transforms.methods.charts import laney_p_chart, p_chart, u_chart, xmr
from transforms.methods.drift import cusum, ewma, first_signal
from transforms.methods.run_lengths import rules_run_length
from transforms.methods.run_rules import FALSE_SIGNAL_AFTER, RULE_SETS, signals

KEYS = ["series"]


def points(*values: float | None, **columns: object) -> pl.LazyFrame:
    """One series of values."""
    return pl.LazyFrame({"series": "a", "value": values, **columns}, schema_overrides={"value": pl.Float64})


def signalled(
    frame: pl.LazyFrame, rules: str = "western_electric", keys: list[str] = KEYS
) -> list[str | None]:
    """What each point signals first."""
    return signals(frame, keys, RULE_SETS[rules]).collect()["signal"].cast(pl.String).to_list()


def test_limits_are_2_66_mean_moving_ranges_from_the_mean():
    """Values 1, 3, 2: mean 2, moving ranges 2 and 1, their mean 1.5."""
    row = xmr(points(1, 3, 2), KEYS).collect()
    assert row["centre"].to_list() == [2, 2, 2]
    assert row["limit_high"][0] == pytest.approx(2 + 2.66 * 1.5)
    assert row["range_high"][0] == pytest.approx(3.268 * 1.5)
    assert row["moving_range"].to_list() == [None, 2, 1]


def test_the_median_form_uses_its_own_constants():
    row = xmr(points(1, 3, 2, 12), KEYS, centre="median").collect()
    assert (row["centre"][0], row["range_centre"][0]) == (2.5, 2)
    assert row["limit_low"][0] == pytest.approx(2.5 - 3.145 * 2)


def test_a_large_moving_range_is_screened_only_when_asked():
    values = [1, 2] * 8 + [30, 1, 2]
    open_to_all, screened = (xmr(points(*values), KEYS, screened=way).collect() for way in (False, True))
    assert screened["range_centre"][0] == 1
    assert open_to_all["range_centre"][0] == pytest.approx((16 + 28 + 29) / 18)


def test_explained_points_leave_the_baseline_but_stay_on_the_chart():
    row = xmr(points(1, 3, 50, 2, in_baseline=[True, True, False, True]), KEYS).collect()
    assert row["centre"].to_list() == [2] * 4
    assert row["z"][2] > 3


def test_a_point_without_a_value_is_no_point():
    row = xmr(points(1, None, 3, 2), KEYS).collect()
    assert (row.height, row["centre"][0]) == (3, 2)


def test_one_point_has_no_limits_and_signals_nothing():
    row = xmr(points(4), KEYS)
    assert row.collect()["limit_high"].to_list() == [None]
    assert signalled(row) == [None]


def test_a_series_that_never_moved_signals_the_first_move():
    still = points(0.1, 0.1, 0.1, 0.2, in_baseline=[True, True, True, False])
    assert signalled(xmr(still, KEYS)) == [None, None, None, "beyond_limit"]


def test_a_declared_rebaselining_starts_limits_and_runs_anew():
    """Twice ten points, five higher the second time: ten signals, or two stretches that are each at home."""
    frame = points(*[1, 2] * 5, *[6, 7] * 5, stretch=[1] * 10 + [2] * 10)
    at_first = frame.with_columns(in_baseline=pl.col("stretch") == 1)
    assert signalled(xmr(at_first, KEYS), "wheeler")[10:] == ["beyond_limit"] * 10
    keys = [*KEYS, "stretch"]
    assert signalled(xmr(frame, keys), "wheeler", keys) == [None] * 20


def test_a_run_does_not_reach_into_the_next_series():
    two = pl.LazyFrame({"series": ["a"] * 5 + ["b"] * 5, "value": [1.0] * 10, "z": [1.0] * 10})
    assert signalled(two, "nhs") == [None] * 10
    assert signalled(two.with_columns(series=pl.lit("a")), "nhs")[6] == "seven_on_side"


def test_a_point_on_the_limit_is_not_out_and_one_on_the_centre_is_on_no_side():
    on = points(0, z=[3.0])
    assert signalled(on) == [None]
    run = pl.LazyFrame({"series": "a", "value": [0.0] * 9, "z": [1.0] * 4 + [0.0] + [1.0] * 4})
    assert signalled(run) == [None] * 9


@pytest.mark.parametrize(
    ("rules", "run"), [("western_electric", 8), ("nelson", 9), ("nhs", 7), ("wheeler", 8)], ids=str
)
def test_how_many_on_a_side_is_the_rule_sets_choice(rules: str, run: int):
    frame = pl.LazyFrame({"series": "a", "value": [0.5] * 12, "z": [0.5] * 12})
    marked = signalled(frame, rules)
    assert next(place for place, name in enumerate(marked, start=1) if name) == run


def test_six_rising_points_are_a_trend_to_nelson_and_five_are_not():
    frame = points(1, 2, 3, 4, 5, 6, z=[0.1] * 6)
    assert signals(frame, KEYS, RULE_SETS["nelson"]).collect()["six_trending"].to_list() == [False] * 5 + [
        True
    ]


def test_three_of_four_nearer_to_the_limit_signal_to_wheeler():
    assert signalled(points(0, 0, 0, 0, z=[1.6, 0.0, 1.7, 1.8]), "wheeler") == [
        None,
        None,
        None,
        "three_of_four",
    ]


def test_every_rule_set_documents_its_false_signals():
    assert set(FALSE_SIGNAL_AFTER) == set(RULE_SETS)


def test_run_lengths_of_trends_are_refused():
    with pytest.raises(ValueError, match="six_trending"):
        rules_run_length(RULE_SETS["nelson"])


def counts(count: list[int], n: list[float]) -> pl.LazyFrame:
    """One series of counts."""
    return pl.LazyFrame({"series": "a", "count": count, "n": n})


def test_a_p_chart_pools_and_its_limits_follow_n():
    """30 of 200 pooled: 0.15; n 100: sigma 0.0357; n 4: the lower limit would be negative."""
    row = p_chart(counts([14, 15, 1, 0], [96, 100, 4, 0]), KEYS).collect()
    assert row.height == 3, "a period without exposure is no point"
    assert row["centre"][0] == 0.15
    assert row["limit_high"][1] == pytest.approx(0.15 + 3 * (0.15 * 0.85 / 100) ** 0.5)
    assert row["limit_low"][2] == 0


def test_rates_may_exceed_one_and_shares_may_not():
    assert u_chart(counts([9, 9], [3, 3]), KEYS).collect()["limit_high"][0] > 3
    assert p_chart(counts([9, 10], [10, 10]), KEYS).collect()["limit_high"][0] == 1


def test_laney_widens_limits_by_the_moving_range_of_z():
    """Shares .5, .7, .5 of 100: z of the p chart moves by the same step twice."""
    frame = counts([50, 70, 50], [100, 100, 100])
    plain, wide = p_chart(frame, KEYS).collect(), laney_p_chart(frame, KEYS).collect()
    step = plain["z"][1] - plain["z"][0]
    assert wide["sigma_z"][0] == pytest.approx(step / 1.128)
    assert wide["sigma"][0] == pytest.approx(plain["sigma"][0] * step / 1.128)


def test_the_limits_of_an_ewma_widen_to_those_of_the_far_end():
    """Weight 0.5: the first limit is 3 x 0.5 sigma, the far end's 3 x root(1/3)."""
    frame = points(*[0.0] * 30, target=0.0, sigma=1.0)
    exact, far = (ewma(frame, KEYS, weight=0.5, asymptotic=way).collect() for way in (False, True))
    assert exact["limit_high"][0] == pytest.approx(1.5)
    assert exact["limit_high"][1] == pytest.approx(3 * (0.25 + 0.0625) ** 0.5)
    assert exact["limit_high"][-1] == pytest.approx(far["limit_high"][0]) == pytest.approx(3**0.5)


def test_a_cusum_needs_more_than_the_slack_to_grow():
    frame = points(1, 2, 0, -3, target=0.0)
    found = cusum(frame, KEYS, slack=0.5, decision=1.9).collect()
    assert found["cusum_high"].to_list() == [0.5, 2, 1.5, 0]
    assert found["cusum_low"].to_list() == [0, 0, 0, 2.5]
    assert found["is_signal"].to_list() == [False, True, False, True]
    assert first_signal(found.lazy(), KEYS).collect()["first_signal"].to_list() == [2]
