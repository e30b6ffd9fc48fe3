"""The map and the contracts as tables, with what the people in the map say themselves."""

from collections.abc import Sequence

import polars as pl

from contracts.attestations import Attested
from contracts.tables import DimFeedColumn, Table
from flows.workspace import LoadedWorkspace
from transforms.feed_tables import dim_feed_column
from transforms.map_tables import map_tables


def mapped(workspace: LoadedWorkspace, said: Sequence[Attested]) -> dict[type[Table], pl.DataFrame]:
    """Every dimension of the map, who has been accountable when, and what feeds promise.

    Args:
        workspace: Map, feeds and clock.
        said: What accountable people say of every touchpoint, see `flows.attesting.standing`.
    """
    atlas = map_tables(workspace.atlas, workspace.tenures, workspace.now, said)
    return {**atlas, DimFeedColumn: dim_feed_column(workspace.feeds)}
