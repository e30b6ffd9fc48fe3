"""Working days: when a wait is over, when quiet hours end, which week it is. Local to the workspace."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from contracts.alert_settings import WEEKDAYS, Alerts, Quiet

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class WorkCalendar:
    """Which days count for waiting.

    Attributes:
        zone: Where days begin and end.
        weekdays: Working days of the week, 0 for Monday.
        holidays: Days that do not count all the same.
        begins: When a working day begins.
    """

    zone: ZoneInfo
    weekdays: frozenset[int] = frozenset(range(5))
    holidays: frozenset[date] = frozenset()
    begins: time = time(9)

    @classmethod
    def of(cls, settings: Alerts, zone: ZoneInfo) -> Self:
        """The calendar that a workspace declares."""
        weekdays = frozenset(WEEKDAYS.index(name) for name in settings.business_days)
        return cls(zone, weekdays, frozenset(settings.holidays), settings.workday_begins)

    def counts(self, day: date) -> bool:
        """Whether a day is a working day."""
        return day.weekday() in self.weekdays and day not in self.holidays


def deadline(start: datetime, days: int, calendar: WorkCalendar) -> datetime:
    """When so many working days have passed since an instant: on the last of them, at the same hour.

    What begins on a day off, or before the working day does, begins with the next working day.
    """
    local = start.astimezone(calendar.zone)
    day, hour = local.date(), local.time()
    if not calendar.counts(day) or hour < calendar.begins:
        day, hour = _next(day, calendar) if not calendar.counts(day) else day, calendar.begins
    for _ in range(days):
        day = _next(day, calendar)
    return datetime.combine(day, hour, calendar.zone).astimezone(UTC)


def after_quiet(at: datetime, quiet: Quiet | None, zone: ZoneInfo) -> datetime:
    """The instant itself, or the end of the quiet hours that it lies in."""
    if quiet is None:
        return at
    local = at.astimezone(zone)
    begins, ends, hour = quiet.begins, quiet.ends, local.time()
    over_midnight = begins > ends
    is_quiet = (hour >= begins or hour < ends) if over_midnight else begins <= hour < ends
    if not is_quiet:
        return at
    day = local.date() + _DAY if over_midnight and hour >= begins else local.date()
    return datetime.combine(day, ends, zone).astimezone(UTC)


def monday(at: datetime, zone: ZoneInfo) -> date:
    """The first day of the week that an instant lies in."""
    day = at.astimezone(zone).date()
    return day - timedelta(days=day.weekday())


def _next(day: date, calendar: WorkCalendar) -> date:
    day += _DAY
    while not calendar.counts(day):
        day += _DAY
    return day
