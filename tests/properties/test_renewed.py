"""Sums that follow the change are sums over all rows, to the last bit."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.renewed import Renewed

SCHEMA = {"key": pl.UInt16, "value": pl.Int64, "wide": pl.Int128}
LARGE = 2**62
"""Sums of such values go beyond 64 bits and come back: marks of rows do."""

rows = st.lists(st.tuples(st.integers(0, 3), st.integers(-LARGE, LARGE)), max_size=12)


def frame(told: list[tuple[int, int]]) -> pl.DataFrame:
    return pl.DataFrame([(key, value, value) for key, value in told], schema=SCHEMA, orient="row")


def count(some: pl.DataFrame) -> pl.DataFrame:
    return some.group_by("key").agg(
        n=pl.len().cast(pl.Int64), value=pl.col("value").sum(), wide=pl.col("wide").sum()
    )


@settings(deadline=None)
@given(rows, rows, st.sets(st.integers(0, 11)))
def test_sums_after_a_change_are_those_of_all_rows(old: list, came: list, gone: set[int]):
    numbers = np.array(sorted(one for one in gone if one < len(old)), dtype=np.int64)
    left = [row for place, row in enumerate(old) if place not in gone]
    asked: dict[str, pl.DataFrame] = {}

    def remember(name: str, make):
        return asked.setdefault(name, make())

    changed = Renewed(frame(old), numbers, frame(came), remember=remember)
    assert changed.lazy().collect().equals(frame(left + came))
    assert changed.height == len(left + came)
    is_one = pl.col("value") > 0
    assert changed.where(is_one).equals(frame(left + came).filter(is_one))
    assert changed.where(is_one, ["wide"]).equals(frame(left + came).filter(is_one).select("wide"))
    hits = frame(old).select(is_one.arg_true()).to_series().to_list() or [0]
    assert changed.where(is_one, among=(hits[0], hits[-1] + 1)).equals(frame(left + came).filter(is_one))
    for _ in range(2):
        found = changed.summed("some", count, ["key"])
        wanted = count(frame(left + came))
        assert found.sort("key").equals(wanted.sort("key"))
    assert asked.keys() == {"some"}
    assert asked["some"].sort("key").equals(count(frame(old)).sort("key")), (
        "what is remembered is of the old rows"
    )


def test_what_is_remembered_is_not_counted_again():
    counted: list[int] = []

    def counting(some: pl.DataFrame) -> pl.DataFrame:
        counted.append(some.height)
        return count(some)

    known = count(frame([(1, 5), (2, 7)]))
    changed = Renewed(frame([(1, 5), (2, 7)]), np.array([1]), frame([]), remember=lambda *_: known)
    assert changed.summed("some", counting, ["key"]).rows() == [(1, 1, 5, 5)]
    assert sorted(counted) == [0, 1]
