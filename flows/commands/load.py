"""`answerable load`."""

import sys
from pathlib import Path


def load(folder: Path = Path(), *, json_: bool = False) -> None:
    """What every accountable person carries, and where nobody could step in for them.

    Touchpoints, events and customers of the last 28 days, goals missed, and the touchpoints at which the map
    names neither a cover or delegate nor anybody else responsible. Marked when it is more than `limits` in
    answerable.yaml allow.

    Example: answerable load shop

    Args:
        folder: The workspace; it has to have been run.
        json_: Print the rows as JSON.
    """
    from flows.console import out  # noqa: PLC0415
    from flows.published import newest  # noqa: PLC0415
    from views.work import load_table  # noqa: PLC0415

    carried = newest(folder).table("person_load")
    if json_:
        sys.stdout.write(carried.write_json() + "\n")
    else:
        out.print(load_table(carried))
