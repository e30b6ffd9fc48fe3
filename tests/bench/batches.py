"""Batches that come to a history: drawn before anything is measured, each in a file that whoever takes it deletes."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from contracts.tables import FactCase
from tests.bench.drawn import DAYS, SEED, START, drawn_events
from warehouse.releases import Releases
from warehouse.store import EventStore

EVENTS = 10_000
BATCHES = 10
AGES = ((1, 8_000), (30, 1_500), (182, 500))
"""Days, and how many events of a batch are at most so old."""
OPEN_DAYS = 14
"""What is told of a ticket is told at most so many days after its opening."""
_FOLDER = "batches"


def draw(folder: Path, _out: Path) -> dict[str, object]:
    """Draw batches for a workspace that has published: 80 % of the last day, 15 % of the last month, 5 % of the last half-year.

    Customers are known ones. A ticket that is opened is a new one; all else is told of those opened in the two weeks before.
    """
    releases = Releases(folder / "warehouse/published")
    release = releases.head()
    if release is None:
        raise SystemExit(f"{folder}: nothing is published: run first")
    cases = releases.frame(release, FactCase.table_name()).select("case_id", "opened_at")
    tickets = cases.sort("opened_at", "case_id")
    state = EventStore(folder / "warehouse/store").head()
    (folder / _FOLDER).mkdir(exist_ok=True)
    for number in range(state.number, state.number + BATCHES):
        drawn = _batch(number, state.customer_keys().len(), tickets)
        drawn.write_parquet(folder / _FOLDER / f"{number:06}.parquet")
    return {"batches": BATCHES, "events": EVENTS}


def taken(folder: Path) -> pl.DataFrame:
    """The next batch."""
    path = min((folder / _FOLDER).glob("*.parquet"))
    events = pl.read_parquet(path)
    path.unlink()
    return events


def _batch(number: int, customers: int, tickets: pl.DataFrame) -> pl.DataFrame:
    drawn = drawn_events(EVENTS, customers).sample(EVENTS, seed=number, shuffle=True)
    dice = np.random.default_rng([SEED, number])
    age = np.concatenate([dice.uniform(0, days, count) for days, count in AGES])
    end = START + timedelta(days=DAYS)
    at = pl.Series("occurred_at", [end - timedelta(days=float(days)) for days in age])
    at = at.cast(pl.Datetime("us", "UTC"))
    opened, when = tickets["opened_at"].to_physical().to_numpy(), at.to_physical().to_numpy()
    last = np.searchsorted(opened, when)
    first = np.searchsorted(opened, when - OPEN_DAYS * 86_400_000_000)
    place = first + (dice.random(EVENTS) * np.maximum(last - first, 1)).astype(np.int64)
    told_of = tickets["case_id"].gather(np.minimum(place, tickets.height - 1))
    new = pl.format("N{}-{}", pl.lit(number), pl.col("row"))
    told = pl.when(pl.col("kind") == "ticket.opened").then(new).otherwise(told_of)
    return drawn.with_columns(
        at,
        subject_id=pl.when(pl.col("subject_id").is_not_null()).then(told),
        event_id=pl.format("bench|batch{}|{}", pl.lit(number), pl.col("row")),
        landing=pl.lit(f"batch{number}"),
        recorded_at=pl.lit(datetime.fromisoformat(end.isoformat())).cast(pl.Datetime("us", "UTC")),
    )
