"""Signals: what the product tells an orchestrator, so that something may begin. Words, not behaviour.

A *signal* is a wake-up and never the only copy of a fact: whoever is woken looks at the tables and the
ledger. It is written to the ledger together with the fact it tells of, under an id of its own, and
emitted from there as a Prefect event of that id.
"""

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

PREFIX = "answerable"
_NAMESPACE = uuid.UUID("6c1f7c1e-3f0e-5d0c-9a51-0d6a3a2f9b11")


@dataclass(frozen=True, slots=True)
class Kind:
    """One word of the vocabulary.

    Attributes:
        name: `answerable.<noun>.<past participle>`.
        resource: What its resource id is made of, after `answerable.<noun>.<workspace>`.
        about: When it is told.
        labels: Labels of its resource besides `answerable.workspace`, by name.
        payload: What its payload holds.
        related: Roles of related resources: owner is a person, the others are touchpoints and feeds.
    """

    name: str
    resource: str
    about: str
    labels: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, str] = field(default_factory=dict)
    related: tuple[str, ...] = ()


_METRIC = {"answerable.metric": "the metric", "answerable.goal": "first day of its goal, or `always`"}
_ALERT = {
    "alert": "id of the alert",
    "reason": "why, by its name",
    "value": "value over four weeks",
    "goal": "level it is held against",
    "n": "answers behind it",
}

KINDS: tuple[Kind, ...] = (
    Kind(
        "answerable.feed.landed",
        "feed.<workspace>.<feed>",
        "A run has read deliveries of the feed, and its release is published.",
        payload={"deliveries": "how many", "rows_accepted": "rows that kept the contract", "run": "the run"},
        related=("owner",),
    ),
    Kind(
        "answerable.contract.broken",
        "feed.<workspace>.<feed>",
        "A delivery was held, or rows of it went to quarantine.",
        labels={"answerable.contract": "the contract, `id@version`"},
        payload={
            "source": "the file",
            "state": "accepted or held",
            "rows_quarantined": "rows in quarantine",
            "run": "the run",
        },
        related=("owner",),
    ),
    Kind(
        "answerable.feed.overdue",
        "feed.<workspace>.<feed>",
        "The feed is later than its contract allows; its owner is told.",
        payload={
            "alert": "id of the alert",
            "age_hours": "age of its newest event",
            "age_max_hours": "what is allowed",
        },
        related=("owner",),
    ),
    Kind(
        "answerable.feed.recovered",
        "feed.<workspace>.<feed>",
        "A feed that was overdue delivers again.",
        payload={"alert": "id of the alert"},
        related=("owner",),
    ),
    Kind(
        "answerable.scorecard.published",
        "scorecard.<workspace>",
        "A release was published.",
        labels={"answerable.map_version": "version of the map"},
        payload={"release": "its number", "run": "the run", "changed": "tables whose bytes are new"},
    ),
    Kind(
        "answerable.metric.breached",
        "touchpoint.<workspace>.<touchpoint>",
        "A goal is missed on evidence: an alert fires.",
        labels=_METRIC,
        payload=_ALERT,
        related=("owner",),
    ),
    Kind(
        "answerable.metric.recovered",
        "touchpoint.<workspace>.<touchpoint>",
        "A metric has been back at its goal for long enough, or its goal has ended: the alert has ended.",
        labels=_METRIC,
        payload=_ALERT,
        related=("owner",),
    ),
    Kind(
        "answerable.alert.acknowledged",
        "touchpoint.<workspace>.<touchpoint>",
        "Somebody has acknowledged an alert, or disputes its evidence: it no longer climbs.",
        labels=_METRIC,
        payload={"alert": "id of the alert", "by": "who"},
        related=("owner",),
    ),
    Kind(
        "answerable.alert.escalated",
        "touchpoint.<workspace>.<touchpoint>",
        "Nobody acknowledged an alert in time: it has climbed.",
        labels=_METRIC,
        payload=_ALERT,
        related=("owner",),
    ),
    Kind(
        "answerable.gap.opened",
        "gap.<workspace>.<rule>.<object>",
        "A finding of the audit stands that did not in the release before.",
        labels={"answerable.rule": "rule of the audit", "answerable.severity": "how bad it is"},
        payload={"sentence": "what is wrong", "customers": "customers at stake", "release": "the release"},
    ),
    Kind(
        "answerable.gap.closed",
        "gap.<workspace>.<rule>.<object>",
        "A finding of the release before no longer stands.",
        labels={"answerable.rule": "rule of the audit", "answerable.severity": "how bad it was"},
        payload={"sentence": "what was wrong", "release": "the release"},
    ),
    Kind(
        "answerable.run.failed",
        "run.<workspace>",
        "A run ended with an error; the last release stands.",
        payload={"run": "the run", "error": "its first line"},
    ),
    Kind(
        "answerable.run.abandoned",
        "run.<workspace>",
        "A run crashed as often as it may: it is not begun again by itself.",
        payload={"attempts": "how often", "flow_run": "the last flow run of Prefect's"},
    ),
)
"""The whole vocabulary, in the order of a record's life."""

BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One thing that has happened, as it is told.

    Attributes:
        name: One of the vocabulary.
        workspace: Slug of the workspace.
        subject: What is behind the workspace in the resource id; may be empty.
        occurred_at: The real instant it happened.
        key: What makes it this one: the same fact told twice is one signal.
        title: A name for people.
        labels: Labels of its resource.
        payload: What else is told.
        owner: Person who answers for it.
    """

    name: str
    workspace: str
    occurred_at: datetime
    subject: str = ""
    key: str = ""
    title: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)
    owner: str | None = None

    @property
    def id(self) -> str:
        """Its id, the same whenever the same fact is told."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.name}|{self.resource}|{self.key}"))

    @property
    def resource(self) -> str:
        """Its resource id."""
        noun = BY_NAME[self.name].resource.partition(".")[0]
        return ".".join(part for part in (PREFIX, noun, self.workspace, self.subject) if part)

    def event(self) -> dict[str, Any]:
        """The Prefect event that tells of it, as JSON holds it."""
        related = [
            {
                "prefect.resource.id": f"{PREFIX}.workspace.{self.workspace}",
                "prefect.resource.role": "workspace",
            }
        ]
        if self.owner:
            person = f"{PREFIX}.person.{self.workspace}.{self.owner}"
            related.append({"prefect.resource.id": person, "prefect.resource.role": "owner"})
        return {
            "id": self.id,
            "event": self.name,
            "occurred": self.occurred_at.isoformat(),
            "resource": {
                "prefect.resource.id": self.resource,
                "prefect.resource.name": self.title or self.subject or self.workspace,
                "answerable.workspace": self.workspace,
                **self.labels,
            },
            "related": related,
            "payload": dict(self.payload),
        }


def slug(name: str) -> str:
    """A workspace's name as its resource ids have it: small letters, digits and dashes."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return plain[:48] or hashlib.sha256(name.encode()).hexdigest()[:12]


def page() -> str:
    """The vocabulary as a page."""
    lines = [
        "# Events",
        "",
        "What Answerable tells Prefect, as events. Each is a wake-up: the fact itself stands in a published table",
        "or in the ledger, and whoever is woken looks there. Events are written to the ledger in the transaction",
        "of the fact, and emitted from there under the row's id: emitted twice they are one event. An event that is",
        "older than a day when Prefect can be reached wakes nobody and is dropped. Without `PREFECT_API_URL`",
        "none is emitted.",
        "",
        "Every resource carries the label `answerable.workspace`, every event the related resource",
        "`answerable.workspace.<workspace>` (role `workspace`) and, where somebody answers, their",
        "`answerable.person.<workspace>.<person>` (role `owner`). `<workspace>` is the workspace's name in small",
        "letters, digits and dashes.",
        "",
    ]
    for kind in KINDS:
        lines += [f"## {kind.name}", "", kind.about, "", f"Resource: `{PREFIX}.{kind.resource}`", ""]
        for title, told in (("Labels", kind.labels), ("Payload", kind.payload)):
            if told:
                lines += [f"{title}:", "", *(f"- `{name}`: {about}" for name, about in told.items()), ""]
    return "\n".join(lines)
