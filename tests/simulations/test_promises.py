"""Promises that only chance can test: coverage, false alarms, power. Seeds are fixed, tolerances stated."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from transforms import intervals
from transforms.behaviour import charted
from transforms.methods import run_lengths
from transforms.methods.charts import laney_p_chart, p_chart
from transforms.methods.discoveries import benjamini_hochberg
from transforms.methods.drift import cusum
from transforms.methods.owner_change import PARTS, owner_change
from transforms.methods.pace import project
from transforms.methods.run_rules import FALSE_SIGNAL_AFTER, RULE_SETS, signals

KEYS = ["series"]
Z = intervals.z_of(0.95)


@pytest.mark.parametrize("n", [8, 15, 30, 100, 400])
@pytest.mark.parametrize("shares", [(0.45, 0.2), (0.7, 0.08), (0.85, 0.03)], ids=str)
def test_the_adjusted_nps_interval_covers_between_93_and_97_percent(shares: tuple[float, float], n: int):
    """100,000 samples: the simulation's own error is 0.07 points (two sigmas 0.14)."""
    up, down = shares
    chance = np.random.default_rng(1)
    drawn = chance.multinomial(n, [up, 1 - up - down, down], 100_000)
    frame = pl.DataFrame({"up": drawn[:, 0], "down": drawn[:, 2]})
    low, high = intervals.adjusted_wald_nps(pl.col("up"), pl.col("down"), pl.lit(n), Z)
    truth = 100 * (up - down)
    assert 0.93 <= frame.select(((low <= truth) & (truth <= high)).mean()).item() <= 0.97


@pytest.mark.parametrize("n", [5, 20, 100])
def test_clopper_pearson_never_covers_less_than_it_says(n: int):
    """Exact: the coverage over all outcomes, at 99 true shares."""
    from scipy.stats import binom

    ends = intervals.clopper_pearson(pl.col("k"), pl.lit(n), 0.95)
    found = pl.DataFrame({"k": range(n + 1)}).select(low=ends[0], high=ends[1])
    for truth in np.arange(0.01, 1, 0.01):
        inside = found.select((pl.col("low") <= truth) & (pl.col("high") >= truth)).to_series().to_numpy()
        assert binom.pmf(np.arange(n + 1), n, truth)[inside].sum() >= 0.95


def onsets(flagged: np.ndarray) -> np.ndarray:
    """Where a signal begins."""
    begins = flagged.copy()
    begins[:, 1:] &= ~flagged[:, :-1]
    return begins


def csat_signals(
    chance: np.random.Generator, n: int, baseline: int, truth: np.ndarray, chart: str = "laney_p"
) -> np.ndarray:
    """Whether each week after the baseline signals anything, by series, charted as it is published: csat by Laney's p'."""
    good = chance.binomial(n, truth, (4000, len(truth)))
    mondays = np.arange(len(truth)) * np.timedelta64(7, "D") + np.datetime64("2020-01-06")
    frame = pl.DataFrame({
        "touchpoint_id": np.repeat(np.arange(len(good)), len(truth)), "numerator": good.ravel().astype(float),
        "period_start": np.tile(mondays, len(good)), "in_baseline": np.tile(np.arange(len(truth)) < baseline, len(good)),
    }).with_columns(
        metric=pl.lit("csat"), chart=pl.lit(chart), unit=pl.lit("share"), direction=pl.lit("higher"), n=n,
        value=pl.col("numerator") / n, period_end=pl.col("period_start").dt.offset_by("1w"),
        baseline_start_date=pl.lit(mondays[0]), baseline_why=pl.lit(None, dtype=pl.String),
    )  # fmt: skip
    later = charted(frame.lazy()).filter(~pl.col("is_baseline")).collect()
    return later["signal"].is_not_null().to_numpy().reshape(len(good), -1)


@pytest.mark.parametrize(
    ("chart", "share", "n", "baseline", "low", "high"),
    [
        ("laney_p", 0.85, 30, 26, 0.95, 1.1),
        ("laney_p", 0.85, 100, 26, 0.85, 1.05),
        ("laney_p", 0.85, 400, 26, 0.80, 0.95),
        ("laney_p", 0.97, 30, 26, 1.8, 2.3),
        ("laney_p", 0.97, 100, 26, 1.1, 1.35),
        ("laney_p", 0.97, 400, 26, 0.85, 1.05),
        ("laney_p", 0.85, 30, 12, 1.6, 1.9),
        ("laney_p", 0.85, 100, 12, 1.5, 1.75),
        ("xmr", 0.85, 30, 26, 0.80, 1.05),
        ("xmr", 0.85, 400, 26, 0.80, 1.05),
        ("xmr", 0.85, 100, 12, 1.4, 1.8),
    ],
    ids=str,
)
def test_false_onsets_a_stable_year(chart: str, share: float, n: int, baseline: int, low: float, high: float):
    """Any of three rules: about 1 with 26 weeks of baseline and 1.7 with 12; twice as many of a high share of few."""
    flagged = csat_signals(np.random.default_rng(21), n, baseline, np.full(baseline + 52, share), chart)
    assert low <= onsets(flagged).sum() / len(flagged) <= high


@pytest.mark.parametrize(("n", "least", "most"), [(30, 0.70, 0.80), (100, 0.96, 1.0)], ids=str)
def test_a_drop_of_seven_points_is_signalled_within_twelve_weeks(n: int, least: float, most: float):
    truth = np.where(np.arange(78) < 26, 0.85, 0.78)
    flagged = csat_signals(np.random.default_rng(21), n, 26, truth)
    assert least <= flagged[:, :12].any(axis=1).mean() <= most


@pytest.mark.parametrize("name", sorted(RULE_SETS))
def test_false_signals_of_rule_sets_are_as_documented(name: str):
    """4,000 chains of 600 points, those still quiet included: the mean within 4 %, the exact one too."""
    chance = np.random.default_rng(5)
    size, length = 4000, 600
    values = chance.normal(size=size * length)
    frame = pl.LazyFrame({"series": np.repeat(np.arange(size), length), "value": values, "z": values})
    marked = signals(frame, KEYS, RULE_SETS[name]).collect()["signal"].is_not_null().to_numpy()
    first = marked.reshape(size, length)
    waited = np.where(first.any(axis=1), first.argmax(axis=1) + 1, length)
    mean = waited.sum() / first.any(axis=1).sum()
    assert mean == pytest.approx(FALSE_SIGNAL_AFTER[name], rel=0.04)
    if all(rule.kind in ("beyond", "side") for rule in RULE_SETS[name]):
        assert mean == pytest.approx(run_lengths.rules_run_length(RULE_SETS[name]), rel=0.04)


def test_run_lengths_of_cusum_agree_with_the_charts_own():
    """k 0.5, h 4, one sigma: 8.38 points; 20,000 chains give it within 2 %."""
    chance = np.random.default_rng(6)
    frame = pl.LazyFrame({
        "series": np.repeat(np.arange(20_000), 80), "value": chance.normal(1.0, 1.0, 1_600_000), "target": 0.0,
    })  # fmt: skip
    marked = cusum(frame, KEYS, slack=0.5, decision=4).collect()["is_signal"].to_numpy().reshape(20_000, 80)
    waited = np.where(marked.any(axis=1), marked.argmax(axis=1) + 1, 80)
    assert waited.mean() == pytest.approx(run_lengths.cusum_run_length(0.5, 4, 1.0), rel=0.02)


def test_three_thousand_random_maps_are_split_without_a_rest():
    """Touchpoints with nothing in a period, owners that change hands, three kinds of who answers."""
    chance = np.random.default_rng(2)
    maps, touchpoints, segments = 3000, 12, 3
    shape = (maps, touchpoints, segments)
    n = [chance.integers(0, 60, shape) for _ in range(2)]
    for counted in n:
        counted[chance.random((maps, touchpoints)) < 0.03] = 0
    rate = chance.uniform(0.5, 0.95, shape)
    good = [chance.binomial(counted, np.clip(rate + chance.normal(0, 0.05, shape), 0, 1)) for counted in n]
    before = chance.integers(0, 3, (maps, touchpoints))
    moved = chance.random((maps, touchpoints)) < 0.25
    after = np.where(moved, chance.integers(0, 3, (maps, touchpoints)), before)
    places = np.indices(shape)
    frame = pl.DataFrame({
        "owner": places[0].ravel(), "touchpoint": places[1].ravel(), "segment": places[2].ravel(),
        "n_before": n[0].ravel(), "sum_before": good[0].ravel(), "n_after": n[1].ravel(), "sum_after": good[1].ravel(),
        "is_held_before": np.repeat(before == 0, segments), "is_held_after": np.repeat(after == 0, segments),
    }).filter(pl.col("is_held_before") | pl.col("is_held_after"))  # fmt: skip
    found = owner_change(frame.lazy()).collect()
    split = found.filter(pl.col("change").is_not_null() & pl.col("rate").is_not_null())
    assert split["owner"].n_unique() > 2900
    assert split["unexplained"].abs().max() < 1e-9
    assert found.filter(pl.col("rate").is_null())["owner"].n_unique() < 60, (
        "portfolios without data in a period"
    )
    assert all(split[name].abs().sum() > 0 for name in PARTS)


def test_benjamini_hochberg_keeps_false_discoveries_below_its_level():
    """20 comparisons, 5 of them real, 4,000 runs: the mean share of false ones is at most 5 % x 15/20."""
    from scipy.special import ndtr

    chance = np.random.default_rng(9)
    real = np.arange(20) < 5
    p_values = 2 * ndtr(-np.abs(chance.normal(np.where(real, 3.0, 0.0), 1.0, (4000, 20))))
    frame = pl.DataFrame({"run": np.repeat(np.arange(4000), 20), "p": p_values.ravel()})
    adjusted = frame.select(benjamini_hochberg(pl.col("p")).over("run"))["p"].to_numpy().reshape(4000, 20)
    rejected = adjusted <= 0.05
    false = (rejected & ~real).sum(axis=1) / np.maximum(rejected.sum(axis=1), 1)
    assert false.mean() == pytest.approx(0.0375, abs=0.005)


def test_the_chance_to_meet_is_calibrated():
    """20,000 straight lines with noise: the chance told of reaching what then came is uniform, within 1.5 %."""
    chance = np.random.default_rng(4)
    size, points, due = 20_000, 10, 14
    slopes = chance.normal(0, 0.2, (size, 1))
    path = slopes * np.append(np.arange(points), due) + chance.normal(0, 1, (size, points + 1))
    frame = pl.LazyFrame({
        "series": np.repeat(np.arange(size), points), "time": np.tile(np.arange(points), size),
        "value": path[:, :-1].ravel(),
    })  # fmt: skip
    goals = pl.LazyFrame({"series": np.arange(size), "due": due, "level": path[:, -1], "direction": "higher"})
    told = project(frame, goals, KEYS).collect()["chance_to_meet"].to_numpy()
    shares = np.arange(0.05, 1, 0.05)
    assert np.quantile(told, shares) == pytest.approx(shares, abs=0.015)


@pytest.mark.shared
def test_laney_flags_one_servicenow_week_where_p_flags_twelve(shared: Path):
    """Weeks of opening with at least 50 incidents; whether the last event says the promise was kept."""
    with gzip.open(shared / "data/ticketing_servicenow/incident_event_log.csv.gz") as file:
        log = pl.read_csv(
            file.read(), columns=["number", "sys_updated_at", "sys_mod_count", "opened_at", "made_sla"]
        )
    at = [pl.col(name).str.to_datetime("%d/%m/%Y %H:%M") for name in ("sys_updated_at", "opened_at")]
    last = log.with_columns(at).sort("number", "sys_updated_at", "sys_mod_count", maintain_order=True)
    weeks = (
        last.unique("number", keep="last", maintain_order=True)
        .group_by(pl.col("opened_at").dt.truncate("1w").dt.date().alias("week"))
        .agg(count=pl.col("made_sla").cast(pl.String).str.to_lowercase().eq("true").sum(), n=pl.len())
        .filter(pl.col("n") >= 50)
        .sort("week")
        .with_columns(series=pl.lit("all"))
    )
    beyond = RULE_SETS["western_electric"][:1]
    flagged = {
        name: signals(chart(weeks.lazy(), KEYS), KEYS, beyond).collect()["signal"].count()
        for name, chart in (("p", p_chart), ("laney", laney_p_chart))
    }
    assert flagged == {"p": 12, "laney": 1}
    published = pl.read_csv(shared / "data/expected/servicenow_sla_weekly_chart.csv")
    wide = laney_p_chart(weeks.lazy(), KEYS).collect()
    for ours, theirs in (("limit_low", "laney_lcl"), ("limit_high", "laney_ucl"), ("sigma_z", "sigma_z")):
        assert wide[ours].to_list() == pytest.approx(published[theirs].to_list(), rel=1e-9)
