"""`answerable rules show`: what the rules catch."""

import sys
from pathlib import Path


def rules_show(folder: Path = Path(), *, json_: bool = False) -> None:
    """How often every rule matched, ever and in 28 days; dead and shadowed ones are marked.

    Example: answerable rules show shop

    Args:
        folder: The workspace; it has to have been run.
        json_: Print the rules as JSON.
    """
    from flows.console import out  # noqa: PLC0415
    from flows.published import newest  # noqa: PLC0415
    from views.terminal import rule_table  # noqa: PLC0415

    hits = newest(folder).table("rule_hit").sort("position")
    if json_:
        sys.stdout.write(hits.write_json() + "\n")
        return
    out.print(rule_table(hits))
