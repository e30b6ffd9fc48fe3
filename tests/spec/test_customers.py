"""# Customers who come and go

Opening and gained and back less lost is closing, by volume and value. Where nobody says goodbye, a customer is lost on the
day after so many days without an event of theirs.
"""

from datetime import date

import polars as pl
import pytest

from contracts.accountability import CustomerGroup
from contracts.errors import AnswerableError
from contracts.events import Codebook
from contracts.tables import FactCustomerCohort, FactCustomerFlow, FactCustomerLoss
from contracts.tenures import tenures
from tests.spec.pipeline import BERLIN, a_map, coded
from transforms.customer_counts import Counts, counted, order_of
from transforms.customer_moves import as_kept, customer_moves
from transforms.customers import (
    customer_spans,
    fact_customer_cohort,
    fact_customer_flow,
    fact_customer_loss,
)
from transforms.periods import Calendar
from transforms.slots import slots

TODAY = date(2026, 6, 15)
CONTRACT = {"active": {"kind": "joined"}, "left": {"kind": "left"}, "reason": "why"}
SHOP = {"active": {"kind": "bought"}, "lapse_days": 30}


def told(group: dict, *events: tuple) -> tuple[pl.DataFrame, list[CustomerGroup], Codebook]:
    """Moves of drawn events: customer, day of 2026, kind, amount, and why or where."""
    names = ("customer", "occurred_at", "kind", "amount", "attribute_why")
    rows = [
        (who, f"2026-{day} 12:{minute:02d}", kind, *map(str, rest))
        for minute, (who, day, kind, *rest) in enumerate(events)
    ]
    rows = [(*row, *([None] * (len(names) - len(row)))) for row in rows]
    schema = {name: pl.UInt32 if name == "customer" else pl.String for name in names}
    events, codebook = coded(pl.DataFrame(rows, schema=schema, orient="row"))
    groups = [CustomerGroup.model_validate({"id": "group", "name": "Group", **group})]
    days = slots(tenures(a_map()), ["point"], date(2026, 1, 1), TODAY, BERLIN)
    matched = events.lazy().with_columns(slot=days.find(pl.col("occurred_at")))
    return customer_moves(matched, groups, days, codebook).collect(), groups, codebook


def counts(moves: pl.DataFrame, groups: list[CustomerGroup]) -> Counts:
    """What moves in any order come to."""
    return counted(order_of(groups).in_order(as_kept(moves, groups)), groups)


def spans(group: dict, *events: tuple) -> list[tuple]:
    """The spans of one customer: start, end, value in units."""
    moves, groups, _ = told(group, *events)
    found = customer_spans(moves.lazy(), groups, TODAY).collect().sort("started_at")
    started, ended = (found[name].dt.strftime("%m-%d").to_list() for name in ("started_at", "ended_at"))
    return list(zip(started, ended, [value / 1000 for value in found["value"]], strict=True))


def flow(group: dict, *events: tuple, period: str = "month") -> dict[str, pl.DataFrame]:
    """FactCustomerFlow by segment, kept to its promises."""
    moves, groups, codebook = told(group, *events)
    made = fact_customer_flow(
        counts(moves, groups), groups, Calendar(date(2026, 1, 1), TODAY), codebook
    ).collect()
    kept = FactCustomerFlow.validate(made.sort(FactCustomerFlow.primary_key()), cast=True)
    segments = kept.filter(period=period).partition_by("segment", as_dict=True)
    return {str(name[0]): frame for name, frame in segments.items()}


@pytest.mark.parametrize(
    ("group", "events", "expected"),
    [
        pytest.param(CONTRACT, ["01-05 joined"], [("01-05", None, 0)], id="a customer until they leave"),
        pytest.param(
            CONTRACT, ["01-05 joined", "02-01 joined", "03-01 left"], [("01-05", "03-01", 0)],
            id="joining again while being one changes nothing",
        ),
        pytest.param(
            CONTRACT, ["01-05 joined", "02-01 left", "02-02 left", "04-01 joined"],
            [("01-05", "02-01", 0), ("04-01", None, 0)], id="left once, and back",
        ),
        pytest.param(CONTRACT, ["02-01 left"], [], id="who never was a customer is not lost"),
        pytest.param(
            CONTRACT, ["01-05 joined", "02-01 left", "02-01 joined"], [("01-05", None, 0)],
            id="left and back on one day is not lost",
        ),
        pytest.param(
            SHOP, ["01-05 bought", "02-04 bought"], [("01-05", "03-07", 0)],
            id="bought again on day 30, lapsed on the 31st after that",
        ),
        pytest.param(
            SHOP, ["01-05 bought", "02-05 bought"], [("01-05", "02-05", 0), ("02-05", "03-08", 0)],
            id="bought again on day 31: lost that day, and back that day",
        ),
        pytest.param(SHOP, ["05-15 bought"], [("05-15", None, 0)], id="lapses today at the earliest: not known yet"),
        pytest.param(SHOP, ["05-14 bought"], [("05-14", "06-14", 0)], id="lapsed yesterday"),
    ],
)  # fmt: skip
def test_from_when_until_when_somebody_is_a_customer(group: dict, events: list[str], expected: list[tuple]):
    assert spans(group, *((1, *event.split(" ")) for event in events)) == expected


@pytest.mark.parametrize(("basis", "value"), [("total", 60.5), ("first", 10), ("last", 30.5)])
def test_a_customer_is_worth_what_the_basis_says(basis: str, value: float):
    group = {**SHOP, "value": "amount", "value_basis": basis}
    bought = [(1, "01-05", "bought", 10), (1, "01-20", "bought", 20), (1, "02-01", "bought", 30.5)]
    assert spans(group, *bought) == [("01-05", "03-04", value)]


YEAR = [
    (1, "01-10", "joined", 100),
    (2, "01-12", "joined", 200),
    (3, "02-03", "joined", 50),
    (3, "02-20", "left", 0, "price"),
    (2, "03-02", "left", 0, "moved"),
    (2, "05-05", "joined", 80),
    (4, "05-06", "joined", 10),
]


def test_opening_and_gained_and_back_less_lost_is_closing():
    """Three join, one of them leaves within the month; another leaves and comes back."""
    table = flow({**CONTRACT, "value": "amount"}, *YEAR)["all"]
    names = ("opening", "gained", "back", "lost", "lost_new", "closing")
    assert table.select(f"{name}_count" for name in names).rows() == [
        (0, 2, 0, 0, 0, 2),
        (2, 1, 0, 1, 1, 2),
        (2, 0, 0, 1, 0, 1),
        (1, 0, 0, 0, 0, 1),
        (1, 1, 1, 0, 0, 3),
        (3, 0, 0, 0, 0, 3),
    ]
    assert table["closing_value"].to_list() == [300, 300, 100, 100, 190, 190]
    assert table["retained_count"].to_list() == [0, 2, 1, 1, 1, 3]
    assert table["churn_share"].to_list() == [None, 0, 0.5, 0, 0, 0], (
        "who came within the month is not in the base"
    )
    assert table["is_final"].to_list() == [True] * 5 + [False]


def test_weeks_and_quarters_balance_too():
    for period in ("week", "quarter"):
        table = flow({**CONTRACT, "value": "amount"}, *YEAR, period=period)["all"]
        assert table["gained_count"].sum() == 4
        assert table["closing_count"][-1] == 3


def test_segments_add_up_to_all_of_them():
    events = [
        (who, day, kind, amount, "north" if who % 2 else "south") for who, day, kind, amount, *_ in YEAR
    ]
    tables = flow({**CONTRACT, "reason": None, "by": "why", "value": "amount"}, *events)
    parts = ("opening_count", "gained_count", "back_count", "lost_count", "closing_count", "closing_value")
    total = tables["north"].select(parts) + tables["south"].select(parts)
    assert total.equals(tables["all"].select(parts))


def test_a_flow_that_does_not_balance_is_not_published():
    table = flow(CONTRACT, *YEAR)["all"]
    broken = table.with_columns(lost_count=pl.col("lost_count") + 1)
    _, failed = FactCustomerFlow.filter(broken)
    assert failed.counts()["balances"] == table.height
    shifted = table.with_columns(pl.col("opening_count", "closing_count") + pl.int_range(pl.len()))
    _, failed = FactCustomerFlow.filter(shifted)
    assert failed.counts()["closes_with_the_next_opening"] == table.height - 1


def test_every_loss_has_a_reason():
    moves, groups, codebook = told({**CONTRACT, "lapse_days": 90}, *YEAR)
    lived = counts(moves, groups)
    calendar = Calendar(date(2026, 1, 1), TODAY)
    made = fact_customer_loss(lived, groups, calendar, codebook).collect()
    monthly = FactCustomerLoss.validate(made, cast=True).filter(period="month").sort("period_start")
    assert monthly.select(pl.col("period_start").dt.month(), "reason", "lost_count").rows() == [
        (2, "price", 1), (3, "moved", 1), (4, "lapsed", 1),
    ]  # fmt: skip
    lost = fact_customer_flow(lived, groups, calendar, codebook).collect().filter(segment="all")
    assert (
        lost.group_by("period")
        .agg(pl.col("lost_count").sum())
        .sort("period")
        .equals(made.group_by("period").agg(pl.col("lost_count").sum()).sort("period"))
    )


def test_a_cohort_is_active_in_exactly_a_month_or_then_or_later():
    moves, groups, _ = told(
        SHOP, (1, "01-05", "bought"), (2, "01-20", "bought"), (1, "03-01", "bought"), (3, "03-09", "bought")
    )
    made = fact_customer_cohort(
        counts(moves, groups), groups, Calendar(date(2026, 1, 1), date(2026, 3, 20))
    ).collect()
    cohort = (
        FactCustomerCohort.validate(made, cast=True)
        .filter(cohort_start=date(2026, 1, 1))
        .sort("months_after")
    )
    assert cohort["retention_share"].to_list() == [1, 0, 0.5]
    assert cohort["unbounded_share"].to_list() == [1, 0.5, 0.5]
    assert cohort["is_partial"].to_list() == [False, False, True]


def test_a_cohort_of_whom_nobody_comes_back_says_so_up_to_the_running_month():
    moves, groups, _ = told(SHOP, (1, "01-05", "bought"), (2, "01-20", "bought"))
    made = fact_customer_cohort(counts(moves, groups), groups, Calendar(date(2026, 1, 1), date(2026, 4, 20)))
    cohort = FactCustomerCohort.validate(made.collect(), cast=True).sort("months_after")
    assert cohort["retention_share"].to_list() == cohort["unbounded_share"].to_list() == [1, 0, 0, 0]
    assert cohort["is_partial"].to_list() == [False, False, False, True]


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("active: {kind: joined}", "nobody is ever lost"),
        ("active: {kind: joined}, lapse_days: 30, reason: why", "told by the events of 'left'"),
    ],
)
def test_a_group_that_cannot_be_counted_is_refused(group: str, said: str):
    with pytest.raises(AnswerableError, match=said):
        a_map(text=_MAP.replace("GROUP", group))


_MAP = """
teams: [{id: team, name: Team}]
people: [{id: ada, name: Ada}]
seats: [{id: seat, name: Seat, team: team, holders: [{person: ada}]}]
touchpoints: [{id: point, name: Point, stage: engage, accountable: seat, metrics: METRIC}]
metrics: METRICS
customers: [{id: group, name: Group, GROUP}]
"""
