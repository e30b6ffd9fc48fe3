"""`answerable rules unmatched`: what no rule catches, as YAML to paste."""

import json
import sys
from pathlib import Path


def rules_unmatched(
    folder: Path = Path(), *, limit: int = 20, touchpoint: str | None = None, json_: bool = False
) -> None:
    """Events that no rule matches, the most customers first, as YAML to paste into the map.

    Saved as `map/unmatched.yaml` it is accepted as it is: new touchpoints belong to nobody until somebody
    is named. What they are, and the share of unmatched events against its goal, goes to standard error.

    Example: answerable rules unmatched shop > shop/map/unmatched.yaml

    Args:
        folder: The workspace; it has to have been run.
        limit: At most so many kinds of event.
        touchpoint: Lead them all to this touchpoint instead of new ones.
        json_: Print them as JSON instead.
    """
    from flows.asked import asked_limit  # noqa: PLC0415
    from flows.unmatched import share_line, stubs  # noqa: PLC0415 - loads polars

    found = stubs(folder, asked_limit(limit), touchpoint)
    if json_:
        sys.stdout.write(json.dumps(found.rows, indent=1) + "\n")
        return
    sys.stderr.write(share_line(folder) + "\n")
    if found.rows:
        sys.stdout.write(found.yaml)
