"""What is wrong with hooks: feeds that cannot be pushed to, or whose files would be read by others."""

from collections.abc import Collection, Iterator
from pathlib import Path

from contracts.errors import Problem
from contracts.receiving import Receive
from flows.workspace_checks import PlacedFeed, PlacedStream

_ROOM = 2_000
"""Bytes that a line is longer than the body that it was: what we know of the delivery is added."""


def push_checks(feeds: Collection[PlacedFeed]) -> Iterator[Problem]:
    """Everything about hooks that the types of their values cannot tell."""
    folders: dict[Path, str] = {}
    for feed in feeds:
        declared = feed.declared
        if declared is None:
            continue
        if declared.kind != "push":
            if declared.receive is not None:
                where = feed.document.where("receive")
                yield Problem(where, f"'receive' is for kind push, not {declared.kind}.", "Drop it.")
            continue
        if declared.receive is None:
            yield Problem(
                feed.document.where("kind"),
                "a feed that is pushed to has to say how deliveries prove where they come from.",
                "Add 'receive: {scheme: github, secret_from: VARIABLE}', or another scheme.",
            )
        if len(declared.streams) > 1:
            what = f"a feed that is pushed to has one stream, not {len(declared.streams)}."
            yield Problem(feed.document.where("streams", 1), what, "Make a feed of each.")
        for placed in feed.streams[:1]:
            yield from _stream(placed, declared.receive)
            folder = Path(placed.stream.files).parent
            here = placed.at("files")
            if (there := folders.setdefault(folder, here)) != here:
                what = f"folder {str(folder)!r} is that of another feed that is pushed to, at {there}."
                yield Problem(here, what, "Give each its own.")


def _stream(placed: PlacedStream, receive: Receive | None) -> Iterator[Problem]:
    stream = placed.stream
    if stream.format != "jsonl" or stream.encoding.lower().replace("-", "") != "utf8":
        yield Problem(
            placed.at("format"), "what is pushed is kept as jsonl in UTF-8.", "Write 'format: jsonl'."
        )
    *folder, name = Path(stream.files).parts
    if name != "*.jsonl" or not folder or any(sign in part for part in folder for sign in "*?["):
        what = f"files of a feed that is pushed to are in one folder, not at {stream.files!r}."
        yield Problem(placed.at("files"), what, "Write it like 'inbox/chat/*.jsonl'.")
    if receive is not None and receive.limit_bytes + _ROOM > stream.line_limit_bytes:
        what = f"bodies of up to {receive.limit_bytes} bytes are taken, but lines only of {stream.line_limit_bytes}."
        remedy = f"Write 'line_limit_bytes: {receive.limit_bytes + _ROOM}' or more, or a lower 'limit_bytes'."
        yield Problem(placed.document.where("receive", "limit_bytes"), what, remedy)
