"""What a run tells an orchestrator: written with the fact, emitted later, lost never."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.signals import BY_NAME
from flows.emitting import emit
from flows.pump import pump
from tests.conftest import Call, Sandbox, build_sandbox
from tests.flows.sinks import Sink, http_sink
from warehouse.alert_ledger import AlertLedger
from warehouse.ledger import Ledger
from warehouse.signal_ledger import SEEN_AFTER, SignalLedger

GOOD = "1,a@x.example,2026-02-11 09:00:00,web,order,4"


def signals(sandbox: Sandbox) -> SignalLedger:
    return SignalLedger(Ledger(sandbox.root / "warehouse"))


def told(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Names and resources, the oldest first."""
    return [
        (one["event"].removeprefix("answerable."), one["resource"]["prefect.resource.id"].removeprefix("answerable."))
        for one in reversed(signals(sandbox).told())
    ]  # fmt: skip


def test_a_run_tells_of_its_release_and_of_what_landed(sandbox: Sandbox):
    sandbox.answers(GOOD, "2,b@x.example,2026-02-12 09:00:00,fax,order,4")
    sandbox.run()
    found = told(sandbox)
    assert found[:3] == [
        ("scorecard.published", "scorecard.test-company"),
        ("feed.landed", "feed.test-company.survey"),
        ("contract.broken", "feed.test-company.survey"),
    ]
    broken = next(one for one in signals(sandbox).told() if one["event"] == "answerable.contract.broken")
    assert broken["payload"]["rows_quarantined"] == 1
    assert broken["related"][1]["prefect.resource.id"] == "answerable.person.test-company.ada"


def test_a_run_that_finds_nothing_new_tells_only_of_its_release(sandbox: Sandbox):
    sandbox.answers(GOOD)
    sandbox.run()
    before = len(told(sandbox))
    sandbox.run()
    assert told(sandbox)[before:] == [("scorecard.published", "scorecard.test-company")]


def test_an_overdue_feed_is_told_once_with_its_owner_and_again_once_it_is_back(sandbox: Sandbox):
    sandbox.replace("contracts/survey.odcs.yaml", "value: 40, unit: d", "value: 2, unit: d")
    sandbox.answers("1,a@x.example,2026-02-11 09:00:00,web,order,4")
    sandbox.run()
    sandbox.run()
    overdue = [one for one in signals(sandbox).told() if one["event"] == "answerable.feed.overdue"]
    assert len(overdue) == 1
    assert overdue[0]["resource"]["prefect.resource.id"] == "answerable.feed.test-company.survey"
    assert overdue[0]["related"][1]["prefect.resource.id"] == "answerable.person.test-company.ada"
    assert overdue[0]["payload"]["age_max_hours"] == 48
    sandbox.answers("2,b@x.example,2026-03-02 05:00:00,web,order,4", name="answers-2.csv")
    sandbox.run()
    assert "feed.recovered" in [name for name, _ in told(sandbox)]


def test_a_gap_is_told_when_it_opens_and_when_it_closes_but_not_of_the_first_release(sandbox: Sandbox):
    sandbox.answers(GOOD)
    sandbox.run()
    assert not [name for name, _ in told(sandbox) if name.startswith("gap")], "nothing to compare with"
    goals = "    goals: [{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]\n"
    whole = (sandbox.root / "map/map.yaml").read_text()
    sandbox.write("map/map.yaml", whole.replace(goals, ""))
    sandbox.run()
    opened = {resource for name, resource in told(sandbox) if name == "gap.opened"}
    assert any(one.startswith("gap.test-company.") and one.endswith(".order") for one in opened)
    sandbox.write("map/map.yaml", whole)
    sandbox.run()
    assert opened <= {resource for name, resource in told(sandbox) if name == "gap.closed"}


def test_a_run_that_fails_tells_so_together_with_the_ledgers_line(sandbox: Sandbox, monkeypatch):
    sandbox.answers(GOOD)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("flows.run.measure", fail)
    with pytest.raises(ZeroDivisionError):
        sandbox.run()
    (failed,) = signals(sandbox).told()
    assert (failed["event"], failed["payload"]["error"]) == ("answerable.run.failed", "ZeroDivisionError()")
    assert failed["payload"]["run"] == Ledger(sandbox.root / "warehouse").runs()[0]["id"]


def test_without_prefect_nothing_is_emitted_and_nothing_is_lost(sandbox: Sandbox):
    sandbox.answers(GOOD)
    sandbox.run()
    pump(sandbox.load(), AlertLedger(Ledger(sandbox.root / "warehouse")), environment={})
    assert set(signals(sandbox).counts()) == {"due"}


def prefect(sink: Sink) -> dict[str, str]:
    return {"PREFECT_API_URL": f"{sink.url}/api", "PREFECT_API_AUTH_STRING": "admin:pass"}


@pytest.fixture(scope="module")
def ran_once(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = build_sandbox(tmp_path_factory.mktemp("ran") / "workspace")
    sandbox.answers(GOOD)
    sandbox.run()
    return sandbox


@pytest.fixture
def ran(ran_once: Sandbox, tmp_path: Path) -> Sandbox:
    return ran_once.copied(tmp_path / "workspace")


def test_what_is_due_goes_in_one_request_under_the_rows_ids_with_the_key(ran: Sandbox):
    due = [one["id"] for one in reversed(signals(ran).told())]
    with http_sink((204, {}, b"")) as sink:
        done = emit(signals(ran), prefect(sink))
    assert (done.emitted, done.confirmed, done.error) == (len(due), 0, None)
    assert [one["id"] for one in json.loads(sink.taken[0])] == due
    assert sink.headers[0]["authorization"] == "Basic YWRtaW46cGFzcw=="
    assert all(one["event"] in BY_NAME for one in json.loads(sink.taken[0]))


def test_a_server_that_is_down_or_refuses_leaves_them_due(ran: Sandbox):
    down = emit(signals(ran), {"PREFECT_API_URL": "http://127.0.0.1:1/api"})
    assert down.error is not None
    with http_sink((500, {}, b"")) as sink:
        assert emit(signals(ran), prefect(sink)).emitted == 0
    assert emit(signals(ran), {"PREFECT_API_URL": "no address"}).error is not None
    assert set(signals(ran).counts()) == {"due"}


def test_what_a_server_took_and_forgot_is_emitted_again_and_what_it_kept_is_not(ran: Sandbox):
    now = datetime.now(UTC)  # noqa: TID251 - signals expire by the real time
    ids = [one["id"] for one in reversed(signals(ran).told())]
    with http_sink((204, {}, b"")) as sink:
        emit(signals(ran), prefect(sink), lambda: now)
    kept = json.dumps({"events": [{"id": ids[0]}]}).encode()
    with http_sink((200, {}, kept), (204, {}, b"")) as sink:
        done = emit(signals(ran), prefect(sink), lambda: now + SEEN_AFTER + timedelta(seconds=1))
    assert (done.confirmed, done.emitted) == (1, len(ids) - 1)
    assert [one["id"] for one in json.loads(sink.taken[1])] == ids[1:]


def test_doctor_says_how_many_events_wait_for_a_server(sandbox: Sandbox, call: Call):
    sandbox.answers(GOOD)
    sandbox.run()
    waiting = len(told(sandbox))
    assert (
        f"{waiting} events wait for Prefect's server, 0 were never taken" in call("doctor", sandbox.root).out
    )
