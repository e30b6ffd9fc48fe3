"""A run from a delivery to a release."""

from tests.conftest import Sandbox


def test_a_delivery_becomes_a_scorecard(sandbox: Sandbox):
    sandbox.answers(
        "1,a@x.example,2026-02-10 14:29:59,web,delivery,5",
        "2,b@x.example,2026-02-10 14:30:00,web,delivery,1",
        "3,c@x.example,2026-02-11 09:00:00,email,order,4",
    )
    outcome = sandbox.run()
    assert outcome.absorbed.new == 3
    card = sandbox.table("scorecard_owner")
    month = card.filter(period="month", metric="csat").select("owner_id", "n", "value").sort("owner_id")
    assert month.rows() == [("ada", 1, 1.0), ("ben", 1, 1.0), ("cleo", 1, 0.0)]
