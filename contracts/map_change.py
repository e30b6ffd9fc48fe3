"""What a change of the map would do: the answer of `map diff`, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

Severity = Literal["critical", "warning", "info"]
GapStatus = Literal["new", "known", "closed"]
SEVERITIES: Sequence[Severity] = ("critical", "warning", "info")
"""Worst first."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who is accountable.

    Attributes:
        owner: Person, or `nobody`.
        owner_name: Their name; None for nobody.
        seat: Accountable seat; None when unowned.
        team: Its team; None when unowned.
    """

    owner: str
    owner_name: str | None
    seat: str | None
    team: str | None


@dataclass(frozen=True, kw_only=True)
class Move:
    """A stretch of time in which the two maps name different holders for one touchpoint.

    Attributes:
        touchpoint: Its id in the new map, or in the old one when it was removed.
        name: Its name.
        starts_at: First instant, UTC; None when always.
        ends_at: First instant after, UTC; None when for good.
        before: Holder in the old map; None where the touchpoint does not exist there.
        after: Holder in the new map; None where the touchpoint does not exist there.
        events: Events of the window that are credited to another person than before.
        customers: Their customers.
        window_events: Every event that the touchpoint had in the window.
        window_customers: Their customers.
        is_handover: Whether it hands over what is open now: of the touchpoint's moves that have not ended the first.
        open_cases: Cases of the touchpoint that are open now; 0 when it hands nothing over.
        open_alerts: Its alerts that are open now; likewise.
    """

    touchpoint: str
    name: str
    starts_at: datetime | None
    ends_at: datetime | None
    before: Holder | None
    after: Holder | None
    events: int
    customers: int
    window_events: int
    window_customers: int
    is_handover: bool
    open_cases: int
    open_alerts: int = 0


@dataclass(frozen=True, kw_only=True)
class Reroute:
    """Events of the window that the new rules send to another touchpoint; `unmatched` where none does."""

    touchpoint_before: str
    touchpoint_after: str
    events: int
    customers: int


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One value held against its goal, over the window."""

    n: int
    value: float | None
    value_low: float | None
    value_high: float | None
    goal: float | None
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A verdict that the change turns.

    Attributes:
        touchpoint: The touchpoint, as in the new map.
        metric: The metric.
        unit: Its unit.
        owner: The person whose part of the touchpoint is judged; None for the whole touchpoint.
        before: Under the old map; None where it does not arise there.
        after: Under the new map; None where it does not arise there.
    """

    touchpoint: str
    metric: str
    unit: str
    owner: str | None
    before: Judged | None
    after: Judged | None


@dataclass(frozen=True, kw_only=True)
class Burden:
    """What one person answers for once the change is in force, measured over the window."""

    touchpoints: int = 0
    events: int = 0
    customers: int = 0
    goals_missed: int = 0


@dataclass(frozen=True, kw_only=True)
class Load:
    """One person's burden under both maps; `nobody` included."""

    owner: str
    name: str | None
    before: Burden
    after: Burden


@dataclass(frozen=True, kw_only=True)
class ScoreChange:
    """How one person's score changes, and where that comes from: `before + rate + mix + portfolio = after`.

    Attributes:
        owner: Person, or `nobody`.
        metric: The metric.
        unit: Its unit.
        before: Score of what they hold in the old map.
        after: Score of what they hold in the new map.
        rate: Part that comes from doing better. No map can change it: the events are the same.
        mix: Part that comes from customers going elsewhere among what they hold. Likewise.
        portfolio: Part that comes from holding something else.
    """

    owner: str
    metric: str
    unit: str
    before: float | None
    after: float | None
    rate: float
    mix: float
    portfolio: float

    @property
    def earned(self) -> float:
        """What they earned themselves: rate and mix."""
        return self.rate + self.mix


@dataclass(frozen=True, kw_only=True)
class Rung:
    """A step of the waterfall under both maps: what is missing first, and how much of the last 28 days ends there.

    Attributes:
        step: unmatched, owner, metric, goal, review, outcome, or none when nothing is missing.
        events_before: Events under the old map.
        events_after: Events under the new map.
        percent_before: Their whole percents; all steps add up to 100.
        percent_after: Likewise.
    """

    step: str
    events_before: int
    events_after: int
    percent_before: int
    percent_after: int


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One finding of the audit and whether it is new.

    Attributes:
        status: new: the change opens it. known: it was there. closed: it is there no longer.
        rule: Rule of the audit.
        object_type: What it is about.
        object_id: Which one.
        severity: How bad it is.
        sentence: What is wrong.
        remedy: What to do.
        declared_at: `file:line` in the map, when it has a place there.
        events: Events at stake.
        customers: Customers at stake.
    """

    status: GapStatus
    rule: str
    object_type: str
    object_id: str
    severity: Severity
    sentence: str
    remedy: str
    declared_at: str | None
    events: int
    customers: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same gap in both maps."""
        return self.rule, self.object_type, self.object_id


@dataclass(frozen=True, kw_only=True)
class MapChange:
    """What a change of the map would do.

    Attributes:
        base: Name of the old map, e.g. a revision.
        head: Name of the new map.
        zone: Time zone of days, and of instants where people read them.
        first_date: First day of the window.
        last_date: Its last day, the running one.
        settled_at: When everything that the change says is in force: burdens and scores are as of then.
        events: Events of the window.
        customers: Their customers.
        events_changed: Events of the window that are credited to another person.
        customers_changed: Customers of those events.
        renamed: New id by old id.
        moves: Touchpoints that change hands, by touchpoint and time.
        reroutes: Events that go to another touchpoint, most first.
        flips: Verdicts that turn, those of whole touchpoints first, missed ones before others.
        loads: Burden per person, where it changes.
        scores: Scores per person and metric, where they change.
        ladder: The waterfall of what is missing first, once the change is in force; verdicts and
            observations are those of the window.
        gaps: Findings under both maps, worst first.
        not_asked: Rules of the audit that look at what only a whole run makes, by name.
    """

    base: str
    head: str
    zone: str
    first_date: date
    last_date: date
    settled_at: datetime
    events: int
    customers: int
    events_changed: int
    customers_changed: int
    renamed: Mapping[str, str]
    moves: Sequence[Move]
    reroutes: Sequence[Reroute]
    flips: Sequence[Flip]
    loads: Sequence[Load]
    scores: Sequence[ScoreChange]
    ladder: Sequence[Rung]
    gaps: Sequence[Gap]
    not_asked: Sequence[str] = ()

    def with_alerts(self, by_touchpoint: Mapping[str, int]) -> "MapChange":
        """The change with the open alerts of every touchpoint that changes hands, by its id of either map."""
        counts = {self.renamed.get(name, name): count for name, count in by_touchpoint.items()}
        moves = [
            replace(move, open_alerts=counts.get(move.touchpoint, 0)) if move.is_handover else move
            for move in self.moves
        ]
        return replace(self, moves=moves)

    @property
    def rungs_that_move(self) -> Sequence[Rung]:
        """The whole waterfall if any step of it changes; nothing otherwise."""
        moves = any(rung.events_before != rung.events_after for rung in self.ladder)
        return self.ladder if moves else ()

    @property
    def moves_that_matter(self) -> list[Move]:
        """Moves that have not ended before the window began."""
        return [m for m in self.moves if m.ends_at is None or m.ends_at.date() >= self.first_date]

    def local(self, moment: datetime) -> datetime:
        """An instant as people in the map's zone read it."""
        return moment.astimezone(ZoneInfo(self.zone))

    def gaps_that(self, status: GapStatus) -> list[Gap]:
        """Gaps of one status."""
        return [gap for gap in self.gaps if gap.status == status]

    def failing(self, least: Severity) -> list[Gap]:
        """New gaps at least as bad as `least`."""
        bad = SEVERITIES[: SEVERITIES.index(least) + 1]
        return [gap for gap in self.gaps_that("new") if gap.severity in bad]

    def as_dict(self) -> dict[str, Any]:
        """The change as plain values; instants and days as ISO texts."""
        return _plain(asdict(self))


def _plain(value: Any) -> Any:  # noqa: ANN401 - any tree of plain values
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
