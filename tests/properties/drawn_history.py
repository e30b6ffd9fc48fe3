"""A drawn history of a small company: batches of events, some late, told again, corrected or taken back.

Between batches the map changes and days pass. Only the seed says what happens.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from contracts.deliveries import Delivery
from contracts.events import ATTRIBUTE, EVENT, TOKENS
from contracts.identity import Resolution
from flows.workspace import LoadedWorkspace, load
from warehouse.store import EventStore, State

START = datetime(2026, 1, 20, tzinfo=UTC)
DAYS = 110
GROUPS = ("north", "south", "east")
PEOPLE = ("ada", "ben", "cleo", "dan")
POINTS = ("order", "delivery", "help", "leave")
_SCHEMA = {name: kind for name, kind in EVENT.items() if name not in TOKENS} | {
    "customer": pl.UInt32(),
    ATTRIBUTE + "priority": pl.String(),
    ATTRIBUTE + "weight": pl.Float64(),
}
_SETTINGS = {"name": "Drawn", "timezone": "Europe/Berlin", "identity": {"key": "public"}}
_CONTRACT = """{apiVersion: v3.2.0, kind: DataContract, id: all, version: 1.0.0, status: active, schema: [{name: all,
  properties: [{name: kind}, {name: at, logicalType: timestamp}, {name: priority}, {name: weight, logicalType: number}]}]}
"""
_FEED = """
kind: file
owner: seat_0
streams:
  - {name: all, files: nothing*.csv, format: csv, contract: all.odcs.yaml, events: [
      {kind: kind, occurred_at: at, attributes: {priority: priority, weight: weight}}]}
"""


def _metrics(step: float) -> list[dict[str, Any]]:
    cases = {"of": "cases", "value": "resolution_hours"}
    return [
        {"id": "csat", "name": "CSAT", "estimator": "csat", "where": {"scale": "csat"}, "by": ["channel"]},
        {"id": "nps", "name": "NPS", "estimator": "nps", "where": {"scale": "nps"}},
        {"id": "amount", "name": "Amount", "estimator": "mean", "value": "amount", "step": step},
        {"id": "p50", "name": "p50", "estimator": "quantile", "quantile": 0.5, **cases, "by": ["priority"]},
        {"id": "p90", "name": "p90", "estimator": "quantile", "quantile": 0.9, **cases, "at": "resolved"},
        {"id": "reopened", "name": "Again", "estimator": "share", "of": "cases",
         "good": {"reopened_count": ">= 1"}, "direction": "lower"},
    ]  # fmt: skip


@dataclass
class History:
    """A company whose history is drawn, batch by batch.

    Attributes:
        root: Its workspace.
        chance: What is drawn.
        events: What was told so far, by event id.
        deliveries: The deliveries that count.
    """

    root: Path
    chance: random.Random
    events: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.today = START + timedelta(days=60)
        self.step, self.threshold, self.batches = 0.01, 5, 0
        self.changes = [[(None, PEOPLE[n])] for n in range(3)]
        self.resolution = Resolution(
            customers=pl.DataFrame(
                [(n, f"c_{n}") for n in range(1, 41)],
                schema={"customer": pl.UInt32, "customer_key": pl.String},
                orient="row",
            )
        )
        for name, text in (("all.odcs.yaml", _CONTRACT), ("feeds/desk.yaml", f"feed: desk\n{_FEED}"),
                           ("feeds/web.yaml", f"feed: web\n{_FEED}")):  # fmt: skip
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.store = EventStore(self.root / "warehouse/store")

    @property
    def state(self) -> State:
        """The store as it is."""
        return self.store.head()

    def workspace(self) -> LoadedWorkspace:
        """The workspace as it is today."""
        (self.root / "answerable.yaml").write_text(yaml.safe_dump(_SETTINGS))
        (self.root / "map").mkdir(exist_ok=True)
        (self.root / "map/map.yaml").write_text(yaml.safe_dump(self._map(), sort_keys=False))
        return load(self.root, self.today)

    def change_map(self) -> str:
        """Change one thing of the map; returns what."""
        what = self.chance.choice(["owner", "owner", "vacancy", "rule", "step", "clock"])
        if what == "rule":
            self.threshold = self.chance.randint(1, 9)
        elif what == "step":
            self.step = self.chance.choice([0.01, 0.05, 1.0])
        elif what == "clock":
            self.today += timedelta(days=self.chance.choice([1, 1, 9]), hours=self.chance.randint(0, 3))
        else:
            who = None if what == "vacancy" else self.chance.choice(PEOPLE)
            hour = self.chance.choice([0, 0, 7, 13])
            since = START.replace(tzinfo=None) + timedelta(days=self.chance.randint(1, DAYS), hours=hour)
            changes = self.chance.choice(self.changes)
            changes[:] = [one for one in changes if one[0] is None or one[0] != since] + [(since, who)]
        return what

    def batch(self) -> None:
        """Absorb one batch: new events, late ones, some told again, some corrected, a delivery taken back."""
        self.batches += 1
        name = f"d{self.batches}"
        told = [self._new(name, row) for row in range(self.chance.randint(5, 120))]
        known = list(self.events.values())
        for one in self.chance.sample(known, min(len(known), self.chance.randint(0, 12))):
            told.append({**one, "landing": name, "row": len(told), **self._corrected(one)})
        told = list({one["event_id"]: one for one in told}.values())
        gone = frozenset[str]()
        if len(self.deliveries) > 1 and self.chance.random() < 0.3:
            gone = frozenset({self.chance.choice(self.deliveries).id})
        if self.chance.random() < 0.3:
            self._merge()
        self.deliveries = [one for one in self.deliveries if one.id not in gone] + [_delivery(name)]
        self.events = {k: one for k, one in self.events.items() if one["landing"] not in gone}
        # What is told just so stays with the delivery that told of it first.
        same = [one for one in told if _facts(one) == _facts(self.events.get(one["event_id"], {}))]
        again = {one["event_id"] for one in same}
        self.events |= {one["event_id"]: one for one in told if one["event_id"] not in again}
        # Whoever tells again names people as they are known today.
        rows = [{c: one.get(c) for c in _SCHEMA} | {"customer": self._today(one["customer"])} for one in told]
        frame = pl.DataFrame(rows, schema=_SCHEMA)
        self.store.absorb(self.state, frame, self.deliveries, self.resolution, superseded=gone)

    def _corrected(self, one: Mapping[str, Any]) -> dict[str, Any]:
        if self.chance.random() < 0.4:
            return {}  # told again, just so
        moved = one["occurred_at"] + timedelta(hours=self.chance.choice([0, 0, 1, 400]))
        return {"score": float(self.chance.randint(0, 11)), "occurred_at": min(moved, self.today)}

    def _merge(self) -> None:
        """Two customers turn out to be one."""
        aliases = self.resolution.aliases
        known = set(aliases["customer"])
        one, other = self.chance.sample(range(1, 41), 2)
        if one in known or other in known or one in set(aliases["merged_into"]):
            return
        more = pl.DataFrame([(one, other)], schema=aliases.schema, orient="row")
        self.resolution = replace(self.resolution, aliases=pl.concat([aliases, more]))

    def _today(self, customer: int) -> int:
        """Who a customer has turned out to be."""
        merged = dict(self.resolution.aliases.rows())
        while customer in merged:
            customer = merged[customer]
        return customer

    def _new(self, landing: str, row: int) -> dict[str, Any]:
        draw = self.chance
        is_late = draw.random() < 0.2
        back = draw.uniform(0, 50 if is_late else 4)
        kind = draw.choice(
            ["opened", "assigned", "replied", "resolved", "reopened", "closed", "answered", "visited", "new"]
        )
        is_ticket = kind not in ("answered", "visited", "new")
        scale = draw.choice(["csat", "nps"]) if kind == "answered" else None
        ticket = f"T{draw.randint(1, 12 + 4 * self.batches)}" if is_ticket else None
        kind = f"ticket.{kind}" if is_ticket else f"{kind}.{self.batches if kind == 'new' else 0}"
        return {
            "event_id": f"desk|{kind}|{landing}|{row}",
            "occurred_at": self.today - timedelta(days=back),
            "recorded_at": self.today,
            "feed": draw.choice(["desk", "web"]) if not is_ticket else "desk",
            "kind": kind,
            "channel": draw.choice(["web", "app", None]),
            "score": float(draw.randint(0, 10)) if scale else None,
            "scale": scale,
            "amount": round(draw.uniform(0, 90), 2) if draw.random() < 0.3 else None,
            "subject_type": "ticket" if is_ticket else None,
            "subject_id": ticket,
            "sequence": draw.randint(0, 2),
            "actor_team": draw.choice(GROUPS) if is_ticket and draw.random() < 0.6 else None,
            "landing": landing,
            "row": row,
            "customer": draw.randint(0, 40),
            ATTRIBUTE + "priority": draw.choice(["low", "high", None]) if is_ticket else None,
            ATTRIBUTE + "weight": draw.choice([1.5, 2.5, None]),
        }

    def _map(self) -> dict[str, Any]:
        cases = {"subject": "ticket", "attributes": {"priority": "last", "weight": "max"}}
        return {
            "teams": [{"id": f"team_{n}", "name": f"Team {n}", "groups": [GROUPS[n]]} for n in range(3)],
            "people": [{"id": one, "name": one.title()} for one in PEOPLE],
            "seats": [self._seat(n) for n in range(3)],
            "touchpoints": [
                {"id": point, "name": point, "stage": ("enter", "engage", "extend", "exit")[n],
                 "accountable": f"seat_{n}" if n < 3 else "nobody", "metrics": ["csat"]}
                for n, point in enumerate(POINTS)
            ],
            "rules": [
                {"id": "high", "touchpoint": "order", "where": {"score": f">= {self.threshold}"}},
                {"id": "tickets", "touchpoint": "help", "kind": ["ticket.*"]},
                {"id": "app", "touchpoint": "delivery", "channel": ["app"]},
                {"id": "web", "touchpoint": "leave", "feed": ["web"], "channel": ["web"]},
            ],
            "metrics": _metrics(self.step),
            "cases": [cases],
            "customers": [
                {"id": "everybody", "name": "Everybody", "active": {"kind": ["visited.*", "answered.*"]}, "by": "priority",
                 "left": {"kind": "ticket.closed"}, "reason": "priority", "value": "amount", "lapse_days": 20}
            ],
        }  # fmt: skip

    def _seat(self, number: int) -> dict[str, Any]:
        ordered = sorted(
            self.changes[number], key=lambda one: (one[0] is not None, one[0] or START.replace(tzinfo=None))
        )
        ends = [since for since, _ in ordered[1:]] + [None]
        holders = []
        for (since, who), until in zip(ordered, ends, strict=True):
            held = {"person": who, "from": since and since.isoformat(), "until": until and until.isoformat()}
            told = {name: value for name, value in held.items() if value is not None}
            holders.append(told if who is not None else {**told, "vacant": True})
        return {
            "id": f"seat_{number}",
            "name": f"Seat {number}",
            "team": f"team_{number}",
            "holders": holders,
        }


def _facts(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("landing", "row")}


def _delivery(name: str) -> Delivery:
    return Delivery(
        id=name, feed="desk", stream="all", source=f"{name}.csv", sha256=name,
        reading="r", mapping="m", state="accepted", parts={},
    )  # fmt: skip
