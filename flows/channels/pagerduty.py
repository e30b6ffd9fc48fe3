"""PagerDuty, Events API v2. The alert's id is its `dedup_key`: what is repeated changes nothing."""

import json
from collections.abc import Mapping
from typing import Any

from contracts.alert_settings import Channel
from flows.channels import Environment, Outcome, Outgoing, secret
from flows.channels._http import post

NEEDS = frozenset({"secret_from"})
DEDUPES = True

_ADDRESS = "https://events.pagerduty.com/v2/enqueue"
_SUMMARY_MAX = 1024
_SEVERITIES = {"breach": "error", "escalated": "critical", "no_data": "warning"}


def send(outgoing: Outgoing, channel: Channel, environment: Environment) -> Outcome:
    """Post one event for each alert. A retry helps unless the event or the routing key is refused."""
    key = secret(channel.secret_from, environment)
    outcome = Outcome("sent", "nothing to say")
    for one in events(outgoing):
        body = json.dumps({"routing_key": key, **one}).encode()
        outcome = post(
            channel.url or _ADDRESS,
            body,
            {"content-type": "application/json"},
            channel.timeout_seconds / len(outgoing.letter.messages),
            outgoing.attempt_at,
        )
        if outcome.state != "sent":
            break
    return outcome


def events(outgoing: Outgoing) -> list[dict[str, Any]]:
    """The events of a letter, without the routing key."""
    return [_event(outgoing, message) for message in outgoing.letter.messages]


def _event(outgoing: Outgoing, message: Mapping[str, Any]) -> dict[str, Any]:
    if message["kind"] == "resolved":
        return {"event_action": "resolve", "dedup_key": message["alert"]}
    links = outgoing.links.get(message["alert"], {})
    return {
        "event_action": "trigger",
        "dedup_key": message["alert"],
        "links": [{"href": address, "text": action} for action, address in links.items()],
        "payload": {
            "summary": outgoing.rendered.subject[:_SUMMARY_MAX]
            if len(outgoing.letter.messages) == 1
            else f"{message['kind']}: {message['scope_name']} {message['metric_name']}"[:_SUMMARY_MAX],
            "source": outgoing.company,
            "severity": _SEVERITIES.get(message["kind"], "info"),
            "timestamp": message["at"],
            "component": message["scope"],
            "group": message["stage_name"] or message["scope_type"],
            "class": message["metric"],
            "custom_details": dict(message),
        },
    }
