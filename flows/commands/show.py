"""`answerable show`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from contracts.errors import StoreError


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

    Example: answerable show scorecard_touchpoint --where "period = 'week' AND verdict = 'missed'"

    Args:
        table: The table's name.
        folder: The workspace.
        where: A SQL condition on its rows.
        columns: Only these columns.
        limit: At most so many rows; for --json and --csv there is no limit.
        release: A release's number; the newest when absent.
        json_: Print the rows as JSON.
        csv: Print the rows as CSV.
    """
    import polars as pl  # noqa: PLC0415 - loaded when needed

    from flows.asked import asked_limit  # noqa: PLC0415
    from flows.console import out  # noqa: PLC0415
    from flows.published import newest  # noqa: PLC0415
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
    try:
        frame = frame.filter(pl.sql_expr(where)) if where else frame
        frame = frame.select(columns) if columns else frame
    except pl.exceptions.PolarsError as error:
        raise StoreError.at(
            table,
            f"cannot be asked that: {str(error).splitlines()[0]}.",
            f"Columns: {', '.join(frame.columns)}.",
        ) from None
    if json_:
        sys.stdout.write(frame.write_json() + "\n")
    elif csv:
        sys.stdout.write(frame.write_csv())
    else:
        shown = frame if columns else frame.select(fitting(frame, limit, out.width))
        hidden = frame.width - shown.width
        out.print(any_table(shown, f"{table}, release {published.release.number}", limit, hidden))
