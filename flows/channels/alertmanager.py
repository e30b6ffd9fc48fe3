"""Prometheus Alertmanager, API v2. Labels are the alert's identity, so the owner is an annotation.

A firing alert is said to last until it is resolved, at most 60 days: Alertmanager forgets what nobody
repeats, and we say everything once.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from contracts.alert_settings import Channel
from flows.channels import Environment, Outcome, Outgoing
from flows.channels._http import post

NEEDS = frozenset({"url"})
DEDUPES = True

_LASTS = timedelta(days=60)
_SKEW = timedelta(minutes=1)
"""An end that lies in the future by Alertmanager's clock would be taken for a firing alert."""


def send(outgoing: Outgoing, channel: Channel, environment: Environment) -> Outcome:  # noqa: ARG001
    """Post every alert. A retry helps unless Alertmanager refuses what it is told."""
    body = json.dumps(alerts(outgoing)).encode()
    url = f"{(channel.url or '').rstrip('/')}/api/v2/alerts"
    headers = {"content-type": "application/json"}
    return post(url, body, headers, channel.timeout_seconds, outgoing.attempt_at)


def alerts(outgoing: Outgoing) -> list[dict[str, Any]]:
    """The alerts of a letter as Alertmanager takes them."""
    return [_alert(outgoing, message) for message in outgoing.letter.messages]


def _alert(outgoing: Outgoing, message: Mapping[str, Any]) -> dict[str, Any]:
    is_over = message["kind"] == "resolved"
    ends = outgoing.attempt_at - _SKEW if is_over else outgoing.attempt_at + _LASTS
    starts = min(datetime.fromisoformat(message["at"]), outgoing.attempt_at - 2 * _SKEW)
    return {
        "labels": {
            "alertname": "AnswerableFeedLate" if message["scope_type"] == "feed" else "AnswerableGoalMissed",
            "alert": message["alert"],
            "company": outgoing.company,
            message["scope_type"]: message["scope"],
            "metric": message["metric"],
        },
        "annotations": {
            "summary": outgoing.rendered.subject,
            "description": outgoing.rendered.text,
            "accountable": message["person_name"] or "nobody",
            "map_version": message["map_version"],
        },
        "startsAt": starts.isoformat(),
        "endsAt": ends.isoformat(),
    }
