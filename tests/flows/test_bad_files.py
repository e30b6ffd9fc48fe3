"""Every way in which a delivered file is bad, in one run: each row is accepted, quarantined or a duplicate."""

import gzip
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.deliveries import Delivery
from flows.run import Outcome
from tests.conftest import ANSWERS_HEADER, FEED, ROOT, Sandbox, build_sandbox
from tests.flows.reading import rejects, take, words_below

ADDRESS = "planted.person@secret.example"  # an address that may lie nowhere below the warehouse
NUMBER = "+49 170 9876543"


@dataclass(frozen=True)
class File:
    """A file in the inbox and what it should give.

    Attributes:
        name: Below `inbox/`.
        content: Its bytes.
        counts: Rows read, accepted, quarantined, duplicate.
        reasons: Rules broken, by reason.
        held: A part of the reason it is held whole; empty when it is not.
    """

    name: str
    content: bytes
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    reasons: dict[str, int] = field(default_factory=dict)
    held: str = ""


def answer(name: str, **more: str) -> str:
    """One good answer; every field can be another."""
    fields = {
        "email": f"{name}@x.example",
        "at": "2026-02-10 09:00:00",
        "channel": "web",
        "about": "order",
        "score": "5",
        **more,
    }
    return ",".join([name, *fields.values()])


def answers(*rows: str, header: str = ANSWERS_HEADER, end: str = "\n", last: str | None = None) -> bytes:
    """A file of answers."""
    return (end.join([header, *rows]) + (end if last is None else last)).encode()


def csv(name: str, content: bytes, *counts: int, held: str = "", **reasons: int) -> File:
    """A file of answers and what it should give; `__` in a reason stands for a dot."""
    made = {reason.replace("__", "."): count for reason, count in reasons.items()}
    found = (counts[0], counts[1], counts[2], counts[3]) if counts else (0, 0, 0, 0)
    return File(f"answers_{name}", content, found, made, held)


CSV = [
    csv("bom.csv", "\ufeff".encode() + answers(answer("b1")), 1, 1, 0, 0),
    csv("crlf.csv", answers(answer("c1"), answer("c2"), end="\r\n"), 2, 2, 0, 0),
    csv("cr_only.csv", answers(answer("c3"), answer("c4"), end="\r"), 2, 2, 0, 0),
    csv("header_only.csv", answers(), held="has 0 rows, and rule 'row_count' says mustBeGreaterThan 0."),
    csv("header_only_without_end.csv", answers(last=""), held="has 0 rows, and rule 'row_count'"),
    csv("without_end.csv", answers(answer("e1"), answer("e2"), last=""), 2, 2, 0, 0),
    csv("cut.csv", answers(answer("e3"), "e4,e4@x.exa", last=""), 2, 1, 1, 0, line__too_few_fields=1),
    csv("cut_in_quotes.csv", answers(answer("e5"), answer("e6", about='"ord'), last=""), 2, 1, 1, 0,
        line__bad_quotes=1),
    csv("mixed.csv", answers(answer("m1"), answer("m2", about="größe"), answer("m3"))
        .replace("größe".encode(), "größe".encode("cp1252")), 3, 2, 1, 0, line__not_utf8=1),
    csv("copies.csv", answers(answer("d1"), answer("d1"), answer("d2"), answer("d2", score="1")), 4, 2, 1, 1,
        primary_key__unique=1),
    csv("long_ago.csv", answers(answer("o1", at="1969-12-31 23:59:59"), answer("o2", at="0000-01-01 00:00:00"),
        answer("o3", at="1970-01-02 00:00:00")), 3, 1, 2, 0, occurred_at__before_1970=1, answered_at__type=1),
    csv("far_ahead.csv", answers(answer("o4", at="2026-03-02 07:00:01"), answer("o5", at="12026-01-01 00:00:00"),
        answer("o6", at="2026-03-02 07:00:00")), 3, 1, 2, 0, occurred_at__in_the_future=1, answered_at__type=1),
    csv("clocks.csv", answers(answer("s1", at="2025-10-26 02:30:00"), answer("s2", at="2025-03-30 02:30:00"),
        answer("s3", at="2025-10-26T02:30:00+01:00"), answer("s4", at="2025-10-26T00:30:00.250Z")), 4, 3, 1, 0,
        answered_at__type=1),
    csv("newlines.csv", answers(answer("n1", about='"or\n\nder, ""urgent"""'), answer("n2")), 2, 2, 0, 0),
    csv("lost_quote.csv", answers(answer("l1"), answer("l2", about='"order'), answer("l3"),
        answer("l4", about='"order"'), answer("l5")), 5, 4, 1, 0, line__bad_quotes=1),
    csv("inches.csv", answers(answer("l6", about='5" pipe'), answer("l7"), answer("l8", about='6" pipe')),
        3, 3, 0, 0),
    csv("after_quote.csv", answers(answer("l9", about='"ord"er'), answer("la")), 2, 1, 1, 0, line__bad_quotes=1),
    csv("nul.csv", answers(answer("u1"), answer("u2", about="or\0der")), 2, 1, 1, 0, line__nul_byte=1),
    csv("ragged.csv", answers(answer("v1"), answer("v2") + ",more", "v3,a@x.example", "", answer("v4")), 4, 2, 2, 0,
        line__too_few_fields=1, line__too_many_fields=1),
    csv("blank_row.csv", answers(",,,,,", answer("w1")), 2, 1, 1, 0,
        about__required=1, answer_id__required=1, answered_at__required=1),
    csv("bad_values.csv", answers(answer("x1", score="6"), answer("x2", score="five"), answer("x3", channel="fax"),
        answer("x4", score="4.0"), answer("x5", score="")), 5, 1, 4, 0,
        satisfaction__maximum=1, satisfaction__type=2, channel__enum=1),
    csv("long_line.csv", answers(answer("k1"), answer("k2", about="x" * 1_000_001), answer("k3")), 3, 2, 1, 0,
        line__too_long=1),
    csv("more_columns.csv", answers(*(f"{row},z" for row in (answer("h1"), answer("h2"))),
        header=f"{ANSWERS_HEADER},note"), 2, 2, 0, 0),
    csv("empty.csv", b"", held="is empty. Deliver it again"),
    csv("blank.csv", b"\n\n\r\n", held="is empty. Deliver it again"),
    csv("no_column.csv", answers(answer("q1"), header=ANSWERS_HEADER.replace("about", "aboutt")),
        held="lacks column 'about'. Did you mean 'aboutt'?"),
    csv("twice.csv", answers(answer("q2") + ",x", header=f"{ANSWERS_HEADER},about"), held="has column 'about' twice."),
    csv("separator.csv", answers(answer("q3").replace(",", ";"), header=ANSWERS_HEADER.replace(",", ";")),
        held="is the separator ';'?"),
    csv("no_header.csv", answers(answer("q5"), header=answer("q4", email=ADDRESS)),
        held="Is its first line the header?"),
    csv("long_header.csv", answers(answer("q6"), header=f"{ANSWERS_HEADER},{'x' * 1_000_000}"),
        held="has no readable header: line 1 cannot be read as text (line.too_long)."),
    csv("binary.csv", bytes(range(256)) * 64, held="has no readable header: line 1"),
    csv("excel.csv", b"PK\x03\x04" + bytes(range(256)), held="is a ZIP archive or an Excel workbook, no csv."),
    csv("gzip.csv", gzip.compress(answers(answer("q7"))), held="its name does not end in .gz"),
    csv("utf16.csv", answers(answer("q8")).decode().encode("utf-16"), held="is UTF-16, not utf-8."),
    csv("told_of.csv", answers(answer("p1", email=ADDRESS), answer("p2", about=ADDRESS, channel=ADDRESS),
        answer("p3", email=ADDRESS) + ",more", answer("p4", email=ADDRESS, about='"x'),
        answer("p5", email=ADDRESS, about=f"call {NUMBER}").replace("web", "\0"),
        answer("p6", email=ADDRESS, score="9"), answer("p7", email=ADDRESS, about="y" * 3000) + f",{ADDRESS}"),
        7, 1, 6, 0, channel__enum=1, line__bad_quotes=1, line__nul_byte=1, line__too_many_fields=2,
        satisfaction__maximum=1),
]  # fmt: skip

FORMS = """
feed: forms
kind: file
owner: head_of_sales
streams:
  - {<<: &stream {format: csv, settle_seconds: 0, contract: contracts/forms.odcs.yaml#entries, events: &events [
      {kind: "'form.sent'", occurred_at: at, amount: amount, attributes: {note: note}}]},
    name: latin, files: inbox/latin*.csv, fallback_encoding: cp1252}
  - {<<: *stream, name: utf16, files: inbox/utf16*.csv, encoding: utf-16}
  - {<<: *stream, name: german, files: inbox/german*.csv, separator: ";", decimal: ",", nulls: [NA, "-"]}
  - {<<: *stream, name: packed, files: inbox/packed*.csv.gz}
  - {<<: *stream, name: lines, files: inbox/lines*.jsonl, format: jsonl}
  - {<<: *stream, name: items, files: inbox/items*.jsonl, format: jsonl, each: form.items,
    contract: contracts/forms.odcs.yaml#items}
  - {<<: *stream, name: nothing, files: inbox/nothing*.csv}
  - {<<: *stream, name: strict, files: inbox/strict*.csv, contract: contracts/forms.odcs.yaml#strict}
"""
FORMS_CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: forms
version: 1.0.0
status: active
schema:
  - name: entries
    customProperties: &rate [{property: maxQuarantineRate, value: 1.0}]
    properties: &columns
      - {name: entry_id, primaryKey: true, customProperties: [{property: identity, value: external_id}]}
      - {name: phone, classification: personal, customProperties: [{property: identity, value: phone}]}
      - {name: full_name, classification: personal}
      - {name: note}
      - {name: amount, logicalType: number}
      - {name: count, logicalType: integer}
      - {name: at, logicalType: timestamp, required: true}
  - name: items
    customProperties: *rate
    properties:
      - {name: entry_id, primaryKey: true}
      - {name: item_id, physicalName: form.items.id, primaryKey: true}
      - {name: amount, physicalName: form.items.price, logicalType: number}
      - {name: note, physicalName: form.title}
      - {name: at, logicalType: timestamp, required: true}
  - name: strict
    properties: *columns
"""
ENTRIES = "entry_id,phone,full_name,note,amount,count,at"
AT = "2026-02-10 09:00:00"


def entries(*rows: str, header: str = ENTRIES) -> bytes:
    """A file of forms: every row gets the time it was sent."""
    separator = ";" if ";" in header else ","
    return ("\n".join([header, *(f"{row}{separator}{AT}" for row in rows)]) + "\n").encode()


def lines(*records: object) -> bytes:
    """A file of JSON lines: texts as they are, other values as JSON."""
    return ("\n".join(one if isinstance(one, str) else json.dumps(one) for one in records) + "\n").encode()


def entry(name: str, **more: object) -> dict:
    """One good record."""
    return {"entry_id": name, "amount": 1.5, "at": "2026-02-10T09:00:00Z", **more}


PACKED = gzip.compress(entries(*(f"g{i},,,a note,1.5,1" for i in range(2000))), mtime=0)
GERMAN = ENTRIES.replace(",", ";")
OTHER = [
    File("latin.csv", entries("a1,,,groß,1,1", "a2,,,größe,1,1").replace("größe".encode(), b"gr\xf6\xdfe"), (2, 2, 0, 0)),
    File("latin_none.csv", entries("a3,,,ok,1,1", "a4,,,XX,1,1").replace(b"XX", b"\x81\xff"), (2, 1, 1, 0),
         {"line.not_utf8": 1}),
    File("utf16.csv", entries("b1,,,größe,1,1", "b2,,,x,1,1").decode().encode("utf-16"), (2, 2, 0, 0)),
    File("utf16_cut.csv", entries("b3,,,größe,1,1").decode().encode("utf-16")[:-1], held="is not utf-16: "),
    File("german.csv", entries("c1;;;1,2 km;1,5;1", "c2;;;x;1.234;1", "c3;;;NA;NA;-", "c4;;;x;inf;1", "c5;;;x;1e3;1",
                               "NA;;;x;1;1", header=GERMAN), (6, 3, 3, 0), {"amount.type": 2, "entry_id.required": 1}),
    File("packed.csv.gz", PACKED, (2000, 2000, 0, 0)),
    File("packed_cut.csv.gz", PACKED[: len(PACKED) // 2], held="is cut: its packing ends too early."),
    File("packed_bad.csv.gz", PACKED[:50] + b"\0\0\0\0" + PACKED[54:], held="Deliver it again."),
    File("packed_not.csv.gz", entries("g1,,,x,1,1"), held="is no sound gzip file"),
    File("lines.jsonl", lines(
        entry("d1", note="plain"), '{"entry_id": "d2", "at"', [entry("d3")], "null", "5", "", "   ",
        entry("d4", note={"text": "nested"}), entry("d5", note=["a"]), entry("d6", amount={"eur": 1}),
        '{"entry_id": "d7", "amount": NaN, "at": "2026-02-10 09:00:00"}', entry("d8", note=True, count=2.5),
        entry("d9", note=12345678901234567890123, count=9007199254740993), entry("da", count=2**70),
        '{"entry_id": "db", "note": "\\ud800", "at": "2026-02-10 09:00:00"}', "[" * 5000 + "]" * 5000,
        '{"entry_id": "dc", "amount": 1e400, "at": "2026-02-10 09:00:00"}', entry("dd", note="\u0000"),
    ), (16, 2, 14, 0), {"amount.type": 1, "count.type": 2, "line.not_an_object": 3, "line.not_json": 5, "line.nul_byte": 1,
                     "note.type": 2}),
    File("lines_escaped.jsonl", lines(entry("e1", note='or\nder, "x"; größe'), entry("e2", note="")), (2, 2, 0, 0)),
    File("lines_array.jsonl", lines([entry("e3"), entry("e4")]), (1, 0, 1, 0), {"line.not_an_object": 1}),
    File("lines_empty.jsonl", b"", held="is empty."),
    File("items.jsonl", lines(
        {**entry("f1"), "form": {"title": "two", "items": [{"id": 1, "price": 2.5}, {"id": 2, "price": 3}]}},
        {**entry("f2"), "form": {"title": "none", "items": []}}, {**entry("f3"), "form": {"title": "no list"}}, entry("f4"),
        {**entry("f5"), "form": {"title": "no list", "items": {"id": 7}}}, {**entry("f6"), "form": {"items": ["text", {"id": 8}]}},
    ), (8, 4, 4, 0), {"item_id.required": 4}),
    File("strict_held.csv", entries("h1,,,x,1,1", f"h2,{NUMBER},{ADDRESS},x,one,1"),
         held="1 of 2 rows broke the contract (amount.type 1), more than 5%. None of it counts."),
    File("strict.csv", entries(*(f"i{i},,,x,1,1" for i in range(19)), "i20,,,x,one,1"), (20, 19, 1, 0), {"amount.type": 1}),
]  # fmt: skip


@dataclass(frozen=True)
class Zoo:
    """A workspace whose inbox holds every bad file, run once.

    Attributes:
        root: The workspace.
        outcome: What the run did.
    """

    root: Path
    outcome: Outcome

    def delivery(self, name: str) -> Delivery:
        """What became of a file."""
        return next(d for d in self.outcome.deliveries if d.source == f"inbox/{name}")

    def rejects(self, name: str) -> pl.DataFrame:
        """Its rejects, from the landing."""
        return rejects(self.root, self.delivery(name))

    def events(self, name: str) -> pl.DataFrame:
        """Its events, from the landing."""
        return pl.read_parquet(self.root / "warehouse/store" / self.delivery(name).parts["events"])


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    sandbox = build_sandbox(tmp_path_factory.mktemp("zoo") / "workspace")
    sandbox.replace("contracts/survey.odcs.yaml", "value: 0.5", "value: 1.0")
    sandbox.write("feeds/forms.yaml", FORMS)
    sandbox.write("contracts/forms.odcs.yaml", FORMS_CONTRACT)
    for file in [*CSV, *OTHER]:
        sandbox.write(f"inbox/{file.name}", file.content)
    return Zoo(sandbox.root, sandbox.run())


@pytest.mark.parametrize("file", [*CSV, *OTHER], ids=lambda file: file.name)
def test_every_row_of_a_bad_file_is_accounted_for(zoo: Zoo, file: File):
    delivery = zoo.delivery(file.name)
    if file.held:
        assert delivery.state == "held"
        assert file.held in (delivery.reason or "")
        assert delivery.rows_accepted == delivery.event_count == 0
        return
    read, accepted, quarantined, duplicate = file.counts
    assert (delivery.state, delivery.rows_read, delivery.rows_accepted) == ("accepted", read, accepted)
    assert (delivery.rows_quarantined, delivery.rows_duplicate) == (quarantined, duplicate)
    assert delivery.reasons == file.reasons


@pytest.mark.parametrize(
    "file", [file for file in [*CSV, *OTHER] if file.counts[2]], ids=lambda file: file.name
)
def test_every_reject_is_kept_with_its_line_its_reason_and_what_stood_there(zoo: Zoo, file: File):
    kept = zoo.rejects(file.name)
    assert kept.columns == ["line", "item", "row", "reasons", "raw", "is_whole"]
    assert kept.height == file.counts[2]
    assert kept.select("line", "reasons", "raw", "is_whole").null_count().row(0) == (0, 0, 0, 0)
    assert kept.filter(pl.col("row").is_null(), pl.col("is_whole")).is_empty()
    assert (kept["raw"].str.len_chars() > 0).all()
    assert kept["line"].is_sorted()


def test_every_stream_balances_in_data_trust(zoo: Zoo):
    trust = pl.read_parquet(zoo.root / "warehouse/published/current/data_trust/*.parquet")
    total = pl.col("rows_accepted") + pl.col("rows_quarantined") + pl.col("rows_duplicate")
    assert trust.filter(pl.col("rows_read") != total).is_empty()
    read = sum(d.rows_read for d in zoo.outcome.deliveries)
    assert trust["rows_read"].sum() == read > 2000
    assert trust["held_file_count"].sum() == sum(bool(file.held) for file in [*CSV, *OTHER])


def test_a_stream_whose_glob_matches_nothing_is_there_with_no_rows(zoo: Zoo):
    trust = pl.read_parquet(zoo.root / "warehouse/published/current/data_trust/*.parquet")
    nothing = trust.filter(stream="nothing").select("file_count", "rows_read", "quarantine_share")
    assert nothing.rows() == [(0, 0, None)]


def test_every_accepted_row_of_these_streams_is_an_event_in_the_store(zoo: Zoo):
    told = sum(d.event_count for d in zoo.outcome.deliveries)
    assert told == sum(d.rows_accepted for d in zoo.outcome.deliveries) == zoo.outcome.absorbed.state.rows


def test_no_address_and_no_number_lies_anywhere_below_the_warehouse(zoo: Zoo):
    needles = ("secret.example", "planted.person", "9876543", "987 6543")
    found = {
        path.name: needle
        for path, text in words_below(zoo.root / "warehouse")
        for needle in needles
        if needle in text
    }
    assert found == {}


def test_what_told_of_a_person_stands_as_a_token_in_rejects(zoo: Zoo):
    raw = "\n".join(zoo.rejects("answers_told_of.csv")["raw"])
    assert raw.count("mail_") >= 6
    assert "tel_" in raw
    assert "p3" in raw  # what tells of no person stands as it was delivered


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("answers_ragged.csv", [(3, "line.too_many_fields"), (4, "line.too_few_fields")]),
        ("answers_lost_quote.csv", [(3, "line.bad_quotes")]),
        ("answers_long_line.csv", [(3, "line.too_long")]),
        ("answers_mixed.csv", [(3, "line.not_utf8")]),
        ("answers_nul.csv", [(3, "line.nul_byte")]),
        ("answers_copies.csv", [(5, "primary_key.unique")]),
        ("latin_none.csv", [(3, "line.not_utf8")]),
    ],
)
def test_a_reject_names_the_line_in_the_file(zoo: Zoo, name: str, found: list[tuple[int, str]]):
    assert zoo.rejects(name).select("line", "reasons").rows() == found


def test_of_a_line_that_is_too_long_only_its_place_is_kept(zoo: Zoo):
    assert zoo.rejects("answers_long_line.csv")["raw"].to_list() == [
        "1000043 bytes from byte 103; the limit is 1000000"
    ]


def test_of_two_local_times_that_a_clock_showed_the_earlier_counts(zoo: Zoo):
    when = dict(zoo.events("answers_clocks.csv").select("event_id", "occurred_at").iter_rows())
    utc: Callable[..., datetime] = lambda *parts: datetime(2025, 10, 26, *parts, tzinfo=UTC)  # noqa: E731
    assert when["survey|answers|s1|survey.answered"] == utc(0, 30)
    assert when["survey|answers|s3|survey.answered"] == utc(1, 30)
    assert when["survey|answers|s4|survey.answered"] == utc(0, 30, 0, 250_000)


def test_a_quoted_field_keeps_its_line_ends_quotes_and_separators(zoo: Zoo):
    assert zoo.events("answers_newlines.csv")["attribute_about"].to_list() == ['or\n\nder, "urgent"', "order"]
    assert zoo.events("lines_escaped.jsonl")["attribute_note"].to_list() == ['or\nder, "x"; größe', None]


def test_texts_come_out_of_every_encoding_as_they_were_meant(zoo: Zoo):
    assert zoo.events("latin.csv")["attribute_note"].to_list() == ["groß", "größe"]
    assert zoo.events("utf16.csv")["attribute_note"].to_list() == ["größe", "x"]


def test_decimal_commas_and_nulls_are_read_as_declared(zoo: Zoo):
    told = zoo.events("german.csv").select("amount", "attribute_note")
    assert told.rows() == [(1.5, "1,2 km"), (None, None), (1000.0, "x")]


def test_a_long_number_in_json_stays_the_number_it_is(zoo: Zoo):
    told = zoo.events("lines.jsonl").select("attribute_note", "amount")
    assert told.rows() == [("plain", 1.5), ("12345678901234567890123", 1.5)]


def test_each_item_of_a_list_becomes_a_row_with_its_record(zoo: Zoo):
    told = zoo.events("items.jsonl").select("amount", "attribute_note").rows()
    assert told == [(2.5, "two"), (3.0, "two"), (None, "no list"), (None, None)]


def test_the_same_run_again_reads_nothing_and_publishes_the_same_bytes(zoo: Zoo):
    again = Sandbox(zoo.root).run()
    assert again.read == ()
    assert again.is_unchanged
    assert len(again.held) == sum(bool(file.held) for file in [*CSV, *OTHER])


def test_two_streams_that_match_one_file_judge_it_each_for_itself(sandbox: Sandbox):
    stream = FEED[FEED.index("  - name:") :]
    sandbox.write("feeds/survey.yaml", FEED + stream.replace("name: answers", "name: again"))
    sandbox.write("inbox/answers.csv", answers(answer("1"), answer("2", score="9")))
    outcome = sandbox.run()
    assert [(d.stream, d.rows_read, d.rows_accepted) for d in outcome.deliveries] == [
        ("answers", 2, 1),
        ("again", 2, 1),
    ]
    assert outcome.absorbed.state.rows == 2


# --- fuzz

SOUND = answers(*(answer(f"z{i}", about='"or, der"' if i % 3 == 0 else "order") for i in range(20)))


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A sound file with some bytes changed, lost or added."""
    content = bytearray(SOUND)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["flip", "cut", "lose", "separators", "insert", "double", "quote"])):
            case "flip" if content:
                content[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del content[at:]
            case "lose":
                del content[at : at + draw(st.integers(1, 40))]
            case "separators":
                content[at : at + 30] = content[at : at + 30].replace(b",", b"")
            case "insert":
                content[at:at] = draw(
                    st.sampled_from(
                        [b"\xff", b"\0", b"\r", b"\n\n", b"\r\n", b'"', b",,", b"\xc3\xa4", b"\x1a"]
                    )
                )
            case "double":
                content[at:at] = content[at : at + 200]
            case "quote":
                content[at : at + 1] = b'"'
    return bytes(content)


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return map(Path, (tmp_path_factory.mktemp("field") for _ in itertools.count()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=spoilt())
def test_whatever_becomes_of_a_file_every_row_is_accounted_for(fields: Iterator[Path], content: bytes):
    sandbox = build_sandbox(next(fields))
    sandbox.replace("contracts/survey.odcs.yaml", "value: 0.5", "value: 1.0")
    sandbox.write("inbox/answers.csv", content)
    taken = take(sandbox)
    delivery = taken.deliveries[0]
    counted = delivery.rows_accepted + delivery.rows_quarantined + delivery.rows_duplicate
    assert delivery.rows_read == counted
    if delivery.state == "held":
        assert delivery.reason
        return
    assert taken.absorbed.state.rows == delivery.event_count == delivery.rows_accepted
    if delivery.rows_quarantined:
        assert rejects(sandbox.root, delivery).height == delivery.rows_quarantined
    # Nothing is counted twice and no line is passed over: a row takes up at least one.
    lines_there = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n").count(b"\n")
    assert delivery.rows_read <= lines_there


MEASURED = """
import json, sys, time
from pathlib import Path
from flows.run import run_inline
from flows.workspace import load
started = time.process_time()
delivery = run_inline(load(Path(sys.argv[1]))).deliveries[0]
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({
    "peak_mb": int(peak.split()[1]) / 1024,
    "seconds": time.process_time() - started,
    "counts": [delivery.rows_read, delivery.rows_accepted, delivery.rows_quarantined],
}))
"""


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_line_of_200_mb_costs_neither_its_neighbours_nor_memory(sandbox: Sandbox, *, packed: bool):
    good = [answer(f"{i}") for i in range(1000)]
    name = "answers.csv.gz" if packed else "answers.csv"
    sandbox.replace("feeds/survey.yaml", "answers*.csv", "answers*.csv*")
    long = b'x,"' * 50_000_000
    with (gzip.open if packed else open)(
        sandbox.write(f"inbox/{name}", b""), "wb", *([1] if packed else [])
    ) as file:
        file.write(answers(*good[:500]) + long + b"\n" + answers(*good[501:], header=good[500]))
    del long
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(sandbox.root)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found = json.loads(done.stdout)
    assert found["counts"] == [1001, 1000, 1]
    assert found["peak_mb"] < 700
    assert found["seconds"] < 5
