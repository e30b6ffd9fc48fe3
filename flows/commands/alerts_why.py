"""`answerable alerts why`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.alerts import REASONS, Decision
from contracts.errors import QuestionError
from flows.workspace import LoadedWorkspace, load


def alerts_why(what: str, folder: Path = Path(), *, metric: str | None = None, json_: bool = False) -> None:
    """Say why an alert fired, or why none did: the decision's reason and every number it rests on.

    Examples: `answerable alerts why 8c1f` explains an alert, with all that happened to it; `answerable alerts
    why chat` says of a touchpoint's goals, or of a feed, why nobody is told. Judged on the newest release,
    with nothing written. Ends with exit code 2 when there is neither such an alert nor such a place.

    Args:
        what: An alert's id or its first signs, or the id of a touchpoint or feed.
        folder: The workspace.
        metric: Only this metric.
        json_: Print as JSON.
    """
    from contracts.alerts import plain  # noqa: PLC0415
    from flows.alert_desk import desk, find, judged  # noqa: PLC0415 - loads SQLAlchemy

    workspace = load(folder)
    places = {one.id for one in workspace.atlas.touchpoints} | {one.name for one in workspace.feeds}
    decisions = [one for one in judged(workspace) if metric in (None, one.key.metric)]
    with desk(workspace).reading() as book:
        if workspace.atlas.current(what) in places:
            place = workspace.atlas.current(what)
            shown = [one for one in decisions if one.key.scope == place]
        else:
            episode = find(book, what)
            shown = [one for one in decisions if one.after is not None and one.after.id == episode.id]
            shown = shown or [
                Decision(key=episode.key, reason=episode.reason, after=episode, facts=episode.facts)
            ]
        history = {one.after.id: book.history(one.after.id) for one in shown if one.after is not None}
    if not shown:
        raise QuestionError.at(what, "has no goal in force and no promise.", "'answerable check' says more.")
    if json_:
        found = [{**plain(one), "history": _past(one, history)} for one in shown]
        sys.stdout.write(json.dumps(plain(found), indent=1) + "\n")
        return
    for one in shown:
        sys.stdout.writelines(f"{line}\n" for line in _lines(one, history, workspace))


def _past(one: Decision, history: dict[str, list[Any]]) -> list[Any]:
    return history.get(one.after.id, []) if one.after is not None else []


def _lines(one: Decision, history: dict[str, list[Any]], workspace: LoadedWorkspace) -> Iterator[str]:
    state = one.after.state if one.after is not None else "no alert"
    yield f"{one.key.scope}/{one.key.metric}: {state}, because {REASONS[one.reason]} ({one.reason})"
    if one.silenced_by is not None:
        yield f"  silence {one.silenced_by.id}: {one.silenced_by.reason}"
    for name, value in (one.facts or {}).items():
        if value not in (None, (), []):
            yield f"  {name:<16} {_shown(value)}"
    if one.after is not None:
        yield f"  {'began':<16} {one.after.began}"
        if one.after.due_at is not None:
            due = one.after.due_at.astimezone(workspace.settings.zone)
            yield f"  {'climbs':<16} {due:%Y-%m-%d %H:%M}, unless acknowledged"
        yield f"  {'knows':<16} {', '.join(told.person for told in one.after.told) or 'nobody'}"
    for event in _past(one, history):
        at = event.at.astimezone(workspace.settings.zone)
        by = f" by {event.by}" if event.by else ""
        yield f"  {at:%Y-%m-%d %H:%M}  {event.before or 'nothing'} -> {event.after}: {event.reason}{by}"


def _shown(value: Any) -> str:  # noqa: ANN401 - a number, a day, a list
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
