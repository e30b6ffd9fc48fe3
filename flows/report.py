"""What a run did, as plain values and in words."""

from pathlib import Path
from typing import Any

from contracts.deliveries import Delivery
from flows.console import out
from flows.feeds import load as load_kind
from flows.run import Outcome
from flows.unread import patterns, said_of, unclaimed
from flows.validation import sentences
from flows.workspace import LoadedWorkspace, load
from transforms.audit import open_findings
from views.ladder import sentence
from views.terminal import deliveries, findings, profile
from views.units import plural
from warehouse.inbox import Inbox
from warehouse.ledger import Ledger, has_ledger
from warehouse.releases import Releases
from warehouse.store import EventStore

Summary = dict[str, Any]


def summarize(outcome: Outcome) -> Summary:
    """What a run did, as plain values."""
    release = outcome.release
    return {
        "release": release.number,
        "path": str(release.folder),
        "tables": len(release.by_table),
        "reused": sum(all(one.is_reused for one in files) for files in release.by_table.values()),
        "rows": {name: release.rows(name) for name in release.by_table},
        "events": {
            "stored": outcome.absorbed.state.rows,
            "new": outcome.absorbed.new,
            "repeated": outcome.absorbed.repeated,
            "corrected": outcome.absorbed.corrected,
            "withdrawn": outcome.absorbed.withdrawn,
        },
        "read": [delivery.as_dict() for delivery in outcome.read],
        "alerts": [
            {
                "alert": one.after.id,
                "about": f"{one.key.scope}/{one.key.metric}",
                "state": one.after.state,
                "reason": one.reason,
                "owner": one.after.owner,
            }
            for one in outcome.alerts.changes
            if one.after is not None
        ],
        "letters": dict(outcome.letters),
        "validated": sentences(outcome.validated),
        "unclaimed": list(outcome.unclaimed),
        "held": outcome.left_out,
        "seconds": {name: round(cost.seconds, 3) for name, cost in outcome.costs.items() if cost.seconds},
        "profile": {
            name: {
                "seconds": None if cost.seconds is None else round(cost.seconds, 3),
                "cpu_seconds": round(cost.cpu_seconds, 3),
                "rows": cost.rows,
            }
            for name, cost in outcome.costs.items()
        },
    }


def print_summary(folder: Path, summary: Summary) -> None:
    """Print what a run did: deliveries, what became of events, findings, the release."""
    read = [Delivery.from_dict(values) for values in summary["read"]]
    if read:
        out.print(deliveries(read))
    for line in summary["validated"]:
        out.print(line)
    if unread := said_of(summary["unclaimed"]):
        out.print(unread)
    events = summary["events"]
    told = ", ".join(
        f"{events[name]:,} {name}" for name in ("new", "repeated", "corrected", "withdrawn") if events[name]
    )
    out.print(f"{events['stored']:,} events in the store ({told or 'nothing new'}).")
    releases = Releases(load(folder).warehouse / "published")
    release = releases.read(summary["release"])
    found = open_findings(releases.frame(release, "gap_finding"))
    minor = int(found["severity"].eq("info").sum())
    if minor < found.height:
        out.print(findings(found))
    if minor:
        out.print(f"{plural(minor, 'finding')} merely worth knowing: answerable audit")
    for one in summary["alerts"]:
        owner = one["owner"] or "nobody"
        out.print(f"alert {one['alert']}: {one['about']} is {one['state']} ({one['reason']}), owner {owner}")
    if summary["letters"]:
        out.print("Letters: " + ", ".join(f"{count} {end}" for end, count in summary["letters"].items()))
    out.print(release_line(summary))
    out.print(f"Published: {_shown(Path(summary['path']))}, also as {_shown(releases.root / 'current')}")
    out.print(sentence(releases.frame(release, "gap_waterfall")))


def print_profile(summary: Summary) -> None:
    """Print what every stage cost."""
    out.print(profile(summary["profile"]))


def release_line(summary: Summary) -> str:
    """Which release it is and how much of it is new."""
    tables, reused = summary["tables"], summary["reused"]
    if reused == tables:
        return f"Release {summary['release']}: nothing changed, all {tables} tables are byte-identical and reuse their files."
    return f"Release {summary['release']}: {tables} tables, {tables - reused} of them new, {reused} byte-identical to published ones."


def planned(workspace: LoadedWorkspace) -> tuple[list[dict[str, str]], list[str]]:
    """What a run would read: files, new, changed (its bytes or how it is read) or known, and what the inbox holds.

    Returns:
        That, and files in inbox folders that no stream reads.
    """
    known = {
        (d.feed, d.stream, d.source): d for d in EventStore(workspace.warehouse / "store").head().deliveries
    }
    plan, left = [], set[str]()
    waiting = Inbox(Ledger(workspace.warehouse)).waiting() if has_ledger(workspace.warehouse) else {}
    for feed in workspace.feeds:
        for stream in feed.declared.streams:
            if feed.declared.kind == "push" and feed.name in waiting:
                pushed = plural(waiting[feed.name], "delivery", "deliveries")
                plan.append({"what": "inbox", "stream": f"{feed.name}.{stream.name}", "file": pushed})
            offers = load_kind(feed.declared.kind).offers(stream, workspace.root)
            left |= offers.left
            for offer in offers:
                before = known.get((feed.name, stream.name, offer.name))
                same = before is not None and before.sha256 == offer.sha256
                what = "known" if same else "changed" if before else "new"
                plan.append({"what": what, "stream": f"{feed.name}.{stream.name}", "file": offer.name})
    return plan, unclaimed(patterns(workspace.feeds), left, workspace.root)


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
