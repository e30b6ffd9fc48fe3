"""`answerable map show`."""

import json
import sys
from pathlib import Path

from contracts.answers import answers
from flows.asked import asked_moment, source
from flows.beliefs import belief
from flows.workspace import load


def map_show(
    folder: Path = Path(), *, as_of: str | None = None, as_known: str | None = None, json_: bool = False
) -> None:
    """Show who answers for every touchpoint, by stage.

    Example: `answerable map show --as-of 2026-05-03 --as-known 2026-05-04`

    Args:
        folder: The workspace.
        as_of: Who answered on this date, from its first moment, or at this instant; now when absent.
        as_known: By the map that was recorded last by this date or instant; as it lies there when absent.
        json_: Print the answers as JSON.
    """
    workspace = load(folder)
    moment = asked_moment(as_of, "--as-of", workspace, workspace.now)
    believed = belief(workspace, asked_moment(as_known, "--as-known", workspace, None))
    found = answers(believed.atlas, moment)
    if json_:
        said = {
            "as_of": moment.isoformat(),
            "map_version": believed.record.version if believed.record else believed.atlas.version,
            "recorded_at": believed.record.recorded_at.isoformat() if believed.record else None,
            "touchpoints": [one.as_dict() for one in found],
        }
        sys.stdout.write(json.dumps(said, indent=1) + "\n")
        return
    from flows.console import out  # noqa: PLC0415 - loads rich
    from views.answers import answer_table, moment_text  # noqa: PLC0415

    zone = workspace.settings.zone
    stages = {stage.id: stage.name for stage in believed.atlas.stages}
    out.print(answer_table(found, stages, zone, f"Who answers at {moment_text(moment, zone)}"))
    sys.stdout.write(f"{source(believed, workspace)}\n")
