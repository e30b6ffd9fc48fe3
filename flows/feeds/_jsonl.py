"""One JSON object a line. Leaves become texts; a list named by `each` becomes rows."""

from collections.abc import Iterator
from typing import Any

import orjson
import polars as pl

from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from contracts.readings import Reading, Unreadable
from flows.feeds._lines import Lines


def read_jsonl(lines: Lines, stream: Stream, shape: SchemaObject, name: str) -> Reading:  # noqa: ARG001
    """The records of a JSON lines file: one row a record, or one for each item of `each`."""
    paths = {column.name: tuple(column.header.split(".")) for column in shape.properties}
    texts: dict[str, list[str | None]] = {column: [] for column in paths}
    numbers: list[int] = []
    unreadable = list(lines.unreadable)
    for index in range(len(lines)):
        record = _record(lines, index)
        if not isinstance(record, dict):
            reason = "line.not_json" if record is None else "line.not_an_object"
            unreadable.append(Unreadable(int(lines.numbers[index]), reason, lines.text(index)))
            continue
        for row in _rows(record, stream.each):
            numbers.append(int(lines.numbers[index]))
            for column, path in paths.items():
                texts[column].append(_text(_at(row, path)))
    rows = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))
    return Reading(rows.with_columns(line=pl.Series(numbers, dtype=pl.UInt32)), unreadable)


def _record(lines: Lines, index: int) -> object:
    try:
        return orjson.loads(lines.raw[lines.starts[index] : lines.ends[index]])
    except orjson.JSONDecodeError:
        return None


def _rows(record: dict[str, Any], each: str | None) -> Iterator[dict[str, Any]]:
    """The record once for every item of its list, the item standing where the list stood."""
    items = _at(record, tuple(each.split("."))) if each else None
    if not isinstance(items, list) or not items or each is None:
        yield record
        return
    for item in items:
        yield {**record, each: item}


def _at(value: object, path: tuple[str, ...]) -> object:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
