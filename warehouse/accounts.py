"""Deliveries' accounts in blocks: files of their own, which a commit names and the next one names again.

A year of hot operation gives hundreds of thousands of deliveries, and every run adds one. Told whole by every
commit, commits would grow with all that ever came; so a commit writes the block that has grown, and names the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from contracts.deliveries import Delivery, RuleResult
from warehouse.files import intact, keep

FOLDER = "deliveries"
BLOCK = 128
"""Deliveries of one file: writing the last one anew costs little, and a commit names few."""

_CACHED = 4_096


def write(
    folder: Path, deliveries: Sequence[Delivery], before: Sequence[str], remedy: str
) -> tuple[str, ...]:
    """Keep deliveries' accounts; what the commit before said just so is not written again.

    Args:
        folder: The store.
        deliveries: All of them.
        before: Blocks of the commit before.
        remedy: What to do when one of those is lost.

    Returns:
        The blocks, below the store, in the order of the deliveries.

    Raises:
        StoreError: A block cannot be written, or one of before is lost.
    """
    known = {block[0].id: (path, block) for path in before if (block := _block(folder / path, remedy))}
    paths = []
    for block in _blocks(deliveries):
        path, same = known.get(block[0].id, ("", ()))
        paths.append(path if same == block else _written(folder, block))
    return tuple(paths)


def read(folder: Path, paths: Sequence[str], remedy: str) -> tuple[Delivery, ...]:
    """The deliveries of some blocks.

    Raises:
        StoreError: A block is missing or damaged.
    """
    return tuple(delivery for path in paths for delivery in _block(folder / path, remedy))


def parts(folder: Path, paths: Sequence[str], remedy: str) -> set[str]:
    """Files of the landings of some blocks' deliveries, below the store."""
    return {part for one in read(folder, paths, remedy) for part in one.parts.values()}


def _blocks(deliveries: Sequence[Delivery]) -> Iterator[tuple[Delivery, ...]]:
    """Neighbours of one stream, so many at a time: what is added at a stream's end moves nothing else."""
    for _, some in groupby(deliveries, key=lambda one: (one.feed, one.stream)):
        own = tuple(some)
        for first in range(0, len(own), BLOCK):
            yield own[first : first + BLOCK]


def _written(folder: Path, block: Sequence[Delivery]) -> str:
    content = orjson.dumps([delivery.as_dict() for delivery in block], option=orjson.OPT_INDENT_2)

    def write_block(to: Path) -> None:
        to.write_bytes(content)

    path, *_ = keep(folder / FOLDER, block[0].feed, ".json", write_block)
    return str(path.relative_to(folder))


def _block(path: Path, remedy: str) -> tuple[Delivery, ...]:
    return _parsed(intact(path, remedy))


@lru_cache(maxsize=_CACHED)
def _parsed(path: Path) -> tuple[Delivery, ...]:
    """A block's deliveries, read once in a process: a name has one content for ever."""
    return tuple(_delivery(values) for values in orjson.loads(path.read_bytes()))


def _delivery(values: Mapping[str, Any]) -> Delivery:
    """A delivery that shares what most of them say just so: a year of them stands in memory."""
    found = Delivery.from_dict(values)
    return replace(found, results=tuple(_result(*result) for result in found.results))


@lru_cache(maxsize=_CACHED)
def _result(*values: Any) -> RuleResult:  # noqa: ANN401 - a rule's name, and numbers
    return RuleResult(*values)
