"""Our published tables as contracts that other tools read: ODCS v3.2 and JSON Schema, from their classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from contracts.dictionary import column_notes, sections, summary
from contracts.tables import TABLES, Table

ODCS_VERSION = "v3.2.0"
JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"


def odcs(tables: Sequence[type[Table]] = TABLES, version: str = "1.0.0") -> dict[str, Any]:
    """The tables as one ODCS contract: columns, types, keys, accepted words, limits.

    Args:
        tables: The tables.
        version: The contract's version.
    """
    return {
        "apiVersion": ODCS_VERSION,
        "kind": "DataContract",
        "id": "answerable-published",
        "name": "Published tables",
        "version": version,
        "status": "active",
        "description": {"purpose": "Who is accountable, is it meeting its goal, can we believe the number."},
        "schema": [_table(table) for table in tables],
    }


def json_schema(table: type[Table]) -> dict[str, Any]:
    """One row of a table as JSON Schema (draft 2020-12), as JSON exports write it."""
    notes = column_notes(table)
    return {
        "$schema": JSON_SCHEMA,
        "$id": f"urn:answerable:table:{table.table_name()}",
        "title": table.table_name(),
        "description": summary(table),
        "type": "object",
        "properties": {
            name: _json_column(column.dtype, notes[name], _limits(column))
            for name, column in table.columns().items()
        },
        "required": list(table.column_names()),
        "additionalProperties": False,
    }


def _table(table: type[Table]) -> dict[str, Any]:
    key, notes = table.primary_key(), column_notes(table)
    said = sections(table)
    return {
        "name": table.table_name(),
        "physicalType": "table",
        "logicalType": "object",
        "description": f"{summary(table)} Known limits: {said['Known limits']}",
        "dataGranularityDescription": said["Grain"],
        "properties": [_column(name, column, notes[name], key) for name, column in table.columns().items()],
    }


def _column(name: str, column: Any, note: Mapping[str, Any], key: Sequence[str]) -> dict[str, Any]:  # noqa: ANN401 - dataframely's
    made: dict[str, Any] = {
        "name": name,
        "logicalType": _logical(column.dtype),
        "physicalType": _physical(column.dtype),
        "description": note["description"],
        "required": not note["nullable"],
    }
    if name in key:
        made |= {"primaryKey": True, "primaryKeyPosition": list(key).index(name) + 1}
    if isinstance(column.dtype, pl.Enum):
        made["enum"] = [{"value": word} for word in column.dtype.categories]
    if limits := _limits(column):
        made["logicalTypeOptions"] = limits
    if note["unit"]:
        made["customProperties"] = [{"property": "unit", "value": note["unit"]}]
    return made


def _limits(column: Any) -> dict[str, Any]:  # noqa: ANN401 - dataframely's
    given = {"minimum": getattr(column, "min", None), "maximum": getattr(column, "max", None)}
    return {name: value for name, value in given.items() if isinstance(value, int | float)}


def _logical(kind: pl.DataType) -> str:
    if kind.is_integer():
        return "integer"
    if kind.is_float():
        return "number"
    return {pl.Boolean: "boolean", pl.Date: "date", pl.Datetime: "timestamp"}.get(type(kind), "string")


def _physical(kind: pl.DataType) -> str:
    if isinstance(kind, pl.Datetime):
        return "TIMESTAMP_TZ"
    known = {pl.Int64: "BIGINT", pl.Float64: "DOUBLE", pl.Boolean: "BOOLEAN", pl.Date: "DATE"}
    return known.get(type(kind), "VARCHAR")


def _json_column(kind: pl.DataType, note: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    logical = _logical(kind)
    word = {"timestamp": "string", "date": "string"}.get(logical, logical)
    made: dict[str, Any] = {
        "type": [word, "null"] if note["nullable"] else word,
        "description": note["description"],
        **limits,
    }
    if logical in ("timestamp", "date"):
        made["format"] = "date-time" if logical == "timestamp" else "date"
    if isinstance(kind, pl.Enum):
        made["enum"] = [*kind.categories, *([None] if note["nullable"] else [])]
    return made
