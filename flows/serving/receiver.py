"""The receiver: what reaches `/hooks/<feed>` is verified, kept, and only then answered with 202.

Neither a body nor a secret nor anything that a stranger sent is ever logged; what a refusal says, everybody may know.
"""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from contracts.errors import StoreError
from contracts.feeds import Feed
from contracts.receiving import Receive
from flows.serving.bodies import Unprocessable, is_known_type, objects
from flows.serving.committer import Committer
from flows.serving.rates import Rates
from flows.serving.signatures import Call, secrets_of, verify
from flows.serving.standing import Standing
from warehouse.inbox import Kept, Pushed

BODY_SECONDS = 10.0
"""How long a request may take to send its body."""

MEMORY_BYTES = 256_000_000
"""Bytes of bodies that are in memory at once; more is refused for a moment."""

_ID_LENGTH = 200
_UNKNOWN = "unknown"
_log = logging.getLogger("answerable.serve")


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """A request that is not taken: the status, and what may be said of why."""

    def __init__(self, status: int, why: str, after_seconds: int | None = None) -> None:
        super().__init__(why)
        self.status, self.why, self.after_seconds = status, why, after_seconds


@dataclass
class Receiver:
    """Answers requests.

    Attributes:
        standing: The workspace, and what is wrong.
        committer: Keeps deliveries.
        environment: Where secrets are.
        is_well: Whether the other threads work.
        clock: The real time, in seconds since 1970.
    """

    standing: Standing
    committer: Committer
    environment: Mapping[str, str]
    is_well: Callable[[], bool] = lambda: True
    clock: Callable[[], float] = time.time  # noqa: TID251 - the one real clock
    rates: Rates = field(default_factory=Rates)
    held_bytes: int = 0

    def app(self) -> Starlette:
        """The web application."""
        return Starlette(
            routes=[
                Route("/hooks/{feed}", self.hook, methods=["POST"]),
                Route("/healthz", self.healthz),
                Route("/readyz", self.readyz),
                Route("/metrics", self.metrics),
            ]
        )

    async def hook(self, request: Request) -> Response:
        """Take a delivery, or say why not."""
        began = time.perf_counter()
        feed = self.standing.hooks.get(request.path_params["feed"])
        try:
            answer = await self._taken(request, feed)
        except Refused as refused:
            headers = {"retry-after": str(refused.after_seconds)} if refused.after_seconds else None
            answer = JSONResponse({"error": refused.why}, refused.status, headers)
            named = feed.name if feed else _UNKNOWN
            _log.warning("hook feed=%s status=%d why=%r", named, refused.status, refused.why)
        self.standing.gauges.hooks.labels(feed.name if feed else _UNKNOWN, str(answer.status_code)).inc()
        self.standing.gauges.hook_seconds.observe(time.perf_counter() - began)
        return answer

    async def healthz(self, _: Request) -> Response:
        """Whether the process works."""
        is_well = self.committer.is_alive and self.is_well()
        return PlainTextResponse("ok\n" if is_well else "a thread has ended\n", 200 if is_well else 503)

    async def readyz(self, _: Request) -> Response:
        """Whether deliveries can be taken, and what is wrong besides."""
        told = self.standing.told
        unset = [
            feed.name
            for feed in self.standing.hooks.values()
            if feed.declared.receive and not secrets_of(feed.declared.receive, self.environment)
        ]
        is_ready = "inbox" not in told.trouble and self.committer.is_alive and not unset
        said = {
            "is_ready": is_ready,
            "doing": told.doing,
            "release": told.release,
            "trouble": dict(told.trouble),
            "hooks": sorted(self.standing.hooks),
            "hooks_without_secret": unset,
        }
        return JSONResponse(said, 200 if is_ready else 503)

    async def metrics(self, _: Request) -> Response:
        """Counts and times as Prometheus reads them."""
        text = self.standing.gauges.text()
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _taken(self, request: Request, feed: Feed | None) -> Response:
        if feed is None or feed.declared.receive is None:
            raise Refused(404, "no such hook")
        receive = feed.declared.receive
        secrets = secrets_of(receive, self.environment)
        if not secrets:
            raise Refused(503, "this hook has no secret yet", 60)
        self._check_type(request)
        self._check_length(request, receive)
        held = _Held(self)
        try:
            body = await self._read(request, receive, held)
            self._verify(receive, secrets, request, body)
            if wait := self.rates.wait(feed.name, receive.per_minute, time.monotonic()):
                raise Refused(429, "too many deliveries", wait)
            return await self._keep(request, feed.name, receive, body)
        finally:
            held.release()

    def _check_type(self, request: Request) -> None:
        if request.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
            raise Refused(415, "the body is packed: send it as it is")
        if not is_known_type(request.headers.get("content-type", "")):
            raise Refused(415, "send application/json or application/x-ndjson, in UTF-8")

    def _check_length(self, request: Request, receive: Receive) -> None:
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > receive.limit_bytes:
            raise Refused(413, f"the body is bigger than {receive.limit_bytes} bytes")

    async def _read(self, request: Request, receive: Receive, held: "_Held") -> bytes:
        chunks, size = list[bytes](), 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > receive.limit_bytes:
                        raise Refused(413, f"the body is bigger than {receive.limit_bytes} bytes")
                    held.take(len(chunk))
                    chunks.append(chunk)
        except TimeoutError:
            raise Refused(408, "the body did not come in time") from None
        except ClientDisconnect:
            raise Refused(400, "the sender has gone") from None
        return b"".join(chunks)

    def _verify(self, receive: Receive, secrets: list[str], request: Request, body: bytes) -> None:
        call = Call(_headers(request), body, request.method, receive.url or "")
        verdict = verify(receive, secrets, call, self.clock())
        if verdict == "forged":
            raise Refused(401, "the signature is missing or wrong")
        if verdict == "stale":
            raise Refused(403, "it was sent too long ago, or by a clock that is wrong")

    async def _keep(self, request: Request, feed: str, receive: Receive, body: bytes) -> Response:
        content_type = request.headers.get("content-type", "")
        try:
            found = objects(body, content_type)
        except Unprocessable as error:
            raise Refused(422, str(error)) from None
        if (challenge := _challenge(receive, found)) is not None:
            return PlainTextResponse(challenge)
        names = {"content-type", *(name.lower() for name in receive.headers)}
        sha256 = hashlib.sha256(body).hexdigest()
        delivery = Pushed(
            feed=feed,
            delivery_id=_delivery_id(request, receive, found, sha256),
            received_at=datetime.fromtimestamp(self.clock(), UTC),
            sha256=sha256,
            body=body,
            headers={name: request.headers[name] for name in sorted(names) if name in request.headers},
        )
        return _said(await self._put(delivery), delivery)

    async def _put(self, delivery: Pushed) -> Kept:
        try:
            kept = await self.committer.put(delivery)
        except StoreError as error:
            if self.standing.is_wrong("inbox", str(error)):
                _log.error("deliveries cannot be kept: %s", error)
            raise Refused(503, "it cannot be kept now", 5) from None
        self.standing.is_wrong("inbox", None)
        return kept


class _Held:
    """The bytes of one request that are in memory."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver, self._count = receiver, 0

    def take(self, count: int) -> None:
        self._receiver.held_bytes += count
        self._count += count
        if self._receiver.held_bytes > MEMORY_BYTES:
            raise Refused(503, "too much is being sent at once", 1)

    def release(self) -> None:
        self._receiver.held_bytes -= self._count


def _headers(request: Request) -> dict[str, str]:
    """Headers by lower-case name; one that comes twice is none that can be believed."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _challenge(receive: Receive, found: list[bytes]) -> str | None:
    """The text to answer when a vendor asks whether we are there."""
    if receive.rules.challenge is None or len(found) != 1:
        return None
    asked = orjson.loads(found[0])
    said = asked.get(receive.rules.challenge) if asked.get("type") == "url_verification" else None
    return said if isinstance(said, str) else None


def _delivery_id(request: Request, receive: Receive, found: list[bytes], sha256: str) -> str:
    """Which delivery it is: as its sender says where that can be believed, else its content."""
    named, written = receive.delivery_id, ""
    header = named.header if named else receive.rules.id
    if header is not None:
        written = request.headers.get(header, "")
    elif named is not None and named.body is not None:
        written = _at(_as_written(found[0]), named.body) if len(found) == 1 else ""
        if not written:
            raise Refused(422, f"the body has no {named.body!r}, which says which delivery it is")
    if not written:
        return f"sha256:{sha256}"
    fits = len(written) <= _ID_LENGTH and written.isprintable() and not written.startswith("sha256:")
    return written if fits else f"sha256:{hashlib.sha256(written.encode('utf-8', 'replace')).hexdigest()}"


def _as_written(body: bytes) -> object:
    """An object whose numbers are texts: to a float two long ids would be one."""
    try:
        return json.loads(body, parse_int=str, parse_float=str)
    except RecursionError:
        raise Refused(422, "the body is nested too deeply") from None


def _at(value: object, path: str) -> str:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, bool) else ""


def _said(kept: Kept, delivery: Pushed) -> Response:
    if kept == "other":
        raise Refused(409, "another delivery had this id")
    _log.debug("hook feed=%s state=%s bytes=%d", delivery.feed, kept, len(delivery.body))
    said = {"state": kept, "delivery_id": delivery.delivery_id}
    return JSONResponse(said, 202 if kept == "accepted" else 200)
