"""Rows become events by the feed's expressions; no event of a row is lost or takes another's place."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from contracts.events import EVENT
from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from contracts.readings import Reading
from transforms.identity import Hasher
from transforms.land import Landed, Recipe, land

LATEST = datetime(2026, 3, 1, tzinfo=UTC)
AT = "2026-02-10 09:00:00"
COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "id", "primaryKey": True},
    {"name": "at", "logicalType": "timestamp"},
    {"name": "nps", "logicalType": "integer"},
    {"name": "csat", "logicalType": "integer"},
)


def landed(rows: list[tuple], *events: dict[str, Any], columns: tuple = COLUMNS, **more: Any) -> Landed:
    """Rows of texts, landed by expressions."""
    shape = SchemaObject.model_validate({"name": "rows", "properties": list(columns)})
    told = [{"kind": "'a.b'", "occurred_at": "at", **event} for event in events]
    stream = Stream.model_validate(
        {"name": "s", "files": "x", "format": "csv", "contract": "c", "events": told, **more}
    )
    names = [p.name for p in shape.properties]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    numbered = frame.with_columns(line=pl.int_range(2, len(rows) + 2, dtype=pl.UInt32))
    recipe = Recipe("f", stream, shape, "Europe/Berlin", LATEST)
    return land(Reading(numbered), recipe, Hasher(b"sixteen letters!"), "delivery0001")


def ids(found: Landed) -> list[str]:
    return sorted(found.events["event_id"])


def test_an_event_is_known_by_feed_stream_key_and_kind():
    assert ids(landed([("1", AT, "9", "5")], {}, {"kind": "'a.c'", "key": "'x' || id"})) == [
        "f|s|1|a.b",
        "f|s|x1|a.c",
    ]


def test_parts_of_a_key_do_not_run_into_each_other():
    columns = ({"name": "a", "primaryKey": True}, {"name": "b", "primaryKey": True}, *COLUMNS[1:])
    rows = [
        ("x~", "y", AT, "", ""),
        ("x", "~y", AT, "", ""),
        ("x\\", "~y", AT, "", ""),
        ("x", "y", AT, "", ""),
    ]
    found = landed(rows, {}, columns=columns)
    assert found.events["event_id"].n_unique() == 4
    assert "f|s|x~y|a.b" in ids(found)


def test_keys_that_read_as_one_number_are_one_key():
    columns = ({"name": "id", "logicalType": "integer", "primaryKey": True}, *COLUMNS[1:])
    found = landed([("7", AT, "9", ""), ("07", AT, "1", ""), ("8", AT, "1", "")], {}, columns=columns)
    assert found.reasons == {"primary_key.unique": 1}
    assert ids(found) == ["f|s|7|a.b", "f|s|8|a.b"]


def test_without_a_key_every_row_is_a_fact():
    columns = ({"name": "id"}, *COLUMNS[1:])
    found = landed([("1", AT, "", "")] * 3, {}, columns=columns)
    assert (found.rows.height, found.rows_duplicate, found.events["event_id"].n_unique()) == (3, 0, 3)


def test_one_row_may_not_tell_one_event_in_two_ways():
    rows = [("1", AT, "9", "5"), ("2", AT, "5", "5"), ("3", AT, "9", "")]
    found = landed(
        rows, {"score": "nps", "when": "nps IS NOT NULL"}, {"score": "csat", "when": "csat IS NOT NULL"}
    )
    assert found.reasons == {"key.ambiguous": 1}  # the second row says the same twice, the third once
    assert ids(found.__class__(**{**vars(found), "events": found.events.unique()})) == [
        "f|s|2|a.b",
        "f|s|3|a.b",
    ]


def test_several_rows_may_tell_one_event_and_the_last_counts():
    found = landed([("1", AT, "1", ""), ("2", AT, "2", "")], {"key": "'one'", "score": "nps"})
    assert found.reasons == {}
    assert ids(found) == ["f|s|one|a.b"] * 2


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"kind": "CASE WHEN nps > 5 THEN 'a.b' END"}, "kind.missing"),
        ({"key": "CASE WHEN nps > 5 THEN id END"}, "key.missing"),
        ({"occurred_at": "CASE WHEN nps > 5 THEN at END"}, "occurred_at.missing"),
        (
            {"occurred_at": "CASE WHEN nps > 5 THEN at ELSE at + INTERVAL '1 year' END"},
            "occurred_at.in_the_future",
        ),
        (
            {"occurred_at": "CASE WHEN nps > 5 THEN at ELSE at - INTERVAL '60 years' END"},
            "occurred_at.before_1970",
        ),
        ({"score": "1 / (nps - 1)"}, "score.not_finite"),
        ({"amount": "CASE WHEN nps > 5 THEN 1 ELSE 1e15 END"}, "amount.too_large"),
        ({"attributes": {"ratio": "SQRT(nps - 5)"}}, "ratio.not_finite"),
    ],
)
def test_a_row_whose_event_is_unsound_is_a_reject(event: dict[str, Any], reason: str):
    found = landed([("1", AT, "9", ""), ("2", AT, "1", "")], event)
    assert (found.rows.height, found.rejects.height) == (1, 1)
    assert reason in found.reasons
    assert found.rejects["line"].to_list() == [3]
    assert found.events.height == 1


def test_a_duration_becomes_minutes():
    found = landed([("1", AT, "", "")], {"duration_minutes": "at - (at - INTERVAL '90 minutes')"})
    assert found.events["duration_minutes"].to_list() == [90.0]


def test_templates_of_different_types_go_together_and_keep_their_meaning():
    columns = (*COLUMNS, {"name": "day", "logicalType": "date"})
    found = landed([("1", AT, "9", "", "2026-02-10")], {"attributes": {"a": "nps"}},
                   {"kind": "'a.c'", "occurred_at": "day", "attributes": {"a": "'text'"}}, columns=columns)  # fmt: skip
    told = {
        kind: (when, a) for kind, when, a in found.events.select("kind", "occurred_at", "attribute_a").rows()
    }
    assert told["a.b"] == (datetime(2026, 2, 10, 8, tzinfo=UTC), "9.0")
    assert told["a.c"] == (datetime(2026, 2, 9, 23, tzinfo=UTC), "text")


def test_melted_columns_are_one_event_each():
    found = landed(
        [("1", AT, "9", "5"), ("2", AT, "", "4")],
        {"score": "answer", "attributes": {"question": "question"}, "when": "answer IS NOT NULL"},
        melt={"name": "question", "value": "answer", "columns": ["nps", "csat"]},
    )
    assert sorted(found.events.select("event_id", "score").rows()) == [
        ("f|s|1~csat|a.b", 5.0),
        ("f|s|1~nps|a.b", 9.0),
        ("f|s|2~csat|a.b", 4.0),
    ]


def test_a_stream_without_events_tells_none_in_their_columns():
    found = landed([("1", AT, "", "")])
    assert found.events.is_empty()
    assert dict(found.events.schema) == dict(EVENT)
    assert found.rows.height == 1
