"""The watcher: the operating system says that files have changed. It may miss some, so the sweep looks too."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from watchfiles import watch

from flows.serving.looking import folders
from flows.serving.standing import Standing

_QUIET_MS, _STEP_MS, _LOOK_MS = 300, 50, 1000
_log = logging.getLogger("answerable.serve")


class Watcher:
    """Watches inbox folders and the workspace's own files, in threads of its own.

    Args:
        standing: The workspace.
        changed: Called when something has changed.
    """

    def __init__(self, standing: Standing, changed: Callable[[], None]) -> None:
        self._standing, self._changed = standing, changed
        self._ended = threading.Event()
        ways = (self._beside, self._below)
        self._threads = [threading.Thread(target=way, name="watcher", daemon=True) for way in ways]

    def start(self) -> None:
        """Begin to watch."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop to watch."""
        self._ended.set()
        for thread in self._threads:
            thread.join(3)

    def _beside(self) -> None:
        """The workspace's folder itself, where its settings stand and folders may appear."""
        self._follow(lambda: [self._standing.workspace.root], recursive=False)

    def _below(self) -> None:
        """Inbox folders and those of the map, feeds and contracts, with all that is below."""
        self._follow(lambda: folders(self._standing.workspace), recursive=True)

    def _follow(self, there: Callable[[], list[Path]], *, recursive: bool) -> None:
        while not self._ended.is_set():
            paths = there()
            if not paths:
                self._ended.wait(_LOOK_MS / 1000)
                continue
            try:
                self._watch(paths, there, recursive=recursive)
            except (OSError, RuntimeError) as error:
                _log.warning("folders cannot be watched, the sweep looks instead: %s", error)
                self._ended.wait(30)

    def _watch(self, paths: list[Path], there: Callable[[], list[Path]], *, recursive: bool) -> None:
        """Tell of changes, until there are other folders to watch."""
        changes = watch(
            *paths,
            watch_filter=None,
            debounce=_QUIET_MS,
            step=_STEP_MS,
            stop_event=self._ended,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=recursive,
        )
        for found in changes:
            others = there() != paths
            if found or others:
                self._changed()
            if others:  # what came before it was watched is seen by whoever is told now
                return
