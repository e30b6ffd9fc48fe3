"""Map, feeds and contracts held against each other: unknown columns, owners, SQL that does not parse."""

import re
from collections.abc import Iterable, Iterator

import polars as pl

from contracts.accountability import AccountabilityMap, Metric
from contracts.errors import Problem, did_you_mean
from contracts.events import ATTRIBUTE, CONDITION_COLUMNS, NUMBERS
from contracts.feeds import EventTemplate, Feed, Stream
from contracts.odcs import SchemaObject
from contracts.tables import FactCase
from transforms.conform import strptime_format
from transforms.normalize import spread_columns

_EXPRESSIONS = tuple(name for name in EventTemplate.model_fields if name != "attributes")


def cross_checks(atlas: AccountabilityMap, feeds: tuple[Feed, ...]) -> Iterator[Problem]:
    """Everything about a workspace that one file alone cannot tell."""
    attributes = {
        name for feed in feeds for s in feed.declared.streams for e in s.events for name in e.attributes
    }
    for feed in feeds:
        yield from _feed_checks(feed, atlas)
    yield from _rule_checks(atlas, attributes)
    yield from _metric_checks(atlas, attributes)


def _feed_checks(feed: Feed, atlas: AccountabilityMap) -> Iterator[Problem]:
    seats = {seat.id for seat in atlas.seats}
    if feed.declared.owner not in seats:
        remedy = did_you_mean(feed.declared.owner, seats)
        yield Problem(feed.origin, f"owner {feed.declared.owner!r} is no seat of the map.", remedy)
    for stream in feed.declared.streams:
        shape = feed.shapes[stream.name]
        yield from _shape_checks(stream, shape)
        columns = {p.name for p in shape.properties}
        if stream.melt:
            yield from _unknown(feed, stream, "melt", stream.melt.columns.values(), columns)
        if stream.each is not None and stream.format != "jsonl":
            yield Problem(f"{feed.origin}", f"stream {stream.name!r}: 'each' needs format jsonl.", "Drop it.")
        columns = spread_columns(stream, shape)
        for name, expression in stream.let.items():
            yield from _sql(feed, stream, f"let.{name}", expression, columns)
        for template in stream.events:
            for name, expression in _expressions(template):
                yield from _sql(feed, stream, f"events.{name}", expression, columns)


def _shape_checks(stream: Stream, shape: SchemaObject) -> Iterator[Problem]:
    where = stream.contract
    headers = [column.header for column in shape.properties]
    for doubled in sorted({header for header in headers if headers.count(header) > 1}):
        yield Problem(where, f"column {doubled!r} is described twice.", "Keep one; copies go into 'let'.")
    for column in shape.properties:
        for pattern in column.formats:
            try:
                strptime_format(pattern)
            except ValueError as error:
                yield Problem(where, f"column {column.name!r}: {error}")
    columns = {column.name for column in shape.properties}
    for rule in shape.quality:
        yield from _parsed(where, f"rule {rule.id!r}", rule.broken, columns)


def _expressions(template: EventTemplate) -> Iterator[tuple[str, str]]:
    for name in _EXPRESSIONS:
        written = getattr(template, name)
        if written is not None:
            yield name, written
    for name, written in template.attributes.items():
        yield f"attributes.{name}", written


def _sql(feed: Feed, stream: Stream, what: str, expression: str, columns: set[str]) -> Iterator[Problem]:
    yield from _parsed(feed.origin, f"stream {stream.name!r}, {what}", expression, columns)


def _parsed(where: str, what: str, expression: str, columns: set[str]) -> Iterator[Problem]:
    try:
        names = set(pl.sql_expr(expression).meta.root_names())
    except (pl.exceptions.PolarsError, ValueError) as error:
        said = re.sub(r"\s+", " ", str(error)).strip()
        yield Problem(
            where, f"{what}: {expression!r} is no SQL expression: {said}.", "A text needs quotes: \"'web'\"."
        )
        return
    for name in sorted(names - columns):
        remedy = f"{did_you_mean(name, columns)} A text needs quotes: \"'{name}'\"."
        yield Problem(where, f"{what}: {expression!r} names no column {name!r}.", remedy)


def _unknown(
    feed: Feed, stream: Stream, what: str, names: Iterable[str], columns: set[str]
) -> Iterator[Problem]:
    for name in sorted(set(names) - columns):
        yield Problem(
            feed.origin, f"stream {stream.name!r}, {what}: no column {name!r}.", did_you_mean(name, columns)
        )


def _rule_checks(atlas: AccountabilityMap, attributes: set[str]) -> Iterator[Problem]:
    known = set(CONDITION_COLUMNS) | attributes
    for rule in atlas.rules:
        for name in rule.where:
            if name not in known:
                where = atlas.where("rules", rule.id)
                yield Problem(where, f"rule {rule.id!r}: no attribute {name!r}.", did_you_mean(name, known))


def _metric_checks(atlas: AccountabilityMap, attributes: set[str]) -> Iterator[Problem]:
    kept = {name for spec in atlas.cases for name in spec.attributes}
    for spec in atlas.cases:
        for name in sorted(set(spec.attributes) - attributes):
            yield Problem("cases", f"no feed gives attribute {name!r}.", did_you_mean(name, attributes))
    for metric in atlas.metrics:
        known = _case_columns() | kept if metric.of == "cases" else set(CONDITION_COLUMNS) | attributes
        numbers = known if metric.of == "cases" else set(NUMBERS) | attributes
        segments = {"channel"} | (kept if metric.of == "cases" else attributes)
        yield from _named(atlas, metric, "where", metric.where, known)
        yield from _named(atlas, metric, "good", metric.good, known)
        yield from _named(atlas, metric, "value", [metric.value] if metric.value else [], numbers)
        yield from _named(atlas, metric, "by", metric.by, segments)
        if metric.of == "cases" and not atlas.cases:
            where = atlas.where("metrics", metric.id)
            yield Problem(
                where, f"metric {metric.id!r} is over cases, but the map has no 'cases'.", "Add the section."
            )


def _named(
    atlas: AccountabilityMap, metric: Metric, what: str, names: Iterable[str], known: set[str]
) -> Iterator[Problem]:
    for name in names:
        if name not in known:
            where = atlas.where("metrics", metric.id)
            yield Problem(
                where, f"metric {metric.id!r}, {what}: no column {name!r}.", did_you_mean(name, known)
            )


def _case_columns() -> set[str]:
    identifying = (
        "case_id",
        "touchpoint_id",
        "owner_id",
        "team_id",
        "customer_key",
        "first_group",
        "last_group",
    )
    return {
        name for name in FactCase.column_names() if name not in identifying and not name.startswith(ATTRIBUTE)
    }
