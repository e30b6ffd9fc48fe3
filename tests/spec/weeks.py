"""Drawn weeks through the pure core: one line a week, as events of one touchpoint."""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from contracts.accountability import AccountabilityMap
from contracts.tables import Table
from tests.spec.pipeline import Scored, score

FIRST = date(2025, 1, 6)
"""A Monday."""
MEAN = "{id: amount, name: Amount, estimator: mean, value: amount, unit: EUR}"


def monday_of(week: int) -> date:
    """The first day of a week, from 0."""
    return FIRST + timedelta(weeks=week)


def answers(weeks: Sequence[tuple[int, int]], first: int = 0) -> list[str]:
    """So many good answers (5) and bad ones (1) every week, spread over its days."""
    return [
        f"{monday_of(week) + timedelta(days=number % 7)} 09:00 | {5 if number < good else 1}"
        for week, (good, bad) in enumerate(weeks, start=first)
        for number in range(good + bad)
    ]


def amounts(values: Sequence[float | None], first: int = 0) -> list[str]:
    """One amount every week; none where it is None."""
    return [
        f"{monday_of(week)} 09:00 | {value}"
        for week, value in enumerate(values, start=first)
        if value is not None
    ]


def of_answers(
    rows: list[str],
    atlas: AccountabilityMap,
    weeks: int,
    stale_since: dict[str, str] | None = None,
    columns: str = "occurred_at | score",
) -> Scored:
    """Score answers as of the Monday after so many weeks."""
    return score("\n".join([columns, *rows]), atlas, str(monday_of(weeks)), stale_since)


def of_amounts(rows: list[str], atlas: AccountabilityMap, weeks: int) -> Scored:
    """Score amounts as of the Monday after so many weeks."""
    return of_answers(rows, atlas, weeks, columns="occurred_at | amount")


def typed(table: type[Table], frame: pl.DataFrame) -> pl.DataFrame:
    """A frame held against its table's promises, in the order of its grain."""
    return table.validate(frame.select(table.column_names())).sort(table.primary_key())
