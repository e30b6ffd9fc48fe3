"""What the threads of the hot lane know of each other: the workspace as it was last read, and what is wrong."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from contracts.feeds import Feed
from flows.serving.gauges import Gauges
from flows.workspace import LoadedWorkspace

TROUBLES = ("workspace", "run", "inbox", "letters")
"""What can be wrong; each is told on `/readyz` and `/metrics` until it is well again."""


@dataclass(frozen=True)
class Told:
    """What `/readyz` tells.

    Attributes:
        trouble: What is wrong, by what it is about.
        doing: What the reactor does.
        release: The newest release of this process.
    """

    trouble: Mapping[str, str] = field(default_factory=dict)
    doing: str = "starting"
    release: int | None = None


class Standing:
    """Shared by all threads; every value is replaced whole."""

    def __init__(self, workspace: LoadedWorkspace) -> None:
        self.gauges = Gauges()
        self.told = Told()
        self._lock = threading.Lock()
        self.take(workspace)
        for what in TROUBLES:
            self.gauges.trouble.labels(what).set(0)

    def take(self, workspace: LoadedWorkspace) -> None:
        """Go on with a workspace as it is now."""
        self.workspace = workspace
        self.hooks: Mapping[str, Feed] = {
            feed.name: feed for feed in workspace.feeds if feed.declared.receive is not None
        }

    def tell(self, doing: str, release: int | None = None) -> None:
        """Say what is being done."""
        with self._lock:
            self.told = replace(self.told, doing=doing, release=release or self.told.release)

    def is_wrong(self, what: str, why: str | None) -> bool:
        """Note that something is wrong, or well again when no reason is given; whether that is news."""
        with self._lock:
            before = self.told.trouble.get(what)
            trouble = {name: said for name, said in self.told.trouble.items() if name != what}
            if why is not None:
                trouble[what] = why
            self.told = replace(self.told, trouble=trouble)
        self.gauges.trouble.labels(what).set(0 if why is None else 1)
        return before != why
