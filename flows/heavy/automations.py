"""The automations of a workspace: what Prefect begins, ends and begins again by itself.

`prefect.yaml` declares what follows a published event. What depends on the workspace's own feeds, and what
watches over flow runs, stands here. Each is known by its name and told apart by a fingerprint, so that one
that is as it was is left alone: its trigger goes on waiting where it was.
"""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, CompoundTrigger, EventTrigger, Posture

from contracts.signals import slug
from flows.workspace import LoadedWorkspace, load

PREFIX = "answerable: "
TAG = "answerable"
HEARTBEAT_SECONDS = 30
"""How often a flow run says that it lives; it is the least that Prefect allows."""

_ENDED = ("Completed", "Failed", "Crashed", "Cancelled", "Cancelling")
_OURS = {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}
_RUNS = {"prefect.resource.id": "prefect.flow-run.*"}


@dataclass(frozen=True)
class Patience:
    """How long a flow run is waited for, in seconds; Prefect waits 10 at least.

    Attributes:
        lost: For the next heartbeat of one that is running.
        stuck: For one that was taken by a worker to begin.
        again: Before a crashed one is done again.
    """

    lost: float = 4 * HEARTBEAT_SECONDS
    stuck: float = 120
    again: float = 10


def automations(
    workspace: LoadedWorkspace, deployments: dict[str, UUID], patience: Patience | None = None
) -> list[AutomationCore]:
    """Everything that a workspace needs, by the deployments that there are.

    Args:
        workspace: The workspace.
        deployments: Ids of the deployments by name.
        patience: How long runs are waited for; the usual when absent.
    """
    return [
        *_recovery(patience or Patience()),
        *_overdue(workspace, deployments["refresh"]),
        *_together(workspace, deployments),
    ]


def _recovery(patience: Patience) -> list[AutomationCore]:
    """A run that is lost or stuck is marked as crashed, and a crashed one is done again, as a run of its own."""
    return [
        _automation(
            "do a crashed run again",
            "A flow run of ours crashed: its deployment runs again, at most three times in all.",
            EventTrigger(
                expect={"prefect.flow-run.Crashed"},
                match=_RUNS,
                match_related=_OURS,
                for_each={"prefect.resource.id"},
                posture=Posture.Reactive,
                threshold=1,
                within=timedelta(hours=1),  # one that is found dead twice is done again once
            ),
            RunDeployment(
                source="inferred",
                parameters={"crashed": "{{ event.resource.id }}"},  # all that needs no look-up
                schedule_after=timedelta(seconds=patience.again),
            ),
        ),
        _automation(
            "a run that has gone quiet has crashed",
            f"A running flow run of ours has not said for {patience.lost:g} s that it lives.",
            EventTrigger(
                # Running too: one that is killed before its first heartbeat would be waited for by nobody.
                after={"prefect.flow-run.Running", "prefect.flow-run.heartbeat"},
                expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{end}" for end in _ENDED)},
                match=_RUNS,
                match_related=_OURS,
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                threshold=1,
                within=timedelta(seconds=patience.lost),
            ),
            ChangeFlowRunState(state=StateType.CRASHED, message=f"No heartbeat for {patience.lost:g} s"),
        ),
        _automation(
            "a run that never begins has crashed",
            f"A flow run of ours was taken by a worker and has not begun for {patience.stuck:g} s.",
            EventTrigger(
                after={"prefect.flow-run.Pending"},
                expect={f"prefect.flow-run.{state}" for state in ("Running", *_ENDED)},
                match=_RUNS,
                match_related=_OURS,
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                threshold=1,
                within=timedelta(seconds=patience.stuck),
            ),
            ChangeFlowRunState(state=StateType.CRASHED, message=f"Pending for {patience.stuck:g} s"),
        ),
    ]


def _overdue(workspace: LoadedWorkspace, refresh: UUID) -> list[AutomationCore]:
    """A feed that has landed and does not land again in time is looked at; a breach that nobody takes on too.

    The run that begins decides by the ledger and tells whoever answers: the event only wakes it.
    """
    found = []
    for feed in workspace.feeds:
        if feed.freshness_hours is None:
            continue
        within = max(timedelta(hours=feed.freshness_hours), timedelta(seconds=10))  # Prefect's least
        landed = {"answerable.feed.landed"}
        found.append(
            _automation(
                f"feed {feed.name} is overdue",
                f"{feed.name} has landed and not again within {within}: a run tells its owner.",
                EventTrigger(
                    after=landed,
                    expect=landed,
                    match={"prefect.resource.id": _feed(workspace, feed.name)},
                    for_each={"prefect.resource.id"},  # without it, it fires again and again, landed or not
                    posture=Posture.Proactive,
                    threshold=1,
                    within=within,
                ),
                _begin(refresh, f"feed {feed.name} overdue"),
            )
        )
    alerts = workspace.settings.alerts
    days = alerts.escalate_after_business_days if alerts else 2
    answers = ("alert.acknowledged", "alert.escalated", "metric.recovered")
    found.append(
        _automation(
            "a breach is not acknowledged",
            f"A metric was breached and nobody has answered for {days} days: a run lets the alert climb.",
            EventTrigger(
                after={"answerable.metric.breached"},
                expect={f"answerable.{name}" for name in answers},
                match={"prefect.resource.id": f"answerable.touchpoint.{slug(workspace.settings.name)}.*"},
                for_each={"prefect.resource.id", "answerable.metric"},
                posture=Posture.Proactive,
                threshold=1,
                within=timedelta(days=days),
            ),
            _begin(refresh, "breach not acknowledged"),
        )
    )
    return found


def _together(workspace: LoadedWorkspace, deployments: dict[str, UUID]) -> list[AutomationCore]:
    """Once every feed has landed within a day, the release of the day; needs two feeds to mean anything."""
    if len(workspace.feeds) < 2:
        return []
    landed = [
        EventTrigger(
            expect={"answerable.feed.landed"},
            match={"prefect.resource.id": _feed(workspace, feed.name)},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        )
        for feed in workspace.feeds
    ]
    return [
        _automation(
            "every feed has landed",
            "All feeds have landed within one day: the map is held against it.",
            CompoundTrigger(require="all", within=timedelta(days=1), triggers=[*landed]),
            RunDeployment(deployment_id=deployments["map-audit"], schedule_after=timedelta(seconds=30)),
        )
    ]


def _begin(deployment: UUID, occasion: str) -> RunDeployment:
    return RunDeployment(deployment_id=deployment, parameters={"occasion": occasion})


def _feed(workspace: LoadedWorkspace, name: str) -> str:
    return f"answerable.feed.{slug(workspace.settings.name)}.{name}"


def _automation(
    name: str, about: str, trigger: EventTrigger | CompoundTrigger, action: RunDeployment | ChangeFlowRunState
) -> AutomationCore:
    """An automation whose description ends with a fingerprint of what it does."""
    said = _plain(trigger.model_dump(mode="json")), action.model_dump(mode="json")
    mark = hashlib.sha256(repr(said).encode()).hexdigest()[:8]
    return AutomationCore(
        name=PREFIX + name, description=f"{about} [{mark}]", tags=[TAG], trigger=trigger, actions=[action]
    )


def _plain(value: Any) -> Any:  # noqa: ANN401 - what JSON holds
    """Without ids that are drawn anew, and sets in order."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in sorted(value.items()) if name != "id"}
    if isinstance(value, list):
        return sorted((_plain(one) for one in value), key=repr)
    return value


def put(client: SyncPrefectClient, wanted: Sequence[AutomationCore]) -> dict[str, int]:
    """Make the automations of our prefix exactly these; how many were made, changed, kept and dropped."""
    counts = {"made": 0, "changed": 0, "kept": 0, "dropped": 0}
    there: dict[str, list[Any]] = {}
    for one in _every(client):
        there.setdefault(one["name"], []).append(one)
    for one in wanted:
        known = there.pop(one.name, [])
        if known and known[0]["description"] == one.description and known[0]["enabled"]:
            counts["kept"] += 1
        elif known:
            body = one.model_dump(mode="json", exclude={"owner_resource"})  # no part of a change
            client.request("PUT", "/automations/{id}", path_params={"id": known[0]["id"]}, json=body)
            counts["changed"] += 1
        else:
            client.request("POST", "/automations/", json=one.model_dump(mode="json"))
            counts["made"] += 1
        there[one.name] = known[1:]
    for one in (one for some in there.values() for one in some):
        client.request("DELETE", "/automations/{id}", path_params={"id": one["id"]})
        counts["dropped"] += 1
    return counts


def _every(client: SyncPrefectClient) -> list[dict[str, Any]]:
    """Automations of our prefix. Those that belong to a deployment stand in `prefect.yaml`."""
    found: list[dict[str, Any]] = []
    while True:
        asked = {"limit": 200, "offset": len(found), "sort": "CREATED_DESC", "automations": None}
        page = client.request("POST", "/automations/filter", json=asked).json()
        found += page
        if len(page) < 200:
            break
    return [one for one in found if one["name"].startswith(PREFIX)]


def deploy(folder: Path) -> dict[str, int]:
    """Put a workspace's automations onto the server that Prefect is set to; its deployments have to be there."""
    workspace = load(folder)
    with get_client(sync_client=True) as client:
        deployments = {one.name: one.id for one in client.read_deployments()}
        return put(client, automations(workspace, deployments))


if __name__ == "__main__":
    done = deploy(Path(sys.argv[1]))
    sys.stdout.write(", ".join(f"{count} {what}" for what, count in done.items()) + "\n")
