"""Whether a request was made by somebody who knows the secret, and lately.

Every comparison takes the same time whatever differs, and a stale request is only called so when it is signed:
whoever does not know the secret learns nothing.
"""

import base64
import hashlib
import hmac
import math
import re
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from contracts.receiving import PART, SECRET_MIN, Receive, Scheme

Verdict = Literal["authentic", "forged", "stale"]

_WHOLE = re.compile(r"[0-9]{1,14}")
_MILLISECONDS_FROM = 1e11
"""More seconds than that are after the year 5000: they are milliseconds."""


@dataclass(frozen=True)
class Call:
    """What a signature may be made of.

    Attributes:
        headers: Headers by lower-case name.
        body: The body as it came.
        method: The request's method.
        url: Its address as the sender knows it.
    """

    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    method: str = "POST"
    url: str = ""


def verify(receive: Receive, secrets: Sequence[str], call: Call, now: float) -> Verdict:
    """Judge a request.

    Args:
        receive: What the feed asks for.
        secrets: The secret, and the one before it while it is being changed.
        call: The request.
        now: Seconds since 1970.
    """
    rules = receive.rules
    given = call.headers.get(rules.header.lower(), "")
    if rules.proof == "token":
        wanted = [rules.prefix + secret for secret in secrets]
        return "authentic" if _any_equal([given], wanted) else "forged"
    sent, signatures = _parts(rules, given, call)
    signed = _signed(rules, sent, call)
    wanted = [rules.prefix + _signature(rules, secret, signed) for secret in secrets]
    if not _any_equal(signatures, wanted):
        return "forged"
    if rules.is_dated and not abs(now - _seconds(sent)) <= receive.window_seconds:
        return "stale"
    return "authentic"


def secrets_of(receive: Receive, environment: Mapping[str, str]) -> list[str]:
    """The secrets that are set, and long enough to be some."""
    names = [receive.secret_from, receive.previous_secret_from]
    found = [environment.get(name or "", "") for name in names]
    return [secret for secret in found if len(secret) >= SECRET_MIN]


def _parts(rules: Scheme, given: str, call: Call) -> tuple[str, list[str]]:
    """When it was sent, as it says, and the signatures that it has."""
    sent = call.headers.get((rules.timestamp or "").lower(), "")
    if rules.layout == "one":
        return sent, [given]
    if rules.layout == "list":
        return sent, given.split()
    pairs = [pair.strip().partition("=") for pair in given.split(",")]
    instants = [value for key, _, value in pairs if key == "t"]
    return instants[0] if len(instants) == 1 else "", [value for key, _, value in pairs if key == "v1"]


def _signed(rules: Scheme, sent: str, call: Call) -> bytes:
    values = {
        "timestamp": sent.encode("latin-1", "replace"),
        "id": call.headers.get((rules.id or "").lower(), "").encode("latin-1", "replace"),
        "method": call.method.encode(),
        "url": call.url.encode(),
        "body": call.body,
    }
    texts = PART.split(rules.signs)
    return b"".join(values[text] if place % 2 else text.encode() for place, text in enumerate(texts))


def _signature(rules: Scheme, secret: str, signed: bytes) -> str:
    made = hmac.new(_key(rules, secret), signed, getattr(hashlib, rules.algorithm)).digest()
    return made.hex() if rules.encoding == "hex" else base64.b64encode(made).decode()


def _key(rules: Scheme, secret: str) -> bytes:
    if rules.secret_prefix is None or not secret.startswith(rules.secret_prefix):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(rules.secret_prefix), validate=True)
    except (Base64Error, ValueError):
        return secret.encode()


def _any_equal(given: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether one of each is the same; all are compared, so that time tells nothing."""
    pairs = [(g.encode("utf-8", "replace"), w.encode()) for g in given for w in wanted]
    return any([hmac.compare_digest(g, w) for g, w in pairs])  # noqa: C419 - all of them, not the first


def _seconds(sent: str) -> float:
    """An instant in seconds since 1970: written so, in milliseconds, or as ISO 8601; not a number when it is none."""
    if _WHOLE.fullmatch(sent):
        number = float(sent)
        return number / 1000 if number > _MILLISECONDS_FROM else number
    try:
        moment = datetime.fromisoformat(sent)
        return moment.timestamp() if moment.tzinfo else math.nan
    except (ValueError, OverflowError):
        return math.nan
