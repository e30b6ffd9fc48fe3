"""The map as tables, with what the people in it say themselves."""

import polars as pl

from contracts.tables import Table
from flows.attesting import standing
from flows.workspace import LoadedWorkspace
from transforms.map_tables import map_tables


def mapped(workspace: LoadedWorkspace) -> dict[type[Table], pl.DataFrame]:
    """Every dimension of the map, and who has been accountable when."""
    return map_tables(workspace.atlas, workspace.tenures, workspace.now, standing(workspace))
