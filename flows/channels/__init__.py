"""Channels: one module per way to reach people. The `kind` that a channel's settings name is the module's name.

A module offers:

    NEEDS      names of the settings that it cannot do without
    DEDUPES    whether the other side knows a repeated letter as the same one
    send(outgoing, channel, environment) -> Outcome       one attempt, bounded in time

`Outcome` says whether a retry can help, when, and whether the letter may have arrived all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Literal, Protocol, cast

from contracts.alert_settings import Channel
from contracts.alerts import Letter
from views.alert_message import Rendered

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Outgoing:
    """A letter on its way.

    Attributes:
        id: Its idempotency key, the same at every attempt.
        letter: What it says, to whom.
        rendered: The same as text, Markdown and HTML.
        company: The workspace's name.
        address: The person's address on this channel; None when none is known.
        decided_at: The workspace's instant of the decision.
        root: The workspace's folder.
        links: One-click links by action, by alert.
        attempt_at: The real instant of this attempt.
    """

    id: str
    letter: Letter
    rendered: Rendered
    company: str
    address: str | None
    decided_at: datetime
    root: Path
    links: Mapping[str, Mapping[str, str]]
    attempt_at: datetime

    def as_dict(self) -> dict[str, Any]:
        """The letter as JSON: what machines get."""
        return {
            "id": self.id,
            "company": self.company,
            "kind": self.letter.kind,
            "person": self.letter.person,
            "role": self.letter.role,
            "decided_at": self.decided_at.isoformat(),
            "subject": self.rendered.subject,
            "text": self.rendered.text,
            "alerts": [
                {**message, "links": dict(self.links.get(message["alert"], {}))}
                for message in self.letter.messages
            ],
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended.

    Attributes:
        state: sent; again, when a retry can help; refused, when none can.
        said: The receipt, or what went wrong, without anything secret.
        after_seconds: How long the other side asks to wait.
        is_unsure: Whether it may have arrived although no answer came.
    """

    state: Literal["sent", "again", "refused"]
    said: str = ""
    after_seconds: float | None = None
    is_unsure: bool = False


class ChannelKind(Protocol):
    """What every module in this folder offers."""

    NEEDS: frozenset[str]
    DEDUPES: bool

    def send(self, outgoing: Outgoing, channel: Channel, environment: Environment) -> Outcome:
        """One attempt."""
        ...


class Unset(Exception):  # noqa: N818 - caught where it is raised for, and told as an outcome
    """An environment variable that the settings name is not set."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not set in the environment")


def secret(name: str | None, environment: Environment) -> str:
    """What an environment variable holds.

    Raises:
        Unset: It is not set, or empty.
    """
    value = environment.get(name or "", "")
    if not value:
        raise Unset(name or "its variable")
    return value


def names() -> list[str]:
    """Kinds of channel that there are."""
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def load(kind: str) -> ChannelKind:
    """The module of a kind, imported only now."""
    return cast("ChannelKind", import_module(f"{__name__}.{kind}"))
