"""Alerts: what is decided about a breach, why, and who is told. Words, not behaviour.

An *alert* is what we decided to say about one metric of one scope against one goal; a *notification* is
one sending of it. An alert is known by its `Key`, never by its owner: a change of owner hands it over
and raises nothing anew.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

State = Literal["pending", "firing", "acknowledged", "escalated", "resolved", "no_data"]
"""pending: evidence that waits. no_data: nothing can be told, because data is missing. The rest as it says."""

STATES: tuple[State, ...] = ("pending", "firing", "acknowledged", "escalated", "resolved", "no_data")

Role = Literal["owner", "delegate", "lead", "integrator", "stage", "sponsor", "fallback", "feed_owner"]
"""As what somebody is told: the places of the path that an alert climbs."""

ROLES: tuple[Role, ...] = (
    "owner",
    "delegate",
    "lead",
    "integrator",
    "stage",
    "sponsor",
    "fallback",
    "feed_owner",
)

NoticeKind = Literal["breach", "escalated", "resolved", "no_data", "handed_over"]

Reason = Literal[
    "at_goal",
    "value_reaches_goal",
    "last_week_reaches_goal",
    "bound_reaches_goal",
    "too_little_history",
    "too_many_open",
    "no_goal",
    "data_missing",
    "not_believed",
    "planned_change",
    "waiting_for_windows",
    "did_not_last",
    "breach_on_evidence",
    "silenced",
    "silence_ended",
    "handed_over",
    "waiting_for_acknowledgement",
    "not_acknowledged",
    "nobody_above",
    "acknowledged",
    "still_missed",
    "back_at_goal",
    "goal_ended",
    "data_back",
    "feed_late",
    "delivery_held",
    "feed_on_time",
]
"""Why a decision is what it is. One word a case, so that nothing is decided without a name."""

REASONS: Mapping[Reason, str] = {
    "at_goal": "the four weeks reach the goal",
    "value_reaches_goal": "the four weeks reach the goal again; more of them are waited for",
    "last_week_reaches_goal": "the bound over four weeks misses the goal, but the last week reaches it",
    "bound_reaches_goal": "the value is below the goal, but the bound over four weeks reaches it: could be chance",
    "too_little_history": "there are no four whole weeks yet",
    "too_many_open": "too many cases are open to tell yet whether the goal is missed",
    "no_goal": "no goal is in force",
    "data_missing": "data of the last week is missing: nothing fires and nothing resolves",
    "not_believed": "the goal is missed, but the four weeks cannot be believed: nobody is named for them",
    "planned_change": "a planned change is under way",
    "waiting_for_windows": "more weeks of evidence are asked for before it fires",
    "did_not_last": "the evidence went away before it fired",
    "breach_on_evidence": "the bound over four weeks misses the goal, and so does the last week",
    "silenced": "it is silenced: counted, and nobody is told",
    "silence_ended": "its silence has ended and it still stands",
    "handed_over": "somebody else answers now",
    "waiting_for_acknowledgement": "it waits to be acknowledged",
    "not_acknowledged": "nobody acknowledged it in time",
    "nobody_above": "nobody acknowledged it in time, and the map names nobody further up",
    "acknowledged": "somebody has acknowledged it",
    "still_missed": "the goal is still missed",
    "back_at_goal": "it has been back at its goal for long enough",
    "goal_ended": "its goal is no longer in force",
    "data_back": "the data is back; it stands where it stood",
    "feed_late": "the feed is later than its contract allows",
    "delivery_held": "a delivery of the feed could not be taken in",
    "feed_on_time": "the feed delivers in time, and all of it was taken in",
}


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What makes two breaches the same alert.

    Attributes:
        scope_type: touchpoint or feed.
        scope: Its id.
        metric: The metric; `freshness` for a feed.
        goal: Beginning of the goal, as a day, or `always`; `contract` for a feed.
    """

    scope_type: Literal["touchpoint", "feed"]
    scope: str
    metric: str
    goal: str

    def __str__(self) -> str:
        return f"{self.scope_type}:{self.scope}/{self.metric}@{self.goal}"

    def episode(self, opened_at: datetime) -> str:
        """The id of the alert that opens at an instant: short, and the same however often it is worked out."""
        return hashlib.sha256(f"{self}|{opened_at.isoformat()}".encode()).hexdigest()[:10]


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One whole week of one metric, and the four weeks that end with it.

    Attributes:
        end: First day after it.
        n: Observations of the week; 0 when nothing was observed.
        value: The week's value; None too while too many of its cases are open to tell.
        goal: Level of the goal in force when it closed; None without one.
        is_below: Whether its value misses the goal.
        is_breach: Whether the goal is missed on evidence: bound over four weeks, and the week.
        is_pool_below: Whether the four weeks' value misses the goal; None when there are no four weeks, or
            too many of their cases are open to tell.
        pool_n: Observations of the four weeks.
        pool_value: Their value.
        pool_low: Lower end of its 95 % interval.
        pool_high: Upper end.
        bound: Their one-sided 95 % bound on the side of the goal.
        trust: Their grade of trust, A to D; None where nobody graded them.
        doubts: What is graded D of them and their bound does not allow for, as metric_trust names it.
    """

    end: date
    n: int = 0
    value: float | None = None
    goal: float | None = None
    is_below: bool = False
    is_breach: bool = False
    is_pool_below: bool | None = None
    pool_n: int = 0
    pool_value: float | None = None
    pool_low: float | None = None
    pool_high: float | None = None
    bound: float | None = None
    trust: str | None = None
    doubts: tuple[str, ...] = ()

    @property
    def has_data(self) -> bool:
        """Whether anything was observed."""
        return self.n > 0

    @property
    def tells(self) -> bool:
        """Whether anything was observed that can be believed."""
        return self.has_data and not self.doubts


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Where a goal stood on its way when the last whole week had ended; None where it is not known.

    Attributes:
        expected: Where its path is.
        p_meet: Chance that the level is reached when it is due.
        budget_used_share: Share of the quarter's budget of bad experiences that is used.
        budget_time_share: Share of its time that has passed.
        burn_long: How many times faster than allowed it burnt in the long window.
        burn_short: The same in the short one.
        burn_long_weeks: Length of the long window.
        burn_short_weeks: Length of the short one.
    """

    expected: float | None = None
    p_meet: float | None = None
    budget_used_share: float | None = None
    budget_time_share: float | None = None
    burn_long: float | None = None
    burn_short: float | None = None
    burn_long_weeks: int | None = None
    burn_short_weeks: int | None = None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that is known about one metric of one touchpoint when the last whole week had ended.

    Attributes:
        key: What it is about.
        weeks: Whole weeks, the oldest first; weeks in between without data included.
        direction: Which way is better.
        unit: Unit of the values.
        due: When the goal is due.
        late_feeds: Feeds that the metric rests on and that have not delivered the last week.
        customers: Customers of the touchpoint in the last 28 days; None when not known.
        has_goal: Whether a goal is in force.
        pace: Where the goal stands on its way.
        is_inherited: Whether the scorecard calls the breach that stands inherited by whoever is accountable now.
    """

    key: Key
    weeks: tuple[Week, ...]
    direction: Literal["higher", "lower"] = "higher"
    unit: str = "share"
    due: date | None = None
    late_feeds: tuple[str, ...] = ()
    customers: int | None = None
    has_goal: bool = True
    pace: Pace = Pace()
    is_inherited: bool = False

    @property
    def last(self) -> Week | None:
        """The last whole week."""
        return self.weeks[-1] if self.weeks else None

    @property
    def is_missing(self) -> bool:
        """Whether the last week cannot be judged because its data is not there."""
        return bool(self.late_feeds) or self.last is None or not self.last.has_data


@dataclass(frozen=True, kw_only=True)
class FeedEvidence:
    """Whether a feed is in time, and what it delivered was taken in.

    Attributes:
        key: What it is about.
        is_late: Whether its newest event is older than its contract allows.
        age_hours: How old that is; None when it never delivered.
        age_max_hours: How old the contract lets it be; None when it does not say.
        newest_event_at: Its newest event.
        held_files: Deliveries that could not be taken in.
    """

    key: Key
    is_late: bool
    age_hours: float | None = None
    age_max_hours: float | None = None
    newest_event_at: datetime | None = None
    held_files: int = 0


@dataclass(frozen=True, slots=True)
class Rung:
    """One place of the path that an alert climbs.

    Attributes:
        role: As what they are told.
        person: Who.
        seat: The seat they are told for.
        why: What in the map puts them there.
    """

    role: Role
    person: str
    seat: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody who knows of an alert, and how they came to."""

    person: str
    role: Role
    is_interrupt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A time in which nobody is told; what happens is still counted.

    Attributes:
        id: Its number.
        touchpoint: Touchpoint or feed it is for; every one when None.
        metric: Metric it is for; every one when None.
        reason: Why.
        author: Who asked for it.
        starts_at: First instant.
        ends_at: First instant after.
    """

    id: int
    touchpoint: str | None
    metric: str | None
    reason: str
    author: str
    starts_at: datetime
    ends_at: datetime

    def covers(self, key: Key, at: datetime) -> bool:
        """Whether it is in force for an alert at an instant."""
        return (
            self.starts_at <= at < self.ends_at
            and self.touchpoint in (None, key.scope)
            and self.metric in (None, key.metric)
        )


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One alert from its opening to its end.

    Attributes:
        id: Short and stable.
        key: What it is about.
        state: Where it stands.
        held_state: Where it stood before data went missing; None otherwise.
        level: Place on the path, from 0, of whoever was told last.
        reason: Why it stands there.
        opened_at: When it was first seen.
        began: First day of the unbroken weeks below the goal; of a feed, the day of its newest event.
        fired_at: When it fired; None while pending.
        owner_at_open: Who answered when it opened; None when nobody did.
        owner: Who was accountable when it was last looked at.
        told: Everybody who knows of it.
        is_silent: Whether it fired in a silence and nobody has been told since.
        due_at: When it climbs if nobody acknowledges it.
        acked_at: When it was acknowledged.
        acked_by: By whom.
        is_disputed: Whether they dispute its evidence.
        note: What they said.
        resolved_at: When it ended.
        facts: The numbers it was last decided on.
    """

    id: str
    key: Key
    state: State
    reason: Reason
    opened_at: datetime
    began: date
    held_state: State | None = None
    level: int = 0
    fired_at: datetime | None = None
    owner_at_open: str | None = None
    owner: str | None = None
    told: tuple[Told, ...] = ()
    is_silent: bool = False
    due_at: datetime | None = None
    acked_at: datetime | None = None
    acked_by: str | None = None
    is_disputed: bool = False
    note: str | None = None
    resolved_at: datetime | None = None
    facts: Mapping[str, Any] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state != "resolved"


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody is to be told something about one alert.

    Attributes:
        kind: What.
        rung: Who, as what, and why they.
        is_digest: Whether it can wait for the week's digest.
    """

    kind: NoticeKind
    rung: Rung
    is_digest: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided about one key, and why; also when nothing happens.

    Attributes:
        key: What it is about.
        reason: Why.
        before: The alert as it stood; None when there was none.
        after: The alert as it stands; None when there is none.
        notices: Who is to be told.
        facts: The numbers it was decided on.
        silenced_by: The silence that keeps it quiet.
    """

    key: Key
    reason: Reason
    before: Episode | None = None
    after: Episode | None = None
    notices: tuple[Notice, ...] = ()
    facts: Mapping[str, Any] | None = None
    silenced_by: Silence | None = None

    @property
    def is_change(self) -> bool:
        """Whether the alert moved: another state, another owner, another place on its path, or the first look."""
        if self.after is None or self.before is None:
            return self.after is not self.before
        names = ("state", "owner", "level", "is_silent", "told", "key")
        return any(getattr(self.before, name) != getattr(self.after, name) for name in names)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One message to one person on one channel: what the outbox holds.

    Attributes:
        kind: breach, escalated, no_data, handed_over, resolved or digest: the gravest it tells of.
        person: Who it is for.
        role: As what.
        channel: Id of the channel; empty when the settings name none for the role.
        alerts: Ids of the alerts it tells of.
        messages: What it says of each of them, as plain values (see `AlertMessage`).
        interrupts: How many of them count against the person's week.
        is_waiting: Whether it waits for the person's digest instead of being sent.
    """

    kind: str
    person: str
    role: Role
    channel: str
    alerts: tuple[str, ...]
    messages: tuple[Mapping[str, Any], ...]
    interrupts: int = 0
    is_waiting: bool = False


@dataclass(frozen=True, kw_only=True)
class AlertMessage:
    """What a person is told of one alert: the same fields in every form.

    Values are in the metric's unit; days and instants are local texts only once they are shown.

    Attributes:
        kind: breach, escalated, no_data, handed_over or resolved.
        alert: Its id.
        to: Who is told.
        role: As what.
        why_you: What in the map puts them there.
        map_version: The map that says so.
        scope_type: touchpoint or feed.
        scope: Its id.
        scope_name: Its name.
        stage_name: The touchpoint's stage.
        metric: Metric.
        metric_name: Its name.
        facts: The numbers: see `facts_of`.
        at: The instant of the decision.
        reason: Why it was decided, as a named reason.
        reason_text: The same in words.
        person: Accountable person now; None when nobody is.
        person_name: Their name.
        seat_name: Their seat.
        since: Since when they have been accountable; None: always.
        holder_name: Who holds the seat while they cover it.
        unowned: Why nobody is accountable.
        began: First day of the weeks below the goal.
        began_under: Who was accountable then.
        is_inherited: Whether the scorecard calls it inherited: it began before they took over, and they are still in
            their days of grace.
        expected_dissatisfied: Customers expected to be dissatisfied, scaled from the answers.
        due_at: When it climbs if nobody acknowledges it.
        next: Who is told then, in order: role, seat and name.
        days: How long it has lasted.
        acked_by_name: Who acknowledged it.
        history: What happened meanwhile, in words.
    """

    kind: NoticeKind
    alert: str
    to: str
    role: Role
    why_you: str
    map_version: str
    scope_type: str
    scope: str
    scope_name: str
    stage_name: str | None
    metric: str
    metric_name: str
    facts: Mapping[str, Any]
    at: datetime
    reason: Reason
    reason_text: str
    began: date
    days: int
    person: str | None = None
    person_name: str | None = None
    seat_name: str | None = None
    since: datetime | None = None
    holder_name: str | None = None
    unowned: str | None = None
    began_under: str | None = None
    is_inherited: bool = False
    expected_dissatisfied: int | None = None
    due_at: datetime | None = None
    next: tuple[Mapping[str, Any], ...] = ()
    acked_by_name: str | None = None
    history: tuple[str, ...] = ()


def plain(value: object) -> Any:  # noqa: ANN401 - what JSON can hold
    """A value as JSON holds it: dataclasses as objects, instants and days as ISO texts."""
    if hasattr(value, "__dataclass_fields__"):
        return plain(asdict(value))  # ty: ignore[invalid-argument-type]
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(one) for one in value]
    return value
