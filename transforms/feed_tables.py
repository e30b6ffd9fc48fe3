"""What feeds promise, as tables."""

from collections.abc import Sequence

import polars as pl

from contracts.feeds import Feed
from contracts.tables import DimFeedColumn


def dim_feed_column(feeds: Sequence[Feed]) -> pl.DataFrame:
    """DimFeedColumn's rows, unsorted: every column of every stream's contract."""
    rows = [
        {
            "feed": feed.name,
            "stream": stream,
            "column_name": column.name,
            "delivered_as": column.header,
            "place": place,
            "logical_type": column.logicalType,
            "is_required": column.required,
            "is_primary_key": column.primaryKey,
            "classification": column.classification,
            "description": column.description,
            "contract": feed.contracts[stream].label,
        }
        for feed in feeds
        for stream, shape in feed.shapes.items()
        for place, column in enumerate(shape.properties, start=1)
    ]
    return pl.DataFrame(rows, schema=DimFeedColumn.published_schema())
