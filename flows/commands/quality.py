"""`answerable quality`."""

import json
import sys
from pathlib import Path

from contracts.errors import StoreError
from flows.workspace import load


def quality(
    folder: Path = Path(), *, limit: int = 20, release: int | None = None, json_: bool = False
) -> None:
    """Show how good the data of a release is: feeds, broken rules, how far to believe the numbers.

    That is also who was asked and answered, whose hands numbers go through, and what was restated.

    The same as a page stands beside the release: published/current/quality.html. Ends with exit code 0
    whatever it shows; `answerable run` tells of held deliveries by its own.

    Example: answerable quality shop --json

    Args:
        folder: The workspace.
        limit: At most so many rules and restated values; for --json there is no limit.
        release: A release's number; the newest when absent.
        json_: Print it as JSON.
    """
    from contracts.tables import TABLES  # noqa: PLC0415 - loaded when needed
    from flows.asked import asked_limit, asked_release  # noqa: PLC0415 - loaded when needed
    from flows.console import out  # noqa: PLC0415 - loaded when needed
    from views.quality import QUALITY_TABLES, broken_rules, last_grades, sentence  # noqa: PLC0415
    from views.terminal import feeds_quality, grades_quality, rules_quality  # noqa: PLC0415
    from views.trust import answered, drifts, hands, units  # noqa: PLC0415
    from views.trust_tables import answered_table, hands_table, restated_table  # noqa: PLC0415
    from warehouse.releases import Releases  # noqa: PLC0415

    limit, release = asked_limit(limit), asked_release(release)
    releases = Releases(load(folder).warehouse / "published")
    chosen = releases.read(release) if release else releases.head()
    if chosen is None:
        raise StoreError.at(str(folder), "has no release yet.", "Run 'answerable run' first.")
    there = {table.table_name(): table.empty() for table in TABLES}
    there |= {name: releases.frame(chosen, name) for name in chosen.by_table if name in QUALITY_TABLES}
    trust, results, grades = (there[name] for name in QUALITY_TABLES[:3])
    broken, graded = broken_rules(results), last_grades(grades)
    if json_:
        parts = {"feeds": trust, "broken_rules": broken, "grades": graded, "who_answered": answered(there)}
        parts["drifts"] = there["sampling_sentinel"].filter("is_standing")
        parts |= {name: there[name] for name in ("independence", "restatement")}
        told = {name: json.loads(frame.write_json()) for name, frame in parts.items()}
        sys.stdout.write(json.dumps({"release": chosen.number, **told}) + "\n")
        return
    out.print(f"Release {chosen.number}. {sentence(trust)}")
    out.print(feeds_quality(trust))
    if broken.height:
        out.print(rules_quality(broken, limit))
    if graded.height:
        out.print(grades_quality(graded))
    samples, whose = answered(there), hands(there["independence"])
    if samples.height:
        out.print(answered_table(samples, drifts(there["sampling_sentinel"])))
    if whose:
        out.print(hands_table(whose))
    if there["restatement"].height:
        out.print(restated_table(there["restatement"], limit, units(there["dim_metric"])))
    page = chosen.folder / "quality.html"
    if page.exists():  # a machine that fetched the release has not drawn it
        out.print(f"As a page: {page}")
