"""The commands of alerts, as a user types them: what they print, and how they end."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from flows.cli import main
from flows.workspace import load
from tests.conftest import Sandbox, build_sandbox
from tests.flows.test_alerting import Shop

Run = Callable[..., tuple[int, str, str]]


# `main` reads the words from the process, as it should; cyclopts takes that for a slip under pytest.
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")


@pytest.fixture(scope="module")
def breached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose delivery has breached. Do not change it."""
    shop = Shop(build_sandbox(tmp_path_factory.mktemp("shop") / "workspace"))
    shop.breach()
    return shop.sandbox.root


@pytest.fixture
def shop(breached: Path, tmp_path: Path) -> Sandbox:
    """A copy of it."""
    shutil.copytree(breached, tmp_path / "workspace", symlinks=True)
    return Sandbox(tmp_path / "workspace")


def alert(shop: Sandbox) -> dict:
    """Its one alert."""
    return shop.table("fact_alert").row(0, named=True)


@pytest.fixture
def run(shop: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command of alerts on the shop: exit code, what it printed, what it complained of."""

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["answerable", "alerts", *words])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    monkeypatch.chdir(shop.root)
    return command


def test_list_says_what_is_open_and_who_knows(run: Run):
    code, out, _ = run("list")
    assert code == 0
    assert "firing" in out
    assert "delivery/csat" in out
    assert "owner cleo" in out
    assert "knows: cleo (owner)" in out
    assert "1 open. Letters: 1 sent." in out
    found = json.loads(run("list", "--json")[1])
    assert [one["key"]["scope"] for one in found["alerts"]] == ["delivery"]
    assert found["last_28_days"]["fired"] == 1


@pytest.mark.parametrize(("hours", "early"), [(2, 1), (24 * 14, 0)])
def test_what_ends_before_somebody_has_to_answer_is_not_ignored(
    run: Run, shop: Sandbox, hours: int, early: int
):
    """Mended at once, nobody had to acknowledge it; after two weeks somebody should have."""
    from contracts.alerts import Decision
    from warehouse.alert_ledger import AlertLedger
    from warehouse.ledger import Ledger

    with AlertLedger(Ledger(load(shop.root).warehouse)).deciding() as book:
        (one,) = book.episodes(only_open=True)
        ended = one.fired_at + timedelta(hours=hours)
        over = replace(one, state="resolved", resolved_at=ended, due_at=None)
        book.put(Decision(key=one.key, reason="goal_ended", before=one, after=over), ended, ended)
    said = f"{early} ended before an answer was due, {1 - early} ignored."
    assert said in run("list")[1]


def test_why_says_why_it_fired_and_why_none_did(run: Run):
    out = run("why", "delivery")[1]
    assert "delivery/csat: firing" in out
    assert "nothing -> firing: breach_on_evidence" in out
    assert "bound" in out
    assert "order/csat: no alert, because the four weeks reach the goal (at_goal)" in run("why", "order")[1]
    (found,) = json.loads(run("why", "delivery", "--json")[1])
    assert (found["facts"]["n"], found["history"][0]["reason"]) == (160, "breach_on_evidence")
    code, _, err = run("why", "nowhere")
    assert (code, "is no alert" in err) == (2, True)


def test_backtest_writes_nothing_and_counts_both_rules(run: Run, shop: Sandbox):
    before = alert(shop)
    out = run("backtest")[1]
    assert "fires 2026-03-16, 14 days after 2026-03-02, when it began" in out
    assert "2 goals over 0.2 goal-years: the naive rule would have raised 1 alarm, evidence 1." in out
    (delivery,) = [
        one for one in json.loads(run("backtest", "--fire-after", "2", "--json")[1]) if one["naive"]
    ]
    assert delivery["fired"] == []
    assert alert(shop) == before


def test_silence_and_its_end(run: Run):
    code, out, _ = run("silence", "order", "--until", "2026-04-01", "--reason", "known", "--by", "ada")
    assert (code, out) == (0, "silence 1: order until 2026-04-01 00:00, by ada.\n")
    assert "silence 1: order until" in run("list")[1]
    assert run("unsilence", "1")[0] == 0
    assert run("unsilence", "1")[0] == 2
    assert run("silence", "order", "--until", "2020-04-01", "--reason", "known")[0] == 2
    assert run("silence", "order", "--until", "2026-04-01", "--reason", " ")[0] == 2
    assert "Did you mean 'order'" in run("silence", "orders", "--until", "2026-04-01", "--reason", "x")[2]


def test_ack_and_dispute(run: Run, shop: Sandbox):
    name = alert(shop)["alert_id"]
    assert run("ack", name[:5], "--by", "cleo")[1] == f"{name}: acknowledged by cleo; it no longer climbs.\n"
    after = json.loads(run("dispute", name, "--by", "cleo", "--reason", "wrong survey", "--json")[1])
    assert (after["state"], after["is_disputed"], after["note"]) == ("acknowledged", True, "wrong survey")
    assert "1 disputed" in run("list")[1]
    assert run("ack", name, "--by", "nobody")[0] == 2
    assert run("ack", "zzz", "--by", "cleo")[0] == 2


def test_send_ends_with_one_while_letters_are_dead(run: Run, shop: Sandbox):
    from contracts.alerts import Letter
    from tests.flows.test_pump import NOW
    from warehouse.alert_ledger import AlertLedger
    from warehouse.ledger import Ledger

    assert run("send")[:2] == (0, "0 sent, 0 wait, 0 dead.\n")
    ledger = AlertLedger(Ledger(load(shop.root).warehouse))
    letter = Letter(kind="breach", person="cleo", role="owner", channel="gone", alerts=(), messages=())
    with ledger.deciding() as book:
        book.post(letter, NOW, NOW, NOW)
    code, out, err = run("send", "--json")
    assert (code, json.loads(out)["attempts"]) == (1, {"dead": 1})
    assert "1 letters are dead" in err
    assert json.loads(run("send", "--revive", "--json")[1])["revived"] == 1


def test_before_the_first_run_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(build_sandbox(tmp_path / "workspace").root)
    monkeypatch.setattr("sys.argv", ["answerable", "alerts", "list"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "Run 'answerable run' first." in capsys.readouterr().err
