"""A made-up company of any size, straight into the event store; and one timed run over it.

    python -m tests.bench.million build FOLDER [EVENTS]    makes the workspace (untimed)
    python -m tests.bench.million run FOLDER               match, measure, score, audit, publish: timed

60 touchpoints, 150 ordered rules (a fifth test a number), 40 seats that change hands about every ten
weeks, 200 kinds of event, 2 years, tickets with their history, three kinds of score.
"""

import json
import resource
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from tests.bench.memory import peak_mb

SEED = 20261121
START = datetime(2024, 11, 1, tzinfo=UTC)
DAYS = 730
STAGES = ("entice", "enter", "engage", "extend", "exit")
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


def build(folder: Path, events: int) -> None:
    """Write the workspace's files and fill its store."""
    from contracts.identity import Resolution
    from flows.workspace import load
    from warehouse.store import EventStore

    (folder / "map").mkdir(parents=True, exist_ok=True)
    (folder / "feeds").mkdir(exist_ok=True)
    settings = {
        "name": "Bench",
        "timezone": "UTC",
        "clock": "2026-11-01T06:00:00",
        "identity": {"key": "public"},
    }
    (folder / "answerable.yaml").write_text(yaml.safe_dump(settings))
    (folder / "map/map.yaml").write_text(yaml.safe_dump(company(), sort_keys=False))
    for feed in FEEDS:
        (folder / f"feeds/{feed}.yaml").write_text(f"feed: {feed}\n{FEED}")
    (folder / "contract.odcs.yaml").write_text(CONTRACT)
    store = EventStore(load(folder).warehouse / "store")
    customers = max(events // 20, 1000)
    known = pl.DataFrame({"customer": np.arange(1, customers + 1, dtype=np.uint32)}).with_columns(
        customer_key=pl.format("c_{}", pl.col("customer"))
    )
    store.absorb(store.head(), drawn_events(events, customers), [], Resolution(customers=known))


def company() -> dict:
    """The map, as plain values."""
    draw = np.random.default_rng(SEED)
    people = [{"id": f"p{n:03d}", "name": f"Person {n}"} for n in range(120)]
    touchpoints = [f"t{n:02d}" for n in range(60)]
    return {
        "teams": [
            {"id": f"team{n}", "name": f"Team {n}", "groups": list(GROUPS[2 * n : 2 * n + 2])}
            for n in range(12)
        ],
        "people": people,
        "seats": [_seat(number, draw) for number in range(40)],
        "touchpoints": [_touchpoint(number, name, draw) for number, name in enumerate(touchpoints)],
        "rules": list(_rules(touchpoints, draw)),
        "metrics": METRICS,
        "cases": [{"subject": "ticket", "attributes": {"priority": "last"}}],
    }


METRICS = [
    {"id": "csat", "name": "CSAT", "estimator": "csat", "where": {"scale": "csat"}, "by": ["channel"]},
    {"id": "nps", "name": "NPS", "estimator": "nps", "where": {"scale": "nps"}},
    {"id": "ces", "name": "CES", "estimator": "ces", "where": {"scale": "ces"}},
    {
        "id": "amount",
        "name": "Amount",
        "estimator": "mean",
        "where": {"feed": "crm"},
        "value": "amount",
        "step": 0.01,
    },
    {
        "id": "resolution_p50",
        "name": "p50",
        "estimator": "quantile",
        "open_cases": "left_out",  # as the SQL that it is held against
        "quantile": 0.5,
        "of": "cases",
        "value": "resolution_hours",
    },
    {
        "id": "resolution_p90",
        "name": "p90",
        "estimator": "quantile",
        "open_cases": "left_out",
        "quantile": 0.9,
        "of": "cases",
        "value": "resolution_hours",
    },
    {
        "id": "reopened",
        "name": "Reopened",
        "estimator": "share",
        "of": "cases",
        "good": {"reopened_count": ">= 1"},
        "direction": "lower",
    },
]


FEED = """
kind: file
owner: s00
streams:
  - name: history
    files: nothing*.csv
    format: csv
    contract: contract.odcs.yaml
    events: [{kind: kind, occurred_at: at, attributes: {priority: priority}}]
"""
CONTRACT = """
{apiVersion: v3.2.0, kind: DataContract, id: bench, version: 1.0.0, status: active, schema: [{name: history,
  properties: [{name: kind}, {name: at, logicalType: timestamp}, {name: priority}]}]}
"""


def _seat(number: int, draw: np.random.Generator) -> dict:
    changes = sorted(draw.choice(DAYS * 24, size=10, replace=False))
    moments = [(START + timedelta(hours=int(hour))).isoformat() for hour in changes]
    holders = []
    for index, (since, until) in enumerate(zip([None, *moments], [*moments, None], strict=True)):
        one = {"person": f"p{(number * 3 + index) % 120:03d}", "from": since, "until": until}
        holders.append({key: value for key, value in one.items() if value is not None})
    return {
        "id": f"s{number:02d}",
        "name": f"Seat {number}",
        "team": f"team{number % 12}",
        "holders": holders,
    }


def _touchpoint(number: int, name: str, draw: np.random.Generator) -> dict:
    goals = [
        {
            "metric": "csat",
            "at_least": float(np.round(draw.uniform(0.6, 0.8), 2)),
            "due": date(2026, 12, 31),
            "why": "bench",
        }
    ]
    return {
        "id": name,
        "name": name,
        "stage": STAGES[number // 12],
        "accountable": f"s{number % 40:02d}",
        "metrics": ["csat"],
        "goals": goals,
    }


def _rules(touchpoints: list[str], draw: np.random.Generator):
    """150 rules: a fifth with a number, two fifths with channels; the last ones catch most of the rest."""
    number = 0
    for feed, count in (("survey", 20), ("tickets", 20), ("crm", 40), ("web", 62)):
        for _ in range(count):
            rule = {"id": f"r{number}", "touchpoint": touchpoints[draw.integers(60)], "feed": feed}
            rule["kind"] = sorted(
                {str(kind) for kind in draw.choice(KINDS[feed], size=min(len(KINDS[feed]), 4))}
            )
            if draw.random() < 0.4:
                rule["channel"] = sorted({str(channel) for channel in draw.choice(CHANNELS, size=3)})
            if draw.random() < 0.2:
                column, limit = (("score", 5), ("amount", 100), ("duration_minutes", 30))[draw.integers(3)]
                rule["where"] = {column: f">= {limit}"}
            yield rule
            number += 1
    for feed in FEEDS:
        for half in ("email", "phone"):
            rule = {"id": f"r{number}", "touchpoint": touchpoints[draw.integers(60)], "feed": feed}
            yield rule | (
                {"channel": half}
                if half == "email" and feed == "web"
                else {"kind": KINDS[feed][:-8] or KINDS[feed]}
            )
            number += 1


def drawn_events(events: int, customers: int) -> pl.DataFrame:
    """Canonical events: a fifth are ticket history, a tenth survey answers, the rest CRM and web."""
    draw = np.random.default_rng([SEED, 1])
    tickets = events // 25
    parts = [_tickets(tickets, customers, draw)]
    parts.append(_others(events - parts[0].height, customers, draw))
    merged = pl.concat(parts, how="diagonal").with_row_index("row")
    return merged.with_columns(
        event_id=pl.format("bench|all|{}", pl.col("row")),
        recorded_at=pl.col("occurred_at"),
        landing=pl.lit("bench"),
        sequence=pl.lit(0, dtype=pl.Int64),
    )


def _instants(draw: np.random.Generator, count: int) -> np.ndarray:
    first = int(START.timestamp() * 1e6)
    return first + draw.integers(0, DAYS * 86_400_000_000, count)


def _frame(columns: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(columns).with_columns(pl.from_epoch("occurred_at", "us").dt.replace_time_zone("UTC"))


def _customers(draw: np.random.Generator, count: int, customers: int) -> np.ndarray:
    return (1 + customers * draw.random(count) ** 2.5).astype(np.uint32).clip(1, customers)


def _tickets(tickets: int, customers: int, draw: np.random.Generator) -> pl.DataFrame:
    opened, owner = _instants(draw, tickets), _customers(draw, tickets, customers)
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
                    "feed": np.full(len(index), "tickets"),
                    "kind": np.full(len(index), f"ticket.{state}"),
                    "channel": np.array(CHANNELS)[channel[index]],
                    "customer": owner[index],
                    "subject_type": np.full(len(index), "ticket"),
                    "subject_id": np.char.add("T", index.astype(str)),
                    "actor_team": np.array([*GROUPS, ""])[group],
                    "attribute_priority": priority[index].astype(str),
                }
            )
        )
    end = START + timedelta(days=DAYS)
    return (
        pl.concat(frames)
        .filter(pl.col("occurred_at") < end)
        .with_columns(pl.col("actor_team").replace("", None))
    )


def _others(count: int, customers: int, draw: np.random.Generator) -> pl.DataFrame:
    feed = draw.choice(3, count, p=[0.25, 0.15, 0.6])
    names = np.array(["crm", "survey", "web"])[feed]
    kind = np.empty(count, dtype=object)
    for index, name in enumerate(("crm", "survey", "web")):
        chosen = feed == index
        kind[chosen] = draw.choice(KINDS[name], chosen.sum())
    answered = kind == "survey.answered"
    scale = np.where(answered, np.array(["csat", "nps", "ces"])[draw.integers(0, 3, count)], "")
    score = np.select(
        [scale == "csat", scale == "nps", scale == "ces"],
        [draw.integers(1, 6, count), draw.integers(0, 11, count), draw.integers(1, 8, count)],
        0,
    ).astype(float)
    frame = _frame(
        {
            "occurred_at": _instants(draw, count),
            "feed": names,
            "kind": kind.astype(str),
            "channel": np.array(CHANNELS)[draw.integers(0, 8, count)],
            "customer": _customers(draw, count, customers),
            "scale": scale.astype(str),
            "score": score,
            "amount": np.where(feed == 0, np.round(draw.lognormal(4, 1, count), 2), np.nan),
            "duration_minutes": np.where(feed == 2, draw.integers(0, 60, count), np.nan).astype(float),
        }
    )
    has_scale = pl.col("scale") != ""
    return frame.with_columns(
        pl.when(has_scale).then("score"),
        pl.when(has_scale).then("scale"),
        pl.col("amount", "duration_minutes").fill_nan(None),
    )


def timed(folder: Path) -> dict[str, object]:
    """Match, measure, score, audit and publish what is in the store; CPU seconds of the whole process."""
    from flows.interpreter import prepare

    prepare()  # as the command line does
    from flows.run import Run, released
    from flows.workspace import load

    imported = time.process_time()
    run = Run(load(folder))
    with run.underway():
        state = run.store.head()
        measured, release, _ = released(run, state)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "events": state.rows,
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "cpu_s_importing": round(imported, 2),
        "peak_rss_mb": peak_mb(),
        "cpu_s_by_stage": {stage: round(cost.cpu_seconds, 2) for stage, cost in run.costs.items()},
        "events_read": measured.read,
        "rows": sum(table.rows for table in release.tables),
        "release": release.number,
    }


if __name__ == "__main__":
    command, place, *more = sys.argv[1:]
    if command == "build":
        build(Path(place), int(float(more[0])) if more else 1_000_000)
    else:
        sys.stdout.write(json.dumps(timed(Path(place)), indent=1) + "\n")
