"""Contracts as other tools read them: published tables from their classes, feeds from their files.

ODCS v3.2, JSON Schema, and suites of Great Expectations; `contract_suite` makes those of feeds.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from contracts.contract_suite import Expected, suite, typed_words
from contracts.dictionary import column_notes, sections, summary
from contracts.odcs import DataContract, Property, SchemaObject
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


def table_suite(table: type[Table]) -> dict[str, Any]:
    """A table as a suite of Great Expectations, of its own expectations only: any of its engines runs it.

    The table's rules over several columns are not among them; `meta.rules` names those. They are checked
    before every release.
    """
    columns, key = table.columns(), list(table.primary_key())
    words = {"column_set": list(columns), "exact_match": False}
    expected = [Expected("columns", "expect_table_columns_to_match_set", words)]
    for name, column in columns.items():
        expected += _expected_of(name, column)
    if len(key) == 1:
        expected.append(Expected("grain", "expect_column_values_to_be_unique", {"column": key[0]}))
    elif key:
        expected.append(Expected("grain", "expect_compound_columns_to_be_unique", {"column_list": key}))
    every = table._validation_rules(with_cast=False)  # noqa: SLF001 - dataframely lists them nowhere else
    rules = sorted(name for name in every if "|" not in name and name != "primary_key")
    return suite(table.table_name(), expected, {"table": table.table_name(), "rules": rules})


def _expected_of(name: str, column: Any) -> Iterator[Expected]:  # noqa: ANN401 - dataframely's
    if not column.nullable:
        yield Expected(f"{name}.required", "expect_column_values_to_not_be_null", {"column": name})
    if isinstance(column.dtype, pl.Enum):
        words = {"column": name, "value_set": list(column.dtype.categories)}
        yield Expected(f"{name}.enum", "expect_column_values_to_be_in_set", words)
    if limits := _limits(column):
        bounds = {f"{limit[:3]}_value": bound for limit, bound in limits.items()}
        yield Expected(f"{name}.range", "expect_column_values_to_be_between", {"column": name, **bounds})


def feed_json_schema(contract: DataContract, shape: SchemaObject) -> dict[str, Any]:
    """One row of a feed, typed, as JSON Schema (draft 2020-12): null where a value is missing.

    Uniqueness, references and rules over several columns are nothing that one row can say.
    """
    required = [p.name for p in shape.properties if p.is_required]
    return {
        "$schema": JSON_SCHEMA,
        "$id": f"urn:answerable:contract:{contract.id}:{contract.version}:{shape.name}",
        "title": f"{contract.label}#{shape.name}",
        **({"description": shape.description} if shape.description else {}),
        "type": "object",
        "properties": {p.name: _json_property(p) for p in shape.properties},
        "required": required,
    }


def _json_property(column: Property) -> dict[str, Any]:
    options = column.logicalTypeOptions
    limits = ("pattern", "minimum", "maximum", "minLength", "maxLength")
    said = {
        **({"description": column.description} if column.description else {}),
        **{name: value for name in limits if (value := getattr(options, name)) is not None},
    }
    words = typed_words([one.value for one in column.enum], column) if column.enum else None
    return _json_value(column.logicalType, said, words, is_nullable=not column.is_required)


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
    words = list(kind.categories) if isinstance(kind, pl.Enum) else None
    said = {"description": note["description"], **limits}
    return _json_value(_logical(kind), said, words, is_nullable=note["nullable"])


def _json_value(
    logical: str, said: Mapping[str, Any], words: Sequence[Any] | None, *, is_nullable: bool
) -> dict[str, Any]:
    """One value's schema: its type, what else is said of it, and the words that it may be."""
    word = {"timestamp": "string", "date": "string"}.get(logical, logical)
    made: dict[str, Any] = {"type": [word, "null"] if is_nullable else word, **said}
    if logical in ("timestamp", "date"):
        made["format"] = "date-time" if logical == "timestamp" else "date"
    if words is not None:
        made["enum"] = [*words, *([None] if is_nullable else [])]
    return made
