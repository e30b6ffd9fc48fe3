"""`answerable alerts silence`."""

import json
import sys
from pathlib import Path

from contracts.errors import QuestionError, did_you_mean
from flows.asked import asked_moment, asked_touchpoint
from flows.workspace import LoadedWorkspace, load


def alerts_silence(  # noqa: PLR0913 - each is an option of the command
    place: str,
    folder: Path = Path(),
    *,
    until: str,
    reason: str,
    metric: str | None = None,
    by: str | None = None,
    json_: bool = False,
) -> None:
    """Tell nobody of a touchpoint's or feed's alerts until a date; they are still decided, counted and listed.

    Example: `answerable alerts silence delivery --until 2026-12-01 --reason "carrier strike, known"`. What
    fires meanwhile and still stands when the silence ends is told then. For changes that are known
    beforehand write `planned_changes` in answerable.yaml instead.

    Args:
        place: Id of the touchpoint or feed; '.' for everything.
        folder: The workspace.
        until: A date, which means its first moment, or an instant like 2026-12-01T08:00.
        reason: Why.
        metric: Only this metric.
        by: Who asks for it; ANSWERABLE_ACTOR or the account's name when absent.
        json_: Print the silence as JSON.
    """
    from contracts.alerts import plain  # noqa: PLC0415
    from flows.alert_desk import silence  # noqa: PLC0415 - loads SQLAlchemy

    workspace = load(folder)
    ends = asked_moment(until, "--until", workspace, workspace.now)
    metrics = [one.id for one in workspace.atlas.metrics]
    if metric is not None and metric not in metrics:
        raise QuestionError.at(metric, "is no metric of the map.", did_you_mean(metric, metrics))
    made = silence(workspace, _place(place, workspace), metric, ends, reason, by)
    local = made.ends_at.astimezone(workspace.settings.zone)
    sys.stdout.write(
        json.dumps(plain(made), indent=1) + "\n"
        if json_
        else f"silence {made.id}: {place} until {local:%Y-%m-%d %H:%M}, by {made.author}.\n"
    )


def _place(written: str, workspace: LoadedWorkspace) -> str | None:
    if written == ".":
        return None
    if written in {feed.name for feed in workspace.feeds}:
        return written
    return asked_touchpoint(written, workspace.atlas)
