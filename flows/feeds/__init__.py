"""Feeds: one module per kind. The `kind` that a feed's YAML names is the module's name.

A module offers two functions:

    offers(stream, root) -> Offers            the files there are, oldest name first
    read(offer, stream, shape) -> Reading     one file's rows as texts
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, cast

from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from contracts.readings import Reading


@dataclass(frozen=True)
class Offer:
    """A file that a feed offers.

    Attributes:
        name: Below the workspace.
        path: Where it is.
        sha256: Of its bytes.
    """

    name: str
    path: Path
    sha256: str


class Offers(list[Offer]):
    """What a stream offers, and what stands beside it.

    Attributes:
        left: Other files of its folder, by their names below the workspace.
    """

    def __init__(self, offers: Iterable[Offer] = (), left: frozenset[str] = frozenset()) -> None:
        super().__init__(offers)
        self.left = left


class FeedKind(Protocol):
    """What every module in this folder offers."""

    def offers(self, stream: Stream, root: Path) -> Offers:
        """The files there are."""
        ...

    def read(self, offer: Offer, stream: Stream, shape: SchemaObject) -> Reading:
        """One file's rows as texts."""
        ...


def names() -> list[str]:
    """Kinds of feed that there are."""
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def load(kind: str) -> FeedKind:
    """The module of a kind, imported only now."""
    return cast("FeedKind", import_module(f"{__name__}.{kind}"))
