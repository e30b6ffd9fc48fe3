"""`answerable demo`."""

import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl

from contracts.errors import AnswerableError, QuestionError
from contracts.tables import ScorecardTouchpoint
from contracts.workspace import FILE
from examples.larkspur import found
from flows.console import out, progress
from flows.embedded import prepare
from flows.passes import credited_events
from flows.progress import Tell
from flows.report import print_summary
from flows.workspace import LoadedWorkspace, load
from views.terminal import planted_and_found, scorecard
from warehouse.releases import Releases
from warehouse.store import EventStore

_COMPANY = Path(found.__file__).parent
SMALLEST_SCALE = 0.02
"""Below it planted rows are more than a twentieth of some deliveries, which are held for them."""


class DemoError(AnswerableError):
    """The demo did not find what was planted, or found what was not."""


def demo(folder: Path = Path("build/demo"), *, scale: float = 1.0, inline: bool = False) -> None:
    """Generate a synthetic company, run it, and hold what was planted against what was found.

    Larkspur is an online retailer with delivery and a help desk: 18 months, 40,000 customers, about
    600,000 events, and a list of planted truths. Ends with exit code 1 when a truth that should be found
    is not, or when something is found that was not planted.

    Args:
        folder: Where to put the company. A second demo there reuses its data.
        scale: Share of its customers, from 0.02 on.
        inline: Run in this process instead of as a Prefect flow on its embedded server.
    """
    with progress() as tell:
        make_company(folder, scale, lambda what: tell(what, 0, 1))
        _publish_before_the_late_file(folder, tell)
        if inline:
            from flows.report import summarize  # noqa: PLC0415
            from flows.run import run_inline  # noqa: PLC0415

            summary = summarize(run_inline(load(folder), tell))
        else:
            prepare((folder / ".prefect").resolve())
            from flows.pipeline import run_workspace  # noqa: PLC0415 - Prefect reads its settings when imported

            tell("Prefect flow on its embedded server", 0, 1)
            summary = run_workspace(str(folder.resolve()))
    workspace = load(folder)
    releases = Releases(workspace.warehouse / "published")
    release = releases.read(summary["release"])
    print_scorecard(releases.frame(release, ScorecardTouchpoint.table_name()))
    print_summary(folder, summary)
    truths = json.loads((folder / "truth/truths.json").read_text())
    lines = found.compare(truths, lambda table: releases.frame(release, table))
    out.print(planted_and_found((line.planted, line.status, line.said) for line in lines))
    extra = found.unplanted_gaps(truths, lambda table: releases.frame(release, table), is_whole=scale >= 1)
    if scale >= 1:
        extra += found.unplanted_breaches(truths, lambda table: releases.frame(release, table))
    wrong = _attribution(workspace, folder)
    _judge(lines, extra, wrong)


def print_scorecard(card: pl.DataFrame) -> None:
    """Print the judged touchpoints of the last 28 days; where a feed is stale the last that were judged."""
    windows = card.filter(
        pl.col("period") == "rolling_28d", pl.col("metric") != "events", pl.col("goal").is_not_null()
    )
    last = windows.filter(pl.col("period_end") == pl.col("period_end").max())
    on = ["touchpoint_id", "metric"]
    stale = last.filter("is_stale").select(*on, waits=pl.lit(value=True))
    judged = windows.filter(~pl.col("is_stale")).sort("period_end").unique(on, keep="last").join(stale, on=on)
    shown = pl.concat([last.join(judged, on=on, how="anti"), judged], how="diagonal")
    first, end = last["period_start"].min(), last["period_end"].max()
    order = (
        pl.col("verdict").cast(pl.String).replace_strict({"missed": 0, "cannot_tell": 1, "met": 2}, default=3)
    )
    title = f"28 days, {first} until {end}"
    if judged.height:
        title = f"28 days until {end}; where a feed is late, the 28 days until {judged['period_end'].max()}"
    out.print(
        scorecard(
            shown.sort(pl.col("waits").fill_null(value=False), order, "touchpoint_name", "metric"), title
        )
    )


def make_company(folder: Path, scale: float, tell: Callable[[str], None]) -> None:
    """Put the company's workspace and what its feeds delivered into a folder; data of the same scale is reused.

    Raises:
        QuestionError: The scale is too small to find everything, or no number.
    """
    from examples.larkspur.generate import generate  # noqa: PLC0415 - loaded when needed

    if not SMALLEST_SCALE <= scale < math.inf:
        what = f"{scale:g} is no share of its customers in which everything can be found."
        raise QuestionError.at("--scale", what, f"Write a number from {SMALLEST_SCALE} on.")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_COMPANY / FILE, folder / FILE)
    for part in ("map", "feeds", "contracts"):
        shutil.copytree(_COMPANY / part, folder / part, dirs_exist_ok=True)
    made = folder / "truth/summary.json"
    if not made.exists() or json.loads(made.read_text())["scale"] != scale:
        shutil.rmtree(folder / "inbox", ignore_errors=True)
        generate(folder, scale=scale, progress=tell)


def _publish_before_the_late_file(folder: Path, tell: Tell) -> None:
    """A first release without the file that comes late, so that it has published values to restate."""
    from examples.larkspur.late import held_back  # noqa: PLC0415 - loaded when needed
    from flows.run import run_inline  # noqa: PLC0415

    workspace = load(folder)
    if Releases(workspace.warehouse / "published").head() is None:
        with held_back(folder):
            run_inline(workspace, tell)


def _attribution(workspace: LoadedWorkspace, folder: Path) -> int:
    """Hold every event's owner against the generator's plan; returns how many are wrong."""
    state = EventStore(workspace.warehouse / "store").head()
    credited = credited_events(workspace, state)
    truth = pl.read_parquet(folder / "truth/owners.parquet")
    checked = found.attribution(credited, truth)
    out.print(
        f"Attribution: {checked.events:,} events, {checked.wrong:,} credited to the wrong person; "
        f"crediting today's owner would be wrong for {checked.wrong_by_current / checked.events:.1%}."
    )
    return checked.wrong


def _judge(lines: list[found.Line], extra: list[str], wrong: int) -> None:
    missed = [line.planted for line in lines if line.status == "missed"]
    looked_for = [line for line in lines if line.status != "not looked for yet"]
    sys.stdout.write(
        f"{len(looked_for) - len(missed)} of {len(looked_for)} truths found, {len(extra)} found that were not "
        f"planted, {len(lines) - len(looked_for)} not looked for yet.\n"
    )
    if missed or extra or wrong:
        raise DemoError.at(
            "demo", "not everything is as it was planted:", "; ".join([*missed, *extra]) or "see above"
        )
