"""# Ownership

An event belongs to whoever was accountable when it happened, to the microsecond; in a gap, to nobody.
"""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from contracts.tables import ScorecardOwner
from contracts.tenures import tenures
from tests.spec.pipeline import BERLIN, a_map, score
from transforms.slots import credit_by_join, slots


def credited(*moments: str) -> list[str]:
    """Whom the slots credit events of the one touchpoint to; local ISO instants."""
    atlas = a_map()
    held = tenures(atlas)
    days = slots(held, ["point"], date(2026, 2, 1), date(2026, 4, 1), BERLIN)
    when = pl.Series([datetime.fromisoformat(m).replace(tzinfo=BERLIN) for m in moments]).dt.cast_time_unit(
        "us"
    )
    frame = pl.DataFrame({"occurred_at": when.dt.convert_time_zone("UTC"), "touchpoint": [1] * len(moments)})
    slotted = frame.with_columns(slot=days.find(pl.col("occurred_at"))).with_columns(days.credited())
    return slotted.select(pl.lit(days.owners()["owner_id"]).gather(pl.col("tenure"))).to_series().to_list()


def test_the_first_instant_of_a_tenure_is_its_own_and_the_last_is_not():
    assert credited("2026-03-11T11:59:59.999999", "2026-03-11T12:00:00") == ["ada", "nobody"]
    assert credited("2026-03-11T23:59:59.999999", "2026-03-12T00:00:00") == ["nobody", "ben"]


def test_an_as_of_join_nulls_what_falls_into_a_gap():
    """The reference: a backward as-of join alone would credit the gap to the previous owner."""
    atlas = a_map()
    moments = ["2026-03-11T11:00", "2026-03-11T13:00", "2026-03-12T00:00"]
    when = pl.Series([datetime.fromisoformat(m).replace(tzinfo=BERLIN) for m in moments]).dt.cast_time_unit(
        "us"
    )
    events = pl.LazyFrame({"occurred_at": when.dt.convert_time_zone("UTC"), "touchpoint_id": ["point"] * 3})
    assert credit_by_join(events, tenures(atlas)).collect()["owner_id"].to_list() == ["ada", None, "ben"]


def test_rerunning_an_old_period_gives_the_old_owner():
    """A seat that changed hands since does not rewrite who answered then."""
    rows = "occurred_at | score\n2026-03-03 09:00 | 5"
    for today in ("2026-03-04", "2026-03-20"):
        card = score(rows, a_map(), today).card(ScorecardOwner, period="week", metric="csat")
        assert card["owner_id"].to_list() == ["ada"]


def test_slots_end_at_local_midnight_and_where_hands_change():
    days = slots(tenures(a_map()), ["point"], date(2026, 3, 10), date(2026, 3, 13), BERLIN)
    starts = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(start)) for start in days.starts]
    assert [f"{start:%d %H:%M}" for start in starts] == [
        "09 23:00",
        "10 23:00",
        "11 11:00",
        "11 23:00",
        "12 23:00",
    ]
