"""# Sampling sentinels

A week is held against up to 13 usual ones before it. A week beyond its limits never becomes usual, and three of
the last four beyond, on one side, are a drift.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from contracts.tables import SamplingSentinel
from transforms.methods.sentinels import trailing
from transforms.sentinels import standing_drifts


def judged(kind: str, counts: list[float], n: float = 100.0) -> pl.DataFrame:
    return trailing(
        pl.DataFrame({"series": 1, "kind": kind, "count": [float(c) for c in counts], "n": n}), ["series"]
    )


USUAL = [30.0, 28.0, 32.0, 29.0, 31.0, 30.0, 28.0, 32.0, 29.0, 31.0, 30.0, 28.0, 32.0]


def test_limits_by_hand():
    """390 of 1,300 usual: t = arcsin root (390.375 / 1300.75) = 0.57977. Sigma = root (1/402 + 1/5202) = 0.05177,
    not widened; three of them: sin^2 (0.42447) and sin^2 (0.73507), times 100.75, less 3/8, by 100:
    0.1671 to 0.4494."""
    found = judged("share", [*USUAL, 30.0]).row(13, named=True)
    assert (found["usual_count"], found["side"]) == (13, 0)
    assert found["usual_low"] == pytest.approx(0.1671, abs=1e-4)
    assert found["usual_high"] == pytest.approx(0.4494, abs=1e-4)


def test_fewer_than_eight_usual_weeks_say_nothing():
    sides = judged("share", [*USUAL[:8], 90.0])["side"].to_list()
    assert sides == [None] * 8 + [1]


@pytest.mark.parametrize(
    ("after", "drifts"),
    [
        pytest.param([80, 80, 80, 80], [False, False, True, True], id="the third week says so"),
        pytest.param([80, 30, 80, 80], [False, False, False, True], id="three of four"),
        pytest.param([80, 30, 30, 80], [False] * 4, id="two of four"),
        pytest.param([80, 80, 2, 30], [False] * 4, id="on both sides"),
        pytest.param([80, 80, 80, 30, 30, 30], [False, False, True, True, False, False], id="it came back"),
    ],
)
def test_three_of_four_beyond_on_one_side_are_a_drift(after: list[float], drifts: list[bool]):
    assert judged("share", [*USUAL, *after])["is_drift"].to_list()[13:] == drifts


def test_what_lasts_does_not_become_usual():
    """After 40 weeks at the new level the usual one is still the old one."""
    found = judged("share", [*USUAL, *[80.0] * 40]).row(-1, named=True)
    assert (found["is_drift"], found["usual"]) == (True, pytest.approx(0.30, abs=0.01))


@pytest.mark.parametrize(("kind", "usual", "now"), [("rate", USUAL, 70.0), ("value", USUAL, 90.0)])
def test_rates_and_values_are_watched_too(kind: str, usual: list[float], now: float):
    assert judged(kind, [*usual, now, now, now])["is_drift"].to_list()[-1] is True


def test_the_first_of_a_kind_is_no_drift():
    """None of 13 times 17 asked were business customers; then one, two and one are."""
    assert judged("share", [*[0.0] * 13, 1.0, 2.0, 1.0], 17.0)["side"].to_list()[13:] == [0, 0, 0]


@pytest.mark.parametrize("kind", ["share", "rate", "value"])
def test_a_stable_series_hardly_ever_drifts(kind: str):
    """2,000 series of 78 weeks: at most 2 show a drift at any time (simulated at 10,000: 0, 0 and 4)."""
    rng = np.random.default_rng(20_260_301)
    shape = (2_000, 78)
    made = {
        "share": rng.binomial(60, 0.3, shape),
        "rate": rng.poisson(18, shape),
        "value": np.exp(rng.normal(6, 0.3, shape)),
    }[kind].astype(float)
    series = np.repeat(np.arange(shape[0]), shape[1])
    found = trailing(
        pl.DataFrame({"series": series, "kind": kind, "count": made.ravel(), "n": 60.0}), ["series"]
    )
    assert found.filter("is_drift")["series"].n_unique() <= 2


def sentinel(name: str, value: float, usual: float, *, is_drift: bool = True) -> dict:
    start = date(2026, 3, 2)
    return {
        "week_start": start, "touchpoint_id": "point", "metric": "csat", "sentinel": name, "dimension": "all",
        "segment": "all", "value": value, "n": 100, "usual": usual, "usual_low": 0.0, "usual_high": 1.0,
        "usual_count": 13, "is_beyond": True, "is_drift": is_drift, "drift_since_date": start,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        pytest.param([("asked_share", 0.1, 0.3), ("asked_count", 10, 30)], ["asked_share"], id="both fell"),
        pytest.param([("asked_share", 0.1, 0.3)], [], id="a quota, and more customers"),
        pytest.param([("asked_count", 30, 10)], [], id="a rate, and more customers"),
        pytest.param([("asked_share", 0.1, 0.3), ("asked_count", 30, 10)], [], id="to both sides"),
        pytest.param([("response_rate", 0.1, 0.3)], ["response_rate"], id="fewer answer"),
    ],
)
def test_how_many_are_asked_drifts_when_number_and_share_leave_to_one_side(rows: list, found: list[str]):
    schema = {k: v for k, v in SamplingSentinel.published_schema().items() if k != "is_standing"}
    frame = pl.DataFrame([sentinel(*row) for row in rows], schema=schema)
    assert standing_drifts(frame, date(2026, 3, 9))["sentinel"].cast(pl.String).to_list() == found


def test_a_series_that_ended_long_ago_does_not_stand():
    schema = {k: v for k, v in SamplingSentinel.published_schema().items() if k != "is_standing"}
    frame = pl.DataFrame([sentinel("response_rate", 0.1, 0.3)], schema=schema)
    assert standing_drifts(frame, date(2026, 3, 2) + timedelta(weeks=7)).is_empty()
