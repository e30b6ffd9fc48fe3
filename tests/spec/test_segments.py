"""# Segments

Whoever looks at twenty cuts of a number finds one that stands out by chance. Each cut is held against the rest, and its
q-value admits how many were looked at.
"""

import math

import polars as pl
import pytest

from contracts.tables import ScorecardSegment
from tests.spec.pipeline import a_map, score
from tests.spec.weeks import typed

CSAT = "{id: csat, name: CSAT, estimator: csat, by: [channel]}"
PAIR = {"period": "to_date", "touchpoint_id": "point"}


def of(channels: dict[str, tuple[int, int]], metric: str = CSAT, top: int = 5) -> pl.DataFrame:
    """The segments of good (5) and bad (1) answers by channel."""
    rows = [
        f"2026-03-03 09:00 | {top if number < good else 1} | {channel}"
        for channel, (good, bad) in channels.items()
        for number in range(good + bad)
    ]
    scored = score("\n".join(["occurred_at | score | channel", *rows]), a_map(metric))
    return typed(ScorecardSegment, scored.tables[ScorecardSegment]).filter(**PAIR).sort("segment")


def test_a_segment_is_held_against_the_rest():
    """45 of 50 by mail against 70 of 100 elsewhere: pooled 115 of 150, z with N - 1 is 2.72."""
    mail = of({"mail": (45, 5), "shop": (35, 15), "web": (35, 15)}).row(0, named=True)
    assert (mail["rest_n"], mail["rest_value"]) == (100, 0.7)
    pooled = 115 / 150
    z = 0.2 / math.sqrt(pooled * (1 - pooled) * (1 / 50 + 1 / 100) * 150 / 149)
    assert mail["p_value"] == pytest.approx(math.erfc(z / math.sqrt(2)))


def test_the_q_value_admits_how_many_were_looked_at():
    """Benjamini-Hochberg over the cuts of one metric in one period: of three, 0.15 stand out by chance."""
    found = of({"mail": (45, 5), "shop": (35, 15), "web": (36, 14)})
    ordered = found.sort("p_value")
    assert ordered["q_value"][0] == pytest.approx(min(3 * ordered["p_value"][0], 1.5 * ordered["p_value"][1]))
    assert found["compared_count"].to_list() == [3, 3, 3]
    assert found["expected_by_chance"].to_list() == pytest.approx([0.15] * 3)


def test_twelve_alike_cuts_have_no_small_q_value():
    found = of({f"c{number:02d}": (20 + number % 3, 5 - number % 3) for number in range(12)})
    assert found["compared_count"].to_list() == [12] * 12
    assert found["q_value"].min() > 0.5


@pytest.mark.parametrize(
    "channels",
    [
        pytest.param({"mail": (9, 0), "web": (35, 15)}, id="nine answers are too few"),
        pytest.param({"mail": (50, 0), "web": (50, 0)}, id="where nothing varies nothing is compared"),
        pytest.param({"mail": (40, 10)}, id="a single segment has no rest"),
    ],
)
def test_what_cannot_be_compared_is_not(channels: dict[str, tuple[int, int]]):
    found = of(channels)
    assert found["p_value"].null_count() == found.height
    assert found["compared_count"].to_list() == [0] * found.height


def test_net_promoter_scores_compare_by_their_own_variance():
    """60 and 40 points of 50 answers each: promoters and detractors only, variance 1 - score squared."""
    metric = "{id: nps, name: NPS, estimator: nps, by: [channel]}"
    mail = of({"mail": (40, 10), "web": (35, 15)}, metric, top=10).row(0, named=True)
    assert (mail["value"], mail["rest_value"]) == (60, pytest.approx(40))
    z = 0.2 / math.sqrt((1 - 0.36) / 50 + (1 - 0.16) / 50)
    assert mail["p_value"] == pytest.approx(math.erfc(z / math.sqrt(2)))


def test_means_compare_by_their_sample_variances():
    metric = "{id: mean, name: Mean, estimator: mean, value: score, by: [channel]}"
    mail = of({"mail": (10, 10), "web": (15, 5)}, metric).row(0, named=True)
    variances = [16 * 0.25 / 19, 16 * 0.1875 / 19]
    assert mail["p_value"] == pytest.approx(math.erfc(1 / math.sqrt(sum(variances)) / math.sqrt(2)))


def test_means_compare_alike_however_far_from_zero():
    """Amounts of 1 and 5 cents, and the same above five billion: the digits before them are not lost."""

    def p_values(above: int) -> list[float]:
        rows = [
            f"2026-03-03 09:00 | {above + (0.05 if number < good else 0.01)} | {name}"
            for name, good in (("mail", 10), ("web", 15))
            for number in range(20)
        ]
        metric = "{id: mean, name: Mean, estimator: mean, value: amount, step: 0.01, by: [channel]}"
        scored = score("\n".join(["occurred_at | amount | channel", *rows]), a_map(metric))
        return scored.card(ScorecardSegment, **PAIR).sort("segment")["p_value"].to_list()

    variances = [16 * 0.25 / 19, 16 * 0.1875 / 19]
    expected = math.erfc(1 / math.sqrt(sum(variances)) / math.sqrt(2))
    assert p_values(0) == pytest.approx([expected] * 2, rel=1e-9)
    assert p_values(5_000_000_000) == pytest.approx([expected] * 2, rel=1e-9)


def test_all_touchpoints_together_are_a_family_of_their_own():
    rows = [
        f"2026-03-03 09:00 | {5 if number % 4 else 1} | {name}"
        for name in ("mail", "web")
        for number in range(20)
    ]
    scored = score("\n".join(["occurred_at | score | channel", *rows]), a_map(CSAT))
    card = scored.tables[ScorecardSegment].filter(period="to_date")
    assert card.group_by("touchpoint_id").agg(pl.col("compared_count").max()).sort("touchpoint_id")[
        "compared_count"
    ].to_list() == [2, 2]
