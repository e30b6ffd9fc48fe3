"""Contracts of every kind of rule, and deliveries that keep and break them, drawn from a seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from transforms.conform import conform
from transforms.judge import FORMER, STANDS, TOLD

WORDS = ["a", "b", "cc", "it's", " a ", "A", "NA", "", None, "7", "07", "7.5", "-3", "1e3", "yes", "no"]
TIMES = [
    "2026-01-02",
    "2026-01-02T10:00:00",
    "2026-01-02T10:00:00+02:00",
    "2026-02-30",
    "soon",
    "",
    None,
    "NA",
]
TEXTS = {
    "string": WORDS,
    "integer": WORDS,
    "number": WORDS,
    "boolean": WORDS,
    "date": TIMES,
    "timestamp": TIMES,
}
_COUNT = "SELECT COUNT(*) FROM ${object} WHERE %s"
LIMITS = ("mustBe", "mustBeLessThan", "mustBeLessOrEqualTo")
TOKENS = [f"id_{letter * 32}" for letter in "abc"]


@dataclass(frozen=True)
class Drawn:
    """One contract and one delivery.

    Attributes:
        shape: The contract's schema.
        stream: How the delivery is written.
        references: Values that relationships point to.
        rows: The delivery, conformed.
    """

    shape: SchemaObject
    stream: Stream
    references: dict[str, pl.Series]
    rows: pl.DataFrame


def drawn(seed: int) -> Drawn:
    """A contract and a delivery; of every fifth the rows come from landing."""
    draw = random.Random(seed)
    columns = [_column(draw, f"c{number}") for number in range(draw.randint(1, 5))]
    names = [column["name"] for column in columns]
    quality = list(_whole_rows(draw, columns))
    shape = SchemaObject.model_validate({"name": "rows", "properties": columns, "quality": quality})
    nulls = draw.choice([[], ["NA"]])
    stream = Stream.model_validate(
        {"name": "s", "files": "inbox/*.csv", "format": "csv", "contract": "c.yaml", "nulls": nulls}
    )
    height = draw.choice([0, 1, 2, 7, 40])
    kinds = {column["name"]: column["logicalType"] for column in columns}
    texts = {
        name: pl.Series([draw.choice(TEXTS[kinds[name]]) for _ in range(height)], dtype=pl.String)
        for name in names
    }
    told = {
        TOLD + p.name: pl.Series([draw.choice([*TOKENS, None]) for _ in range(height)], dtype=pl.String)
        for p in shape.properties
        if p.identity is not None
    }
    rows = pl.DataFrame({**texts, **told}).with_row_index("row")
    if seed % 5 == 0:
        rows = _landed(draw, rows, shape)
    known = {to: pl.Series(["a", "7", "cc", *TOKENS[:1]], dtype=pl.String) for to in _targets(shape)}
    return Drawn(shape, stream, known, conform(rows, shape, stream, "Europe/Berlin"))


def _column(draw: random.Random, name: str) -> dict[str, Any]:
    kind = draw.choice(["string", "string", "integer", "integer", "number", "boolean", "date", "timestamp"])
    made: dict[str, Any] = {"name": name, "logicalType": kind}
    made |= {flag: True for flag in ("required", "unique", "primaryKey") if draw.random() < 0.3}
    if kind == "string" and draw.random() < 0.4:
        made["logicalTypeOptions"] = draw.choice(
            [{"pattern": "^[a-z]"}, {"minLength": 2}, {"maxLength": 2, "pattern": "a"}, {"minLength": 1}]
        )
    if kind in ("integer", "number") and draw.random() < 0.5:
        made["logicalTypeOptions"] = draw.choice([{"minimum": 0}, {"maximum": 7, "minimum": -2.5}])
    if draw.random() < 0.3:
        made["enum"] = [{"value": word} for word in ("a", "7", "yes", "it's", "2026-01-02")]
    if draw.random() < 0.3:
        severity = draw.choice(["error", "warning"])
        made["relationships"] = [{"to": draw.choice(["f.s.x", "other.y"]), "severity": severity}]
    if draw.random() < 0.2 and kind == "string":
        made["customProperties"] = [{"property": "identity", "value": "external_id"}]
        made["classification"] = "personal"
    made["quality"] = [_of_column(draw, f"{name}_q{number}") for number in range(draw.randint(0, 2))]
    return made


def _of_column(draw: random.Random, name: str) -> dict[str, Any]:
    metric, arguments = draw.choice(
        [
            ("nullValues", {}),
            ("duplicateValues", {}),
            ("invalidValues", {"validValues": ["a", "it's", "7"]}),
            ("invalidValues", {"pattern": "^[a-z']+$"}),
        ]
    )
    more = {"arguments": arguments} if arguments else {}
    return {"id": name, "type": "library", "metric": metric, **more, **_limit(draw)}


def _limit(draw: random.Random) -> dict[str, Any]:
    limit = draw.choice(LIMITS)
    value = 0 if limit == "mustBe" else draw.choice([1, 2, 12.5, 50, 100])
    unit = draw.choice([{}, {"unit": "percent"}]) if limit != "mustBe" else {}
    return {limit: value, "severity": draw.choice(["error", "warning"]), **unit}


def _whole_rows(draw: random.Random, columns: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    names = [column["name"] for column in columns]
    some = draw.sample(names, draw.randint(1, len(names)))
    if draw.random() < 0.4:
        arguments = {"properties": some}
        metric = {"metric": "duplicateValues", "arguments": arguments}
        yield {"id": "together", "type": "library", **metric, **_limit(draw)}
    if draw.random() < 0.6:
        name = some[0]
        predicate = draw.choice(
            [f"{name} IS NULL", f"{name} = {name} AND {some[-1]} IS NOT NULL", f"CAST({name} AS INTEGER) > 5"]
        )
        yield {"id": "predicate", "type": "sql", "query": _COUNT % predicate, **_limit(draw)}


def _landed(draw: random.Random, rows: pl.DataFrame, shape: SchemaObject) -> pl.DataFrame:
    """Rows that come from landing: some stand, of others it is known which rules they broke."""
    names = [f"{p.name}.{kind}" for p in shape.properties for kind in ("required", "pattern", "enum")]
    hidden = [
        pl.when(pl.int_range(pl.len()) % 2 == 0).then(TOLD + p.name).otherwise(p.name).alias(p.name)
        for p in shape.properties
        if p.identity is not None
    ]
    former = [draw.choice([None, "", ", ".join(draw.sample(names, 2))]) for _ in range(rows.height)]
    stands = [draw.random() < 0.3 for _ in range(rows.height)]
    return rows.with_columns(
        *hidden,
        pl.Series(FORMER, former, dtype=pl.String),
        pl.Series(STANDS, stands, dtype=pl.Boolean),
    )


def _targets(shape: SchemaObject) -> Iterator[str]:
    for column in shape.properties:
        for relation in column.relationships:
            yield relation.to
