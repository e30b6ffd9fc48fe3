"""What the stages of a run cost: wall time, CPU time, rows."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts.deliveries import Delivery
from flows.landing import FeedLanding
from flows.passes import Measured
from warehouse.releases import Release
from warehouse.store import Absorbed

STARTING = "start"
"""What a process costs before the first stage: its imports and the workspace."""


@dataclass(frozen=True)
class Cost:
    """What a stage cost.

    Attributes:
        seconds: Wall time; None before the first stage.
        cpu_seconds: CPU time of the whole process meanwhile, every thread counted.
        rows: What it went through: rows read, events absorbed, events measured (not those whose sums were
            kept), rows made or published.
    """

    seconds: float | None
    cpu_seconds: float
    rows: int

    def __add__(self, other: "Cost") -> "Cost":
        both = (self.seconds or 0.0) + (other.seconds or 0.0)
        return Cost(both, self.cpu_seconds + other.cpu_seconds, self.rows + other.rows)


@dataclass(frozen=True)
class Watch:
    """The two clocks, read when a stage began."""

    wall: float
    cpu: float

    @classmethod
    def started(cls) -> "Watch":
        """The clocks now."""
        return cls(time.perf_counter(), time.process_time())

    def cost(self, made: object) -> Cost:
        """What it has cost until now to make something."""
        return Cost(time.perf_counter() - self.wall, time.process_time() - self.cpu, _rows(made))


def started() -> Cost:
    """What the process has cost so far."""
    return Cost(None, time.process_time(), 0)


def _rows(made: object) -> int:
    match made:
        case FeedLanding():
            return _read(made.read)
        case Absorbed():
            return made.new + made.repeated + made.corrected + made.withdrawn
        case Measured():
            return made.read
        case Release():
            return sum(table.rows for table in made.tables)
        case (Mapping() as tables) | (_, Mapping() as tables):
            return sum(frame.height for frame in tables.values())
        case _:
            return 0


def _read(deliveries: Iterable[Delivery]) -> int:
    return sum(delivery.rows_read for delivery in deliveries)
