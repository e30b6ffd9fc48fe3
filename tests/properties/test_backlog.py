"""Days are found as a search would find them, and each touchpoint's flow is what it is alone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from transforms import ages
from transforms.ages import KnownAges, days_of
from transforms.backlog import Span
from transforms.case_tables import fact_issue_flow
from transforms.renewed import Renewed
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


@pytest.mark.parametrize("at_once", [3, ages.AT_ONCE])
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
        patched.setattr(ages, "AT_ONCE", at_once)
        assert days_of(told, found).tolist() == np.searchsorted(found, told, side="right").tolist()


hours = st.integers(0, 24 * 90)
lives = st.lists(
    st.tuples(st.integers(0, 4), hours, st.none() | hours, st.none() | hours), min_size=1, max_size=40
)


@pytest.mark.parametrize("many", [0, ages.MANY], ids=["by day of opening", "by pair of case and day"])
@settings(max_examples=40, deadline=None)
@given(zone=st.sampled_from(ZONES), drawn=lives)
def test_a_touchpoint_flows_as_it_does_alone_and_all_as_if_they_were_one(
    many: int, zone: str, drawn: list[tuple[int, int, int | None, int | None]]
):
    cases = told(drawn)
    days = Span(FIRST, FIRST + timedelta(days=100), ZoneInfo(zone))
    names = [f"t{number}" for number in range(5)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ages, "MANY", many)
        found = fact_issue_flow(Renewed.whole(cases), names, days)
        alone = [fact_issue_flow(Renewed.whole(own), names, days) for own in cases.partition_by("touchpoint")]
        as_one = cases.with_columns(touchpoint=pl.lit(0, dtype=pl.UInt16))
        every = fact_issue_flow(Renewed.whole(as_one), ["all"], days)
    one_each = [own.filter(pl.col("touchpoint_id") != "all") for own in alone]
    expected = pl.concat([*one_each, every.head(101)])
    assert_frame_equal(found, expected, check_row_order=False, check_exact=True)


@pytest.mark.parametrize("many", [0, ages.MANY], ids=["by day of opening", "by pair of case and day"])
@settings(max_examples=40, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    old=lives,
    came=lives,
    gone=st.sets(st.integers(0, 39)),
    reported=st.tuples(st.integers(0, 40), st.integers(0, 60)),
)
def test_after_a_change_the_flow_is_what_it_is_of_all_cases_anew(
    many: int, zone: str, old: list, came: list, gone: set[int], reported: tuple[int, int]
):
    numbers = np.array(sorted(one for one in gone if one < len(old)), dtype=np.int64)
    left = [case for place, case in enumerate(old) if place not in gone]
    remembered: dict[str, pl.DataFrame] = {}
    now = Renewed(
        told(old),
        numbers,
        told(came),
        lambda name, make: remembered.setdefault(name, make()),
    )
    names, first = [f"t{number}" for number in range(5)], FIRST + timedelta(days=reported[0])
    days = Span(first, first + timedelta(days=reported[1]), ZoneInfo(zone))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ages, "MANY", many)
        known = KnownAges()
        before = Span(FIRST, FIRST + timedelta(days=80), ZoneInfo(zone))
        fact_issue_flow(Renewed.whole(told(old)), names, before, known)
        found = fact_issue_flow(now, names, days, KnownAges(known.used()))
        expected = fact_issue_flow(Renewed.whole(told(came + left)), names, days)
    assert_frame_equal(found, expected, check_row_order=False, check_exact=True)


def told(drawn: list[tuple[int, int, int | None, int | None]]) -> pl.DataFrame:
    """Cases: touchpoint, hours since the first day until opening, resolving, closing."""
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
    return pl.DataFrame(rows, schema={"touchpoint": pl.UInt16, **kinds}, orient="row")


def test_what_is_known_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch):
    cases, known = Renewed.whole(told([(0, 5, None, 100), (1, 7, None, None)])), KnownAges()
    days = Span(FIRST, FIRST + timedelta(days=10), ZoneInfo("UTC"))
    first = fact_issue_flow(cases, ["t0", "t1"], days, known)
    monkeypatch.setattr(ages.Lives, "of_all", None)
    monkeypatch.setattr(ages.Lives, "by_touchpoint", None)
    again = KnownAges(known.used())
    assert fact_issue_flow(cases, ["t0", "t1"], days, again).equals(first)
    assert not again.has_learnt
    assert again.used().equals(known.used())
