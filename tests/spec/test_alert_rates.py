"""# How often an alert is wrong

Simulated weeks of satisfied or dissatisfied answers, goal 80 %, through the scorecard and the evaluator that runs use.
"""

import random
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from contracts.accountability import Metric
from contracts.alert_settings import Alerts
from contracts.alerts import Evidence
from contracts.tables import DataTrust
from tests.spec.alerts import KEY, ZONE
from transforms.alert_backtest import Backtest, backtest
from transforms.alert_evidence import Numbers, _weeks
from transforms.business_days import WorkCalendar
from transforms.estimate import estimate
from transforms.measure import SUMS
from transforms.score import _with_breach
from transforms.verdict import below_goal

GOAL = 0.8
FIRST = date(2024, 1, 8)
CSAT = Metric(id="csat", name="CSAT", estimator="csat")


def simulated(
    seeds: int, weeks: int, answers: int, healthy: float, drop: tuple[int, float] = (10**6, 0)
) -> list[Evidence]:
    """Series of weeks of answers, each satisfied by chance; from a week on with another chance."""
    rows = []
    for seed in range(seeds):
        chance = random.Random(seed)
        good = [
            sum(chance.random() < (drop[1] if place >= drop[0] else healthy) for _ in range(answers))
            for place in range(weeks)
        ]
        for place in range(weeks):
            end = FIRST + timedelta(weeks=place + 1)
            rows.append((seed, "week", end, answers, good[place]))
            if place >= 3:
                rows.append((seed, "rolling_28d", end, 4 * answers, sum(good[place - 3 : place + 1])))
    found = _weeks(Numbers(card(rows), DataTrust.empty()), {(str(seed), "csat") for seed in range(seeds)})
    return [
        Evidence(key=replace(KEY, scope=name), weeks=tuple(weeks.values()))
        for (name, _), weeks in found.items()
    ]


def card(rows: list[tuple[int, str, date, int, int]]) -> pl.DataFrame:
    """Series, period, its end, answers and satisfied ones, judged as the scorecard judges them."""
    kinds = {
        "touchpoint": pl.UInt32,
        "period": pl.String,
        "period_end": pl.Date,
        "n": pl.Int64,
        "good": pl.Int64,
    }
    unused = {name: pl.lit(0, dtype=SUMS[name]) for name in ("total", "squares", "promoters", "detractors")}
    sums = pl.LazyFrame(rows, schema=kinds, orient="row").with_columns(metric=pl.lit(1), **unused)
    judged = estimate(sums, [CSAT]).with_columns(goal=GOAL, direction=pl.lit("higher"), is_stale=False)
    named = _with_breach(judged.with_columns(below_goal())).with_columns(
        touchpoint_id=pl.col("touchpoint").cast(pl.String), metric=pl.lit("csat"), is_final=True
    )
    return named.collect()


def over_time(every: list[Evidence]) -> list[Backtest]:
    return backtest(every, Alerts(), WorkCalendar(ZONE))


def test_a_healthy_series_is_called_a_breach_less_than_once_in_ten_years():
    """At 30 answers a week and 85 %; the naive rule raises more than five alarms a year."""
    found = over_time(simulated(100, 104, 30, 0.85))
    years = sum(one.years for one in found)
    assert sum(len(one.fired) for one in found) / years <= 0.1
    assert sum(len(one.naive) for one in found) / years > 5


@pytest.mark.parametrize(
    ("answers", "healthy", "share"), [(30, 0.85, 0.95), (30, 0.88, 0.95), (100, 0.85, 0.99)]
)
def test_a_real_drop_is_found_within_eight_weeks(answers: int, healthy: float, share: float):
    """Of 15 points, and of 18."""
    found = over_time(simulated(100, 20, answers, healthy, (12, 0.7)))
    last = FIRST + timedelta(weeks=20)
    assert sum(any(end <= last for end in one.fired) for one in found) / len(found) >= share
