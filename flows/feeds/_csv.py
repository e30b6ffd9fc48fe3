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
# The module refuses fields beyond 128 KiB unless told; lines are bounded by the stream's own limit.
csv.field_size_limit(1 << 30)


def read_csv(lines: Lines, stream: Stream, shape: SchemaObject, name: str) -> Reading:
    """The records of a CSV file.

    Records without a quote are split in one go, the others one by one. A last line without its end
    counts like any other: whether it was cut within its last field cannot be seen.

    Raises:
        FeedError: The header cannot be read, lacks a column of the contract, or has it twice.
    """
    header, body = _header(lines, stream, name)
    positions = _positions(header, stream, shape, name)
    quoted = _Quoted.of(body, stream, positions, len(header))
    plain = body.pick(~quoted.taken).without_blank()
    fits = plain.count(stream.separator) == len(header) - 1
    rows = _split(plain.pick(fits), stream, positions, len(header))
    rows = pl.concat([rows, quoted.rows]).sort("line") if quoted.rows.height else rows
    return Reading(rows, (*lines.unreadable, *_misfits(plain, fits, stream, len(header)), *quoted.unreadable))


def _header(lines: Lines, stream: Stream, name: str) -> tuple[list[str], Lines]:
    """The names of the columns, and the lines below them."""
    written = np.flatnonzero(lines.ends > lines.starts)
    first = int(lines.numbers[written[0]]) if len(written) else 0
    lost = min(lines.unreadable, key=lambda one: one.line, default=None)
    if lost and (not first or lost.line < first):
        what = f"has no readable header: line {lost.line} cannot be read as text ({lost.reason})."
        raise FeedError.at(name, what, "Deliver it as text, and declare the 'encoding' it is in.")
    following = _Following(lines, int(written[0]))
    try:
        fields = next(csv.reader(following, delimiter=stream.separator, strict=True))
    except csv.Error:
        what = "has no readable header: its quotes do not match."
        raise FeedError.at(name, what, "Mend its first line.") from None
    return [field.strip() for field in fields], lines.pick(np.arange(following.index, len(lines)))


def _positions(header: list[str], stream: Stream, shape: SchemaObject, name: str) -> dict[str, int]:
    """Where each column of the contract stands."""
    wanted = {column.name: column.header for column in shape.properties}
    missing = [h for h in wanted.values() if h not in header]
    if missing:
        columns = "column" if len(missing) == 1 else "columns"
        what = f"lacks {columns} {', '.join(map(repr, missing))}."
        other = [c for c in _LIKELY_SEPARATORS if c != stream.separator and c in header[0]]
        if len(header) == 1 and other:
            raise FeedError.at(name, what, f"The header reads as one column: is the separator {other[0]!r}?")
        if len(missing) == len(wanted):
            raise FeedError.at(name, what, "Is its first line the header?")
        raise FeedError.at(name, what, did_you_mean(missing[0], set(header)))
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
    if table.height != len(lines):
        message = f"{len(lines)} lines were split into {table.height} rows"
        raise AssertionError(message)
    return table.with_columns(line=pl.Series(lines.numbers, dtype=pl.UInt32))


def _misfits(lines: Lines, fits: np.ndarray, stream: Stream, width: int) -> Iterator[Unreadable]:
    fields = lines.count(stream.separator) + 1
    for index in np.flatnonzero(~fits).tolist():
        yield Unreadable(int(lines.numbers[index]), _misfit(int(fields[index]), width), lines.text(index))


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
        quoted = lines.count(_QUOTE) > 0
        taken = quoted.copy()
        kept: list[list[str]] = []
        numbers: list[int] = []
        unreadable: list[Unreadable] = []
        for first, fields, used in _records(lines, quoted, stream, width):
            if len(fields) == width:
                taken[first : first + used] = True
                numbers.append(int(lines.numbers[first]))
                kept.append(fields)
                continue
            reason = _misfit(len(fields), width) if used == 1 else "line.bad_quotes"
            unreadable.append(Unreadable(int(lines.numbers[first]), reason, lines.text(first)))
        columns = {name: [fields[positions[name]] or None for fields in kept] for name in names}
        return cls(_frame(columns, numbers), unreadable, taken)


def _records(
    lines: Lines, quoted: np.ndarray, stream: Stream, width: int
) -> Iterator[tuple[int, list[str], int]]:
    """Records that begin on a line with a quote: the line, the fields, and how many lines they take up.

    What follows a record that never ends, or ends wrong, may be sound: only its first line is lost.
    """
    at = 0
    while (at := _next(quoted, at)) < len(lines):
        following = _Following(lines, at)
        reader = csv.reader(following, delimiter=stream.separator, strict=True)
        try:
            for fields in reader:
                used = following.index - at
                yield at, fields, used
                at += used if len(fields) == width else 1
                if (used > 1 and len(fields) != width) or at >= len(lines) or not quoted[at]:
                    break
                following.begun = at
        except csv.Error:
            yield at, [], 0
            at += 1


def _next(quoted: np.ndarray, at: int) -> int:
    found = np.flatnonzero(quoted[at : at + _RECORD_LINES_MAX])
    if len(found):
        return at + int(found[0])
    found = np.flatnonzero(quoted[at:])
    return at + int(found[0]) if len(found) else len(quoted)


class _Following:
    """Lines one after the other, as far as one record may reach and no line is missing between.

    Attributes:
        index: The line that comes next.
        begun: The line on which the record at hand began.
    """

    def __init__(self, lines: Lines, first: int) -> None:
        self._lines = lines
        self.index = self.begun = first

    def __iter__(self) -> "_Following":
        return self

    def __next__(self) -> str:
        index, begun, numbers = self.index, self.begun, self._lines.numbers
        reaches = index < len(numbers) and index - begun < _RECORD_LINES_MAX
        if not reaches or numbers[index] - numbers[begun] != index - begun:
            raise StopIteration
        self.index += 1
        return self._lines.text(index) + "\n"


def _misfit(fields: int, width: int) -> str:
    return "line.too_few_fields" if fields < width else "line.too_many_fields"


def _frame(columns: dict[str, list[str | None]], numbers: list[int]) -> pl.DataFrame:
    texts = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return texts.with_columns(line=pl.Series(numbers, dtype=pl.UInt32))
