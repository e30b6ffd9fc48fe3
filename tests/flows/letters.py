"""A breach and a late feed as they are told, for tests of channels and messages."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from contracts.alerts import AlertMessage, Letter, plain
from flows.channels import Outgoing
from views.alert_message import render

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
BREACH = AlertMessage(
    kind="breach",
    alert="8c1f00aa11",
    to="dana",
    role="owner",
    why_you="role accountable",
    map_version="3f2c91e0aa",
    scope_type="touchpoint",
    scope="receive_shipment",
    scope_name="Receive <the> shipment",
    stage_name="Engage",
    metric="csat",
    metric_name="CSAT",
    facts={
        "week_end": "2026-11-16",
        "week_n": 78,
        "week_value": 0.72,
        "n": 312,
        "value": 0.74,
        "value_low": 0.69,
        "value_high": 0.79,
        "bound": 0.78,
        "trust": "B",
        "doubts": [],
        "goal": 0.82,
        "due_date": "2026-12-31",
        "direction": "higher",
        "unit": "share",
        "customers": 1940,
        "is_inherited": False,
        "breach_weeks": 1,
        "goal_weeks": 0,
        "late_feeds": [],
        "before_end": "2026-10-26",
        "before_n": 290,
        "before_value": 0.821,
    },
    at=datetime(2026, 11, 21, 9, tzinfo=UTC),
    reason="breach_on_evidence",
    reason_text="it is so",
    began=datetime(2026, 10, 26, tzinfo=UTC).date(),
    days=26,
    person="dana",
    person_name="Dana Okafor",
    seat_name="Head of Last Mile",
    since=datetime(2026, 9, 14, tzinfo=UTC),
    began_under="Dana Okafor",
    expected_dissatisfied=504,
    due_at=datetime(2026, 11, 24, 9, tzinfo=UTC),
    next=(
        {"role": "delegate", "seat_name": "Head of Last Mile", "name": "L. Brandt"},
        {"role": "integrator", "seat_name": "Fulfilment", "name": "M. Ito"},
    ),
)
RESOLVED = replace(
    BREACH,
    kind="resolved",
    reason="back_at_goal",
    days=23,
    due_at=None,
    facts={**BREACH.facts, "goal_weeks": 3, "value": 0.83},
    history=("acknowledged by Dana Okafor on 2026-11-22",),
)
LATE = AlertMessage(
    kind="no_data",
    alert="d59fc9b2bb",
    to="sofia",
    role="feed_owner",
    why_you="role feed owner",
    map_version="3f2c91e0aa",
    scope_type="feed",
    scope="survey",
    scope_name="Survey tool",
    stage_name=None,
    metric="freshness",
    metric_name="freshness",
    facts={
        "age_hours": 31.2,
        "age_max_hours": 24.0,
        "newest_event_at": "2026-11-21T01:00:00+00:00",
        "held": 14,
    },
    at=NOW,
    reason="feed_late",
    reason_text="it is so",
    began=datetime(2026, 11, 21, tzinfo=UTC).date(),
    days=1,
    person="sofia",
    person_name="Sofia Marchetti",
    seat_name="Head of loyalty",
)


def outgoing(root: Path, *messages: AlertMessage, address: str | None = None) -> Outgoing:
    """A letter of these alerts on its way."""
    told = messages or (BREACH,)
    letter = Letter(
        kind=told[0].kind,
        person=told[0].to,
        role=told[0].role,
        channel="test",
        alerts=tuple(one.alert for one in told),
        messages=tuple(plain(one) for one in told),
    )
    links = {BREACH.alert: {"ack": "https://answers.test/a/token"}}
    return Outgoing(
        id="0f" * 16,
        letter=letter,
        rendered=render(letter.messages, links, ZONE),
        company="Larkspur",
        address=address,
        decided_at=NOW,
        root=root,
        links=links,
        attempt_at=NOW,
    )
