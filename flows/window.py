"""A stretch of days whose deliveries are read anew: a backfill."""

from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from contracts.deliveries import Delivery
from contracts.errors import QuestionError
from contracts.tenures import EARLIEST, instant
from warehouse.store import EventStore


@dataclass(frozen=True)
class Window:
    """Days to be read anew.

    Attributes:
        since: First day.
        until: First day after.
        zone: Where days begin.
    """

    since: date
    until: date
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.until <= self.since:
            raise QuestionError.at(
                f"{self.since} until {self.until}",
                "is no stretch of days.",
                "Write a first day, and a day after the last one.",
            )

    def touches(self, store: EventStore, delivery: Delivery) -> bool:
        """Whether a delivery tells of something in the window, or was held and may."""
        if delivery.state == "held":
            return True
        if "events" not in delivery.parts or not delivery.event_count:
            return False
        when = store.landed(delivery.parts["events"])["occurred_at"]
        first, after = (
            instant(datetime.combine(day, time()), self.zone, EARLIEST) for day in (self.since, self.until)
        )
        return bool(when.is_between(first, after, closed="left").any())
