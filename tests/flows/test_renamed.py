"""A rename or a cover, end to end: nothing that happened before is orphaned, nobody is credited for another."""

import polars as pl

from tests.conftest import Sandbox

ANSWERS = (
    "1,a@b.example,2026-02-01 09:00:00,web,delivery,5",
    "2,c@b.example,2026-02-12 09:00:00,web,delivery,4",
    "3,d@b.example,2026-02-12 10:00:00,web,delivery,1",
)
RENAMED = ("  - id: delivery\n    name: Delivery", "  - id: parcel\n    was: delivery\n    name: Delivery")
COVERED = (
    "{person: cleo, from: 2026-02-10T14:30}]",
    "{person: cleo, from: 2026-02-10T14:30}]\n    covers: [{person: ada, from: 2026-02-12T09:30, until: 2026-02-13}]",
)


def to_date(sandbox: Sandbox) -> list[tuple]:
    """Touchpoint, answers, value, goal of everything so far."""
    card = sandbox.table("scorecard_touchpoint").filter(period="to_date", metric="csat").sort("touchpoint_id")
    return card.select("touchpoint_id", "n", "value", "goal").rows()


def owners(sandbox: Sandbox) -> dict[str, int]:
    card = sandbox.table("measure_daily").filter(metric="csat", touchpoint_id="delivery")
    return dict(card.group_by("owner_id").agg(pl.col("n").sum()).rows())


def test_a_renamed_touchpoint_keeps_its_events_its_goal_and_its_rules(sandbox: Sandbox):
    sandbox.answers(*ANSWERS)
    sandbox.run()
    before = to_date(sandbox)
    sandbox.replace("map/map.yaml", *RENAMED)  # rules, in whoever's file, still say `delivery`
    sandbox.run()
    assert to_date(sandbox) == [("parcel", *row[1:]) if row[0] == "delivery" else row for row in before]
    assert ("parcel", 3, 2 / 3, 0.8) in to_date(sandbox)
    assert "delivery" not in sandbox.table("bridge_assignment")["touchpoint_id"].to_list()
    assert sandbox.table("dim_touchpoint").filter(touchpoint_id="parcel")["former_ids"].to_list() == [
        "delivery"
    ]


def test_what_happens_under_a_cover_is_the_covers(sandbox: Sandbox):
    sandbox.answers(*ANSWERS)
    sandbox.run()
    assert owners(sandbox) == {"ben": 1, "cleo": 2}
    sandbox.replace("map/map.yaml", *COVERED)
    sandbox.run()
    assert owners(sandbox) == {"ben": 1, "cleo": 1, "ada": 1}
