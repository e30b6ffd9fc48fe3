"""`answerable alerts list`."""

import json
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from contracts.alerts import Episode, Silence
from flows.workspace import LoadedWorkspace, load

_RECENT = timedelta(days=28)


def alerts_list(folder: Path = Path(), *, every: bool = False, json_: bool = False) -> None:
    """List alerts: what is open, since when, who answers, who knows; silences in force; letters that wait.

    Example: `answerable alerts list --every` shows those that have ended, too. The last line says what became
    of the last 28 days' alerts: an alert that nobody acts on, or whose evidence is disputed, is noise.

    Args:
        folder: The workspace.
        every: Also those that have ended.
        json_: Print as JSON.
    """
    from contracts.alerts import plain  # noqa: PLC0415
    from flows.alert_desk import desk  # noqa: PLC0415 - loads SQLAlchemy

    workspace = load(folder)
    ledger = desk(workspace)
    with ledger.reading() as book:
        known = book.episodes()
        silences = [one for one in book.silences() if one.starts_at <= workspace.now < one.ends_at]
    shown = [one for one in known if every or one.is_open]
    letters, precision = ledger.counts(), _precision(known, workspace)
    if json_:
        found = {"alerts": shown, "silences": silences, "letters": letters, "last_28_days": precision}
        sys.stdout.write(json.dumps(plain(found), indent=1) + "\n")
        return
    sys.stdout.writelines(_line(one, workspace) for one in shown)
    sys.stdout.writelines(_silence(one, workspace) for one in silences)
    told = ", ".join(f"{count} {state}" for state, count in sorted(letters.items())) or "none"
    sys.stdout.write(f"{sum(one.is_open for one in known)} open. Letters: {told}.\n")
    said = ", ".join(f"{count} {name}" for name, count in precision.items())
    sys.stdout.write(f"Last 28 days: {said}.\n")


def _line(one: Episode, workspace: LoadedWorkspace) -> str:
    ended = one.resolved_at or workspace.now
    days = (ended.astimezone(workspace.settings.zone).date() - one.began).days
    quiet = ", silenced" if one.is_silent else ""
    disputed = ", disputed" if one.is_disputed else ""
    told = ", ".join(f"{told.person} ({told.role})" for told in one.told) or "nobody"
    return (
        f"{one.id}  {one.state + quiet + disputed:<14} {one.key.scope}/{one.key.metric:<22} {days:>4} days  "
        f"owner {one.owner or 'nobody':<12} knows: {told}\n"
    )


def _silence(one: Silence, workspace: LoadedWorkspace) -> str:
    until = one.ends_at.astimezone(workspace.settings.zone)
    what = "/".join(part for part in (one.touchpoint or "everything", one.metric) if part)
    return f"silence {one.id}: {what} until {until:%Y-%m-%d %H:%M}, by {one.author}: {one.reason}\n"


def _was_due(one: Episode, workspace: LoadedWorkspace) -> bool:
    """Whether somebody was told of an alert and had to acknowledge it before it ended."""
    from contracts.alert_settings import Alerts  # noqa: PLC0415 - loaded when needed
    from transforms.alert_decision import Around  # noqa: PLC0415
    from transforms.business_days import WorkCalendar  # noqa: PLC0415

    if one.is_silent or one.fired_at is None or one.resolved_at is None:
        return not one.is_silent
    settings = workspace.settings.alerts or Alerts()
    calendar = WorkCalendar.of(settings, workspace.settings.zone)
    return one.resolved_at >= Around(one.fired_at, settings, calendar).due()


def _precision(known: Iterable[Episode], workspace: LoadedWorkspace) -> dict[str, int]:
    """What became of the alerts that fired in the last 28 days."""
    since = workspace.now - _RECENT
    fired = [one for one in known if one.fired_at is not None and one.fired_at > since]
    acted = sum(one.acked_at is not None and not one.is_disputed for one in fired)
    disputed = sum(one.is_disputed for one in fired)
    silent = [one for one in fired if one.acked_at is None and not one.is_disputed]
    open_ = sum(one.is_open for one in silent)
    early = sum(not one.is_open and not _was_due(one, workspace) for one in silent)
    return {
        "fired": len(fired),
        "acted on": acted,
        "disputed": disputed,
        "not yet acted on": open_,
        "ended before an answer was due": early,
        "ignored": len(fired) - acted - disputed - open_ - early,
    }
