"""# Backlog

Cases open when a day ends, and how old they are.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import ages as ages_module
from transforms import backlog
from transforms.backlog import Span, issue_flow
from transforms.case_tables import fact_issue_flow
from transforms.renewed import Renewed

DAY = timedelta(days=1)
FIRST = date(2026, 3, 2)


def at(text: str | None) -> datetime | None:
    """A day of March and a time as an instant, UTC."""
    return datetime.fromisoformat(f"2026-03-{text}").replace(tzinfo=UTC) if text else None


def flow(*cases: tuple[str, str | None, str | None], days: int = 5) -> pl.DataFrame:
    """The flow of cases (opened, resolved, closed) over some days from Monday on."""
    kind = pl.Datetime("us", "UTC")
    schema = {"touchpoint": pl.UInt16, "opened_at": kind, "resolved_at": kind, "closed_at": kind}
    frame = pl.DataFrame([(0, *map(at, case)) for case in cases], schema=schema, orient="row")
    last = FIRST + (days - 1) * DAY
    span = Span(FIRST, last, ZoneInfo("UTC"))
    return fact_issue_flow(Renewed.whole(frame), ["p"], span).filter(touchpoint_id="p").sort("date")


def test_a_case_is_open_from_its_opening_until_its_closing():
    found = flow(("02 10:00", "03 09:00", "04 09:00"))
    assert found["backlog_count"].to_list() == [1, 1, 0, 0, 0]
    assert found["unresolved_count"].to_list() == [1, 0, 0, 0, 0]
    assert found["opened_count"].to_list() == [1, 0, 0, 0, 0]
    assert found["resolved_count"].to_list() == [0, 1, 0, 0, 0]
    assert found["closed_count"].to_list() == [0, 0, 1, 0, 0]


def test_closed_at_midnight_is_still_open_when_the_day_before_ends():
    assert flow(("02 10:00", None, "03 00:00"))["backlog_count"].to_list() == [1, 0, 0, 0, 0]


def test_closing_without_resolving_ends_the_wait():
    assert flow(("02 10:00", None, "03 09:00"))["unresolved_count"].to_list() == [1, 0, 0, 0, 0]


def test_a_case_that_was_resolved_before_it_was_opened_never_waits():
    """Clocks of two systems may differ."""
    found = flow(("05 10:00", "03 09:00", None))
    assert found["unresolved_count"].to_list() == [0, 0, 0, 0, 0]
    assert found["backlog_count"].to_list() == [0, 0, 0, 1, 1]


def test_a_case_may_be_of_the_first_instant_there_is():
    moment = pl.Series([datetime(1970, 1, 1, tzinfo=UTC)], dtype=pl.Datetime("us", "UTC"))
    never = pl.Series([None], dtype=moment.dtype)
    case = pl.DataFrame({"opened_at": moment, "resolved_at": never, "closed_at": never})
    span = Span(date(1970, 1, 1), date(1970, 1, 2), ZoneInfo("UTC"))
    cases = Renewed.whole(case.with_columns(touchpoint=pl.lit(0, dtype=pl.UInt16)))
    assert issue_flow(cases, span, ["p"])["backlog_count"].to_list() == [1, 1]


def test_ages_are_those_of_the_open_cases_when_the_day_ends():
    found = flow(("02 00:00", None, None), ("02 12:00", None, None), ("03 12:00", None, None))
    assert found["age_p50_days"].to_list()[:2] == pytest.approx([0.75, 1.5])
    assert found["age_max_days"].to_list()[:2] == pytest.approx([1, 2])


def test_nobody_waits_has_no_age():
    assert flow(("03 00:00", None, "03 01:00"))["age_p50_days"].to_list() == [None] * 5


later = st.none() | st.integers(-5 * 24, 40 * 24)
lives = st.lists(st.tuples(st.integers(0, 40 * 24), later, later), min_size=1, max_size=40)


@pytest.mark.parametrize("at_once", [7, backlog.AT_ONCE], ids=["piece by piece", "at once"])
@pytest.mark.parametrize("many", [0, ages_module.MANY], ids=["by day of opening", "by pair of case and day"])
@settings(max_examples=60, deadline=None)
@given(drawn=lives)
def test_the_flow_equals_counting_case_by_case(
    many: int, at_once: int, drawn: list[tuple[int, int | None, int | None]]
):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    hour = timedelta(hours=1)
    kind = pl.Datetime("us", "UTC")
    cases = [
        (
            start + opened * hour,
            *(start + max(opened + later, 0) * hour if later is not None else None for later in rest),
        )
        for opened, *rest in drawn
    ]
    frame = pl.DataFrame(
        cases, schema=dict.fromkeys(("opened_at", "resolved_at", "closed_at"), kind), orient="row"
    )
    days = [start + index * DAY for index in range(84)]
    span = Span(days[0].date(), days[-2].date(), ZoneInfo("UTC"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ages_module, "MANY", many)
        patched.setattr(backlog, "AT_ONCE", at_once)
        found = issue_flow(
            Renewed.whole(frame.with_columns(touchpoint=pl.lit(0, dtype=pl.UInt16))), span, ["p"]
        )
    for row, end in zip(found.iter_rows(named=True), days[1:], strict=True):
        still = [(o, r, c) for o, r, c in cases if o < end and (c is None or c >= end)]
        ages = pl.Series([(end - o) / DAY for o, _, _ in still], dtype=pl.Float64)
        assert row["backlog_count"] == len(still)
        assert row["unresolved_count"] == sum((r or c) is None or (r or c) >= end for _, r, c in still)
        assert row["over_30_days_count"] == (ages > 30).sum()
        for name, quantile in (("age_p50_days", 0.5), ("age_p90_days", 0.9), ("age_max_days", 1.0)):
            expected = ages.quantile(quantile, "linear")
            assert row[name] == (pytest.approx(expected) if still else None)
    opened, closed = found["opened_count"].sum(), found["closed_count"].sum()
    assert found["backlog_count"][-1] == opened - closed, "what came in and did not go out is still there"


def test_all_together_are_the_cases_of_every_touchpoint():
    kind = pl.Datetime("us", "UTC")
    schema = {"touchpoint": pl.UInt16, "opened_at": kind, "resolved_at": kind, "closed_at": kind}
    lived = [(0, at("02 10:00"), None, at("04 09:00")), (1, at("03 10:00"), None, None)]
    frame = pl.DataFrame(lived, schema=schema, orient="row")
    found = fact_issue_flow(Renewed.whole(frame), ["p", "q"], Span(FIRST, FIRST + 2 * DAY, ZoneInfo("UTC")))
    counts = {name: rows["backlog_count"].to_list() for (name,), rows in found.group_by("touchpoint_id")}
    assert counts == {"p": [1, 1, 0], "q": [0, 1, 1], "all": [1, 2, 1]}
    assert found.filter(touchpoint_id="all")["age_max_days"].to_list() == pytest.approx(
        [14 / 24, 38 / 24, 38 / 24]
    )
