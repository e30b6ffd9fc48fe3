"""Events by subject and time: put beside each other, or sorted by everything."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from contracts.events import INSTANT
from transforms.cases import _ORDER, in_order

KINDS = {
    "feed": pl.UInt16,
    "subject_id": pl.UInt32,
    "occurred_at": INSTANT,
    "sequence": pl.Int64,
    "landing": pl.UInt32,
    "row": pl.UInt32,
}
few = st.integers(0, 2)
told = st.lists(
    st.tuples(few, few | st.sampled_from([65_535, 65_536, 70_000, 2**32 - 1]), few, st.integers(-1, 1), few),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(told)
def test_events_of_a_subject_come_one_after_the_other_in_the_order_of_time(drawn: list[tuple]):
    frame = pl.DataFrame([(*one, row) for row, one in enumerate(drawn)], schema=KINDS, orient="row")
    assert_frame_equal(in_order(frame), frame.sort(_ORDER))
    assert_frame_equal(in_order(frame.reverse()), frame.sort(_ORDER))


def test_few_that_come_otherwise_are_sorted_and_the_others_stay():
    rows = [(1, subject, at, 0, 0, subject * 10 + at) for subject in range(50) for at in range(6)]
    frame = pl.DataFrame(rows, schema=KINDS, orient="row")
    late = pl.concat([frame.filter(pl.col("row") != 73), frame.filter(row=73)])
    assert_frame_equal(in_order(late), frame)
