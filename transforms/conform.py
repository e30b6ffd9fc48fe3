"""Texts to typed values, and the rows that break their contract set aside.

A value that was there and cannot be read is a violation, never a silent null.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

import polars as pl

from contracts.events import INSTANT
from contracts.feeds import Stream
from contracts.odcs import Property, SchemaObject

TEXT = "text."
"""Prefix under which a conformed frame keeps the text that a column was delivered as."""

_JDK = {
    "yyyy": "%Y",
    "MM": "%m",
    "M": "%m",
    "dd": "%d",
    "d": "%d",
    "HH": "%H",
    "H": "%H",
    "hh": "%I",
    "h": "%I",
    "mm": "%M",
    "ss": "%S",
    "SSS": "%3f",
    "SSSSSS": "%6f",
    "a": "%p",
    "X": "%#z",
    "XXX": "%#z",
    "Z": "%z",
}
"""strptime's directives by runs of one letter; a run that is not here is not read."""
_PART = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'")
_ISO = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%#z",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f%#z",
)
"""ISO 8601 to the second or finer, the forms that are quickest to read first."""
_YEARS = (datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - compared with local times
_TRUE, _FALSE = ["true", "t", "yes", "y", "1"], ["false", "f", "no", "n", "0"]


def strptime_format(pattern: str) -> str:
    """A JDK date pattern as a strptime format: `d/M/yyyy HH:mm` is `%d/%m/%Y %H:%M`.

    Raises:
        ValueError: The pattern has a part that we do not read.
    """
    made = ""
    for part in _PART.finditer(pattern):
        text = part[0]
        if part[1] is not None:
            made += part[1].replace("''", "'").replace("%", "%%") or "'"
        elif part[2] is None and text != "'":
            made += text.replace("%", "%%")
        elif text in _JDK:
            made += _JDK[text]
        else:
            message = f"date pattern {pattern!r} has {text!r}. Use {', '.join(_JDK)}, and '...' for texts."
            raise ValueError(message)
    return made


def conform(rows: pl.DataFrame, shape: SchemaObject, stream: Stream, timezone: str) -> pl.DataFrame:
    """Type a delivery's texts by its contract.

    Args:
        rows: One text column per property, under the property's name, and whatever else.
        shape: The contract's schema.
        stream: How the delivery writes nulls and decimals.
        timezone: Of times that carry no offset, unless the contract says otherwise.

    Returns:
        The same rows in the same order: typed columns under the property's names (null where a text
        cannot be read) and the texts under `TEXT` + name.
    """
    named = [pl.col(p.name).alias(TEXT + p.name) for p in shape.properties]
    cleaned = rows.with_columns(named).with_columns(
        pl.when(~missing(stream, p.name)).then(p.name).alias(p.name) for p in shape.properties
    )
    return cleaned.with_columns(
        _instants(p, cleaned[p.name], timezone)
        if p.logicalType == "timestamp"
        else _typed(p, stream).alias(p.name)
        for p in shape.properties
    )


def missing(stream: Stream, name: str) -> pl.Expr:
    """Whether a text stands for a missing value: it is null, empty, or one of the stream's nulls."""
    nulls = ["", *(text.strip() for text in stream.nulls)]
    return pl.col(name).str.strip_chars().is_in(nulls).fill_null(value=True)


def _typed(column: Property, stream: Stream) -> pl.Expr:
    text = pl.col(column.name)
    bare = text.str.strip_chars()
    match column.logicalType:
        case "integer":
            return bare.cast(pl.Int64, strict=False)
        case "number":
            read = _decimal(bare, stream).cast(pl.Float64, strict=False)
            return pl.when(read.is_finite()).then(read)
        case "boolean":
            lower = bare.str.to_lowercase()
            return pl.when(lower.is_in(_TRUE)).then(True).when(lower.is_in(_FALSE)).then(False)
        case "date":
            formats = [strptime_format(f) for f in column.formats] or ["%Y-%m-%d"]
            dates = pl.coalesce(bare.str.to_date(f, strict=False) for f in formats)
            first, last = _YEARS
            return pl.when(dates.is_between(first.date(), last.date())).then(dates)
        case _:
            return text


def _decimal(bare: pl.Expr, stream: Stream) -> pl.Expr:
    """Numbers with a decimal point. With a decimal comma a point is no number: it may part thousands."""
    if stream.decimal == ".":
        return bare
    return pl.when(~bare.str.contains(".", literal=True)).then(bare.str.replace(",", ".", literal=True))


def _instants(column: Property, texts: pl.Series, timezone: str) -> pl.Series:
    """Texts as instants; each format is only tried on what those before it could not read."""
    zone = column.logicalTypeOptions.defaultTimezone or timezone
    bare, nothing = texts.str.strip_chars(), texts.clear().extend_constant(None, texts.len())
    found = nothing.cast(INSTANT)
    for pattern in instant_formats(column):
        left = bare.is_not_null() & found.is_null()
        if not left.any():
            break
        tried = bare if left.all() else bare.zip_with(left, nothing)
        found = found.fill_null(
            tried.to_frame().select(_instant(pl.col(texts.name), pattern, zone)).to_series()
        )
    return found


def _instant(bare: pl.Expr, pattern: str, zone: str) -> pl.Expr:
    if has_offset(pattern):
        return _in_years(bare.str.to_datetime(pattern, time_unit="us", time_zone="UTC", strict=False), "UTC")
    return in_utc(_in_years(bare.str.to_datetime(pattern, time_unit="us", strict=False)), zone)


def instant_formats(column: Property) -> list[str]:
    """Strptime formats of a timestamp, in the order they are tried; ISO 8601 when it names none."""
    wants_offset = column.logicalTypeOptions.timezone
    formats = [strptime_format(f) for f in column.formats] or list(_ISO)
    return [f for f in formats if wants_offset is None or has_offset(f) == wants_offset]


def has_offset(strptime: str) -> bool:
    """Whether a strptime format reads an offset from UTC."""
    return re.search(r"%[:#]?z", strptime) is not None


def in_utc(local: pl.Expr, zone: str) -> pl.Expr:
    """Local times as instants: of two that a clock showed the earlier, of one it never showed null."""
    placed = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return placed.dt.convert_time_zone("UTC")


def _in_years(moment: pl.Expr, zone: str | None = None) -> pl.Expr:
    """Moments that a calendar date can hold anywhere on earth; others null."""
    first, last = (pl.lit(year).dt.replace_time_zone(zone) for year in _YEARS)
    return pl.when(moment.is_between(first, last)).then(moment)


def violations(shape: SchemaObject, stream: Stream) -> list[tuple[str, pl.Expr]]:
    """What a property promises by itself, as (`column.rule`, what a broken row satisfies).

    Over a conformed frame. Never null. A primary key's column is required whether it says so or not.
    Uniqueness is not among them, nor are relationships and rules of their own.
    """
    found = [rule for column in shape.properties for rule in _of_column(column, stream)]
    return [(name, broken.fill_null(value=False)) for name, broken in found]


def _of_column(column: Property, stream: Stream) -> Iterator[tuple[str, pl.Expr]]:
    value, options = pl.col(column.name), column.logicalTypeOptions
    delivered, is_missing = pl.col(TEXT + column.name), missing(stream, TEXT + column.name)
    if column.is_required:
        yield f"{column.name}.required", is_missing
    if column.logicalType != "string":
        yield f"{column.name}.type", value.is_null() & ~is_missing
    if column.enum:
        accepted = [one.value for one in column.enum]
        yield f"{column.name}.enum", ~delivered.is_in(accepted) & value.is_not_null()
    if options.pattern:
        yield f"{column.name}.pattern", ~value.cast(pl.String).str.contains(options.pattern)
    if options.minimum is not None:
        yield f"{column.name}.minimum", value < options.minimum
    if options.maximum is not None:
        yield f"{column.name}.maximum", value > options.maximum
    if options.minLength is not None:
        yield f"{column.name}.minLength", value.cast(pl.String).str.len_chars() < options.minLength
    if options.maxLength is not None:
        yield f"{column.name}.maxLength", value.cast(pl.String).str.len_chars() > options.maxLength


def with_reasons(rows: pl.DataFrame, rules: Sequence[tuple[str, pl.Expr]]) -> pl.DataFrame:
    """The rows with `reasons`: names of the rules they broke, joined by `, `; null when none."""
    if not rules:
        return rows.with_columns(reasons=pl.lit(None, dtype=pl.String))
    broken = pl.concat_str(
        [pl.when(rule).then(pl.lit(name)) for name, rule in rules], separator=", ", ignore_nulls=True
    )
    return rows.with_columns(reasons=pl.when(broken != "").then(broken))
