"""What relationships point to: columns of other streams, or of files in the workspace."""

from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter

import polars as pl

from contracts.contract_rules import Relationship
from contracts.deliveries import Delivery
from contracts.errors import FeedError
from contracts.feeds import Feed, Stream
from flows.workspace import LoadedWorkspace
from warehouse.store import EventStore


def references_of(
    workspace: LoadedWorkspace, feed: Feed, stream: Stream, store: EventStore, landed: Sequence[Delivery]
) -> dict[str, pl.Series]:
    """Distinct values of every column that a stream's relationships point to, sorted.

    Args:
        workspace: The workspace.
        feed: The feed.
        stream: Its stream.
        store: Where deliveries are kept.
        landed: Deliveries of whatever landed before in this run.

    Raises:
        FeedError: A file of references cannot be read.
    """
    return {
        relation.to: _values(workspace, feed, stream, store, landed, relation)
        for relation in relations(feed, stream)
    }


def relations(feed: Feed, stream: Stream) -> Iterator[Relationship]:
    """The relationships of a stream's columns."""
    for column in feed.shapes[stream.name].properties:
        yield from column.relationships


def target(feed: Feed, stream: Stream, relation: Relationship) -> tuple[str, str, str]:
    """Feed, stream and column that a relationship points to; of a file an empty feed and its name."""
    *path, column = relation.to.split(".")
    if len(path) == 1 and path[0] in feed.contracts[stream.name].references:
        return "", path[0], column
    return (path[0], path[1], column) if len(path) > 1 else (feed.name, path[0], column)


def streams_in_order(feed: Feed) -> list[Stream]:
    """The feed's streams, each after those of the feed that its relationships point to."""
    streams = {stream.name: stream for stream in feed.declared.streams}
    graph = {
        name: sorted(
            to
            for to_feed, to, _ in (target(feed, stream, one) for one in relations(feed, stream))
            if to_feed == feed.name and to != name
        )
        for name, stream in streams.items()
    }
    return [streams[name] for name in TopologicalSorter(graph).static_order()]


def waves(feeds: Sequence[Feed]) -> list[list[Feed]]:
    """The feeds in groups: each after those that its relationships point to."""
    graph = {
        feed.name: {
            to
            for stream in feed.declared.streams
            for to, _, _ in (target(feed, stream, one) for one in relations(feed, stream))
            if to not in ("", feed.name)
        }
        for feed in feeds
    }
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    groups = []
    while sorter.is_active():
        ready = sorter.get_ready()
        groups.append([feed for feed in feeds if feed.name in ready])
        sorter.done(*ready)
    return groups


def _values(
    workspace: LoadedWorkspace,
    feed: Feed,
    stream: Stream,
    store: EventStore,
    landed: Sequence[Delivery],
    relation: Relationship,
) -> pl.Series:
    to_feed, name, column = target(feed, stream, relation)
    if not to_feed:
        return _of_file(workspace, feed.contracts[stream.name].references[name], column)
    parts = [
        d.parts["rows"]
        for d in landed
        if (d.feed, d.stream, d.state) == (to_feed, name, "accepted") and "rows" in d.parts
    ]
    frames = [store.landed(path).select(column) for path in dict.fromkeys(parts)]
    found = pl.concat(frames).to_series() if frames else pl.Series(column, [], dtype=pl.String)
    return found.drop_nulls().str.strip_chars().unique().sort()


def _of_file(workspace: LoadedWorkspace, file: str, column: str) -> pl.Series:
    try:
        found = pl.read_csv(workspace.root / file, columns=[column], infer_schema=False).to_series()
    except (OSError, pl.exceptions.PolarsError) as error:
        what = f"cannot be read for column {column!r}: {str(error).splitlines()[0]}."
        raise FeedError.at(file, what, "Mend the file, or the contract's 'references'.") from None
    return found.drop_nulls().str.strip_chars().unique().sort()
