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

    The same as a page stands beside the release: published/current/quality.html. Ends with exit code 0
    whatever it shows; `answerable run` tells of held deliveries by its own.

    Example: answerable quality shop --json

    Args:
        folder: The workspace.
        limit: At most so many rules; for --json there is no limit.
        release: A release's number; the newest when absent.
        json_: Print it as JSON.
    """
    from flows.console import out  # noqa: PLC0415 - loaded when needed
    from views.quality import QUALITY_TABLES, broken_rules, last_grades, sentence  # noqa: PLC0415
    from views.terminal import feeds_quality, grades_quality, rules_quality  # noqa: PLC0415
    from warehouse.releases import Releases  # noqa: PLC0415

    releases = Releases(load(folder).warehouse / "published")
    chosen = releases.read(release) if release else releases.head()
    if chosen is None:
        raise StoreError.at(str(folder), "has no release yet.", "Run 'answerable run' first.")
    trust, results, grades = (releases.frame(chosen, name) for name in QUALITY_TABLES)
    broken, graded = broken_rules(results), last_grades(grades)
    if json_:
        parts = {"feeds": trust, "broken_rules": broken, "grades": graded}
        told = {name: json.loads(frame.write_json()) for name, frame in parts.items()}
        sys.stdout.write(json.dumps({"release": chosen.number, **told}) + "\n")
        return
    out.print(f"Release {chosen.number}. {sentence(trust)}")
    out.print(feeds_quality(trust))
    if broken.height:
        out.print(rules_quality(broken, limit))
    if graded.height:
        out.print(grades_quality(graded))
    out.print(f"As a page: {chosen.folder / 'quality.html'}")
