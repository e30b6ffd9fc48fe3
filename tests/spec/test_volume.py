"""# Usual sizes

A delivery's size is held against the median of earlier deliveries of the same weekday, within eight
weeks: it is unusual beyond k median absolute deviations. What is unusual is counted and holds nothing.
"""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from contracts.contract_rules import VolumeBaseline
from contracts.deliveries import Delivery
from transforms.quality import dq_rule_results, usual_size

MONDAY = datetime(2026, 1, 5, 12, tzinfo=UTC)


def judged(sizes: dict[int, int], k: float = 5, weeks: int = 8) -> dict[int, str]:
    """What is said of deliveries, by the days after a Monday on which they came."""
    deliveries = [
        Delivery(id=f"{day}", feed="f", stream="s", source=f"{day:03}", sha256="", reading="", mapping="",
                 state="accepted", rows_read=rows, rows_accepted=rows,
                 newest_event_at=(MONDAY + timedelta(days=day)).isoformat())
        for day, rows in sizes.items()
    ]  # fmt: skip
    shape = SimpleNamespace(volume_baseline=VolumeBaseline(weeks=weeks, k=k), rules=())
    declared = SimpleNamespace(streams=(SimpleNamespace(name="s"),), owner="seat")
    feed = SimpleNamespace(name="f", declared=declared, shapes={"s": shape})
    results = dq_rule_results(cast("Any", [feed]), deliveries, ZoneInfo("UTC"))
    return {int(row["source"]): row["state"] for row in results.iter_rows(named=True)}


def test_the_band_is_median_and_median_deviation():
    """90, 100, 110, 140: median 105; deviations 15, 5, 5, 35: median 10; k = 5 gives 55 to 155."""
    assert usual_size([90, 100, 110, 140], 5) == (55, 155)


def test_a_size_that_never_changed_may_change_by_k_rows():
    assert usual_size([100, 100, 100, 100], 5) == (95, 105)


@pytest.mark.parametrize(
    ("rows", "state"), [(55, "passed"), (155, "passed"), (54, "failed"), (156, "failed")]
)
def test_beyond_the_band_it_is_unusual(rows: int, state: str):
    assert judged({0: 90, 7: 100, 14: 110, 21: 140, 28: rows}) == {28: state}


def test_with_fewer_than_four_earlier_ones_nothing_is_said():
    assert judged({0: 90, 7: 100, 14: 110, 21: 9_000}) == {}


def test_other_weekdays_do_not_count():
    """Sundays are quiet: their size says nothing of a Monday's."""
    quiet = dict.fromkeys((6, 13, 20, 27), 1)
    assert judged({**quiet, 0: 90, 7: 100, 14: 110, 21: 140, 28: 100}) == {28: "passed"}


def test_deliveries_longer_ago_do_not_count():
    sizes = {0: 90, 7: 100, 14: 110, 21: 140}
    assert judged({**sizes, 56: 100}) == {56: "passed"}
    assert judged({**sizes, 63: 100}) == {}  # three of them are within eight weeks
