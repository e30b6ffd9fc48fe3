"""# Why a value changed

Every change of a value from one period to the next is told in a table, split by touchpoint into what got better
(rate), what moved (mix), what was handed over (portfolio) and who answered; the effects add up to the change.
"""

import polars as pl
import pytest

from contracts.tables import FactAttribution, ScorecardCompany, ScorecardOwner
from tests.spec.pipeline import MAP, Scored, a_map, score
from tests.spec.test_catalogue import TWO, events

HANDED = """
teams: [{id: team, name: Team}]
people: [{id: ada, name: Ada}, {id: ben, name: Ben}]
seats:
  - {id: first, name: First, team: team, holders: [{person: ada}]}
  - {id: second, name: Second, team: team, holders: [{person: ben}]}
touchpoints:
  - {id: shop, name: Shop, stage: enter, accountable: first, metrics: METRIC}
  - {id: chat, name: Chat, stage: engage, accountable: first, metrics: METRIC}
  - id: claim
    name: Claim
    stage: engage
    metrics: METRIC
    accountable: [{seat: first, until: HANDOVER}, {seat: second, from: HANDOVER}]
rules:
  - {id: shops, touchpoint: shop, kind: shop}
  - {id: chats, touchpoint: chat, kind: chat}
  - {id: claims, touchpoint: claim, kind: claim}
metrics: METRICS
cases: [{subject: ticket, attributes: ATTRIBUTES}]
"""
CSAT = "{id: csat, name: CSAT, estimator: csat, by: [channel]}"


def answers(*told: tuple[str, str, int, int] | tuple[str, str, int, int, str]) -> pl.DataFrame:
    """Answers: day, kind, how many are good (5) and how many are not (1), channel."""
    rows = [
        (f"2026-{day} 12:00", kind, score, channel[0] if channel else "web")
        for day, kind, good, bad, *channel in told
        for score in ["5"] * good + ["1"] * bad
    ]
    names = ("occurred_at", "kind", "score", "channel")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def handed(events: pl.DataFrame, handover: str = "2026-03-01", metric: str = CSAT) -> Scored:
    """Scores of a map whose claims Ada hands to Ben."""
    return score(events, a_map(metric, text=HANDED.replace("HANDOVER", handover)), "2026-04-02")


def effects(scored: Scored, scope_id: str, **where: object) -> dict[str, float]:
    """The parts of a scope's change from February to March, in points of 100."""
    rows = scored.card(FactAttribution, scope_id=scope_id, period="month", **where)
    totals = rows.group_by("component").agg(pl.col("effect").sum()).iter_rows()
    return {str(name): round(100 * effect, 1) + 0.0 for name, effect in totals}


MONTHS = [
    (f"{month}-{day}", kind, good, 100 - good)
    for month in ("02", "03")
    for day in ("03", "10", "17")
    for kind, good in (("shop", 88), ("chat", 85), ("claim", 65))
]


def test_handing_away_the_worst_touchpoint_is_portfolio_in_the_table():
    """Nothing changed for customers: 79.3 becomes 86.5 since the claims are Ben's."""
    scored = handed(answers(*MONTHS))
    card = scored.card(ScorecardOwner, owner_id="ada", period="month", metric="csat").sort("period_start")
    assert [round(100 * value, 1) for value in card["value"]] == [79.3, 86.5]
    later = card.row(-1, named=True)
    parts = ("change", "rate_effect", "mix_effect", "portfolio_effect", "who_answered_effect")
    assert [round(100 * later[part], 1) + 0.0 for part in parts] == [7.2, 0, 0, 7.2, 0]
    assert effects(scored, "ada") == {
        "rate": 0, "mix": 0, "portfolio": 7.2, "who_answered": 0, "unexplained": 0,
    }  # fmt: skip
    assert effects(scored, "claim") == {"rate": 0, "who_answered": 0, "unexplained": 0}
    assert effects(scored, "all") == {"rate": 0, "mix": 0, "who_answered": 0, "unexplained": 0}


def test_half_a_month_is_half_a_portfolio():
    """Handed over on the fifteenth: what Ada still had of the claims counts by its share."""
    scored = handed(answers(*MONTHS), "2026-03-15")
    found = effects(scored, "ada")
    assert found["portfolio"] > 0
    assert (found["rate"], found["mix"], found["unexplained"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("february", "march", "expected"),
    [
        pytest.param([("shop", 60, 40)], [("shop", 80, 20)], {"rate": 20.0}, id="better is rate"),
        pytest.param(
            [("shop", 90, 10), ("chat", 50, 50)],
            [("shop", 135, 15), ("chat", 25, 25)],
            {"mix": 10.0},
            id="traffic to the better one is mix",
        ),
        pytest.param(
            [("shop", 45, 5, "app"), ("shop", 25, 25, "web")],
            [("shop", 90, 10, "app"), ("shop", 25, 25, "web")],
            {"who_answered": 6.7},
            id="more answers by the channel that likes it",
        ),
        pytest.param(
            [("shop", 60, 40)],
            [("shop", 60, 40), ("chat", 90, 10)],
            {"mix": 15.0},
            id="a touchpoint that nobody had answered about takes its later value",
        ),
    ],
)
def test_the_company_s_change_by_cause(february: list[tuple], march: list[tuple], expected: dict[str, float]):
    events = answers(*(("02-10", *row) for row in february), *(("03-10", *row) for row in march))
    found = effects(handed(events), "all")
    assert {name: effect for name, effect in found.items() if effect} == expected


def test_an_empty_touchpoint_is_flagged():
    scored = handed(answers(("02-10", "shop", 6, 4), ("03-10", "shop", 6, 4), ("03-10", "chat", 9, 1)))
    rows = scored.card(FactAttribution, scope_type="company", period="month", component="mix")
    assert dict(rows.select("touchpoint_id", "is_empty").iter_rows()) == {"shop": False, "chat": True}


def test_a_month_without_a_month_before_has_no_change():
    scored = handed(answers(("03-10", "shop", 6, 4)))
    assert scored.card(FactAttribution).is_empty()
    assert scored.card(ScorecardOwner, metric="csat")["change"].null_count() > 0


@pytest.mark.parametrize(
    ("metric", "change"),
    [
        pytest.param("{id: m, name: M, estimator: nps}", 40.0, id="points"),
        pytest.param("{id: m, name: M, estimator: mean, value: score}", 0.8, id="the value's unit"),
        pytest.param("{id: m, name: M, estimator: share, good: {score: 5}}", 0.2, id="shares"),
    ],
)
def test_effects_have_the_metric_s_unit(metric: str, change: float):
    scale = {"5": "10", "1": "1"} if "nps" in metric else {}
    events = answers(("02-10", "shop", 6, 4), ("03-10", "shop", 8, 2)).with_columns(
        pl.col("score").replace(scale)
    )
    found = handed(events, metric=metric).card(FactAttribution, scope_type="company", period="month")
    assert found["change"].unique().to_list() == [pytest.approx(change)]
    assert found.filter(component="rate")["effect"].to_list() == [pytest.approx(change)]
    card = handed(events, metric=metric).card(ScorecardCompany, period="month", metric="m")
    values = card.sort("period_start")["value"].to_list()
    assert values[-1] - values[0] == pytest.approx(change)


RATE = "{id: m, name: M, estimator: rate, where: {kind: complained}, exposure: {kind: ordered}, by: [about]}"
ORDERED = [f"{day} {hour:02d} 1 ordered" for day in ("03", "10") for hour in range(8, 18)]
"""Ten orders a week, all of them before Ada leaves at noon of the 11th."""


def of_rate(*complaints: str, text: str = MAP) -> Scored:
    return score(events(*ORDERED, *complaints), a_map(RATE, text=text), "2026-03-31")


def last_week(scored: Scored, owner: str) -> dict[str, float | None]:
    """An owner's change to the week of the 9th and its parts, complaints per 1,000 orders."""
    row = scored.card(ScorecardOwner, owner_id=owner, metric="m", period="week").sort("period_start")[1]
    said = row.select(
        "value", "previous_value", "change", "rate_effect", "who_answered_effect", "unexplained_effect"
    )
    return {
        name: None if value is None else round(value, 6) + 0.0
        for name, value in said.row(0, named=True).items()
    }


def test_a_rate_changes_by_as_much_as_its_published_value():
    """One complaint about ten orders becomes three: nobody orders about anything, and the complaints still count."""
    found = last_week(
        of_rate(
            "04 09 1 complained late",
            "10 19 1 complained late",
            "10 20 2 complained rude",
            "10 21 3 complained late",
        ),
        "ada",
    )
    assert found == {
        "value": 300, "previous_value": 100, "change": 200, "rate_effect": 200, "who_answered_effect": 0,
        "unexplained_effect": 0,
    }  # fmt: skip


def test_what_a_rate_counts_where_nothing_is_exposed_is_unexplained():
    """The orders are another touchpoint's than the complaints: no touchpoint has a rate of its own."""
    scored = of_rate("04 09 1 complained", "10 19 1 complained", "10 20 2 complained", text=TWO)
    assert last_week(scored, "ada") == {
        "value": 200, "previous_value": 100, "change": 100, "rate_effect": 0, "who_answered_effect": 0,
        "unexplained_effect": 100,
    }  # fmt: skip


def test_of_a_rate_what_is_counted_is_the_owner_s_who_held_it():
    """Ada leaves within the week: two of its three complaints are hers, and so are all orders. Ben has nothing to count by."""
    scored = of_rate(
        "04 09 1 complained", "10 19 1 complained", "10 20 2 complained", "13 09 3 complained", text=TWO
    )
    assert last_week(scored, "ada")["change"] == 100
    ben = scored.card(ScorecardOwner, owner_id="ben", metric="m", period="week")
    assert ben.select("value", "change").rows() == [(None, None)]


def test_of_a_rate_what_is_counted_is_nobody_s_who_did_not_hold_it():
    """Handed to Ben on the 9th: what is complained about in March is his, the orders stay Ada's."""
    text = HANDED.replace("HANDOVER", "2026-03-09").replace(
        "claims, touchpoint: claim, kind: claim", "c, touchpoint: claim, kind: complained"
    )
    scored = of_rate(
        "04 09 1 complained", "10 19 1 complained", text=text.replace("kind: shop}", "kind: ordered}")
    )
    found = last_week(scored, "ada")
    assert (found["value"], found["previous_value"], found["change"]) == (0, 100, -100)
