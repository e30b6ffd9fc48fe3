"""Slack, through an incoming webhook. It has no idempotency key: what is repeated is shown twice."""

import json

from contracts.alert_settings import Channel
from flows.channels import Environment, Outcome, Outgoing, secret
from flows.channels._http import post

NEEDS = frozenset({"url_from"})
DEDUPES = False

_SECTION_MAX, _BLOCKS_MAX = 2900, 45
"""Slack takes 3,000 signs a section and 50 blocks a message."""


def send(outgoing: Outgoing, channel: Channel, environment: Environment) -> Outcome:
    """Post it. A retry helps when Slack asks to wait or fails; a revoked webhook refuses for good."""
    url = secret(channel.url_from, environment)
    body = json.dumps(message(outgoing)).encode()
    headers = {"content-type": "application/json"}
    return post(url, body, headers, channel.timeout_seconds, outgoing.attempt_at)


def message(outgoing: Outgoing) -> dict[str, object]:
    """The message as Slack takes it: a section for each alert, the person mentioned when their id is known."""
    mention = f"<@{outgoing.address}> " if outgoing.address else ""
    blocks = outgoing.rendered.text.strip().split("\n\n")
    shown = [_escaped(block)[:_SECTION_MAX] for block in blocks[:_BLOCKS_MAX]]
    shown[0] = mention + shown[0]
    return {
        "text": mention + _escaped(outgoing.rendered.subject),
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in shown],
    }


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
