"""Every rule of the audit finds its gap, and only that."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from contracts.documents import parse
from contracts.map_checks import assemble
from contracts.tables import DataTrust, FactEventUnmatched, FactHandoff
from contracts.tenures import tenures
from transforms.audit import RULES, Evidence, audit

SOUND = """
teams: [{id: one, name: One, groups: [Desk]}, {id: two, name: Two, groups: [Lab]}]
people: [{id: ada, name: Ada}]
seats: [{id: seat, name: Seat, team: one, holders: [{person: ada}]}]
touchpoints:
  - id: point
    name: Point
    stage: engage
    accountable: seat
    metrics: csat
    goals: [{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]
rules: [{id: every_event, touchpoint: point}]
metrics: [{id: csat, name: CSAT, estimator: csat}]
"""
NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)


def findings(changed: tuple[str, str] = ("", ""), **seen: object) -> list[tuple[str, str, str]]:
    """What the audit finds in a map: rule, object, severity."""
    found = audit(evidence(changed, **seen))
    return list(found.select("rule", "object_id", "severity").iter_rows())


def evidence(changed: tuple[str, str] = ("", ""), **seen: object) -> Evidence:
    """A sound map, changed in one place, and what was seen."""
    atlas = assemble([parse(SOUND.replace(*changed) if changed[0] else SOUND, "map.yaml")], ZoneInfo("UTC"))
    told = {
        "observed": frozenset({("point", "csat")}),
        "recent": {"point": (40, 30)},
        "disowned": {1: (12, 9)},
        "unmatched": FactEventUnmatched.empty(),
        "shadowed_by": {},
        "hits": {"every_event": 40},
        "handoffs": FactHandoff.empty(),
        "trust": DataTrust.empty(),
    }
    return Evidence(atlas=atlas, tenures=tenures(atlas), now=NOW, **(told | seen))


def row(table: type, **values: object) -> pl.DataFrame:
    """One row of a table; what is not said is null."""
    schema = table.published_schema()
    return pl.DataFrame([{name: values.get(name) for name in schema}], schema=schema)


def test_a_sound_map_has_no_gap():
    assert findings() == []


VACANT = "holders: [{person: ada, until: 2026-03-01}, {vacant: true, from: 2026-03-01}]"
WAS_VACANT = (
    "holders: [{person: ada, until: 2026-03-01}, {vacant: true, from: 2026-03-01, until: 2026-03-05}, "
    "{person: ada, from: 2026-03-05}]"
)
GOALS = "goals: [{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]"


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (("accountable: seat", "accountable: nobody"), ("unowned_touchpoint", "point", "critical")),
        (("holders: [{person: ada}]", VACANT), ("vacant_seat", "seat@2026-03-01T00:00:00", "critical")),
        (("holders: [{person: ada}]", WAS_VACANT), ("vacant_seat", "seat@2026-03-01T00:00:00", "warning")),
        ((f"    metrics: csat\n    {GOALS}", ""), ("touchpoint_without_metric", "point", "warning")),
        ((GOALS, ""), ("touchpoint_without_goal", "point", "warning")),
        (
            (GOALS, GOALS.replace("due:", "until: 2026-03-01, due:")),
            ("touchpoint_without_goal", "point", "warning"),
        ),
        (("due: 2026-12-31", "due: 2026-03-01"), ("goal_past_due", "point.csat", "warning")),
    ],
)
def test_what_the_map_leaves_open(changed: tuple[str, str], found: tuple[str, str, str]):
    assert findings(changed) == [found]


def test_what_the_events_show():
    assert findings(observed=frozenset()) == [("metric_never_observed", "point.csat", "warning")]
    assert findings(hits={}) == [("rule_without_events", "every_event", "info")]
    assert findings(hits={}, shadowed_by={"every_event": ["other"]}) == [
        ("shadowed_rule", "every_event", "warning")
    ]
    lost = row(
        FactEventUnmatched,
        feed="crm",
        kind="crm.sold",
        channel="web",
        event_count=5,
        customer_count=4,
        first_at=NOW,
        last_at=NOW,
        suggested_rule="{}",
    )
    assert findings(unmatched=lost) == [("unmatched_kind", "crm:crm.sold", "warning")]
    late = row(
        DataTrust,
        feed="crm",
        stream="sales",
        is_late=True,
        age_hours=50.0,
        age_max_hours=24.0,
        newest_event_at=NOW,
    )
    assert findings(trust=late) == [("late_feed", "crm", "critical")]
    assert findings(shared_tokens=2) == [("shared_identifier", "shared", "info")]


@pytest.mark.parametrize(
    ("count", "integrators", "found"),
    [
        (10, "", [("handoff_without_integrator", "one+two", "warning")]),
        (9, "", []),
        (10, "integrators: [{between: [two, one], seat: seat}]", []),
    ],
)
def test_teams_that_hand_each_other_work_need_an_integrator(count: int, integrators: str, found: list):
    moved = row(
        FactHandoff,
        from_team_id="one",
        to_team_id="two",
        handoff_count=count,
        case_count=3,
        return_count=1,
        held_hours=2.0,
    )
    within = row(
        FactHandoff,
        from_team_id="one",
        to_team_id="one",
        handoff_count=99,
        case_count=3,
        return_count=1,
        held_hours=2.0,
    )
    assert (
        findings(("metrics: [{id", f"{integrators}\nmetrics: [{{id"), handoffs=pl.concat([moved, within]))
        == found
    )


def test_a_finding_says_what_is_at_stake_who_acts_and_where_it_stands():
    found = audit(evidence((GOALS, ""))).row(0, named=True)
    assert (found["event_count"], found["customer_count"], found["fixed_by"]) == (40, 30, "seat")
    assert found["declared_at"] == "map.yaml:6"
    unowned = audit(evidence(("accountable: seat", "accountable: nobody"))).row(0, named=True)
    assert (unowned["event_count"], unowned["customer_count"]) == (12, 9)


def test_the_most_customers_at_stake_come_first():
    lost = row(
        FactEventUnmatched,
        feed="crm",
        kind="crm.sold",
        channel="web",
        event_count=5,
        customer_count=400,
        first_at=NOW,
        last_at=NOW,
        suggested_rule="{}",
    )
    assert [rule for rule, _, _ in findings((GOALS, ""), unmatched=lost)] == [
        "unmatched_kind",
        "touchpoint_without_goal",
    ]


def test_every_rule_explains_itself():
    for rule in RULES:
        assert rule.find.__doc__, f"{rule.name} has no docstring"
