"""The map and the contracts as tables, with what the people in the map say themselves."""

import polars as pl

from contracts.tables import DimFeedColumn, Table
from flows.attesting import standing
from flows.workspace import LoadedWorkspace
from transforms.feed_tables import dim_feed_column
from transforms.map_tables import map_tables


def mapped(workspace: LoadedWorkspace) -> dict[type[Table], pl.DataFrame]:
    """Every dimension of the map, who has been accountable when, and what feeds promise."""
    atlas = map_tables(workspace.atlas, workspace.tenures, workspace.now, standing(workspace))
    return {**atlas, DimFeedColumn: dim_feed_column(workspace.feeds)}
