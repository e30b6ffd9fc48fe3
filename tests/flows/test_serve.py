"""`answerable serve` as a process: what comes becomes a release and one message, whatever happens to it."""

import json
import socket
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import ANSWERS_HEADER, Call, Sandbox
from tests.flows.hooks import SECRET, Serving, answer, build_hooked, post, read, serving, until
from tests.flows.sinks import OK, http_sink
from tests.flows.test_alerting import Shop
from warehouse.store import EventStore

SETTINGS = """
alerts:
  channels: [{id: hook, kind: webhook, url_from: SINK, secret_from: KEY}]
  roles: {default: hook}
  fallback: head_of_sales
"""


@pytest.fixture
def hooked(tmp_path: Path) -> Sandbox:
    return build_hooked(tmp_path / "workspace")


def _times_read_again(server: Serving) -> int:
    return server.log.count("workspace read again")


def _events(sandbox: Sandbox) -> list[str]:
    state = EventStore(sandbox.root / "warehouse/store").head()
    return state.scan(["event_id"]).collect()["event_id"].to_list()


def _drop(shop: Shop, name: str, share: float, servers: Sequence[Serving]) -> None:
    """A bad week more, dropped whole into the inbox folder, and the Monday after."""
    before = len(shop.rows)
    shop.week(share)
    root = shop.sandbox.root
    yaml = (root / "answerable.yaml").read_text()
    clock = next(line for line in yaml.splitlines() if line.startswith("clock:"))
    # First the clock: a run that began before it would set answers of a day to come aside.
    began = [_times_read_again(each) for each in servers]
    shop.sandbox.write("answerable.yaml", yaml.replace(clock, f"clock: {shop.monday}T06:00"))
    (root / "map/map.yaml").touch()  # its folder is watched, the settings are only swept
    for each, times in zip(servers, began, strict=True):
        until(lambda: _times_read_again(each) > times, f"the clock is read:\n{each.log}")  # noqa: B023 - called here
    part = root / "inbox" / f".{name}"
    part.write_text("\n".join([ANSWERS_HEADER, *shop.rows[before:]]) + "\n")
    part.rename(root / "inbox" / f"answers-{name}.csv")


@pytest.mark.slow
def test_a_dropped_file_is_a_release_and_one_message_although_two_serve(sandbox: Sandbox):
    shop = Shop(sandbox, SETTINGS)
    # A run may see the Monday after before it sees the week: the feed is not overdue by then.
    sandbox.replace("contracts/survey.odcs.yaml", "value: 5, unit: d", "value: 40, unit: d")
    shop.sandbox.answers(*shop.rows)
    root = sandbox.root
    with http_sink(OK) as sink:
        environment = {"SINK": sink.url, "KEY": "a secret of the receiver"}
        with serving(root, **environment) as one, serving(root, **environment) as other:
            until(lambda: one.releases() > 0 or other.releases() > 0, "a first release")
            for each in (one, other):
                until(lambda: json.loads(read(each.port, "/readyz")[1])["doing"] != "starting", "both look")  # noqa: B023 - called here
            _drop(shop, "first", 0.5, (one, other))
            until(lambda: len(_events(sandbox)) == 4 * 60 + 60, "the first bad week is in the store")
            _drop(shop, "second", 0.5, (one, other))
            until(lambda: len(sink.taken) > 0, f"a letter is delivered\n{one.log}\n{other.log}")
            # A wake-up more, and both are still there to send it twice.
            ran = one.releases() + other.releases()
            sandbox.answers(*shop.rows[:1], name="answers-again.csv")
            until(lambda: one.releases() + other.releases() > ran, "another release")
            assert {read(each.port, "/healthz")[0] for each in (one, other)} == {200}
        told = [
            (message["kind"], letter["person"], message["scope"])
            for letter in map(json.loads, sink.taken)
            for message in letter["alerts"]
        ]
    assert Counter(told)["breach", "cleo", "delivery"] == 1
    assert len(told) == 1
    for each in (one, other):
        assert each.process.returncode == 0, each.log
        assert "Traceback" not in each.log


@pytest.mark.slow
def test_a_hook_a_map_that_is_wrong_for_a_while_and_a_polite_end(hooked: Sandbox):
    with serving(hooked.root) as one:
        assert [post(one.port, answer("a")), post(one.port, answer("a"))] == [202, 200]
        until(lambda: _has_events(hooked, 1), "the first answer is an event")
        good = (hooked.root / "map/map.yaml").read_text()
        hooked.write("map/map.yaml", good.replace("accountable: head_of_sales", "accountable: nobody_known"))
        until(lambda: "nobody_known" in read(one.port, "/readyz")[1], "the broken map is told of")
        assert 'answerable_trouble{what="workspace"} 1.0' in read(one.port, "/metrics")[1]
        assert post(one.port, answer("b")) == 202
        until(lambda: _has_events(hooked, 2), "by the last good map")
        hooked.write("map/map.yaml", good.replace("name: Order", "name: Ordering"))
        until(lambda: "workspace read again" in one.log, "the mended map is read")
        assert json.loads(read(one.port, "/readyz")[1])["trouble"] == {}
        hooked.replace("feeds/chat.yaml", "secret_from: CHAT_SECRET", "secret_from: OTHER_SECRET")
        until(lambda: post(one.port, answer("c")) == 503, "the hook asks for another secret")
        one.process.terminate()
        assert one.process.wait(120) == 0
    assert "Traceback" not in one.log
    assert SECRET not in one.log
    assert "answer_id" not in one.log


def _has_events(sandbox: Sandbox, count: int) -> bool:
    return len(_events(sandbox)) == count


def test_once_looks_once_and_ends(hooked: Sandbox, call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHAT_SECRET", SECRET)
    hooked.answers("a1,,2026-02-20 10:00:00,web,order,5")
    said = call("serve", hooked.root, "--once")
    assert (said.code, said.out) == (0, "release 1\n")
    assert len(_events(hooked)) == 1


def test_a_port_that_is_taken_is_told(hooked: Sandbox, call: Call):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = call("serve", hooked.root, "--port", str(port))
    assert said.code == 2
    assert (
        f"127.0.0.1:{port}: cannot be listened on: Address already in use. Choose another --port." in said.err
    )


def test_a_workspace_that_is_wrong_is_told_before_anything_is_received(hooked: Sandbox, call: Call):
    hooked.replace("feeds/chat.yaml", "scheme: github", "scheme: gitlab")
    said = call("serve", hooked.root)
    assert said.code == 3
    assert "Did you mean 'github'?" in said.err


def test_serving_imports_no_prefect():
    import subprocess
    import sys

    from tests.conftest import ROOT

    code = "import sys, flows.serving.server; print([n for n in ('prefect', 'great_expectations', 'httpx') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
