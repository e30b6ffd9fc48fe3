"""Months of several files: what comes in costs what it is, and the store holds what one writing would have given."""

import json
import math
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import StoreError
from flows.packs import packs
from tests.warehouse.test_store import LATE, Writer, counts, day, event, frame, ids, told
from warehouse import event_ids, lines, months
from warehouse.arranged import Arranged, Some
from warehouse.event_ids import Wanted, found_in, index_of
from warehouse.months import packed, spans
from warehouse.store import EventStore, State

MARCH, APRIL = "2026-03", "2026-04"


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """A store of few events that packs its files as one of many would."""
    monkeypatch.setattr(months, "DELTAS_SHARE", 1e9)
    return Writer(EventStore(tmp_path / "store"))


def paths(state: State, month: str = MARCH) -> list[str]:
    return [file.path for file in state.months[month].files]


def many(begin: int, end: int, **facts: Any) -> pl.DataFrame:
    return frame(*(event(f"{number:04}", customer=number % 7, **facts) for number in range(begin, end)))


# Files of a month


def test_what_comes_in_is_one_more_file_and_the_others_stay_as_they_are(writer: Writer):
    before = writer.absorb(many(0, 50)).state
    after = writer.absorb(many(50, 60)).state
    assert paths(after)[0] == paths(before)[0]
    assert [(file.rows, file.commit) for file in after.months[MARCH].files] == [(50, 1), (10, 2)]
    assert after.rows == 60
    assert ids(after) == [f"{number:04}" for number in range(60)]


def test_a_month_tells_of_all_its_files(writer: Writer):
    writer.absorb(frame(event("b", occurred_at=day("2026-03-10"))))
    writer.absorb(frame(event("a", occurred_at=day("2026-03-02"))))
    state = writer.absorb(frame(event("c", occurred_at=day("2026-03-20")))).state
    month = state.months[MARCH]
    assert (month.rows, month.first_at[:10], month.last_at[:10]) == (3, "2026-03-02", "2026-03-20")
    assert state.span() == (day("2026-03-02"), day("2026-03-20"))


@pytest.mark.parametrize(
    ("rows", "starts"),
    [
        ([], []),
        ([5], [0]),
        ([100, 10], [0, 1]),
        ([100, 25], [0]),  # a quarter of the first: all together
        ([100, 10, 10, 4], [0, 1, 2, 3]),
        ([100, 10, 10, 5], [0]),
        ([1000, *[1] * 8], list(range(9))),
        ([1000, *[1] * 9], [0, 1]),  # too many: together, beside the first
        ([1000, 90, *[1] * 8], [0, 1, 2]),  # what is large beside those that came after it stays
        ([1000, 8, *[1] * 8], [0, 1]),  # what has no more events than they does not
        ([1000, 90, 40, 17, *[1] * 6], [0, 1, 2, 3, 4]),
        ([1000, 90, 40, 16, 7, 3, *[1] * 4], [0, 1, 2, 3, 4]),
        ([2000, 200, 100, 50, 25, 8, 5, 3, 2, 1], list(range(6))),
        ([99_999, 1280, 640, 320, 160, 80, 40, 20, 10, 1], list(range(9))),  # two at least
        ([1, 1000], [0]),
    ],
)
def test_files_are_put_together_once_they_are_too_many_or_no_longer_small(
    rows: Sequence[int], starts: Sequence[int]
):
    assert packed(rows) == starts


@given(first=st.integers(0, 50), batches=st.lists(st.integers(1, 30), max_size=80))
def test_however_events_come_files_are_few_and_none_is_written_again_too_often(
    first: int, batches: list[int]
):
    files, written = ([first] if first else []), 0
    for batch in batches:
        files.append(batch)
        ends = spans(packed(files), len(files))
        written += sum(sum(files[begin:end]) for begin, end in ends if end - begin > 1)
        files = [sum(files[begin:end]) for begin, end in ends]
        assert len(files) <= months.DELTAS_MAX + 1
    total = first + sum(batches)
    assert sum(files) == total
    assert written <= total * (3 + math.log2(max(total, 2)))


def test_small_files_that_are_too_many_become_one_beside_the_first(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(months, "DELTAS_MAX", 3)
    first = writer.absorb(many(0, 50)).state
    states = [writer.absorb(many(number, number + 1)).state for number in range(50, 54)]
    assert [len(paths(state)) for state in states] == [2, 3, 4, 2]
    assert paths(states[-1])[0] == paths(first)[0]
    assert [file.rows for file in states[-1].months[MARCH].files] == [50, 4]


def test_what_is_put_together_is_measured_without_what_came_in_with_the_last_of_it(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(months, "DELTAS_MAX", 1)

    def both(begin: int, end: int) -> pl.DataFrame:
        return pl.concat([many(begin, end), many(begin + 500, end + 500, occurred_at=day("2026-04-10"))])

    writer.absorb(many(0, 50))
    before = writer.absorb(both(50, 52)).state
    after = writer.absorb(both(52, 54)).state
    (march,) = after.months[MARCH].files[1:]
    assert [len(pack) for pack in packs(before.months)] == [1, 1, 1]
    assert (march.rows, march.commit) == (4, 0)
    assert [file.commit for file in after.months[APRIL].files] == [2, 3]
    assert all(len(pack) == 1 for pack in packs(after.months))


def test_a_packed_month_has_the_bytes_that_one_writing_of_its_events_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    once, piecemeal = Writer(EventStore(tmp_path / "once")), Writer(EventStore(tmp_path / "piecemeal"))
    numbers = list(range(200))
    whole = once.absorb(many(0, 200), "d1").state
    random.Random(1).shuffle(numbers)
    monkeypatch.setattr(months, "DELTAS_SHARE", 1e9)
    for start in range(0, 200, 30):
        batch = [event(f"{n:04}", customer=n % 7) for n in numbers[start : start + 30]]
        piecemeal.store.absorb(
            piecemeal.store.head(),
            frame(*batch).with_columns(landing=pl.lit("d1")),
            [*once.deliveries],
            once.resolution,
        )
    assert len(paths(piecemeal.store.head())) == 7
    monkeypatch.setattr(months, "DELTAS_SHARE", 0)
    late = frame(event("late", customer=3)).with_columns(landing=pl.lit("d1"))
    for one in (once, piecemeal):
        one.store.absorb(one.store.head(), late, [*once.deliveries], once.resolution)
    assert whole.rows == 200
    assert paths(once.store.head()) == paths(piecemeal.store.head())
    assert len(paths(once.store.head())) == 1


# Late, told again, corrected, taken back


@pytest.mark.parametrize("spread_us", [3, 5_000, 31 * 86_400_000_000])
@pytest.mark.parametrize("buckets", [1, 4, 64])
def test_events_stand_by_customer_instant_and_id_however_close_they_are(spread_us: int, buckets: int):
    draw = random.Random(spread_us + buckets)
    people = [0, 1, 63, 64, 65, 2**31, 2**32 - 1]
    rows = [
        (draw.choice(people), draw.randrange(spread_us), f"e{n}") for n in draw.sample(range(3_000), 3_000)
    ]
    schema = {"customer": pl.UInt32, "occurred_at": pl.Int64, "event_id": pl.String}
    events = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        pl.from_epoch("occurred_at", "us").dt.replace_time_zone("UTC")
    )
    groups = list(Arranged.of(Some.all(events), buckets).buckets())
    assert sum(group["customer"].n_unique() for group in groups) == len(people)
    assert 1 <= len(groups) <= min(buckets, len(people))
    assert all(group.height for group in groups)
    assert pl.concat(groups).equals(events.sort("customer", "occurred_at", "event_id"))


def test_events_told_again_just_so_write_nothing(writer: Writer):
    writer.absorb(many(0, 50))
    before = writer.absorb(many(50, 60)).state
    after = writer.absorb(many(0, 60))
    assert counts(after) == (0, 60, 0, 0)
    assert after.state.months == before.months


def test_a_correction_of_an_event_in_a_small_file_leaves_the_large_one_alone(writer: Writer):
    writer.absorb(many(0, 50))
    before = writer.absorb(many(50, 60)).state
    after = writer.absorb(frame(event("0055", customer=6, score=4.0)))
    assert counts(after) == (0, 0, 1, 0)
    assert paths(after.state)[0] == paths(before)[0]
    assert [file.rows for file in after.state.months[MARCH].files] == [50, 9, 1]
    assert told(after.state).filter(event_id="0055")["score"].to_list() == [4.0]


def test_a_correction_of_an_event_in_the_large_file_leaves_the_small_ones_alone(writer: Writer):
    writer.absorb(many(0, 50))
    before = writer.absorb(many(50, 60)).state
    after = writer.absorb(frame(event("0005", customer=5, occurred_at=day("2026-04-09")))).state
    assert paths(after)[1] == paths(before)[1]
    assert [file.rows for file in after.months[MARCH].files] == [49, 10]
    assert [file.rows for file in after.months[APRIL].files] == [1]
    assert after.rows == 60


def test_a_file_whose_events_all_go_goes_with_them(writer: Writer):
    writer.absorb(many(0, 50))
    writer.absorb(many(50, 60), "short")
    after = writer.absorb(frame(), "empty", superseded=["short"])
    assert counts(after) == (0, 0, 0, 10)
    assert [file.rows for file in after.state.months[MARCH].files] == [50]


def test_of_a_delivery_that_goes_only_files_that_hold_its_events_are_written_anew(writer: Writer):
    for number in range(4):
        writer.absorb(many(10 * number, 10 * number + 10), f"d{number}")
    writer.absorb(many(40, 50, occurred_at=day("2026-04-02")), "d4")
    before = writer.store.head()
    after = writer.absorb(many(20, 25), "d2 anew", superseded=["d2"])
    assert counts(after) == (0, 5, 0, 5)
    kept = [path for path in paths(before) if path in paths(after.state)]
    assert len(kept) == 3
    assert paths(after.state, APRIL) == paths(before, APRIL)
    assert set(told(after.state).filter(pl.col("event_id").str.starts_with("002"))["landing"]) == {"d2 anew"}


def test_a_file_that_does_not_say_whose_events_it_holds_is_looked_into(writer: Writer):
    writer.absorb(many(0, 5), "old")
    _without(writer.store, "landings", "size", "commit")
    after = writer.absorb(frame(event("x", occurred_at=day("2026-05-01"))), "new", superseded=["old"])
    assert counts(after) == (1, 0, 0, 5)
    assert list(after.state.months) == ["2026-05"]


def _without(store: EventStore, *names: str) -> None:
    """Say less of the files in the newest commit, as earlier versions did."""
    path = store.manifests.path(store.manifests.head())
    content = json.loads(path.read_bytes())
    for files in content["months"].values():
        for file in files:
            for name in names:
                del file[name]
    path.write_text(json.dumps(content))


def test_a_commit_of_one_file_a_month_is_read_as_it_was_written(writer: Writer):
    writer.absorb(many(0, 5))
    _without(writer.store, "landings", "size", "commit")
    path = writer.store.manifests.path(1)
    content = json.loads(path.read_bytes())
    content["months"] = {name: files[0] for name, files in content["months"].items()}
    path.write_text(json.dumps(content))
    for file in writer.store.head().event_files:
        index_of(writer.store.folder / file.path).unlink()
    assert ids(writer.store.head()) == [f"{number:04}" for number in range(5)]
    after = writer.absorb(many(3, 8))
    assert counts(after) == (3, 2, 0, 0)
    assert [file.rows for file in after.state.months[MARCH].files] == [5, 3]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_a_store_of_many_files_holds_what_one_of_few_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
):
    draw = random.Random(seed)
    few, several = Writer(EventStore(tmp_path / "few")), Writer(EventStore(tmp_path / "several"))
    most = draw.choice([1, 2, 8])
    for number in range(8):
        batch = {}
        for _ in range(draw.randint(1, 30)):
            name = f"{draw.randint(0, 80):04}"
            when = day("2026-03-01") + timedelta(hours=draw.randint(0, 1400))
            batch[name] = event(
                name, customer=draw.randint(0, 5), occurred_at=when, score=draw.choice([None, 1.0, 2.0])
            )
        gone = [f"d{draw.randrange(number)}"] if number and draw.random() < 0.3 else []
        said = []
        for one, share in ((few, 0), (several, 1e9)):
            monkeypatch.setattr(months, "DELTAS_SHARE", share)
            monkeypatch.setattr(months, "DELTAS_MAX", most)
            goes = [name for name in gone if any(delivery.id == name for delivery in one.deliveries)]
            said.append(counts(one.absorb(frame(*batch.values()), f"d{number}", superseded=goes)))
        assert said[0] == said[1]
    first, second = (told(one.store.head()) for one in (few, several))
    assert first.select(second.columns).equals(second)
    assert len(several.store.head().event_files) > len(few.store.head().event_files)
    several.store.sweep(LATE, commits=1)
    head = several.store.head()
    assert set(several.store.folder.glob("events/*")) <= head.files()
    assert all(path.exists() for path in head.files())


# The index of event ids


def found(state: State, *names: str) -> dict[str, set[str]]:
    """Which of the ids which files are said to have."""
    wanted = Wanted.of(pl.Series(names, dtype=pl.String))
    said = {}
    for file in state.event_files:
        hits = found_in(state.folder / file.path, file.rows, wanted)
        said[file.path] = {name for group in hits.values() for name in group}
    return said


@pytest.mark.parametrize("share", [0, 1e9], ids=["from the stored ids", "from the wanted ids"])
def test_an_index_tells_which_ids_a_file_has_and_in_which_row_group(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, share: float
):
    monkeypatch.setattr(months, "BUCKET_ROWS", 100)
    monkeypatch.setattr(event_ids, "_MANY", share)
    state = writer.absorb(many(0, 3000)).state
    (file,) = state.event_files
    path = state.folder / file.path
    every = told(state)
    asked = pl.Series([*every["event_id"], *(f"no {number}" for number in range(3000))])
    hits = found_in(path, file.rows, Wanted.of(asked))
    assert len(hits) > 4
    file = pq.ParquetFile(path)
    for group, some in hits.items():
        assert set(some) == set(file.read_row_group(group, ["event_id"])["event_id"].to_pylist())


@pytest.mark.parametrize(
    "hurt",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-8]), id="cut"),
        pytest.param(lambda path: path.write_bytes(bytes(path.stat().st_size)), id="zeros"),
        *(
            pytest.param(
                lambda path, at=at: path.write_bytes(_flipped(path.read_bytes(), at)), id=f"bit {at}"
            )
            for at in (0, 9, 17, 25, 33, 41, 57, 100, -4097, -5000)
        ),
    ],
)
def test_an_index_that_is_missing_or_damaged_is_made_anew_and_no_event_counts_twice(
    writer: Writer, hurt: Any
):
    writer.absorb(many(0, 1000))
    (file,) = writer.store.head().event_files
    index = index_of(writer.store.folder / file.path)
    right = index.read_bytes()
    hurt(index)
    after = writer.absorb(many(0, 1001))
    assert counts(after) == (1, 1000, 0, 0)
    assert after.state.rows == 1001
    assert index.read_bytes() == right


def _flipped(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def test_an_index_that_another_version_of_the_hash_made_is_made_anew(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    writer.absorb(many(0, 10))
    monkeypatch.setattr(lines, "_SEED", 7)
    lines.version.cache_clear()  # asked once a process
    try:
        assert counts(writer.absorb(many(0, 11))) == (1, 10, 0, 0)
    finally:
        lines.version.cache_clear()


@pytest.mark.parametrize("share", [0, 1e9], ids=["from the stored ids", "from the wanted ids"])
def test_ids_with_one_hash_are_told_apart(writer: Writer, monkeypatch: pytest.MonkeyPatch, share: float):
    monkeypatch.setattr(event_ids, "_MANY", share)
    monkeypatch.setattr(lines, "hashes", lambda ids: (ids.str.len_chars().cast(pl.UInt64) * 64).to_numpy())
    lines.version.cache_clear()
    try:
        writer.absorb(many(0, 700))
        after = writer.absorb(frame(event("0003", customer=3), event("9999"), event("0004", score=1.0)))
        assert counts(after) == (1, 1, 1, 0)
        assert after.state.rows == 701
    finally:
        lines.version.cache_clear()


def test_a_file_without_a_hit_is_not_read(writer: Writer):
    writer.absorb(many(0, 50))
    state = writer.absorb(many(50, 60, occurred_at=day("2026-04-02"))).state
    path = state.folder / paths(state)[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    assert counts(writer.absorb(many(55, 61, occurred_at=day("2026-04-02")))) == (1, 5, 0, 0)
    with pytest.raises(StoreError, match="is damaged: its content is not what its name promises"):
        writer.absorb(many(1, 2))


@pytest.mark.parametrize(
    ("hurt", "what"),
    [
        pytest.param(lambda path: path.unlink(), "is missing", id="missing"),
        pytest.param(
            lambda path: path.write_bytes(path.read_bytes()[:-1]),
            "is damaged: its content is not what",
            id="cut",
        ),
    ],
)
def test_a_file_that_is_gone_or_cut_is_told_though_it_is_not_read(writer: Writer, hurt: Any, what: str):
    state = writer.absorb(many(0, 50)).state
    hurt(state.folder / paths(state)[0])
    with pytest.raises(StoreError, match=what):
        writer.absorb(frame(event("x", occurred_at=day("2026-04-02"))))


def test_an_index_of_no_event_finds_nothing(tmp_path: Path):
    assert found_in(tmp_path / "2026-03-00.parquet", 0, Wanted.of(pl.Series(["a"]))) == {}
