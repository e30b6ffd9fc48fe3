"""A change of a score is split without anything left over."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.decompose import split_change

PARTS = ("weight_before", "total_before", "weight_after", "total_after", "held_before", "held_after")


def split(*parts: tuple) -> dict[str, float]:
    frame = pl.DataFrame(list(parts), schema=list(PARTS), orient="row", infer_schema_length=None)
    return (
        split_change(frame.with_columns(owner=pl.lit("ada")).lazy(), ["owner"]).collect().row(0, named=True)
    )


def test_handing_away_the_worst_touchpoint_is_all_portfolio():
    """FEATURES M5: of three touchpoints with 264, 255 and 195 of 300 satisfied the third is handed away."""
    kept = [(300, 264, 300, 264, True, True), (300, 255, 300, 255, True, True)]
    found = split(*kept, (300, 195, 300, 195, True, False))
    assert (found["before"], found["after"]) == pytest.approx((714 / 900, 519 / 600))
    assert (found["rate"], found["mix"]) == (0, 0)
    assert found["portfolio"] == pytest.approx(519 / 600 - 714 / 900)


def test_doing_better_is_all_rate():
    found = split((100, 50, 100, 60, True, True), (100, 80, 100, 80, True, True))
    assert (found["rate"], found["mix"], found["portfolio"]) == pytest.approx((0.05, 0, 0))


def test_customers_who_go_where_it_is_better_are_all_mix():
    found = split((100, 50, 50, 25, True, True), (100, 80, 150, 120, True, True))
    assert (found["rate"], found["mix"], found["portfolio"]) == pytest.approx((0, 0.075, 0))


def test_who_holds_nothing_at_one_time_has_no_change_to_split():
    found = split((100, 50, 100, 50, False, True))
    assert (found["before"], found["after"], found["portfolio"]) == (None, 0.5, None)


parts = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 400),
        st.floats(0, 1),
        st.floats(0, 1),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(parts)
def test_nothing_is_left_over(drawn: list[tuple]):
    found = split(*((n, n * p, m, m * q, held, holds) for n, m, p, q, held, holds in drawn))
    if found["portfolio"] is not None:
        told = found["before"] + found["rate"] + found["mix"] + found["portfolio"]
        assert told == pytest.approx(found["after"], abs=1e-12)
