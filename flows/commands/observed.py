"""`answerable observed`."""

import sys
from pathlib import Path


def observed(folder: Path = Path(), *, limit: int = 10, json_: bool = False) -> None:
    """Which team really resolves a touchpoint's cases, against the one that answers for it.

    Prints how often the two agree, with a 95 % interval, then the largest disagreements with a change to the
    map to decide on. Nothing is ever changed by itself.

    Example: answerable observed shop --limit 5

    Args:
        folder: The workspace; it has to have been run.
        limit: At most so many disagreements.
        json_: Print the whole table as JSON.
    """
    from flows.asked import asked_limit  # noqa: PLC0415
    from flows.console import out  # noqa: PLC0415
    from flows.published import newest  # noqa: PLC0415
    from views.work import agreement_table, disagreement_table  # noqa: PLC0415

    limit, published = asked_limit(limit), newest(folder)
    resolved = published.table("observed_accountability")
    if json_:
        sys.stdout.write(resolved.write_json() + "\n")
        return
    if resolved.is_empty():
        out.print("No case was resolved in the last 91 days by a group that is recorded.")
        return
    parts = (("dim_touchpoint", "touchpoint"), ("dim_team", "team"))
    called: dict[str, str] = {}
    for table, kind in parts:
        called |= dict(published.table(table).select(f"{kind}_id", f"{kind}_name").iter_rows())
    out.print(agreement_table(resolved, called))
    out.print(disagreement_table(resolved, limit, called))
