"""`answerable show`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def show(  # noqa: PLR0913 - each is an option of the command
    table: str = "",
    folder: Path = Path(),
    *,
    where: str | None = None,
    columns: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    limit: int = 40,
    release: int | None = None,
    json_: bool = False,
    csv: bool = False,
) -> None:
    """Show a published table in the terminal. Without a name: which tables there are.

    Of a table with periods the newest rows stand first; --json and --csv keep the order of the table.

    Example: answerable show scorecard_touchpoint --where "period = 'week' AND period_end > DATE '2026-10-01'"

    Args:
        table: The table's name.
        folder: The workspace.
        where: A SQL condition on its rows; dates and instants are compared with DATE '2026-10-01'.
        columns: Only these columns.
        limit: At most so many rows; for --json and --csv there is no limit.
        release: A release's number; the newest when absent.
        json_: Print the rows as JSON.
        csv: Print the rows as CSV.
    """
    from flows.asked import asked_limit  # noqa: PLC0415 - loaded when needed
    from flows.console import out  # noqa: PLC0415
    from flows.published import known_columns, newest, rows_where  # noqa: PLC0415
    from views.ladder import sentence  # noqa: PLC0415
    from views.terminal import any_table, fitting  # noqa: PLC0415

    limit = asked_limit(limit)
    published = newest(folder, release)
    if not table:
        for name in published.release.by_table:
            sys.stdout.write(f"{name:<24} {published.release.rows(name):>10,} rows\n")
        if published.has("gap_waterfall"):
            sys.stdout.write(sentence(published.table("gap_waterfall")) + "\n")
        return
    frame = published.table(table)
    frame = rows_where(table, frame, where) if where else frame
    if not json_ and not csv and "period_end" in frame.columns:
        frame = frame.sort("period_end", descending=True, maintain_order=True)
    frame = frame.select(known_columns(table, frame, columns)) if columns else frame
    if json_:
        sys.stdout.write(frame.write_json() + "\n")
    elif csv:
        sys.stdout.write(frame.write_csv())
    else:
        shown = frame if columns else frame.select(fitting(frame, limit, out.width))
        hidden = frame.width - shown.width
        out.print(any_table(shown, f"{table}, release {published.release.number}", limit, hidden))
