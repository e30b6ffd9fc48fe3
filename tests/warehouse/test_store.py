"""The event store: every event once, as it was last told, whatever batches it came in."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.deliveries import Delivery
from contracts.errors import PromiseError, StoreError
from contracts.events import ATTRIBUTE, EVENT, LARGE_CODES, SMALL_CODES, TOKENS
from contracts.identity import Resolution
from tests.warehouse.dying import every_death
from warehouse import coder as coder_module
from warehouse import months as months_module
from warehouse.store import Absorbed, EventStore, State

Facts = Mapping[str, Any]
LATE = 1e12
"""An instant after everything: with it a sweep knows no grace."""

_SCHEMA = {name: kind for name, kind in EVENT.items() if name not in TOKENS} | {"customer": pl.UInt32()}
_DEFAULT: Facts = {
    "occurred_at": datetime(2026, 3, 1, 12, tzinfo=UTC),
    "recorded_at": datetime(2026, 3, 1, 13, tzinfo=UTC),
    "feed": "survey",
    "kind": "survey.answered",
    "sequence": 0,
    "customer": 1,
    "landing": "d1",
    "row": 0,
}


def day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T12:00:00+00:00")


def event(event_id: str, **facts: Any) -> Facts:
    return {**_DEFAULT, "event_id": event_id, **facts}


def frame(*events: Facts, numbers: Sequence[str] = ()) -> pl.DataFrame:
    """Events as feeds tell of them; attributes are those that any of them has."""
    names = sorted({name for one in events for name in one if name.startswith(ATTRIBUTE)})
    kinds = {name: pl.Float64() if name in numbers else pl.String() for name in names}
    schema = {**_SCHEMA, **kinds}
    return pl.DataFrame([{name: one.get(name) for name in schema} for one in events], schema=schema)


def delivery(name: str, **parts: str) -> Delivery:
    return Delivery(
        id=name, feed="survey", stream="answers", source=f"{name}.csv", sha256=name,
        reading="r", mapping="m", state="accepted", parts=parts,
    )  # fmt: skip


def told(state: State) -> pl.DataFrame:
    """Everything the store holds as feeds told it, by event_id."""
    names = [ATTRIBUTE + name for name in sorted(state.attributes)]
    events = state.scan([*_SCHEMA, *names]).collect()
    coded = [name for name in events.columns if state.codebook.is_coded(name)]
    return events.with_columns(state.codebook.decoded(name) for name in coded).sort("event_id")


def ids(state: State) -> list[str]:
    return state.scan(["event_id"]).collect()["event_id"].sort().to_list()


@dataclass
class Writer:
    """Absorbs batch after batch, each as a delivery of its own."""

    store: EventStore
    deliveries: list[Delivery] = field(default_factory=list)
    resolution: Resolution = field(default_factory=Resolution)

    def absorb(self, events: pl.DataFrame, name: str = "", superseded: Sequence[str] = ()) -> Absorbed:
        """Absorb events as the delivery `name`, d1 and so on when it has none."""
        name = name or f"d{len(self.deliveries) + 1}"
        kept = [one for one in self.deliveries if one.id not in superseded]
        self.deliveries = [*kept, delivery(name)]
        landed = events.with_columns(landing=pl.lit(name))
        return self.store.absorb(
            self.store.head(), landed, self.deliveries, self.resolution, superseded=frozenset(superseded)
        )


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(EventStore(tmp_path / "store"))


def counts(absorbed: Absorbed) -> tuple[int, int, int, int]:
    return absorbed.new, absorbed.repeated, absorbed.corrected, absorbed.withdrawn


# What becomes of events


def test_a_new_event_is_new_a_known_one_repeated_and_one_told_otherwise_corrected(writer: Writer):
    assert counts(writer.absorb(frame(event("a"), event("b")))) == (2, 0, 0, 0)
    again = writer.absorb(frame(event("a", row=7), event("b", score=3.0), event("c")))
    assert counts(again) == (1, 1, 1, 0)
    assert told(again.state).select("event_id", "score", "landing").rows() == [
        ("a", None, "d1"),
        ("b", 3.0, "d2"),
        ("c", None, "d2"),
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"score": 2.0},
        {"channel": "web"},
        {"actor": "ada"},
        {"occurred_at": day("2026-03-02")},
        {"recorded_at": day("2026-03-02")},
        {"sequence": 1},
        {"customer": 2},
        {"attribute_new_to_the_store": "x"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_correction_of_any_one_fact_is_a_correction(writer: Writer, changed: Facts):
    writer.absorb(frame(event("a"), event("b")))
    after = writer.absorb(frame(event("a", **changed)))
    assert counts(after) == (0, 0, 1, 0)
    name, value = next(iter(changed.items()))
    assert told(after.state)[name].to_list()[0] == value
    assert after.state.rows == 2


def test_a_correction_takes_an_event_from_one_month_to_another(writer: Writer):
    writer.absorb(frame(event("a"), event("b", occurred_at=day("2026-05-01"))))
    after = writer.absorb(frame(event("a", occurred_at=day("2026-05-02"))))
    assert counts(after) == (0, 0, 1, 0)
    assert list(after.state.months) == ["2026-05"]
    assert ids(after.state) == ["a", "b"]


def test_a_delivery_read_anew_withdraws_what_it_no_longer_tells_of(writer: Writer):
    writer.absorb(frame(event("a"), event("b"), event("c"), event("d", occurred_at=day("2026-04-01"))))
    writer.absorb(frame(event("x")))
    anew = writer.absorb(frame(event("a"), event("b", score=1.0), event("e")), "d1 anew", superseded=["d1"])
    # a is told just so, b otherwise, e is new; c and d are told no more.
    assert counts(anew) == (1, 1, 1, 2)
    assert told(anew.state).select("event_id", "landing").rows() == [
        ("a", "d1 anew"),
        ("b", "d1 anew"),
        ("e", "d1 anew"),
        ("x", "d2"),
    ]
    assert list(anew.state.months) == ["2026-03"]


def test_a_delivery_that_goes_takes_its_events_with_it(writer: Writer):
    writer.absorb(frame(event("a")))
    gone = writer.absorb(frame(), "empty", superseded=["d1"])
    assert counts(gone) == (0, 0, 0, 1)
    assert gone.state.rows == 0
    assert gone.state.span() is None
    assert gone.state.scan(["event_id"]).collect().is_empty()


def test_nothing_fresh_commits_nothing(writer: Writer):
    before = writer.absorb(frame(event("a"))).state
    files = set(writer.store.folder.rglob("*"))
    again = writer.store.absorb(before, frame(event("a", row=9)), writer.deliveries, writer.resolution)
    assert counts(again) == (0, 1, 0, 0)
    assert again.state == before
    assert writer.store.head() == before
    assert set(writer.store.folder.rglob("*")) == files


def test_months_that_a_batch_does_not_touch_keep_their_very_files(writer: Writer):
    before = writer.absorb(
        frame(*(event(name, occurred_at=day(f"2026-0{name}-10")) for name in "1234"))
    ).state
    inodes = {
        path: (before.folder / path).stat().st_ino for file in before.event_files for path in file.paths()
    }
    after = writer.absorb(
        frame(event("1", occurred_at=day("2026-03-11")), event("9", occurred_at=day("2026-03-11")))
    ).state
    assert "2026-01" not in after.months
    assert after.months["2026-03"] != before.months["2026-03"]
    for name in ("2026-02", "2026-04"):
        assert after.months[name] == before.months[name]
        for path in after.months[name].files[0].paths():
            assert (after.folder / path).stat().st_ino == inodes[path]


def test_two_events_with_one_id_or_one_without_are_refused_and_nothing_is_stored(writer: Writer):
    for wrong, what in (
        (frame(event("a"), event("a", score=1.0)), "1 have the event_id of another one"),
        (frame(event("a"), event("b", occurred_at=None)), "1 have no occurred_at"),
    ):
        with pytest.raises(PromiseError, match=what):
            writer.absorb(wrong)
    assert writer.store.head().number == 0


# Codes, attributes, customers


def test_an_attribute_that_appears_later_is_missing_before(writer: Writer):
    writer.absorb(frame(event("a"), event("b", occurred_at=day("2026-04-01"), attribute_kind="x")))
    after = writer.absorb(
        frame(
            event("c", occurred_at=day("2026-05-01"), attribute_size=2.5, attribute_color="red"),
            numbers=["attribute_size"],
        )
    ).state
    assert after.attributes == {"kind": "text", "size": "number", "color": "text"}
    assert told(after).select("event_id", "attribute_color", "attribute_kind", "attribute_size").rows() == [
        ("a", None, None, None),
        ("b", None, "x", None),
        ("c", "red", None, 2.5),
    ]
    never = after.scan(["event_id", "attribute_never_told"]).collect()
    assert never["attribute_never_told"].to_list() == [0, 0, 0]


def test_an_attribute_cannot_be_text_in_one_place_and_a_number_in_another(writer: Writer):
    writer.absorb(frame(event("a", attribute_size="large")))
    with pytest.raises(StoreError, match="attribute 'size': is told as number, but as text"):
        writer.absorb(frame(event("b", attribute_size=3.0), numbers=["attribute_size"]))
    assert ids(writer.store.head()) == ["a"]


def test_a_column_of_few_values_that_gets_too_many_is_refused(
    writer: Writer,
):
    many = frame(*(event(str(number), channel=f"channel {number}") for number in range(2**16)))
    with pytest.raises(StoreError, match=r"channel: has 65,536 different values\. It is meant for a few"):
        writer.absorb(many)
    assert writer.store.head().number == 0
    most = writer.absorb(many.head(2**16 - 1)).state
    assert told(most)["channel"].n_unique() == 2**16 - 1


def test_values_that_are_many_come_into_files_of_their_own_and_keep_their_codes(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(coder_module, "FEW", 3)
    monkeypatch.setattr(months_module, "DELTAS_MAX", 2)
    meanings: list[str] = []
    held = []
    for number in range(12):
        names = [f"t{number:02} {one}" for one in range(40 if number == 0 else 1 + number % 2)]
        told_of = [event(name, subject_id=name) for name in {*names, "t00 0"}]
        state = writer.absorb(frame(*told_of)).state
        values = list(state.codebook.values["subject_id"])
        assert values == [*meanings, *sorted(names)]
        assert state.codebook.code("subject_id", values[-1]) == len(values)
        assert state.codebook.code("subject_id", "never told") is None
        meanings = values
        held.append(len(state.codes["subject_id"]))
    assert told(writer.store.head())["subject_id"].to_list() == sorted(meanings)
    # Two beside the first at most; the eleven that came until the eighth are a quarter of 40.
    assert held == [1, 2, 3, 2, 3, 3, 3, 1, 2, 3, 2, 3]
    writer.store.sweep(LATE, commits=1)
    head = writer.store.head()
    assert set(writer.store.folder.glob("codes/*")) <= head.files()
    assert list(head.codebook.values["subject_id"]) == meanings


def test_a_commit_of_one_file_a_column_of_codes_is_read_as_it_was_written(writer: Writer):
    import json

    writer.absorb(frame(event("a", channel="web")))
    path = writer.store.manifests.path(1)
    content = json.loads(path.read_bytes())
    content["codes"] = {name: files[0] for name, files in content["codes"].items()}
    path.write_text(json.dumps(content))
    after = writer.absorb(frame(event("b", channel="app"))).state
    assert told(after)["channel"].to_list() == ["web", "app"]


def test_customers_known_to_be_one_are_read_as_one_however_long_the_chain(writer: Writer):
    people = [event(str(code), customer=code) for code in (1, 2, 3, 4, 5)]
    writer.absorb(frame(*people))
    before = writer.store.head().months
    # 5 turned out to be 3; later 3 turned out to be 2, and 2 to be 1.
    merged = pl.DataFrame({"customer": [5, 3, 2], "merged_into": [3, 2, 1]}, schema_overrides=_CODES)
    writer.resolution = Resolution(aliases=merged)
    after = writer.absorb(frame(event("x", customer=1, occurred_at=day("2026-04-01")))).state
    assert after.months["2026-03"] == before["2026-03"]
    assert told(after).select("event_id", "customer").rows() == [
        ("1", 1), ("2", 1), ("3", 1), ("4", 4), ("5", 1), ("x", 1),
    ]  # fmt: skip


def test_an_event_told_again_of_a_customer_that_was_merged_meanwhile_is_repeated(writer: Writer):
    writer.absorb(frame(event("a", customer=7)))
    merged = pl.DataFrame({"customer": [7], "merged_into": [4]}, schema_overrides=_CODES)
    writer.resolution = Resolution(aliases=merged)
    assert counts(writer.absorb(frame(event("a", customer=4)))) == (0, 1, 0, 0)


_CODES = {"customer": pl.UInt32, "merged_into": pl.UInt32}


# Laws, over drawn events

_TEXTS = st.sampled_from(["", " ", "web", "e-mail", "Größe", "naïve\n", "0", "null"]) | st.none()
_MOMENTS = st.datetimes(datetime(2025, 11, 20), datetime(2026, 3, 10)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001 - hypothesis draws it without a zone
_NUMBERS = st.sampled_from([None, 0.0, -1.5, 1e300, 0.1, 5.0])


@st.composite
def _events(draw: st.DrawFn) -> Facts:
    facts: dict[str, Any] = {
        "event_id": draw(st.sampled_from("abcdefgh")),
        "occurred_at": draw(_MOMENTS),
        "recorded_at": draw(_MOMENTS),
        "customer": draw(st.integers(0, 9)),
        "sequence": draw(st.integers(0, 2)),
        "row": draw(st.integers(0, 2)),
        "score": draw(_NUMBERS),
        "amount": draw(_NUMBERS),
    }
    facts |= {name: draw(_TEXTS) for name in (*SMALL_CODES, *LARGE_CODES) if name != "landing"}
    facts |= {ATTRIBUTE + name: draw(_TEXTS) for name in draw(st.sets(st.sampled_from("pqr")))}
    return facts


def _batch(events: Sequence[Facts]) -> list[Facts]:
    """One event an id, the last told."""
    return list({one["event_id"]: one for one in events}.values())


@dataclass(frozen=True)
class _Telling:
    """One delivery: what it tells of, and which earlier ones it stands for from now on."""

    events: list[Facts]
    superseded: list[int]


_TELLINGS = st.lists(
    st.builds(
        _Telling,
        st.lists(_events(), max_size=8).map(_batch),
        st.lists(st.integers(0, 5), max_size=2),
    ),
    min_size=1,
    max_size=5,
)


def _facts_of(one: Facts) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name not in ("landing", "row")}


def _modelled(tellings: Sequence[_Telling]) -> dict[str, Facts]:
    """What a dictionary would hold: the law that the store is held against."""
    held: dict[str, Facts] = {}
    gone: set[str] = set()
    for number, telling in enumerate(tellings):
        gone |= {f"d{which}" for which in telling.superseded if which < number}
        held = {name: one for name, one in held.items() if one["landing"] not in gone}
        for one in telling.events:
            known = held.get(one["event_id"])
            # Facts that the store never heard of are missing, as those that are told as missing.
            if known is None or _present(known) != _present(one):
                held[one["event_id"]] = {**one, "landing": f"d{number}"}
    return held


def _present(one: Facts) -> dict[str, Any]:
    return {name: value for name, value in _facts_of(one).items() if value is not None}


@settings(max_examples=16, deadline=None)
@given(tellings=_TELLINGS)
def test_whatever_is_told_corrected_and_withdrawn_the_store_holds_what_a_dictionary_would(
    tellings: list[_Telling],
):
    with tempfile.TemporaryDirectory() as folder, patch.object(os, "fsync"):
        writer = Writer(EventStore(Path(folder)))
        gone: set[int] = set()
        meanings: dict[str, list[str]] = {}
        for number, telling in enumerate(tellings):
            goes = {which for which in telling.superseded if which < number} - gone
            gone |= goes
            absorbed = writer.absorb(
                frame(*telling.events), f"d{number}", superseded=[f"d{which}" for which in goes]
            )
            before = _modelled(tellings[:number])
            after = _modelled(tellings[: number + 1])
            assert sum(counts(absorbed)[:3]) == len(telling.events)
            assert absorbed.new == len([one for one in telling.events if one["event_id"] not in before])
            assert absorbed.withdrawn == len(before.keys() - after.keys())
            assert absorbed.state.rows == len(after)
            values = {name: list(codes) for name, codes in absorbed.state.codebook.values.items()}
            for name, known in meanings.items():
                assert values[name][: len(known)] == known  # a code never changes its meaning
            meanings = values
        wanted = frame(*_modelled(tellings).values()).sort("event_id")
        found = told(writer.store.head())
        assert found.select(wanted.columns).equals(wanted)
        others = [name for name in found.columns if name not in wanted.columns]
        assert all(found[name].null_count() == found.height for name in others)


@settings(max_examples=10, deadline=None)
@given(events=st.lists(_events(), min_size=1, max_size=14), data=st.data())
def test_any_split_of_the_same_tellings_into_batches_gives_the_same_store(
    events: list[Facts], data: st.DataObject
):
    cuts = sorted(data.draw(st.sets(st.integers(1, len(events)), max_size=4)))
    batches = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    with tempfile.TemporaryDirectory() as folder, patch.object(os, "fsync"):
        at_once, in_parts = (Writer(EventStore(Path(folder) / name)) for name in ("once", "parts"))
        once = told(at_once.absorb(frame(*_batch(events))).state)
        for batch in batches:
            in_parts.absorb(frame(*_batch(batch)))
        parts = told(in_parts.store.head())
        assert once.equals(told(EventStore(Path(folder) / "once").head()))
        assert (
            parts.drop("landing", "row")
            .select(once.drop("landing", "row").columns)
            .equals(once.drop("landing", "row"))
        )


# How a month lies on the disk


def test_a_row_group_has_all_events_of_its_customers_in_order(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(months_module, "BUCKET_ROWS", 8)
    start = day("2026-03-01")
    facts = [
        event(f"{number:03}", customer=number * 7 % 23, occurred_at=start - timedelta(hours=number))
        for number in range(64)
    ]
    month = writer.absorb(frame(*facts)).state.event_files[0]
    file = pq.ParquetFile(writer.store.folder / month.path)
    assert file.num_row_groups == months_module.bucket_count(month.rows) == 4
    groups = [pl.DataFrame(file.read_row_group(number)) for number in range(file.num_row_groups)]
    whole = pl.concat(groups)
    assert whole.equals(whole.sort("customer", "occurred_at", "event_id"))
    assert whole.height == month.rows
    assert [group.height for group in groups] == [11, 13, 13, 14], (
        "a quarter each, without cutting a customer"
    )
    assert sum(group["customer"].n_unique() for group in groups) == 23


def test_a_customer_with_more_than_a_bucket_has_one_and_none_is_empty(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(months_module, "BUCKET_ROWS", 1)
    told = [event(str(number), customer=2 if number else 9) for number in range(8)]
    state = writer.absorb(frame(*told)).state
    file = pq.ParquetFile(state.folder / state.months["2026-03"].files[0].path)
    rows = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert rows == [7, 1]
    assert state.scan(["customer"]).collect()["customer"].to_list() == [2] * 7 + [9]


@pytest.mark.parametrize(
    ("rows", "buckets"), [(0, 1), (1, 1), (131_071, 1), (131_072, 2), (262_144, 4), (10**9, 64)]
)
def test_buckets_are_a_power_of_two_of_at_least_65_536_events_each(rows: int, buckets: int):
    assert months_module.bucket_count(rows) == buckets


def test_codes_are_small_integers_and_what_every_pass_reads_is_fast_to_read(writer: Writer):
    state = writer.absorb(
        frame(event("a", channel="web", attribute_kind="x", attribute_size=1.0), numbers=["attribute_size"])
    ).state
    metadata = pq.read_metadata(state.folder / state.months["2026-03"].files[0].path)
    group = metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    logical = {name: str(metadata.schema.column(i).logical_type) for i, name in enumerate(columns)}
    assert {name for name, column in columns.items() if column.compression == "ZSTD"} == {"event_id"}
    assert columns["occurred_at"].compression == "UNCOMPRESSED"
    assert "BYTE_STREAM_SPLIT" in columns["recorded_at"].encodings
    assert {name for name, column in columns.items() if column.is_stats_set} == {"landing"}
    for name in SMALL_CODES:
        assert (columns[name].physical_type, logical[name]) == ("INT32", "Int(bitWidth=16, isSigned=false)")
    for name in (*LARGE_CODES, "customer", "row", "attribute_kind"):
        assert (columns[name].physical_type, logical[name]) == ("INT32", "Int(bitWidth=32, isSigned=false)")
    assert columns["attribute_size"].physical_type == "DOUBLE"
    assert columns["occurred_at"].physical_type == "INT64"
    assert columns["event_id"].physical_type == "BYTE_ARRAY"


# Kills, second writers, damage


def test_absorbing_dies_at_any_step_and_the_store_is_as_before_or_as_after(tmp_path: Path):
    folders = iter(tmp_path / str(number) for number in range(200))
    first = frame(event("a"), event("b", occurred_at=day("2026-04-01")))
    second = frame(event("a", score=1.0), event("c", channel="web", occurred_at=day("2026-05-01")))

    Writer(EventStore(tmp_path / "first")).absorb(first)

    def prepare() -> Writer:
        folder = Path(shutil.copytree(tmp_path / "first", next(folders)))
        return Writer(EventStore(folder), [delivery("d1")])

    def judge(writer: Writer) -> None:
        left = EventStore(writer.store.folder).head()
        assert (left.number, ids(left)) in [(1, ["a", "b"]), (2, ["a", "b", "c"])]
        assert all(path.exists() for path in left.files())
        if left.number == 1:
            writer.deliveries.pop()
            assert counts(writer.absorb(second)) == (1, 0, 1, 0)
        assert told(writer.store.head())["score"].to_list() == [1.0, None, None]
        writer.store.sweep(LATE, commits=1)
        head = writer.store.head()
        on_disk = {path for path in writer.store.folder.rglob("*") if path.is_file()}
        assert on_disk == head.files() | {writer.store.manifests.path(2)}

    assert every_death(prepare, lambda writer: writer.absorb(second), judge) > 20


def test_of_two_writers_on_one_commit_the_second_learns_of_it_and_nothing_is_lost(tmp_path: Path):
    one, two = (Writer(EventStore(tmp_path)) for _ in range(2))
    state = one.absorb(frame(event("a"))).state
    one.absorb(frame(event("b")))
    with pytest.raises(StoreError, match=r"00000002\.json: was written by another run meanwhile"):
        two.store.absorb(state, frame(event("c")), [delivery("d9")], Resolution())
    assert ids(two.store.head()) == ["a", "b"]
    assert counts(one.absorb(frame(event("c")))) == (1, 0, 0, 0)
    assert ids(two.store.head()) == ["a", "b", "c"]


def _damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("hurt", "what"),
    [
        (Path.unlink, "is missing."),
        (_damaged, "is damaged: its content"),
        (_flipped, "is damaged: its content"),
    ],
    ids=["missing", "cut", "one bit"],
)
@pytest.mark.parametrize("part", ["events", "codes", "identity"])
def test_a_file_that_is_missing_cut_or_changed_is_told_with_a_remedy_and_never_read(
    writer: Writer, part: str, hurt: Any, what: str
):
    writer.absorb(frame(event("a", channel="web"), event("b", occurred_at=day("2026-04-01"))))
    files = {
        "events": writer.store.head().months["2026-04"].files[0].path,
        "codes": writer.store.head().codes["channel"][0],
        "identity": writer.store.head().identity["aliases"],
    }
    path = writer.store.folder / files[part]
    hurt(path)
    # What is not read is only seen to be there, and whole by its length: an event of that file has it read.
    known = event("b", occurred_at=day("2026-04-01"))
    for use in (lambda: told(writer.store.head()), lambda: writer.absorb(frame(event("c"), known))):
        with pytest.raises(StoreError) as error:
            use()
        assert str(error.value).startswith(f"{path}: {what}")
        assert "Restore it from a backup; or, if the inbox still has every delivery" in str(error.value)
    assert writer.store.head().number == 1


def test_a_landed_frame_that_was_cut_is_told(tmp_path: Path):
    store = EventStore(tmp_path)
    path = store.land("survey", "answers", "rows", pl.DataFrame({"x": [1, 2]}))
    assert store.landed(path)["x"].to_list() == [1, 2]
    _damaged(tmp_path / path)
    with pytest.raises(StoreError, match="is damaged"):
        store.landed(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("months", None),
        ("months", {"2026-03": {"pfad": "x"}}),
        ("deliveries", [{"id": "d1"}]),
        ("codes", ...),
    ],
    ids=["no months", "a month otherwise", "half a delivery", "no codes"],
)
def test_a_commit_that_cannot_be_understood_is_told_with_its_file(writer: Writer, key: str, value: Any):
    import json

    writer.absorb(frame(event("a")))
    path = writer.store.manifests.path(1)
    content = json.loads(path.read_bytes())
    if value is ...:
        del content[key]
    else:
        content[key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(
        StoreError, match=r"00000001\.json: is damaged: it cannot be understood: .*Restore it"
    ):
        writer.store.head()


# Sweeping


def test_a_sweep_takes_nothing_that_a_kept_commit_refers_to(writer: Writer):
    for number in range(8):
        writer.absorb(frame(event("a", score=float(number)), event(str(number), channel=f"c{number}")))
    numbers = writer.store.manifests.numbers()
    assert writer.store.sweep(LATE, commits=3) > 0
    assert writer.store.manifests.numbers() == numbers[-3:]
    kept = [writer.store._state(number) for number in numbers[-3:]]  # noqa: SLF001 - there is no other way back
    assert all(path.exists() for state in kept for path in state.files())
    assert [told(state).height for state in kept] == [7, 8, 9]
    assert writer.store.sweep(LATE, commits=3) == 0


def test_a_sweep_takes_nothing_within_the_grace(writer: Writer):
    for number in range(8):
        writer.absorb(frame(event("a", score=float(number))))
    before = set(writer.store.folder.rglob("*"))
    (writer.store.folder / "events/.2026-03.killed.part").touch()
    assert writer.store.sweep(datetime.now(UTC).timestamp() - 3600, commits=1) == 0  # noqa: TID251 - files are young by the real clock
    assert set(writer.store.folder.rglob("*")) > before


def test_what_a_reader_opened_within_the_grace_stays_though_it_was_written_long_ago(writer: Writer):
    old = writer.absorb(frame(event("a"))).state
    writer.absorb(frame(event("a", score=1.0)))
    for path in (*old.files(), writer.store.manifests.path(1)):
        os.utime(path, (1, 1))
    # The first commit is ancient, but it was the newest until just now.
    writer.store.sweep(datetime.now(UTC).timestamp() - 3600, commits=1)  # noqa: TID251 - as above
    assert told(old)["score"].to_list() == [None]


def test_a_sweep_dies_at_any_step_and_the_kept_commits_are_whole(tmp_path: Path):
    folders = iter(tmp_path / str(number) for number in range(200))

    first = Writer(EventStore(tmp_path / "first"))
    for number in range(4):
        first.absorb(frame(event("a", score=float(number))))

    def prepare() -> Writer:
        return Writer(EventStore(Path(shutil.copytree(tmp_path / "first", next(folders)))))

    def judge(writer: Writer) -> None:
        for number in writer.store.manifests.numbers():
            assert all(path.exists() for path in writer.store._state(number).files())  # noqa: SLF001 - as above
        assert told(writer.store.head())["score"].to_list() == [3.0]

    assert every_death(prepare, lambda writer: writer.store.sweep(LATE, commits=2), judge) > 3
