"""Days are found as a search would find them, and each touchpoint's flow is what it is alone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from transforms import backlog
from transforms.backlog import days_of
from transforms.case_tables import fact_issue_flow
from transforms.slots import microseconds

FIRST, DAYS = date(2011, 12, 1), 400
HOUR = 3_600_000_000
ZONES = ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns")
"""In Apia there was no 30 December 2011."""


def edges(zone: str) -> np.ndarray:
    """When every day begins, and the last one ends."""
    days = [FIRST + timedelta(days=day) for day in range(DAYS + 1)]
    midnights = [datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC) for day in days]
    return np.array([microseconds(midnight) for midnight in midnights])


@pytest.mark.parametrize("at_once", [3, backlog.AT_ONCE])
@settings(deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    drawn=st.lists(st.tuples(st.integers(-9, DAYS + 9), st.integers(-2, 48), st.integers(-1, 1))),
)
def test_days_are_those_that_a_search_finds(at_once: int, zone: str, drawn: list[tuple[int, int, int]]):
    found = edges(zone)
    moments = [found[0] + (24 * day * 2 + half) * HOUR // 2 + more for day, half, more in drawn]
    never = np.iinfo(np.int64).max // 2
    told = np.array([*found, *(found - 1), *moments, never], dtype=np.int64)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(backlog, "AT_ONCE", at_once)
        assert days_of(told, found).tolist() == np.searchsorted(found, told, side="right").tolist()


hours = st.integers(0, 24 * 90)
lives = st.lists(
    st.tuples(st.integers(0, 4), hours, st.none() | hours, st.none() | hours), min_size=1, max_size=40
)


@pytest.mark.parametrize("many", [0, backlog.MANY], ids=["by day of opening", "by pair of case and day"])
@settings(max_examples=40, deadline=None)
@given(zone=st.sampled_from(ZONES), drawn=lives)
def test_a_touchpoint_flows_as_it_does_alone_and_all_as_if_they_were_one(
    many: int, zone: str, drawn: list[tuple[int, int, int | None, int | None]]
):
    begin, hour = datetime(2011, 12, 1, tzinfo=UTC), timedelta(hours=1)
    rows = [
        (
            touchpoint,
            begin + opened * hour,
            *(None if later is None else begin + later * hour for later in rest),
        )
        for touchpoint, opened, *rest in drawn
    ]
    kinds = dict.fromkeys(("opened_at", "resolved_at", "closed_at"), pl.Datetime("us", "UTC"))
    cases = pl.DataFrame(rows, schema={"touchpoint": pl.UInt16, **kinds}, orient="row")
    days = (FIRST, FIRST + timedelta(days=100), ZoneInfo(zone))
    names = [f"t{number}" for number in range(5)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(backlog, "MANY", many)
        found = fact_issue_flow(cases, names, *days)
        alone = [fact_issue_flow(own, names, *days) for own in cases.partition_by("touchpoint")]
        every = fact_issue_flow(cases.with_columns(touchpoint=pl.lit(0, dtype=pl.UInt16)), ["all"], *days)
    one_each = [own.filter(pl.col("touchpoint_id") != "all") for own in alone]
    expected = pl.concat([*one_each, every.head(101)])
    assert_frame_equal(found, expected, check_row_order=False, check_exact=True)
