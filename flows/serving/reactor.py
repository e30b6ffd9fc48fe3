"""The reactor: wake-ups, gathered for a moment, become one run in this process, where everything is loaded already.

A wake-up only says that it is worth looking. What there is to do is looked up: deliveries in the inbox, files that
changed since the last run began, time that has passed. So a wake-up that is lost costs a sweep's time, one that
comes twice costs a look.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from contracts.errors import AnswerableError, BusyError, StoreError
from contracts.tenures import instant
from flows.run import Outcome, Run, publish_inline
from flows.serving.looking import Seen, look, written
from flows.serving.pace import Pace
from flows.serving.standing import Standing
from flows.workspace import LoadedWorkspace, load
from warehouse.inbox import Inbox
from warehouse.memory import Memory
from warehouse.releases import TableFile

_log = logging.getLogger("answerable.serve")
_BUSY_SECONDS = 1.0


@dataclass(frozen=True)
class Rhythm:
    """When the reactor does what, in seconds.

    Attributes:
        quiet: It waits until nothing has come for so long,
        patience: but never longer than this.
        sweep: It looks this often without being woken.
        refresh: It runs this often although nothing came: alerts climb and feeds grow old with time alone.
        pace: While something comes all the time, it runs this often.
        retry_first: It tries again so long after a failure, then after twice as long, and so on,
        retry_last: but never later than this,
        retry_store: or this, where a database or a disk was in the way: it may be there again at any time.
    """

    quiet: float = 0.02
    patience: float = 5.0
    sweep: float = 30.0
    refresh: float = 3600.0
    pace: float = 10.0
    retry_first: float = 5.0
    retry_last: float = 900.0
    retry_store: float = 30.0


@dataclass(frozen=True)
class _Done:
    """What the last run that ended well had before it.

    Attributes:
        written: The files that say what the workspace is.
        seen: The files that its feeds offered.
        at: When we looked, on a clock that never goes back.
        real: The real time then.
    """

    written: Seen
    seen: Seen
    at: float
    real: datetime


class Reactor:
    """Runs a workspace whenever there is something to do, in a thread of its own.

    Args:
        standing: The workspace, and what is wrong.
        inbox: Deliveries that were pushed.
        posted: Called by a run once its letters are in the outbox.
        rhythm: When to do what.
    """

    def __init__(
        self,
        standing: Standing,
        inbox: Inbox,
        posted: Callable[[], None] = lambda: None,
        rhythm: Rhythm = Rhythm(),
    ) -> None:
        self.standing, self.inbox, self.rhythm = standing, inbox, rhythm
        self._posted = posted
        self._memory: Memory[TableFile] = Memory()
        self._pace = Pace(rhythm.pace)
        self._condition = threading.Condition()
        self._woken_at: float | None = None
        self._last_wake = 0.0
        self._is_ending = False
        self._written: Seen = frozenset()
        self._done: _Done | None = None
        self._missed: _Done | None = None
        self._failures = 0
        self._retry_at: float | None = None
        self._thread = threading.Thread(target=self._react, name="reactor", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def wake(self) -> None:
        """Say that it is worth looking."""
        with self._condition:
            self._last_wake = time.monotonic()
            if self._woken_at is None:
                self._woken_at = self._last_wake
            self._condition.notify_all()

    def stop(self, seconds: float) -> bool:
        """End after the run that is under way; whether that was within so many seconds."""
        with self._condition:
            self._is_ending = True
            self._condition.notify_all()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _react(self) -> None:
        self.wake()  # something may have come while nobody was here
        until = 0.0
        while self._gathered(until):
            until = time.monotonic() + self._looked()

    def _looked(self) -> float:
        """Look; in how many seconds to look again."""
        try:
            wait = self.look()
        except StoreError as error:
            if self.standing.is_wrong("ledger", str(error)):
                _log.error("the ledger cannot be reached: %s", error)
            return self.rhythm.retry_first
        except Exception:  # noqa: BLE001 - the thread goes on: whatever it was, it is told and looked at again
            _log.exception("the reactor met a defect")
            self.standing.is_wrong("run", "a defect: see the log")
            return self.rhythm.sweep
        self.standing.is_wrong("ledger", None)
        return wait

    def _gathered(self, until: float) -> bool:
        """Wait until it is worth looking; False when it is time to end."""
        with self._condition:
            while not self._is_ending:
                now = time.monotonic()
                due = until
                if self._woken_at is not None:
                    quiet_at = min(self._last_wake + self.rhythm.quiet, self._woken_at + self.rhythm.patience)
                    due = min(until, quiet_at)
                if now >= due:
                    self._woken_at = None
                    return True
                self._condition.wait(due - now)
            return False

    def look(self) -> float:
        """Run when there is something to do.

        Returns:
            In how many seconds to look again, if nothing wakes us.
        """
        real = _real()
        self._reload()
        workspace = at_instant(self.standing.workspace, real)
        begun = time.monotonic()
        found = look(workspace)
        soon = (
            self.rhythm.sweep if found.settles_in is None else min(self.rhythm.sweep, found.settles_in + 0.05)
        )
        now = _Done(self._written, found.seen, begun, real)
        if not self._is_due(now, self._waiting()):
            self.standing.tell("waiting")
            return soon
        if wait := max(self._pace.wait(begun), (self._retry_at or 0.0) - begun, 0.0):
            self.standing.tell("pausing")
            return min(wait, soon)
        self._pace.spend(begun)
        return min(soon, self._run(workspace, now))

    def _waiting(self) -> int:
        """Deliveries that a run would put into files."""
        waiting = self.inbox.waiting()
        for feed in self.standing.hooks:
            self.standing.gauges.waiting.labels(feed).set(waiting.get(feed, 0))
        return sum(count for feed, count in waiting.items() if feed in self.standing.hooks)

    def _is_due(self, now: _Done, waiting: int) -> bool:
        if self._missed is not None and self.inbox.ledger.has_completed_since(self._missed.real):
            # Whoever held the workspace began after we had looked: it has seen all that we saw.
            self._done, self._missed = self._missed, None
        last = self._done
        if last is None or waiting or self._failures:
            return True
        is_changed = (last.written, last.seen) != (now.written, now.seen)
        return is_changed or now.at - last.at >= self.rhythm.refresh

    def _reload(self) -> None:
        """Read the workspace again when its files have changed; while they cannot be understood its last form counts."""
        now_written = written(self.standing.workspace.root)
        if now_written == self._written:
            return
        try:
            self.standing.take(load(self.standing.workspace.root))
        except AnswerableError as error:
            if self.standing.is_wrong("workspace", str(error)):
                _log.error("the workspace cannot be read, its last good form counts:\n%s", error)
            return
        if self._written:
            _log.info("workspace read again, map %s", self.standing.workspace.atlas.version)
        self.standing.is_wrong("workspace", None)
        self._written, self._retry_at = now_written, None

    def _run(self, workspace: LoadedWorkspace, done: _Done) -> float:
        self.standing.tell("running")
        began = time.monotonic()
        try:
            outcome = publish_inline(Run(workspace, memory=self._memory, posted=self._posted))
        except BusyError as error:
            self._missed = self._missed or done
            self.standing.tell(f"waiting for another run: {error}")
            return _BUSY_SECONDS
        except Exception as error:  # noqa: BLE001 - it keeps serving, whatever a run meets
            return self._failed(error)
        self.standing.gauges.run_seconds.observe(time.monotonic() - began)
        self._note(outcome, time.monotonic() - began)
        self._done, self._missed, self._failures, self._retry_at = done, None, 0, None
        return self.rhythm.sweep

    def _failed(self, error: Exception) -> float:
        self._failures += 1
        latest = self.rhythm.retry_store if isinstance(error, StoreError) else self.rhythm.retry_last
        wait = min(self.rhythm.retry_first * 2.0 ** (self._failures - 1), latest)
        self._retry_at = time.monotonic() + wait
        is_ours = isinstance(error, AnswerableError)
        why = str(error) if is_ours else f"a defect ({type(error).__name__}): see the log"
        _log.error("run failed, again in %.0f s: %s", wait, why, exc_info=None if is_ours else error)
        self.standing.is_wrong("run", why)
        self.standing.gauges.runs.labels("failed").inc()
        self.standing.tell("waiting after a failure")
        return wait

    def _note(self, outcome: Outcome, seconds: float) -> None:
        number = outcome.release.number
        gauges = self.standing.gauges
        gauges.runs.labels("completed").inc()
        gauges.release.set(number)
        gauges.published.set_to_current_time()
        for feed in self.standing.hooks:
            gauges.waiting.labels(feed).set(0)
        self.standing.is_wrong("run", None)
        self.standing.tell("waiting", number)
        new = outcome.absorbed.new + outcome.absorbed.corrected
        _log.info(
            "release %d in %.2f s: %d deliveries read, %d events new or corrected, %d alerts moved, %d letters",
            number, seconds, len(outcome.read), new, len(outcome.alerts.changes), outcome.alerts.posted,
        )  # fmt: skip
        for reason in outcome.left_out:
            _log.warning("held: %s", reason)


def at_instant(workspace: LoadedWorkspace, real: datetime) -> LoadedWorkspace:
    """A workspace that was read before, at another instant; one with a clock of its own stays where it is."""
    return replace(workspace, now=instant(workspace.settings.clock, workspace.settings.zone, real))


def _real() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the one clock of a resident process
