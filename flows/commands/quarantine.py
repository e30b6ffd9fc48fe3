"""`answerable quarantine`: look at rows that broke their contract, judge them again, or give them up."""

import sys
from pathlib import Path

from cyclopts import App

from contracts.errors import WorkspaceError, did_you_mean
from contracts.feeds import Feed
from flows.workspace import LoadedWorkspace, load

quarantine = App(name="quarantine", help=__doc__.partition(": ")[2])


@quarantine.command
def show(
    feed: str = "",
    folder: Path = Path(),
    *,
    rule: str | None = None,
    limit: int = 40,
    json_: bool = False,
    csv: bool = False,
) -> None:
    """Show the rows that wait, with their reasons and what was delivered.

    With --csv every column of the contract stands in a column of its own: mend the file and give it to
    `answerable quarantine replay`.

    Example: answerable quarantine show survey.answers --rule csat.maximum --csv > mend.csv

    Args:
        feed: A feed, or one of its streams as `feed.stream`; every feed when absent.
        folder: The workspace.
        rule: Only rows that broke this rule.
        limit: At most so many rows; for --json and --csv there is no limit.
        json_: Print the rows as JSON.
        csv: Print the rows as CSV, to be mended. Needs a stream.
    """
    from flows.asked import asked_limit  # noqa: PLC0415
    from flows.console import out  # noqa: PLC0415
    from flows.mending import waiting, with_columns_of  # noqa: PLC0415
    from views.terminal import any_table  # noqa: PLC0415

    limit, workspace = asked_limit(limit), load(folder)
    name, stream = _named(workspace, feed)
    rows = waiting(workspace, name, stream, rule)
    if csv:
        if name is None or stream is None:
            raise WorkspaceError.at("--csv", "needs one stream.", "Write it as feed.stream.")
        sys.stdout.write(with_columns_of(workspace, name, stream, rows).write_csv())
    elif json_:
        sys.stdout.write(rows.write_json() + "\n")
    else:
        shown = rows.select("feed", "stream", "source", "_row", "_reasons", "_raw")
        out.print(any_table(shown, f"{rows.height:,} rows in quarantine", limit))


@quarantine.command
def replay(
    feed: str,
    folder: Path = Path(),
    *,
    rows: Path | None = None,
    source: str | None = None,
    rule: str | None = None,
    json_: bool = False,
) -> None:
    """Judge waiting rows once more, re-admit those that keep the contract, and publish a release.

    After the contract was mended, or with rows that were. A row is re-admitted once: what is accepted
    waits no more, and a second replay finds nothing. A file that is still in the inbox is judged anew
    by every run once its contract has changed; this is for files that are gone and for mended rows.

    Example: answerable quarantine replay survey.answers --rows mend.csv

    Args:
        feed: A feed, or one of its streams as `feed.stream`.
        folder: The workspace.
        rows: A CSV file of mended rows, as `quarantine show --csv` writes it; an empty field keeps what
            was delivered.
        source: Only rows of this delivery.
        rule: Only rows that broke this rule.
        json_: Print what happened as JSON.
    """
    from flows.decisions import Decision  # noqa: PLC0415 - loads polars
    from flows.mending import decide, mended_rows  # noqa: PLC0415

    workspace = load(folder)
    name, stream = _named(workspace, feed)
    mended = None
    if rows is not None:
        if name is None or stream is None:
            raise WorkspaceError.at("--rows", "needs one stream.", "Write it as feed.stream.")
        mended = mended_rows(workspace, name, stream, rows)
    decide(folder, workspace, Decision("replay", name or "", stream, source, rule, mended), json_=json_)


@quarantine.command
def drop(
    feed: str,
    folder: Path = Path(),
    *,
    source: str | None = None,
    rule: str | None = None,
    json_: bool = False,
) -> None:
    """Give waiting rows up, and publish a release.

    They are kept in landing and counted as dropped; a delivery that was held for them is released. It
    cannot be undone but by delivering the rows again.

    Example: answerable quarantine drop tickets --rule line.not_json

    Args:
        feed: A feed, or one of its streams as `feed.stream`.
        folder: The workspace.
        source: Only rows of this delivery.
        rule: Only rows that broke this rule.
        json_: Print what happened as JSON.
    """
    from flows.decisions import Decision  # noqa: PLC0415 - loads polars
    from flows.mending import decide  # noqa: PLC0415

    workspace = load(folder)
    name, stream = _named(workspace, feed)
    decide(folder, workspace, Decision("drop", name or "", stream, source, rule), json_=json_)


def _named(workspace: LoadedWorkspace, feed: str) -> tuple[str | None, str | None]:
    """Feed and stream of `feed.stream`; None where nothing is said."""
    name, _, stream = feed.partition(".")
    if not name:
        return None, None
    feeds: dict[str, Feed] = {one.name: one for one in workspace.feeds}
    if name not in feeds:
        raise WorkspaceError.at(feed, "is no feed.", did_you_mean(name, feeds))
    if stream and stream not in feeds[name].shapes:
        raise WorkspaceError.at(
            feed, f"feed {name!r} has no such stream.", did_you_mean(stream, feeds[name].shapes)
        )
    return name, stream or None
