"""One JSON object a line. Leaves become texts; a list named by `each` becomes rows."""

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson
import polars as pl

from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from contracts.readings import Reading, Unreadable
from flows.feeds._lines import Lines

_LONG_NUMBER = re.compile(rb"\d{16}")
"""Digits that a float cannot hold: the quick parser would round them, and an id would be another one."""
_Path = tuple[str, ...]


def read_jsonl(lines: Lines, stream: Stream, shape: SchemaObject, name: str) -> Reading:  # noqa: ARG001
    """The records of a JSON lines file: one row a record, or one for each item of `each`.

    An object or a list where the contract has a value makes the row unreadable: `column.type`.
    """
    paths = {column.name: tuple(column.header.split(".")) for column in shape.properties}
    each = tuple(stream.each.split(".")) if stream.each else ()
    texts: dict[str, list[str | None]] = {column: [] for column in paths}
    numbers: list[int] = []
    unreadable = list(lines.unreadable)
    for index in range(len(lines)):
        raw, number = lines.raw[lines.starts[index] : lines.ends[index]], int(lines.numbers[index])
        if not raw.strip():
            continue
        record, reason = _record(raw)
        if reason:
            unreadable.append(Unreadable(number, reason, raw.decode()))
            continue
        for row in _rows(record, each):
            found = {column: _at(row, path) for column, path in paths.items()}
            if reasons := ", ".join(_unfit(found)):
                unreadable.append(Unreadable(number, reasons, raw.decode()))
                continue
            numbers.append(number)
            for column, value in found.items():
                texts[column].append(_text(value, stream))
    rows = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))
    return Reading(rows.with_columns(line=pl.Series(numbers, dtype=pl.UInt32)), unreadable)


def _record(raw: bytes) -> tuple[dict[str, Any], str]:
    """The object on one line, or why there is none."""
    try:
        found = orjson.loads(raw)
        if _LONG_NUMBER.search(raw):
            found = json.loads(raw, parse_int=_Digits, parse_float=_Digits)
    except (ValueError, RecursionError):
        return {}, "line.not_json"
    return (found, "") if isinstance(found, dict) else ({}, "line.not_an_object")


def _unfit(found: dict[str, object]) -> Iterator[str]:
    """Why values cannot be texts: objects and lists, and the byte that no text has."""
    for column, value in found.items():
        if isinstance(value, dict | list):
            yield f"{column}.type"
    if any(isinstance(value, str) and "\0" in value for value in found.values()):
        yield "line.nul_byte"


class _Digits(str):
    """A number as it is written."""

    __slots__ = ()


def _rows(record: dict[str, Any], each: _Path) -> Iterator[dict[str, Any]]:
    """The record once for every item of its list, the item standing where the list stood."""
    items = _at(record, each) if each else None
    if not isinstance(items, list) or not items:
        # Without an item it still is a record: the contract says whether it may be.
        yield _with(record, each, None) if items == [] else record
        return
    for item in items:
        yield _with(record, each, item)


def _with(record: dict[str, Any], path: _Path, item: object) -> dict[str, Any]:
    head, *rest = path
    return {**record, head: _with(record[head], tuple(rest), item) if rest else item}


def _at(value: object, path: _Path) -> object:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _text(value: object, stream: Stream) -> str | None:
    if value is None or type(value) is str:
        return value
    # A number needs no decimal comma to be read, but the stream's texts do.
    written = str(value) if isinstance(value, _Digits) else orjson.dumps(value).decode()
    return written.replace(".", ",") if stream.decimal == "," and not isinstance(value, bool) else written
