"""CSV with a header line: every record has as many fields as the header, or is set aside."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from contracts.errors import FeedError, did_you_mean
from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from contracts.readings import Reading, Unreadable
from flows.feeds._lines import Lines

_QUOTE = '"'
_RECORD_LINES_MAX = 100
"""A quoted field that runs over more lines has lost its closing quote."""
_LIKELY_SEPARATORS = ",;\t|"


def read_csv(lines: Lines, stream: Stream, shape: SchemaObject, name: str) -> Reading:
    """The records of a CSV file.

    Records without a quote are split in one go, the others one by one.

    Raises:
        FeedError: The header lacks a column of the contract, or has it twice.
    """
    if not len(lines):
        raise FeedError.at(name, "has no readable line.", "Deliver it again.")
    header = [field.strip() for field in next(csv.reader([lines.text(0)], delimiter=stream.separator))]
    positions = _positions(header, stream, shape, name)
    body = lines.pick(np.arange(1, len(lines)))
    quoted = _Quoted.of(body, stream, positions, len(header))
    plain = body.pick(~quoted.taken)
    fits = plain.count(stream.separator) == len(header) - 1
    rows = _split(plain.pick(fits), stream, positions, len(header))
    rows = pl.concat([rows, quoted.rows]).sort("line") if quoted.rows.height else rows
    return Reading(rows, (*lines.unreadable, *_misfits(plain, fits, stream, len(header)), *quoted.unreadable))


def _positions(header: list[str], stream: Stream, shape: SchemaObject, name: str) -> dict[str, int]:
    """Where each column of the contract stands."""
    wanted = {column.name: column.header for column in shape.properties}
    missing = [h for h in wanted.values() if h not in header]
    if missing:
        other = [c for c in _LIKELY_SEPARATORS if c != stream.separator and c in header[0]]
        remedy = (
            f"The header reads as one column: is the separator {other[0]!r}?"
            if len(header) == 1 and other
            else did_you_mean(missing[0], header)
        )
        raise FeedError.at(name, f"lacks column {', '.join(map(repr, missing))}.", remedy)
    doubled = [h for h in wanted.values() if header.count(h) > 1]
    if doubled:
        raise FeedError.at(name, f"has column {doubled[0]!r} twice.", "Deliver it once.")
    return {column: header.index(h) for column, h in wanted.items()}


def _split(lines: Lines, stream: Stream, positions: dict[str, int], width: int) -> pl.DataFrame:
    names = sorted(positions, key=lambda column: positions[column])
    if not len(lines):
        return _frame({column: [] for column in names}, [])
    by_position = {position: column for column, position in positions.items()}
    table = pl.read_csv(
        io.BytesIO(lines.joined()),
        has_header=False,
        new_columns=[by_position.get(position, f"#{position}") for position in range(width)],
        separator=stream.separator,
        quote_char=None,
        infer_schema=False,
    ).select(names)
    return table.with_columns(line=pl.Series(lines.numbers, dtype=pl.UInt32))


def _misfits(lines: Lines, fits: np.ndarray, stream: Stream, width: int) -> Iterator[Unreadable]:
    fields = lines.count(stream.separator) + 1
    for index in np.flatnonzero(~fits):
        few = fields[index] < width
        reason = "line.too_few_fields" if few else "line.too_many_fields"
        yield Unreadable(int(lines.numbers[index]), reason, lines.text(int(index)))


@dataclass(frozen=True)
class _Quoted:
    """Records with a quote in them.

    Attributes:
        rows: Those that could be read.
        unreadable: Those that could not.
        taken: Which lines they take up.
    """

    rows: pl.DataFrame
    unreadable: list[Unreadable]
    taken: np.ndarray

    @classmethod
    def of(cls, lines: Lines, stream: Stream, positions: dict[str, int], width: int) -> "_Quoted":
        names = sorted(positions, key=lambda column: positions[column])
        quotes = lines.count(_QUOTE)
        taken = quotes > 0
        columns: dict[str, list[str | None]] = {column: [] for column in names}
        numbers: list[int] = []
        unreadable: list[Unreadable] = []
        for first, last in _records(quotes):
            taken[first : last + 1] = True
            record = "\n".join(lines.text(i) for i in range(first, last + 1))
            fields, reason = _fields(record, stream, width)
            if reason:
                unreadable.append(Unreadable(int(lines.numbers[first]), reason, record))
                continue
            numbers.append(int(lines.numbers[first]))
            for column in names:
                columns[column].append(fields[positions[column]] or None)
        return cls(_frame(columns, numbers), unreadable, taken)


def _records(quotes: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last line of every record with a quote: a line with an odd number opens or closes one."""
    lines = np.flatnonzero(quotes)
    at = 0
    while at < len(lines):
        first = int(lines[at])
        if quotes[first] % 2 == 0:
            yield first, first
            at += 1
            continue
        closing = next((i for i in range(at + 1, len(lines)) if quotes[lines[i]] % 2), None)
        last = int(lines[closing]) if closing is not None else first
        if closing is None or last - first >= _RECORD_LINES_MAX:
            yield first, first  # the quote is never closed: only this line is lost
            at += 1
            continue
        yield first, last
        at = closing + 1


def _fields(record: str, stream: Stream, width: int) -> tuple[list[str], str]:
    """The fields of one record, or why it has none."""
    try:
        fields = next(csv.reader(io.StringIO(record, newline=""), delimiter=stream.separator, strict=True))
    except csv.Error:
        return [], "line.bad_quotes"
    if len(fields) != width:
        return [], "line.too_few_fields" if len(fields) < width else "line.too_many_fields"
    return fields, ""


def _frame(columns: dict[str, list[str | None]], numbers: list[int]) -> pl.DataFrame:
    texts = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return texts.with_columns(line=pl.Series(numbers, dtype=pl.UInt32))
