"""What alerts are decided on: which feeds a metric rests on, and which weeks there are."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from contracts.tables import DataTrust, MetricTrust, ScorecardTouchpoint
from flows.workspace import LoadedWorkspace, load
from tests.conftest import Company, Sandbox
from transforms.alert_evidence import Numbers, evidence, feed_evidence, suppliers

NOW = datetime(2026, 3, 2, 5, tzinfo=UTC)


def card(*weeks: tuple[date, int, float, float | None]) -> pl.DataFrame:
    """Weeks of delivery's csat: end, n, value, value of the four weeks."""
    rows = []
    for end, n, value, pool in weeks:
        same = {
            "touchpoint_id": "delivery",
            "metric": "csat",
            "period_end": end,
            "goal": 0.8,
            "direction": "higher",
            "is_final": True,
        }
        rows.append(
            {
                **same,
                "period": "week",
                "n": n,
                "value": value,
                "is_below_goal": value < 0.8,
                "is_breach": value < 0.6,
                "breach_bound": 0.7,
            }
        )
        if pool is not None:
            rows.append({**same, "period": "rolling_28d", "n": 4 * n, "value": pool})
    return pl.DataFrame(rows, schema=ScorecardTouchpoint.published_schema())


def trust(newest: datetime | None, *, is_late: bool) -> pl.DataFrame:
    row = {
        "feed": "survey",
        "stream": "answers",
        "is_late": is_late,
        "is_stale": is_late,
        "held_file_count": 0,
        "newest_event_at": newest,
        "age_hours": 1.0,
        "age_max_hours": 2.0,
    }
    return pl.DataFrame([row], schema=DataTrust.published_schema())


@pytest.fixture
def workspace(sandbox: Sandbox) -> LoadedWorkspace:
    return load(sandbox.root)


def graded(end: date, **grades: str) -> pl.DataFrame:
    """The four weeks of delivery's csat up to a day, and the week itself: A but for what is said."""
    same = {"touchpoint_id": "delivery", "metric": "csat", "period_end": end}
    told = {f"{name}_grade": grade for name, grade in grades.items()}
    rows = [
        {**same, "period": "rolling_28d", "grade": max(grades.values(), default="A"), **told},
        {**same, "period": "week", "grade": "D", "n_grade": "D"},
    ]
    return pl.DataFrame(rows, schema=MetricTrust.published_schema())


def found(
    workspace: LoadedWorkspace,
    newest: datetime | None,
    *,
    is_late: bool,
    weeks: int = 3,
    grades: pl.DataFrame | None = None,
):
    drawn = [(date(2026, 3, 2) - timedelta(weeks=place), 9, 0.5, 0.7) for place in range(weeks) if place != 1]
    every = evidence(
        Numbers(card(*drawn), trust(newest, is_late=is_late), *([] if grades is None else [grades])),
        workspace.atlas,
        workspace.feeds,
        NOW,
        {"delivery": 7},
    )
    return {one.key.scope: one for one in every}


def test_weeks_without_a_row_are_there_and_have_no_data(workspace: LoadedWorkspace):
    one = found(workspace, NOW, is_late=False)["delivery"]
    assert [(week.end, week.n) for week in one.weeks] == [
        (date(2026, 2, 16), 9),
        (date(2026, 2, 23), 0),
        (date(2026, 3, 2), 9),
    ]
    assert (one.last.pool_value, one.last.is_pool_below, one.last.bound) == (0.7, True, 0.7)
    assert (one.customers, one.is_missing, str(one.key)) == (7, False, "touchpoint:delivery/csat@always")


def test_a_goal_whose_metric_was_never_seen_has_evidence_of_nothing(workspace: LoadedWorkspace):
    assert found(workspace, NOW, is_late=False)["order"].is_missing


def test_four_weeks_are_doubted_for_what_their_bound_does_not_allow_for(workspace: LoadedWorkspace):
    """Graded D for an imprecise value they are not: the bound is as wide as that."""

    def told(**grades: str) -> list[tuple[str | None, tuple[str, ...], bool]]:
        given = graded(date(2026, 3, 2), **grades)
        weeks = found(workspace, NOW, is_late=False, grades=given)["delivery"].weeks
        return [(one.trust, one.doubts, one.tells) for one in weeks]

    assert told(n="B", precision="D") == [(None, (), True), (None, (), False), ("D", (), True)]
    assert told(response="D", representation="D", n="A")[-1] == ("D", ("response", "representation"), False)
    assert told(n="D", quarantine="D", freshness="A")[-1] == ("D", ("n", "quarantine"), False)
    assert told()[-1] == ("A", (), True)


def test_a_late_feed_holds_a_week_that_it_has_not_delivered_whole(workspace: LoadedWorkspace):
    sunday = datetime(2026, 3, 1, 20, tzinfo=UTC)
    assert found(workspace, sunday, is_late=True)["delivery"].late_feeds == ("survey",)
    assert found(workspace, None, is_late=True)["delivery"].is_missing
    assert found(workspace, sunday, is_late=False)["delivery"].late_feeds == ()
    assert found(workspace, sunday + timedelta(hours=4), is_late=True)["delivery"].late_feeds == ()


def test_a_feed_is_late_as_a_whole_and_only_where_it_promises_something():
    (one,) = feed_evidence(pl.concat([trust(NOW, is_late=True)] * 2))
    assert (one.key.scope, one.is_late) == ("survey", True)
    assert feed_evidence(trust(NOW, is_late=False).with_columns(age_max_hours=None)) == []


def test_a_feed_of_which_a_delivery_is_held_is_told_of_and_holds_weeks_like_a_late_one(
    workspace: LoadedWorkspace,
):
    held = trust(NOW - timedelta(hours=9), is_late=False).with_columns(
        held_file_count=pl.lit(2, pl.Int64),
        is_stale=pl.lit(value=True),
        age_max_hours=pl.lit(None, pl.Float64),
    )
    (one,) = feed_evidence(held)
    assert (one.is_late, one.held_files) == (False, 2)
    weeks = card((date(2026, 3, 2), 9, 0.5, 0.7))
    every = evidence(Numbers(weeks, held), workspace.atlas, workspace.feeds, NOW)
    assert [name for one in every if one.key.scope == "delivery" for name in one.late_feeds] == ["survey"]


def test_a_metric_rests_on_the_feeds_whose_events_it_can_judge(company: Company):
    workspace = load(company.root)
    metrics = {one.id: one for one in workspace.atlas.metrics}
    rests = {
        (touchpoint.id, name): suppliers(touchpoint.id, metrics[name], workspace.atlas, workspace.feeds)
        for touchpoint in workspace.atlas.touchpoints
        for name in touchpoint.metrics
    }
    assert rests["delivery", "csat"] == ("survey",), "the CRM tells of deliveries, but has no scores"
    assert rests["help_desk", "csat"] == ("survey",)
    assert rests["help_desk", "resolution_hours_p90"] == ("tickets",)
    assert rests["dispatch", "dispatched_in_a_day"] == ("crm",)


def test_a_rule_for_another_feed_supplies_nothing(sandbox: Sandbox, tmp_path: Path):
    sandbox.replace(
        "map/map.yaml",
        "touchpoint: delivery, where: {about: delivery}",
        "touchpoint: delivery, kind: ticket.*",
    )
    workspace = load(sandbox.root)
    (metric,) = workspace.atlas.metrics
    assert suppliers("delivery", metric, workspace.atlas, workspace.feeds) == ()
    assert suppliers("order", metric, workspace.atlas, workspace.feeds) == ("survey",)
    assert tmp_path.exists()


def test_four_weeks_beyond_the_longest_wait_are_below_their_goal_where_their_lower_end_misses_it(
    workspace: LoadedWorkspace,
):
    """A goal of at most 24 hours, and no value since too many are open; or none of which anything is known."""

    def told(low: float | None, direction: str = "lower") -> bool | None:
        weeks = card((date(2026, 3, 2), 9, 0.5, 0.7)).with_columns(
            goal=pl.lit(24.0),
            direction=pl.lit(direction).cast(ScorecardTouchpoint.published_schema()["direction"]),
            value=pl.when(pl.col("period").cast(pl.String) == "week").then("value"),
            value_low=pl.lit(low, pl.Float64),
        )
        every = evidence(Numbers(weeks, trust(NOW, is_late=False)), workspace.atlas, workspace.feeds, NOW)
        (one,) = (one for one in every if one.key.scope == "delivery")
        return one.last.is_pool_below

    assert [told(low) for low in (168.0, 24.0, None)] == [True, None, None]
    assert told(168.0, "higher") is None
