"""Laws of attribution: slots credit whom an as-of join credits, and a gap to nobody."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.tenures import EARLIEST, LATEST, Tenure
from transforms.slots import credit_by_join, slots

START = datetime(2026, 3, 20, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland")
moments = st.integers(0, 14 * 86_400 * 1_000_000)


@st.composite
def timelines(draw: st.DrawFn) -> list[Tenure]:
    """Tenures of up to three touchpoints, without gap or overlap, some of them without a person."""
    held = []
    for touchpoint in range(draw(st.integers(1, 3))):
        cuts = sorted(draw(st.sets(moments, max_size=5)))
        edges = [EARLIEST, *(START + timedelta(microseconds=cut) for cut in cuts), LATEST]
        for start, end in pairwise(edges):
            person = draw(st.sampled_from(["ada", "ben", None]))
            state = "owned" if person else "vacant"
            held.append(Tenure(f"t{touchpoint}", start, end, state, "seat", "team", person))
    return held


@settings(max_examples=100, deadline=None)
@given(
    timelines(),
    st.lists(st.tuples(st.integers(0, 2), moments), min_size=1, max_size=40),
    st.sampled_from(ZONES),
    st.data(),
)
def test_slots_credit_as_the_join_does(
    held: list[Tenure], drawn: list[tuple[int, int]], zone: str, data: st.DataObject
):
    touchpoints = sorted({tenure.touchpoint for tenure in held})
    edges = [int((t.start - START) / timedelta(microseconds=1)) for t in held if t.start != EARLIEST]
    # Half of the events fall exactly on, or a microsecond beside, a change of hands.
    near = [(0, max(edge + data.draw(st.integers(-1, 1)), 0)) for edge in edges]
    rows = [(which % len(touchpoints), micro) for which, micro in [*drawn, *near]]
    when = pl.Series(
        [START + timedelta(microseconds=micro) for _, micro in rows], dtype=pl.Datetime("us", "UTC")
    )
    tz = ZoneInfo(zone)
    last = (START + timedelta(days=15)).astimezone(tz).date()
    days = slots(held, touchpoints, START.astimezone(tz).date(), last, tz)
    events = pl.LazyFrame({"occurred_at": when, "touchpoint": [which + 1 for which, _ in rows]})
    slotted = (
        events.with_columns(slot=days.find(pl.col("occurred_at"))).with_columns(days.credited()).collect()
    )
    owners = days.owners()["owner_id"]
    credited = [owners[tenure] for tenure in slotted["tenure"]]
    named = events.with_columns(touchpoint_id=pl.Series([touchpoints[which] for which, _ in rows]))
    reference = credit_by_join(named, held).collect()["owner_id"].fill_null("nobody").to_list()
    assert credited == reference
    local = when.dt.convert_time_zone(zone).dt.date().to_list()
    assert [days.frame()["date"][slot] for slot in slotted["slot"]] == local
