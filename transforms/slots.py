"""Time as slots: half-open stretches in which the local day and every owner are constant.

A slot ends at every local midnight and wherever any touchpoint changes hands. So one sorted search
gives an event both its calendar day (summer time included) and the owner in force, and sums by slot
and touchpoint can be credited exactly, whatever the hour a seat changed hands.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from contracts.accountability import NOBODY
from contracts.tenures import Tenure

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CELL_BITS = 28
"""A cell of the grid has 2^28 microseconds, four and a half minutes, or more where there would be too many."""
CELLS_MAX = 1 << 20


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Slots:
    """Slots over a range of days, and who is accountable in each.

    Attributes:
        starts: First instant of every slot, microseconds since 1970, ascending; slot i ends where
            slot i+1 starts.
        dates: Local day of every slot, days since 1970.
        tenures: Everybody's tenures; index 0 of `owners` and friends stands for "none".
        tenure_of: Tenure (index + 1, or 0 for none) by touchpoint code and slot. Row 0 is
            `unmatched`.
    """

    starts: np.ndarray
    dates: np.ndarray
    tenures: Sequence[Tenure]
    tenure_of: np.ndarray

    def find(self, instant: pl.Expr) -> pl.Expr:
        """The slot of an instant.

        An instant before the range falls into the first slot, one after it into the last; the range
        is built to hold every event.
        """
        starts = pl.Series("slot", self.starts, dtype=pl.Int64)
        passed = pl.lit(starts).search_sorted(instant.to_physical(), side="right")
        return pl.max_horizontal(passed.cast(pl.UInt32), pl.lit(1, dtype=pl.UInt32)) - 1

    def look_up(self, instant: pl.Expr) -> pl.Expr:
        """The same of many instants, none of them missing, in a tenth of the time."""
        return instant.to_physical().map_batches(
            self._looked_up, return_dtype=pl.UInt32(), is_elementwise=True
        )

    def _looked_up(self, instants: pl.Series) -> pl.Series:
        return pl.Series(instants.name, self.of(instants.to_numpy()).view(np.uint32))

    def of(self, at: np.ndarray) -> np.ndarray:
        """The slots of instants, microseconds since 1970.

        By the cell that an instant is in; it is searched for only where a slot begins inside the cell.
        """
        bits, slot_of = self._grid
        cells = at - self.starts[0]
        cells >>= bits
        found = slot_of.take(cells, mode="clip")
        unsure = np.flatnonzero(found < 0)
        found[unsure] = np.maximum(np.searchsorted(self.starts, at[unsure], side="right"), 1) - 1
        return found

    @cached_property
    def _grid(self) -> tuple[int, np.ndarray]:
        """Time in cells of so many bits of microseconds: the slot that a whole cell lies in, or -1."""
        since = self.starts - self.starts[0]
        bits = max(CELL_BITS, int(since[-1]).bit_length() - CELLS_MAX.bit_length() + 1)
        cells = since >> bits
        slot_of = np.cumsum(np.bincount(cells), dtype=np.int32) - np.int32(1)
        slot_of[cells[since != cells << bits]] = -1
        return bits, slot_of

    def day(self) -> pl.Expr:
        """The local day of the column `slot`."""
        return pl.lit(self.frame()["date"]).gather(pl.col("slot"))

    def frame(self) -> pl.DataFrame:
        """One row per slot: slot, date."""
        return pl.DataFrame(
            {"slot": np.arange(len(self.starts), dtype=np.uint32), "date": self.dates.astype(np.int32)}
        ).with_columns(pl.col("date").cast(pl.Date))

    def owners(self) -> pl.DataFrame:
        """One row per tenure index: tenure, owner_id, seat_id, team_id; `nobody` where there is none."""
        return self._owners

    @cached_property
    def _owners(self) -> pl.DataFrame:
        nobody = {"tenure": 0, "owner_id": NOBODY, "seat_id": None, "team_id": NOBODY}
        rows = [nobody] + [
            {
                "tenure": index,
                "owner_id": tenure.person or NOBODY,
                "seat_id": tenure.seat,
                "team_id": tenure.team or NOBODY,
            }
            for index, tenure in enumerate(self.tenures, start=1)
        ]
        types = {"tenure": pl.UInt32, "owner_id": pl.String, "seat_id": pl.String, "team_id": pl.String}
        return pl.DataFrame(rows, schema=types)

    def credited(self) -> pl.Expr:
        """The tenure index in force, from the columns `touchpoint` and `slot`."""
        table = pl.Series("tenure", self.tenure_of.reshape(-1), dtype=pl.UInt32)
        width = self.tenure_of.shape[1]
        at = pl.col("touchpoint").cast(pl.UInt32) * width + pl.col("slot")
        return pl.lit(table).gather(at).alias("tenure")


def midnights_of(days: Iterable[date], zone: ZoneInfo) -> list[int]:
    """When days begin in a zone, microseconds since 1970."""
    return [microseconds(datetime.combine(day, time(), zone).astimezone(UTC)) for day in days]


def slots(
    tenures: Sequence[Tenure],
    touchpoints: Sequence[str],
    first: date,
    last: date,
    zone: ZoneInfo,
    also: Iterable[datetime] = (),
) -> Slots:
    """The slots of a range of days.

    Args:
        tenures: Tenures of the touchpoints, without gap or overlap.
        touchpoints: Touchpoint ids; the i-th has code i + 1, and 0 is `unmatched`.
        first: First local day.
        last: Last local day, included.
        zone: Where days begin and end.
        also: Further instants at which a slot ends, so that two maps can share their slots.
    """
    days = [first + timedelta(days=i) for i in range((last - first).days + 2)]
    midnights = midnights_of(days, zone)
    low, high = midnights[0], midnights[-1]
    edges = [microseconds(edge) for edge in (*(e for t in tenures for e in (t.start, t.end)), *also)]
    inside = [edge for edge in edges if low < edge < high]
    starts = np.array(sorted({*midnights[:-1], *inside}), dtype=np.int64)
    day_index = np.searchsorted(np.array(midnights, dtype=np.int64), starts, side="right") - 1
    dates = day_index + (first - date(1970, 1, 1)).days
    tenure_of = np.zeros((len(touchpoints) + 1, len(starts)), dtype=np.uint32)
    code = {name: index for index, name in enumerate(touchpoints, start=1)}
    for index, tenure in enumerate(tenures, start=1):
        begins = np.searchsorted(starts, microseconds(tenure.start), side="left")
        ends = np.searchsorted(starts, microseconds(tenure.end), side="left")
        tenure_of[code[tenure.touchpoint], begins:ends] = index
    return Slots(starts, dates, tenures, tenure_of)


def credit_by_join(events: pl.LazyFrame, tenures: Sequence[Tenure]) -> pl.LazyFrame:
    """The owner in force at every event, by as-of join: the readable reference of `Slots`.

    Args:
        events: Rows with `touchpoint_id` and `occurred_at`.
        tenures: Tenures of the touchpoints.

    Returns:
        The same rows in the same order with `owner_id`; null where nobody was accountable, also in
        the gap after a tenure has ended (an as-of join alone would credit the previous owner).
    """
    clipped = [
        (t.touchpoint, max(t.start, _EPOCH), min(t.end, datetime(2200, 1, 1, tzinfo=UTC)), t.person)
        for t in tenures
    ]
    kind = pl.Datetime("us", "UTC")
    held = pl.LazyFrame(
        clipped,
        schema={"touchpoint_id": pl.String, "valid_from": kind, "valid_to": kind, "owner_id": pl.String},
        orient="row",
    ).sort("touchpoint_id", "valid_from")
    return (
        events.with_row_index("__row")
        .sort("touchpoint_id", "occurred_at")
        .join_asof(
            held,
            left_on="occurred_at",
            right_on="valid_from",
            by="touchpoint_id",
            check_sortedness=False,
        )
        .with_columns(pl.when(pl.col("occurred_at") < pl.col("valid_to")).then("owner_id").alias("owner_id"))
        .sort("__row")
        .drop("__row", "valid_from", "valid_to")
    )
