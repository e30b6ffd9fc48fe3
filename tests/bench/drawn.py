"""Events of a made-up company, two years of them, in chunks that each fit into memory.

A chunk is drawn with a seed of its own number, so the same size gives the same events. Up to `CHUNK_MAX` events
are one chunk; more are several of `CHUNK_ROWS`, one after the other in time, as a history comes in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl

SEED = 20261121
START = datetime(2024, 11, 1, tzinfo=UTC)
DAYS = 730
CHANNELS = ("email", "phone", "chat", "web", "app", "store", "social", "sms")
GROUPS = tuple(f"Group {number:02d}" for number in range(24))
TICKET = ("opened", "assigned", "replied", "resolved", "reopened", "closed", "updated")
FEEDS = ("crm", "survey", "tickets", "web")
KINDS = {
    "crm": [f"crm.k{number:02d}" for number in range(40)],
    "survey": ["survey.sent", "survey.answered"],
    "tickets": [f"ticket.{state}" for state in TICKET],
    "web": [f"web.k{number:03d}" for number in range(151)],
}


CHUNK_MAX = 10_000_000
"""Up to so many events are drawn at once."""
CHUNK_ROWS = 5_000_000


@dataclass(frozen=True)
class Chunk:
    """Some of a history's events.

    Attributes:
        number: Which, from 0.
        events: How many.
        row: How many there are before.
        ticket: How many tickets there are before.
        since: Where its time begins, microseconds since the history's beginning; what a ticket goes through may end later.
        until: Where it ends.
    """

    number: int
    events: int
    row: int = 0
    ticket: int = 0
    since: int = 0
    until: int = DAYS * 86_400_000_000


def chunks(events: int) -> Iterator[Chunk]:
    """A history of so many events, in order."""
    count = 1 if events <= CHUNK_MAX else -(-events // CHUNK_ROWS)
    ends = [events * number // count for number in range(count + 1)]
    whole, ticket = Chunk(0, events).until, 0
    for number, (row, end) in enumerate(pairwise(ends)):
        since, until = (whole * place // count for place in (number, number + 1))
        yield Chunk(number, end - row, row, ticket, since, until)
        ticket += (end - row) // 25


def drawn_events(events: int, customers: int) -> pl.DataFrame:
    """Canonical events: a fifth are ticket history, a tenth survey answers, the rest CRM and web."""
    return drawn(Chunk(0, events), customers)


def drawn(chunk: Chunk, customers: int) -> pl.DataFrame:
    """The events of a chunk, as `drawn_events`."""
    draw = np.random.default_rng([SEED, 1, chunk.number] if chunk.number else [SEED, 1])
    parts = [_tickets(chunk, customers, draw)]
    parts.append(_others(chunk, chunk.events - parts[0].height, customers, draw))
    merged = pl.concat(parts, how="diagonal").with_row_index("row", offset=chunk.row)
    return merged.with_columns(
        event_id=pl.format("bench|all|{}", pl.col("row")),
        recorded_at=pl.col("occurred_at"),
        landing=pl.lit("bench"),
        sequence=pl.lit(0, dtype=pl.Int64),
    )


def _instants(chunk: Chunk, count: int, draw: np.random.Generator) -> np.ndarray:
    first = int(START.timestamp() * 1e6)
    return first + draw.integers(chunk.since, chunk.until, count)


def _frame(columns: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(columns).with_columns(pl.from_epoch("occurred_at", "us").dt.replace_time_zone("UTC"))


def _customers(draw: np.random.Generator, count: int, customers: int) -> np.ndarray:
    return (1 + customers * draw.random(count) ** 2.5).astype(np.uint32).clip(1, customers)


def _tickets(chunk: Chunk, customers: int, draw: np.random.Generator) -> pl.DataFrame:
    tickets = chunk.events // 25
    opened, owner = _instants(chunk, tickets, draw), _customers(draw, tickets, customers)
    channel = draw.integers(0, 8, tickets)
    priority = draw.integers(1, 5, tickets)
    parts = []
    at = opened
    for state, share in (
        ("opened", 1.0),
        ("assigned", 0.9),
        ("replied", 0.95),
        ("assigned", 0.4),
        ("resolved", 0.93),
        ("reopened", 0.06),
        ("closed", 0.8),
    ):
        kept = draw.random(tickets) < share
        group = draw.integers(0, 24, tickets) if state == "assigned" else np.full(tickets, -1)
        parts.append((np.flatnonzero(kept), at[kept], state, group[kept]))
        at = at + (draw.lognormal(1.5, 1.2, tickets) * 3.6e9).astype(np.int64)
    frames = []
    for index, when, state, group in parts:
        frames.append(
            _frame(
                {
                    "occurred_at": when,
                    "feed": _named(["tickets"], np.zeros(len(index), dtype=int)),
                    "kind": _named([f"ticket.{state}"], np.zeros(len(index), dtype=int)),
                    "channel": _named(CHANNELS, channel[index]),
                    "customer": owner[index],
                    "subject_type": _named(["ticket"], np.zeros(len(index), dtype=int)),
                    "subject_id": "T" + pl.Series(index + chunk.ticket).cast(pl.String),
                    "actor_team": _named([None, *GROUPS], group + 1),
                    "attribute_priority": _named([*"01234"], priority[index]),
                }
            )
        )
    end = START + timedelta(days=DAYS)
    return pl.concat(frames).filter(pl.col("occurred_at") < end)


def _others(chunk: Chunk, count: int, customers: int, draw: np.random.Generator) -> pl.DataFrame:
    feed = draw.choice(3, count, p=[0.25, 0.15, 0.6])
    kind, kinds = np.empty(count, dtype=np.int64), [*KINDS["crm"], *KINDS["survey"], *KINDS["web"]]
    for index, name in enumerate(("crm", "survey", "web")):
        chosen = feed == index
        kind[chosen] = kinds.index(KINDS[name][0]) + draw.integers(0, len(KINDS[name]), chosen.sum())
    answered = kind == kinds.index("survey.answered")
    scale = np.where(answered, 1 + draw.integers(0, 3, count), 0)
    score = np.select(
        [scale == 1, scale == 2, scale == 3],
        [draw.integers(1, 6, count), draw.integers(0, 11, count), draw.integers(1, 8, count)],
        0,
    ).astype(float)
    frame = _frame(
        {
            "occurred_at": _instants(chunk, count, draw),
            "feed": _named(["crm", "survey", "web"], feed),
            "kind": _named(kinds, kind),
            "channel": _named(CHANNELS, draw.integers(0, 8, count)),
            "customer": _customers(draw, count, customers),
            "scale": _named([None, "csat", "nps", "ces"], scale),
            "score": score,
            "amount": np.where(feed == 0, np.round(draw.lognormal(4, 1, count), 2), np.nan),
            "duration_minutes": np.where(feed == 2, draw.integers(0, 60, count), np.nan).astype(float),
        }
    )
    return frame.with_columns(
        pl.when(pl.col("scale").is_not_null()).then("score"),
        pl.col("amount", "duration_minutes").fill_nan(None),
    )


def _named(names: Sequence[str | None], codes: np.ndarray) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(pl.Series(codes))
