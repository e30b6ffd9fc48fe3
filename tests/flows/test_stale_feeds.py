"""A feed that is late or broken: its last good data stays and is published, and nobody is judged by it."""

import polars as pl

from tests.conftest import Sandbox


def row(i: int, day: str, score: object = 1) -> str:
    return f"{i},{i}@x.de,2026-02-{day}T10:00:00,web,order,{score}"


def verdicts(sandbox: Sandbox) -> dict[str, str]:
    """The verdict on orders, week by week."""
    card = sandbox.table("scorecard_touchpoint")
    weeks = card.filter(
        pl.col("touchpoint_id") == "order", pl.col("metric") == "csat", pl.col("period") == "week"
    )
    return {
        f"{r['period_start']:%m-%d}": r["verdict"] for r in weeks.sort("period_start").iter_rows(named=True)
    }


def deliver(sandbox: Sandbox) -> None:
    """Sixty unhappy answers in the week of 9 February, and as many in the week of the 16th."""
    sandbox.answers(*(row(i, "10") for i in range(60)), *(row(i, "17") for i in range(60, 120)))


def test_what_a_feed_on_time_tells_is_judged(sandbox: Sandbox):
    deliver(sandbox)
    sandbox.run()
    assert verdicts(sandbox) == {"02-09": "missed", "02-16": "missed"}
    assert not sandbox.table("data_trust")["is_stale"].any()


def test_a_late_feed_freezes_what_it_does_not_know_whole(sandbox: Sandbox):
    sandbox.replace("contracts/survey.odcs.yaml", "value: 40, unit: d", "value: 2, unit: d")
    deliver(sandbox)
    sandbox.run()
    assert verdicts(sandbox) == {"02-09": "missed", "02-16": "no_data"}
    trust = sandbox.table("metric_trust").filter(period="week", metric="csat").sort("period_start")
    assert trust.select("grade", "weakest").rows() == [("B", "n"), ("D", "freshness")]
    owner = (
        sandbox.table("scorecard_owner")
        .filter(period="week", metric="csat", owner_id="ada")
        .sort("period_start")
    )
    assert owner.select("goals_missed_count", "goals_no_data_count").rows() == [(1, 0), (0, 1)]


def test_a_held_delivery_freezes_until_it_is_mended(sandbox: Sandbox):
    deliver(sandbox)
    sandbox.answers(*(row(i, "18", "x") for i in range(200, 210)), name="answers_2.csv")
    sandbox.run()
    assert sandbox.table("data_trust")["is_stale"].all()
    assert verdicts(sandbox) == {"02-09": "missed", "02-16": "no_data"}
    card = sandbox.table("scorecard_touchpoint").filter(period="week", metric="csat", touchpoint_id="order")
    assert card["n"].sum() == 120  # the last good data stays
    sandbox.answers(*(row(i, "23", 5) for i in range(200, 210)), name="answers_2.csv")
    sandbox.run()
    assert verdicts(sandbox) == {"02-09": "missed", "02-16": "missed", "02-23": "cannot_tell"}


def test_a_feed_of_which_a_tenth_is_dirt_is_held_or_flows_as_its_contract_says(sandbox: Sandbox):
    rows = [row(i, "10", 9 if i % 10 == 0 else 4) for i in range(100)]
    sandbox.replace("contracts/survey.odcs.yaml", "value: 0.5}", "value: 0.05}")
    sandbox.answers(*rows)
    held = sandbox.run().deliveries[0]
    assert (held.state, held.rows_read, held.rows_quarantined) == ("held", 100, 100)
    sandbox.replace("contracts/survey.odcs.yaml", "value: 0.05}", "value: 0.1}")
    flows = sandbox.run().deliveries[0]
    assert (flows.state, flows.rows_accepted, flows.rows_quarantined) == ("accepted", 90, 10)
    sandbox.replace("contracts/survey.odcs.yaml", "maximum: 5", "maximum: 9")
    mended = sandbox.run().deliveries[0]
    assert (mended.rows_accepted, mended.rows_quarantined, mended.event_count) == (100, 0, 100)


def test_a_column_that_vanished_holds_the_delivery_and_nothing_is_lost(sandbox: Sandbox):
    deliver(sandbox)
    sandbox.run()
    text = (sandbox.root / "inbox/answers.csv").read_text()
    sandbox.write("inbox/answers.csv", text.replace("about,", "", 1))
    found = sandbox.run()
    assert "lacks column 'about'" in str(found.held[0].reason)
    assert found.absorbed.state.rows == 120
    assert sandbox.table("data_trust")["rows_accepted"].to_list() == [120]
