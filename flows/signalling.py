"""What a run has to tell an orchestrator: signals made of what it decided, read and found."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from contracts.alerts import Decision, plain
from contracts.deliveries import Delivery
from contracts.signals import Signal, slug
from flows.workspace import LoadedWorkspace

Finding = tuple[str, str, str]
"""Rule, type and id of its object."""

_OF_FEEDS = {"no_data": "answerable.feed.overdue", "resolved": "answerable.feed.recovered"}


def of_alerts(
    workspace: LoadedWorkspace, decisions: Sequence[Decision], at: datetime, moment: str
) -> Iterator[Signal]:
    """Signals of alerts that moved.

    Args:
        workspace: The workspace.
        decisions: What was decided.
        at: The real instant.
        moment: What the transition belongs to, the run's id: told twice it is one.
    """
    home = slug(workspace.settings.name)
    for one in decisions:
        name = _name_of(one)
        if name is None or one.after is None:
            continue
        facts, is_feed = one.facts or {}, one.key.scope_type == "feed"
        told = ("age_hours", "age_max_hours") if is_feed else ("value", "goal", "n")
        labels = {} if is_feed else {"answerable.metric": one.key.metric, "answerable.goal": one.key.goal}
        yield Signal(
            name=name,
            workspace=home,
            subject=one.key.scope,
            occurred_at=at,
            key=f"{one.after.id}|{one.after.state}|{one.after.level}|{moment}",
            title=f"{one.key.scope}/{one.key.metric}",
            labels=labels,
            payload={"alert": one.after.id, "reason": one.reason, **_some(facts, told)},
            owner=one.after.owner,
        )


def of_acknowledgement(workspace: LoadedWorkspace, decision: Decision, at: datetime, by: str) -> list[Signal]:
    """The signal that somebody took an alert on, or disputes it."""
    if decision.after is None or decision.key.scope_type == "feed":
        return []
    labels = {"answerable.metric": decision.key.metric, "answerable.goal": decision.key.goal}
    return [
        Signal(
            name="answerable.alert.acknowledged",
            workspace=slug(workspace.settings.name),
            subject=decision.key.scope,
            occurred_at=at,
            key=f"{decision.after.id}|{at.isoformat()}",
            title=f"{decision.key.scope}/{decision.key.metric}",
            labels=labels,
            payload={"alert": decision.after.id, "by": by},
            owner=decision.after.owner,
        )
    ]


def of_deliveries(
    workspace: LoadedWorkspace,
    read: Sequence[Delivery],
    at: datetime,
    run: str,
    owners: Mapping[str, str | None],
) -> Iterator[Signal]:
    """Signals of feeds that landed, and of contracts that were broken.

    Args:
        workspace: The workspace.
        read: Deliveries that the run read.
        at: The real instant.
        run: The run.
        owners: Who answers for a feed now, by its name.
    """
    home = slug(workspace.settings.name)
    for feed in dict.fromkeys(one.feed for one in read):
        own = [one for one in read if one.feed == feed]
        accepted = [one for one in own if one.state == "accepted"]
        if accepted:
            rows = sum(one.rows_accepted for one in accepted)
            yield Signal(
                name="answerable.feed.landed",
                workspace=home,
                subject=feed,
                occurred_at=at,
                key=run,
                payload={"deliveries": len(accepted), "rows_accepted": rows, "run": run},
                owner=owners.get(feed),
            )
        for one in own:
            if one.state == "held" or (one.state == "accepted" and one.rows_quarantined):
                yield Signal(
                    name="answerable.contract.broken",
                    workspace=home,
                    subject=feed,
                    occurred_at=at,
                    key=f"{run}|{one.source}",
                    title=one.source,
                    labels={"answerable.contract": one.contract},
                    payload={
                        "source": one.source,
                        "state": one.state,
                        "rows_quarantined": one.rows_quarantined,
                        "run": run,
                    },
                    owner=owners.get(feed),
                )


def of_release(workspace: LoadedWorkspace, manifest: Mapping[str, Any]) -> Signal:
    """The signal of a release, as its manifest tells of it."""
    tables = manifest["tables"].values()
    return Signal(
        name="answerable.scorecard.published",
        workspace=slug(workspace.settings.name),
        occurred_at=datetime.fromisoformat(manifest["published_at"]),
        key=f"{manifest['number']}|{manifest['run']}",
        title=f"{workspace.settings.name}, release {manifest['number']}",
        labels={"answerable.map_version": manifest["map_version"]},
        payload={
            "release": manifest["number"],
            "run": manifest["run"],
            "changed": sum(not table["is_reused"] for table in tables),
        },
    )


def of_gaps(
    workspace: LoadedWorkspace, before: pl.DataFrame, after: pl.DataFrame, at: datetime, release: int
) -> Iterator[Signal]:
    """Signals of findings that stand only in one of two releases.

    Args:
        workspace: The workspace.
        before: GapFinding of the release before.
        after: GapFinding of this one.
        at: The real instant.
        release: Number of this one.
    """
    home = slug(workspace.settings.name)
    old, new = _open(before), _open(after)
    for name, here, there in (("opened", new, old), ("closed", old, new)):
        for finding in sorted(here.keys() - there.keys()):
            rule, _, object_ = finding
            severity, sentence, customers = here[finding]
            payload: dict[str, Any] = {"sentence": sentence, "release": release}
            yield Signal(
                name=f"answerable.gap.{name}",
                workspace=home,
                subject=f"{rule}.{object_}",
                occurred_at=at,
                key=str(release),
                title=sentence[:120],
                labels={"answerable.rule": rule, "answerable.severity": severity},
                payload=payload | ({"customers": customers} if name == "opened" else {}),
            )


def of_failure(workspace: LoadedWorkspace, run: str, error: str, at: datetime) -> Signal:
    """The signal that a run ended with an error."""
    return Signal(
        name="answerable.run.failed",
        workspace=slug(workspace.settings.name),
        occurred_at=at,
        key=run,
        payload={"run": run, "error": error.partition("\n")[0][:300]},
    )


def _name_of(one: Decision) -> str | None:
    """The word for a transition; None when nobody needs to be woken."""
    if one.after is None:
        return None
    before, after = one.before.state if one.before else None, one.after.state
    if before == after or not one.is_change:
        return None
    if one.key.scope_type == "feed":
        return _OF_FEEDS.get(after) if before is None or after == "resolved" else None
    if after == "resolved":
        return "answerable.metric.recovered" if one.after.fired_at else None
    if after == "escalated":
        return "answerable.alert.escalated"
    fresh = one.before is None or one.before.fired_at is None
    return "answerable.metric.breached" if after == "firing" and fresh else None


def _some(facts: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: plain(facts[name]) for name in names if name in facts}


def _open(findings: pl.DataFrame) -> dict[Finding, tuple[str, str, int]]:
    """Findings that nobody waived: severity, sentence, customers."""
    stand = findings.filter(pl.col("state") != "waived").select(
        "rule", "object_type", "object_id", pl.col("severity").cast(pl.String), "sentence", "customer_count"
    )
    return {(rule, kind, id_): (how, said, n) for rule, kind, id_, how, said, n in stand.iter_rows()}
