"""# Waiting

An alert waits for working days: on the last of them, at the same hour. Berlin; Monday to Friday from nine;
1 May 2026 is a holiday, and the clocks go forward on 29 March.
"""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from contracts.alert_settings import Alerts, Quiet
from transforms.business_days import WorkCalendar, after_quiet, deadline, monday

ZONE = ZoneInfo("Europe/Berlin")
CALENDAR = WorkCalendar(ZONE, holidays=frozenset({date(2026, 5, 1)}))


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("begins", "days", "ends"),
    [
        ("2026-03-03T10:30", 2, "2026-03-05T10:30"),
        ("2026-03-05T10:30", 2, "2026-03-09T10:30"),  # over a weekend
        ("2026-03-07T15:00", 2, "2026-03-11T09:00"),  # on a Saturday: it begins on Monday at nine
        ("2026-03-03T06:00", 1, "2026-03-04T09:00"),  # before the working day begins
        ("2026-03-03T20:00", 1, "2026-03-04T20:00"),
        ("2026-04-30T10:00", 1, "2026-05-04T10:00"),  # over a holiday and a weekend
        ("2026-05-01T10:00", 1, "2026-05-05T09:00"),  # on a holiday
        ("2026-03-27T10:00", 1, "2026-03-30T10:00"),  # the clocks go forward in between
    ],
)
def test_a_wait_ends_on_a_working_day_at_the_same_hour(begins: str, days: int, ends: str):
    assert deadline(local(begins), days, CALENDAR) == local(ends)


def test_a_company_that_works_on_sundays_says_so():
    calendar = WorkCalendar.of(Alerts(business_days=("sun", "mon", "tue"), workday_begins=time(8)), ZONE)
    assert deadline(local("2026-03-03T10:00"), 1, calendar) == local("2026-03-08T10:00")
    assert deadline(local("2026-03-05T10:00"), 1, calendar) == local("2026-03-09T08:00")


@pytest.mark.parametrize(
    ("at", "sent"),
    [
        ("2026-03-03T12:00", "2026-03-03T12:00"),
        ("2026-03-03T21:00", "2026-03-04T07:00"),
        ("2026-03-04T03:00", "2026-03-04T07:00"),
        ("2026-03-04T07:00", "2026-03-04T07:00"),
        ("2026-03-03T20:00", "2026-03-04T07:00"),
    ],
)
def test_in_quiet_hours_nothing_is_sent_until_they_end(at: str, sent: str):
    quiet = Quiet.model_validate({"from": time(20), "until": time(7)})
    assert after_quiet(local(at), quiet, ZONE) == local(sent)


def test_quiet_hours_may_lie_within_a_day():
    quiet = Quiet.model_validate({"from": time(12), "until": time(13)})
    assert after_quiet(local("2026-03-03T12:30"), quiet, ZONE) == local("2026-03-03T13:00")
    assert after_quiet(local("2026-03-03T23:30"), quiet, ZONE) == local("2026-03-03T23:30")


def test_a_week_begins_on_the_local_monday():
    assert monday(local("2026-03-02T00:30"), ZONE) == date(2026, 3, 2)
    assert monday(local("2026-03-01T23:30"), ZONE) == date(2026, 2, 23)
