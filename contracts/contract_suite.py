"""A contract as a suite of Great Expectations: plain values, which that library reads and never has to be here.

Each rule of the contract becomes one expectation whose `meta.rule` is the rule's name, so that results lead
back to it. Where Great Expectations has none that means the same, the ones that `contracts/gx_polars` adds are
used: rows that repeat an earlier one, SQL predicates, named references, tolerances over all rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Any

import polars as pl

from contracts.contract_rules import REPEATED_KEY, Quality, Severity
from contracts.odcs import DataContract, Property, SchemaObject

Values = dict[str, Any]
_SEVERITIES: Mapping[Severity, str] = {"error": "critical", "warning": "warning"}
_DTYPES = {"integer": "Int64", "number": "Float64", "date": "Date", "timestamp": "Datetime"}


@dataclass(frozen=True)
class Spelling:
    """How the columns of a table are called that a suite judges: by a prefix before a property's name.

    A typed table has one column for each property, and no prefixes. A delivery as landing judges it keeps
    texts beside what they were read as.

    Attributes:
        text: The text as it was delivered.
        given: The text where a value is there, else null.
        bare: That text without blanks around it.
        told: The token of a person.
    """

    text: str = ""
    given: str = ""
    bare: str = ""
    told: str = ""

    @property
    def is_typed(self) -> bool:
        """Whether there are only typed columns."""
        return not self.text


TYPED = Spelling()
WHOLE = ":integer"
"""Suffix of a reference whose values are whole numbers, because the column that points to it is."""


@dataclass(frozen=True)
class Expected:
    """A rule as an expectation.

    Attributes:
        rule: The rule's name.
        type: The expectation's type, as Great Expectations writes it.
        kwargs: Its arguments.
        severity: The rule's.
        meta: What else results should carry.
    """

    rule: str
    type: str
    kwargs: Mapping[str, Any]
    severity: Severity = "error"
    meta: Mapping[str, Any] | None = None

    def as_dict(self) -> Values:
        """The expectation as Great Expectations reads it."""
        meta = {"rule": self.rule, **(self.meta or {})}
        return {
            "type": self.type,
            "kwargs": dict(self.kwargs),
            "meta": meta,
            "severity": _SEVERITIES[self.severity],
        }


def suite(name: str, expected: Iterable[Expected], meta: Mapping[str, Any] | None = None) -> Values:
    """Expectations as a suite: what `ExpectationSuite(**values)` takes, and what its JSON files hold."""
    return {
        "name": name,
        "expectations": [one.as_dict() for one in expected],
        "meta": dict(meta or {}),
        "notes": None,
    }


def contract_suite(contract: DataContract, shape: SchemaObject, now: datetime | None = None) -> Values:
    """One schema of a contract as a suite over a typed table of its properties.

    Rows, their number, columns and freshness. What needs earlier deliveries (`volumeBaseline`) or decides on
    whole ones (`maxQuarantineRate`) stands in the suite's `meta`.

    Args:
        contract: The contract.
        shape: One of its schemas.
        now: The instant that freshness counts from. Without it the suite has a parameter for the oldest
            instant allowed, `<column>_since`, which a checkpoint passes: `expectation_parameters={...}`.
    """
    baseline = shape.volume_baseline
    meta = {
        "contract": contract.label,
        "schema": shape.name,
        "maxQuarantineRate": shape.quarantine_rate_max,
        **({"volumeBaseline": baseline.model_dump()} if baseline else {}),
    }
    columns = {"column_set": [column.name for column in shape.properties], "exact_match": False}
    expected = [
        Expected("columns", "expect_table_columns_to_match_set", columns),
        *row_expectations(shape, TYPED),
        *volume_expectations(shape),
        *_freshness(contract, shape, now),
    ]
    return suite(f"{contract.label}#{shape.name}", expected, meta)


def row_expectations(shape: SchemaObject, spelling: Spelling, *, landed: bool = False) -> Iterator[Expected]:
    """Every rule of a schema over rows.

    Args:
        shape: The schema.
        spelling: How the judged table calls its columns.
        landed: Whether rows from landing are among them, in which tokens stand for people.
    """
    for column in shape.properties:
        yield from _promised(column, spelling)
    for column in shape.properties:
        for rule in column.quality:
            yield _own(rule, column, spelling)
    for rule in shape.quality:
        if rule.type == "sql":
            predicate = f"NOT COALESCE(({rule.broken}), FALSE)"
            yield _of_rule(rule, "expect_rows_to_satisfy", _satisfy(predicate, shape), _tolerance(rule))
        elif rule.metric == "duplicateValues":
            names = [spelling.text + name for name in rule.arguments.properties]
            yield _of_rule(rule, *_repeats(names, "never"), _tolerance(rule))
    yield from _related(shape, spelling)
    yield from _unique(shape, spelling, landed=landed)


def volume_expectations(shape: SchemaObject) -> Iterator[Expected]:
    """Every rule over the number of rows."""
    for rule in shape.volume:
        low, high = rule.mustBeBetween or (rule.mustBe, rule.mustBe)
        low = _first(low, rule.mustBeGreaterThan, rule.mustBeGreaterOrEqualTo)
        high = _first(high, rule.mustBeLessThan, rule.mustBeLessOrEqualTo)
        # Rows are whole, and so are the bounds that Great Expectations takes.
        bounds: Values = {}
        if low is not None:
            bounds["min_value"] = floor(low) if rule.mustBeGreaterThan is not None else ceil(low)
        if high is not None:
            bounds["max_value"] = ceil(high) if rule.mustBeLessThan is not None else floor(high)
        bounds |= {"strict_min": True} if rule.mustBeGreaterThan is not None else {}
        bounds |= {"strict_max": True} if rule.mustBeLessThan is not None else {}
        yield _of_rule(rule, "expect_table_row_count_to_be_between", bounds)


def _first(*bounds: float | None) -> float | None:
    return next((bound for bound in bounds if bound is not None), None)


def _promised(column: Property, spelling: Spelling) -> Iterator[Expected]:
    """What a property promises by itself."""
    name, options = column.name, column.logicalTypeOptions
    given = _given(column, spelling)
    if column.is_required:
        yield Expected(f"{name}.required", "expect_column_values_to_not_be_null", {"column": given})
    if column.logicalType != "string":
        yield Expected(f"{name}.type", *_readable(column, spelling))
    if column.enum:
        words = {
            "column": spelling.text + name,
            "value_set": _typed([v.value for v in column.enum], column, spelling),
        }
        yield Expected(f"{name}.enum", "expect_column_values_to_be_in_set", words | _where(name, spelling))
    if options.pattern:
        matched = {"column": name, "regex": options.pattern}
        yield Expected(f"{name}.pattern", "expect_column_values_to_match_regex", matched)
    for limit, kind in (
        ("minimum", "expect_column_values_to_be_between"),
        ("maximum", "expect_column_values_to_be_between"),
        ("minLength", "expect_column_value_lengths_to_be_between"),
        ("maxLength", "expect_column_value_lengths_to_be_between"),
    ):
        if (bound := getattr(options, limit)) is not None:
            yield Expected(f"{name}.{limit}", kind, {"column": name, f"{limit[:3]}_value": bound})


def _given(column: Property, spelling: Spelling) -> str:
    """The column that is null just where a value is missing: of texts it is the column itself."""
    return column.name if column.logicalType == "string" else spelling.given + column.name


def _readable(column: Property, spelling: Spelling) -> tuple[str, Values]:
    """That a value which is there can be read."""
    name = column.name
    if not spelling.is_typed:
        there = _where(spelling.given + name, spelling)
        return "expect_column_values_to_not_be_null", {"column": name, **there}
    if column.logicalType == "boolean":
        return "expect_column_values_to_be_in_set", {"column": name, "value_set": [True, False]}
    return "expect_column_values_to_be_castable", {"column": name, "dtype": _DTYPES[column.logicalType]}


def _where(name: str, spelling: Spelling) -> Values:
    """Only rows in which a column has a value."""
    if spelling.is_typed:
        return {}
    condition = {"type": "nullity", "column": {"name": name}, "is_null": False}
    return {"row_condition": condition}


def typed_words(words: Sequence[str], column: Property) -> list[Any]:
    """Words as values of a column's type; those that are none are left out."""
    if column.logicalType == "boolean":
        return [word.lower() == "true" for word in words]
    if column.logicalType not in ("integer", "number"):
        return list(words)
    dtype = pl.Int64 if column.logicalType == "integer" else pl.Float64
    return pl.Series(words, dtype=pl.String).cast(dtype, strict=False).drop_nulls().to_list()


def _typed(words: Sequence[str], column: Property, spelling: Spelling) -> list[Any]:
    return typed_words(words, column) if spelling.is_typed else list(words)


def _own(rule: Quality, column: Property, spelling: Spelling) -> Expected:
    """A rule over the values of one column."""
    asked, given, limit = rule.arguments, _given(column, spelling), _tolerance(rule)
    if rule.metric == "duplicateValues":
        return _of_rule(rule, *_repeats([given], "any_value_is_missing"), limit)
    if rule.metric == "nullValues":
        kind, kwargs, sql = "not_be_null", {"column": given}, f"{_name(given)} IS NOT NULL"
    elif asked.pattern:
        kind, kwargs = "match_regex", {"column": given, "regex": asked.pattern}
        sql = f"{_name(given)} IS NULL OR REGEXP_LIKE({_name(given)}, {_text(asked.pattern)})"
    else:
        bare = spelling.bare + column.name
        words = _typed(asked.validValues, column, spelling)
        kind, kwargs = "be_in_set", {"column": bare, "value_set": words}
        sql = f"{_name(bare)} IS NULL OR {_name(bare)} IN ({', '.join(map(_text, words)) or 'NULL'})"
    if not limit:
        return _of_rule(rule, f"expect_column_values_to_{kind}", kwargs)
    satisfied = {"expression": f"COALESCE({sql}, FALSE)", "column_list": [kwargs["column"]]}
    return _of_rule(rule, "expect_rows_to_satisfy", satisfied, limit)


def _name(column: str) -> str:
    return f'"{column}"'


def _text(value: object) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def _satisfy(predicate: str, shape: SchemaObject) -> Values:
    named = list(dict.fromkeys(pl.sql_expr(predicate).meta.root_names()))
    return {"expression": predicate, "column_list": named or [shape.properties[0].name]}


def _repeats(names: list[str], ignored: str) -> tuple[str, Values]:
    return "expect_rows_to_repeat_nothing", {"column_list": names, "ignore_row_if": ignored}


def _tolerance(rule: Quality) -> Values:
    """How much of a rule's breaches is tolerated; nothing when none is."""
    at_most = _first(rule.mustBe, rule.mustBeLessOrEqualTo, rule.mustBeLessThan)
    is_strict = rule.mustBeLessThan is not None
    if not at_most and not is_strict:
        return {}
    return {"at_most": at_most, "unit": rule.unit, "is_strict": is_strict}


def _of_rule(rule: Quality, kind: str, kwargs: Values, limit: Mapping[str, Any] | None = None) -> Expected:
    said = {"owner": rule.owner, "dimension": rule.dimension, "description": rule.description}
    meta = {key: value for key, value in said.items() if value is not None}
    return Expected(rule.id, kind, {**kwargs, **(limit or {})}, rule.severity, meta)


def _related(shape: SchemaObject, spelling: Spelling) -> Iterator[Expected]:
    """Values that a named reference holds: by the name that the contract writes, of whole numbers with `WHOLE`."""
    for column in shape.properties:
        for relation in column.relationships:
            reference = relation.to
            if column.identity is not None:
                judged: Values = {"column": spelling.told + column.name}
            elif column.logicalType == "integer":
                judged, reference = {"column": column.name}, relation.to + WHOLE
            else:
                there = {} if column.logicalType == "string" else _where(column.name, spelling)
                judged = {"column": spelling.bare + column.name, **there}
            kwargs = {**judged, "reference": reference}
            kind = "expect_column_values_to_be_in_reference"
            yield Expected(f"{column.name}.reference", kind, kwargs, relation.severity)


def _unique(shape: SchemaObject, spelling: Spelling, *, landed: bool) -> Iterator[Expected]:
    """Rows whose key, or whose unique value, stood in an earlier row."""
    told = {p.name for p in shape.properties if p.identity is not None and landed}
    if shape.key:
        parts = [spelling.told + name if name in told else name for name in shape.key]
        yield Expected(REPEATED_KEY, *_repeats(parts, "any_value_is_missing"))
    for column in shape.properties:
        if column.unique and shape.key != [column.name]:
            name = spelling.told + column.name if column.name in told else _given(column, spelling)
            yield Expected(f"{column.name}.unique", *_repeats([name], "any_value_is_missing"))


def _freshness(contract: DataContract, shape: SchemaObject, now: datetime | None) -> Iterator[Expected]:
    names = {column.name for column in shape.properties}
    for level in contract.slaProperties:
        table, _, column = (level.element or "").rpartition(".")
        if column not in names or table not in ("", shape.name):
            continue
        age = timedelta(hours=level.hours())
        since: object = {"$PARAMETER": f"{column}_since"} if now is None else (now - age).isoformat()
        kwargs = {"column": column, "min_value": since}
        yield Expected(f"{column}.freshness", "expect_column_max_to_be_between", kwargs)
