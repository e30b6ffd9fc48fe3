"""`answerable audit`."""

import json
import sys
from pathlib import Path
from typing import Literal

from contracts.errors import GapError
from views.units import plural


def audit(
    folder: Path = Path(),
    *,
    fail_on: Literal["critical", "warning", "info", "never"] = "critical",
    waived: bool = False,
    rules: bool = False,
    json_: bool = False,
) -> None:
    """What nobody owns, measures, aims for or looks at: the gaps of the newest release.

    The most customers at stake come first, each with since when, who has to act, and what to do. Waived
    findings are left out until their waiver ends. Ends with exit code 9 when an open finding is at least as
    severe as `--fail-on`.

    Example: answerable audit shop --fail-on warning

    Args:
        folder: The workspace; it has to have been run.
        fail_on: Least severity that fails; `never` only reports.
        waived: Show waived findings too.
        rules: Only list the audit's rules.
        json_: Print findings, waterfall and sentence as JSON.
    """
    from flows.console import out  # noqa: PLC0415
    from transforms.audit import RULES, open_findings  # noqa: PLC0415 - loads polars
    from views.findings import finding_list, rule_list  # noqa: PLC0415

    if rules:
        listed = [(one.name, one.severity, one.about, one.fixed_by) for one in RULES]
        keys = ("rule", "severity", "about", "fixed_by")
        if json_:
            sys.stdout.write(
                json.dumps([dict(zip(keys, one, strict=True)) for one in listed], indent=1) + "\n"
            )
        else:
            out.print(rule_list(listed))
        return

    from flows.published import newest  # noqa: PLC0415
    from views.ladder import sentence, waterfall_table  # noqa: PLC0415

    published = newest(folder)
    every, waterfall = published.table("gap_finding"), published.table("gap_waterfall")
    shown = every.sort("place") if waived else open_findings(every)
    said = sentence(waterfall)
    if json_:
        told = {
            "release": published.release.number,
            "sentence": said,
            "findings": json.loads(shown.write_json()),
            "waterfall": json.loads(waterfall.write_json()),
        }
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    else:
        out.print(finding_list(shown, published.workspace.settings.zone))
        out.print(waterfall_table(waterfall))
        if published.is_outdated:
            out.print("The map has changed since this release: run 'answerable run' to audit it anew.")
        out.print(said)
    failing = open_findings(every, fail_on).height if fail_on != "never" else 0
    if failing:
        raise GapError.at(
            "audit",
            f"{plural(failing, 'open finding')} of severity {fail_on!r} or worse.",
            "Close them, or waive them in the map with an approver, a reason and an end.",
        )
