"""The small language of `where:`."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.predicates import Condition, read_condition


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("delivery", "delivery"),
        (["north", "south"], "north or south"),
        (None, "missing"),
        ([None, 3, True], "missing or 3.0 or True"),
        (">= 9", ">= 9"),
        (">= 7 and < 9.5", ">= 7 and < 9.5"),
        (" >= 9", " >= 9"),  # a text: only what begins with a sign is compared
        (["<none>"], "<none>"),
        ("", ""),
    ],
)
def test_a_condition_says_what_it_accepts(written: object, said: str):
    assert str(read_condition(written)) == said


@pytest.mark.parametrize("written", [">", ">= x", "< 9 or > 3", "<= 1e3", "=> 3", "< 9 and", "<none>"])
def test_a_comparison_without_a_number_is_refused_and_how_to_write_it_said(written: str):
    if written.startswith("="):
        assert read_condition(written).any_of == (written,)
        return
    with pytest.raises(ValueError, match=r"compares with no number. Write it like '>= 9'"):
        read_condition(written)


@pytest.mark.parametrize(
    "written", [[], {}, [[1]], {"a": 1}, object(), 10**400, [-(10**400)], float("nan"), float("inf")]
)
def test_what_is_neither_value_nor_list_nor_comparison_is_refused(written: object):
    with pytest.raises(ValueError, match="Write a value, a list of values, null, or a comparison"):
        read_condition(written)


@pytest.mark.parametrize("written", [date(2026, 3, 1), ["x", datetime(2026, 3, 1, 14, 30, tzinfo=UTC)]])
def test_a_date_is_refused_until_it_is_written_as_a_text(written: object):
    with pytest.raises(ValueError, match=r"It has to be a text: put it in quotes\."):
        read_condition(written)


@given(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers() | st.text())
)
def test_any_value_is_a_condition_or_a_value_error(written: object):
    try:
        read = read_condition(written)
    except ValueError:
        return
    assert isinstance(read, Condition)
    assert read_condition(read) is read
