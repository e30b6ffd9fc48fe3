"""Which version of the map was believed when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class MapRecord:
    """A version of the map that was believed from an instant on, until the next record.

    Attributes:
        number: Its place in the order of records, also of those of one second.
        version: Content hash of the map.
        recorded_at: From when on it was believed; the real time.
        recorded_by: Who loaded it; None in records that are older than this was kept.
        timezone: How its dates without an offset are read; None: the workspace's.
    """

    number: int
    version: str
    recorded_at: datetime
    recorded_by: str | None = None
    timezone: str | None = None


def known_at(records: Iterable[MapRecord], moment: datetime) -> MapRecord | None:
    """The record that was believed at an instant; None before the first.

    The last one noted by then, also where a clock was set back in between.
    """
    noted = [one for one in records if one.recorded_at <= moment]
    return max(noted, key=lambda one: one.number, default=None)
