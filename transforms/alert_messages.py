"""What is said of an alert: its numbers, who answers, since when, how it began, what comes next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import cached_property
from typing import Any

from contracts.accountability import AccountabilityMap, Metric
from contracts.alerts import REASONS, AlertMessage, Decision, Episode, Key, Notice, Rung
from contracts.answers import Answer, answers
from contracts.feeds import Feed
from contracts.tenures import Tenure

_SATISFIED = ("csat", "ces", "share")


@dataclass(frozen=True)
class Telling:
    """What messages need besides the decisions.

    Attributes:
        atlas: The map.
        feeds: The feeds.
        tenures: The map's tenures.
        now: The instant it is.
        paths: Whom an alert climbs to, by scope type and scope.
    """

    atlas: AccountabilityMap
    feeds: Sequence[Feed]
    tenures: Sequence[Tenure]
    now: datetime
    paths: Mapping[tuple[str, str], tuple[Rung, ...]]

    @cached_property
    def answers(self) -> dict[str, Answer]:
        """Who is accountable now, by touchpoint."""
        return {one.touchpoint: one for one in answers(self.atlas, self.now)}

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of people."""
        return {one.id: one.name for one in self.atlas.people}

    @cached_property
    def seats(self) -> dict[str, str]:
        """Names of seats."""
        return {one.id: one.name for one in self.atlas.seats}


def message(decision: Decision, notice: Notice, telling: Telling) -> AlertMessage:
    """What one person is told of one alert.

    Args:
        decision: What was decided; it has an alert.
        notice: Who is told, and as what.
        telling: The map and the clock.

    Raises:
        ValueError: The decision has no alert to tell of.
    """
    if decision.after is None:
        message_ = f"{decision.key}: there is no alert to tell of"
        raise ValueError(message_)
    episode, key, atlas = decision.after, decision.key, telling.atlas
    metric = next((one for one in atlas.metrics if one.id == key.metric), None)
    facts = dict(decision.facts or {})
    who = _who(key, episode, facts, telling)
    return AlertMessage(
        kind=notice.kind,
        alert=episode.id,
        to=notice.rung.person,
        role=notice.rung.role,
        why_you=notice.rung.why,
        map_version=atlas.version,
        scope_type=key.scope_type,
        scope=key.scope,
        scope_name=_scope_name(key, telling),
        stage_name=_stage_name(key, atlas),
        metric=key.metric,
        metric_name=metric.name if metric else key.metric,
        facts=facts,
        at=telling.now,
        reason=decision.reason,
        reason_text=REASONS[decision.reason],
        began=episode.began,
        days=_days(episode, telling),
        expected_dissatisfied=_dissatisfied(metric, facts),
        due_at=episode.due_at,
        next=tuple(_next(episode, telling)) if episode.due_at else (),
        acked_by_name=telling.names.get(episode.acked_by or "", episode.acked_by),
        history=tuple(_history(episode, telling)),
        **who,
    )


def _who(key: Key, episode: Episode, facts: Mapping[str, Any], telling: Telling) -> dict[str, Any]:
    if key.scope_type == "feed":
        seat = next((one.declared.owner for one in telling.feeds if one.name == key.scope), None)
        person = episode.owner
        return {
            "person": person,
            "person_name": telling.names.get(person or ""),
            "seat_name": telling.seats.get(seat or ""),
            "unowned": None if person else "nobody holds the seat that answers for the feed",
        }
    answer = telling.answers.get(key.scope)
    if answer is None:
        return {}
    return {
        "person": answer.person,
        "person_name": answer.person_name,
        "seat_name": answer.seat_name,
        "since": answer.since,
        "holder_name": answer.holder_name if answer.is_covered else None,
        "unowned": None if answer.person else answer.reason,
        "began_under": telling.names.get(_accountable_on(key.scope, episode, telling) or ""),
        "is_inherited": answer.person is not None and bool(facts.get("is_inherited")),
    }


def _accountable_on(touchpoint: str, episode: Episode, telling: Telling) -> str | None:
    """Who was accountable when the weeks below the goal began."""
    began = datetime.combine(episode.began, time(), telling.atlas.zone)
    held = (one for one in telling.tenures if one.touchpoint == touchpoint and one.start <= began < one.end)
    return next((one.person for one in held), None)


def _scope_name(key: Key, telling: Telling) -> str:
    if key.scope_type == "feed":
        return next(
            (one.declared.name or one.name for one in telling.feeds if one.name == key.scope), key.scope
        )
    return next((one.name for one in telling.atlas.touchpoints if one.id == key.scope), key.scope)


def _stage_name(key: Key, atlas: AccountabilityMap) -> str | None:
    stage = next((one.stage for one in atlas.touchpoints if one.id == key.scope), None)
    return next((one.name for one in atlas.stages if one.id == stage), None)


def _days(episode: Episode, telling: Telling) -> int:
    """Since it began, until it ended or now, in days."""
    until = (episode.resolved_at or telling.now).astimezone(telling.atlas.zone).date()
    return (until - episode.began).days


def _dissatisfied(metric: Metric | None, facts: Mapping[str, Any]) -> int | None:
    customers, value = facts.get("customers"), facts.get("value")
    if metric is None or metric.estimator not in _SATISFIED or customers is None or value is None:
        return None
    share = 1 - value if metric.direction == "higher" else value
    return round(customers * share)


def _next(episode: Episode, telling: Telling) -> list[dict[str, str | None]]:
    known = {told.person for told in episode.told}
    every = telling.paths.get((episode.key.scope_type, episode.key.scope), ())
    return [
        {
            "role": rung.role,
            "seat_name": telling.seats.get(rung.seat or ""),
            "name": telling.names.get(rung.person, rung.person),
        }
        for rung in every
        if rung.person not in known
    ]


def _history(episode: Episode, telling: Telling) -> list[str]:
    """What has happened to it, in words."""
    said = []
    zone = telling.atlas.zone
    if episode.owner_at_open != episode.owner:
        before, now = (
            telling.names.get(one or "", "nobody") for one in (episode.owner_at_open, episode.owner)
        )
        said.append(f"handed over from {before} to {now}")
    if episode.acked_at is not None:
        who = telling.names.get(episode.acked_by or "", episode.acked_by)
        word = "evidence disputed" if episode.is_disputed else "acknowledged"
        note = f': "{episode.note}"' if episode.note else ""
        said.append(f"{word} by {who} on {episode.acked_at.astimezone(zone):%Y-%m-%d}{note}")
    elif episode.fired_at is not None and not episode.is_open:
        said.append("never acknowledged")
    if episode.level:
        said.append(f"escalated {episode.level} time{'s' if episode.level > 1 else ''}")
    return said
