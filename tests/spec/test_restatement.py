"""# Restatement

A release that changes a value of a period which the release before had published as final says so: what it was,
what it is, and what changed in between.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest

from contracts.tables import Restatement, ScorecardCompany, ScorecardTouchpoint
from tests.conftest import Sandbox
from tests.spec.pipeline import a_map, score
from transforms.restatement import SCOPES, Between, kept, marks_of, restatements, with_restated

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
SCHEMA = ScorecardTouchpoint.published_schema()
Row = tuple[str, str, str, float | None, int, bool]


def card(*rows: Row) -> pl.DataFrame:
    """Weeks of touchpoints: touchpoint, metric, Monday, value, n, whether it is final."""
    said = [
        {
            "touchpoint_id": touchpoint, "metric": metric, "period": "week", "value": value, "n": n,
            "period_start": date.fromisoformat(day), "period_end": date.fromisoformat(day).replace(day=int(day[-2:]) + 7),
            "is_final": is_final,
        }
        for touchpoint, metric, day, value, n, is_final in rows
    ]  # fmt: skip
    return pl.DataFrame([{name: one.get(name) for name in SCHEMA} for one in said], schema=SCHEMA)


def found(before: list[Row], after: list[Row], **facts: object) -> list[tuple]:
    between = Between(
        **{
            "release": 2,
            "now": NOW,
            "ended": date(2026, 3, 16),
            "has_events": True,
            "has_map": False,
            **facts,
        }
    )
    made = restatements({ScorecardTouchpoint: card(*before)}, {ScorecardTouchpoint: card(*after)}, between)
    Restatement.validate(made)
    columns = ["scope_id", "period_start", "value_was", "value_is", "n_was", "n_is", "why"]
    return made.with_columns(pl.col("period_start").dt.day()).select(columns).rows()


FINAL = ("point", "csat", "2026-03-02", 0.8, 10, True)


@pytest.mark.parametrize(
    ("after", "why"),
    [
        pytest.param(("point", "csat", "2026-03-02", 0.7, 12, True), "late events", id="more"),
        pytest.param(
            ("point", "csat", "2026-03-02", 0.8, 12, True), "late events", id="the same value of more"
        ),
        pytest.param(("point", "csat", "2026-03-02", 0.9, 9, True), "withdrawn", id="fewer"),
        pytest.param(
            ("point", "csat", "2026-03-02", 0.9, 10, True),
            "late or corrected events",
            id="as many, told otherwise",
        ),
    ],
)
def test_a_final_value_that_changes_is_restated(after: Row, why: str):
    assert found([FINAL], [after]) == [("point", 2, 0.8, after[3], 10, after[4], why)]


def test_what_did_not_change_and_what_was_not_final_is_not():
    open_now = ("point", "csat", "2026-03-09", 0.5, 4, False)
    assert found([FINAL, open_now], [FINAL, ("point", "csat", "2026-03-09", 0.6, 5, True)]) == []


def test_a_week_that_nobody_had_seen_is_restated_from_nothing():
    first = ("point", "csat", "2026-03-09", 1.0, 3, True)
    assert found([FINAL], [FINAL, first]) == [("point", 9, None, 1.0, 0, 3, "late events")]


def test_a_new_metric_or_touchpoint_restates_nothing():
    assert found([FINAL], [FINAL, ("other", "csat", "2026-03-02", 1.0, 3, True)], has_map=True) == []


def test_a_value_that_is_gone_is_restated_to_nothing():
    assert found([FINAL], [], has_map=True, has_events=False) == [
        ("point", 2, 0.8, None, 10, 0, "map changed")
    ]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"has_map": True, "has_events": False}, "map changed"),
        ({"has_map": True}, "late events, map changed"),
        (
            {"has_map": True, "has_events": False, "metrics": frozenset({"csat"})},
            "metric changed, map changed",
        ),
        ({"has_map": True, "has_events": False, "metrics": frozenset({"nps"})}, "map changed"),
        ({"has_events": False}, "program or settings changed"),
    ],
)
def test_why_names_what_changed_in_between(facts: dict, why: str):
    assert found([FINAL], [("point", "csat", "2026-03-02", 0.7, 12, True)], **facts)[0][-1] == why


def test_the_last_digit_of_a_float_is_no_restatement():
    assert found([FINAL], [("point", "csat", "2026-03-02", 0.8 + 1e-15, 10, True)]) == []


def test_scorecards_without_a_scope_are_those_of_all():
    company = card(FINAL).drop("touchpoint_id")
    between = Between(release=2, now=NOW, ended=date(2026, 3, 16), has_events=True, has_map=False)
    after = company.with_columns(n=pl.lit(11, dtype=pl.Int64))
    made = restatements({ScorecardCompany: company}, {ScorecardCompany: after}, between)
    assert made.select("scorecard", "scope_id", "n_was", "n_is").rows() == [
        ("scorecard_company", "all", 10, 11)
    ]


def test_a_restated_row_is_flagged_for_good_and_no_other():
    between = Between(release=2, now=NOW, ended=date(2026, 3, 16), has_events=True, has_map=False)
    other = ("point", "csat", "2026-03-09", 0.5, 4, True)
    after = card(("point", "csat", "2026-03-02", 0.7, 12, True), other)
    log = restatements({ScorecardTouchpoint: card(FINAL, other)}, {ScorecardTouchpoint: after}, between)
    assert with_restated(after, marks_of(log))["is_restated"].to_list() == [True, False]
    assert kept(log, NOW, 1).height == 1
    assert kept(log, NOW.replace(year=2028), 365).height == 0


ONE_A_DAY = [f"{date(2026, 1, 5) + timedelta(days=day)} 10:00 | {1 + day % 5}" for day in range(84)]
"""From a Monday on; 4 and 5 are good."""


def as_of(day: str, *left_out: str, more: tuple[str, ...] = ()) -> dict:
    """Scorecards as of a day, of one answer a day and more; without those of some days."""
    rows = [one for one in ONE_A_DAY if one[:10] < day and one[:10] not in left_out]
    made = score("\n".join(["occurred_at | score", *rows, *more]), a_map(), day)
    return {table: made.tables[table] for table in SCOPES}


def restated_between(before: str, after: str, *left_out: str, more: tuple[str, ...] = ()) -> pl.DataFrame:
    between = Between(release=2, now=NOW, ended=date.fromisoformat(before), has_events=True, has_map=False)
    made = restatements(as_of(before), as_of(after, *left_out, more=more), between)
    Restatement.validate(made)
    return made


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("2026-03-18", "2026-03-19", id="from a Wednesday to the next day"),
        pytest.param("2026-03-22", "2026-03-23", id="from a Sunday to a Monday"),
        pytest.param("2026-03-23", "2026-03-24", id="from a Monday to the next day"),
        pytest.param(
            "2026-02-23", "2026-03-02", id="a week later, with a window from before the first answer"
        ),
        pytest.param("2026-03-18", "2026-03-18", id="the same day"),
    ],
)
def test_time_alone_restates_nothing(before: str, after: str):
    assert restated_between(before, after).rows() == []


WINDOWS = {"scorecard": "scorecard_touchpoint", "metric": "csat", "period": "rolling_28d"}


def test_a_late_answer_restates_the_windows_that_both_releases_have():
    """| window            | Wednesday the 18th | Thursday the 19th |
    | ----------------- | ------------------ | ----------------- |
    | 2 Feb to 2 March  | is there           | is there          |
    | 9 Feb to 9 March  | is there           | is there          |
    | 16 Feb to 16 March| is there           | is there          |
    | 18 Feb to 18 March| the last one       | gone              |
    | 19 Feb to 19 March| not yet            | the last one      |
    """
    late = restated_between("2026-03-18", "2026-03-19", more=("2026-03-01 11:00 | 5",)).filter(**WINDOWS)
    assert late.sort("period_end").select("period_end", "n_was", "n_is", "why").rows() == [
        (date(2026, 3, day), 28, 29, "late events") for day in (2, 9, 16)
    ]


def test_what_is_withdrawn_is_restated_in_the_windows_that_both_releases_have():
    gone = restated_between("2026-03-18", "2026-03-19", "2026-03-10").filter(**WINDOWS)
    assert gone.select("period_end", "n_was", "n_is", "why").rows() == [
        (date(2026, 3, 16), 28, 27, "withdrawn")
    ]


def test_the_last_window_of_a_day_is_restated_on_that_day_and_when_it_is_the_one_before():
    for after in ("2026-03-18", "2026-04-15"):
        late = restated_between("2026-03-18", after, more=("2026-03-17 11:00 | 5",)).filter(**WINDOWS)
        assert late.select("period_end", "n_was", "n_is").rows() == [(date(2026, 3, 18), 28, 29)]


def test_a_window_of_which_all_is_withdrawn_is_restated_to_nothing():
    february = [str(date(2026, 2, 2) + timedelta(days=day)) for day in range(28)]
    gone = restated_between("2026-03-18", "2026-03-19", *february).filter(**WINDOWS, n_is=0)
    assert gone.select("period_end", "n_was", "value_is", "why").rows() == [
        (date(2026, 3, 2), 28, None, "withdrawn")
    ]


EARLY, LATE = "a,a@x.de,2026-02-03T10:00:00,web,order,5", "b,b@x.de,2026-02-04T10:00:00,web,order,1"


def log_of(sandbox: Sandbox) -> pl.DataFrame:
    return sandbox.table("restatement").filter(scorecard="scorecard_touchpoint", metric="csat", period="week")


def test_a_late_answer_restates_its_week_and_a_second_run_adds_nothing(sandbox: Sandbox):
    sandbox.answers(EARLY)
    sandbox.run()
    assert sandbox.table("restatement").is_empty(), "a first release restates nothing"
    sandbox.answers(LATE, name="answers_late.csv")
    sandbox.run()
    row = log_of(sandbox).row(0, named=True)
    assert (row["value_was"], row["value_is"], row["n_was"], row["n_is"]) == (1.0, 0.5, 1, 2)
    assert (row["why"], row["release_number"]) == ("late events", 2)
    assert sandbox.run().is_unchanged
    flagged = sandbox.table("scorecard_touchpoint").filter("is_restated", metric="csat", period="week")
    assert flagged["period_start"].to_list() == [date(2026, 2, 2)]


def test_a_later_clock_restates_nothing(sandbox: Sandbox):
    days = [date(2026, 1, 5) + timedelta(days=day) for day in range(70)]
    sandbox.answers(*[f"{day},{day}@x.de,{day}T10:00:00,web,order,{1 + day.day % 5}" for day in days])
    for before, after in pairwise(["2026-03-02", "2026-03-18", "2026-03-19", "2026-03-23"]):
        sandbox.replace("answerable.yaml", before, after)
        sandbox.run()
    assert sandbox.table("restatement").is_empty()


def test_every_change_stays_in_the_log_with_its_reason(sandbox: Sandbox):
    """A correction, then a change of the map that gives the answer to another metric's scale."""
    sandbox.answers(EARLY)
    sandbox.run()
    sandbox.answers(EARLY.replace(",5", ",1"))
    sandbox.run()
    sandbox.replace("map/map.yaml", "estimator: csat", "estimator: csat, top: 1, version: 2")
    sandbox.run()
    told = (
        log_of(sandbox).sort("release_number").select("release_number", "value_was", "value_is", "why").rows()
    )
    assert told == [(2, 1.0, 0.0, "late or corrected events"), (3, 0.0, 1.0, "metric changed, map changed")]


def test_a_release_that_cannot_be_read_is_passed_over_for_the_one_before(sandbox: Sandbox):
    sandbox.answers(EARLY)
    sandbox.run()
    sandbox.answers(LATE, name="answers_late.csv")
    second = sandbox.run().release
    table = next(one for one in second.tables if one.table == "restatement")
    (sandbox.root / "warehouse/published" / table.path).unlink()
    sandbox.run()
    assert log_of(sandbox).select("value_was", "value_is", "release_number").rows() == [(1.0, 0.5, 3)]
