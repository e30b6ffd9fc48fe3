"""How often runs begin: at once as long as little comes, seldom enough when something comes all the time."""

from dataclasses import dataclass, field


@dataclass
class Pace:
    """Some runs in advance, and one more every so many seconds: every run makes files that stay.

    Attributes:
        seconds: How long until another one is due, once those in advance are used up.
        advance: How many may follow each other at once.
    """

    seconds: float
    advance: int = 60
    _left: float = field(init=False)
    _at: float | None = None

    def __post_init__(self) -> None:
        self._left = float(self.advance)

    def wait(self, now: float) -> float:
        """Seconds until the next run may begin."""
        self._earn(now)
        return 0.0 if self._left >= 1 else (1 - self._left) * self.seconds

    def spend(self, now: float) -> None:
        """Note that a run begins."""
        self._earn(now)
        self._left -= 1

    def _earn(self, now: float) -> None:
        earned = (
            (now - self._at) / self.seconds if self._at is not None and self.seconds else float(self.advance)
        )
        self._left, self._at = min(float(self.advance), self._left + earned), now
