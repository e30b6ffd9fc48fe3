"""Channels against real receivers on loopback: what they send, and what they make of every answer."""

import hashlib
import hmac
import json
import shutil
import socket
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from inspect import signature
from pathlib import Path

import httpx
import pytest
from aiosmtpd.controller import Controller

from contracts.alert_settings import Channel
from flows.channels import Outcome, Unset, load, names
from flows.channels._http import retry_after
from tests.flows.letters import BREACH, LATE, NOW, RESOLVED, outgoing
from tests.flows.sinks import OK, free_port, http_sink

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
URLS = {"slack": "SINK", "teams": "SINK", "webhook": "SINK"}


def channel(kind: str, url: str = "", **more: object) -> Channel:
    """A channel of a kind; its address and key come from the environment where they are secret."""
    shown = {"url": url} if kind in ("pagerduty", "alertmanager") else {"url_from": "SINK"}
    values = {"id": "test", "kind": kind, "secret_from": "KEY", "timeout_seconds": 1.0, **shown, **more}
    return Channel.model_validate(values)


def send(kind: str, url: str, root: Path, **more: object) -> Outcome:
    return load(kind).send(
        outgoing(root), channel(kind, url, **more), {"SINK": url, "KEY": "a secret of the receiver"}
    )


def test_every_kind_of_channel_says_what_it_needs_whether_it_dedupes_and_sends():
    assert names() == [
        "alertmanager", "apprise", "console", "file", "pagerduty", "slack", "smtp", "teams", "webhook",
    ]  # fmt: skip
    for kind in names():
        module = load(kind)
        assert set(module.NEEDS) <= set(Channel.model_fields)
        assert isinstance(module.DEDUPES, bool)
        assert list(signature(module.send).parameters) == ["outgoing", "channel", "environment"]


# What every answer means, for every channel over HTTP


@pytest.mark.parametrize("kind", ["webhook", "slack", "teams", "pagerduty", "alertmanager"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK, Outcome("sent", "ok")),
        ((202, {}, b""), Outcome("sent", "")),
        ((429, {"retry-after": "7"}, b"slow down"), Outcome("again", "HTTP 429: slow down", 7.0)),
        ((500, {}, b"oops\r\n\x1b[31m"), Outcome("again", "HTTP 500: oops [31m")),
        ((503, {"retry-after": "soon"}, b""), Outcome("again", "HTTP 503")),
        ((404, {}, b"no_service"), Outcome("refused", "HTTP 404: no_service")),
        ((302, {"location": "http://127.0.0.1:1/"}, b""), Outcome("refused", "HTTP 302")),
        ((200, {"content-encoding": "gzip"}, b"not packed"), Outcome("sent", "")),
        ((404, {"content-encoding": "gzip"}, b"not packed"), Outcome("refused", "HTTP 404")),
    ],
)
def test_what_an_answer_means(kind: str, answer: tuple, expected: Outcome, tmp_path: Path):
    with http_sink(answer) as sink:
        assert send(kind, sink.url, tmp_path) == expected
        assert len(sink.taken) == 1


@pytest.mark.parametrize("way", ["reset", "silence", "drip"])
def test_without_an_answer_it_may_have_arrived_and_the_attempt_ends_in_time(way: str, tmp_path: Path):
    with http_sink(way) as sink:
        started = time.monotonic()
        outcome = send("slack", sink.url, tmp_path, timeout_seconds=0.4)
        assert time.monotonic() - started < 3
    assert (outcome.state, outcome.is_unsure) == ("again", True)
    assert sink.url not in outcome.said


def test_without_a_connection_it_has_not_arrived(tmp_path: Path):
    outcome = send("slack", f"http://127.0.0.1:{free_port()}/secret", tmp_path)
    assert (outcome.state, outcome.is_unsure) == ("again", False)
    assert "secret" not in outcome.said


def test_a_secret_that_is_not_set_is_told_by_its_name(tmp_path: Path):
    with pytest.raises(Unset, match="SINK is not set"):
        load("slack").send(outgoing(tmp_path), channel("slack"), {})


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 3 ", 3.0),
        ("999999999", 86400.0),
        ("-5", None),
        ("Sun, 22 Nov 2026 08:01:00 GMT", 60.0),
        ("Sun, 22 Nov 2026 07:00:00 GMT", 0.0),
        ("soon", None),
        ("Sun, 99 Nov 2026", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(written: str | None, seconds: float | None):
    assert retry_after(written, NOW) == seconds


# What each of them sends


def test_a_webhook_is_signed_as_the_standard_says(tmp_path: Path):
    with http_sink() as sink:
        send("webhook", sink.url, tmp_path)
    headers, body = sink.headers[0], sink.taken[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(b"a secret of the receiver", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{b64encode(mac).decode()}"
    assert headers["webhook-id"] == "0f" * 16
    told = sink.json()
    assert (told["kind"], told["person"], told["alerts"][0]["facts"]["n"]) == ("breach", "dana", 312)
    assert told["alerts"][0]["links"] == {"ack": "https://answers.test/a/token"}


def test_slack_shows_the_message_and_mentions_the_person_and_nothing_is_markup(tmp_path: Path):
    with http_sink() as sink:
        load("slack").send(outgoing(tmp_path, address="U123"), channel("slack"), {"SINK": sink.url})
    (block,) = sink.json()["blocks"]
    text = block["text"]["text"]
    assert text.startswith("<@U123> BREACH  Engage &gt; Receive &lt;the&gt; shipment | CSAT 74 %")
    assert "https://answers.test/a/token" in text


def test_teams_gets_an_adaptive_card_and_a_failure_in_an_answer_of_200_is_one(tmp_path: Path):
    said = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"
    with http_sink((200, {}, said)) as sink:
        assert send("teams", sink.url, tmp_path).state == "again"
    content = sink.json()["attachments"][0]["content"]
    assert content["type"] == "AdaptiveCard"
    assert content["body"][0]["text"].startswith("BREACH  Engage > Receive <the> shipment")


def test_pagerduty_is_triggered_and_resolved_by_the_alerts_id(tmp_path: Path):
    with http_sink() as sink:
        for message in (BREACH, RESOLVED):
            load("pagerduty").send(
                outgoing(tmp_path, message), channel("pagerduty", sink.url), {"KEY": "routing"}
            )
    first, second = sink.json(0), sink.json(1)
    assert (first["event_action"], second["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == second["dedup_key"] == BREACH.alert
    assert first["routing_key"] == "routing"
    assert first["payload"]["severity"] == "error"
    assert set(first["payload"]) >= {"summary", "source", "severity"}


def test_a_file_has_one_line_a_letter_however_often_it_is_sent(tmp_path: Path):
    kind, settings = load("file"), channel("file", path="out/alerts.jsonl")
    assert kind.send(outgoing(tmp_path), settings, {}).said == "written"
    target = tmp_path / "out/alerts.jsonl"
    target.write_bytes(target.read_bytes() + b'{"id": "cut off by a k')
    assert kind.send(outgoing(tmp_path), settings, {}).said == "was written before"
    assert kind.send(replace(outgoing(tmp_path), id="other"), settings, {}).said == "written"
    *whole, last = target.read_text().splitlines()
    assert [json.loads(whole[0])["id"], json.loads(last)["id"]] == ["0f" * 16, "other"]


def test_the_console_prints_where_no_command_prints_its_result(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    assert load("console").send(outgoing(tmp_path), channel("console"), {}).state == "sent"
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "[to dana]\nBREACH" in printed.err


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise imports it
def test_apprise_reaches_any_service_that_it_knows(tmp_path: Path):
    with http_sink() as sink:
        address = sink.url.replace("http://", "json://") + "/path"
        kind = load("apprise")
        assert kind.send(outgoing(tmp_path, address=address), channel("apprise"), {}).state == "sent"
        assert "Receive <the> shipment" in sink.json()["message"]
    assert kind.send(outgoing(tmp_path, address="nonsense"), channel("apprise"), {}).state == "refused"


# Mail


class Mailbox:
    """What an SMTP server does with mail: keep it, or answer something else."""

    def __init__(self, answer: str = "250 OK") -> None:
        self.answer = answer
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: ARG002, N802
        if self.answer.startswith("250"):
            self.mails.append(envelope.content)
        return self.answer


@pytest.fixture
def mailbox(request: pytest.FixtureRequest) -> Iterator[tuple[Mailbox, int]]:
    """A mail server on loopback."""
    box = Mailbox(getattr(request, "param", "250 OK"))
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield box, controller.port
    finally:
        controller.stop()


def mail(port: int, root: Path, address: str | None = "dana@example.test", **more: object) -> Outcome:
    usual = {"host": "127.0.0.1", "security": "none", "sender": "Answerable <no-reply@larkspur.test>"}
    settings = channel("smtp", port=port, **usual | more)
    return load("smtp").send(outgoing(root, BREACH, LATE, address=address), settings, {})


def test_mail_arrives_as_text_and_html_with_the_letters_own_id(mailbox: tuple[Mailbox, int], tmp_path: Path):
    box, port = mailbox
    outcome = mail(port, tmp_path)
    assert outcome == Outcome("sent", f"<{'0f' * 16}@larkspur.test>")
    (raw,) = box.mails
    got = message_from_bytes(raw, policy=policy.default)
    assert got["Message-ID"] == outcome.said
    assert (got["To"], got["Auto-Submitted"]) == ("dana@example.test", "auto-generated")
    assert got["Subject"] == "2 alerts: 1 breach, 1 no data"
    text = got.get_body(("plain",)).get_content()
    html = got.get_body(("html",)).get_content()
    assert "BREACH  Engage > Receive <the> shipment" in text
    assert "Receive &lt;the&gt; shipment" in html
    assert '<a href="https://answers.test/a/token">' in html


@pytest.mark.parametrize(
    ("mailbox", "state"), [("451 try later", "again"), ("554 no", "refused")], indirect=["mailbox"]
)
def test_a_mail_server_says_whether_a_retry_can_help(
    mailbox: tuple[Mailbox, int], state: str, tmp_path: Path
):
    _, port = mailbox
    outcome = mail(port, tmp_path)
    assert (outcome.state, outcome.is_unsure) == (state, False)


def test_mail_needs_an_address_and_a_server(tmp_path: Path):
    assert mail(1, tmp_path, None) == Outcome("refused", "no address is known for 'dana'")
    outcome = mail(free_port(), tmp_path)
    assert (outcome.state, outcome.is_unsure) == ("again", False)


@pytest.mark.parametrize(
    ("said", "is_unsure"),
    [("", False), ("220 OK|250 OK|250 OK|250 OK|354 OK|", True)],
    ids=["at once", "later"],
)
def test_a_mail_server_that_drips_is_given_up_in_time(said: str, is_unsure: bool, tmp_path: Path):
    with dripping_mailbox(said) as port:
        started = time.monotonic()
        outcome = mail(port, tmp_path)
        assert time.monotonic() - started < 5
    assert outcome == Outcome("again", "no answer (TimeoutError)", is_unsure=is_unsure)


@contextmanager
def dripping_mailbox(said: str) -> Iterator[int]:
    """A mail server that gives some answers and then one without end; it goes silent after 10 seconds."""
    ends = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                for answer in said.split("|")[:-1]:
                    connection.sendall(answer.encode() + b"\r\n")
                    connection.recv(65_536)
                for _ in range(100):
                    connection.sendall(b"2")
                    if ends.wait(0.1):
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        ends.set()
        thread.join(5)


# Alertmanager


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[tuple[str, list[dict]]]:
    """A real Alertmanager, and what it sends on to a webhook of its own."""
    if ALERTMANAGER is None:
        pytest.skip("no Alertmanager here: apt-get install prometheus-alertmanager")
    with http_sink() as sink:
        config = tmp_path / "alertmanager.yml"
        config.write_text(
            "route: {receiver: sink, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
            f"receivers: [{{name: sink, webhook_configs: [{{url: '{sink.url}', send_resolved: true}}]}}]\n"
        )
        port = free_port()
        command = [
            ALERTMANAGER,
            f"--config.file={config}",
            f"--storage.path={tmp_path / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            url = f"http://127.0.0.1:{port}"
            try:
                _until(lambda: _answers(f"{url}/-/ready"))
                yield url, sink.taken
            finally:
                process.kill()


def test_alertmanager_knows_a_repeated_alert_and_when_it_ends(alertmanager: tuple[str, list], tmp_path: Path):
    url, passed_on = alertmanager
    kind, settings = load("alertmanager"), channel("alertmanager", url, timeout_seconds=5)
    now = datetime.now(UTC)  # noqa: TID251 - Alertmanager compares with the real time
    for seconds in (0, 1):
        again = replace(outgoing(tmp_path), attempt_at=now + timedelta(seconds=seconds))
        assert kind.send(again, settings, {}).state == "sent"
    (held,) = json.loads(_read(f"{url}/api/v2/alerts"))
    assert held["labels"] == {
        "alertname": "AnswerableGoalMissed",
        "alert": BREACH.alert,
        "company": "Larkspur",
        "touchpoint": "receive_shipment",
        "metric": "csat",
    }
    assert held["annotations"]["accountable"] == "Dana Okafor"
    _until(lambda: len(passed_on) == 1)
    ended = replace(outgoing(tmp_path, RESOLVED), attempt_at=now + timedelta(seconds=1))
    assert kind.send(ended, settings, {}).state == "sent"
    _until(lambda: len(passed_on) == 2)
    assert [json.loads(one)["status"] for one in passed_on] == ["firing", "resolved"]


def _until(is_so: object, seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends
        threading.Event().wait(0.05)


def _read(url: str) -> bytes:
    return httpx.get(url, timeout=5).raise_for_status().content


def _answers(url: str) -> bool:
    try:
        _read(url)
    except httpx.HTTPError:
        return False
    return True
