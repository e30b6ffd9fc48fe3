"""Which files of events are measured together."""

import random

from hypothesis import given
from hypothesis import strategies as st

from flows.packs import packs
from warehouse.months import EventFile, Month


def file(name: str, rows: int, commit: int = 0) -> EventFile:
    first = f"{name[:7]}-01T00:00:00+00:00"
    return EventFile(f"events/{name}.parquet", rows, first, first, commit=commit)


def months(rows: dict[str, int]) -> dict[str, Month]:
    return {name: Month([file(name, count)]) for name, count in rows.items()}


def named(found: list[tuple[EventFile, ...]]) -> list[list[str]]:
    return [[one.path.removeprefix("events/").removesuffix(".parquet") for one in pack] for pack in found]


def year(of: int, rows: int) -> dict[str, int]:
    return {f"{of}-{month:02d}": rows for month in range(1, 13)}


def test_small_months_of_a_year_are_one_pack_and_the_newest_month_stands_alone():
    found = named(packs(months({**year(2025, 10), "2026-01": 10, "2026-02": 10}), rows=120))
    assert found == [list(year(2025, 0)), ["2026-01"], ["2026-02"]]


def test_larger_months_share_a_half_a_quarter_or_nothing():
    half = named(packs(months({**year(2025, 20), "2026-01": 1}), rows=120))
    assert [len(pack) for pack in half] == [6, 6, 1]
    quarter = named(packs(months({**year(2025, 40), "2026-01": 1}), rows=120))
    assert [len(pack) for pack in quarter] == [3, 3, 3, 3, 1]
    alone = named(packs(months({**year(2025, 200), "2026-01": 1}), rows=120))
    assert [len(pack) for pack in alone] == [1] * 13


def test_a_large_month_splits_only_what_it_belongs_to():
    rows = {**year(2024, 10), **year(2025, 10), "2024-02": 500, "2026-01": 1}
    assert named(packs(months(rows), rows=120)) == [
        ["2024-01"],
        ["2024-02"],
        ["2024-03"],
        ["2024-04", "2024-05", "2024-06"],
        [f"2024-{month:02d}" for month in range(7, 13)],
        list(year(2025, 0)),
        ["2026-01"],
    ]


def test_what_came_in_at_one_time_is_one_pack_whatever_its_months():
    known = {
        "2026-01": Month([file("2026-01", 9), file("2026-01-a", 1, 7), file("2026-01-b", 1, 8)]),
        "2026-02": Month([file("2026-02", 9), file("2026-02-a", 1, 7), file("2026-02-c", 1)]),
    }
    assert named(packs(known)) == [
        ["2026-01"],
        ["2026-02"],
        ["2026-02-c"],
        ["2026-01-a", "2026-02-a"],
        ["2026-01-b"],
    ]


def test_without_events_there_is_nothing_to_measure():
    assert packs({}) == []


@given(
    st.dictionaries(
        st.builds("{}-{:02d}".format, st.integers(2023, 2026), st.integers(1, 12)),
        st.lists(st.tuples(st.integers(1, 200), st.integers(0, 3)), min_size=1, max_size=4),
        max_size=30,
    ),
    st.integers(1, 400),
    st.randoms(use_true_random=False),
)
def test_every_file_is_in_one_pack_and_none_of_several_is_too_large(
    known: dict[str, list[tuple[int, int]]], rows: int, shuffler: random.Random
):
    made = {
        name: Month(
            [file(f"{name}-{at}" if at else name, count, code) for at, (count, code) in enumerate(some)]
        )
        for name, some in known.items()
    }
    found = packs(made, rows)
    every = sorted(one.path for pack in found for one in pack)
    assert every == sorted(one.path for month in made.values() for one in month.files)
    assert all(len(pack) == 1 or sum(one.rows for one in pack) <= rows for pack in found)
    items = list(made.items())
    shuffler.shuffle(items)
    assert packs(dict(items), rows) == found
