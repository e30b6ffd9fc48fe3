"""The tables' classes as documentation and as Arrow schemas: descriptions travel with the data."""

import inspect
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.tables.base import Column, Table

HEADINGS = ("Grain", "Scope", "Late data", "Known limits", "Used by")


def ordered_columns(table: type[Table], extra: Mapping[str, Column] | None = None) -> list[str]:
    """Columns in published order: the grain, the table's own, what it shares with its like, extras."""
    return [*_ordered(table), *(extra or {})]


@cache
def _ordered(table: type[Table]) -> tuple[str, ...]:
    grain = table.primary_key()
    inherited = {
        name for base in table.__mro__[1:] if issubclass(base, Table) for name in base.column_names()
    }
    own = [name for name in table.column_names() if name not in inherited and name not in grain]
    shared = [name for name in table.column_names() if name in inherited and name not in grain]
    return (*grain, *own, *shared)


def summary(table: type[Table]) -> str:
    """The first sentence of a table's docstring."""
    return (inspect.getdoc(table) or "").partition("\n")[0]


def sections(table: type[Table]) -> dict[str, str]:
    """The fixed headings of a table's docstring and what they say."""
    found: dict[str, str] = {}
    heading = ""
    for line in (inspect.getdoc(table) or "").splitlines():
        name, colon, rest = line.partition(":")
        if colon and name in HEADINGS:
            heading, found[name] = name, rest.strip()
        elif heading and line.startswith(" "):
            found[heading] += " " + line.strip()
    return found


def column_notes(table: type[Table], extra: Mapping[str, Column] | None = None) -> dict[str, dict[str, Any]]:
    """Description, unit, type and nullability of every column, in published order."""
    notes = {name: dict(note) for name, note in _notes(table).items()}
    for name, added in (extra or {}).items():
        notes[name] = {
            "type": _type_name(added.dtype),
            "unit": added.unit,
            "nullable": True,
            "description": added.description,
        }
    return notes


@cache
def _notes(table: type[Table]) -> Mapping[str, Mapping[str, Any]]:
    columns = table.columns()
    return {
        name: {
            "type": _type_name(columns[name].dtype),
            "unit": (columns[name].metadata or {}).get("unit"),
            "nullable": columns[name].nullable,
            "description": columns[name].description,
        }
        for name in _ordered(table)
    }


def arrow_schema(table: type[Table], extra: Mapping[str, Column] | None = None) -> pa.Schema:
    """The table's Arrow schema: every field carries its description and unit."""
    return _plain_arrow_schema(table) if not extra else _arrow_schema(table, extra)


@cache
def _plain_arrow_schema(table: type[Table]) -> pa.Schema:
    return _arrow_schema(table, {})


def _arrow_schema(table: type[Table], extra: Mapping[str, Column]) -> pa.Schema:
    types = {**table.published_schema(), **{n: c.dtype for n, c in extra.items()}}
    fields = []
    for name, notes in column_notes(table, extra).items():
        told = {k: v for k in ("description", "unit") if (v := notes[k])}
        fields.append(pa.field(name, _arrow_type(types[name]), metadata=told))
    return pa.schema(fields)


@cache
def _arrow_type(kind: pl.DataType) -> pa.DataType:
    return pl.Series(dtype=kind).to_arrow(compat_level=pl.CompatLevel.oldest()).type


def parquet_metadata(table: type[Table], extra: Mapping[str, Column] | None = None) -> dict[str, str]:
    """Key-value metadata of the table's file: what it is and what its columns mean."""
    return {
        "answerable.table": table.table_name(),
        "answerable.summary": summary(table),
        "answerable.grain": ", ".join(table.primary_key()),
        "answerable.columns": json.dumps(column_notes(table, extra)),
    }


def layout(table: type[Table], extra: Mapping[str, Column] | None = None) -> str:
    """All that a file of the table says besides its rows: two that say the same have the same columns, of the same meaning."""
    schema = arrow_schema(table, extra).to_string(truncate_metadata=False)
    return schema + json.dumps(parquet_metadata(table, extra))


def _type_name(kind: pl.DataType) -> str:
    if isinstance(kind, pl.Enum):
        return " | ".join(kind.categories)
    if isinstance(kind, pl.Datetime):
        return "instant, UTC"
    names = {
        pl.String: "text",
        pl.Int64: "integer",
        pl.Float64: "number",
        pl.Boolean: "boolean",
        pl.Date: "date",
    }
    return names.get(type(kind), str(kind))
