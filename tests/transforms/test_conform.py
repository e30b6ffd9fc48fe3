"""Texts become typed values by their contract; what was there and cannot be read breaks a rule."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from contracts.feeds import Stream
from contracts.odcs import Property, SchemaObject
from transforms.conform import TEXT, conform, strptime_format, violations, with_reasons

BERLIN = "Europe/Berlin"


def stream(**more: Any) -> Stream:
    return Stream.model_validate({"name": "s", "files": "x", "format": "csv", "contract": "c", **more})


def judged(values: list[str | None], column: dict[str, Any], **more: Any) -> list[tuple[object, str | None]]:
    """Each text's value and the rules it breaks."""
    shape = SchemaObject(name="rows", properties=(Property.model_validate({"name": "x", **column}),))
    rows = conform(pl.DataFrame({"x": values}, schema={"x": pl.String}), shape, stream(**more), BERLIN)
    assert rows[TEXT + "x"].to_list() == values
    return with_reasons(rows, violations(shape, stream(**more))).select("x", "reasons").rows()


def values(texts: list[str | None], column: dict[str, Any], **more: Any) -> list[object]:
    return [value for value, _ in judged(texts, column, **more)]


def test_whole_numbers_are_whole():
    read = judged(
        ["5", " -7 ", "+3", "007", "4.0", "1e3", "9223372036854775808", "٣", ""], {"logicalType": "integer"}
    )
    assert read == [(5, None), (-7, None), (3, None), (7, None), *[(None, "x.type")] * 4, (None, None)]


def test_numbers_are_finite_and_written_as_declared():
    texts = ["1.5", " 2 ", "1e3", "-.5", "1,5", "nan", "inf", "-Infinity", "0x10", "1_000"]
    assert values(texts, {"logicalType": "number"}) == [1.5, 2.0, 1000.0, -0.5, *[None] * 6]
    assert judged(["1,5", "1.234", "1.234,5", "7"], {"logicalType": "number"}, decimal=",") == [
        (1.5, None), (None, "x.type"), (None, "x.type"), (7.0, None)]  # fmt: skip


def test_flags_are_said_in_a_few_words():
    texts = ["true", "F", " Yes ", "0", "1", "on", "2"]
    assert values(texts, {"logicalType": "boolean"}) == [True, False, True, False, True, None, None]


def test_days_exist():
    texts = ["2026-02-28", "2026-02-29", "28.02.2026", "0000-01-01", "20260228"]
    assert values(texts, {"logicalType": "date"}) == [date(2026, 2, 28), None, None, None, None]
    german = {"logicalType": "date", "logicalTypeOptions": {"format": "d.M.yyyy"},
              "customProperties": [{"property": "formats", "value": ["yyyyMMdd"]}]}  # fmt: skip
    assert values(texts, german) == [None, None, date(2026, 2, 28), None, date(2026, 2, 28)]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-02-10 09:00:00", "08:00:00"),
        ("2026-02-10T09:00:00", "08:00:00"),
        ("2026-02-10T09:00:00Z", "09:00:00"),
        ("2026-02-10T09:00:00+03:00", "06:00:00"),
        ("2026-02-10T09:00:00.5+03", "06:00:00.500000"),
        ("2026-02-10 09:00:00.25", "08:00:00.250000"),
        ("2026-02-10 09:00:00+01:00", "08:00:00"),
        (" 2026-02-10 09:00:00 ", "08:00:00"),
    ],
)
def test_instants_are_iso_8601_unless_the_contract_says_otherwise(text: str, utc: str):
    assert values([text, "2026-02-10 09:00:00"], {"logicalType": "timestamp"})[0] == datetime.fromisoformat(
        f"2026-02-10T{utc}+00:00"
    )


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-10",
        "09:00",
        "2026-02-30 09:00:00",
        "2026-02-10 24:00:00",
        "0000-01-01 00:00:00",
        "+12026-01-01 00:00:00",
        "now",
    ],
)
def test_what_is_no_instant_breaks_its_type(text: str):
    assert judged([text], {"logicalType": "timestamp"}) == [(None, "x.type")]


def test_at_the_changes_of_the_clock_the_earlier_counts_and_what_never_was_is_none():
    autumn, spring = "2025-10-26 02:30:00", "2025-03-30 02:30:00"
    assert judged([autumn, spring], {"logicalType": "timestamp"}) == [
        (datetime(2025, 10, 26, 0, 30, tzinfo=UTC), None), (None, "x.type")]  # fmt: skip
    utc = {"logicalType": "timestamp", "logicalTypeOptions": {"defaultTimezone": "UTC"}}
    assert values([spring], utc) == [datetime(2025, 3, 30, 2, 30, tzinfo=UTC)]


def test_a_contract_can_want_an_offset_or_none():
    texts = ["2026-02-10 09:00:00", "2026-02-10T09:00:00Z"]
    with_offset = {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}
    without = {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": False}}
    assert [value is None for value in values(texts, with_offset)] == [True, False]
    assert [value is None for value in values(texts, without)] == [False, True]


def test_nulls_are_missing_and_break_no_type():
    column = {"logicalType": "integer", "required": True}
    read = judged(["NA", " - ", "", "  ", None, "5", "x"], column, nulls=["NA", "-"])
    assert read == [*[(None, "x.required")] * 5, (5, None), (None, "x.type")]


def test_a_key_is_required_whether_it_says_so_or_not():
    assert judged(["", "1"], {"primaryKey": True}) == [(None, "x.required"), ("1", None)]


def test_limits_are_kept():
    assert [r for _, r in judged(["1", "5", "6", "0", ""], {"logicalType": "integer", "logicalTypeOptions": {"minimum": 1, "maximum": 5}})] == [
        None, None, "x.maximum", "x.minimum", None]  # fmt: skip
    options = {"pattern": "^[a-z]+$", "minLength": 2, "maxLength": 3}
    assert [r for _, r in judged(["ab", "a", "abcd", "a1", "größ", ""], {"logicalTypeOptions": options})] == [
        None, "x.minLength", "x.maxLength", "x.pattern", "x.pattern, x.maxLength", None]  # fmt: skip
    assert [r for _, r in judged(["a", "b", "A", ""], {"enum": [{"value": "a"}]})] == [
        None,
        "x.enum",
        "x.enum",
        None,
    ]


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        ("d/M/yyyy HH:mm", "%d/%m/%Y %H:%M"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "%Y-%m-%dT%H:%M:%S.%3f%#z"),
        ("yyyyMMddHHmmss", "%Y%m%d%H%M%S"),
        ("hh:mm a, dd.MM.yyyy", "%I:%M %p, %d.%m.%Y"),
        ("'at' H 'o''clock' 100%", "at %H o'clock 100%%"),
    ],
)
def test_a_jdk_pattern_is_a_strptime_format(pattern: str, made: str):
    assert strptime_format(pattern) == made


@pytest.mark.parametrize(
    "pattern", ["yyyy-MMM-dd", "EEE d M yyyy", "dddd", "yy", "yyyy-MM-ddTHH", "yyyy 'open"]
)
def test_a_part_that_is_not_read_is_refused_by_name(pattern: str):
    with pytest.raises(ValueError, match=r"date pattern .* has .*Use yyyy, MM"):
        strptime_format(pattern)
