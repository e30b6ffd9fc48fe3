"""# Trust

A number is as good as its weakest part: how many answered, how wide its interval is, whether its feeds
come in time, and how much of them waits in quarantine.
"""

import polars as pl
import pytest

from contracts.tables import MetricTrust
from transforms.metric_trust import metric_trust

SCHEMA = {name: kind for name, kind in MetricTrust.published_schema().items() if name.startswith("period")}


def graded(
    unit: str = "share",
    value: tuple[float | None, ...] = (0.80, 0.78, 0.82),
    n: int = 100,
    share: tuple[int, int] = (1, 100),
    limit: float | None = 48.0,
    *,
    stale: bool = False,
) -> dict:
    """One number's row: its value and interval, its n, and the rows that wait of those its feed sent."""
    middle, low, high = value
    card = pl.DataFrame(
        {"period": "week", "period_start": None, "period_end": None, "touchpoint_id": "point", "metric": "m",
         "unit": unit, "n": n, "value": middle, "value_low": low, "value_high": high, "is_stale": stale},
        schema_overrides={**SCHEMA, "value": pl.Float64, "value_low": pl.Float64, "value_high": pl.Float64},
    )  # fmt: skip
    behind = pl.DataFrame({"touchpoint": [1], "metric": [1], "feed": [1]})
    trust = pl.DataFrame(
        {
            "feed": ["survey"],
            "rows_quarantined": [share[0]],
            "rows_read": [share[1]],
            "age_max_hours": [limit],
        },
        schema_overrides={"age_max_hours": pl.Float64},
    )
    names = {"touchpoint": ["unmatched", "point"], "metric": ["events", "m"], "feed": [None, "survey"]}
    return metric_trust(card.lazy(), behind, trust, names).collect().row(0, named=True)


def test_all_good_is_an_a():
    found = graded()
    assert (found["grade"], found["feeds"], found["quarantine_share"]) == ("A", "survey", 0.01)


@pytest.mark.parametrize(
    ("n", "grade"), [(100, "A"), (99, "B"), (30, "B"), (29, "C"), (10, "C"), (9, "D"), (0, "D")]
)
def test_few_observations_lower_it(n: int, grade: str):
    found = graded(n=n)
    assert (found["n_grade"], found["grade"]) == (grade, grade)


@pytest.mark.parametrize(
    ("unit", "value", "half", "grade"),
    [
        pytest.param("share", (0.5, 0.4, 0.6), 0.1, "B", id="10 points of a share"),
        pytest.param("points", (40.0, 20.0, 62.0), 0.21, "D", id="21 points of NPS, by a hundred"),
        pytest.param("hours", (20.0, 17.0, 23.0), 0.15, "C", id="3 hours of 20"),
        pytest.param("hours", (0.0, -1.0, 1.0), None, "D", id="nothing to compare with"),
        pytest.param("share", (1.0, None, None), None, "D", id="no interval"),
    ],
)
def test_a_wide_interval_lowers_it(unit: str, value: tuple[float, ...], half: float | None, grade: str):
    found = graded(unit, value)
    assert found["half_width"] == (None if half is None else pytest.approx(half))
    assert (found["precision_grade"], found["grade"]) == (grade, grade)


def test_a_feed_that_read_no_row_is_not_graded_for_quarantine():
    found = graded(share=(0, 0))
    assert (found["quarantine_share"], found["quarantine_grade"], found["grade"]) == (None, None, "A")


def test_a_stale_number_is_a_d_and_says_why():
    found = graded(stale=True)
    assert (found["grade"], found["weakest"]) == ("D", "freshness")


def test_a_feed_that_promises_no_freshness_is_not_graded_for_it():
    found = graded(limit=None)
    assert (found["freshness_grade"], found["grade"]) == (None, "A")


@pytest.mark.parametrize(("rows", "grade"), [(1, "A"), (2, "B"), (5, "B"), (6, "C"), (10, "C"), (11, "D")])
def test_rows_in_quarantine_lower_it(rows: int, grade: str):
    found = graded(share=(rows, 100))
    assert (found["quarantine_grade"], found["grade"]) == (grade, grade)


def test_the_weakest_component_names_the_grade():
    found = graded(n=20, share=(20, 100))
    assert (found["n_grade"], found["quarantine_grade"]) == ("C", "D")
    assert (found["grade"], found["weakest"]) == ("D", "quarantine")
