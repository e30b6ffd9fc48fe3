"""# Waiting, staying and leaving

Those it has not happened to yet count as long as they were seen.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from transforms.methods.contacts import first_contact_resolution, repeat_contacts
from transforms.methods.flows import littles_check, rate_per
from transforms.methods.handover import handovers, returns
from transforms.methods.retention import cohort_retention, customer_flow
from transforms.methods.survival import kaplan_meier, log_rank, survival_at, survival_quantile

Z = 1.959963984540054


def day(number: float) -> datetime:
    """A day of one month."""
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=number - 1)


def curve(times: list[float], events: list[bool]) -> pl.LazyFrame:
    """One curve."""
    return kaplan_meier(pl.LazyFrame({"time": times, "is_event": events}), [], Z)


def test_open_cases_count_while_they_are_seen():
    """1, 2+, 3, 4+ : S(1) = 3/4, S(3) = 3/4 x 1/2."""
    found = curve([1, 2, 3, 4], [True, False, True, False]).collect()
    assert found["survival"].to_list() == [0.75, 0.75, 0.375, 0.375]
    assert found["at_risk"].to_list() == [4, 3, 2, 1]


def test_an_event_comes_before_a_censoring_at_the_same_time():
    assert curve([2, 2], [True, False]).collect()["survival"].to_list() == [0.5]


def test_the_log_log_interval_by_hand():
    """S = 3/4 of 4: Greenwood 1 / (4 x 3); ends are S to the power exp(-+ z x root(1/12) / log S)."""
    row = curve([1, 2, 3, 4], [True, False, False, False]).collect().row(0, named=True)
    stretch = Z * (1 / 12) ** 0.5 / np.log(0.75)
    assert (row["low"], row["high"]) == pytest.approx((0.75 ** np.exp(-stretch), 0.75 ** np.exp(stretch)))


def test_a_quantile_that_is_not_reached_is_not_known():
    half = curve([1, 2, 3, 4], [True, True, False, False])
    assert survival_quantile(half, [], 0.5).collect()["time"].item() == 2
    assert survival_quantile(half, [], 0.9).collect()["time"].item() is None


def test_survival_at_a_time_is_the_last_step_before_it():
    half = curve([1, 2], [True, True])
    assert [survival_at(half, [], t).collect()["survival"].item() for t in (0.5, 1, 1.5, 9)] == [
        1,
        0.5,
        0.5,
        0,
    ]


def test_log_rank_of_two_equal_groups_is_nothing():
    test = log_rank(np.array([1, 2, 3] * 2), np.ones(6), np.repeat(["a", "b"], 3))
    assert (test.statistic, test.p_value) == (0, 1)


def test_log_rank_needs_two_groups():
    with pytest.raises(ValueError, match="1 group"):
        log_rank(np.array([1, 2]), np.ones(2), np.zeros(2))


def spans(*rows: tuple[str, float, float | None, float]) -> pl.LazyFrame:
    """Spans of customers."""
    table = [(who, day(a), None if b is None else day(b), value) for who, a, b, value in rows]
    kinds = {
        "customer_id": pl.String,
        "started_at": pl.Datetime("us", "UTC"),
        "ended_at": pl.Datetime("us", "UTC"),
    }
    return pl.LazyFrame(table, schema={**kinds, "value": pl.Float64}, orient="row")


def test_opening_and_gained_and_back_less_lost_is_closing():
    """ann stays; bo leaves and comes back; cy is new and leaves within the period; di is new."""
    periods = pl.LazyFrame({"period_start": [day(5), day(10)], "period_end": [day(10), day(15)]})
    told = spans(
        ("ann", 1, None, 10), ("bo", 1, 6, 20), ("bo", 11, None, 5), ("cy", 6, 8, 1), ("di", 7, None, 2)
    )
    first, second = customer_flow(told, periods).collect().rows(named=True)
    assert [first[name] for name in ("opening", "gained", "back", "lost", "lost_new", "closing")] == [
        2,
        2,
        0,
        2,
        1,
        2,
    ]
    assert [second[name] for name in ("opening", "gained", "back", "lost", "closing")] == [2, 0, 1, 0, 3]
    assert (first["churn_share"], first["retention_share"]) == (0.5, 0.5), "cy was not there at the start"
    assert (first["opening_value"], first["value_churn_share"], second["closing_value"]) == (30, 20 / 30, 17)


def test_churn_is_unknown_without_customers_at_the_start():
    periods = pl.LazyFrame({"period_start": [day(1)], "period_end": [day(10)]})
    row = customer_flow(spans(("ann", 2, None, 1)), periods).collect().row(0, named=True)
    assert (row["opening"], row["gained"], row["churn_share"]) == (0, 1, None)


ACTIVITY = pl.LazyFrame({"customer_id": ["ann", "ann", "bo", "bo", "cy"], "period": [0, 2, 0, 1, 1]})


def test_bounded_cohorts_count_who_is_there_just_then():
    found = cohort_retention(ACTIVITY, last_whole=1).collect()
    assert found.select("cohort", "offset", "active", "cohort_size").rows() == [
        (0, 0, 2, 2), (0, 1, 1, 2), (0, 2, 1, 2), (1, 0, 1, 1), (1, 1, 0, 1),
    ]  # fmt: skip
    assert found["is_partial"].to_list() == [False, False, True, False, True]


def test_unbounded_cohorts_count_who_is_there_then_or_later():
    assert cohort_retention(ACTIVITY, unbounded=True).collect()["active"].to_list() == [2, 2, 1, 1, 0]


def test_littles_law_is_exact_over_a_window():
    """A day's window of 24 hours; one case for 12 of them, one carried over for 6, one still open for 6."""
    cases = pl.LazyFrame({
        "opened_at": [day(2), day(1), day(2.75)], "closed_at": [day(2.5), day(2.25), None],
    })  # fmt: skip
    row = littles_check(cases, day(2), day(3)).collect().row(0, named=True)
    assert (row["sojourn_hours"], row["cases_average"], row["arrivals"]) == (24, 1, 2)
    assert row["cases_from_law"] == row["cases_average"]
    assert row["mean_hours_closed"] == (12 + 30) / 2


def test_complaints_per_thousand():
    rate = rate_per(pl.col("k"), pl.col("n"), Z)
    found = pl.DataFrame({"k": [3, 0, 1], "n": [1500, 1000, 0]}).select(**rate._asdict())
    assert found["value"].to_list() == [2, 0, None]
    assert (found["low"][1], found["high"][1]) == (0, pytest.approx(3.668, abs=0.001)), "Byar; exact is 3.689"


def test_only_contacts_with_the_whole_window_behind_them_can_be_judged():
    contacts = pl.LazyFrame(
        {"who": ["ann", "ann", "ann", None, None], "contacted_at": [day(1), day(8), day(16), day(1), day(1)]}
    )
    found = (
        repeat_contacts(contacts, ["who"], timedelta(days=7), day(20))
        .collect()
        .filter(pl.col("who").is_not_null())
    )
    assert found["is_repeated"].to_list() == [True, False, False], "8 days later is no repeat"
    assert found["is_repeat"].to_list() == [False, True, False]
    assert found["is_observable"].to_list() == [True, True, False]


def test_contacts_of_nobody_repeat_nothing():
    contacts = pl.LazyFrame(
        {"who": [None, None], "contacted_at": [day(1), day(1)]}, schema_overrides={"who": pl.String}
    )
    assert not repeat_contacts(contacts, ["who"], timedelta(days=7), day(20)).collect()["is_repeated"].any()


def test_first_contact_resolution_and_its_parts():
    cases = pl.LazyFrame({
        "is_resolved": [True, True, True, True, False],
        "was_reopened": [False, True, False, False, False],
        "was_transferred": [False, True, False, False, False],
        "was_repeated": [False, False, True, None, False],
    })  # fmt: skip
    row = first_contact_resolution(cases, []).collect().row(0, named=True)
    assert (row["resolved"], row["excluded"], row["first_contact"]) == (3, 1, 1)
    assert row["was_reopened_share"] == row["was_repeated_share"] == pytest.approx(1 / 3)


LOG = pl.LazyFrame(
    {"case": [1, 1, 1, 1, 2, 2], "owner": ["a", None, "b", "a", "a", "a"], "at": [1, 2, 3, 4, 1, 2]}
)


def test_a_handover_is_a_change_of_owner_and_skips_events_of_nobody():
    found = handovers(LOG, "case", "owner", ["at"]).collect()
    assert found.select("owner_from", "owner_to", "count", "share").rows() == [
        ("a", "b", 1, 0.5),
        ("b", "a", 1, 0.5),
    ]
    assert handovers(LOG, "case", "owner", ["at"], with_self=True).collect().height == 3


def test_work_that_comes_back_is_ping_pong():
    found = returns(LOG, "case", "owner", ["at"]).collect().rows(named=True)
    assert [row["is_ping_pong"] for row in found] == [True, False]
    assert [row["is_back_and_forth"] for row in found] == [True, False]
    assert [row["handover_count"] for row in found] == [2, 0]


def test_a_round_of_three_is_ping_pong_but_not_back_and_forth():
    log = pl.LazyFrame({"case": 1, "owner": ["a", "b", "c", "a"], "at": [1, 2, 3, 4]})
    row = returns(log, "case", "owner", ["at"]).collect().row(0, named=True)
    assert (row["is_ping_pong"], row["is_back_and_forth"], row["handover_count"]) == (True, False, 3)


def test_another_cases_owner_is_no_way_back():
    log = pl.LazyFrame({"case": [1, 2, 2], "owner": ["a", "b", "a"], "at": [1, 2, 3]})
    assert not returns(log, "case", "owner", ["at"]).collect()["is_back_and_forth"].any()
