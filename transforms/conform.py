"""Texts to typed values, and the rows that break their contract set aside.

A value that was there and cannot be read is a violation, never a silent null.
"""

import re
from collections.abc import Iterator, Sequence

import polars as pl

from contracts.feeds import Stream
from contracts.odcs import Property, SchemaObject

TEXT = "text."
"""Prefix under which a conformed frame keeps the text that a column was delivered as."""

_JDK = (
    ("yyyy", "%Y"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("hh", "%I"),
    ("mm", "%M"),
    ("ss", "%S"),
    ("SSS", "%3f"),
    ("XXX", "%:z"),
    ("M", "%m"),
    ("d", "%d"),
    ("H", "%H"),
    ("h", "%I"),
    ("a", "%p"),
    ("X", "%#z"),
    ("Z", "%z"),
)
_TRUE, _FALSE = ["true", "t", "yes", "y", "1"], ["false", "f", "no", "n", "0"]


def strptime_format(pattern: str) -> str:
    """A JDK date pattern as a strptime format: `d/M/yyyy HH:mm` is `%d/%m/%Y %H:%M`.

    Raises:
        ValueError: The pattern has a letter that we do not read.
    """
    made, rest = "", pattern
    while rest:
        if rest.startswith("'"):
            literal, _, rest = rest[1:].partition("'")
            made += literal
            continue
        for letters, code in sorted(_JDK, key=lambda pair: -len(pair[0])):
            if rest.startswith(letters):
                made, rest = made + code, rest[len(letters) :]
                break
        else:
            if rest[0].isalpha():
                message = f"date pattern {pattern!r} has {rest[0]!r}. Use y, M, d, H, h, m, s, S, a, X."
                raise ValueError(message)
            made, rest = made + rest[0], rest[1:]
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
    nulls = ["", *stream.nulls]
    named = [pl.col(p.name).alias(TEXT + p.name) for p in shape.properties]
    cleaned = rows.with_columns(named).with_columns(
        pl.when(~pl.col(p.name).str.strip_chars().is_in(nulls)).then(p.name).alias(p.name)
        for p in shape.properties
    )
    return cleaned.with_columns(_typed(p, stream, timezone).alias(p.name) for p in shape.properties)


def _typed(column: Property, stream: Stream, timezone: str) -> pl.Expr:
    text = pl.col(column.name)
    bare = text.str.strip_chars()
    match column.logicalType:
        case "integer":
            return bare.cast(pl.Int64, strict=False)
        case "number":
            plain = bare.str.replace(",", ".", literal=True) if stream.decimal == "," else bare
            return plain.cast(pl.Float64, strict=False)
        case "boolean":
            lower = bare.str.to_lowercase()
            return pl.when(lower.is_in(_TRUE)).then(True).when(lower.is_in(_FALSE)).then(False)
        case "date":
            formats = [strptime_format(f) for f in column.formats] or ["%Y-%m-%d"]
            return pl.coalesce(bare.str.to_date(f, strict=False) for f in formats)
        case "timestamp":
            return _instant(column, bare, timezone)
        case _:
            return text


def _instant(column: Property, bare: pl.Expr, timezone: str) -> pl.Expr:
    formats = [strptime_format(f) for f in column.formats]
    zone = column.logicalTypeOptions.defaultTimezone or timezone
    tried = []
    for pattern in formats or ["%Y-%m-%dT%H:%M:%S%#z", "%Y-%m-%d %H:%M:%S"]:
        if re.search(r"%[:#]?z", pattern):
            tried.append(bare.str.to_datetime(pattern, time_unit="us", time_zone="UTC", strict=False))
        else:
            local = bare.str.to_datetime(pattern, time_unit="us", strict=False)
            placed = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
            tried.append(placed.dt.convert_time_zone("UTC"))
    return pl.coalesce(tried)


def violations(shape: SchemaObject) -> list[tuple[str, pl.Expr]]:
    """The contract's rules as (name, what a broken row satisfies), over a conformed frame.

    Names are `column.rule`, or the id of a rule over whole rows. Never null. Uniqueness of the
    primary key is not among them: it depends on which row came first.
    """
    found = [rule for column in shape.properties for rule in _of_column(column)]
    found += [(rule.id, pl.sql_expr(rule.broken)) for rule in shape.quality if rule.severity == "error"]
    return [(name, broken.fill_null(value=False)) for name, broken in found]


def _of_column(column: Property) -> Iterator[tuple[str, pl.Expr]]:
    value, options = pl.col(column.name), column.logicalTypeOptions
    delivered = pl.col(TEXT + column.name)
    if column.required:
        yield f"{column.name}.required", delivered.is_null() | (delivered.str.strip_chars() == "")
    if column.logicalType != "string":
        yield f"{column.name}.type", value.is_null() & (delivered.str.strip_chars() != "")
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
