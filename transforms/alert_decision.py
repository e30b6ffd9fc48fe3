"""What becomes of every alert: evidence, open alerts, silences and the clock in, decisions with reasons out.

Pure: the same arguments give the same decisions, so running it ten times changes nothing after the first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Any

from contracts.alert_settings import Alerts
from contracts.alerts import (
    Decision,
    Episode,
    Evidence,
    FeedEvidence,
    Key,
    Notice,
    NoticeKind,
    Reason,
    Rung,
    Silence,
    State,
    Told,
    Week,
)
from contracts.tenures import EARLIEST, LATEST, instant
from transforms.business_days import WorkCalendar, after_quiet, deadline


@dataclass(frozen=True)
class Around:
    """What stands around a decision besides its evidence.

    Attributes:
        now: The instant it is.
        settings: The workspace's `alerts:`.
        calendar: Its working days.
        silences: Every silence.
        owners: Who is accountable now, by scope type and scope; None or absent when nobody is.
        paths: Whom an alert climbs to, by scope type and scope.
    """

    now: datetime
    settings: Alerts
    calendar: WorkCalendar
    silences: Sequence[Silence] = ()
    owners: Mapping[tuple[str, str], str | None] | None = None
    paths: Mapping[tuple[str, str], tuple[Rung, ...]] | None = None

    def owner(self, key: Key) -> str | None:
        """Who is accountable now."""
        return (self.owners or {}).get((key.scope_type, key.scope))

    def path(self, key: Key) -> tuple[Rung, ...]:
        """Whom it climbs to."""
        return (self.paths or {}).get((key.scope_type, key.scope), ())

    def silence(self, key: Key) -> Silence | None:
        """The silence in force, the longest of several."""
        found = [one for one in self.silences if one.covers(key, self.now)]
        return max(found, key=lambda one: (one.ends_at, one.id), default=None)

    def due(self) -> datetime:
        """When somebody who is told now has to have acknowledged."""
        zone = self.calendar.zone
        told = after_quiet(self.now, self.settings.quiet_hours, zone)
        return deadline(told, self.settings.escalate_after_business_days, self.calendar)

    def is_planned(self, key: Key) -> bool:
        """Whether a planned change disturbs it now."""
        zone = self.calendar.zone
        return any(
            (not one.touchpoints or key.scope in one.touchpoints)
            and (not one.metrics or key.metric in one.metrics)
            and instant(one.starts, zone, EARLIEST) <= self.now < instant(one.ends, zone, LATEST)
            for one in self.settings.planned_changes
        )


def decide(
    evidence: Iterable[Evidence], feeds: Iterable[FeedEvidence], open_: Iterable[Episode], around: Around
) -> list[Decision]:
    """One decision for every goal in force, every feed with a promise, and every alert that is open.

    Args:
        evidence: One for each goal in force.
        feeds: One for each feed that promises freshness.
        open_: Alerts that have not ended.
        around: Clock, settings, silences, owners.

    Returns:
        Decisions in the order of their keys; most of them change nothing, and say why.
    """
    standing = {one.key: one for one in open_}
    decisions = []
    for one in evidence:
        before = standing.pop(one.key, None) or _same_metric(standing, one.key)
        decisions.append(decide_touchpoint(one, before, around))
    held = [one.facts["late_feeds"] for one in decisions if one.reason == "data_missing" and one.facts]
    for feed in feeds:
        count = sum(feed.key.scope in names for names in held)
        decisions.append(decide_feed(feed, standing.pop(feed.key, None), around, held=count))
    decisions += [_ended(one, around, "goal_ended", one.facts) for one in standing.values()]
    return sorted(decisions, key=lambda one: one.key)


def decide_touchpoint(evidence: Evidence, before: Episode | None, around: Around) -> Decision:
    """What becomes of one metric of one touchpoint.

    Fires on `is_breach` alone, resolves when as many weeks in a row as the settings ask for, all ended
    since it fired, reach the goal over their four weeks. A week without data does neither, nor does one
    whose four weeks cannot be believed; one of which too many cases are open for a value ends nothing.
    """
    facts = facts_of(evidence)
    status = _status(evidence)
    if before is None or before.state == "pending":
        return _unfired(evidence, before, around, status, facts)
    before_now = replace(before, key=evidence.key, facts=facts)
    if status == "no_goal":
        return _ended(before, around, "goal_ended", facts)
    if status == "data_missing":
        held = before.held_state or before.state
        after = replace(before_now, state="no_data", held_state=held, reason=status)
        return Decision(key=evidence.key, reason=status, before=before, after=after, facts=facts)
    is_back = before.state == "no_data"
    if is_back:
        state = before.held_state or "firing"
        due = None if state == "acknowledged" or before.is_silent else around.due()
        before_now = replace(before_now, state=state, held_state=None, due_at=due)
    if _back(evidence.weeks, before, around) >= around.settings.resolve_after_windows:
        return _ended(before, around, "back_at_goal", facts)
    waits: Reason = "value_reaches_goal" if status == "at_goal" else "waiting_for_acknowledgement"
    decision = _waiting(before, before_now, around, waits)
    if is_back and not decision.notices and decision.after is not None:
        return replace(decision, reason="data_back", after=replace(decision.after, reason="data_back"))
    return decision


def decide_feed(evidence: FeedEvidence, before: Episode | None, around: Around, *, held: int = 0) -> Decision:
    """What becomes of a feed that is late or of which a delivery is held: its owner is told, metric alerts wait meanwhile.

    Args:
        evidence: Whether it is.
        before: Its open alert.
        around: Clock, settings, silences, owners.
        held: Alerts and goals that cannot be judged because of it.
    """
    names = ("age_hours", "age_max_hours", "newest_event_at", "is_late", "held_files")
    facts = {name: getattr(evidence, name) for name in names} | {"held": held}
    if not evidence.is_late and not evidence.held_files:
        if before is None:
            return Decision(key=evidence.key, reason="feed_on_time", facts=facts)
        return _ended(before, around, "feed_on_time", facts)
    if before is None:
        newest = evidence.newest_event_at or around.now
        began = newest.astimezone(around.calendar.zone).date()
        reason: Reason = "feed_late" if evidence.is_late else "delivery_held"
        return _told_first(evidence.key, None, around, reason, facts, began)
    return _waiting(before, replace(before, facts=facts), around, "waiting_for_acknowledgement")


def acknowledge(
    episode: Episode, by: str, at: datetime, note: str | None = None, *, disputes: bool = False
) -> Episode:
    """The alert after somebody has acknowledged it, or disputed its evidence: it no longer climbs."""
    state = episode.state if episode.held_state else "acknowledged"
    held = "acknowledged" if episode.held_state else None
    return replace(
        episode,
        state=state,
        held_state=held,
        reason="acknowledged",
        acked_at=at,
        acked_by=by,
        is_disputed=disputes,
        note=note,
        due_at=None,
    )


def facts_of(evidence: Evidence) -> dict[str, Any]:
    """The numbers that a decision rests on, by name; values are null when they are not known."""
    last = evidence.last
    began = began_on(evidence.weeks)
    before = next((week for week in reversed(evidence.weeks) if began and week.end <= began), None)
    return {
        "week_end": last.end if last else None,
        "week_n": last.n if last else 0,
        "week_value": last.value if last else None,
        "n": last.pool_n if last else 0,
        "value": last.pool_value if last else None,
        "value_low": last.pool_low if last else None,
        "value_high": last.pool_high if last else None,
        "bound": last.bound if last else None,
        "trust": last.trust if last else None,
        "doubts": last.doubts if last else (),
        "goal": next((week.goal for week in reversed(evidence.weeks) if week.goal is not None), None),
        "due_date": evidence.due,
        "direction": evidence.direction,
        "unit": evidence.unit,
        "customers": evidence.customers,
        "is_inherited": evidence.is_inherited,
        "breach_weeks": _run(evidence.weeks, lambda week: week.is_breach),
        "goal_weeks": _run(evidence.weeks, lambda week: week.is_pool_below is False),
        "late_feeds": evidence.late_feeds,
        "before_end": before.end if before else None,
        "before_n": before.pool_n if before else 0,
        "before_value": before.pool_value if before else None,
        **asdict(evidence.pace),
    }


def began_on(weeks: Sequence[Week]) -> date | None:
    """First day of the unbroken weeks below the goal that lead to the last one; None when it is not below."""
    observed = [week for week in weeks if week.has_data]
    below = list(takewhile(lambda week: week.is_below or week.is_breach, reversed(observed)))
    return below[-1].end - timedelta(days=7) if below else None


def _status(evidence: Evidence) -> Reason:
    """What the evidence says by itself."""
    last = evidence.last
    if not evidence.has_goal:
        return "no_goal"
    if last is None or evidence.is_missing:
        return "data_missing"
    if last.is_breach:
        return "not_believed" if last.doubts else "breach_on_evidence"
    return _no_breach(last, evidence)


def _no_breach(last: Week, evidence: Evidence) -> Reason:
    """Why a week with data is no breach."""
    if last.is_pool_below is False:
        return "at_goal"
    misses = last.bound is not None and last.goal is not None and _misses(last.bound, last.goal, evidence)
    if last.is_pool_below and not misses:
        return "bound_reaches_goal"
    if last.value is None or (last.is_pool_below is None and last.pool_n > 0):
        return "too_many_open"
    return "last_week_reaches_goal" if last.is_pool_below else "too_little_history"


def _misses(value: float, goal: float, evidence: Evidence) -> bool:
    return value < goal if evidence.direction == "higher" else value > goal


def _unfired(
    evidence: Evidence, before: Episode | None, around: Around, status: Reason, facts: dict[str, Any]
) -> Decision:
    """A key that has no alert, or one that waits."""
    key = evidence.key
    if status != "breach_on_evidence":
        if before is None:
            return Decision(key=key, reason=status, facts=facts)
        if status in ("data_missing", "not_believed", "too_many_open"):
            after = replace(before, reason=status, facts=facts)
            return Decision(key=key, reason=status, before=before, after=after, facts=facts)
        return _ended(before, around, "did_not_last", facts)
    began = began_on(evidence.weeks) or around.now.date()
    waits: Reason | None = None
    if around.is_planned(key):
        waits = "planned_change"
    elif facts["breach_weeks"] < around.settings.fire_after_windows:
        waits = "waiting_for_windows"
    if waits is None:
        return _told_first(key, before, around, "breach_on_evidence", facts, began)
    opened = before or _opened(key, around, began)
    after = replace(opened, key=key, state="pending", reason=waits, facts=facts, owner=around.owner(key))
    return Decision(key=key, reason=waits, before=before, after=after, facts=facts)


def _opened(key: Key, around: Around, began: date) -> Episode:
    owner = around.owner(key)
    return Episode(
        id=key.episode(around.now),
        key=key,
        state="pending",
        reason="breach_on_evidence",
        opened_at=around.now,
        began=began,
        owner_at_open=owner,
        owner=owner,
    )


def _told_first(
    key: Key, before: Episode | None, around: Around, reason: Reason, facts: dict[str, Any], began: date
) -> Decision:
    """The alert fires: whoever stands first on its path is told, unless it is silenced."""
    silence = around.silence(key)
    opened = replace(
        before or _opened(key, around, began),
        key=key,
        state=_fired(key),
        fired_at=around.now,
        owner=around.owner(key),
        facts=facts,
    )
    if silence is not None:
        after = replace(opened, reason="silenced", is_silent=True)
        return Decision(
            key=key, reason="silenced", before=before, after=after, facts=facts, silenced_by=silence
        )
    return _tell(before, opened, around, reason)


def _tell(before: Episode | None, now: Episode, around: Around, reason: Reason) -> Decision:
    """Tell whoever stands first on the path."""
    kind: NoticeKind = "breach" if now.key.scope_type == "touchpoint" else "no_data"
    first = around.path(now.key)[:1]
    after = replace(
        now,
        reason=reason,
        is_silent=False,
        told=tuple(Told(rung.person, rung.role, is_interrupt=True) for rung in first),
        due_at=around.due() if first else None,
    )
    notices = tuple(Notice(kind, rung) for rung in first)
    return Decision(key=now.key, reason=reason, before=before, after=after, notices=notices, facts=now.facts)


def _waiting(before: Episode, now: Episode, around: Around, waits: Reason) -> Decision:
    """An alert that has fired and goes on: handed over, acknowledged, silenced, climbing or waiting."""
    key, silence = now.key, around.silence(now.key)
    is_others = around.owner(key) != now.owner
    if silence is None and now.is_silent and (is_others or now.acked_at is None):
        fresh = replace(now, owner=around.owner(key), state=_fired(key), acked_at=None, acked_by=None)
        return _tell(before, fresh, around, "silence_ended")
    if is_others:
        return _handed_over(before, now, around)
    reason = waits
    if now.state == "acknowledged":
        reason = "acknowledged"
    elif silence is not None:
        reason = "silenced"
    elif waits == "value_reaches_goal":  # what recovers does not climb
        reason = waits
    elif now.due_at is not None and around.now >= now.due_at:
        return _climbed(before, now, around)
    elif now.due_at is None:
        reason = "nobody_above"
    after = replace(now, reason=reason)
    return Decision(key=key, reason=reason, before=before, after=after, facts=now.facts, silenced_by=silence)


def _handed_over(before: Episode, now: Episode, around: Around) -> Decision:
    """Somebody else answers now: theirs from here on, told in the week's digest, raised nothing anew."""
    owner = around.owner(now.key)
    known = {told.person for told in now.told}
    first = [] if now.is_silent else [rung for rung in around.path(now.key)[:1] if rung.person not in known]
    after = replace(
        now,
        owner=owner,
        state=_fired(now.key),
        level=0,
        reason="handed_over",
        acked_at=None,
        acked_by=None,
        told=(*now.told, *(Told(rung.person, rung.role, is_interrupt=False) for rung in first)),
        due_at=None if now.is_silent else around.due(),
    )
    notices = tuple(Notice("handed_over", rung, is_digest=True) for rung in first)
    return Decision(
        key=now.key, reason="handed_over", before=before, after=after, notices=notices, facts=now.facts
    )


def _climbed(before: Episode, now: Episode, around: Around) -> Decision:
    """Nobody acknowledged it in time: the next on the path is told."""
    known = {told.person for told in now.told}
    above = [rung for rung in around.path(now.key) if rung.person not in known][:1]
    if not above:
        after = replace(now, reason="nobody_above", due_at=None)
        return Decision(key=now.key, reason="nobody_above", before=before, after=after, facts=now.facts)
    told = tuple(Told(rung.person, rung.role, is_interrupt=True) for rung in above)
    after = replace(
        now,
        state="escalated",
        level=now.level + 1,
        reason="not_acknowledged",
        told=(*now.told, *told),
        due_at=around.due(),
    )
    notices = tuple(Notice("escalated", rung) for rung in above)
    return Decision(
        key=now.key, reason="not_acknowledged", before=before, after=after, notices=notices, facts=now.facts
    )


def _ended(before: Episode, around: Around, reason: Reason, facts: Mapping[str, Any] | None) -> Decision:
    """The alert ends: everybody who knows of it is told, in the way they came to know."""
    after = replace(
        before,
        state="resolved",
        held_state=None,
        reason=reason,
        resolved_at=around.now,
        due_at=None,
        facts=facts,
    )
    notices = tuple(
        Notice("resolved", Rung(told.role, told.person, None, "told before"), is_digest=not told.is_interrupt)
        for told in before.told
    )
    return Decision(key=before.key, reason=reason, before=before, after=after, notices=notices, facts=facts)


def _fired(key: Key) -> State:
    """How an alert stands that somebody has to look at."""
    return "firing" if key.scope_type == "touchpoint" else "no_data"


def _back(weeks: Sequence[Week], fired: Episode, around: Around) -> int:
    """How many of the windows that have ended since it fired reach the goal, up to the last, without a break."""
    since = (fired.fired_at or fired.opened_at).astimezone(around.calendar.zone).date()
    return _run([week for week in weeks if week.end > since], lambda week: week.is_pool_below is False)


def _same_metric(standing: dict[Key, Episode], key: Key) -> Episode | None:
    """The open alert of the same metric under an earlier goal: a new goal does not raise it anew."""
    for known in standing:
        if (known.scope_type, known.scope, known.metric) == (key.scope_type, key.scope, key.metric):
            return standing.pop(known)
    return None


def _run(weeks: Sequence[Week], holds: Callable[[Week], bool]) -> int:
    """How many of the last weeks that tell anything hold something, without a break."""
    return sum(1 for _ in takewhile(holds, (week for week in reversed(weeks) if week.tells)))


__all__ = [
    "Around",
    "acknowledge",
    "began_on",
    "decide",
    "decide_feed",
    "decide_touchpoint",
    "facts_of",
]
