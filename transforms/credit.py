"""Sums credited to the owner in force, and the names that their numbers stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
import polars as pl

from contracts.accountability import UNMATCHED, AccountabilityMap, Metric
from contracts.tenures import Tenure
from transforms.behind import FROZEN
from transforms.estimate import EVENTS
from transforms.measure import ADDITIVE
from transforms.periods import Calendar
from transforms.slots import Slots, microseconds

PARTS = ("touchpoint", "owner", "team", "metric", "dimension", "segment")
"""Keys of the credited sums, besides time: numbers, see `Scoring`."""


@dataclass(frozen=True)
class Credit:
    """Who anything is credited to.

    Attributes:
        atlas: The map.
        slots: The slots that it is credited by.
    """

    atlas: AccountabilityMap
    slots: Slots

    @cached_property
    def owners(self) -> list[str]:
        """Ids of people by number."""
        return sorted(set(self.slots.owners()["owner_id"]))

    @cached_property
    def teams(self) -> list[str]:
        """Ids of teams by number."""
        return sorted(set(self.slots.owners()["team_id"]))

    @cached_property
    def touchpoints(self) -> list[str]:
        """Ids of touchpoints by number; 0 is `unmatched`."""
        return [UNMATCHED, *(touchpoint.id for touchpoint in self.atlas.touchpoints)]

    def credited(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Rows with `slot` and `touchpoint`, and who they are credited to: date, owner, team."""
        return frame.with_columns(self.slots.credited()).with_columns(**self.credit())

    def credit(self) -> Mapping[str, pl.Expr]:
        """date, owner and team, from the columns `slot` and `tenure`."""
        owner, team = self._numbers
        return {
            "date": self.slots.day(),
            "owner": pl.lit(owner).gather(pl.col("tenure")),
            "team": pl.lit(team).gather(pl.col("tenure")),
        }

    @cached_property
    def _numbers(self) -> tuple[pl.Series, pl.Series]:
        """Owner and team of every tenure, by number."""
        by_tenure = self.slots.owners()
        return number_of(by_tenure["owner_id"], self.owners), number_of(by_tenure["team_id"], self.teams)


@dataclass(frozen=True)
class Scoring(Credit):
    """What scoring needs to know besides the sums.

    Attributes:
        calendar: The days that are reported on.
        now: The instant it is.
        goals: DimGoal.
        segments: What the numbers of dimensions stand for: metric, dimension, segment,
            dimension_name, segment_name.
        grace_days: For how many days after taking over a breach that began before is inherited.
        frozen: From which day on what is not known: touchpoint, metric (numbers), known_until.
    """

    calendar: Calendar
    now: datetime
    goals: pl.DataFrame
    segments: pl.DataFrame
    grace_days: int = 90
    frozen: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FROZEN))

    @property
    def metrics(self) -> Sequence[Metric]:
        """The map's metrics; the first has number 1, and 0 is `events`."""
        return self.atlas.metrics

    @cached_property
    def metric_ids(self) -> list[str]:
        """Ids of metrics by number."""
        return [EVENTS.id, *(metric.id for metric in self.metrics)]

    def closing_owner(self, end: str = "period_end") -> pl.Expr:
        """The tenure in force when a period closed, or now if it is still open.

        From the columns `touchpoint` and `end`, the first day after the period.
        """
        days = np.arange(self.slots.dates[0], self.slots.dates[-1] + 2)
        before = np.searchsorted(self.slots.dates, days, side="left") - 1
        now = np.searchsorted(self.slots.starts, microseconds(self.now), side="right") - 1
        closing = pl.Series(np.clip(np.minimum(before, now), 0, None), dtype=pl.UInt32)
        day = pl.col(end).cast(pl.Int32).clip(int(days[0]), int(days[-1])) - int(days[0])
        table = pl.Series(self.slots.tenure_of.reshape(-1), dtype=pl.UInt32)
        row = pl.col("touchpoint").cast(pl.UInt32) * self.slots.tenure_of.shape[1]
        return pl.lit(table).gather(row + pl.lit(closing).gather(day))

    def owner_since(self) -> pl.Series:
        """Since when the person of each tenure has been accountable without a break; by tenure index.

        A cover interrupts nobody: who holds the seat has been accountable since they took it.
        """
        since: list[datetime | None] = [None]
        held_since: datetime | None = None
        before: Tenure | None = None
        for tenure in self.slots.tenures:
            follows = before is not None and (before.touchpoint, before.end) == (
                tenure.touchpoint,
                tenure.start,
            )
            if before is None or not follows or before.holder != tenure.holder:
                held_since = tenure.start
            if tenure.person is None:
                since.append(None)
            elif not tenure.is_covered:
                since.append(held_since)
            else:
                goes_on = follows and before is not None and before.person == tenure.person
                since.append(since[-1] if goes_on else tenure.start)
            before = tenure
        return pl.Series(since, dtype=pl.Datetime("us", "UTC"))


def number_of(names: pl.Series, known: Sequence[str]) -> pl.Series:
    """Names as their numbers in a list."""
    return names.replace_strict(known, range(len(known)), return_dtype=pl.UInt16)


def named(column: str, names: Sequence[str | None]) -> pl.Expr:
    """A column of numbers as the names they stand for."""
    return pl.lit(pl.Series(names, dtype=pl.String)).gather(pl.col(column))


def credited_daily(sums: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """Sums by day and by who they are credited to: date, `PARTS`, the additive columns."""
    return scoring.credited(sums).group_by("date", *PARTS).agg(pl.col(*ADDITIVE).sum())
