"""The receiver: every status that it answers, and nothing of what it was sent in its log."""

import asyncio
import gzip
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from contracts.errors import StoreError
from flows.serving import receiver as receiving
from flows.serving.committer import Committer
from flows.serving.receiver import Receiver
from flows.serving.standing import Standing
from flows.workspace import load
from tests.conftest import Sandbox
from tests.flows.hooks import ENVIRONMENT, SECRET, answer, build_hooked, signed
from tests.flows.test_signatures import SENDERS
from warehouse.inbox import Inbox, Pushed
from warehouse.ledger import Ledger

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
CHALLENGE = b'{"type":"url_verification","challenge":"3eZbrw"}'


@dataclass
class Door:
    """A receiver, and how to knock.

    Attributes:
        receiver: The receiver.
        inbox: Where it keeps what it took.
        woken: Those it told of.
    """

    receiver: Receiver
    inbox: Inbox
    woken: list[Pushed]

    def send(self, *calls: httpx.Request) -> list[httpx.Response]:
        """Send requests, one after the other."""

        async def sent() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.receiver.app())
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return [await client.send(call) for call in calls]

        return asyncio.run(sent())

    def push(self, body: bytes, headers: dict[str, str] | None = None, path: str = "chat") -> httpx.Response:
        """Push one delivery."""
        sent = headers if headers is not None else signed(body)
        return self.send(httpx.Request("POST", f"http://test/hooks/{path}", headers=sent, content=body))[0]

    def read(self, path: str) -> httpx.Response:
        """A page."""
        return self.send(httpx.Request("GET", f"http://test{path}"))[0]


@pytest.fixture
def hooked(tmp_path: Path) -> Sandbox:
    return build_hooked(tmp_path / "workspace")


Opened = Callable[..., Door]


@pytest.fixture
def opened(hooked: Sandbox) -> Iterator[Opened]:
    """Opens the door of the workspace as it stands, with other settings of `receive`."""
    ended = list[Committer]()

    def make(**receive: object) -> Door:
        if receive:
            told = {"scheme": "github", "secret_from": "CHAT_SECRET", **receive}
            hooked.replace(
                "feeds/chat.yaml", "receive: {scheme: github, secret_from: CHAT_SECRET}",
                f"receive: {json.dumps(told)}",
            )  # fmt: skip
        standing, woken = Standing(load(hooked.root)), list[Pushed]()
        inbox = Inbox(Ledger(hooked.root / "warehouse", is_resident=True))
        committer = Committer(inbox, woken.extend)
        committer.start()
        ended.append(committer)
        return Door(Receiver(standing, committer, ENVIRONMENT, clock=NOW.timestamp), inbox, woken)

    yield make
    for committer in ended:
        committer.stop()
        committer.inbox.ledger.engine.dispose()


# What is taken


def test_202_means_that_it_is_kept_and_200_that_it_was_known(opened: Opened):
    door, body = opened(), answer("a1")
    first, second = door.push(body), door.push(body)
    assert (first.status_code, second.status_code) == (202, 200)
    sha256 = hashlib.sha256(body).hexdigest()
    assert first.json() == {"state": "accepted", "delivery_id": f"sha256:{sha256}"}
    assert second.json()["state"] == "known"
    (kept,) = door.inbox.accepted("chat", 10, 10**9)
    assert (kept.body, kept.sha256, kept.received_at) == (body, sha256, NOW)
    assert kept.headers == {"content-type": "application/json"}
    assert [one.delivery_id for one in door.woken] == [f"sha256:{sha256}"]


@pytest.mark.parametrize("name", SENDERS)
def test_every_scheme_is_taken_at_the_door(name: str, opened: Opened):
    import tests.flows.test_signatures as theirs

    door = opened(scheme=name, secret_from="THEIRS", url=theirs.URL)  # noqa: S106 - a name
    door.receiver.environment = {"THEIRS": theirs.SECRET}
    headers = {**SENDERS[name](theirs.BODY, NOW.timestamp()), "content-type": "application/json"}
    assert door.push(theirs.BODY, headers).status_code == 202
    assert door.push(theirs.BODY, {"content-type": "application/json"}).status_code == 401


def test_lines_and_lists_are_taken_too(opened: Opened):
    door = opened()
    lines, many = answer("a") + b"\n" + answer("b"), b"[" + answer("c") + b"," + answer("d") + b"]"
    assert door.push(lines, {**signed(lines), "content-type": "application/x-ndjson"}).status_code == 202
    assert door.push(many).status_code == 202


def test_the_body_says_which_delivery_it_is(opened: Opened):
    door = opened(delivery_id={"body": "event.id"})
    one, other, retold = (
        f'{{"event":{{"id":"e{n}"}},"score":{s}}}'.encode() for n, s in ((1, 5), (2, 5), (1, 4))
    )
    assert [door.push(body).status_code for body in (one, other, one, retold)] == [202, 202, 200, 409]
    assert door.push(b'{"event":{}}').status_code == 422
    assert door.push(b'[{"event":{"id":"x"}},{"event":{"id":"y"}}]').status_code == 422
    assert {one.delivery_id for one in door.inbox.accepted("chat", 9, 10**9)} == {"e1", "e2"}


def test_ids_that_are_long_numbers_are_told_apart(opened: Opened):
    door = opened(delivery_id={"body": "id"})
    ids = ("123456789012345678901234567890", "123456789012345678901234567891", "7", "1.50")
    assert [door.push(f'{{"id":{id_}}}'.encode()).status_code for id_ in ids] == [202] * 4
    assert {one.delivery_id for one in door.inbox.accepted("chat", 9, 10**9)} == set(ids)


@pytest.mark.parametrize("id_", ["x" * 500, "a\\u0000b", "a\\nb", "sha256:ff"])
def test_an_id_that_is_no_plain_text_is_hashed(id_: str, opened: Opened):
    door = opened(delivery_id={"body": "id"})
    assert door.push(f'{{"id":"{id_}"}}'.encode()).status_code == 202
    (kept,) = door.inbox.accepted("chat", 9, 10**9)
    assert kept.delivery_id.startswith("sha256:")
    assert len(kept.delivery_id) == 71


def test_headers_that_matter_are_kept_and_no_others(opened: Opened):
    door = opened(headers=["X-GitHub-Event"])
    body = answer("a")
    door.push(
        body, {**signed(body), "x-github-event": "ping", "cookie": "a secret", "authorization": "another"}
    )
    (kept,) = door.inbox.accepted("chat", 9, 10**9)
    assert kept.headers == {"content-type": "application/json", "x-github-event": "ping"}


def test_a_vendor_that_asks_whether_we_are_there_gets_its_word_back_and_nothing_is_kept(opened: Opened):
    import tests.flows.test_signatures as theirs

    door = opened(scheme="slack", secret_from="THEIRS")  # noqa: S106 - a name
    door.receiver.environment = {"THEIRS": theirs.SECRET}
    headers = {**SENDERS["slack"](CHALLENGE, NOW.timestamp()), "content-type": "application/json"}
    told = door.push(CHALLENGE, headers)
    assert (told.status_code, told.text) == (200, "3eZbrw")
    assert door.push(CHALLENGE, {"content-type": "application/json"}).status_code == 401
    assert door.inbox.counts() == {}


# What is refused


def test_a_signature_that_is_wrong_or_missing_is_401(opened: Opened):
    door, body = opened(), answer("a")
    plain = {"content-type": "application/json"}
    wrong = signed(body, "another secret of sixteen")
    for headers in (
        plain,
        wrong,
        {**plain, "x-hub-signature-256": "sha256="},
        {**plain, "authorization": SECRET},
    ):
        assert door.push(body, headers).status_code == 401
    assert door.push(body + b" ", signed(body)).status_code == 401
    assert door.inbox.counts() == {}


def test_a_signature_that_comes_twice_is_401(opened: Opened):
    door, body = opened(), answer("a")
    good = signed(body)["x-hub-signature-256"]
    headers = [
        ("content-type", "application/json"),
        ("x-hub-signature-256", good),
        ("x-hub-signature-256", good),
    ]
    call = httpx.Request("POST", "http://test/hooks/chat", headers=headers, content=body)
    assert door.send(call)[0].status_code == 401


def test_what_was_signed_too_long_ago_is_403(opened: Opened):
    import tests.flows.test_signatures as theirs

    door = opened(scheme="stripe", secret_from="THEIRS", window_seconds=60)  # noqa: S106 - a name
    door.receiver.environment = {"THEIRS": theirs.SECRET}
    for age, status in ((0, 202), (59, 200), (61, 403), (-61, 403)):
        sent = SENDERS["stripe"](theirs.BODY, NOW.timestamp() - age)
        assert door.push(theirs.BODY, {**sent, "content-type": "application/json"}).status_code == status


def test_a_hook_that_is_not_there_is_404_and_one_that_is_asked_otherwise_405(opened: Opened):
    door, body = opened(), answer("a")
    for path in ("other", "survey", "chat/x", "..", "%2e%2e", "chat%00", "CHAT"):
        assert door.push(body, path=path).status_code == 404
    assert door.read("/hooks/chat").status_code == 405
    assert door.read("/").status_code == 404


def test_what_is_too_big_is_413_whether_it_says_so_or_not(opened: Opened):
    door = opened(limit_bytes=1000)
    assert door.push(b"{" + b" " * 998 + b"}").status_code == 202
    big = b"{" + b" " * 999 + b"}"
    assert door.push(big).status_code == 413

    async def chunks():
        for _ in range(100):
            yield b" " * 100

    call = httpx.Request("POST", "http://test/hooks/chat", headers=signed(big), content=chunks())
    assert "content-length" not in call.headers
    assert door.send(call)[0].status_code == 413
    assert door.receiver.held_bytes == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": ""},
        {"content-encoding": "gzip"},
    ],
)
def test_what_cannot_be_read_is_415(changed: dict[str, str], opened: Opened):
    body = gzip.compress(answer("a")) if "content-encoding" in changed else answer("a")
    assert opened().push(body, {**signed(body), **changed}).status_code == 415


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"[1]", b"nothing", b'{"a":', b'"a"', b'{"a":"\xff"}', b"[" * 100_000]
)
def test_what_is_signed_and_no_object_is_422(body: bytes, opened: Opened):
    door = opened()
    assert door.push(body).status_code == 422
    assert door.inbox.counts() == {}


def test_more_than_a_minute_holds_is_429_and_says_when_to_come_again(opened: Opened):
    door = opened(per_minute=3)
    told = [door.push(answer(f"{number}")) for number in range(5)]
    assert [one.status_code for one in told] == [202, 202, 202, 429, 429]
    assert 1 <= int(told[-1].headers["retry-after"]) <= 20
    assert door.push(answer("0"), {"content-type": "application/json"}).status_code == 401, (
        "forgers use up nothing"
    )


def test_a_ledger_that_cannot_be_written_is_503_until_it_can(opened: Opened, monkeypatch: pytest.MonkeyPatch):
    door, body = opened(), answer("a")

    def broken(_: object) -> None:
        raise StoreError.at("ledger.db", "cannot be used: disk is full.", "Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(door.inbox, "put", broken)
        told = door.push(body)
        assert (told.status_code, told.headers["retry-after"]) == (503, "5")
        assert "disk" not in told.text, "strangers learn nothing of us"
        ready = door.read("/readyz")
        assert (ready.status_code, ready.json()["trouble"]) == (
            503, {"inbox": "ledger.db: cannot be used: disk is full. Make room."},
        )  # fmt: skip
    assert door.push(body).status_code == 202
    assert door.read("/readyz").status_code == 200


@pytest.mark.parametrize("secret", [{}, {"CHAT_SECRET": "short"}])
def test_a_hook_without_a_secret_takes_nothing_and_says_so(secret: dict[str, str], opened: Opened):
    door = opened()
    door.receiver.environment = secret
    assert door.push(answer("a")).status_code == 503
    assert door.push(answer("a"), signed(answer("a"), "short")).status_code == 503
    assert (door.read("/readyz").status_code, door.read("/readyz").json()["hooks_without_secret"]) == (
        503,
        ["chat"],
    )


def test_a_body_that_does_not_come_is_408(opened: Opened, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(receiving, "BODY_SECONDS", 0.05)
    door = opened()

    async def slowly():
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    call = httpx.Request("POST", "http://test/hooks/chat", headers=signed(b"{}"), content=slowly())
    assert door.send(call)[0].status_code == 408
    assert door.receiver.held_bytes == 0


def test_more_than_memory_holds_is_503_for_a_moment(opened: Opened, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(receiving, "MEMORY_BYTES", 50)
    door = opened()
    assert door.push(answer("a")).status_code == 503
    assert door.push(b"{}").status_code == 202


# What is told


def test_neither_body_nor_secret_nor_header_is_ever_logged(opened: Opened, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    door = opened()
    tale = b'{"tale":"my parcel was wet"}'
    for body, headers in (
        (tale, None),
        (tale, signed(tale, "a forger's own secret")),
        (b'{"tale":"my parcel was wet"', None),
        (tale, {"content-type": "my parcel"}),
    ):
        door.push(body, headers)
    door.push(tale, path="my-parcel%0Aforged%20line")
    own = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith("answerable"))
    said = own + door.read("/metrics").text + door.read("/readyz").text
    assert own.count("status=401") == 1
    for never in ("parcel", SECRET, "forge", *signed(tale).values(), "sha256="):
        assert never not in said.replace("application/json", "")


def test_requests_are_counted_by_feed_and_status_and_names_cannot_be_made_up(opened: Opened):
    door = opened()
    door.push(answer("a"))
    door.push(answer("a"), {"content-type": "application/json"})
    for number in range(5):
        door.push(b"{}", path=f"made_up_{number}")
    text = door.read("/metrics").text
    assert 'answerable_hooks_total{feed="chat",status="202"} 1.0' in text
    assert 'answerable_hooks_total{feed="chat",status="401"} 1.0' in text
    assert 'answerable_hooks_total{feed="unknown",status="404"} 5.0' in text
    assert "made_up" not in text


def test_health_says_when_a_thread_has_ended(opened: Opened):
    door = opened()
    assert door.read("/healthz").status_code == 200
    door.receiver.is_well = lambda: False
    assert door.read("/healthz").status_code == 503


def test_what_comes_while_the_disk_is_busy_is_one_transaction(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
):
    door = opened()
    batches: list[int] = []
    put = door.inbox.put
    monkeypatch.setattr(door.inbox, "put", lambda many: batches.append(len(many)) or put(many))

    async def burst() -> list[int]:
        transport = httpx.ASGITransport(door.receiver.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            bodies = [answer(f"{number}") for number in range(200)]
            told = await asyncio.gather(
                *(client.post("/hooks/chat", content=body, headers=signed(body)) for body in bodies)
            )
            return [one.status_code for one in told]

    assert asyncio.run(burst()) == [202] * 200
    assert sum(batches) == 200
    assert len(batches) < 150
    assert door.inbox.counts() == {"accepted": 200}
