"""A run from a delivery to a release."""

from pathlib import Path

import polars as pl
import pytest

from contracts.errors import PromiseError, WorkspaceError
from contracts.tables import TABLES, ScorecardTouchpoint
from flows.run import Run
from tests.conftest import Call, Sandbox, build_sandbox


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


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            pl.when(pl.col("n") > 0).then(pl.col("value_high") + 1).otherwise("value").alias("value"),
            "value_in_interval",
        ),
        (pl.lit(None, dtype=pl.String).alias("touchpoint_id"), "touchpoint_id"),
        (pl.lit("order").alias("touchpoint_id"), "primary_key"),
    ],
    ids=["a value outside its interval", "no key", "a key twice"],
)
def test_a_table_that_breaks_its_promise_leaves_the_last_release_untouched(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, broken: pl.Expr, said: str
):
    rows = ["1,a@x.de,2026-02-10T14:29:59,web,delivery,5", "2,b@x.de,2026-02-11T09:00:00,email,order,4"]
    sandbox.answers(*rows)
    first = sandbox.run().release
    before = {table.table_name(): sandbox.table(table.table_name()) for table in TABLES}
    sandbox.answers(*rows, "3,c@x.de,2026-02-11T09:00:00,email,order,1")
    score = Run.score

    def spoilt(*arguments):
        tables = score(*arguments)
        return {**tables, ScorecardTouchpoint: tables[ScorecardTouchpoint].with_columns(broken)}

    with monkeypatch.context() as patched:
        patched.setattr(Run, "score", spoilt)
        with pytest.raises(PromiseError, match=f"scorecard_touchpoint: not published: .*{said}"):
            sandbox.run()
    assert all(sandbox.table(name).equals(table) for name, table in before.items())
    after = sandbox.run().release
    assert after.number == first.number + 1, "the next run goes on where the broken one stopped"
    assert sandbox.table("scorecard_company").height


def test_two_workspaces_do_not_share_a_warehouse(sandbox: Sandbox, call: Call, tmp_path: Path):
    """Else each would withdraw the other's events: their deliveries are not in its inbox."""
    other = build_sandbox(tmp_path / "other")
    for one in (sandbox, other):
        one.replace("answerable.yaml", "timezone", "warehouse: ../made\ntimezone")
    sandbox.answers("1,a@x.example,2026-02-10 14:29:59,web,delivery,5")
    assert sandbox.run().absorbed.new == 1
    with pytest.raises(WorkspaceError, match=r"where the workspace '.*/workspace' keeps what it makes"):
        other.run()
    for asked in (
        ["attest", "order", other.root, "--by", "ada"],
        ["alerts", "ack", "0", other.root, "--by", "ada"],
        ["serve", other.root, "--port", "0"],
    ):
        refused = call(*asked)
        assert "/workspace' keeps what it makes" in refused.err, asked
        assert refused.code == WorkspaceError.exit_code
    assert sandbox.run().absorbed.state.rows == 1
