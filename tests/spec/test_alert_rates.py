"""# How often an alert is wrong

Simulated weeks of satisfied or dissatisfied answers, goal 80 %, through the evaluator that runs use.
"""

import random
from datetime import date, timedelta
from statistics import NormalDist

import pytest

from contracts.alert_settings import Alerts
from contracts.alerts import Evidence, Week
from tests.spec.alerts import KEY, ZONE
from transforms.alert_backtest import Backtest, backtest
from transforms.business_days import WorkCalendar

GOAL, Z = 0.8, NormalDist().inv_cdf(0.95)
FIRST = date(2024, 1, 8)


def simulated(
    seed: int, weeks: int, answers: int, healthy: float, drop: tuple[int, float] = (10**6, 0)
) -> Evidence:
    """Weeks of answers, each satisfied by chance; from a week on with another chance."""
    chance = random.Random(seed)
    good = [
        sum(chance.random() < (drop[1] if place >= drop[0] else healthy) for _ in range(answers))
        for place in range(weeks)
    ]
    return Evidence(key=KEY, weeks=tuple(week(good[: place + 1], answers) for place in range(weeks)))


def week(good: list[int], answers: int) -> Week:
    """The last week, with the Wilson bound over its four."""
    own = good[-1] / answers
    end = FIRST + timedelta(weeks=len(good))
    if len(good) < 4:
        return Week(end=end, n=answers, value=own, goal=GOAL, is_below=own < GOAL)
    n, pool = 4 * answers, sum(good[-4:]) / (4 * answers)
    half = Z * (pool * (1 - pool) / n + Z * Z / (4 * n * n)) ** 0.5
    bound = (pool + Z * Z / (2 * n) + half) / (1 + Z * Z / n)
    return Week(
        end=end,
        n=answers,
        value=own,
        goal=GOAL,
        is_below=own < GOAL,
        is_breach=own < GOAL and bound < GOAL,
        is_pool_below=pool < GOAL,
        pool_n=n,
        pool_value=pool,
        bound=bound,
    )


def over_time(every: list[Evidence]) -> list[Backtest]:
    return backtest(every, Alerts(), WorkCalendar(ZONE))


def test_a_healthy_series_is_called_a_breach_less_than_once_in_ten_years():
    """At 30 answers a week and 85 %; the naive rule raises more than five alarms a year."""
    found = over_time([simulated(seed, 104, 30, 0.85) for seed in range(100)])
    years = sum(one.years for one in found)
    assert sum(len(one.fired) for one in found) / years <= 0.1
    assert sum(len(one.naive) for one in found) / years > 5


@pytest.mark.parametrize(
    ("answers", "healthy", "share"), [(30, 0.85, 0.95), (30, 0.88, 0.95), (100, 0.85, 0.99)]
)
def test_a_real_drop_is_found_within_eight_weeks(answers: int, healthy: float, share: float):
    """Of 15 points, and of 18."""
    found = over_time([simulated(seed, 20, answers, healthy, (12, 0.7)) for seed in range(100)])
    last = FIRST + timedelta(weeks=20)
    assert sum(any(end <= last for end in one.fired) for one in found) / len(found) >= share
