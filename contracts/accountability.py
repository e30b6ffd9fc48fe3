"""The accountability map: who answers for every moment a customer lives through.

Stages hold touchpoints; seats hold touchpoints; people hold seats for dated intervals. Rules say
which events belong to which touchpoint, metrics how it is judged, goals how well it should do.
People write it as YAML in the `map/` folder; any file may hold any section.
"""

import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.documents import Declaration, Moment
from contracts.predicates import Where
from contracts.sampling import Hands, Names, Sample, hands

ALWAYS = date(1970, 1, 1)
"""The first day of what says none."""
NOBODY = "nobody"
UNMATCHED = "unmatched"
RESERVED = frozenset({NOBODY, UNMATCHED, "all"})

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
"""A stable, opaque name: it never changes once events have been credited to it."""


def _readable(name: str) -> str:
    kinds = {unicodedata.category(sign) for sign in name}
    if kinds & {"Cc", "Cs", "Zl", "Zp"}:
        message = "Write it on one line, without control characters."
        raise ValueError(message)
    if all(kind[0] in "CZ" for kind in kinds):
        message = "Write at least one sign that can be seen."
        raise ValueError(message)
    return name


Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_readable)]
"""What people call a thing: one line that can be seen."""
Account = Annotated[str, Field(pattern=r"^@[A-Za-z0-9][A-Za-z0-9_./-]*$", max_length=80)]
"""A person's or a group's public name where changes are reviewed: `@ada` or `@acme/customer-office`."""


class Stage(Declaration):
    """A part of the customer's journey; the order they are written in is their order."""

    id: Id
    name: Title


Work = Literal["execution", "coordination"]
"""Execution is what customers meet; coordination only joins what others do."""


class Team(Declaration):
    """A team.

    Attributes:
        id: Stable name.
        name: What people call it.
        groups: Its names as feeds record them, e.g. a help desk's queues.
        lead: The seat that leads it.
        kind: Whether it does work that customers meet, or joins what other teams do.
    """

    id: Id
    name: Title
    groups: tuple[str, ...] = ()
    lead: str | None = None
    kind: Work = "execution"


class Person(Declaration):
    """A person who can be accountable, while active. Nothing that reaches them stands in the map.

    Attributes:
        id: Stable name.
        name: What people call them.
        account: Their public name where the map's changes are reviewed, e.g. `@ada`.
        active_from: First moment they work here.
        active_until: First moment they no longer do.
    """

    id: Id
    name: Title
    account: Account | None = None
    active_from: Moment | None = Field(default=None, alias="from")
    active_until: Moment | None = Field(default=None, alias="until")


class Holding(Declaration):
    """A time in which a person holds a seat, or in which it is vacant on record."""

    person: str | None = None
    vacant: bool = False
    held_from: Moment | None = Field(default=None, alias="from")
    held_until: Moment | None = Field(default=None, alias="until")
    why: str | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "Holding":
        if (self.person is None) != self.vacant:
            message = "Name either a 'person' or 'vacant: true'."
            raise ValueError(message)
        return self


class Cover(Declaration):
    """A time in which somebody else answers in a seat: while it lasts they are the accountable person.

    The holder keeps the seat. A seat that is vacant can be covered too.
    """

    person: str
    covers_from: Moment = Field(alias="from")
    covers_until: Moment = Field(alias="until")
    why: str | None = None


class Delegate(Declaration):
    """A time in which somebody acts for a seat's holder, who stays accountable."""

    person: str
    acts_from: Moment | None = Field(default=None, alias="from")
    acts_until: Moment | None = Field(default=None, alias="until")
    why: str | None = None


class Seat(Declaration):
    """A position that can be accountable for touchpoints, whoever holds it.

    Attributes:
        id: Stable name.
        name: What people call it.
        team: Its team.
        holders: Who holds it when, without gap or overlap.
        covers: Who answers in the holder's place when; no two at once.
        delegates: Who acts for the holder when, without being accountable.
    """

    id: Id
    name: Title
    team: str
    holders: tuple[Holding, ...] = Field(min_length=1)
    covers: tuple[Cover, ...] = ()
    delegates: tuple[Delegate, ...] = ()


class Assignment(Declaration):
    """A time in which a seat is accountable for a touchpoint, or nobody is, on record."""

    seat: str | None = None
    unowned: bool = False
    assigned_from: Moment | None = Field(default=None, alias="from")
    assigned_until: Moment | None = Field(default=None, alias="until")

    @model_validator(mode="after")
    def _one_of(self) -> "Assignment":
        if (self.seat is None) != self.unowned:
            message = "Name either a 'seat' or 'unowned: true'."
            raise ValueError(message)
        return self


def _assignments(written: object) -> object:
    if written == NOBODY:
        return [{"unowned": True}]
    return [{"seat": written}] if isinstance(written, str) else written


class Waypoint(Declaration):
    """A level to have reached by a date on the way to a goal, in the metric's unit."""

    by: Moment
    level: float


class Goal(Declaration):
    """How well a touchpoint should do: metric, level, since when, due when, and why.

    Exactly one of `at_least` and `at_most`, in the metric's unit. Every period is held against it, so the metric is none
    that grows with its period: no count and no sum.

    Attributes:
        metric: What is judged.
        at_least: The level to reach, when higher is better.
        at_most: The level to reach, when lower is better.
        in_force_from: First moment it counts.
        in_force_until: First moment it no longer does.
        due: When the level is to be reached.
        why: Why it matters to customers.
        baseline: Where the metric stood when the goal was set.
        baseline_at: When it stood there.
        path: What to expect before `due`: a straight line from the baseline (linear), the baseline until
            then (step), or dated waypoints. Without one the level counts from the first day on.
        success_looks_like: What a customer would notice.
        what_is_in_it_for_us: What the team gains.
        set_by: Seat or person who set it.
        approved_by: Seat or person who agreed to it.
        counter_metric: What must not get worse meanwhile, another metric of the touchpoint; the metric's own
            when absent.
        lever: What will make the difference, when the level is beyond the best so far.
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    in_force_from: Moment | None = Field(default=None, alias="from")
    in_force_until: Moment | None = Field(default=None, alias="until")
    due: Moment
    why: str = Field(min_length=1)
    baseline: float | None = None
    baseline_at: Moment | None = None
    path: Literal["linear", "step"] | tuple[Waypoint, ...] | None = None
    success_looks_like: str | None = None
    what_is_in_it_for_us: str | None = None
    set_by: str | None = None
    approved_by: str | None = None
    counter_metric: str | None = None
    lever: str | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "Goal":
        if (self.at_least is None) == (self.at_most is None):
            message = "Write either 'at_least' or 'at_most'."
            raise ValueError(message)
        return self

    @property
    def first_day(self) -> date:
        """First day it counts; `ALWAYS` when it says none. With touchpoint and metric it names the goal."""
        return self.in_force_from.date() if self.in_force_from else ALWAYS

    @property
    def direction(self) -> Literal["higher", "lower"]:
        """Which way is better."""
        return "higher" if self.at_least is not None else "lower"

    @property
    def level(self) -> float:
        """The level to reach, in the metric's unit."""
        return self.at_least if self.at_least is not None else float(self.at_most or 0.0)


class Rebaseline(Declaration):
    """A change that is known: limits of process behaviour are worked out anew from the week it falls into.

    Attributes:
        at: When it came into force.
        why: What changed.
        metric: The metric it concerns; every metric of the touchpoint when absent.
        weeks: Weeks from then on that the new limits are worked out from.
    """

    at: Moment
    why: str = Field(min_length=1)
    metric: str | None = None
    weeks: int = Field(default=26, ge=12, le=104)


class Touchpoint(Declaration):
    """A named moment in one stage, with exactly one accountable seat at every instant.

    Attributes:
        id: Stable name.
        name: What people call it.
        stage: Its stage; a part of another touchpoint may leave it out.
        parent: The touchpoint it is a part of. Accountability is never inherited from it.
        was: Ids it had before; whatever names one of them means this touchpoint.
        accountable: Which seat answers for it when, without gap or overlap.
        responsible: Seats, people or teams who do the work.
        consulted: Who is asked before.
        informed: Who is told after.
        metrics: What it is judged by.
        goals: How well it should do.
        rebaseline: Changes after which its weeks are another process.
        priority: Whether the company calls it one of its priority contact points.
        kind: Whether customers meet this work, or it only joins what others do.
        validated_by: Person who last confirmed that it happens as the map says.
        validated_at: When they did.
        validated_role: Whether they work with customers themselves or lead those who do.
        exists_from: First moment there is such a touchpoint.
        exists_until: First moment there no longer is.
    """

    id: Id
    name: Title
    stage: str = ""
    parent: str | None = None
    was: Names = ()
    accountable: Annotated[tuple[Assignment, ...], BeforeValidator(_assignments), Field(min_length=1)]
    responsible: Names = ()
    consulted: Names = ()
    informed: Names = ()
    metrics: Names = ()
    goals: tuple[Goal, ...] = ()
    rebaseline: tuple[Rebaseline, ...] = ()
    priority: bool = False
    kind: Work = "execution"
    validated_by: str | None = None
    validated_at: Moment | None = None
    validated_role: Literal["frontline", "lead"] | None = None
    exists_from: Moment | None = Field(default=None, alias="from")
    exists_until: Moment | None = Field(default=None, alias="until")

    @model_validator(mode="after")
    def _validated(self) -> "Touchpoint":
        if len({part is None for part in (self.validated_by, self.validated_at, self.validated_role)}) > 1:
            message = "Write 'validated_by', 'validated_at' and 'validated_role' together."
            raise ValueError(message)
        return self


class Example(Declaration):
    """An event and where the rules should lead it: a test of the rules that needs no data.

    Attributes:
        event: The event's columns and attributes; those not written are missing.
        expect: Its touchpoint, or `unmatched`; the touchpoint of the example's rule when absent.
    """

    event: dict[str, str | float | bool | None] = Field(min_length=1)
    expect: str | None = None


class Rule(Declaration):
    """Which events belong to a touchpoint. Rules are ordered; the first that matches wins.

    `kind` may end in `*`. An absent selector accepts everything. `examples` are tests: all the rules
    together have to lead them where they say.
    """

    id: Id
    touchpoint: str
    feed: Names = ()
    kind: Names = ()
    channel: Names = ()
    where: Where = Field(default_factory=dict)
    examples: tuple[Example, ...] = ()


Estimator = Literal[
    "nps",
    "csat",
    "ces",
    "ces_1",
    "share",
    "mean",
    "sum",
    "count",
    "rate",
    "followed",
    "repeat",
    "fcr",
    "quantile",
]
Milestone = Literal["opened", "resolved", "closed"]


class Metric(Declaration):
    """How a touchpoint is judged: a quotient of additive sums, or a quantile of cases.

    Attributes:
        id: Stable name; goals and scorecards use it.
        name: What people call it.
        estimator: nps, csat, ces (2.0: share of scores from `top` up), ces_1 (1.0: mean effort, low is good),
            share (of `good`), mean, sum, count, rate (per so much exposure), followed (share that something
            follows), repeat (share that another one like it follows), fcr (first contact resolution), quantile.
        of: Judged over events, or over cases (a ticket from opening to closing).
        at: Which moment of a case counts: its day and the owner in force then.
        where: Which events (or cases) are in the base.
        value: Column that is scored, averaged, summed or ranked.
        good: For `share`: what makes an event or case good.
        top: For csat and ces: lowest score that counts as good.
        low: Lowest score of the scale; anything outside the scale is excluded and counted.
        high: Highest score of the scale.
        quantile: For `quantile`: which one, in 0..1.
        open_cases: For `quantile`: whether cases that are still open count as longer than until now
            (Kaplan-Meier; type 7 where none is open), or are left out and counted as excluded.
        exposure: For `rate`: the events that it is counted against.
        per: For `rate`: against how many of them, e.g. complaints per 1,000 orders.
        touchpoint: For `rate`: where both are counted, wherever they match; where each matches when absent.
        followed_by: For `followed`: what has to follow, of the same customer.
        same: For followed, repeat and fcr: what both have in common besides the customer: attributes, or
            `touchpoint`.
        after_days: For `followed`: how much later at the earliest.
        within_days: For followed, repeat and fcr: how much later at the latest. What is younger than that is
            not known yet and counts as excluded.
        step: For mean and sum: the smallest difference kept (sums are exact in whole steps).
        unit: Unit of the value: points, share, hours, minutes, count or a currency code. Without one a
            mean and a sum are a plain `value`, a `rate` is what it is per, e.g. `per 1,000`.
        direction: Which way is better.
        by: Dimensions to publish this metric by: `channel` or an attribute.
        version: Goes up by one whenever what makes the number changes (`FORMULA`).
        counter_metric: What tends to get worse when this one is pushed; stands beside its goals.
        minimum_trust: Weakest grade of trust at which it may be relied on.
        windows: Lengths in weeks of the windows it may be told over, the shortest first.
        tolerance: Half the widest interval that is still useful, in its unit; the shortest window with no
            wider one is told. Without one a twentieth of a share, 10 points, a tenth of other values.
        sample: Whom it asks.
        independence: Who has it in hand: who wants to know, collects, analyses and reports.
    """

    id: Id
    name: Title
    estimator: Estimator
    of: Literal["events", "cases"] = "events"
    at: Milestone = "opened"
    where: Where = Field(default_factory=dict)
    value: str | None = None
    good: Where = Field(default_factory=dict)
    top: int | None = None
    low: int | None = None
    high: int | None = None
    quantile: float | None = Field(default=None, gt=0, lt=1)
    open_cases: Literal["censored", "left_out"] = "censored"
    exposure: Where = Field(default_factory=dict)
    per: float = Field(default=1000.0, gt=0)
    touchpoint: str | None = None
    followed_by: Where = Field(default_factory=dict)
    same: Annotated[Names, Field(max_length=2)] = ()
    after_days: float = Field(default=0, ge=0)
    within_days: float | None = Field(default=None, gt=0)
    step: float = Field(default=0.001, gt=0)
    unit: str = "share"
    direction: Literal["higher", "lower"] = "higher"
    by: Names = ()
    version: int = Field(default=1, ge=1)
    counter_metric: str | None = None
    minimum_trust: Literal["A", "B", "C", "D"] = "D"
    windows: tuple[Annotated[int, Field(ge=1, le=104)], ...] = Field(default=(1, 4, 13, 26, 52), min_length=1)
    tolerance: float | None = Field(default=None, gt=0)
    sample: Sample | None = None
    independence: Annotated[tuple[Hands, ...], BeforeValidator(hands)] = ()

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, written: object) -> object:
        if not isinstance(written, dict):
            return written
        defaults = dict(_DEFAULTS.get(str(written.get("estimator")), {}))
        if "per" in written and written.get("estimator") == "rate":
            with suppress(ValueError):  # what is no number is told of below
                defaults["unit"] = f"per {float(str(written['per'])):,.10g}"
        return {**defaults, **written}

    @model_validator(mode="after")
    def _complete(self) -> "Metric":
        if self.estimator in ("mean", "sum", "quantile") and self.value is None:
            message = f"Add 'value': the column whose {self.estimator} it is."
            raise ValueError(message)
        if self.estimator == "quantile" and (self.quantile is None or self.of != "cases"):
            message = "A quantile needs 'quantile: 0.5' and 'of: cases'."
            raise ValueError(message)
        if self.sample and (self.of != "events" or self.estimator not in _ASKING):
            message = (
                f"'sample' is for means and shares of events: a {self.estimator} of {self.of} asks nobody."
            )
            raise ValueError(message)
        if self.estimator == "share" and not self.good:
            message = "Add 'good': the conditions that make one count as good."
            raise ValueError(message)
        if list(self.windows) != sorted(set(self.windows)):
            message = (
                f"Write 'windows' from the shortest to the longest, each once, not {list(self.windows)}."
            )
            raise ValueError(message)
        if flaw := _flaw_of_pairs(self):
            raise ValueError(flaw)
        return self

    @property
    def formula(self) -> dict[str, object]:
        """What makes the number: two metrics with another formula cannot be compared."""
        return self.model_dump(mode="json", include=set(FORMULA))


_ASKING = ("nps", "csat", "ces", "share", "mean")
"""Estimators of metrics that can have a sample."""
FORMULA = (
    "estimator",
    "of",
    "at",
    "where",
    "value",
    "good",
    "top",
    "low",
    "high",
    "quantile",
    "open_cases",
    "exposure",
    "per",
    "touchpoint",
    "followed_by",
    "same",
    "after_days",
    "within_days",
    "step",
    "unit",
    "direction",
)
"""Parts of a metric that make its number. Whoever changes one raises `version`."""


def _flaw_of_pairs(metric: Metric) -> str:
    """What is wrong with a metric of one thing against another; empty when nothing is."""
    kind = metric.estimator
    if kind == "rate" and (not metric.exposure or metric.of != "events"):
        return "A rate is over events and needs 'exposure': the events that it is counted against."
    if kind == "followed" and (not metric.followed_by or metric.of != "events"):
        return "'followed' is over events and needs 'followed_by': what has to follow."
    if kind == "fcr" and metric.of != "cases":
        return "First contact resolution is 'of: cases'."
    if kind in ("followed", "repeat", "fcr") and (metric.within_days or 0) <= metric.after_days:
        return "Write 'within_days': how much later at the latest, more than 'after_days'."
    if kind in ("followed", "repeat") and metric.of == "events" and len(metric.by) > MOST_DIMENSIONS:
        return f"It is published by {MOST_DIMENSIONS} dimensions at most. Leave some out."
    return ""


MOST_DIMENSIONS = 2
MOST_STEPS = 4e14
"""A value of more whole steps is outside: the squares of a billion of these fit into 128 bits, 1.6e38 of 1.7e38."""
_SCORE = {"value": "score"}
_DEFAULTS: dict[str, dict[str, object]] = {
    "nps": {**_SCORE, "low": 0, "high": 10, "unit": "points"},
    "csat": {**_SCORE, "low": 1, "high": 5, "top": 4},
    "ces": {**_SCORE, "low": 1, "high": 7, "top": 5},
    "ces_1": {**_SCORE, "low": 1, "high": 5, "step": 1, "unit": "points", "direction": "lower"},
    "count": {"unit": "count"},
    "mean": {"unit": "value"},
    "sum": {"unit": "value"},
    "rate": {"direction": "lower", "unit": "per 1,000"},
    "repeat": {"direction": "lower", "within_days": 7},
    "fcr": {"at": "resolved", "within_days": 7},
    "quantile": {"unit": "hours", "direction": "lower"},
}


class Integrator(Declaration):
    """The seat that answers for the work handed between two teams."""

    between: tuple[str, str]
    seat: str


Reduction = Literal["first", "last", "min", "max", "sum"]


class Cases(Declaration):
    """How events about one subject become one case.

    Attributes:
        subject: The subject type of the events, e.g. `ticket`.
        opened: Kinds whose first event opens the case.
        responded: Kinds whose first event is the first response.
        resolved: Kinds whose last event resolves it.
        closed: Kinds whose last event closes it.
        reopened: Kinds that reopen it; each one counts, and what has not ended since is open.
        attributes: Attributes, scores, amounts and durations kept on the case, and which of its events' values is kept; `sum` adds numbers up
            in whole thousandths.
    """

    subject: str = "ticket"
    opened: Names = ("ticket.opened",)
    responded: Names = ("ticket.replied", "ticket.worked")
    resolved: Names = ("ticket.resolved",)
    closed: Names = ("ticket.closed",)
    reopened: Names = ("ticket.reopened",)
    attributes: dict[str, Reduction] = Field(default_factory=dict)


class CustomerGroup(Declaration):
    """Who counts as a customer, from when until when, and what they are worth.

    Attributes:
        id: Stable name.
        name: What people call it.
        active: Events that show that somebody is a customer; the first one begins their time as one.
        left: Events that end it.
        reason: Attribute of those events that tells why.
        lapse_days: For how many days without an active event somebody stays a customer, where nobody says
            goodbye; the day after, they are lost. Without it only `left` ends it.
        value: Column of the active events that tells what a customer is worth.
        value_basis: The total, the first or the last of these values in their time as a customer.
        unit: Unit of the value.
        by: Attribute of the event that began it, to publish the group by.
    """

    id: Id
    name: Title
    active: Where = Field(min_length=1)
    left: Where = Field(default_factory=dict)
    reason: str | None = None
    lapse_days: int | None = Field(default=None, ge=1)
    value: str | None = None
    value_basis: Literal["total", "first", "last"] = "total"
    unit: str = "count"
    by: str | None = None

    @model_validator(mode="after")
    def _ends(self) -> "CustomerGroup":
        if not self.left and self.lapse_days is None:
            message = (
                "Write 'left' (the events that end it) or 'lapse_days', or both: else nobody is ever lost."
            )
            raise ValueError(message)
        if self.reason is not None and not self.left:
            message = "A 'reason' is told by the events of 'left'. Add them."
            raise ValueError(message)
        return self


class DriverAnalysis(Declaration):
    """A score that people give for the whole, and the touchpoints' scores beside it that may move it.

    All of them are numbers that one case keeps side by side (`cases.attributes`), e.g. the answers to one
    questionnaire.

    Attributes:
        id: Stable name.
        name: What people call it.
        outcome: Number kept on the case: the score for the whole.
        touchpoints: The number kept on the case that is the score of a touchpoint, by touchpoint.
        low: Least score; a number below it is no answer.
        high: Highest score; a number above it is no answer.
        weight: Number kept on the case that says for how many people the answer stands; for one when absent. An
            answer of which it is missing or below 0 is left out.
        days: How many days back cases are looked at, by when they were opened.
        method: `lmg` (Shapley's value of R-squared) up to ten touchpoints, `johnson` (relative weights) for more.
    """

    id: Id
    name: Title
    outcome: str
    touchpoints: dict[str, str] = Field(min_length=2)
    low: float | None = None
    high: float | None = None
    weight: str | None = None
    days: int = Field(default=365, ge=7)
    method: Literal["lmg", "johnson"] = "lmg"

    @model_validator(mode="after")
    def _can_be_told(self) -> "DriverAnalysis":
        if self.method == "lmg" and len(self.touchpoints) > MOST_LMG:
            message = f"{len(self.touchpoints)} touchpoints are too many for 'lmg': it takes {MOST_LMG}. Write 'method: johnson'."
            raise ValueError(message)
        if self.low is not None and self.high is not None and self.low >= self.high:
            message = f"'low' {self.low:g} is not below 'high' {self.high:g}. Swap them."
            raise ValueError(message)
        twice = [name for name in self.columns if self.columns.count(name) > 1]
        if twice:
            message = f"{twice[0]!r} stands here twice: a score explains itself. Keep one."
            raise ValueError(message)
        return self

    @property
    def columns(self) -> list[str]:
        """Numbers that the case has to keep: the outcome's, the touchpoints', the weight's."""
        return [self.outcome, *self.touchpoints.values(), *([self.weight] if self.weight else [])]


MOST_LMG = 10
"""All subsets of so many touchpoints are tried: 2 to the power of it."""


class Review(Declaration):
    """A forum that meets on a cadence and looks at some stages or touchpoints; at all of them if it names none.

    Attributes:
        id: Stable name.
        name: What people call it.
        every: How often it meets.
        chair: The seat that leads it.
        attendees: Seats, people or teams who take part.
        touchpoints: What it looks at.
        stages: Stages whose touchpoints it looks at.
    """

    id: Id
    name: Title
    every: Literal["week", "month", "quarter"]
    chair: str
    attendees: Names = ()
    touchpoints: Names = ()
    stages: Names = ()


class Waiver(Declaration):
    """A finding of the audit that somebody accepts until a date; after it the finding is back.

    Attributes:
        rule: Name of the audit's rule.
        object: Id of what the finding is about, as the audit prints it.
        approver: Person who accepts it.
        reason: Why it is acceptable.
        until: First moment it is no longer.
    """

    rule: Id
    object: str = Field(min_length=1)
    approver: str
    reason: str = Field(min_length=1)
    until: Moment


Decided = Literal["goals", "metrics", "weights", "rules", "owners"]


class DecisionRight(Declaration):
    """Which seats may change a part of the map.

    Attributes:
        what: Goals, metrics, weights, rules (which events belong to which touchpoint) or owners (seats,
            people, who is accountable).
        seats: Seats that may; their holders review every change to it.
        touchpoints: Only what concerns these; all of them when empty.
    """

    what: Decided
    seats: Names = Field(min_length=1)
    touchpoints: Names = ()


FIVE_E = tuple(Stage(id=name, name=name.title()) for name in ("entice", "enter", "engage", "extend", "exit"))


class MapFile(Declaration):
    """What one YAML file of the `map/` folder may hold: any of these sections."""

    stages: tuple[Stage, ...] = ()
    teams: tuple[Team, ...] = ()
    people: tuple[Person, ...] = ()
    seats: tuple[Seat, ...] = ()
    touchpoints: tuple[Touchpoint, ...] = ()
    rules: tuple[Rule, ...] = ()
    metrics: tuple[Metric, ...] = ()
    integrators: tuple[Integrator, ...] = ()
    cases: tuple[Cases, ...] = ()
    customers: tuple[CustomerGroup, ...] = ()
    drivers: tuple[DriverAnalysis, ...] = ()
    reviews: tuple[Review, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    decision_rights: tuple[DecisionRight, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AccountabilityMap:
    """The whole map, checked: ids are unique, every reference resolves, nobody overlaps.

    Whatever named a touchpoint by a former id names it by its id here, and every touchpoint has its stage.

    Attributes:
        zone: Time zone of every date without an offset.
        version: Content hash of the files it was read from.
        origin: `file:line` of each thing, by section and id, e.g. `("touchpoints", "delivery")`, and of
            its dated parts, e.g. `("touchpoints", "delivery/accountable/0")`.
    """

    zone: ZoneInfo
    version: str = ""
    stages: tuple[Stage, ...] = FIVE_E
    teams: tuple[Team, ...] = ()
    people: tuple[Person, ...] = ()
    seats: tuple[Seat, ...] = ()
    touchpoints: tuple[Touchpoint, ...] = ()
    rules: tuple[Rule, ...] = ()
    metrics: tuple[Metric, ...] = ()
    integrators: tuple[Integrator, ...] = ()
    cases: tuple[Cases, ...] = ()
    customers: tuple[CustomerGroup, ...] = ()
    drivers: tuple[DriverAnalysis, ...] = ()
    reviews: tuple[Review, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    decision_rights: tuple[DecisionRight, ...] = ()
    origin: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def current(self, touchpoint: str) -> str:
        """The id of a touchpoint now, from any id it has or had; an unknown one as it is."""
        return next((one.id for one in self.touchpoints if touchpoint in one.was), touchpoint)

    def where(self, section: str, name: str, *path: str | int) -> str:
        """`file:line` of one thing or a part of it, or the section's name when it was not read from a file.

        Args:
            section: Section of the map.
            name: Id of the thing.
            path: A part of it that has dates: `accountable`, `holders`, `covers`, and its place there.
        """
        whole = self.origin.get((section, name), section)
        return self.origin.get((section, "/".join((name, *map(str, path)))), whole)
