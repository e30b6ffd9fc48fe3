"""Which metrics are trusted, what people carry, who really resolves cases, what matches nothing: drawn by hand."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from contracts.accountability import Metric
from contracts.documents import parse
from contracts.map_checks import assemble
from contracts.tables import (
    DataTrust,
    FactCase,
    FactEventUnmatched,
    MetricStanding,
    ObservedAccountability,
    PersonLoad,
    ScorecardCompany,
    ScorecardTouchpoint,
    UnmatchedShare,
)
from contracts.tenures import tenures
from contracts.workspace import Limits
from tests.conftest import drawn
from tests.spec.pipeline import coded
from transforms.behind import feeds_of_events
from transforms.in_force import Standing
from transforms.lived import Lived
from transforms.load import person_load
from transforms.observed import RESOLVED_BY, observed_accountability, resolved_lately
from transforms.trust import metric_standing
from transforms.unmatched import free_name, inbox, unmatched_share

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
MAP = """
teams: [{id: desk, name: Desk, groups: [Front, Back]}, {id: lab, name: Lab, groups: [Lab]}]
people: [{id: ada, name: Ada}, {id: ben, name: Ben}, {id: cleo, name: Cleo}, {id: dan, name: Dan}]
seats:
  - {id: head, name: Head, team: desk, holders: [{person: ada}]}
  - {id: second, name: Second, team: desk, holders: [{person: ada}]}
  - id: chief
    name: Chief
    team: lab
    holders: [{person: ben}]
    covers: [{person: cleo, from: 2026-03-01, until: 2026-04-01}]
  - {id: helped, name: Helped, team: lab, holders: [{person: dan}], delegates: [{person: ben}]}
touchpoints:
  - {id: alone, name: Alone, stage: engage, accountable: head}
  - {id: own, name: Own, stage: engage, accountable: head, responsible: [head, second, ada]}
  - {id: with_team, name: With team, stage: engage, accountable: second, responsible: [desk]}
  - {id: covered, name: Covered, stage: engage, accountable: chief}
  - {id: delegated, name: Delegated, stage: engage, accountable: helped}
  - {id: nobodys, name: Nobody's, stage: engage, accountable: nobody}
"""


def standing(text: str = MAP) -> Standing:
    atlas = assemble([parse(text, "map.yaml")], ZoneInfo("UTC"))
    return Standing(atlas, tenures(atlas), NOW)


def rows(table: type, *written: dict) -> pl.DataFrame:
    schema = table.published_schema()
    return pl.DataFrame([{name: one.get(name) for name in schema} for one in written], schema=schema)


def lived(*written: tuple[str, int, int]) -> Lived:
    schema = {"touchpoint_id": pl.String, "customer": pl.UInt32, "n": pl.Int64}
    return Lived.told(pl.DataFrame(written, schema=schema, orient="row"))


def test_load_is_what_a_person_answers_for_now():
    """Ada holds two seats and three touchpoints; customer 1 is at two of them and counts once."""
    recent = lived(
        ("alone", 1, 5), ("own", 1, 2), ("with_team", 0, 3), ("covered", 2, 10), ("nobodys", 3, 5), ("unmatched", 3, 7)
    )  # fmt: skip
    found = person_load(standing(), recent, {"alone": 2, "nobodys": 1}, Limits(alone_per_person=1))
    PersonLoad.validate(found)
    told = {row["owner_id"]: row for row in found.iter_rows(named=True)}
    # Ben's seat is covered by Cleo: she answers for it now, and he could step in.
    assert list(told) == ["ada", "cleo", "dan"]
    ada = told["ada"]
    assert (ada["seat_count"], ada["touchpoint_count"], ada["goals_missed_count"]) == (2, 3, 2)
    assert (ada["event_28d_count"], ada["customer_28d_count"], ada["event_28d_share"]) == (10, 1, 0.4), (
        "of 25 matched"
    )
    assert (ada["alone_count"], ada["alone_at"], ada["is_over_limit"]) == (2, "alone, own", True)
    assert [told[name]["alone_count"] for name in ("cleo", "dan")] == [0, 0]
    assert not told["dan"]["is_over_limit"]


def test_a_person_is_over_the_limit_with_one_touchpoint_more():
    found = person_load(standing(), lived(), {}, Limits(touchpoints_per_person=2, alone_per_person=2))
    assert found.filter("is_over_limit")["owner_id"].to_list() == ["ada"]
    found = person_load(standing(), lived(), {}, Limits(touchpoints_per_person=3, alone_per_person=2))
    assert not found["is_over_limit"].any()
    assert found["event_28d_share"].null_count() == 3


def test_a_vacant_seat_cannot_step_in_but_another_one_can():
    """Whoever is responsible through a seat is there only while somebody answers in it."""
    empty = "  - {id: empty, name: Empty, team: lab, holders: [{vacant: true}]}\ntouchpoints:"
    vacant = MAP.replace("touchpoints:", empty).replace("[head, second, ada]", "[empty]")
    alone = person_load(standing(vacant), lived(), {}, Limits()).filter(owner_id="ada")["alone_at"]
    assert alone.to_list() == ["alone, own"]
    held = MAP.replace("[head, second, ada]", "[chief]")
    alone = person_load(standing(held), lived(), {}, Limits()).filter(owner_id="ada")["alone_at"]
    assert alone.to_list() == ["alone"]


def test_only_a_feed_that_gave_a_score_within_the_scale_is_a_source_of_its_metric():
    """The crm's 9 is on no scale from 1 to 5, the shop tells of no score, and the last event matches nothing."""
    events, codebook = coded(
        drawn("""
        occurred_at      | feed   | kind | score
        2026-03-02 09:00 | survey | said | 4
        2026-03-02 10:00 | crm    | said | 9
        2026-03-02 11:00 | shop   | said |
        2026-03-02 12:00 | forum  | said | 4
        """)
    )
    touchpoint = pl.Series("touchpoint", [1, 1, 1, 0], dtype=pl.UInt16)
    metrics = [Metric.model_validate({"id": "csat", "name": "CSAT", "estimator": "csat"})]
    seen = feeds_of_events(events.with_columns(touchpoint).lazy(), metrics, codebook).collect()
    told = seen.with_columns(codebook.decoded("feed")).select("touchpoint", "feed", "metric")
    assert told.filter(pl.col("metric") > 0).rows() == [(1, "survey", 1)]
    volume = feeds_of_events(events.with_columns(touchpoint).lazy(), [], codebook).collect()
    assert volume["metric"].unique().to_list() == [0]


TRUST = rows(
    DataTrust,
    {"feed": "crm", "stream": "a", "is_late": False, "held_file_count": 0, "newest_event_at": NOW},
    {"feed": "late", "stream": "a", "is_late": True, "held_file_count": 0, "age_hours": 60.0},
    {"feed": "held", "stream": "a", "is_late": False, "held_file_count": 1},
    {"feed": "held", "stream": "b", "is_late": False, "held_file_count": 0},
)


@pytest.mark.parametrize(
    ("feeds", "n", "is_trusted", "why_not"),
    [
        (["crm"], 30, True, None),
        (["crm"], 29, False, "csat: 29 of the 30 observations that it takes in 28 days"),
        (["crm", "late"], 30, False, "csat: feed late is 2.5 days behind"),
        (["held"], 30, False, "csat: feed held has a delivery held"),
        ([], 0, False, "csat: was never observed"),
    ],
)
def test_a_metric_is_trusted_when_its_feeds_are_fresh_whole_and_say_enough(
    feeds: list[str], n: int, is_trusted: bool, why_not: str | None
):
    pair = ("point", "csat")
    found = metric_standing([pair], {pair: feeds}, {pair: n}, TRUST, 30)
    MetricStanding.validate(found)
    assert found.select("is_trusted", "why_not").row(0) == (is_trusted, why_not)


def case(group: str | None, touchpoint: str = "alone", team: str = "desk", at: datetime | None = NOW) -> dict:
    return {"touchpoint_id": touchpoint, "team_id": team, "last_group": group, "resolved_at": at}


def observed(cases: pl.DataFrame, looked_at: Standing) -> pl.DataFrame:
    """Who resolved which of FactCase's rows."""
    lately = cases.filter(resolved_lately(looked_at.now)).group_by(RESOLVED_BY)
    return observed_accountability(lately.agg(n=pl.len().cast(pl.Int64)), looked_at)


def test_observed_accountability_by_hand():
    """Of 10 cases Lab resolved 6, Front 3, and one a group nobody knows; the desk answers for all of them.

    Wilson for 3 of 10: 0.1078 to 0.6032 (Newcombe 1998). Six of ten is no evidence for most: 0.3127.
    """
    old = datetime(2025, 12, 19, 6, tzinfo=UTC)
    cases = rows(
        FactCase,
        *[case("Lab")] * 6,
        *[case("Front")] * 3,
        case("Guild"),
        case("Lab", at=None),
        case(None),
        case("Lab", at=old.replace(hour=5)),
    )
    found = observed(cases, standing()).sort("case_count", descending=True)
    ObservedAccountability.validate(found)
    assert found["observed_group"].to_list() == ["Lab", "Front", "Guild"]
    assert found["observed_team_id"].to_list() == ["lab", "desk", None]
    assert found["declared_team_id"].to_list() == ["desk"] * 3
    assert found["case_count"].to_list() == [6, 3, 1]
    assert found["agreed_count"].to_list() == [0, 3, 0]
    assert found["agreement_share"].to_list() == [0.3] * 3
    assert found["agreement_low"][0] == pytest.approx(0.1078, abs=1e-4)
    assert found["agreement_high"][0] == pytest.approx(0.6032, abs=1e-4)
    assert found["disagreement_rank"].to_list() == [1, None, 2]
    lab, front, guild = found["proposed_edit"].to_list()
    assert lab == "map.yaml:14: Lab resolved 6 of 10 cases: consider 'responsible: [lab]'."
    assert front is None
    assert (
        guild == "Guild resolved 1 of 10 cases, but no team has that group: add 'Guild' to a team's 'groups'."
    )


def test_who_resolves_most_on_evidence_is_proposed_as_accountable_and_never_applied():
    """Wilson for 20 of 20 begins at 0.839: more than half."""
    looked_at = standing()
    found = observed(rows(FactCase, *[case("Lab")] * 20), looked_at)
    assert found["proposed_edit"].to_list() == [
        "map.yaml:14: Lab resolved 20 of 20 cases: consider 'accountable: chief or helped'."
    ]
    assert looked_at.held["alone"].team == "desk"


def test_a_case_agrees_with_the_team_that_was_accountable_when_it_was_opened():
    """The touchpoint belonged to the lab then; that it is the desk's today is no disagreement."""
    found = observed(rows(FactCase, case("Lab", team="lab")), standing())
    assert found.select("agreed_count", "agreement_share", "disagreement_rank").row(0) == (1, 1.0, None)


def test_groups_of_a_map_that_names_none_belong_to_no_team():
    bare = MAP.replace(", groups: [Front, Back]", "").replace(", groups: [Lab]", "")
    found = observed(rows(FactCase, case("Lab")), standing(bare))
    assert found.select("observed_team_id", "agreed_count").row(0) == (None, 0)
    assert observed(rows(FactCase), standing(bare)).is_empty()


def test_a_responsible_team_that_resolves_less_than_most_needs_no_edit():
    named = MAP.replace(
        "name: Alone, stage: engage, accountable: head",
        "name: Alone, stage: engage, accountable: head, responsible: lab",
    )
    cases = rows(FactCase, case("Lab"), case("Front"))
    found = observed(cases, standing(named)).filter(observed_group="Lab")
    assert found.select("is_responsible", "proposed_edit").row(0) == (True, None)


def test_the_share_of_unmatched_events_has_a_goal_and_a_verdict():
    """Wilson for 5 of 200: 0.0107 to 0.0572; for 1 of 200: 0.0009 to 0.0278; for 30 of 200 from 0.107."""
    weeks = [date(2026, 3, day) for day in (2, 9, 16)]
    both = {"period": "week", "metric": "events", "is_final": True}
    company = rows(
        ScorecardCompany, *({**both, "period_start": day, "period_end": day, "n": 200} for day in weeks)
    )
    lost = rows(
        ScorecardTouchpoint,
        *(
            {**both, "period_start": day, "period_end": day, "touchpoint_id": "unmatched", "n": n}
            for day, n in zip(weeks, (5, 1, 30), strict=True)
        ),
        {**both, "period_start": weeks[0], "period_end": weeks[0], "touchpoint_id": "point", "n": 195},
    )
    found = unmatched_share(lost.lazy(), company.lazy(), 0.05).collect().sort("period_start")
    UnmatchedShare.validate(found)
    assert found["value"].to_list() == [0.025, 0.005, 0.15]
    assert found["verdict"].to_list() == ["cannot_tell", "met", "missed"]
    assert found["value_high"][0] == pytest.approx(0.0572, abs=1e-4)
    none = unmatched_share(lost.clear().lazy(), company.lazy(), 0.05).collect()
    assert none["unmatched_count"].to_list() == [0, 0, 0]
    assert none["verdict"].to_list() == ["met"] * 3


def test_the_inbox_ranks_kinds_by_customers_and_counts_each_once():
    lost = rows(
        FactEventUnmatched,
        {"feed": "crm", "kind": "a", "channel": "web", "event_count": 5, "kind_customer_count": 3},
        {"feed": "crm", "kind": "a", "channel": "app", "event_count": 9, "kind_customer_count": 3},
        {"feed": "crm", "kind": "b", "channel": "web", "event_count": 4, "kind_customer_count": 4},
    )
    found = inbox(lost)
    assert [(one.kind, one.events, one.customers) for one in found] == [("b", 4, 4), ("a", 14, 3)]
    assert list(found[1].channels) == ["app", "web"]


@pytest.mark.parametrize(
    ("wanted", "taken", "name"),
    [
        ("gift_card_sold", [], "gift_card_sold"),
        ("Gift card: sold!", [], "gift_card_sold"),
        ("sold", ["sold", "sold_2"], "sold_3"),
        ("3D print", [], "event_3d_print"),
        ("日本", [], "event"),
        ("x" * 90, [], "x" * 50),
    ],
)
def test_a_name_is_made_that_the_map_accepts(wanted: str, taken: list[str], name: str):
    assert free_name(wanted, taken) == name
