"""The hot lane against the clock: a webhook to its 202, what landed to the delivered breach, a burst.

Wall times of one machine; its load is printed beside them. `ANSWERABLE_SERVE_ROUNDS` says how many of each.
"""

import asyncio
import json
import os
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.conftest import Sandbox
from tests.flows.hooks import Serving, answer, build_hooked, post, read, serving, signed, until
from tests.flows.sinks import OK, http_sink
from warehouse.inbox import Inbox
from warehouse.ledger import URL_VARIABLE, Ledger

ROUNDS = int(os.environ.get("ANSWERABLE_SERVE_ROUNDS", "50"))
BURST = 1_000
ALERTS = """
alerts:
  channels: [{id: hook, kind: webhook, url_from: SINK, secret_from: KEY}]
  roles: {default: hook}
  fallback: head_of_sales
  interrupts_per_week: 1000
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where the ledger is."""
    if request.param == "sqlite":
        return {}
    return {URL_VARIABLE: request.getfixturevalue("empty_database")}


def _say(what: str, seconds: list[float], **more: object) -> None:
    times = pl.Series(seconds) * 1000
    told = {
        "n": len(times),
        "p50_ms": round(times.quantile(0.5) or 0, 1),
        "p95_ms": round(times.quantile(0.95) or 0, 1),
        "max_ms": round(times.max() or 0, 1),  # ty: ignore[invalid-argument-type]
        "load": round(os.getloadavg()[0], 1),
        **more,
    }
    sys.stdout.write(f"\n{what}: {json.dumps(told)}\n")


def test_from_a_webhook_to_its_202(
    tmp_path: Path, ledger_url: dict[str, str], benchmark: BenchmarkFixture
) -> None:
    """One at a time on one connection, while nothing runs and while runs follow each other."""

    def measure() -> None:
        sandbox = build_hooked(tmp_path / "workspace")
        with serving(sandbox.root, **ledger_url) as one, httpx.Client() as client:
            until(lambda: one.releases() > 0, "the first release")
            url = f"http://127.0.0.1:{one.port}/hooks/chat"

            def push(ident: str) -> float:
                body = answer(ident)
                began = time.perf_counter()
                assert client.post(url, content=body, headers=signed(body)).status_code == 202
                return time.perf_counter() - began

            busy = [push(f"b{number}") for number in range(4 * ROUNDS) if not time.sleep(0.02)]
            _say("webhook to 202, runs follow each other", busy)
            until(lambda: "waiting" in read(one.port, "/readyz")[1], "nothing runs")
            quiet = []
            for number in range(ROUNDS + 5):
                ran = one.releases()
                quiet.append(push(f"q{number}"))
                until(lambda ran=ran: one.releases() > ran, "its release")
            _say("webhook to 202, nothing runs", quiet[5:])

    benchmark.pedantic(measure, rounds=1)


def test_a_burst(tmp_path: Path, ledger_url: dict[str, str], benchmark: BenchmarkFixture) -> None:
    """A thousand at once; when the last of them is in a release."""

    def measure() -> None:
        sandbox = build_hooked(tmp_path / "workspace")
        with serving(sandbox.root, **ledger_url) as one:
            until(lambda: one.releases() > 0, "the first release")
            answered, began = asyncio.run(_burst(one.port))
            inbox = Inbox(Ledger(sandbox.root / "warehouse", ledger_url.get(URL_VARIABLE)))
            until(lambda: inbox.counts() == {"landed": BURST}, "all of it in files")
            until(
                lambda: (
                    json.loads(httpx.get(f"http://127.0.0.1:{one.port}/readyz").text)["doing"] == "waiting"
                ),
                "done",
            )
        published = time.time() - began  # noqa: TID251 - a stopwatch
        _say(f"burst of {BURST}: to the 202", answered)
        landed = _processed(inbox)
        _say(f"burst of {BURST}: received to in its file", landed, all_published_s=round(published, 2))
        events = sum(path.read_text().count("\n") for path in (sandbox.root / "inbox/chat").glob("*"))
        assert events == BURST

    benchmark.pedantic(measure, rounds=1)


async def _burst(port: int) -> tuple[list[float], float]:
    """A thousand as fast as a hundred connections take them; each sender has the next one ready."""
    began = time.time()  # noqa: TID251 - a stopwatch
    numbers = iter(range(BURST))
    answered: list[float] = []

    async def push_all() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            body = answer(f"n{number}")
            head = "".join(f"{name}: {value}\r\n" for name, value in signed(body).items())
            sent = time.perf_counter()
            writer.write(
                f"POST /hooks/chat HTTP/1.1\r\nhost: here\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode()
                + body
            )
            said = await reader.readuntil(b"\r\n\r\n")
            assert said.startswith(b"HTTP/1.1 202"), said
            await reader.readexactly(int(said.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
            answered.append(time.perf_counter() - sent)
        writer.close()

    await asyncio.gather(*(push_all() for _ in range(100)))
    return answered, began


def _processed(inbox: Inbox) -> list[float]:
    from sqlalchemy import select

    from warehouse.ledger import InboxRow

    with inbox.ledger.reading() as session:
        rows = session.execute(select(InboxRow.received_at, InboxRow.processed_at))
        return [(processed - received).total_seconds() for received, processed in rows if processed]


@pytest.fixture
def alerting(tmp_path: Path) -> Sandbox:
    """A small workspace on the Monday after six weeks."""
    sandbox = build_hooked(tmp_path / "workspace")
    sandbox.write("answerable.yaml", (sandbox.root / "answerable.yaml").read_text() + ALERTS)
    return sandbox


def test_from_landed_to_the_delivered_breach(
    alerting: Sandbox, ledger_url: dict[str, str], benchmark: BenchmarkFixture
) -> None:
    """A webhook with a bad week, again and again on a fresh touchpoint, until the message is at its receiver."""

    def measure() -> None:
        touchpoints = [f"t{number}" for number in range(ROUNDS)]
        _touchpoints(alerting, touchpoints)
        rows = _healthy(touchpoints)
        alerting.answers(*rows)
        with http_sink(OK) as sink:
            environment = {**ledger_url, "SINK": sink.url, "KEY": "a secret of the receiver"}
            with serving(alerting.root, **environment) as one:
                until(lambda: one.releases() > 0, "the first release")
                seconds = [_breached(one, name, sink.taken) for name in touchpoints]
                runs = one.log.count("serve release")
        _say("202 to the delivered breach", seconds, runs=runs)

    benchmark.pedantic(measure, rounds=1)


def _touchpoints(sandbox: Sandbox, names: list[str]) -> None:
    text = (sandbox.root / "map/map.yaml").read_text()
    goal = "[{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]"
    more = "".join(
        f"  - {{id: {name}, name: {name}, stage: engage, accountable: head_of_sales, metrics: csat, goals: {goal}}}\n"
        for name in names
    )
    rules = "".join(f"  - {{id: r_{name}, touchpoint: {name}, where: {{about: {name}}}}}\n" for name in names)
    text = text.replace("rules:\n", f"{more}rules:\n{rules}")
    sandbox.write("map/map.yaml", text)


def _healthy(names: list[str]) -> list[str]:
    """Three good weeks and one that is bad, so that a second bad one is enough."""
    rows = []
    for week, share in ((0, 1.0), (1, 1.0), (2, 1.0)):
        for name in names:
            for number in range(20):
                day = _day(1 - 7 * week + number % 7)
                rows.append(
                    f"{name}-{week}-{number},,{day} 10:00:00,web,{name},{5 if number < share * 20 else 1}"
                )
    return rows


def _day(number: int) -> str:
    """A day of February 2026, or of March."""
    return str(date(2026, 2, 1) + timedelta(days=number - 1))


def _breached(one: Serving, name: str, taken: list[bytes]) -> float:
    """Push a very bad week; seconds until the message about it is there."""
    body = b"\n".join(answer(f"{name}-bad-{n}", 1, name, _day(16 + n % 14)) for n in range(120))
    headers = {**signed(body), "content-type": "application/x-ndjson"}
    assert post(one.port, body, headers) == 202
    began = time.perf_counter()
    needle = f'"scope": "{name}"'.encode()
    until(
        lambda: any(needle in letter for letter in list(taken)),
        f"a letter about {name}\n{one.log[-2000:]}",
        every=0.005,
    )
    return time.perf_counter() - began
