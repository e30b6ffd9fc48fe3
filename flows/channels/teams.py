"""Microsoft Teams, through a Workflows webhook. It has no idempotency key: what is repeated is shown twice."""

import json
from dataclasses import replace

from contracts.alert_settings import Channel
from flows.channels import Environment, Outcome, Outgoing, secret
from flows.channels._http import post

NEEDS = frozenset({"url_from"})
DEDUPES = False

_SIGNS_MAX = 20_000
"""Teams takes 28 KB a message."""


def send(outgoing: Outgoing, channel: Channel, environment: Environment) -> Outcome:
    """Post it. A retry helps when Teams asks to wait or fails, which it also says in an answer of 200."""
    url = secret(channel.url_from, environment)
    body = json.dumps(message(outgoing)).encode()
    headers = {"content-type": "application/json"}
    outcome = post(url, body, headers, channel.timeout_seconds, outgoing.attempt_at)
    if outcome.state == "sent" and "delivery failed with error" in outcome.said:
        return replace(outcome, state="again")
    return outcome


def message(outgoing: Outgoing) -> dict[str, object]:
    """The message as an adaptive card: a block of text for each line."""
    lines = [line for line in outgoing.rendered.text[:_SIGNS_MAX].splitlines() if line]
    blocks = [
        {"type": "TextBlock", "text": line, "wrap": True, "weight": "Bolder" if not place else "Default"}
        for place, line in enumerate(lines)
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}
