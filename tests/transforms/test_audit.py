"""Every rule of the audit finds its gap, and only that."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from contracts.attestations import Attestation, AttestationState, Attested
from contracts.documents import parse
from contracts.map_checks import assemble
from contracts.map_content import FormulaChange
from contracts.tables import (
    DataTrust,
    FactEventUnmatched,
    FactHandoff,
    GapFinding,
    GoalHistory,
    MetricStanding,
    ObservedAccountability,
    PersonLoad,
    PriorityMismatch,
    UnmatchedShare,
)
from contracts.tenures import tenures
from contracts.workspace import Limits
from transforms.audit import RULES, Evidence, audit, open_findings
from transforms.goal_lint import goal_lint
from transforms.lived import Lived

SOUND = """
teams: [{id: one, name: One, groups: [Desk]}, {id: two, name: Two, groups: [Lab]}]
people: [{id: ada, name: Ada}, {id: ben, name: Ben}]
seats: [{id: seat, name: Seat, team: one, holders: [{person: ada}]}]
stages: [{id: engage, name: Engage}]
touchpoints:
  - id: point
    name: Point
    stage: engage
    accountable: seat
    responsible: one
    metrics: csat
    validated_by: ben
    validated_at: 2026-03-01
    validated_role: frontline
    goals: [{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters, from: 2026-01-01, baseline: 0.7, baseline_at: 2026-01-01, approved_by: ben}]
rules: [{id: every_event, touchpoint: point}]
metrics:
  - id: csat
    name: CSAT
    estimator: csat
    independence: {motive: seat, collection: two, analysis: two, reporting: "external: Institute"}
reviews: [{id: weekly, name: Weekly, every: week, chair: seat}]
"""
NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)


def findings(*changes: tuple[str, str], **seen: object) -> list[tuple[str, str, str]]:
    """What the audit finds in a map: rule, object, severity."""
    found = audit(evidence(*changes, **seen))
    return list(found.select("rule", "object_id", "severity").iter_rows())


def evidence(*changes: tuple[str, str], **seen: object) -> Evidence:
    """A sound map, changed in some places, and what was seen."""
    text = SOUND
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    atlas = assemble([parse(text, "map.yaml")], ZoneInfo("UTC"))
    told = {
        "observed": frozenset({("point", "csat")}),
        "recent": {"point": (40, 30)},
        "lived": lived(("point", 1, 39), ("point", 2, 1)),
        "disowned": lived(("1", 7, 12)),
        "unmatched": FactEventUnmatched.empty(),
        "shadowed_by": {},
        "hits": {"every_event": 40},
        "recent_hits": {"every_event": 40},
        "handoffs": FactHandoff.empty(),
        "trust": DataTrust.empty(),
        "metric_standing": row(MetricStanding, touchpoint_id="point", metric="csat", n=40, feeds="crm"),
    }
    return Evidence(atlas=atlas, tenures=tenures(atlas), now=NOW, **(told | seen))


def lived(*told: tuple[str, int, int]) -> Lived:
    """Where, which customer, how many events."""
    return Lived.told(pl.DataFrame(told, schema=["touchpoint_id", "customer", "n"], orient="row"))


def row(table: type, **values: object) -> pl.DataFrame:
    """One row of a table; what is not said is null."""
    schema = table.published_schema()
    return pl.DataFrame([{name: values.get(name) for name in schema}], schema=schema)


def test_a_sound_map_has_no_gap():
    assert findings() == []


HELD = "holders: [{person: ada}]"
VACANT = "holders: [{person: ada, until: 2026-03-01}, {vacant: true, from: 2026-03-01}]"
WAS_VACANT = (
    "holders: [{person: ada, until: 2026-03-01}, {vacant: true, from: 2026-03-01, until: 2026-03-05}, "
    "{person: ada, from: 2026-03-05}]"
)
GOES = "holders: [{person: ada, until: 2026-04-01}, {vacant: true, from: 2026-04-01}]"
COVERED = f"{VACANT}, covers: [{{person: ben, from: 2026-03-01, until: 2026-05-01}}]"
GOALS = SOUND[SOUND.index("goals: [") : SOUND.index("\nrules:")]
SECOND = "  - {id: other, name: Other, team: two, holders: [{person: ben}]}\n"
SEATS = "seats: [{id: seat, name: Seat, team: one, holders: [{person: ada}]}]"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("accountable: seat", "accountable: nobody"), ("unowned_touchpoint", "point", "critical")),
        ((HELD, WAS_VACANT), ("vacant_seat", "seat@2026-03-01T00:00:00", "warning")),
        ((GOALS, ""), ("touchpoint_without_goal", "point", "warning")),
        (
            (GOALS, GOALS.replace("due:", "until: 2026-03-01, due:")),
            ("touchpoint_without_goal", "point", "warning"),
        ),
        (("due: 2026-12-31", "due: 2026-03-01"), ("goal_past_due", "point.csat", "warning")),
        ((", baseline: 0.7, baseline_at: 2026-01-01", ""), ("goal_incomplete", "point.csat", "info")),
        ((", from: 2026-01-01", ""), ("goal_incomplete", "point.csat", "info")),
        ((", approved_by: ben", ""), ("goal_incomplete", "point.csat", "info")),
        (("    responsible: one\n", ""), ("responsible_missing", "point", "warning")),
        (("name: Ada}", "name: Service team}"), ("diffuse_accountable", "point", "critical")),
        (("name: Ada}", "name: everyone}"), ("diffuse_accountable", "point", "critical")),
        (("name: Ada}", "name: one}"), ("diffuse_accountable", "point", "critical")),
        (("name: Ada}", "name: Desk}"), ("diffuse_accountable", "point", "critical")),
        (("name: Ada}", "name: help@one.example}"), ("diffuse_accountable", "point", "critical")),
        (("name: One,", "name: One, kind: coordination,"), ("coordinator_accountable", "point", "warning")),
        (("chair: seat}", "chair: seat, stages: []}"), None),
        (
            ("validated_role: frontline", "validated_role: lead"),
            ("never_validated_by_frontline", "point", "info"),
        ),
        (("validated_at: 2026-03-01", "validated_at: 2025-09-20"), ("validation_too_old", "point", "info")),
        (("validated_at: 2026-03-01", "validated_at: 2025-09-21"), None),
        (
            (
                "stages: [{id: engage, name: Engage}]",
                "stages: [{id: engage, name: Engage}, {id: exit, name: Exit}]",
            ),
            ("stage_without_touchpoint", "exit", "info"),
        ),
        (
            (SEATS, SEATS[:-1] + ", {id: spare, name: Spare, team: two, holders: [{person: ben}]}]"),
            ("idle_seat", "spare", "info"),
        ),
        ((HELD, GOES), ("vacancy_ahead", "seat@2026-04-01T00:00:00", "warning")),
        ((HELD, GOES.replace("2026-04-01", "2026-04-18")), None),
        ((HELD, COVERED), None),
        (("responsible: one", "responsible: one\n    consulted: [one, two, ada, ben, seat]"), None),
    ],
)
def test_what_the_map_leaves_open(change: tuple[str, str], found: tuple[str, str, str] | None):
    assert findings(change) == ([found] if found else [])


def test_what_nothing_judges_is_not_measured():
    unmeasured = ("    metrics: csat\n", "")
    assert findings(unmeasured, (GOALS, "")) == [("touchpoint_without_metric", "point", "warning")]


def test_a_vacant_seat_is_missed_wherever_it_has_a_duty():
    assert set(findings((HELD, VACANT))) == {
        ("vacant_seat", "seat@2026-03-01T00:00:00", "critical"),
        ("vacant_duty", "seat.weekly", "warning"),
        ("touchpoint_without_review", "point", "warning"),
    }


def test_a_review_covers_what_it_names():
    named = ("chair: seat}", "chair: seat, touchpoints: point}")
    staged = ("chair: seat}", "chair: seat, stages: engage}")
    other = ("chair: seat}", "chair: seat, touchpoints: other}")
    second = ("\nrules:", GOALS.join(["\n" + POINT_TWO, "\nrules:"]))
    assert findings(named) == findings(staged) == []
    seen = {
        "observed": frozenset({("point", "csat"), ("other", "csat")}),
        "recent": {"point": (40, 30), "other": (1, 1)},
    }
    assert findings(second, other, **seen) == [("touchpoint_without_review", "point", "warning")]


POINT_TWO = """  - id: other
    name: Other
    stage: engage
    accountable: seat
    responsible: one
    metrics: csat
    validated_by: ben
    validated_at: 2026-03-01
    validated_role: frontline
    """


def test_too_many_consulted_is_more_than_the_limit():
    consulted = ("responsible: one", "responsible: one\n    consulted: [one, two]")
    assert findings(consulted, limits=Limits(consulted_per_touchpoint=1)) == [
        ("too_many_consulted", "point", "info")
    ]
    assert findings(consulted, limits=Limits(consulted_per_touchpoint=2)) == []


def unmatched(**values: object) -> pl.DataFrame:
    told = {"feed": "crm", "kind": "crm.sold", "channel": "web", "event_count": 5, "customer_count": 4}
    told |= {"kind_customer_count": 4, "first_at": NOW, "last_at": NOW, "suggested_rule": "{}"}
    return row(FactEventUnmatched, **(told | values))


LATE = {"feed": "crm", "stream": "sales", "is_late": True, "age_hours": 50.0, "age_max_hours": 24.0}
HELD_FILE = {
    "feed": "crm",
    "stream": "sales",
    "is_late": False,
    "held_file_count": 1,
    "owner_seat_id": "seat",
}


def load(**values: object) -> pl.DataFrame:
    told = {"owner_id": "ada", "owner_name": "Ada", "touchpoint_count": 1, "alone_count": 0}
    told |= {"event_28d_count": 40, "customer_28d_count": 30, "alone_at": "point"}
    return row(PersonLoad, **(told | values))


def resolved(cases: int, high: float) -> pl.DataFrame:
    return row(
        ObservedAccountability,
        touchpoint_id="point",
        observed_group="Lab",
        case_count=cases,
        agreed_count=0,
        touchpoint_case_count=cases,
        agreement_share=0.0,
        agreement_high=high,
    )


def share(verdict: str) -> pl.DataFrame:
    told = {"period": "rolling_28d", "period_end": date(2026, 3, 20), "value": 0.2, "goal": 0.05}
    return row(UnmatchedShare, **told, unmatched_count=8, verdict=verdict)


def moved(**said: object) -> pl.DataFrame:
    """A goal that was made easier while it ran."""
    told = {"in_force_from_date": date(2026, 1, 1), "record_number": 2, "recorded_at": NOW, "is_moved": True}
    eased = {
        "change": "changed",
        "is_level_eased": True,
        "level_before": 0.9,
        "level": 0.8,
        "is_due_postponed": False,
    }
    return row(GoalHistory, touchpoint_id="point", metric="csat", **{**told, **eased, **said})


def said(state: AttestationState, touchpoint: str = "point") -> list[Attested]:
    word = Attestation(touchpoint, "ada", "seat", "declined", "It is Ben's.", "v", NOW, NOW, None)
    return [Attested(touchpoint, state, "ada", word)]


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        ({"said": said("declined")}, ("attestation_declined", "point", "warning")),
        ({"said": said("pending")}, None),
        ({"said": said("declined", "gone")}, None),
        ({"observed": frozenset()}, ("metric_never_observed", "point.csat", "warning")),
        ({"hits": {}}, ("rule_without_events", "every_event", "info")),
        (
            {"hits": {}, "shadowed_by": {"every_event": ["other"]}},
            ("shadowed_rule", "every_event", "warning"),
        ),
        ({"hits": {"every_event": 100}, "recent_hits": {}}, ("rule_gone_quiet", "every_event", "info")),
        ({"hits": {"every_event": 99}, "recent_hits": {}}, None),
        ({"hits": {"every_event": 100}, "recent_hits": None}, None),
        ({"unmatched": unmatched()}, ("unmatched_kind", "crm:crm.sold", "warning")),
        ({"unmatched_share": share("missed")}, ("unmatched_share_missed", "unmatched_share", "warning")),
        ({"unmatched_share": share("cannot_tell")}, None),
        ({"trust": row(DataTrust, **LATE, newest_event_at=NOW)}, ("late_feed", "crm", "critical")),
        ({"trust": row(DataTrust, **HELD_FILE)}, ("delivery_held", "crm.sales", "critical")),
        ({"shared_tokens": 2}, ("shared_identifier", "shared", "info")),
        ({"recent": {}}, ("touchpoint_without_events", "point", "warning")),
        ({"recent": {"point": (20, 0)}}, ("internal_customer", "point", "warning")),
        ({"recent": {"point": (19, 0)}}, None),
        (
            {"metric_standing": row(MetricStanding, touchpoint_id="point", metric="csat", n=29)},
            ("too_few_answers", "point", "warning"),
        ),
        ({"metric_standing": row(MetricStanding, touchpoint_id="point", metric="csat", n=30)}, None),
        ({"best": {("point", "csat"): 0.79}}, ("goal_beyond_reach", "point.csat", "info")),
        ({"best": {("point", "csat"): 0.80}}, None),
        ({"goal_history": moved()}, ("goal_moved", "point.csat", "info")),
        ({"goal_history": moved(is_moved=False)}, None),
        ({"goal_history": moved(in_force_from_date=date(2025, 1, 1))}, None),
        (
            {"formula_changes": [FormulaChange("csat", 1, ("top",))]},
            ("metric_changed_without_version", "csat", "warning"),
        ),
        ({"load": load(touchpoint_count=13)}, ("person_overloaded", "ada", "warning")),
        ({"load": load(touchpoint_count=12)}, None),
        ({"load": load(alone_count=4)}, ("bus_factor_of_one", "ada", "warning")),
        ({"load": load(alone_count=3)}, None),
        ({"rates_apart": {"csat": 9}}, ("rate_apart", "csat", "warning")),
        ({"resolved_by": resolved(20, 0.49)}, ("declared_not_observed", "point", "warning")),
        ({"resolved_by": resolved(20, 0.5)}, None),
        ({"resolved_by": resolved(19, 0.49)}, None),
    ],
)
def test_what_the_events_show(seen: dict, found: tuple[str, str, str] | None):
    assert findings(**seen) == ([found] if found else [])


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
    within = moved.with_columns(to_team_id=pl.lit("one"), handoff_count=pl.lit(99, dtype=pl.Int64))
    named = ("reviews: [{id", f"{integrators}\nreviews: [{{id")
    assert findings(named, handoffs=pl.concat([moved, within])) == found


TWO_POINTS = ("\nrules:", GOALS.join(["\n" + POINT_TWO, "\nrules:"]))


def staked(rule: str, *changes: tuple[str, str], **seen: object) -> tuple[int, int]:
    """Events and customers at stake of a rule's only finding."""
    found = audit(evidence(*changes, **seen)).filter(rule=rule)
    assert found.height == 1
    return found.select("event_count", "customer_count").row(0)


def test_handed_work_puts_every_customer_of_the_two_teams_at_stake_once():
    """One ticket of one customer goes to and fro in three weeks: of 44 events at One's touchpoints two customers know."""
    moved = [
        row(FactHandoff, week_start=date(2026, 3, day), from_team_id=one, to_team_id=two, handoff_count=2,
            case_count=1, return_count=1, held_hours=2.0)
        for day in (2, 9, 16) for one, two in (("one", "two"), ("two", "one"))
    ]  # fmt: skip
    lately = lived(("point", 1, 39), ("point", 2, 1), ("other", 1, 4), ("elsewhere", 3, 9))
    assert staked("handoff_without_integrator", TWO_POINTS, handoffs=pl.concat(moved), lived=lately) == (
        44,
        2,
    )


def test_a_vacancy_of_several_touchpoints_puts_every_customer_at_stake_once():
    """Tenures 2 and 5 are those of the vacant seat at either touchpoint; customer 2 is at both."""
    while_vacant = lived(("2", 1, 10), ("2", 2, 10), ("5", 2, 3), ("5", 3, 4), ("5", 0, 1))
    assert staked("vacant_seat", TWO_POINTS, (HELD, WAS_VACANT), disowned=while_vacant) == (28, 3)


def test_a_finding_says_what_is_at_stake_who_acts_and_where_it_stands():
    found = audit(evidence((GOALS, ""))).row(0, named=True)
    assert (found["event_count"], found["customer_count"]) == (40, 30)
    assert found["declared_at"] == "map.yaml:7"
    unowned = audit(evidence(("accountable: seat", "accountable: nobody"))).row(0, named=True)
    assert (unowned["event_count"], unowned["customer_count"]) == (12, 1)


def test_who_acts_is_the_accountable_seat_or_whoever_may_decide_and_never_a_guess():
    def acting(change: tuple[str, str], rights: str = "") -> str | None:
        return audit(evidence(change, ("reviews:", f"{rights}\nreviews:"))).row(0, named=True)["fixed_by"]

    unowned, silent = ("accountable: seat", "accountable: nobody"), ("    responsible: one\n", "")
    assert acting(silent) == "seat"
    assert acting(unowned) is None
    assert acting(unowned, "decision_rights: [{what: owners, seats: [seat]}]") == "seat"
    assert acting(unowned, "decision_rights: [{what: rules, seats: [seat]}]") is None
    assert audit(evidence(trust=row(DataTrust, **HELD_FILE)))["fixed_by"].to_list() == ["seat"]


def test_a_late_feed_puts_every_customer_of_its_metrics_at_stake_once():
    found = audit(evidence(trust=row(DataTrust, **LATE, newest_event_at=NOW))).row(0, named=True)
    assert (found["event_count"], found["customer_count"]) == (40, 2)


def test_since_when_is_said_where_it_is_known():
    def since(*changes: tuple[str, str]) -> datetime | None:
        return audit(evidence(*changes))["since_at"][0]

    assert since((GOALS, GOALS.replace("due:", "until: 2026-03-01, due:"))) == datetime(
        2026, 3, 1, tzinfo=UTC
    )
    assert since(("due: 2026-12-31", "due: 2026-03-01")) == datetime(2026, 3, 1, tzinfo=UTC)
    assert since((GOALS, "")) is None


def test_the_most_customers_at_stake_come_first():
    lost = unmatched(kind_customer_count=400)
    assert [rule for rule, _, _ in findings((GOALS, ""), unmatched=lost)] == [
        "unmatched_kind",
        "touchpoint_without_goal",
    ]
    assert audit(evidence((GOALS, ""), unmatched=lost))["place"].to_list() == [1, 2]


def waiver(until: str, rule: str = "touchpoint_without_goal", thing: str = "point") -> tuple[str, str]:
    text = f"waivers: [{{rule: {rule}, object: {thing}, approver: ben, reason: soon, until: {until}}}]"
    return "reviews:", f"{text}\nreviews:"


@pytest.mark.parametrize(
    ("until", "state", "others"),
    [
        ("2026-06-01", "waived", []),
        ("2026-04-03", "waived", ["waiver_ends_soon"]),
        ("2026-04-04", "waived", []),
        ("2026-03-20T06:00:01", "waived", ["waiver_ends_soon"]),
        ("2026-03-20T06:00:00", "reopened", []),
        ("2026-01-01", "reopened", []),
    ],
)
def test_a_waiver_silences_its_finding_until_the_instant_it_ends(until: str, state: str, others: list[str]):
    found = audit(evidence((GOALS, ""), waiver(until)))
    told = found.filter(pl.col("rule") == "touchpoint_without_goal").row(0, named=True)
    assert (told["state"], told["waived_by"], told["waiver_reason"]) == (state, "ben", "soon")
    assert told["waived_until_at"] == datetime.fromisoformat(until).replace(tzinfo=UTC)
    assert open_findings(found)["rule"].to_list() == (
        ["touchpoint_without_goal"] * (state != "waived") + others
    )


def test_a_waiver_of_a_seat_means_each_of_its_vacancies_and_one_of_nothing_is_told():
    known = audit(evidence((HELD, WAS_VACANT), waiver("2026-06-01", "vacant_seat", "seat")))
    assert known["state"].to_list() == ["waived"]
    assert findings(waiver("2026-06-01")) == [
        ("waiver_of_nothing", "touchpoint_without_goal:point@2026-06-01", "info")
    ]


def test_open_findings_are_those_at_least_so_severe():
    found = audit(evidence((GOALS, ""), trust=row(DataTrust, **HELD_FILE), shared_tokens=1))
    assert open_findings(found)["severity"].cast(pl.String).to_list() == ["warning", "critical", "info"]
    assert open_findings(found, "warning").height == 2
    assert open_findings(found, "critical")["rule"].to_list() == ["delivery_held"]


def test_every_rule_is_one_declaration_that_explains_itself():
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names)) >= 20
    for rule in RULES:
        assert rule.about, f"{rule.name} has no docstring"
        assert rule.sentence
        assert rule.remedy
    GapFinding.validate(audit(evidence((GOALS, ""))).select(GapFinding.column_names()), cast=True)


def test_a_goal_that_misses_letters_says_which():
    change = (", baseline: 0.7, baseline_at: 2026-01-01", "")
    sentences = audit(evidence(change, (", approved_by: ben", "")))["sentence"].to_list()
    assert sentences == ["Point's goal for 'csat' misses A (its baseline) and who agreed ('approved_by')."]
    letters = goal_lint(evidence(change, observed=frozenset()))
    assert letters.select("letter", "reason").rows() == [("M", "never_measured"), ("A", "no_baseline")]


def test_a_lever_makes_a_level_beyond_the_best_achievable():
    best = {"best": {("point", "csat"): 0.79}}
    lever = ("why: it", "lever: a second carrier, why: it")
    assert findings(**best) == [("goal_beyond_reach", "point.csat", "info")]
    assert findings(lever, **best) == []
    assert goal_lint(evidence(**best))["letter"].to_list() == ["A"]


@pytest.mark.parametrize(("grade", "is_found"), [("A", False), ("B", False), ("C", True)])
def test_a_metric_below_the_trust_that_it_asks_for_is_found(grade: str, is_found: bool):
    asked = ("    estimator: csat\n", "    estimator: csat\n    minimum_trust: B\n")
    found = findings(asked, grades={("point", "csat"): (grade, "n")})
    assert found == ([("metric_below_its_trust", "point.csat", "info")] if is_found else [])


DRIVERS = """cases: [{subject: ticket, attributes: {whole: max, x: max, y: max}}]
drivers:
  - {id: one_way, name: the rating, outcome: whole, touchpoints: {point: x, other: y}, low: 1, high: 5}
  - {id: other_way, name: the rating anew, outcome: whole, touchpoints: {point: x, other: y}, low: 1, high: 5}
"""


def test_a_driver_of_one_score_is_told_once_however_many_analyses_there_are():
    second = ("\nrules:", GOALS.join(["\n" + POINT_TWO, "\nrules:"]))
    told = [
        row(PriorityMismatch, analysis=name, touchpoint_id="point", mismatch="driver_without_goal", rank=1)
        for name in ("one_way", "other_way")
    ]
    found = findings(second, ("reviews: [", f"{DRIVERS}reviews: ["), mismatches=pl.concat(told))
    assert [one for one in found if one[0] == "driver_without_goal"] == [
        ("driver_without_goal", "point.one_way", "warning")
    ]
