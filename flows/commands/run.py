"""`answerable run`."""

import json
import os
import sys
from pathlib import Path

from contracts.errors import ExecutorError, FeedError
from flows.workspace import LoadedWorkspace, load

VARIABLE = "ANSWERABLE_MEMORY"

URL = "PREFECT_API_URL"


def run(  # noqa: PLR0913 - each is an option of the command
    folder: Path = Path(),
    *,
    dry_run: bool = False,
    quiet: bool = False,
    json_: bool = False,
    profile: bool = False,
    memory: str | None = None,
    inline: bool = False,
) -> None:
    """Read what the feeds delivered and publish a release.

    Only what is new is read; a run that was killed is simply run again. With PREFECT_API_URL set the
    stages run as a Prefect flow, else in this process. Ends with exit code 4 when a delivery is held, or one that was
    pushed was left out of what it read: the release is published all the same, with the feed's last good data.

    Args:
        folder: The workspace.
        dry_run: Only say which files would be read.
        quiet: No progress bars and no report.
        json_: Print what happened as JSON; what every stage cost is part of it.
        profile: Print what every stage cost: wall time, CPU time, rows.
        memory: How much memory the run may take, like 2GB; it keeps within it, or says before it begins what
            it needs. Otherwise what ANSWERABLE_MEMORY or `memory:` in answerable.yaml says.
        inline: Run in this process although PREFECT_API_URL is set.
    """
    workspace = load(folder)
    if memory is not None:
        from flows.allowance import size  # noqa: PLC0415 - loads polars

        size(memory, "--memory")
        os.environ[VARIABLE] = memory
    if dry_run:
        _plan(workspace, json_=json_)
        return
    # Imported here: a workspace that is wrong is told so before anything slow is loaded.
    from flows.console import progress  # noqa: PLC0415

    with progress(quiet=quiet or json_) as tell:
        if os.environ.get(URL) and not inline:
            _must_answer(os.environ[URL])
            from flows.pipeline import run_workspace  # noqa: PLC0415

            summary = run_workspace(str(folder.resolve()))
        else:
            from flows.report import summarize  # noqa: PLC0415
            from flows.run import run_inline  # noqa: PLC0415

            summary = summarize(run_inline(workspace, tell))
    _report(folder, summary, quiet=quiet, json_=json_)
    if profile and not json_:
        from flows.report import print_profile  # noqa: PLC0415

        print_profile(summary)
    if count := len(summary["held"]):
        raise FeedError.at(
            "held",
            "1 delivery was left out." if count == 1 else f"{count:,} deliveries were left out.",
            "\n".join(summary["held"]),
        )


def _must_answer(url: str) -> None:
    """See whether a Prefect server is there before a flow is begun, which would only end in its client's traceback.

    Raises:
        ExecutorError: It does not answer, or is something else.
    """
    import httpx  # noqa: PLC0415 - slow, and only needed here

    remedy = "Start it, mend the variable, or run in this process with --inline."
    try:
        httpx.get(f"{url.rstrip('/')}/health", timeout=10, follow_redirects=True).json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ExecutorError.at(URL, f"names {url!r}, which does not answer: {error}.", remedy) from None
    except ValueError:
        what = f"names {url!r}, which is no Prefect API. It mostly ends in '/api'."
        raise ExecutorError.at(URL, what, remedy) from None


def _plan(workspace: LoadedWorkspace, *, json_: bool) -> None:
    from flows.report import planned  # noqa: PLC0415
    from flows.unread import said_of  # noqa: PLC0415

    plan, unread = planned(workspace)
    if json_:
        sys.stdout.write(json.dumps(plan, indent=1) + "\n")
        return
    for one in plan:
        sys.stdout.write(f"{one['what']:<10} {one['stream']:<24} {one['file']}\n")
    fresh = sum(one["what"] != "known" for one in plan)
    sys.stdout.write(f"{fresh} of {len(plan)} files would be read; nothing was written.\n")
    if unread:
        sys.stdout.write(f"{said_of(unread)}\n")


def _report(folder: Path, summary: dict, *, quiet: bool, json_: bool) -> None:
    if json_:
        sys.stdout.write(json.dumps(summary, indent=1) + "\n")
    elif not quiet:
        from flows.report import print_summary  # noqa: PLC0415

        print_summary(folder, summary)
