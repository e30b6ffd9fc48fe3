"""Which files of events are measured together."""

import random
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import packs as packs_module
from flows.packs import packs, turns_of
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


BUCKETS = st.lists(st.integers(0, 60), min_size=1, max_size=6).filter(any)


@given(st.lists(BUCKETS, min_size=1, max_size=8), st.integers(1, 200), st.none() | st.integers(1, 200))
def test_turns_are_every_event_once_and_of_no_more_than_there_is_room_for(
    sizes: list[list[int]], room: int, at_once: int | None
):
    """Rows of a pack by their numbers in it; more than there is room for are those of one bucket."""
    pack = tuple(file(f"2026-01-{at}", sum(buckets)) for at, buckets in enumerate(sizes))
    ends = accumulate(one.rows for one in pack)
    begins = {one.path: end - one.rows for one, end in zip(pack, ends, strict=True)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packs_module, "TURN_ROWS", room)
        patch.setattr(
            EventFile, "buckets", lambda one, _: sizes[int(one.path.removesuffix(".parquet").split("-")[-1])]
        )
        found = turns_of(pack, Path(), at_once)
    spans = [(begins[files[0].path] + first, count) for files, first, count in found]
    assert [begin for begin, _ in spans] == [
        0,
        *(begin + count for begin, count in spans[:-1]),
    ], "one after the other"
    assert sum(spans[-1]) == sum(one.rows for one in pack), "up to the last one"
    limit = min(at_once or room, room)
    largest = max(max(buckets) for buckets in sizes)
    assert all(count <= max(limit, largest) for _, count in spans)
    for files, first, count in found:
        assert 0 <= first < files[0].rows
        assert first + count <= sum(one.rows for one in files)
        assert first + count > sum(one.rows for one in files[:-1]), "no file that is not needed"
    assert all(one != other for (one, *_), (other, *_) in pairwise(found) if len(one) > 1)


def test_small_files_share_a_turn():
    pack = tuple(file(f"2026-0{month}", 10) for month in range(1, 8))
    found = turns_of(pack, Path(), 25)
    assert [([one.path for one in files], first, count) for files, first, count in found] == [
        (["events/2026-01.parquet", "events/2026-02.parquet"], 0, 20),
        (["events/2026-03.parquet", "events/2026-04.parquet"], 0, 20),
        (["events/2026-05.parquet", "events/2026-06.parquet"], 0, 20),
        (["events/2026-07.parquet"], 0, 10),
    ]
