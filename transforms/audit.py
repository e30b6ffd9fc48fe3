"""The gap audit: the map held against what customers lived through.

A rule is one declaration: its name, how bad it is, and a function that yields what it finds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

import polars as pl

from contracts.accountability import AccountabilityMap, Goal, Touchpoint
from contracts.tables import GapFinding
from contracts.tenures import EARLIEST, LATEST, Tenure

HANDOFF_DAYS = 91
HANDOFFS_MIN = 10
Stake = tuple[int, int]
"""Events and customers."""

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the audit looks at.

    Attributes:
        atlas: The map.
        tenures: Its tenures.
        now: The instant it is.
        observed: (touchpoint, metric) pairs that were ever observed.
        recent: Events and customers of the last 28 days, by touchpoint.
        disowned: Events and customers while nobody was accountable, by index of the tenure.
        unmatched: FactEventUnmatched.
        shadowed_by: Earlier rules that win in a rule's place, by rule that never wins.
        hits: Events by rule, whole history.
        handoffs: FactHandoff of the last `HANDOFF_DAYS` days.
        trust: DataTrust.
        shared_tokens: How many e-mails, phones and ids are shared by too many people.
    """

    atlas: AccountabilityMap
    tenures: Sequence[Tenure]
    now: datetime
    observed: frozenset[tuple[str, str]]
    recent: Mapping[str, Stake]
    disowned: Mapping[int, Stake]
    unmatched: pl.DataFrame
    shadowed_by: Mapping[str, Sequence[str]]
    hits: Mapping[str, int]
    handoffs: pl.DataFrame
    trust: pl.DataFrame
    shared_tokens: int = 0

    @property
    def today(self) -> date:
        """The running day in the map's zone."""
        return self.now.astimezone(self.atlas.zone).date()

    def stake(self, touchpoint: str) -> Stake:
        """Events and customers of the last 28 days."""
        return self.recent.get(touchpoint, (0, 0))

    def seat_of(self, touchpoint: str) -> str | None:
        """The seat accountable now."""
        return next(
            (t.seat for t in self.tenures if t.touchpoint == touchpoint and t.start <= self.now < t.end), None
        )


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One gap."""

    object_type: str
    object_id: str
    sentence: str
    remedy: str
    stake: Stake = (0, 0)
    severity: Severity | None = None
    fixed_by: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    declared_at: str | None = None


@dataclass(frozen=True)
class AuditRule:
    """One rule of the audit."""

    name: str
    severity: Severity
    find: Callable[[Evidence], Iterator[Finding]] = field(repr=False)


RULES: list[AuditRule] = []


def _rule(severity: Severity) -> Callable[[Callable[[Evidence], Iterator[Finding]]], AuditRule]:
    def declare(find: Callable[[Evidence], Iterator[Finding]]) -> AuditRule:
        made = AuditRule(getattr(find, "__name__", ""), severity, find)
        RULES.append(made)
        return made

    return declare


def audit(evidence: Evidence, rules: Iterable[AuditRule] = RULES) -> pl.DataFrame:
    """GapFinding: everything that every rule finds, the most customers at stake first."""
    rows = [_row(rule, finding) for rule in rules for finding in rule.find(evidence)]
    found = pl.DataFrame(rows, schema=GapFinding.published_schema())
    return found.sort("customer_count", "event_count", descending=True)


@_rule("critical")
def unowned_touchpoint(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint for which the map names no seat."""
    for index, tenure in _without_owner(evidence, "unowned"):
        name = _touchpoint(evidence, tenure.touchpoint).name
        yield Finding(
            object_type="touchpoint",
            object_id=tenure.touchpoint,
            sentence=f"Nobody is accountable for {name}: the map names no seat.",
            remedy="Name a seat under 'accountable'.",
            stake=evidence.disowned.get(index, (0, 0)),
            since=_known(tenure.start),
            until=_known(tenure.end),
            declared_at=evidence.atlas.where("touchpoints", tenure.touchpoint),
        )


@_rule("critical")
def vacant_seat(evidence: Evidence) -> Iterator[Finding]:
    """A seat that nobody held, with the touchpoints that depend on it."""
    vacancies: dict[tuple[str, datetime, datetime], list[tuple[int, Tenure]]] = {}
    for index, tenure in _without_owner(evidence, "vacant"):
        vacancies.setdefault((tenure.seat or "", tenure.start, tenure.end), []).append((index, tenure))
    names = {seat.id: seat.name for seat in evidence.atlas.seats}
    for (seat, start, end), held in vacancies.items():
        stakes = [evidence.disowned.get(index, (0, 0)) for index, _ in held]
        ended = end <= evidence.now
        touchpoints = ", ".join(_touchpoint(evidence, t.touchpoint).name for _, t in held)
        verb = "was" if ended else "is"
        yield Finding(
            object_type="seat",
            object_id=f"{seat}@{start.astimezone(evidence.atlas.zone):%Y-%m-%dT%H:%M:%S}",
            sentence=f"{names[seat]} {verb} vacant: nobody answered for {touchpoints}.",
            remedy="Name who covered it, if anybody did." if ended else "Name a holder.",
            stake=(sum(s[0] for s in stakes), max(s[1] for s in stakes)),
            severity="warning" if ended else None,
            since=_known(start),
            until=_known(end),
            declared_at=evidence.atlas.where("seats", seat),
        )


@_rule("warning")
def touchpoint_without_metric(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint that nothing judges."""
    for touchpoint in _living(evidence):
        if not touchpoint.metrics:
            yield _about(
                evidence, touchpoint, f"{touchpoint.name} is not measured.", "Add a metric under 'metrics'."
            )


@_rule("warning")
def metric_never_observed(evidence: Evidence) -> Iterator[Finding]:
    """A metric that a touchpoint is judged by but that no event ever gave."""
    for touchpoint in _living(evidence):
        for metric in touchpoint.metrics:
            if (touchpoint.id, metric) not in evidence.observed:
                found = _about(
                    evidence,
                    touchpoint,
                    f"{touchpoint.name} is judged by {metric!r}, but no event ever gave one.",
                    "Check the metric's 'where' and the rules, or drop the metric.",
                )
                yield replace(found, object_id=f"{touchpoint.id}.{metric}")


@_rule("warning")
def touchpoint_without_goal(evidence: Evidence) -> Iterator[Finding]:
    """A measured touchpoint without a goal in force."""
    for touchpoint in _living(evidence):
        in_force = [g for g in touchpoint.goals if _in_force(g, evidence.today)]
        if touchpoint.metrics and not in_force:
            yield _about(
                evidence,
                touchpoint,
                f"{touchpoint.name} is measured, but has no goal in force.",
                "Add one under 'goals'.",
            )


@_rule("warning")
def goal_past_due(evidence: Evidence) -> Iterator[Finding]:
    """A goal in force whose due date has passed."""
    for touchpoint in _living(evidence):
        for goal in touchpoint.goals:
            if _in_force(goal, evidence.today) and goal.due.date() < evidence.today:
                found = _about(
                    evidence,
                    touchpoint,
                    f"{touchpoint.name}'s goal for {goal.metric!r} was due on {goal.due:%Y-%m-%d}.",
                    "Set the next goal, or end this one with 'until'.",
                )
                yield replace(found, object_id=f"{touchpoint.id}.{goal.metric}")


@_rule("warning")
def unmatched_kind(evidence: Evidence) -> Iterator[Finding]:
    """A kind of event that no rule matches."""
    by_kind = evidence.unmatched.group_by("feed", "kind").agg(
        pl.col("event_count").sum(),
        pl.col("customer_count").max(),
        pl.col("first_at").min(),
        pl.col("last_at").max(),
        pl.col("suggested_rule").first(),
    )
    for row in by_kind.sort("feed", "kind").iter_rows(named=True):
        yield Finding(
            object_type="kind",
            object_id=f"{row['feed']}:{row['kind']}",
            sentence=f"No rule matches {row['kind']} of feed {row['feed']}.",
            remedy=f"Add a rule, e.g. {row['suggested_rule']}",
            stake=(row["event_count"], row["customer_count"]),
            since=row["first_at"],
            until=row["last_at"],
        )


@_rule("warning")
def shadowed_rule(evidence: Evidence) -> Iterator[Finding]:
    """A rule that can never win."""
    for rule, winners in evidence.shadowed_by.items():
        yield Finding(
            object_type="rule",
            object_id=rule,
            sentence=f"Rule {rule!r} can never match: {', '.join(map(repr, winners))} accepts it all before.",
            remedy="Move it up, or drop it.",
            declared_at=evidence.atlas.where("rules", rule),
        )


@_rule("info")
def rule_without_events(evidence: Evidence) -> Iterator[Finding]:
    """A rule that could match but never did."""
    for rule in evidence.atlas.rules:
        if not evidence.hits.get(rule.id) and rule.id not in evidence.shadowed_by:
            yield Finding(
                object_type="rule",
                object_id=rule.id,
                sentence=f"Rule {rule.id!r} never matched an event.",
                remedy="Check its selectors against the feeds, or drop it.",
                declared_at=evidence.atlas.where("rules", rule.id),
            )


@_rule("warning")
def handoff_without_integrator(evidence: Evidence) -> Iterator[Finding]:
    """Two teams that hand each other work while nobody answers for what happens in between."""
    between = {frozenset(one.between) for one in evidence.atlas.integrators}
    across = evidence.handoffs.filter(
        pl.col("from_team_id").is_not_null(),
        pl.col("to_team_id").is_not_null(),
        pl.col("from_team_id") != pl.col("to_team_id"),
    )
    pairs = across.with_columns(
        one=pl.min_horizontal("from_team_id", "to_team_id"),
        other=pl.max_horizontal("from_team_id", "to_team_id"),
    )
    summed = pairs.group_by("one", "other").agg(
        pl.col("handoff_count", "case_count", "return_count", "held_hours").sum()
    )
    names = {team.id: team.name for team in evidence.atlas.teams}
    for row in summed.sort("one", "other").iter_rows(named=True):
        if row["handoff_count"] < HANDOFFS_MIN or frozenset((row["one"], row["other"])) in between:
            continue
        yield Finding(
            object_type="teams",
            object_id=f"{row['one']}+{row['other']}",
            sentence=(
                f"{names[row['one']]} and {names[row['other']]} handed each other work {row['handoff_count']:,} "
                f"times in {HANDOFF_DAYS} days, {row['return_count']:,} times back to where it had been, "
                "and nobody answers for it."
            ),
            remedy="Name an integrator for the two teams.",
            stake=(row["handoff_count"], row["case_count"]),
        )


@_rule("critical")
def late_feed(evidence: Evidence) -> Iterator[Finding]:
    """A feed whose newest event is older than its contract allows."""
    by_feed = evidence.trust.filter(pl.col("is_late")).unique("feed", maintain_order=True)
    for row in by_feed.sort("feed").iter_rows(named=True):
        newest = row["newest_event_at"]
        age = "never told of an event" if newest is None else f"is {row['age_hours'] / 24:.1f} days behind"
        yield Finding(
            object_type="feed",
            object_id=row["feed"],
            sentence=f"Feed {row['feed']} {age}; its contract allows {row['age_max_hours']:g} hours.",
            remedy="Find out why it stopped; its metrics are as old.",
            fixed_by=row["owner_seat_id"],
            since=newest,
        )


@_rule("info")
def shared_identifier(evidence: Evidence) -> Iterator[Finding]:
    """E-mails or phones that many people share."""
    if evidence.shared_tokens:
        yield Finding(
            object_type="identity",
            object_id="shared",
            sentence=f"{evidence.shared_tokens} e-mails, phones or ids are shared by too many people to join anybody.",
            remedy="Nothing, unless they should: then raise 'shared_key_limit'.",
            stake=(0, 0),
        )


def _without_owner(evidence: Evidence, state: str) -> Iterator[tuple[int, Tenure]]:
    for index, tenure in enumerate(evidence.tenures, start=1):
        if tenure.state == state and tenure.start <= evidence.now:
            yield index, tenure


def _living(evidence: Evidence) -> Iterator[Touchpoint]:
    alive = {t.touchpoint for t in evidence.tenures if t.start <= evidence.now < t.end}
    return (touchpoint for touchpoint in evidence.atlas.touchpoints if touchpoint.id in alive)


def _touchpoint(evidence: Evidence, name: str) -> Touchpoint:
    return next(touchpoint for touchpoint in evidence.atlas.touchpoints if touchpoint.id == name)


def _about(evidence: Evidence, touchpoint: Touchpoint, sentence: str, remedy: str) -> Finding:
    return Finding(
        object_type="touchpoint",
        object_id=touchpoint.id,
        sentence=sentence,
        remedy=remedy,
        stake=evidence.stake(touchpoint.id),
        fixed_by=evidence.seat_of(touchpoint.id),
        declared_at=evidence.atlas.where("touchpoints", touchpoint.id),
    )


def _in_force(goal: Goal, today: date) -> bool:
    starts, ends = goal.in_force_from, goal.in_force_until
    return (starts is None or starts.date() <= today) and (ends is None or today < ends.date())


def _known(moment: datetime) -> datetime | None:
    return None if moment in (EARLIEST, LATEST) else moment


def _row(rule: AuditRule, finding: Finding) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "object_type": finding.object_type,
        "object_id": finding.object_id,
        "severity": finding.severity or rule.severity,
        "sentence": finding.sentence,
        "remedy": finding.remedy,
        "fixed_by": finding.fixed_by,
        "since_at": finding.since,
        "until_at": finding.until,
        "event_count": finding.stake[0],
        "customer_count": finding.stake[1],
        "declared_at": finding.declared_at,
    }
