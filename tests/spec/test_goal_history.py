"""# Who moved the goalposts

Every version of the map that a run has loaded stays in the ledger. A goal that was made easier while it ran says so, with
the day and whoever agreed.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from contracts.map_content import MapContent, Recorded
from contracts.records import MapRecord
from contracts.tables import GoalHistory
from tests.spec.pipeline import a_map
from tests.spec.weeks import typed
from transforms.goal_history import goal_history, moved_goals, unversioned_changes

ZONE = ZoneInfo("Europe/Berlin")
FIRST = "{metric: csat, at_least: 0.8, from: 2026-01-01, due: 2026-12-31, why: it matters}"


def recorded(
    *maps: tuple[str, str], metric: str = "{id: csat, name: CSAT, estimator: csat}"
) -> list[Recorded]:
    """Versions of the map by the day from which they were believed, each with its goals."""
    return [
        Recorded(
            MapRecord(
                number, f"v{number}", datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC), "ada"
            ),
            MapContent.of(a_map(metric, goals=f"[{goals}]")),
        )
        for number, (day, goals) in enumerate(maps, start=1)
    ]


def history(*maps: tuple[str, str]) -> pl.DataFrame:
    return typed(GoalHistory, goal_history(recorded(*maps), ZONE, {}))


def changed(goals: str, day: str = "2026-06-01") -> dict:
    """The last row after the first goal was changed on a day."""
    return history(("2026-01-05", FIRST), (day, goals)).row(-1, named=True)


def test_the_first_version_sets_its_goals():
    row = history(("2026-01-05", FIRST)).row(0, named=True)
    assert (row["change"], row["level"], row["level_before"], row["is_moved"]) == ("set", 0.8, None, False)
    assert (row["recorded_by"], row["map_version"]) == ("ada", "v1")


def test_a_version_that_leaves_the_goal_alone_has_no_row():
    assert history(("2026-01-05", FIRST), ("2026-02-05", FIRST)).height == 1


@pytest.mark.parametrize(
    ("goals", "eased", "postponed", "moved"),
    [
        pytest.param(FIRST.replace("0.8", "0.7"), True, False, True, id="a lower level"),
        pytest.param(FIRST.replace("0.8", "0.9"), False, False, False, id="a higher level moves nothing"),
        pytest.param(FIRST.replace("2026-12-31", "2027-06-30"), False, True, True, id="a later due date"),
        pytest.param(FIRST.replace("2026-12-31", "2026-09-30"), False, False, False, id="an earlier one does not"),
        pytest.param(FIRST.replace("2026-01-01", "2026-03-01").replace("0.8", "0.7"), True, False, True,
                     id="a lower level under another beginning"),
    ],
)  # fmt: skip
def test_easier_while_it_runs_is_moved(goals: str, eased: bool, postponed: bool, moved: bool):
    row = changed(goals)
    assert (row["change"], row["is_mid_period"]) == ("changed", True)
    assert (row["is_level_eased"], row["is_due_postponed"], row["is_moved"]) == (eased, postponed, moved)


def test_where_lower_is_better_a_higher_level_is_easier():
    slow = "{id: slow, name: Slow, estimator: mean, value: amount, direction: lower}"
    goal = FIRST.replace("csat, at_least: 0.8", "slow, at_most: 10")
    versions = recorded(
        ("2026-01-05", goal), ("2026-06-01", goal.replace("at_most: 10", "at_most: 12")), metric=slow
    )
    assert goal_history(versions, ZONE, {})["is_moved"].to_list() == [False, True]


def test_before_it_begins_and_after_it_is_due_a_goal_may_be_changed():
    easier = FIRST.replace("0.8", "0.7")
    assert not changed(easier, "2027-02-01")["is_moved"]
    assert not history(("2025-11-05", FIRST), ("2025-12-20", easier)).row(-1, named=True)["is_moved"]


def test_a_goal_that_disappears_while_it_runs_was_moved():
    row = changed("")
    assert (row["change"], row["level"], row["is_moved"]) == ("withdrawn", 0.8, True)


def test_so_was_one_that_is_ended_early_without_another():
    row = changed(FIRST.replace("due:", "until: 2026-07-01, due:"))
    assert (row["change"], row["is_moved"]) == ("withdrawn", True)


@pytest.mark.parametrize(("level", "moved"), [(0.7, True), (0.85, False)])
def test_a_goal_that_takes_over_before_the_first_was_due_is_held_against_it(level: float, moved: bool):
    ended = FIRST.replace("due:", "until: 2026-06-01, due:")
    later = FIRST.replace("2026-01-01", "2026-06-01").replace("0.8", str(level))
    row = changed(f"{ended}, {later}", "2026-08-01")
    assert (row["change"], row["level_before"], row["is_moved"]) == ("replaced", 0.8, moved)


def test_each_goal_says_when_it_was_moved_last():
    versions = recorded(
        ("2026-01-05", FIRST),
        ("2026-03-01", FIRST.replace("0.8", "0.75")),
        ("2026-06-01", FIRST.replace("0.8", "0.7")),
    )
    moved = moved_goals(goal_history(versions, ZONE, {}).lazy(), ZONE).collect()
    assert moved.height == 1
    assert str(moved["moved_date"].item()) == "2026-06-01"


def test_a_renamed_touchpoint_keeps_its_history():
    found = goal_history(recorded(("2026-01-05", FIRST)), ZONE, {"point": "place"})
    assert found["touchpoint_id"].to_list() == ["place"]


def test_what_was_kept_as_text_is_read_as_it_was():
    content = recorded(("2026-01-05", FIRST))[0].content
    assert MapContent.from_json(content.as_json()) == content
    for broken in ("", "{}", '{"goals": [{}], "formulas": {}}'):
        with pytest.raises(ValueError, match=r".*"):
            MapContent.from_json(broken)


TOP_4 = "{id: csat, name: CSAT, estimator: csat}"


@pytest.mark.parametrize(
    ("metrics", "parts"),
    [
        pytest.param([TOP_4, "{id: csat, name: Other name, estimator: csat}"], None, id="another name"),
        pytest.param(
            [TOP_4, "{id: csat, name: CSAT, estimator: csat, top: 5}"], ("top",), id="another formula"
        ),
        pytest.param(
            [TOP_4, "{id: csat, name: CSAT, estimator: csat, top: 5, version: 2}"], None, id="and version"
        ),
        pytest.param(
            [TOP_4, "{id: csat, name: CSAT, estimator: csat, top: 5}", TOP_4], None, id="taken back"
        ),
    ],
)
def test_a_metric_with_another_formula_needs_another_version(
    metrics: list[str], parts: tuple[str, ...] | None
):
    versions = [one for metric in metrics for one in recorded(("2026-01-05", FIRST), metric=metric)]
    found = unversioned_changes(versions)
    assert [change.parts for change in found] == ([parts] if parts else [])
