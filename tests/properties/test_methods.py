"""Laws of the published methods over drawn data."""

from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import intervals
from transforms.estimate import squared_deviations
from transforms.methods.charts import xmr
from transforms.methods.decompose import factor_effects, rate_and_mix
from transforms.methods.discoveries import benjamini_hochberg, benjamini_yekutieli, bonferroni, holm
from transforms.methods.drift import cusum, ewma
from transforms.methods.drivers import johnson, lmg
from transforms.methods.percentiles import percentile
from transforms.methods.retention import cohort_retention
from transforms.methods.run_rules import RULE_SETS, signals
from transforms.methods.survival import kaplan_meier, log_rank, survival_quantile
from transforms.methods.weights import rake

numbers = st.floats(-1000, 1000, allow_subnormal=False).map(lambda x: round(x, 3))
waits = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40)
KEYS = ["series"]
law = settings(max_examples=60, deadline=None)


def curve_of(waited: list[tuple[int, bool]], transform: Any = "log_log") -> pl.DataFrame:
    frame = pl.LazyFrame(waited, schema={"time": pl.Int64, "is_event": pl.Boolean}, orient="row")
    return kaplan_meier(frame, [], 1.96, transform).collect()


@law
@given(st.lists(st.integers(0, 12), min_size=1, max_size=40))
def test_without_censoring_kaplan_meier_is_the_empirical_distribution(times: list[int]):
    found = curve_of([(t, True) for t in times])
    assert found["survival"].to_list() == pytest.approx([np.mean(np.array(times) > t) for t in found["time"]])


@law
@given(waits)
def test_a_survival_curve_falls_within_its_interval(waited: list[tuple[int, bool]]):
    for transform in ("log_log", "log", "plain"):
        found = curve_of(waited, transform)
        assert (found["survival"].diff().drop_nulls() <= 0).all()
        known = found.drop_nulls("low")
        assert ((known["low"] >= 0) & (known["low"] <= known["survival"])).all()
        assert ((known["high"] <= 1) & (known["high"] >= known["survival"])).all()


@law
@given(waits)
def test_open_cases_never_shorten_a_quantile(waited: list[tuple[int, bool]]):
    """Leaving them out, as closed-only figures do, can only be too fast."""
    closed = [one for one in waited if one[1]]
    if closed:
        with_open, without = (
            survival_quantile(curve_of(some).lazy(), [], 0.5).collect()["time"].item()
            for some in (waited, closed)
        )
        assert with_open is None or with_open >= without


@law
@given(waits, st.lists(st.integers(0, 2), min_size=40, max_size=40))
def test_observed_and_expected_events_are_as_many(waited: list[tuple[int, bool]], member: list[int]):
    group = np.array(member[: len(waited)])
    times, events = np.array([t for t, _ in waited]), np.array([e for _, e in waited])
    if len(set(group)) > 1 and all(len(set(times[group == g])) > 1 for g in set(group)) and events.any():
        try:
            test = log_rank(times, events, group)
        except np.linalg.LinAlgError:
            return  # a group that left before the first event
        assert test.observed.sum() == pytest.approx(test.expected.sum())


segments = st.lists(
    st.tuples(st.integers(0, 50), st.floats(0, 1), st.integers(0, 50), st.floats(0, 1)),
    min_size=1,
    max_size=8,
).filter(lambda rows: sum(r[0] for r in rows) > 0 and sum(r[2] for r in rows) > 0)


@law
@given(segments, st.booleans())
def test_mix_and_rate_add_up(rows: list[tuple], centred: bool):
    names = ["size_before", "rate_before", "size_after", "rate_after"]
    frame = pl.LazyFrame(rows, schema=names, orient="row")
    found = rate_and_mix(frame, centred=centred).collect()
    before, after = (
        sum(r[size] * r[rate] for r in rows) / sum(r[size] for r in rows) for size, rate in ((0, 1), (2, 3))
    )
    assert found["change"].sum() == pytest.approx(after - before, abs=1e-12)


@law
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_effects_of_factors_add_up(pairs: list[tuple[float, float]]):
    before, after = ({str(i): pair[side] for i, pair in enumerate(pairs)} for side in (0, 1))
    effects = factor_effects(before, after)
    whole = float(np.prod(list(after.values())) - np.prod(list(before.values())))
    assert sum(effects.values()) == pytest.approx(
        whole, rel=1e-9, abs=1e-9 * max(1, *(abs(e) for e in effects.values()))
    )


@law
@given(st.integers(1, 60), st.data(), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_intervals_of_proportions_enclose_it_and_mirror(n: int, data: Any, confidence: float):
    good = data.draw(st.integers(0, n))
    z = intervals.z_of(confidence)
    for method in (intervals.wilson, intervals.agresti_coull, intervals.wald):
        low, high = (pl.select(end).item() for end in method(pl.lit(good), pl.lit(n), z))
        mirrored = [pl.select(end).item() for end in method(pl.lit(n - good), pl.lit(n), z)]
        assert 0 <= low <= good / n + 1e-12
        assert good / n - 1e-12 <= high <= 1
        assert [1 - high, 1 - low] == pytest.approx(mirrored, abs=1e-12)
    exact = [pl.select(end).item() for end in intervals.clopper_pearson(pl.lit(good), pl.lit(n), confidence)]
    assert exact[0] <= good / n <= exact[1]


@law
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), min_size=12, max_size=40), st.data()
)
def test_raking_hits_its_margins(rows: list[tuple[str, str]], data: Any):
    full = [(a, b) for a in "abc" for b in "xy"] + rows
    shares = data.draw(st.lists(st.floats(0.1, 1), min_size=5, max_size=5))
    margins = {
        "one": {name: 100 * s / sum(shares[:3]) for name, s in zip("abc", shares[:3], strict=True)},
        "two": {name: 100 * s / sum(shares[3:]) for name, s in zip("xy", shares[3:], strict=True)},
    }
    frame = pl.DataFrame(full, schema=["one", "two"], orient="row")
    weighted = frame.with_columns(w=pl.Series(rake(frame, margins).weights))
    for name, totals in margins.items():
        sums = dict(weighted.group_by(name).agg(pl.col("w").sum()).rows())
        assert sums == pytest.approx(totals)


@law
@given(st.lists(st.floats(0, 1) | st.none(), min_size=1, max_size=30))
def test_adjusted_p_values_keep_order_and_rank(p_values: list[float | None]):
    frame = pl.DataFrame({"p": p_values}, schema={"p": pl.Float64})
    found = {
        adjust.__name__: frame.select(adjust(pl.col("p")))["p"]
        for adjust in (benjamini_hochberg, benjamini_yekutieli, holm, bonferroni)
    }
    known = frame["p"].is_not_null()
    order = frame["p"].filter(known).arg_sort()
    for adjusted in found.values():
        assert (adjusted.is_not_null() == known).all()
        kept = adjusted.filter(known).gather(order)
        assert (kept.diff().drop_nulls() >= 0).all()
        assert ((kept >= frame["p"].filter(known).gather(order) - 1e-15) & (kept <= 1)).all()
    pairs = [
        ("benjamini_hochberg", "holm"),
        ("holm", "bonferroni"),
        ("benjamini_hochberg", "benjamini_yekutieli"),
    ]
    for milder, stricter in pairs:
        assert (found[milder].filter(known) <= found[stricter].filter(known) + 1e-12).all()


series = st.lists(st.lists(numbers, min_size=1, max_size=30), min_size=1, max_size=4)


def long(drawn: list[list[float]]) -> pl.LazyFrame:
    rows = [(index, value) for index, values in enumerate(drawn) for value in values]
    return pl.LazyFrame(rows, schema={"series": pl.Int64, "value": pl.Float64}, orient="row")


@law
@given(series, st.sampled_from(sorted(RULE_SETS)))
def test_all_series_at_once_signal_what_each_does_alone(drawn: list[list[float]], rules: str):
    together = signals(xmr(long(drawn), KEYS), KEYS, RULE_SETS[rules]).collect()
    alone = [signals(xmr(long([one]), KEYS), KEYS, RULE_SETS[rules]).collect() for one in drawn]
    names = [rule.name for rule in RULE_SETS[rules]]
    assert together.select(names).rows() == [row for frame in alone for row in frame.select(names).rows()]


def by_hand(z: list[float], values: list[float], rules: str) -> list[tuple[bool, ...]]:
    """The rules as loops, straight from their text."""
    out = []
    for end in range(1, len(z) + 1):
        marks = []
        for rule in RULE_SETS[rules]:
            window, last = z[end - rule.window : end], values[max(0, end - rule.window) : end]
            steps = np.sign(np.diff(last))
            full = end >= rule.window
            over, under = ([s * one > rule.sigmas + 1e-9 for one in window] for s in (1, -1))
            marks.append(full and {
                "beyond": any(side[-1] and sum(side) >= rule.hits for side in (over, under) if side),
                "side": all(one > 1e-9 for one in window) or all(one < -1e-9 for one in window),
                "trend": bool((steps > 0).all() or (steps < 0).all()),
                "alternating": bool((steps[1:] * steps[:-1] < 0).all()),
                "inside": all(abs(one) <= rule.sigmas + 1e-9 for one in window),
                "outside": all(a or b for a, b in zip(over, under, strict=True)) and any(over) and any(under),
            }[rule.kind])  # fmt: skip
        out.append(tuple(marks))
    return out


@law
@given(
    st.lists(st.floats(-4, 4).map(lambda x: round(2 * x) / 2), min_size=1, max_size=40),
    st.sampled_from(sorted(RULE_SETS)),
)
def test_rules_mark_what_their_text_says(z: list[float], rules: str):
    frame = pl.LazyFrame(
        {"series": "a", "value": z, "z": z}, schema_overrides={"value": pl.Float64, "z": pl.Float64}
    )
    names = [rule.name for rule in RULE_SETS[rules]]
    assert signals(frame, KEYS, RULE_SETS[rules]).collect().select(names).rows() == by_hand(z, z, rules)


@law
@given(st.lists(numbers, min_size=1, max_size=30), st.floats(0.05, 1), st.floats(0, 3))
def test_charts_that_remember_follow_their_recursions(values: list[float], weight: float, slack: float):
    frame = pl.LazyFrame(
        {"series": "a", "value": values, "target": 1.0, "sigma": 1.0}, schema_overrides={"value": pl.Float64}
    )
    smooth, up, down = [1.0], [0.5], [0.5]
    for value in values:
        smooth.append(weight * value + (1 - weight) * smooth[-1])
        up.append(max(0, up[-1] + value - 1 - slack))
        down.append(max(0, down[-1] + 1 - value - slack))
    found = ewma(frame, KEYS, weight=weight).collect()["ewma"].to_list()
    assert found == pytest.approx(smooth[1:], rel=1e-9, abs=1e-7)
    sums = cusum(frame, KEYS, slack=slack, decision=4, head_start=0.5).collect()
    assert sums["cusum_high"].to_list() == pytest.approx(up[1:], abs=1e-6)
    assert sums["cusum_low"].to_list() == pytest.approx(down[1:], abs=1e-6)


@law
@given(st.integers(1, 5), st.integers(0, 10_000))
def test_drivers_weights_add_up_to_r_squared_and_do_not_mind_units(k: int, seed: int):
    data = np.random.default_rng(seed).normal(size=(30, k + 1)) @ np.random.default_rng(seed + 1).normal(
        size=(k + 1, k + 1)
    )
    covariance = np.cov(data, rowvar=False)
    fitted = data[:, 1:] - data[:, 1:].mean(axis=0)
    response = data[:, 0] - data[:, 0].mean()
    rest = response - fitted @ np.linalg.lstsq(fitted, response, rcond=None)[0]
    explained = 1 - rest @ rest / (response @ response)
    scale = np.diag(np.arange(1.0, k + 2))
    for method in (lmg, johnson):
        weights = method(covariance)
        assert weights.sum() == pytest.approx(explained, abs=1e-7)
        assert (weights >= -1e-9).all()
        assert method(scale @ covariance @ scale) == pytest.approx(weights, abs=1e-7)


@law
@given(st.lists(numbers, min_size=1, max_size=20), st.floats(0, 1))
def test_percentiles_are_numpys(values: list[float], quantile: float):
    methods = {5: "hazen", 6: "weibull", 7: "linear", 8: "median_unbiased", 9: "normal_unbiased"}
    frame = pl.DataFrame({"v": values}, schema={"v": pl.Float64})
    for kind, method in methods.items():
        found = frame.select(percentile(pl.col("v"), quantile, kind)).item()
        assert found == pytest.approx(np.quantile(values, quantile, method=method), abs=1e-6)


@law
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=1, max_size=40))
def test_unbounded_retention_only_falls_and_is_never_below_bounded(seen: list[tuple[int, int]]):
    activity = pl.LazyFrame(seen, schema=["customer_id", "period"], orient="row")
    bounded, unbounded = (cohort_retention(activity, unbounded=way).collect() for way in (False, True))
    assert bounded.select("cohort", "offset").equals(unbounded.select("cohort", "offset"))
    assert (unbounded["active"] >= bounded["active"]).all()
    assert (unbounded.select(pl.col("retention").diff().over("cohort")).drop_nulls().to_series() <= 0).all()
    assert (bounded.filter(pl.col("offset") == 0)["retention"] == 1).all()


@settings(deadline=None)
@given(st.lists(st.integers(-(4 * 10**14), 4 * 10**14) | st.integers(0, 5), min_size=1, max_size=20),
       st.integers(1, 5 * 10**7))  # fmt: skip
def test_squared_deviations_are_those_of_fractions(drawn: list[int], times: int):
    """Of a billion values of up to 4e14 whole steps, of which the squares only just fit into 128 bits."""
    n, total, squares = (times * sum(one**power for one in drawn) for power in (0, 1, 2))
    kinds = {"n": pl.Int64, "total": pl.Int128, "squares": pl.Int128}
    frame = pl.DataFrame({"n": [n], "total": [total], "squares": [squares]}, schema=kinds)
    found = frame.select(squared_deviations(*map(pl.col, kinds))).item()
    expected = squares - Fraction(total) ** 2 / n
    assert (found == 0) if expected == 0 else abs(Fraction(found) / expected - 1) < Fraction(1, 10**14)
