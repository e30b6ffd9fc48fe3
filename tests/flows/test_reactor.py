"""The reactor: when it runs, when it does not, and what it makes of a run that fails. No clock is waited for."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import BusyError, StoreError
from flows.serving import reactor as reacting
from flows.serving.looking import folders, look
from flows.serving.pace import Pace
from flows.serving.reactor import Reactor, Rhythm
from flows.serving.standing import Standing
from tests.conftest import Sandbox
from tests.flows.hooks import answer, build_hooked, until
from warehouse.inbox import Inbox, Pushed
from warehouse.ledger import Ledger

NOW = datetime(2026, 3, 2, 5, tzinfo=UTC)


@pytest.fixture
def hooked(tmp_path: Path) -> Sandbox:
    return build_hooked(tmp_path / "workspace")


@pytest.fixture
def inbox(hooked: Sandbox) -> Inbox:
    return Inbox(Ledger(hooked.root / "warehouse"))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Ends of runs to come, the last one for ever: a real run, or an error; and how many were begun."""
    ends: list[object] = [None]
    begun: list[object] = []
    real = reacting.publish_inline

    def run(one: object) -> object:
        begun.append(one)
        end = ends.pop(0) if len(ends) > 1 else ends[0]
        if isinstance(end, Exception):
            raise end
        return real(one)  # ty: ignore[invalid-argument-type]

    monkeypatch.setattr(reacting, "publish_inline", run)
    begun_and_ends: list[object] = [begun, ends]
    return begun_and_ends


def make(sandbox: Sandbox, inbox: Inbox, **rhythm: float) -> Reactor:
    return Reactor(Standing(sandbox.load()), inbox, rhythm=Rhythm(**rhythm))


def push(inbox: Inbox, ident: str) -> None:
    body = answer(ident)
    inbox.put([Pushed(feed="chat", delivery_id=ident, received_at=NOW, sha256=ident, body=body)])


def test_it_runs_when_something_came_and_only_then(hooked: Sandbox, inbox: Inbox, runs: list):
    begun, _ = runs
    one = make(hooked, inbox)
    one.look()
    assert len(begun) == 1, "something may have come while nobody was here"
    one.look()
    assert len(begun) == 1
    push(inbox, "a")
    one.look()
    assert len(begun) == 2
    one.look()
    assert len(begun) == 2, "the file that the run made is not news"
    hooked.answers("a1,,2026-02-20 10:00:00,web,order,5")
    one.look()
    assert len(begun) == 3
    hooked.replace("map/map.yaml", "name: Order", "name: Ordering")
    one.look()
    one.look()
    assert len(begun) == 4
    assert one.standing.told.release == 4


def test_time_alone_is_a_reason_now_and_then(hooked: Sandbox, inbox: Inbox, runs: list):
    begun, _ = runs
    one = make(hooked, inbox, refresh=0.0)
    one.look()
    one.look()
    assert len(begun) == 2


def test_a_file_that_is_being_written_is_waited_for(hooked: Sandbox, inbox: Inbox, runs: list):
    begun, _ = runs
    hooked.replace("feeds/survey.yaml", "settle_seconds: 0", "settle_seconds: 600")
    one = make(hooked, inbox)
    one.look()
    hooked.answers("a1,,2026-02-20 10:00:00,web,order,5")
    hooked.replace("feeds/survey.yaml", "settle_seconds: 600", "settle_seconds: 8")
    assert one.look() <= 8.1, "it looks again when the file may be whole"
    assert len(begun) == 2


def test_while_another_runs_it_waits_and_what_that_one_saw_is_not_run_again(
    hooked: Sandbox, inbox: Inbox, runs: list
):
    begun, ends = runs
    one = make(hooked, inbox)
    one.look()
    hooked.answers("a1,,2026-02-20 10:00:00,web,order,5")
    ends[:] = [BusyError.at("warehouse", "process 7 is running here."), None]
    assert one.look() == 1.0
    assert "waiting for another run" in one.standing.told.doing
    assert one.standing.told.trouble == {}, "that is nothing wrong"
    hooked.run()  # the other one, which began after we had looked
    one.look()
    assert len(begun) == 2
    push(inbox, "later")
    one.look()
    assert len(begun) == 3


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            StoreError.at("ledger.db", "cannot be used: disk is full.", "Make room."),
            "ledger.db: cannot be used",
        ),
        (ZeroDivisionError("Ada Lovelace"), "a defect (ZeroDivisionError): see the log"),
    ],
)
def test_a_run_that_fails_is_told_and_tried_again_later_and_later(
    error: Exception, said: str, hooked: Sandbox, inbox: Inbox, runs: list
):
    begun, ends = runs
    ends[:] = [error]
    one = make(hooked, inbox, retry_first=100.0, retry_last=150.0, retry_store=120.0)
    one.look()
    assert one.standing.told.trouble["run"].startswith(said)
    assert "Ada" not in one.standing.told.trouble["run"]
    assert 0 < one.look() <= 100.0
    assert len(begun) == 1, "not before its time"
    one._retry_at = 0.0  # noqa: SLF001 - its time has come
    one.look()
    assert len(begun) == 2
    waits = (one._retry_at or 0.0) - time.monotonic()  # noqa: SLF001 - a look waits no longer than a sweep
    latest = 120.0 if isinstance(error, StoreError) else 150.0
    assert latest - 20.0 < waits <= latest, "what stores may be there again at any time"
    ends[:] = [None]
    hooked.replace("map/map.yaml", "name: Order", "name: Ordering")
    one.look()
    assert len(begun) == 3, "a mended workspace is tried at once"
    assert one.standing.told.trouble == {}


def test_a_broken_workspace_is_told_and_its_last_good_form_goes_on(hooked: Sandbox, inbox: Inbox, runs: list):
    begun, _ = runs
    one = make(hooked, inbox)
    one.look()
    hooked.replace("map/map.yaml", "stage: enter", "stage: nowhere")
    push(inbox, "a")
    one.look()
    assert "nowhere" in one.standing.told.trouble["workspace"]
    assert len(begun) == 2
    assert inbox.counts() == {"landed": 1}


def test_a_defect_of_its_own_does_not_end_it(
    hooked: Sandbox, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, runs: list
):
    begun, _ = runs
    looks: list[int] = []

    def broken(_: object) -> object:
        looks.append(1)
        if len(looks) == 1:
            raise RuntimeError
        return look(_)  # ty: ignore[invalid-argument-type]

    monkeypatch.setattr(reacting, "look", broken)
    one = make(hooked, inbox, quiet=0.0, sweep=0.01)
    one.start()
    until(lambda: len(begun) > 0, "it ran after all")
    assert one.stop(60)


def test_wake_ups_are_gathered_until_it_is_quiet_but_not_for_ever(
    hooked: Sandbox, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
):
    looked, gone = list[int](), threading.Event()
    one = make(hooked, inbox, quiet=0.2, patience=1.0)
    monkeypatch.setattr(one, "look", lambda: looked.append(1) or 3600.0)
    one.start()
    until(lambda: len(looked) == 1, "the first look")
    for _ in range(5):
        one.wake()
    until(lambda: len(looked) == 2, "one look for all of them")
    ends = threading.Thread(target=lambda: [one.wake() or gone.wait(0.02) for _ in range(200)])
    ends.start()
    until(lambda: len(looked) >= 3, "patience ends although it is never quiet")
    gone.set()
    ends.join()
    assert one.stop(60)
    assert len(looked) < 20


def test_runs_follow_each_other_as_long_as_little_comes():
    pace = Pace(10.0, advance=3)
    for second in (0.0, 0.1, 0.2):
        assert pace.wait(second) == 0.0
        pace.spend(second)
    assert 9.7 < pace.wait(0.2) <= 10.0
    assert pace.wait(10.3) == 0.0
    pace.spend(10.3)
    assert pace.wait(10.4) > 9.0
    assert pace.wait(1e6) == 0.0
    for _ in range(3):
        pace.spend(1e6)
    assert pace.wait(1e6) > 0, "a long rest gives no more in advance"
    assert Pace(0.0).wait(0.0) == 0.0


def test_the_folders_of_the_inbox_and_of_the_map_are_watched_and_never_our_own(hooked: Sandbox):
    hooked.answers()
    workspace = hooked.load()
    names = [path.relative_to(hooked.root).as_posix() for path in folders(workspace)]
    assert names == ["contracts", "feeds", "inbox", "map"]
    hooked.replace("feeds/survey.yaml", "inbox/answers*.csv", "'*/answers*.csv'")
    assert hooked.root not in folders(hooked.load())


def test_poured_files_are_no_news_but_others_in_their_folder_are(hooked: Sandbox):
    hooked.replace("feeds/chat.yaml", "format: jsonl", "format: jsonl\n    settle_seconds: 0")
    hooked.write("inbox/chat/20260302T050000000000-0123456789abcdef.jsonl", answer("a"))
    assert look(hooked.load()).seen == frozenset()
    hooked.write("inbox/chat/before.jsonl", answer("b"))
    assert [name for name, _, _ in look(hooked.load()).seen] == ["inbox/chat/before.jsonl"]
