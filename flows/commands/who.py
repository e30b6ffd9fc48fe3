"""`answerable who`."""

import json
import sys
from pathlib import Path

from contracts.answers import answers
from flows.asked import asked_moment, asked_touchpoint, source
from flows.beliefs import belief
from flows.workspace import load


def who(
    touchpoint: str,
    folder: Path = Path(),
    *,
    at: str | None = None,
    as_known: str | None = None,
    json_: bool = False,
) -> None:
    """Say who answers for a touchpoint, at any instant and by what was known at any other.

    Examples: `answerable who delivery --at 2026-05-03` asks today's map, with every correction since;
    `answerable who delivery --at 2026-05-03 --as-known 2026-05-04` asks the map that was believed on 4 May.
    "Nobody" is an answer, with its reason. Ends with exit code 2 when there is no such touchpoint.

    Args:
        touchpoint: Its id, or one that it had.
        folder: The workspace.
        at: A date, which means its first moment, or an instant like 2026-05-03T14:30; now when absent.
        as_known: By the map that was recorded last by this date or instant; as it lies there when absent.
        json_: Print the answer as JSON.
    """
    workspace = load(folder)
    moment = asked_moment(at, "--at", workspace, workspace.now)
    believed = belief(workspace, asked_moment(as_known, "--as-known", workspace, None))
    name = asked_touchpoint(touchpoint, believed.atlas)
    answer = next(one for one in answers(believed.atlas, moment) if one.touchpoint == name)
    if json_:
        record = believed.record
        known = {
            "map_version": record.version if record else believed.atlas.version,
            "recorded_at": record.recorded_at.isoformat() if record else None,
            "recorded_by": record.recorded_by if record else None,
        }
        sys.stdout.write(json.dumps(answer.as_dict() | known, indent=1) + "\n")
        return
    from views.answers import answer_text  # noqa: PLC0415 - loads rich

    sys.stdout.write(answer_text(answer, workspace.settings.zone, source(believed, workspace)))
