"""The inbox of unmatched events: the published table as YAML that the map accepts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from contracts.errors import MapError, did_you_mean
from flows.published import newest
from transforms.unmatched import free_name, inbox
from views.stubs import Stub, stubs_yaml


@dataclass(frozen=True)
class Inbox:
    """Kinds of events that no rule matches.

    Attributes:
        rows: The kinds as plain values, the most customers first.
        yaml: What to paste into the map for them.
    """

    rows: list[dict[str, Any]]
    yaml: str


def stubs(folder: Path, limit: int, touchpoint: str | None) -> Inbox:
    """What no rule matched in the newest release.

    Args:
        folder: The workspace.
        limit: At most so many kinds.
        touchpoint: Touchpoint that the rules lead to; a new one each when absent.

    Raises:
        MapError: The map has no such touchpoint.
    """
    published = newest(folder)
    atlas = published.workspace.atlas
    known = [one.id for one in atlas.touchpoints]
    if touchpoint is not None and touchpoint not in known:
        raise MapError.at(
            "--touchpoint", f"{touchpoint!r} is not in the map.", did_you_mean(touchpoint, known)
        )
    taken = {*known, *(name for one in atlas.touchpoints for name in one.was), "all", "nobody", "unmatched"}
    rules = {one.id for one in atlas.rules}
    made = []
    lost = inbox(published.table("fact_event_unmatched"))[:limit]
    for one in lost:
        wanted = one.kind.partition(".")[2] or one.kind
        point, rule = touchpoint or free_name(wanted, taken), free_name(wanted, rules)
        taken.add(point)
        rules.add(rule)
        said = f"{one.events:,} events of {one.customers:,} customers, on {', '.join(one.channels)}"
        made.append(Stub(rule, point, one.feed, one.kind, " ".join(said.split()), touchpoint is None))
    stages = [stage.id for stage in atlas.stages]
    rows = [
        {**vars(one), "channels": list(one.channels), "rule": stub.rule, "touchpoint": stub.touchpoint}
        for one, stub in zip(lost, made, strict=True)
    ]
    return Inbox(rows, stubs_yaml(made, stages[0], stages) if made else "")


def share_line(folder: Path) -> str:
    """The share of unmatched events over the last 28 days against its goal, in words."""
    windows = newest(folder).table("unmatched_share").filter(pl.col("period") == "rolling_28d")
    if windows.is_empty():
        return "No event in the last 28 days."
    row = windows.sort("period_end").row(-1, named=True)
    if row["value"] is None:
        return "No event in the last 28 days."
    return (
        f"{row['unmatched_count']:,} of {row['event_count']:,} events of the last 28 days match no rule: "
        f"{row['value']:.2%} ({row['value_low']:.2%} to {row['value_high']:.2%}); the goal is at most "
        f"{row['goal']:.2%}: {row['verdict'].replace('_', ' ')}."
    )
