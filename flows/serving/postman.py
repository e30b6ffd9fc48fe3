"""The postman: sends letters that are due, right after a run and every few seconds, beside whatever else is done."""

import logging
import threading
from collections.abc import Mapping

from contracts.errors import AnswerableError
from flows.pump import Bounds, Sending, pump
from flows.serving.standing import Standing
from warehouse.alert_ledger import AlertLedger

_log = logging.getLogger("answerable.serve")
_BOUNDS = Bounds(letters=200, seconds=30.0)
_STATES = ("waiting", "due", "sending", "sent", "dead")


class Postman:
    """Empties the outbox, in a thread of its own.

    Args:
        standing: The workspace, and what is wrong.
        ledger: Where letters are kept.
        environment: Where secrets and addresses are.
        every: Seconds between two rounds.
    """

    def __init__(
        self,
        standing: Standing,
        ledger: AlertLedger,
        environment: Mapping[str, str],
        every: float = 5.0,
    ) -> None:
        self.standing, self.ledger = standing, ledger
        self._environment, self._every = environment, every
        self._due = threading.Event()
        self._is_ending = False
        self._thread = threading.Thread(target=self._deliver, name="postman", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def hurry(self) -> None:
        """Say that something may be due."""
        self._due.set()

    def stop(self, seconds: float) -> bool:
        """End after the letter at hand; whether that was within so many seconds."""
        self._is_ending = True
        self._due.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def round(self) -> Sending:
        """Send what is due."""
        done = Sending()
        try:
            done = pump(self.standing.workspace, self.ledger, _BOUNDS, self._environment)
            counts = self.ledger.counts()
        except AnswerableError as error:
            if self.standing.is_wrong("letters", str(error)):
                _log.error("letters cannot be sent: %s", error)
            return done
        for state in _STATES:
            self.standing.gauges.letters.labels(state).set(counts.get(state, 0))
        for end, count in done.counts.items():
            self.standing.gauges.attempts.labels(end).inc(count)
        said = "; ".join(
            f"{channel or 'no channel'}: {error}" for channel, error in sorted(done.errors.items())
        )
        if self.standing.is_wrong("letters", said or None) and said:
            _log.warning("letters wait or are dead: %s", said)
        if done.counts["sent"]:
            _log.info("%d letters sent", done.counts["sent"])
        return done

    def _deliver(self) -> None:
        while not self._is_ending:
            try:
                self.round()
            except Exception:  # noqa: BLE001 - the thread goes on: the letters are in the outbox
                _log.exception("the postman met a defect")
            self._due.wait(self._every)
            self._due.clear()
