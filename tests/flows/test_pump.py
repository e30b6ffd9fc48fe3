"""The pump: every letter is sent, a failing channel is waited for, and what cannot be sent is seen."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.alerts import Letter, plain
from flows.alert_health import alert_lines
from flows.pump import ATTEMPTS_MAX, LEASE, Bounds, Sending, pump, wait_after
from flows.workspace import LoadedWorkspace
from tests.conftest import Sandbox
from tests.flows.letters import BREACH
from tests.flows.sinks import OK, Sink, free_port, http_sink
from warehouse.alert_ledger import AlertLedger
from warehouse.ledger import Ledger

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
SETTINGS = """
alerts:
  channels: [{id: hook, kind: slack, url_from: SINK, timeout_seconds: 0.5}]
  roles: {default: hook}
  recipients_from: PEOPLE
  link_base: https://answers.test
  link_secret_from: LINKS
"""
PEOPLE = '{"dana": {"hook": "U123"}}'


class Office:
    """A workspace with letters to send, and a clock that only moves when it is told to."""

    def __init__(self, sandbox: Sandbox) -> None:
        sandbox.write("answerable.yaml", (sandbox.root / "answerable.yaml").read_text() + SETTINGS)
        self.workspace: LoadedWorkspace = sandbox.load()
        self.ledger = AlertLedger(Ledger(self.workspace.warehouse))
        self.now = NOW
        self.environment = {"PEOPLE": PEOPLE, "LINKS": "a key of at least sixteen bytes"}

    def post(self, count: int = 1, channel: str = "hook") -> list[str]:
        letter = Letter(
            kind="breach",
            person="dana",
            role="owner",
            channel=channel,
            alerts=(BREACH.alert,),
            messages=(plain(BREACH),),
        )
        with self.ledger.deciding() as book:
            return [book.post(letter, NOW, NOW, NOW) for _ in range(count)]

    def pump(self, url: str = "", **bounds: object) -> Sending:
        environment = self.environment | ({"SINK": url} if url else {})
        return pump(
            self.workspace,
            self.ledger,
            Bounds(**bounds),
            environment,
            lambda: self.now,
        )


@pytest.fixture
def office(sandbox: Sandbox) -> Office:
    return Office(sandbox)


def test_every_letter_is_sent_once(office: Office):
    office.post(5)
    with http_sink() as sink:
        assert office.pump(sink.url).counts == {"sent": 5}
        assert office.pump(sink.url).counts == {}
    assert len(sink.taken) == 5
    assert office.ledger.counts() == {"sent": 5}
    assert sink.json()["text"].startswith("<@U123> BREACH")
    assert "https://answers.test/a/" in sink.json()["blocks"][0]["text"]["text"]


def test_it_stops_at_its_bounds_and_goes_on_next_time(office: Office):
    office.post(5)
    with http_sink() as sink:
        assert office.pump(sink.url, letters=2).counts == {"sent": 2}
        assert office.pump(sink.url, seconds=0.0).counts == {}
        assert office.pump(sink.url).counts == {"sent": 3}


def test_it_waits_as_long_as_it_is_asked_to(office: Office):
    office.post()
    with http_sink((429, {"retry-after": "90"}, b""), OK) as sink:
        assert office.pump(sink.url).counts == {"again": 1}
        office.now += timedelta(seconds=89)
        assert office.pump(sink.url).counts == {}
        office.now += timedelta(seconds=1)
        assert office.pump(sink.url).counts == {"sent": 1}


def test_waits_double_from_five_seconds_to_an_hour():
    waits = [wait_after(attempts, None).total_seconds() for attempts in range(1, ATTEMPTS_MAX + 1)]
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    assert wait_after(1, 90.0) == timedelta(seconds=90)
    assert wait_after(12, 90.0) == timedelta(hours=1), "nor does it come sooner than its own patience says"


def test_after_twelve_failures_it_is_dead_and_doctor_says_so(office: Office):
    office.post()
    with http_sink((500, {}, b"oops")) as sink:
        for _ in range(ATTEMPTS_MAX):
            office.pump(sink.url)
            office.now += timedelta(hours=1)
        assert len(sink.taken) == ATTEMPTS_MAX
    assert office.ledger.counts() == {"dead": 1}
    lines = list(alert_lines(office.workspace, office.environment | {"SINK": "x"}))
    assert (
        False,
        "1 dead letters, channel hook: HTTP 500: oops",
        "mend it, then answerable alerts send --revive",
    ) in lines


def test_a_refusal_is_dead_at_once_and_revived_when_it_is_mended(office: Office):
    office.post()
    with http_sink((410, {}, b"gone"), OK) as sink:
        assert office.pump(sink.url).counts == {"dead": 1}
        office.ledger.revive(office.now)
        assert office.pump(sink.url).counts == {"sent": 1}


@pytest.mark.parametrize("way", ["reset", "silence"])
def test_an_answer_that_never_came_is_counted_as_unsure(office: Office, way: str):
    office.post()
    with http_sink(way, OK) as sink:
        assert office.pump(sink.url).counts == {"again": 1}
        office.now += timedelta(minutes=9)
        assert office.pump(sink.url).counts == {}
        office.now += timedelta(minutes=1)
        assert office.pump(sink.url).counts == {"sent": 1}
        assert len(sink.taken) == 2
    assert office.ledger.unsure() == {"hook": 1}
    lines = [what for _, what, _ in alert_lines(office.workspace, {})]
    assert "1 letters on channel hook may have come twice" in lines


def test_where_the_channel_cannot_tell_it_comes_twice_at_most_and_then_somebody_decides(office: Office):
    office.post()
    with http_sink("reset") as sink:
        for _ in range(5):
            office.pump(sink.url)
            office.now += timedelta(minutes=10)
        assert len(sink.taken) == 2
        (dead,) = office.ledger.letters("dead")
        assert dead.error == "nobody answered 2 times: it may have arrived"
        office.ledger.revive(office.now)
        office.pump(sink.url)
        assert len(sink.taken) == 3


def test_a_server_that_is_down_loses_nothing(office: Office):
    office.post(3)
    assert office.pump(f"http://127.0.0.1:{free_port()}").counts == {"again": 3}
    assert office.ledger.unsure() == {}, "nobody was there to take it"
    office.now += timedelta(minutes=1)
    with http_sink() as sink:
        assert office.pump(sink.url).counts == {"sent": 3}


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (lambda office: office.environment.update(PEOPLE="not json"), "PEOPLE holds no addresses"),
        (lambda office: office.environment.pop("PEOPLE"), "PEOPLE is not set in the environment"),
        (lambda office: office.post(channel="old"), "the settings have no channel 'old' any more"),
        (lambda _: None, "SINK is not set in the environment"),
    ],
)
def test_what_the_settings_lack_is_said_by_name(
    office: Office, breaks: Callable[[Office], object], said: str
):
    office.post()
    breaks(office)
    office.pump()
    assert any((one.error or "").startswith(said) for one in office.ledger.letters("dead"))


def test_addresses_may_stand_in_a_file(office: Office, tmp_path: Path):
    file = tmp_path / "people.json"
    file.write_text(PEOPLE)
    office.environment["PEOPLE"] = str(file)
    office.post()
    with http_sink() as sink:
        office.pump(sink.url)
    assert sink.json()["text"].startswith("<@U123>")


def test_a_defect_in_one_channel_does_not_keep_others_from_being_told(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    office.post(2)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("flows.channels.slack.message", broken)
    assert office.pump("http://127.0.0.1:1").counts == {"again": 2}
    first, _ = office.ledger.letters()
    assert "defect in channel slack" in (first.error or "")


def test_a_killed_sender_leaves_the_letter_to_the_next_one_after_its_lease(office: Office):
    office.post()
    office.ledger.claim("killed", office.now, LEASE)
    with http_sink() as sink:
        assert office.pump(sink.url).counts == {}, "until then it may still be at it"
        office.now += LEASE
        assert office.pump(sink.url).counts == {"sent": 1}
    assert office.ledger.unsure() == {"hook": 1}


def test_the_same_letter_says_the_same_at_every_attempt(office: Office):
    office.post()
    sink: Sink
    with http_sink((500, {}, b""), OK) as sink:
        office.pump(sink.url)
        office.now += timedelta(hours=5)
        office.pump(sink.url)
    assert sink.taken[0] == sink.taken[1], "links included"
