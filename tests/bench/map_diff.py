"""What-if over a year of history: 200 touchpoints x 365 days x 12 metrics = 876,000 rows of sums.

    python -m tests.bench.map_diff build FOLDER    makes the workspace and a second map (untimed)
    python -m tests.bench.map_diff run FOLDER      the diff: wall and CPU seconds of each part

Every touchpoint is judged every day by eleven metrics, and `events` is the twelfth; 40 seats, which
change hands about every ten weeks. The second map hands 12 touchpoints to another seat, moves one change
of hands by some hours, changes two goals and sends the events of two rules to another touchpoint.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
import yaml

from tests.bench.memory import peak_mb

SEED = 20261121
START = datetime(2025, 11, 1, tzinfo=UTC)
DAYS, TOUCHPOINTS, METRICS, SEATS = 365, 200, 11, 40
NOW = "2026-11-01T06:00:00"
T = TypeVar("T")
ESTIMATORS = ("csat", "nps", "ces", "mean")


def build(folder: Path) -> None:
    """Write the two workspaces and fill the first one's store."""
    from contracts.identity import Resolution
    from flows.workspace import load
    from warehouse.store import EventStore

    _write(folder, company(changed=False))
    _write(folder / "changed", company(changed=True))
    store = EventStore(load(folder).warehouse / "store")
    events = drawn_events()
    customers = int(events["customer"].max())
    known = pl.DataFrame({"customer": np.arange(1, customers + 1, dtype=np.uint32)}).with_columns(
        customer_key=pl.format("c_{}", pl.col("customer"))
    )
    store.absorb(store.head(), events, [], Resolution(customers=known))


def _write(folder: Path, company: dict) -> None:
    (folder / "map").mkdir(parents=True, exist_ok=True)
    (folder / "feeds").mkdir(exist_ok=True)
    settings = {"name": "Bench", "timezone": "UTC", "clock": NOW, "identity": {"key": "public"}}
    (folder / "answerable.yaml").write_text(yaml.safe_dump(settings))
    (folder / "map/map.yaml").write_text(yaml.safe_dump(company, sort_keys=False))
    (folder / "feeds/survey.yaml").write_text(FEED)
    (folder / "contract.odcs.yaml").write_text(CONTRACT)


def company(*, changed: bool) -> dict:
    """The map as plain values, before or after the change."""
    draw = np.random.default_rng(SEED)
    seats = [_seat(number, draw) for number in range(SEATS)]
    touchpoints = [_touchpoint(number, draw) for number in range(TOUCHPOINTS)]
    rules = [
        {"id": f"r{number:03d}", "touchpoint": f"t{number:03d}", "kind": f"k{number:03d}"}
        for number in range(TOUCHPOINTS)
    ]
    if changed:
        for number in range(0, TOUCHPOINTS, 17):
            touchpoints[number]["accountable"] = f"s{(number + 7) % SEATS:02d}"
        later = (datetime.fromisoformat(seats[3]["holders"][0]["until"]) + timedelta(hours=5)).isoformat()
        seats[3]["holders"][0]["until"] = seats[3]["holders"][1]["from"] = later
        for number in (20, 21):
            touchpoints[number]["goals"][0]["at_least"] += 0.05
            rules[number]["touchpoint"] = f"t{number + 100:03d}"
    return {
        "teams": [{"id": f"team{n}", "name": f"Team {n}"} for n in range(12)],
        "people": [{"id": f"p{n:03d}", "name": f"Person {n}"} for n in range(120)],
        "seats": seats,
        "touchpoints": touchpoints,
        "rules": rules,
        "metrics": [_metric(number) for number in range(METRICS)],
    }


def _metric(number: int) -> dict:
    estimator = ESTIMATORS[number % len(ESTIMATORS)]
    more = {"value": "score", "unit": "points"} if estimator == "mean" else {}
    where = {"scale": f"s{number:02d}"}
    return {"id": f"m{number:02d}", "name": f"Metric {number}", "estimator": estimator, "where": where} | more


def _seat(number: int, draw: np.random.Generator) -> dict:
    changes = sorted(draw.choice(DAYS * 24, size=5, replace=False))
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


def _touchpoint(number: int, draw: np.random.Generator) -> dict:
    level = float(np.round(draw.uniform(0.3, 0.5), 2))
    return {
        "id": f"t{number:03d}",
        "name": f"Touchpoint {number}",
        "stage": ("entice", "enter", "engage", "extend", "exit")[number % 5],
        "accountable": f"s{number % SEATS:02d}",
        "metrics": [f"m{metric:02d}" for metric in range(METRICS)],
        "goals": [{"metric": "m00", "at_least": level, "due": "2026-12-31", "why": "bench"}],
    }


FEED = """
feed: survey
kind: file
owner: s00
streams:
  - name: history
    files: nothing*.csv
    format: csv
    contract: contract.odcs.yaml
    events: [{kind: kind, occurred_at: at}]
"""
CONTRACT = """
{apiVersion: v3.2.0, kind: DataContract, id: bench, version: 1.0.0, status: active, schema: [{name: history,
  properties: [{name: kind}, {name: at, logicalType: timestamp}]}]}
"""


def drawn_events() -> pl.DataFrame:
    """One answer for every touchpoint, day and metric, at a drawn moment of the day."""
    draw = np.random.default_rng([SEED, 1])
    count = DAYS * TOUCHPOINTS * METRICS
    day, touchpoint, metric = np.unravel_index(np.arange(count), (DAYS, TOUCHPOINTS, METRICS))
    moment = int(START.timestamp() * 1e6) + day * 86_400_000_000 + draw.integers(0, 86_400_000_000, count)
    frame = pl.DataFrame(
        {
            "occurred_at": moment,
            "feed": np.full(count, "survey"),
            "kind": np.array([f"k{n:03d}" for n in range(TOUCHPOINTS)])[touchpoint],
            "customer": (1 + draw.integers(0, 50_000, count)).astype(np.uint32),
            "scale": np.array([f"s{n:02d}" for n in range(METRICS)])[metric],
            "score": draw.integers(1, 6, count).astype(float),
        }
    ).with_columns(pl.from_epoch("occurred_at", "us").dt.replace_time_zone("UTC"))
    return frame.with_row_index("row").with_columns(
        event_id=pl.format("bench|all|{}", pl.col("row")),
        recorded_at=pl.col("occurred_at"),
        landing=pl.lit("bench"),
        sequence=pl.lit(0, dtype=pl.Int64),
    )


def timed(folder: Path) -> dict[str, object]:
    """The diff over the whole year, from the files on; CPU seconds of this process, the imports apart."""
    import flows.whatif as parts
    from flows.workspace import load
    from warehouse.store import EventStore

    imported = time.process_time()
    seconds: dict[str, tuple[float, float]] = {}

    def note(what: str, work: Callable[[], T]) -> T:
        wall, cpu = time.perf_counter(), time.process_time()
        done = work()
        spent = round(time.perf_counter() - wall, 2), round(time.process_time() - cpu, 2)
        seconds[what] = spent
        return done

    before, after = note("load both", lambda: (load(folder), load(folder / "changed")))
    state = EventStore(before.warehouse / "store").head()
    said = note("diff", lambda: parts.map_change(before, after, state, DAYS, ("before", "after")))
    comparison, codebook = note("of it: compile", lambda: parts.compared(before, after, state, DAYS))
    cube = note("of it: cube from events", lambda: parts.cube_of(comparison, codebook, state))
    asked = parts.plans(cube, comparison)
    found = note("of it: questions", lambda: parts.Found.of(pl.collect_all(asked.all())))
    note(
        "of it: verdicts", lambda: pl.collect_all([parts.verdicts(found, comparison, s) for s in parts.SIDES])
    )
    keys = ["slot", "touchpoint", "metric"]
    days = cube.sums.with_columns(slot=pl.lit(comparison.after.slots.dates).gather(pl.col("slot")))
    return {
        "events": state.rows,
        "cube_rows": days.select(keys).n_unique(),
        "rows_with_days_cut": cube.sums.height,
        "cpu_s_importing": round(imported, 2),
        "wall_s_and_cpu_s": seconds,
        "peak_rss_mb": peak_mb(),
        "events_changed": said.events_changed,
        "moves": len(said.moves),
        "flips": len(said.flips),
    }


if __name__ == "__main__":
    command, place = sys.argv[1:]
    if command == "build":
        build(Path(place))
    else:
        sys.stdout.write(json.dumps(timed(Path(place)), indent=1) + "\n")
