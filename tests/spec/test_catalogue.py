"""# Metrics of one thing against another

Rates, what follows what, first contact resolution, and durations of which some are not over: one block of YAML each.
"""

import polars as pl
import pytest

from contracts.accountability import Metric
from contracts.errors import AnswerableError
from contracts.tables import ScorecardCompany, ScorecardTouchpoint
from tests.conftest import drawn
from tests.spec.pipeline import MAP, Scored, a_map, score
from transforms.methods.survival import kaplan_meier, survival_quantile

TWO = MAP.replace(
    "rules: [{id: every_event, touchpoint: point}]",
    "  - {id: desk, name: Desk, stage: exit, accountable: seat, metrics: METRIC}\n"
    "rules: [{id: complaints, touchpoint: desk, kind: complained}, {id: orders, touchpoint: point, kind: ordered}]",
)


def events(*told: str) -> pl.DataFrame:
    """Events: `day hour customer kind [attribute]` each, in March 2026."""
    rows = [entry.split(" ") for entry in told]
    names = ("occurred_at", "customer", "kind", "attribute_about")
    table = [
        (f"2026-03-{day} {hour}:00", int(who), *rest, *([None] * (2 - len(rest))))
        for day, hour, who, *rest in rows
    ]
    kinds = {name: pl.UInt32 if name == "customer" else pl.String for name in names}
    return pl.DataFrame(table, schema=kinds, orient="row")


def whole(scored: Scored, **where: object) -> dict:
    """The company's row over all time."""
    return scored.card(ScorecardCompany, period="to_date", metric="m", **where).row(0, named=True)


RATE = "{id: m, name: M, estimator: rate, where: {kind: complained}, exposure: {kind: ordered}PLACE}"
ORDERS = [f"02 {hour:02d} 1 ordered" for hour in range(8, 18)]


def test_a_rate_is_per_thousand_of_its_exposure():
    """Two complaints over ten orders, wherever each matches; Byar's interval of the count."""
    scored = score(
        events(*ORDERS, "03 09 1 complained", "04 09 2 complained"),
        a_map(RATE.replace("PLACE", ""), text=TWO),
    )
    row = whole(scored)
    assert (row["value"], row["n"], row["numerator"], row["denominator"]) == (200, 10, 2, 10)
    assert row["interval_method"] == "byar"
    assert row["value_low"] < 200 < row["value_high"]
    places = scored.card(ScorecardTouchpoint, period="to_date", metric="m").sort("touchpoint_id")
    assert places.select("touchpoint_id", "n", "numerator", "value").rows() == [
        ("desk", 0, 2, None), ("point", 10, 0, 0),
    ], "the orders are the other touchpoint's"  # fmt: skip


def test_a_rate_can_be_counted_at_one_touchpoint():
    atlas = a_map(RATE.replace("PLACE", ", touchpoint: desk, per: 100"), text=TWO)
    scored = score(events(*ORDERS, "03 09 1 complained"), atlas)
    places = scored.card(ScorecardTouchpoint, period="to_date", metric="m")
    assert places.select("touchpoint_id", "n", "value", "unit").rows() == [("desk", 10, 10, "per 100")]


@pytest.mark.parametrize(
    ("more", "unit"),
    [("", "per 1,000"), (", per: 100", "per 100"), (", per: 1e6", "per 1,000,000"), (", per: 0.5", "per 0.5"),
     (", per: 100, unit: percent", "percent")],
)  # fmt: skip
def test_a_rate_s_unit_says_what_it_is_per(more: str, unit: str):
    assert a_map(RATE.replace("PLACE", more), text=TWO).metrics[0].unit == unit


def test_a_value_rests_on_touchpoints_of_which_something_counts():
    """A score of 9 is outside of 1 to 5: the desk has nothing else. A complaint counts without an order at the desk."""
    scores = pl.DataFrame(
        {
            "occurred_at": ["2026-03-02 09:00", "2026-03-02 10:00"],
            "kind": ["ordered", "complained"],
            "score": ["5", "9"],
        }
    )
    row = whole(score(scores, a_map("{id: m, name: M, estimator: csat}", text=TWO)))
    assert (row["n"], row["excluded_count"], row["touchpoint_count"]) == (1, 1, 1)
    rate = score(events(*ORDERS, "03 09 1 complained"), a_map(RATE.replace("PLACE", ""), text=TWO))
    assert whole(rate)["touchpoint_count"] == 2


FOLLOWED = "{id: m, name: M, estimator: followed, where: {kind: asked}, followed_by: {kind: answered}, within_days: 7MORE}"


@pytest.mark.parametrize(
    ("told", "more", "expected"),
    [
        pytest.param(["02 08 1 asked", "04 08 1 answered"], "", (1, 1, 0), id="answered within the week"),
        pytest.param(["02 08 1 asked", "09 08 1 answered"], "", (1, 1, 0), id="on its last instant"),
        pytest.param(["02 08 1 asked", "09 09 1 answered"], "", (0, 1, 0), id="an hour too late"),
        pytest.param(["02 08 1 asked", "04 08 2 answered"], "", (0, 1, 0), id="somebody else answered"),
        pytest.param(["02 08 1 asked", "02 08 1 answered"], "", (0, 1, 0), id="at the same instant follows nothing"),
        pytest.param(["02 08 0 asked", "04 08 0 answered"], "", (0, 0, 1), id="of nobody known: excluded"),
        pytest.param(["14 08 1 asked", "15 08 1 answered"], "", (0, 0, 1), id="too young to be known: excluded"),
        pytest.param(["13 05 1 asked"], "", (0, 1, 0), id="just old enough"),
        pytest.param(
            ["02 08 1 asked a", "03 08 1 asked b", "04 08 1 answered a"], ", same: [about]", (1, 2, 0),
            id="the same survey",
        ),
        pytest.param(["02 08 1 asked", "03 08 1 answered"], ", after_days: 2", (0, 1, 0), id="too early"),
        pytest.param(["02 08 1 asked", "04 08 1 answered"], ", after_days: 2", (1, 1, 0), id="just late enough"),
    ],
)  # fmt: skip
def test_what_follows_is_of_the_same_customer_and_in_time(told: list[str], more: str, expected: tuple):
    row = whole(score(events(*told), a_map(FOLLOWED.replace("MORE", more))))
    assert (row["numerator"], row["n"], row["excluded_count"]) == expected
    assert row["sum"] is None


def test_a_contact_is_repeated_when_another_like_it_follows():
    """Three contacts in a row: the first two are repeated, and so is none of another customer's."""
    told = ["02 08 1 called", "04 08 1 called", "06 08 1 called", "03 08 2 called"]
    metric = "{id: m, name: M, estimator: repeat, where: {kind: called}}"
    row = whole(score(events(*told), a_map(metric)))
    assert (row["numerator"], row["n"], row["value"]) == (2, 4, 0.5)


def tickets(*told: str) -> pl.DataFrame:
    """Ticket events: `ticket day hour customer kind [group]` each."""
    head = "occurred_at | subject_type | subject_id | customer | kind | actor_team"
    rows = []
    for entry in told:
        ticket, day, hour, who, kind, *group = entry.split(" ")
        rows.append(f"2026-03-{day} {hour}:00 | ticket | {ticket} | {who} | ticket.{kind} | {''.join(group)}")
    return drawn("\n".join([head, *rows])).with_columns(pl.col("customer").cast(pl.UInt32))


def lived(ticket: str, day: str, who: int = 1, *more: str) -> list[str]:
    """A ticket opened at eight and resolved at nine of a day, and what happened besides."""
    return [
        f"{ticket} {day} 08 {who} opened A",
        *(f"{ticket} {day} {one}" for one in more),
        f"{ticket} {day} 09 {who} resolved",
    ]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param([*lived("a", "02")], (1, 1, 0), id="solved at first contact"),
        pytest.param(
            [*lived("a", "02"), "a 02 10 1 reopened", "a 02 11 1 resolved"], (0, 1, 0), id="reopened"
        ),
        pytest.param(
            [*lived("a", "02"), *lived("b", "03", 2), "a 02 10 1 reopened"],
            (1, 1, 0),
            id="open again: it counts once it is resolved",
        ),
        pytest.param([*lived("a", "02", 1, "08 1 assigned B")], (0, 1, 0), id="handed on"),
        pytest.param(
            [*lived("a", "02"), *lived("b", "05")], (1, 2, 0), id="the first was not: they came again"
        ),
        pytest.param([*lived("a", "02"), *lived("b", "10")], (2, 2, 0), id="again after more than a week"),
        pytest.param([*lived("a", "02"), *lived("b", "05", 2)], (2, 2, 0), id="somebody else came"),
        pytest.param(
            [*lived("a", "02"), "b 03 08 2 opened A"], (1, 1, 0), id="only resolved ones are in the base"
        ),
        pytest.param([*lived("a", "15")], (0, 0, 1), id="whether they come again is not known yet"),
        pytest.param([*lived("a", "02", 0)], (0, 0, 1), id="nobody knows who it was"),
    ],
)
def test_first_contact_resolution(told: list[str], expected: tuple):
    row = whole(score(tickets(*told), a_map("{id: m, name: M, estimator: fcr, of: cases}")))
    assert (row["numerator"], row["n"], row["excluded_count"]) == expected


def test_effort_of_the_older_scale_is_a_mean_and_low_is_good():
    metric = Metric.model_validate({"id": "m", "name": "M", "estimator": "ces_1"})
    assert (metric.low, metric.high, metric.direction, metric.unit) == (1, 5, "lower", "points")
    row = whole(score("occurred_at | score\n" + "\n".join(f"2026-03-02 09:00 | {s}" for s in (1, 2, 6)),
                      a_map("{id: m, name: M, estimator: ces_1}")))  # fmt: skip
    assert (row["value"], row["n"], row["excluded_count"]) == (1.5, 2, 1)


KM = "{id: m, name: M, estimator: quantile, quantile: Q, of: cases, value: resolution_hoursMORE}"
HOURS = {"a": 1, "b": 2, "c": 3, "d": None, "e": None, "f": 9}


def waiting(quantile: float, hours: dict[str, int | None], more: str = "") -> dict:
    """Tickets opened at 2 March, 8 o'clock, and resolved after so many hours, or still open on the 20th."""
    rows = [f"{ticket} 02 08 1 opened" for ticket in hours]
    rows += [f"{ticket} 02 {8 + late:02d} 1 resolved" for ticket, late in hours.items() if late]
    return whole(score(tickets(*rows), a_map(KM.replace("Q", str(quantile), 1).replace("MORE", more))))


@pytest.mark.parametrize("quantile", [0.25, 0.5, 0.6, 0.9])
def test_open_cases_count_as_longer_than_until_now(quantile: float):
    """As Kaplan and Meier's method says, beside this module; null where too many are open to tell."""
    row = waiting(quantile, HOURS)
    table = pl.LazyFrame(
        {
            "time": [float(h or 430) for h in HOURS.values()],
            "is_event": [h is not None for h in HOURS.values()],
        }
    )
    curve = kaplan_meier(table, [], 1.959963984540054)
    expected = survival_quantile(curve, [], quantile).collect().row(0)
    assert (row["value"], row["value_low"], row["value_high"]) == expected
    assert (row["n"], row["excluded_count"], row["interval_method"]) == (6, 0, "brookmeyer_crowley")


def test_without_open_cases_a_quantile_lies_between_its_neighbours():
    row = waiting(0.5, {"a": 1, "b": 2, "c": 3, "d": 9})
    assert (row["value"], row["interval_method"]) == (2.5, "order_statistic")


def test_open_cases_can_be_left_out():
    row = waiting(0.5, HOURS, ", open_cases: left_out")
    assert (row["value"], row["n"], row["excluded_count"]) == (2.5, 4, 2)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("estimator: rate", "needs 'exposure'"),
        ("estimator: followed, within_days: 7", "needs 'followed_by'"),
        ("estimator: followed, followed_by: {kind: x}", "Write 'within_days'"),
        ("estimator: followed, followed_by: {kind: x}, within_days: 7, after_days: 7", "more than 'after_days'"),
        ("estimator: fcr", "'of: cases'"),
        ("estimator: rate, exposure: {kind: x}, touchpoint: nowhere", "touchpoint 'nowhere' is not in the map"),
    ],
)  # fmt: skip
def test_a_metric_that_cannot_be_measured_is_refused(written: str, said: str):
    with pytest.raises(AnswerableError, match=said):
        a_map(f"{{id: m, name: M, {written}}}")
