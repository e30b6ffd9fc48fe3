"""The `alerts:` section of `answerable.yaml`: when an alert fires, who is told, and through what."""

from datetime import time
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.accountability import Id, Names
from contracts.alerts import Role
from contracts.documents import Day, Declaration, Moment, from_text

Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=80)]
"""Name of an environment variable. What is secret stands there, never in a file."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _below(path: str) -> str:
    if not path or path.startswith(("/", "~")) or ".." in path.split("/"):
        message = "Write a path below the workspace, like 'warehouse/alerts.jsonl'."
        raise ValueError(message)
    return path


def read_hour(value: object) -> time:
    """A time of day as people write it.

    Raises:
        ValueError: It is none, or it has an offset. Without quotes YAML takes 22:00 for the number 1320.
    """
    remedy = 'Write a local time like "09:00", in quotes.'
    hour = value if isinstance(value, time) else from_text(value, time.fromisoformat, remedy)
    if hour.tzinfo is None:
        return hour
    raise ValueError(remedy)


Hour = Annotated[time, BeforeValidator(read_hour)]
"""A time of day, local to the workspace."""


class Channel(Declaration):
    """A way to reach people.

    Attributes:
        id: Stable name.
        kind: A module of `flows/channels`: console, file, webhook, slack, teams, smtp, pagerduty,
            alertmanager, or apprise for any service that apprise knows.
        url: Address that is not secret, e.g. of an Alertmanager.
        url_from: Environment variable with an address that is.
        secret_from: Environment variable with the key that requests are signed with, or a routing key.
        path: For `file`: the file, below the workspace.
        host: For `smtp`: the mail server.
        port: For `smtp`: its port.
        security: For `smtp`: starttls, tls from the start, or none.
        sender: For `smtp`: the address that mail comes from.
        user_from: For `smtp`: environment variable with the user's name.
        password_from: For `smtp`: environment variable with the password.
        timeout_seconds: How long one attempt may take.
    """

    id: Id
    kind: Id
    url: str | None = Field(default=None, pattern="^https?://")
    url_from: Variable | None = None
    secret_from: Variable | None = None
    path: Annotated[str, AfterValidator(_below)] | None = None
    host: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str | None = None
    user_from: Variable | None = None
    password_from: Variable | None = None
    timeout_seconds: float = Field(default=10.0, gt=0, le=60)


class Quiet(Declaration):
    """Hours in which nothing is sent; what is decided then goes out when they end."""

    begins: Hour = Field(alias="from")
    ends: Hour = Field(alias="until")


class PlannedChange(Declaration):
    """A time in which a known change disturbs metrics: nothing new fires, what happens is still shown.

    Attributes:
        touchpoints: Touchpoints it disturbs; every one when empty.
        metrics: Metrics it disturbs; every one when empty.
        why: What changes.
        starts: First moment.
        ends: First moment after.
    """

    touchpoints: Names = ()
    metrics: Names = ()
    why: str = Field(min_length=1)
    starts: Moment = Field(alias="from")
    ends: Moment = Field(alias="until")


class Alerts(Declaration):
    """When an alert fires and ends, who is told, how often, through what.

    Attributes:
        channels: Ways to reach people.
        roles: Ids of the channels by the role somebody is told in; `default` is for every other role.
        recipients_from: Environment variable with people's addresses: JSON like
            `{"dana": {"mail": "dana@example.org"}}`, or the path of a file that holds it.
        link_base: Address that one-click links lead to.
        link_secret_from: Environment variable with the key that they are signed with.
        link_days: How long they are good for.
        fire_after_windows: Weeks in a row that have to be breaches before it fires.
        resolve_after_windows: Weeks in a row whose four weeks have to reach the goal before it resolves.
        escalate_after_business_days: How long it waits to be acknowledged before it climbs.
        interrupts_per_week: Alerts that may interrupt a person a week; the others wait for the digest.
        business_days: Days that count for waiting.
        holidays: Days that do not.
        workday_begins: When a wait that began outside a working day begins.
        quiet_hours: Hours in which nothing is sent.
        planned_changes: Times in which nothing new fires.
        sponsor: Seat at the end of the path.
        fallback: Seat that is told when the map names nobody.
    """

    channels: tuple[Channel, ...] = ()
    roles: dict[Role | Literal["default"], Names] = Field(default_factory=dict)
    recipients_from: Variable | None = None
    link_base: str | None = Field(default=None, pattern="^https?://")
    link_secret_from: Variable | None = None
    link_days: int = Field(default=14, ge=1, le=90)
    fire_after_windows: int = Field(default=1, ge=1, le=12)
    resolve_after_windows: int = Field(default=3, ge=1, le=12)
    escalate_after_business_days: int = Field(default=2, ge=1, le=30)
    interrupts_per_week: int = Field(default=3, ge=0, le=1000)
    business_days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    holidays: tuple[Day, ...] = ()
    workday_begins: Hour = time(9)
    quiet_hours: Quiet | None = None
    planned_changes: tuple[PlannedChange, ...] = ()
    sponsor: str | None = None
    fallback: str | None = None

    @model_validator(mode="after")
    def _some_day(self) -> "Alerts":
        if not self.business_days:
            message = "Name at least one business day, or nothing would ever be due."
            raise ValueError(message)
        return self

    def channels_of(self, role: Role) -> tuple[str, ...]:
        """Ids of the channels that a role is told through."""
        return self.roles.get(role) or self.roles.get("default") or ()
