"""# Trust

A number is as good as its weakest part: how many answered, how wide its interval is, whether its feeds
come in time, and how much of them waits in quarantine.
"""

from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest
from pydantic import ValidationError

from contracts.deliveries import Delivery
from contracts.tables import DataTrust, MetricTrust, SampleMix, Table, WhoAnswered
from contracts.workspace import Grades
from tests.conftest import Sandbox, drawn
from tests.spec.pipeline import a_map
from transforms.alert_evidence import feed_evidence
from transforms.metric_trust import Known, metric_trust, sample_doubts, scales_of
from transforms.trust import data_trust

DAY = date(2026, 3, 2)
SCHEMA = {name: kind for name, kind in MetricTrust.published_schema().items() if name.startswith("period")}


def graded(  # noqa: PLR0913 - everything a grade may depend on, one by one
    unit: str = "share",
    value: tuple[float | None, ...] = (0.80, 0.78, 0.82),
    n: int = 100,
    share: tuple[int, int] = (1, 100),
    limit: float | None = 48.0,
    *,
    stale: bool = False,
    samples: dict[str, pl.DataFrame] | None = None,
    ends: Grades | None = None,
    metric: str = "estimator: csat",
) -> dict:
    """One number's row: its value and interval, its n, and the rows that wait of those its feed sent."""
    middle, low, high = value
    card = pl.DataFrame(
        {"period": "week", "period_start": DAY, "period_end": DAY, "touchpoint_id": "point", "metric": "m",
         "unit": unit, "n": n, "value": middle, "value_low": low, "value_high": high, "is_stale": stale},
        schema_overrides={**SCHEMA, "value": pl.Float64, "value_low": pl.Float64, "value_high": pl.Float64},
    )  # fmt: skip
    behind = pl.DataFrame({"touchpoint": [1], "metric": [1], "feed": [1]})
    trust = rows(DataTrust, feed="survey", rows_quarantined=share[0], rows_read=share[1], age_max_hours=limit)
    names = {"touchpoint": ["unmatched", "point"], "metric": ["events", "m"], "feed": [None, "survey"]}
    known = Known(
        behind,
        trust,
        names,
        **(samples or {}),
        scales=scales_of(a_map(f"{{id: m, name: M, {metric}}}").metrics),
    )
    return metric_trust(card.lazy(), known, ends).collect().row(0, named=True)


def rows(table: type[Table], **values: object) -> pl.DataFrame:
    """One row of a table; what is not said is null."""
    schema = table.published_schema()
    return pl.DataFrame([{name: values.get(name) for name in schema}], schema=schema)


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
    found = graded(unit, value, metric="estimator: nps" if unit == "points" else "estimator: csat")
    assert found["half_width"] == (None if half is None else pytest.approx(half))
    assert (found["precision_grade"], found["grade"]) == (grade, grade)


@pytest.mark.parametrize(
    ("metric", "half", "grade"),
    [
        pytest.param("estimator: nps", 0.01, "A", id="of NPS's hundred"),
        pytest.param("estimator: ces_1", 0.25, "D", id="of the 4 from 1 to 5"),
        pytest.param(
            "estimator: mean, value: x, unit: points, low: 0, high: 10", 0.1, "B", id="of its own 10"
        ),
        pytest.param(
            "estimator: mean, value: x, unit: points", 0.3125, "D", id="of the value, without a scale"
        ),
    ],
)
def test_a_point_is_as_wide_as_its_scale_says(metric: str, half: float, grade: str):
    """A score of 3.2, from 2.2 to 4.2."""
    found = graded("points", (3.2, 2.2, 4.2), metric=metric)
    assert (found["half_width"], found["precision_grade"]) == (pytest.approx(half), grade)


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


def sample(
    asked: int = 0, answered: int = 0, ripe: int | None = None, excess: dict[str, float] | None = None
) -> dict[str, pl.DataFrame]:
    """How many were asked and answered, and how unlike those who were there they are, by dimension."""
    at = {"period": "week", "period_start": DAY, "period_end": DAY, "touchpoint_id": "point", "metric": "m"}
    ripe = asked if ripe is None else ripe
    mix = rows(
        SampleMix, **at, dimension="all", segment="all", asked_count=asked, ripe_count=ripe,
        answered_count=answered, response_rate=answered / ripe if ripe else None,
    )  # fmt: skip
    told = [
        rows(WhoAnswered, **at, dimension=name, held_against="lived", mix_excess=share)
        for name, share in (excess or {}).items()
    ]
    return {"mix": mix, "answered": pl.concat([WhoAnswered.empty(), *told])}


@pytest.mark.parametrize(
    ("asked", "answered", "rate", "grade"),
    [
        (100, 30, 0.30, "A"),
        (100, 29, 0.29, "B"),
        (100, 15, 0.15, "B"),
        (100, 14, 0.14, "C"),
        (100, 4, 0.04, "D"),
    ],
)
def test_few_of_those_asked_lower_it(asked: int, answered: int, rate: float, grade: str):
    found = graded(samples=sample(asked, answered))
    assert (found["asked_count"], found["answered_count"], found["response_rate"]) == (asked, answered, rate)
    assert (found["response_grade"], found["grade"]) == (grade, grade)
    assert found["weakest"] == ("n" if grade == "A" else "response")


@pytest.mark.parametrize(
    ("samples", "asked"),
    [
        pytest.param({}, None, id="the metric does not say whom it asks"),
        pytest.param(sample(0), None, id="nobody was asked"),
        pytest.param(sample(100, 0, ripe=0), 0, id="they may all still answer"),
    ],
)
def test_a_response_rate_that_is_not_known_is_not_graded(samples: dict, asked: int | None):
    found = graded(samples=samples)
    assert (found["asked_count"], found["response_rate"], found["response_grade"]) == (asked, None, None)
    assert found["grade"] == "A"


@pytest.mark.parametrize(
    ("excess", "dimension", "grade"),
    [
        ({"segment": 0.05}, "segment", "A"),
        ({"segment": 0.06}, "segment", "B"),
        ({"segment": 0.02, "channel": 0.15}, "channel", "C"),
        ({"segment": 0.21, "channel": 0.0}, "segment", "D"),
    ],
)
def test_those_who_are_not_like_those_who_were_there_lower_it(excess: dict, dimension: str, grade: str):
    found = graded(samples=sample(100, 50, excess=excess))
    assert (found["mix_dimension"], found["mix_excess"]) == (dimension, excess[dimension])
    assert (found["representation_grade"], found["grade"], found["held_against"]) == (grade, grade, "lived")


def test_independence_is_shown_and_not_graded():
    conflicted = pl.DataFrame({"touchpoint_id": ["point"], "metric": ["m"], "is_conflicted": [True]})
    found = graded(samples={"conflicted": conflicted})
    assert (found["is_conflicted"], found["grade"]) == (True, "A")
    assert graded()["is_conflicted"] is None, "the map does not say"


def test_the_ends_of_grades_are_the_workspaces():
    """With n: [500, 100, 50] a hundred observations are a B."""
    assert graded(ends=Grades(n=(500, 100, 50)))["n_grade"] == "B"
    assert graded(samples=sample(100, 8), ends=Grades(response_rate=(0.08, 0.05, 0.01)))["grade"] == "A"


@pytest.mark.parametrize(
    "ends", [{"n": (10, 30, 100)}, {"mix_excess": (0.2, 0.1, 0.05)}, {"response_rate": (0.05, 0.15, 0.3)}]
)
def test_ends_in_the_wrong_order_are_refused(ends: dict):
    with pytest.raises(ValidationError, match="are where A, B and C end"):
        Grades(**ends)


def test_a_sample_graded_d_is_doubted_on_the_ladder_in_words():
    found = graded(samples=sample(100, 4, excess={"segment": 0.5}))
    window = pl.DataFrame([{**found, "period": "rolling_28d"}], schema=MetricTrust.published_schema())
    assert sample_doubts(window) == {
        ("point", "m"): [
            "only 4.0% of those asked answered",
            "50% of the answers would have to come from another segment",
        ]
    }
    assert sample_doubts(window.with_columns(is_stale=True)) == {}, "freshness says so itself"


AGES = """
newest event     | hours old | late
-----------------+-----------+-----
                 |           | yes
2026-01-20 06:00 | 984       | yes
2026-01-21 06:00 | 960       | no
2026-03-02 05:30 | 0.5       | no
2026-03-02 06:00 | 0         | no
2026-03-02 06:45 | 0         | no
"""


def test_what_a_clock_ahead_of_ours_tells_of_is_new_and_not_younger_than_that(sandbox: Sandbox):
    """A feed's newest event may lie ahead, as far as `expect_future_minutes` says; its contract allows 40 days."""
    now = datetime(2026, 3, 2, 6, tzinfo=UTC)
    workspace = sandbox.load()
    delivery = Delivery(
        id="d", feed="survey", stream="answers", source="a.csv", sha256="", reading="", mapping="", state="accepted"
    )  # fmt: skip
    found = []
    for newest in drawn(AGES)["newest event"]:
        told = replace(delivery, newest_event_at=f"{newest}+00:00" if newest else None)
        trust = data_trust(workspace.feeds, [told], now)
        (evidence,) = feed_evidence(trust)
        assert (evidence.age_hours, evidence.is_late) == trust.select("age_hours", "is_late").row(0)
        age = "" if evidence.age_hours is None else f"{evidence.age_hours:g}"
        found.append((age or None, "yes" if evidence.is_late else "no"))
    assert found == drawn(AGES).select("hours old", "late").rows()
