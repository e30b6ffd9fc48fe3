"""One-click links: what they ask for, signed, so that a message can be answered from a phone.

A link is `<base>/a/<token>`; the token is the request as JSON and an HMAC-SHA256 of it, both in URL-safe
base 64. It is good until it expires; who follows it twice asks for the same thing twice.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

Action = Literal["ack", "dispute", "silence"]
SECRET_MIN = 16
"""Shortest key that links may be signed with, in bytes."""

_TOKEN_MAX = 1024


@dataclass(frozen=True, slots=True)
class Link:
    """What a link asks for.

    Attributes:
        action: ack, dispute or silence.
        alert: The alert's id.
        person: Who it was sent to; whoever has the link acts as them.
        expires_at: First instant at which it is no longer good.
    """

    action: Action
    alert: str
    person: str
    expires_at: datetime


class LinkRefusedError(ValueError):
    """A link that is not followed.

    Attributes:
        reason: forged (its signature is not ours, or it cannot be read) or expired.
    """

    def __init__(self, reason: Literal["forged", "expired"]) -> None:
        super().__init__(f"the link is {reason}")
        self.reason = reason


def sign(link: Link, secret: bytes) -> str:
    """The token of a link.

    Raises:
        ValueError: The key is too short to be one.
    """
    if len(secret) < SECRET_MIN:
        message = f"the key of the links has fewer than {SECRET_MIN} bytes"
        raise ValueError(message)
    said = [link.action, link.alert, link.person, int(link.expires_at.timestamp())]
    body = json.dumps(said, separators=(",", ":")).encode()
    return f"{_encoded(body)}.{_encoded(_mac(body, secret))}"


def verify(token: str, secret: bytes, now: datetime) -> Link:
    """What a token asks for.

    The signature is compared in constant time, and before anything of the token is read.

    Raises:
        LinkRefusedError: It is forged or expired.
    """
    body_text, dot, mac_text = token.partition(".")
    body, mac = _decoded(body_text), _decoded(mac_text)
    if len(token) > _TOKEN_MAX or not dot or body is None or mac is None:
        raise LinkRefusedError("forged")
    if len(secret) < SECRET_MIN or not hmac.compare_digest(mac, _mac(body, secret)):
        raise LinkRefusedError("forged")
    action, alert, person, expires = json.loads(body)
    if action not in get_args(Action):
        raise LinkRefusedError("forged")
    link = Link(action, alert, person, datetime.fromtimestamp(expires, UTC))
    if now >= link.expires_at:
        raise LinkRefusedError("expired")
    return link


def _mac(body: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, b"answerable link 1\n" + body, hashlib.sha256)


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes | None:
    """Only what `_encoded` writes: one token has one spelling."""
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return content if _encoded(content) == text else None
