"""Events by subject and time: put beside each other, or sorted by everything."""

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal

from contracts.events import INSTANT
from transforms import beside
from transforms.cases import BY_SUBJECT, SUBJECT

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
@given(told, st.sampled_from([4, 64]), st.sampled_from([0, 8]))
def test_events_of_a_subject_come_one_after_the_other_in_the_order_of_time(
    drawn: list[tuple], word: int, merged: int
):
    frame = pl.DataFrame([(*one, row) for row, one in enumerate(drawn)], schema=KINDS, orient="row")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(beside, "_WORD", word)
        patched.setattr(beside, "_MERGED", merged)
        assert_frame_equal(BY_SUBJECT.in_order(frame), frame.sort(BY_SUBJECT.columns))
        assert_frame_equal(BY_SUBJECT.in_order(frame.reverse()), frame.sort(BY_SUBJECT.columns))


@given(
    st.lists(st.none() | st.integers(-(2**40), 2**40) | st.integers(-200, 300)),
    st.sampled_from([pl.Int64, pl.UInt64]),
)
def test_columns_are_as_narrow_as_their_numbers(numbers: list[int | None], kind: type[pl.DataType]):
    given = [one if one is None or kind == pl.Int64 else abs(one) for one in numbers]
    column = pl.Series("sequence", given, dtype=kind)
    found = BY_SUBJECT.narrow(column.to_frame())["sequence"]
    assert_series_equal(found, column.shrink_dtype())


def test_few_that_come_otherwise_are_sorted_and_the_others_stay():
    rows = [(1, subject, at, 0, 0, subject * 10 + at) for subject in range(50) for at in range(6)]
    frame = pl.DataFrame(rows, schema=KINDS, orient="row")
    late = pl.concat([frame.filter(pl.col("row") != 73), frame.filter(row=73)])
    assert_frame_equal(BY_SUBJECT.in_order(late), frame)


@settings(max_examples=200, deadline=None)
@given(told, told)
def test_rows_of_some_subjects_are_found_among_those_in_order_of_subject(
    drawn: list[tuple], asked: list[tuple]
):
    frame = pl.DataFrame([(*one, row) for row, one in enumerate(drawn)], schema=KINDS, orient="row")
    subjects = pl.DataFrame([(*one, 0) for one in asked], schema=KINDS, orient="row").select(SUBJECT).unique()
    beside = BY_SUBJECT.beside(frame)
    assert_frame_equal(beside, frame.sort(SUBJECT, maintain_order=True))
    found = beside[BY_SUBJECT.rows_of(beside, subjects)]
    assert_frame_equal(found, beside.join(subjects, on=SUBJECT, how="semi", maintain_order="left"))


@settings(max_examples=200, deadline=None)
@given(told, told, st.integers(1, 6))
def test_parts_of_subjects_are_the_whole_and_none_is_in_two(
    drawn: list[tuple], some: list[tuple], parts: int
):
    frame, sample = (
        pl.DataFrame([(*one, row) for row, one in enumerate(rows)], schema=KINDS, orient="row")
        for rows in (drawn, some)
    )
    beside = BY_SUBJECT.beside(frame)
    bounds = BY_SUBJECT.bounds_of(sample, parts)
    assert bounds.height == parts - 1
    assert_frame_equal(bounds, bounds.sort(SUBJECT))
    edges = [0, *BY_SUBJECT.edges_of(beside, bounds, "left"), beside.height]
    cut = [beside[low:high] for low, high in pairwise(edges)]
    assert_frame_equal(pl.concat(cut), beside)
    assert sum(part.n_unique(SUBJECT) for part in cut) == beside.n_unique(SUBJECT)
