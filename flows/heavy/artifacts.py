"""What Prefect's pages show of a run: how far it is, what it published, what nobody owns; and its assets."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, cast
from uuid import UUID

import polars as pl
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.assets import Asset, AssetProperties

from contracts.signals import slug
from contracts.tables import GapFinding
from flows.alerting import surroundings
from flows.report import Summary, release_line
from flows.workspace import LoadedWorkspace
from transforms.audit import open_findings
from views.units import plural
from warehouse.releases import Release, Releases

GAPS_MAX = 50
"""Findings that the table shows: the ones with the most customers at stake."""

_SHOWN = ("severity", "sentence", "remedy", "fixed_by", "customer_count", "event_count")


class Progress:
    """How far a run is, as an artifact that moves."""

    def __init__(self, steps: int) -> None:
        self._steps, self._done = steps, 0
        made = create_progress_artifact(0.0, key="progress", description="Stages that are done")
        self._id = cast("UUID", made)  # no coroutine: nothing here runs in a loop

    def step(self) -> None:
        """One more stage is done."""
        self._done += 1
        update_progress_artifact(self._id, progress=min(100.0, 100.0 * self._done / self._steps))


def show_release(workspace: LoadedWorkspace, summary: Summary) -> None:
    """The release in words, where its scorecards are, and what nobody owns."""
    create_markdown_artifact(_markdown(summary), key="release", description="The newest release")
    releases = Releases(workspace.warehouse / "published")
    current = (releases.root / "current").resolve()
    create_link_artifact(
        current.as_uri(),
        link_text=f"Scorecards of release {summary['release']}",
        key="scorecards",
        description="Folder of the published tables",
    )
    release = releases.read(summary["release"])
    show_gaps(releases.frame(release, GapFinding.table_name()))


def show_gaps(findings: pl.DataFrame) -> None:
    """Findings of the audit that nobody waived, as a table."""
    found = open_findings(findings)
    shown = found.head(GAPS_MAX).select(pl.col(name).cast(pl.String) for name in _SHOWN)
    create_table_artifact(
        shown.to_dicts(),
        key="gap-audit",
        description=f"{plural(found.height, 'open finding')}, the most customers at stake first",
    )


def feed_assets(workspace: LoadedWorkspace, feeds: Sequence[str]) -> list[Asset]:
    """Feeds as assets, with who answers for their delivery."""
    owners = surroundings(workspace).owners
    return [
        Asset(
            key=_key(workspace, "feeds", name),
            properties=AssetProperties(
                name=f"feed {name}",
                description=f"Deliveries of the feed {name}, judged by its contract",
                owners=_people(owners.get(("feed", name))),
            ),
        )
        for name in feeds
    ]


def table_assets(workspace: LoadedWorkspace) -> list[Asset]:
    """Scorecards and the audit as assets, with everybody who is accountable for what they tell of."""
    owners = surroundings(workspace).owners
    accountable = sorted({one for (kind, _), one in owners.items() if one and kind == "touchpoint"})
    tables = {
        "scorecard_touchpoint": "Every metric of every touchpoint, held against its goal",
        "scorecard_company": "The company as a whole",
        "gap_finding": "What the map leaves open, by customers at stake",
    }
    return [
        Asset(
            key=_key(workspace, "tables", name),
            properties=AssetProperties(
                name=name,
                description=about,
                owners=accountable[:20],
                url=(workspace.warehouse / "published/current" / name).absolute().as_uri(),
            ),
        )
        for name, about in tables.items()
    ]


def metadata_of(release: Release, table: str) -> Mapping[str, Any]:
    """What an asset's event tells of a table."""
    one = next(one for one in release.tables if one.table == table)
    return {"release": release.number, "rows": one.rows, "is_reused": one.is_reused, "path": one.path}


def _key(workspace: LoadedWorkspace, *parts: str) -> str:
    path = "/".join(re.sub(r"[^A-Za-z0-9_.-]", "-", part) for part in parts)
    return f"answerable://{slug(workspace.settings.name)}/{path}"


def _people(person: str | None) -> list[str] | None:
    return [person] if person else None


def _markdown(summary: Summary) -> str:
    rows = "\n".join(f"| {name} | {count:,} |" for name, count in summary["rows"].items())
    held = "".join(f"\n- held: {escape(one, quote=False)}" for one in summary["held"])
    return f"{release_line(summary)}\n\n`{summary['path']}`\n{held}\n\n| table | rows |\n| --- | ---: |\n{rows}\n"
