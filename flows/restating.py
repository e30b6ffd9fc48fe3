"""Held against the release before: which published values this one changes."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import polars as pl

from contracts.errors import StoreError
from contracts.tables import DimMetric, Restatement, ScorecardTouchpoint, Table
from flows.stages import Tables
from flows.workspace import LoadedWorkspace
from transforms.restatement import SCOPES, Between, compared, kept, restatements, with_restated
from warehouse.releases import Release, Releases


def restated(
    workspace: LoadedWorkspace, releases: Releases, follows: int, tables: Tables, facts: Mapping[str, Any]
) -> Tables:
    """The tables with `Restatement`, and with `is_restated` in the touchpoints' scorecard.

    Nothing is kept beside the releases: the log is that of the release before and what this one adds to it, so
    a run that is killed has added nothing, and one that changes nothing adds nothing. A release that cannot be
    read any more is passed over for the one before it.

    Args:
        workspace: Clock and settings.
        releases: The releases so far.
        follows: The release that this one follows; 0 when it is the first.
        tables: Every other table of the new release.
        facts: What its manifest says.
    """
    log = Restatement.empty()
    found = _before(releases, follows)
    if found is not None:
        release, before = found
        past = before.pop(Restatement, log)
        manifest = releases.manifests.read(release.number)
        between = Between(
            release=follows + 1,
            now=workspace.now,
            ended=_day(datetime.fromisoformat(manifest["as_of"]), workspace),
            has_events=manifest["store_commit"] != facts["store_commit"],
            has_map=manifest["map_version"] != facts["map_version"],
            metrics=_other(before.get(DimMetric), tables[DimMetric]),
        )
        days = workspace.settings.retention.restatement_days
        log = pl.concat([kept(past, workspace.now, days), restatements(before, tables, between)])
    card = with_restated(tables[ScorecardTouchpoint], log)
    return {**tables, ScorecardTouchpoint: card, Restatement: log}


def _before(releases: Releases, follows: int) -> tuple[Release, Tables] | None:
    """The newest release that can be read, and of its tables those that are compared."""
    for number in reversed([one for one in releases.manifests.numbers() if one <= follows]):
        try:
            release = releases.read(number)
            wanted: list[type[Table]] = [*SCOPES, DimMetric, Restatement]
            there = [table for table in wanted if table.table_name() in release.by_table]
            tables = {
                table: releases.frame(
                    release, table.table_name(), compared(table) if table in SCOPES else None
                )
                for table in there
            }
        except StoreError:
            continue
        return release, tables
    return None


def _day(moment: datetime, workspace: LoadedWorkspace) -> date:
    return moment.astimezone(workspace.settings.zone).date()


def _other(before: pl.DataFrame | None, after: pl.DataFrame) -> frozenset[str]:
    """Metrics that were declared otherwise."""
    if before is None or "definition" not in before.columns:
        return frozenset()
    both = before.join(after, on="metric", suffix="_now")
    return frozenset(both.filter(pl.col("definition") != pl.col("definition_now"))["metric"])
