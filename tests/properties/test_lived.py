"""Sets of customers put together count what a group-by over rows counts."""

from unittest.mock import patch

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.lived import Lived

NAMES = ["unmatched", "a", "b", "c"]
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 130), st.integers(1, 10**9)), max_size=60)


@settings(deadline=None)
@given(ROWS, st.lists(st.sampled_from([*NAMES, "nowhere"]), max_size=6), st.sampled_from([1, 8, 64, 10**6]))
def test_a_union_of_sets_is_what_rows_say(rows: list[tuple[int, int, int]], asked: list[str], sparse: int):
    with patch("transforms.lived.SPARSE", sparse):
        _is_what_rows_say(rows, asked)


def _is_what_rows_say(rows: list[tuple[int, int, int]], asked: list[str]) -> None:
    codes, customers, n = columns(rows)
    lived = Lived.of(NAMES, codes, customers, n)
    there = [(NAMES[code], customer, count) for code, customer, count in rows if NAMES[code] in asked]
    people = {customer for _, customer, _ in there if customer}
    assert lived.stake(asked) == (sum(count for *_, count in there), len(people))
    assert set(lived.events) == {NAMES[code] for code, *_ in rows}
    told = pl.DataFrame(
        {
            "touchpoint_id": pl.Series([NAMES[code] for code in codes], dtype=pl.String),
            "customer": customers,
            "n": n,
        }
    )
    assert Lived.told(told).stake(asked) == lived.stake(asked)


@given(
    ROWS,
    ROWS,
    st.lists(st.sampled_from(NAMES), max_size=6),
    st.sampled_from([1, 8, 64, 10**6]),
    st.booleans(),
)
def test_more_rows_among_those_told_already_are_all_of_them_at_once(
    told: list[tuple[int, int, int]],
    more: list[tuple[int, int, int]],
    asked: list[str],
    sparse: int,
    is_kept: bool,
):
    numbers = [str(code) for code in range(len(NAMES))]
    with patch("transforms.lived.SPARSE", sparse), patch("transforms.lived.ROOM", 64):
        before = Lived.of(numbers, *columns(told))
        before = Lived.from_frames(before.frames()) if is_kept else before
        kept = before.stakes
        found = before.with_more(numbers, *columns(more)).named(dict(zip(numbers, NAMES, strict=True)))
        whole = Lived.of(NAMES, *columns(told + more))
    assert found.stake(asked) == whole.stake(asked)
    assert dict(found.stakes) == dict(whole.stakes)
    assert {name: before.stake([name]) for name in before.events} == kept, (
        "what is told already stays as it is"
    )


def columns(rows: list[tuple[int, int, int]]) -> list[np.ndarray]:
    """codes, customers, n."""
    return [np.array([row[i] for row in rows], dtype=kind) for i, kind in enumerate(("u2", "u4", "i8"))]


@given(st.lists(ROWS, max_size=4), st.sampled_from([1, 8, 64, 10**6]))
def test_parts_are_all_of_their_rows_at_once(parts: list[list[tuple[int, int, int]]], sparse: int):
    with patch("transforms.lived.SPARSE", sparse), patch("transforms.lived.ROOM", 64):
        found = Lived.of_parts(NAMES, [(*columns(rows),) for rows in parts])
        whole = Lived.of(NAMES, *columns([row for rows in parts for row in rows]))
    assert found.events == whole.events
    for one, other in (
        (found.many, whole.many),
        (found.few, whole.few),
        ({"": found.customers}, {"": whole.customers}),
    ):
        assert {name: own.tolist() for name, own in one.items()} == {
            name: own.tolist() for name, own in other.items()
        }
