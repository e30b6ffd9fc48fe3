"""Values that follow the change of cases are those of all cases, cell by cell."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.measure import CELL, VALUED
from transforms.renewed import Renewed
from transforms.valued import Cells, Values

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CASES = {
    "slot": pl.UInt32,
    "touchpoint": pl.UInt16,
    "hours": pl.Float64,
    "closed_at": pl.Datetime("us", "UTC"),
}

cases = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(1, 2),
        st.none() | st.sampled_from([0.0, -0.0, 0.5, 7.25]) | st.floats(0, 1e6),
        st.booleans(),
    ),
    max_size=14,
)


def frame(drawn: list[tuple]) -> pl.DataFrame:
    rows = [
        (slot, touchpoint, hours, NOW if is_closed else None) for slot, touchpoint, hours, is_closed in drawn
    ]
    return pl.DataFrame(rows, schema=CASES, orient="row")


def observe(rows: pl.DataFrame) -> pl.DataFrame:
    """Two metrics over the same cases: one that counts how long open cases have waited, and one that leaves them out."""
    so_far = pl.coalesce("hours", pl.when(pl.col("closed_at").is_null()).then(pl.col("slot") + 100.0))
    keys = ("slot", "touchpoint")
    made = [
        rows.select(
            *keys,
            metric=pl.lit(number),
            dimension=pl.lit(0),
            segment=pl.lit(0),
            value=value,
            is_event=is_event,
        )
        for number, value, is_event in (
            (1, so_far, pl.col("hours").is_not_null()),
            (2, pl.col("hours"), pl.lit(value=True)),
        )
    ]
    return pl.concat(made).cast(VALUED)


def told(values: Values) -> dict[tuple, tuple]:
    """By cell: how many are left out, and the values of both kinds with their marks, in order."""
    found = {}
    for place, cell in enumerate(values.cells.select(CELL).rows()):
        sides = [of_one(side, place) for side in (values.events, values.open)]
        if any(values.excluded[place : place + 1]) or any(own for own, _ in sides):
            found[cell] = (int(values.excluded[place]), *sides)
    return found


def of_one(side: Cells, place: int) -> tuple[list[float], int]:
    own = side.of(np.array([place]))
    assert own.size == side.counts[place]
    assert not np.signbit(own).any(), "0.0 and -0.0 are one value"
    return sorted(own.tolist()), int(side.marks[place])


@settings(deadline=None, max_examples=150)
@given(cases, cases, st.sets(st.integers(0, 13)), st.booleans())
def test_values_after_a_change_are_those_of_all_cases(old: list, came: list, gone: set[int], waits: bool):
    numbers = np.array(sorted(one for one in gone if one < len(old)), dtype=np.int64)
    left = [case for place, case in enumerate(old) if place not in gone]
    remembered: dict[str, pl.DataFrame] = {}
    renewed = Renewed(
        frame(old),
        numbers,
        frame(came),
        remember=lambda name, make: remembered.setdefault(name, make()),
    )
    seen = observe if waits else lambda rows: observe(rows).filter(pl.col("metric") == 2)
    for _ in range(2):
        found = Values.following(renewed, seen, "one", waits=waits)
        assert told(found) == told(Values.of(seen(frame(came + left))))
    assert remembered["cells-one"]["n"].sum() == sum(1 + waits for _, _, hours, _ in old if hours is not None)


def test_cells_that_follow_each_other_are_their_values_one_after_the_other():
    values = Values.of(
        observe(frame([(slot, 1, float(slot * 10 + n), True) for slot in range(3) for n in range(2)]))
    )
    every = np.arange(values.cells.height)
    one_by_one = [values.events.of(np.array([cell])).tolist() for cell in every]
    assert values.events.of(every).tolist() == [*chain.from_iterable(one_by_one)]
    assert values.events.of(every[::-1]).tolist() == [*chain.from_iterable(one_by_one[::-1])]
    assert values.events.of(every[:0]).size == 0


def test_waiting_goes_on_although_nothing_has_come():
    remembered: dict[str, pl.DataFrame] = {}
    cases = Renewed.whole(frame([(1, 1, None, False)]))
    cases = replace(cases, remember=lambda name, make: remembered.setdefault(name, make()))
    keys = {"metric": 1, "dimension": 0, "segment": 0, "is_event": False}
    for hours in (3.0, 6.0):
        found = Values.following(
            cases,
            lambda rows, h=hours: rows.select("slot", "touchpoint", **keys, value=h).cast(VALUED),
            "one",
            waits=True,
        )
        assert [values for _, _, (values, _) in told(found).values()] == [[hours]]
