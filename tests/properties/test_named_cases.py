"""Cases by the month of their opening: a key stands for rows, whatever the codes are that they are stored as."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from contracts.documents import parse
from contracts.events import INSTANT, Codebook
from contracts.map_checks import assemble
from contracts.tables import FactCase
from contracts.tenures import tenures
from flows import named_cases
from flows.named_cases import NamedCases, _bits
from transforms.credit import Credit
from transforms.renewed import Renewed
from transforms.slots import slots
from warehouse.coder import Hashes

MAP = """
people: [{id: ada, name: Ada}, {id: ben, name: Ben}]
seats: [{id: desk, name: Desk, team: care, holders: [{person: ada, until: DAY}, {person: ben, from: DAY}]}]
teams: [{id: care, name: Care}]
touchpoints: [{id: help, name: Help, stage: engage, accountable: desk}]
"""
BOOK = {
    "feed": ["desk"],
    "subject_id": ["T1", "T2", "T3", "T4"],
    "channel": ["mail", "phone"],
    "actor_team": ["Front"],
}
MONTHS = (1, 1, 2, 3)


def named(
    book: dict[str, list[str]] = BOOK,
    day: str = "2026-03-10",
    customers: tuple[str, ...] = ("c1", "c2"),
    **changed: object,
) -> NamedCases:
    """Four cases: two of January, one of February, one of March."""
    atlas = assemble([parse(MAP.replace("DAY", day), "map.yaml")], ZoneInfo("UTC"))
    whole = slots(
        tenures(atlas),
        ["help"],
        datetime(2026, 1, 1, tzinfo=UTC).date(),
        datetime(2026, 4, 1, tzinfo=UTC).date(),
        ZoneInfo("UTC"),
    )
    opened = pl.Series([datetime(2026, month, 15, tzinfo=UTC) for month in MONTHS], dtype=INSTANT)
    ids = pl.Series([book["subject_id"].index(f"T{n}") + 1 for n in (1, 2, 3, 4)], dtype=pl.UInt32)
    count = pl.Series([1] * 4, dtype=pl.Int64)
    cases = pl.DataFrame(
        {
            "feed": pl.Series([1] * 4, dtype=pl.UInt16),
            "subject_id": ids,
            "touchpoint": pl.Series([1] * 4, dtype=pl.UInt16),
            "channel": pl.Series(
                [book["channel"].index(c) + 1 for c in ("mail", "mail", "phone", "mail")], dtype=pl.UInt16
            ),
            "customer": pl.Series(
                [customers.index(c) + 1 for c in ("c1", "c2", "c2", "c1")], dtype=pl.UInt32
            ),
            "opened_at": opened,
            **{
                f"{name}_at": pl.Series([None] * 4, dtype=INSTANT)
                for name in ("first_response", "resolved", "closed")
            },
            **{
                f"{name}_hours": pl.Series([None] * 4, dtype=pl.Float64)
                for name in ("first_response", "resolution", "closing")
            },
            **dict.fromkeys(("event_count", "reopened_count", "group_count", "handoff_count"), count),
            **dict.fromkeys(("is_ping_pong", "is_direct_ping_pong"), pl.Series([False] * 4)),
            **dict.fromkeys(("first_group", "last_group"), pl.Series([0] * 4, dtype=pl.UInt16)),
        }
    ).with_columns(slot_opened=whole.find(pl.col("opened_at")), **changed)
    known = pl.Series(customers)
    codebook = Codebook(book)

    def hashes(column: str) -> Hashes:
        texts = known if column == "customer" else codebook.series(column)[1:]
        return Hashes("any", [texts.hash().to_numpy()])

    def texts(column: str, codes: np.ndarray) -> pl.Series:
        return known[codes - 1] if column == "customer" else codebook.series(column)[codes]

    return NamedCases(Renewed.whole(cases), Credit(atlas, whole), codebook, lambda: known, hashes, texts)


@pytest.fixture(autouse=True)
def _by_month(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_cases, "ONE_FILE_ROWS", 3)
    monkeypatch.setattr(named_cases, "PART_ROWS", 1)


def instants(*told: str) -> pl.Series:
    return pl.Series(told).str.to_datetime(time_unit="us", time_zone="UTC")


def keys(cases: NamedCases, salt: str = "") -> dict[str, str]:
    return {one.period: one.key for one in cases.blocks(salt)}


def changed(one: NamedCases, other: NamedCases) -> list[str]:
    first, second = keys(one), keys(other)
    assert first.keys() == second.keys()
    return [month for month in first if first[month] != second[month]]


def test_every_case_is_in_the_block_of_its_month():
    cases = named()
    blocks = cases.blocks("")
    assert [one.period for one in blocks] == ["2026-01", "2026-02", "2026-03"]
    assert [sorted(cases.rows(one.places)["case_id"]) for one in blocks] == [["T1", "T2"], ["T3"], ["T4"]]
    assert len(keys(cases)) == len(set(keys(cases).values())) == 3


def test_a_block_is_looked_for_only_where_cases_of_its_time_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(named_cases, "STEP", 2)
    cases = named()
    for block in cases.blocks(""):
        some = cases.rows(block.places, within=block.within, as_few=True)
        kinds = cases.rows(block.places).schema
        assert some.cast(dict(kinds)).equals(cases.rows(block.places))
        assert all(some[name].dtype == pl.Enum for name in ("feed", "owner_id", "channel"))


def test_nothing_that_rows_differ_in_is_lost_in_their_hashes():
    told = [None, 0, 1, -1, 1 << 32, 1 << 62, -(1 << 63)]
    numbers = [_bits(pl.Series(told, dtype=pl.Int64)), _bits(pl.Series([None, 0.0, 0.5, -0.5, 2.0**900]))]
    assert [len(set(bits.tolist())) for bits in numbers] == [len(told), 5]
    flags = [_bits(pl.Series(one)).tolist() for one in ([None, True, False], [False, True])]
    assert len(set(flags[0])) == 3
    assert flags[1] == flags[0][2:0:-1]


@pytest.mark.parametrize(
    ("rows", "periods"),
    [
        (1, ["2026-01", "2026-03", "2027-01"]),
        (2, ["2026-Q1", "2027-Q1"]),
        (4, ["2026", "2027"]),
    ],
)
def test_where_months_have_few_cases_files_are_of_quarters_or_years(
    monkeypatch: pytest.MonkeyPatch, rows: int, periods: list[str]
):
    monkeypatch.setattr(named_cases, "PART_ROWS", rows)
    moments = instants("2026-01-01 00:00", "2026-01-31 23:59", "2026-03-31 23:59", "2027-01-01 00:00")
    cases = named(opened_at=moments)
    blocks = cases.blocks("")
    assert [one.period for one in blocks] == periods
    told = [cases.rows(one.places)["opened_at"].to_list() for one in blocks]
    assert [one.count for one in blocks] == [len(one) for one in told]
    assert sorted(moment for one in told for moment in one) == moments.to_list()


def test_every_case_is_of_one_month_of_those_that_are_compared_apart(monkeypatch: pytest.MonkeyPatch):
    moments = instants("2026-02-01 00:00", "2025-12-31 23:59", "2026-02-28 23:59", "2026-05-01 00:00")
    cases = named(opened_at=moments)
    months = [cases.rows(where)["opened_at"].to_list() for where in cases.by_month()]
    assert months == [[moments[1]], [moments[0], moments[2]], [moments[3]]]
    assert named(opened_at=pl.lit(moments[0])).by_month() == [None]
    monkeypatch.setattr(named_cases, "ONE_FILE_ROWS", 4)
    assert cases.by_month() == [None]


def test_a_month_that_begins_does_not_change_what_files_are_of(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(named_cases, "PART_ROWS", 2)
    before = named(opened_at=instants("2026-01-01", "2026-01-02", "2026-02-01", "2026-02-02"))
    begun = named(opened_at=instants("2026-01-01", "2026-01-02", "2026-01-03", "2026-02-01"))
    assert [one.period for one in before.blocks("")] == ["2026-01", "2026-02"]
    assert [one.period for one in begun.blocks("")] == ["2026-01", "2026-02"]


def test_few_cases_are_one_block_and_none_are_one_without_rows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(named_cases, "ONE_FILE_ROWS", 4)
    (block,) = named().blocks("")
    assert (block.period, block.places) == ("", None)
    none = NamedCases(
        Renewed.whole(pl.DataFrame()),
        named().credit,
        Codebook({}),
        pl.Series,
        lambda _: np.empty(0),
        lambda *_: pl.Series(dtype=pl.String),
    )
    (block,) = none.blocks("")
    assert none.rows(block.places).equals(FactCase.empty())


def test_codes_may_change_as_long_as_they_stand_for_the_same():
    turned = {**BOOK, "subject_id": BOOK["subject_id"][::-1], "channel": ["phone", "mail"]}
    other = named(turned, customers=("c3", "c2", "c1"))
    one, two = (cases.rows().select(FactCase.column_names()).sort("case_id") for cases in (named(), other))
    assert one.equals(two)
    assert keys(other) == keys(named())


@pytest.mark.parametrize(
    ("other", "months"),
    [
        (named(day="2026-03-20"), ["2026-03"]),
        (named(day="2026-02-01"), ["2026-02"]),
        (named({**BOOK, "subject_id": ["T1", "T2", "T3", "T4"], "channel": ["mail", "fax"]} | {"channel": ["mail", "phone"]}), []),
        (named(event_count=pl.when(pl.col("subject_id") == 3).then(2).otherwise("event_count").cast(pl.Int64)), ["2026-02"]),
        (named(closed_at=pl.when(pl.col("subject_id") == 1).then(pl.col("opened_at"))), ["2026-01"]),
        (named(customer=pl.when(pl.col("subject_id") == 4).then(2).otherwise("customer").cast(pl.UInt32)), ["2026-03"]),
        (named(last_group=pl.when(pl.col("subject_id") < 3).then(1).otherwise(0).cast(pl.UInt16)), ["2026-01"]),
        (named(touchpoint=pl.when(pl.col("subject_id") == 2).then(0).otherwise(1).cast(pl.UInt16)), ["2026-01"]),
    ],
    ids=["owner later", "owner earlier", "nothing", "count", "closing", "customer", "groups", "touchpoint"],
)  # fmt: skip
def test_only_the_months_whose_rows_change_have_other_keys(other: NamedCases, months: list[str]):
    assert changed(named(), other) == months


@pytest.mark.parametrize("column", ["subject_id", "channel", "customer"])
def test_another_meaning_is_another_key(column: str):
    if column == "customer":
        other = named(customers=("c1", "c2"))
        renamed = pl.Series(["c1", "moved"])
        told = Hashes("any", [renamed.hash().to_numpy()])
        other = NamedCases(
            other.made,
            other.credit,
            other.codebook,
            lambda: renamed,
            lambda c: told if c == "customer" else named().fingerprints(c),
            other.texts,
        )
        assert changed(named(), other) == ["2026-01", "2026-02"]
    else:
        one = named()
        book = {**BOOK, column: ["moved", *BOOK[column][1:]]}
        texts = {name: Hashes("any", [pl.Series(values).hash().to_numpy()]) for name, values in book.items()}
        other = NamedCases(
            one.made,
            one.credit,
            Codebook(book),
            one.customer_keys,
            lambda c: one.fingerprints(c) if c == "customer" else texts[c],
            one.texts,
        )
        assert "2026-01" in changed(one, other)


def test_what_else_a_file_is_made_of_is_in_every_key():
    assert not set(keys(named(), "one").values()) & set(keys(named(), "other").values())


def test_rows_that_trade_their_values_have_another_key():
    swapped = pl.when(pl.col("subject_id") == 1).then(2).when(pl.col("subject_id") == 2).then(1)
    one = named(event_count=pl.col("subject_id").cast(pl.Int64))
    other = named(event_count=swapped.otherwise("subject_id").cast(pl.Int64))
    assert changed(one, other) == ["2026-01"]


def test_a_case_told_of_twice_is_not_put_into_two_files():
    cases = named()
    rows = cases.made.old
    twice = NamedCases(
        Renewed.whole(pl.concat([rows, rows.tail(1).with_columns(opened_at=rows["opened_at"][0])])),
        cases.credit,
        cases.codebook,
        cases.customer_keys,
        cases.fingerprints,
        cases.texts,
    )
    assert [one.period for one in twice.blocks("")] == [""]


def test_keys_do_not_hang_on_how_many_cases_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch):
    whole = keys(named())
    monkeypatch.setattr(named_cases, "HASHED_ROWS", 1)
    assert keys(named()) == whole
