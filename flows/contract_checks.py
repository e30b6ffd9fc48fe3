"""Contracts held against their workspace: what relationships point to, who answers for rules, what runs."""

import csv
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import polars as pl

from contracts.contract_rules import REPEATED_KEY
from contracts.errors import Problem, did_you_mean
from contracts.map_checks import Examined
from contracts.odcs import Property, SchemaObject
from flows.workspace_checks import PlacedFeed, PlacedStream

_KINDS = (
    "required",
    "type",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "unique",
    "reference",
)
Placed = Mapping[tuple[str, str], PlacedStream]


def contract_checks(root: Path, examined: Examined, feeds: Collection[PlacedFeed]) -> Iterator[Problem]:
    """Everything about contracts that one contract alone cannot tell.

    Args:
        root: The workspace.
        examined: The map as far as it can be understood.
        feeds: The feeds as far as they can be understood.
    """
    # A feed without a name goes by its file's: the empty name is that of files that a contract refers to.
    placed = {
        (feed.name or feed.document.file, one.stream.name): one for feed in feeds for one in feed.streams
    }
    edges: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for where, one in placed.items():
        if one.shape is None:
            continue
        yield from _rules(one, one.shape, examined.names["seats"])
        edges[where] = set()
        for index, column in enumerate(one.shape.properties):
            for relation in column.relationships:
                at = one.promised("properties", index, "relationships", 0, "to")
                target = _target(where, one, relation.to)
                if target[0]:
                    edges[where].add(target[:2])
                found = _of_stream(placed, target, column) if target[0] else _of_file(root, one, target)
                yield from (
                    Problem(at, f"{column.name!r} refers to {relation.to!r}: {w}", r) for w, r in found
                )
    yield from _cycles(placed, edges)


def _rules(placed: PlacedStream, shape: SchemaObject, seats: Collection[str] | None) -> Iterator[Problem]:
    taken = {f"{column.name}.{kind}" for column in shape.properties for kind in _KINDS} | {REPEATED_KEY}
    written = [
        (("properties", place, "quality", index), rule)
        for place, column in enumerate(shape.properties)
        for index, rule in enumerate(column.quality)
    ] + [(("quality", index), rule) for index, rule in enumerate(shape.quality)]
    for path, rule in written:
        if rule.id in taken:
            what = f"rule {rule.id!r} has the name of another rule."
            yield Problem(placed.promised(*path, "id"), what, "Rename it.")
        taken.add(rule.id)
        if rule.owner and seats is not None and rule.owner not in seats:
            what = f"rule {rule.id!r}: owner {rule.owner!r} is no seat of the map."
            yield Problem(placed.promised(*path), what, did_you_mean(rule.owner, seats))
        if (pattern := rule.arguments.pattern) and (said := _unsearchable(pattern)):
            what = f"rule {rule.id!r}: pattern {pattern!r} cannot be searched for: {said}."
            yield Problem(placed.promised(*path), what, "Do without look-around and backreferences.")
    if shape.volume_baseline and not placed.stream.events:
        what = "'volumeBaseline' needs the day of a delivery, and its rows tell of no event."
        yield Problem(placed.promised("customProperties"), what, "Use a rule over rowCount.")


def _unsearchable(pattern: str) -> str:
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.ComputeError as error:
        return str(error).splitlines()[-1].strip().rstrip(".")
    return ""


def _target(own: tuple[str, str], placed: PlacedStream, to: str) -> tuple[str, str, str]:
    *path, column = to.split(".")
    if len(path) == 1 and placed.contract is not None and path[0] in placed.contract.references:
        return "", path[0], column
    return (path[0], path[1], column) if len(path) > 1 else (own[0], path[0], column)


def _of_stream(placed: Placed, target: tuple[str, str, str], column: Property) -> Iterator[tuple[str, str]]:
    feed, stream, name = target
    other = placed.get((feed, stream))
    if other is None:
        known = [f"{feed}.{stream}" for feed, stream in placed]
        yield f"there is no stream {f'{feed}.{stream}'!r}.", did_you_mean(f"{feed}.{stream}", known)
        return
    columns = {p.name: p for p in other.shape.properties} if other.shape else {}
    if other.shape is not None and name not in columns:
        yield f"{feed}.{stream} has no column {name!r}.", did_you_mean(name, columns)
    elif name in columns and _kind(columns[name]) != _kind(column):
        yield (
            f"one of the two is {_kind(column) or 'no identity'} and the other {_kind(columns[name]) or 'none'}.",
            "Give both the same identity: people are compared by their tokens.",
        )


def _kind(column: Property) -> str | None:
    return "dropped" if column.is_dropped else (column.identity or "").partition(":")[0] or None


def _of_file(root: Path, placed: PlacedStream, target: tuple[str, str, str]) -> Iterator[tuple[str, str]]:
    _, name, column = target
    file = placed.contract.references[name] if placed.contract else ""
    try:
        with (root / file).open(encoding="utf-8-sig", newline="") as lines:
            header = next(csv.reader(lines), [])
    except (OSError, UnicodeDecodeError) as error:
        yield f"{file} cannot be read: {error}.", "Write it, or mend the contract's 'references'."
        return
    if column not in header:
        yield f"{file} has no column {column!r}.", did_you_mean(column, header)


def _cycles(
    placed: Placed, edges: Mapping[tuple[str, str], Collection[tuple[str, str]]]
) -> Iterator[Problem]:
    feeds: dict[str, set[str]] = {}
    for (feed, _), targets in edges.items():
        feeds.setdefault(feed, set()).update(to for to, _ in targets if to != feed)
    for graph in (edges, feeds):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            met = error.args[1]
            ring = [".".join(one) if isinstance(one, tuple) else one for one in met]
            first = min(
                one for one in placed if one[0] == (met[0][0] if isinstance(met[0], tuple) else met[0])
            )
            what = f"relationships go round in a ring: {' -> '.join(ring)}."
            yield Problem(
                placed[first].promised(), what, "What is referred to lands first: drop one of them."
            )
