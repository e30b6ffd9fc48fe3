"""Alerts and notifications as published tables."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from contracts.accountability import NOBODY
from contracts.alerts import Episode, plain
from contracts.tables import FactAlert, FactNotification


def fact_alert(episodes: Iterable[Episode]) -> pl.DataFrame:
    """FactAlert's rows, unsorted."""
    return pl.DataFrame([_alert(one) for one in episodes], schema=FactAlert.published_schema())


def fact_notification(letters: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """FactNotification's rows, unsorted, from plain values."""
    return pl.DataFrame(list(letters), schema=FactNotification.published_schema())


def _alert(one: Episode) -> dict[str, Any]:
    facts = plain(one.facts or {})
    return {
        "alert_id": one.id,
        "scope_type": one.key.scope_type,
        "scope_id": one.key.scope,
        "metric": one.key.metric,
        "goal_from": one.key.goal,
        "state": one.state,
        "escalation_count": one.level,
        "opened_at": one.opened_at,
        "began_date": one.began,
        "fired_at": one.fired_at,
        "owner_at_open_id": one.owner_at_open or NOBODY,
        "owner_id": one.owner or NOBODY,
        "told_count": len(one.told),
        "is_silenced": one.is_silent,
        "acked_at": one.acked_at,
        "acked_by": one.acked_by,
        "is_disputed": one.is_disputed,
        "resolved_at": one.resolved_at,
        "n": facts.get("n"),
        "value": facts.get("value"),
        "value_low": facts.get("value_low"),
        "value_high": facts.get("value_high"),
        "goal": facts.get("goal"),
        "trust_grade": facts.get("trust"),
        "customer_count": facts.get("customers"),
        "evidence": json.dumps(facts, sort_keys=True),
    }
