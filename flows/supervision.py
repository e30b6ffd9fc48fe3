"""Processes kept running as one: begun again when they end, ended together, none left behind.

Linux only in one respect: whatever a child leaves behind becomes a child of ours (`PR_SET_CHILD_SUBREAPER`)
and is ended with the others, and a child gets a signal when we are killed ourselves (`PR_SET_PDEATHSIG`).
Elsewhere only the children themselves are ended.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PDEATHSIG, _SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
STOP_SECONDS = 30.0
_BACKOFF = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Seconds to wait before a child is begun again, the longer the sooner it ended."""

_SETTLED_SECONDS = 30.0
"""A child that lived so long begins again without having to wait longer than the first time."""


@dataclass
class Child:
    """One process that is kept running.

    Attributes:
        name: What it is.
        command: How it is begun.
        environment: What it sees.
        log: Where what it says goes.
        is_well: Asked now and then: whether it does its work; a child that is ill for long is ended and begun again.
        ill_seconds: How long it may be ill.
        folder: Where it runs; here when absent.
        process: The process; None before it is begun.
        begun: How often it was begun.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    is_well: Callable[[], bool] = lambda: True
    ill_seconds: float = 120.0
    folder: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    begun: int = 0
    _quick_ends: int = 0
    _begun_at: float = 0.0
    _well_at: float = 0.0
    _not_before: float = 0.0

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def begin(self, now: float | None = None) -> None:
        """Begin the process, in a session of its own."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands; see _as_child
                list(self.command),
                env=dict(self.environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_as_child,  # noqa: PLW1509 - nothing of ours has begun a thread
            )
        self.begun += 1
        self._begun_at = self._well_at = time.monotonic() if now is None else now

    def look(self, now: float) -> str | None:
        """Begin again what has ended, end what is ill; what was done, in words."""
        if not self.is_running:
            return self._again(now)
        if self.is_well():
            self._well_at = now
        elif now - self._well_at > self.ill_seconds and self.process is not None:
            self.process.kill()
            return f"{self.name} does not answer and is ended"
        return None

    def _again(self, now: float) -> str | None:
        if self.process is not None and not self._not_before:
            lived = now - self._begun_at
            self._quick_ends = 0 if lived > _SETTLED_SECONDS else self._quick_ends + 1
            wait = _BACKOFF[min(max(self._quick_ends - 1, 0), len(_BACKOFF) - 1)]
            self._not_before = now + wait
            return f"{self.name} ended with {self.process.returncode} and begins again in {wait:.0f} s"
        if now >= self._not_before:
            self._not_before = 0.0
            self.begin(now)
        return None


@dataclass
class Supervisor:
    """Children that are kept running until somebody says stop.

    Attributes:
        tell: Told of what happens.
        children: The children, in the order in which they were begun.
    """

    tell: Callable[[str], object]
    children: list[Child] = field(default_factory=list)
    _stopping: bool = False
    _strangers: frozenset[int] = frozenset()

    @contextlib.contextmanager
    def running(self):  # noqa: ANN201 - a generator of itself
        """Take signals to stop, and end every child at the end, however it comes about."""
        before = {
            one: signal.signal(one, self._stop) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        self._strangers = frozenset(descendants())  # whoever began them ends them
        if _LIBC is not None:
            _LIBC.prctl(_SUBREAPER, 1, 0, 0, 0)
        try:
            yield self
        finally:
            self.end()
            if _LIBC is not None:
                _LIBC.prctl(_SUBREAPER, 0, 0, 0, 0)
            for one, handler in before.items():
                signal.signal(one, handler)

    @property
    def is_stopping(self) -> bool:
        """Whether somebody said stop."""
        return self._stopping

    def add(self, child: Child) -> Child:
        """Begin a child and keep it running."""
        self.children.append(child)
        child.begin()
        return child

    def wait_for(self, what: Callable[[], bool], seconds: float) -> bool:
        """Keep children running until something is so; False when it takes too long or somebody says stop."""
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            if what():
                return True
            self.look()
            time.sleep(0.25)
        return False

    def look(self) -> None:
        """Look after every child once."""
        for child in self.children:
            if said := child.look(time.monotonic()):
                self.tell(said)
        _reap(self.children, self._strangers)

    def end(self) -> None:
        """End the children, the last one begun first, then whatever they left behind."""
        for child in reversed(self.children):
            if child.is_running and child.process is not None:
                child.process.terminate()
                try:
                    child.process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    self.tell(f"{child.name} does not end and is killed")
                    child.process.kill()
                    child.process.wait()
        _end_descendants(self._strangers)

    def _stop(self, *_: object) -> None:
        self._stopping = True


def _as_child() -> None:
    """In the child before its program: signals as usual, and one when whoever began it dies."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_DFL)
    if _LIBC is not None:
        _LIBC.prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _reap(children: Sequence[Child], strangers: frozenset[int]) -> None:
    """Take leave of ended processes that children left to us."""
    if _LIBC is None:
        return  # nothing is left to us there
    with contextlib.suppress(ChildProcessError):
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return  # nobody ended: who is below us need not be looked for
    own = {child.process.pid for child in children if child.process is not None}
    for pid in descendants(strangers):
        if pid not in own:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _end_descendants(strangers: frozenset[int]) -> None:
    """End what is left: first politely, then not."""
    for which, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        until = time.monotonic() + seconds
        for pid in descendants(strangers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, which)
        while descendants(strangers) and time.monotonic() < until:
            _reap((), strangers)
            time.sleep(0.1)


def descendants(but: frozenset[int] = frozenset()) -> list[int]:
    """Processes that this one began, or inherited, and theirs; none where that cannot be told.

    Args:
        but: Processes that are left out, with all that they began.
    """
    below: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # After the name, which may hold anything, in brackets: state, parent.
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            below.setdefault(parent, []).append(int(path.parent.name))
    found: list[int] = []
    above = [os.getpid()]
    while above:
        own = [pid for pid in below.get(above.pop(), []) if pid not in but]
        found += own
        above += own
    return found
