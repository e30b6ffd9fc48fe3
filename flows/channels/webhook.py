"""Any address that takes JSON, signed as Standard Webhooks 1.0.0 says.

`webhook-id` is the letter's idempotency key: a receiver that keeps to the standard knows a repeated one.
The signature is over `id.timestamp.body`, HMAC-SHA256, base 64, with the key from `secret_from`.
"""

import hashlib
import hmac
import json
from base64 import b64encode

from contracts.alert_settings import Channel
from flows.channels import Environment, Outcome, Outgoing, secret
from flows.channels._http import post

NEEDS = frozenset({"url_from", "secret_from"})
DEDUPES = True


def send(outgoing: Outgoing, channel: Channel, environment: Environment) -> Outcome:
    """Post it. A retry helps unless the receiver refuses it."""
    url = secret(channel.url_from, environment)
    key = secret(channel.secret_from, environment).encode()
    body = json.dumps(outgoing.as_dict(), ensure_ascii=False).encode()
    stamp = str(int(outgoing.attempt_at.timestamp()))
    headers = {
        "content-type": "application/json",
        "webhook-id": outgoing.id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature(key, outgoing.id, stamp, body)}",
    }
    return post(url, body, headers, channel.timeout_seconds, outgoing.attempt_at)


def signature(key: bytes, id_: str, stamp: str, body: bytes) -> str:
    """The signature of a body, as the header has it after `v1,`."""
    signed = f"{id_}.{stamp}.".encode() + body
    return b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
