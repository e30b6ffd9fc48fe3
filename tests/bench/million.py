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
from datetime import date, timedelta
from pathlib import Path

from flows.interpreter import prepare

if __name__ == "__main__":
    prepare()  # as the command line does

import numpy as np
import yaml

from tests.bench.drawn import CHANNELS, DAYS, FEEDS, GROUPS, KINDS, SEED, START
from tests.bench.memory import peak_mb

STAGES = ("entice", "enter", "engage", "extend", "exit")


def build(folder: Path, events: int) -> list[dict[str, float]]:
    """Write the workspace's files and fill its store; what every chunk of events cost."""
    from tests.bench.filling import fill

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
    return fill(folder, events)


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
        "customers": [
            {
                "id": "active",
                "name": "Active",
                "active": {"kind": ["crm.*", "survey.*"]},
                "lapse_days": 30,
                "value": "amount",
            }
        ],
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


def timed(folder: Path) -> dict[str, object]:
    """Match, measure, score, audit and publish what is in the store; CPU seconds of the whole process.

    Every event is read: what an earlier run kept of months is forgotten first.
    """
    from flows.run import Run, released
    from flows.workspace import load

    imported = time.process_time()
    run = Run(load(folder))
    with run.underway():
        run.store.kept.forget()
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
        told = build(Path(place), int(float(more[0])) if more else 1_000_000)
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    else:
        sys.stdout.write(json.dumps(timed(Path(place)), indent=1) + "\n")
