"""The gap audit on the terminal."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

import polars as pl
from rich.table import Table
from rich.text import Text

STYLES = {"critical": "bold red", "warning": "yellow", "info": "dim"}


def finding_list(found: pl.DataFrame, zone: ZoneInfo) -> Table:
    """Findings in their order, each with what is at stake, since when, who acts, and the remedy."""
    table = Table(title="What nobody owns, measures, aims for or looks at", title_justify="left")
    for name in ("severity", "finding, and what to do"):
        table.add_column(name, overflow="fold")
    for name in ("events", "customers"):
        table.add_column(name, justify="right")
    table.add_column("since")
    table.add_column("who acts", overflow="fold")
    for row in found.iter_rows(named=True):
        said = Text(row["sentence"])
        said.append(f"\n{row['remedy']}", "dim")
        said.append(f"\n{row['rule']} of {row['object_id']}", "dim")
        said.append(f"  {row['declared_at']}" if row["declared_at"] else "", "dim")
        if row["waived_until_at"]:
            until = row["waived_until_at"].astimezone(zone)
            verb = "Waived until" if row["state"] == "waived" else "Back: its waiver ended on"
            said.append(f"\n{verb} {until:%Y-%m-%d} ({row['waived_by']}: {row['waiver_reason']})", "italic")
        counts = [f"{row[name]:,}" if row[name] else "" for name in ("event_count", "customer_count")]
        since = f"{row['since_at'].astimezone(zone):%Y-%m-%d}" if row["since_at"] else ""
        severity = Text(row["severity"], STYLES[row["severity"]])
        table.add_row(severity, said, *counts, since, row["fixed_by"] or "nobody is named")
    return table


def rule_list(rules: Iterable[tuple[str, str, str, str]]) -> Table:
    """The audit's rules: name, severity, what they look for, who acts."""
    table = Table(title="Rules of the audit", title_justify="left")
    for name in ("rule", "severity", "finds", "who acts"):
        table.add_column(name, overflow="fold")
    for name, severity, about, who in rules:
        table.add_row(name, Text(severity, STYLES[severity]), about, who)
    return table


def rules_page(rules: Iterable[tuple[str, str, str, str, str]]) -> str:
    """The audit's rules as a page: name, severity, what they look for, remedy, who acts."""
    lines = [_PREFACE]
    for name, severity, about, remedy, who in sorted(rules):
        lines.append(f"| `{name}` | {severity} | {about} | {remedy.replace('|', '/')} | {who} |")
    return "\n".join(lines) + "\n"


_PREFACE = """# Rules of the gap audit

Every rule is one declaration in `transforms/audit/`; this page is printed from them by `python -m flows.docs`.

*Who acts*: the accountable seat, the feed's owner, or whoever the map gives the right to decide on owners, goals,
metrics or rules (`decision_rights`). Where the map names nobody, the finding names nobody either. What is in braces is
filled in by the finding.

A finding is silenced by a waiver in the map, with an approver, a reason and an end:

```yaml
waivers:
  - {rule: touchpoint_without_goal, object: payment, approver: vera, reason: ..., until: 2026-09-01}
```

| rule | severity | finds | remedy | who acts |
| --- | --- | --- | --- | --- |"""
