"""A conformed delivery with the columns that its contract's suite of expectations judges."""

import polars as pl

from contracts.contract_suite import Spelling
from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from transforms.conform import TEXT, missing
from transforms.judge import TOLD

DELIVERED = Spelling(text=TEXT, given="given.", bare="bare.", told=TOLD)
"""How `spelled` calls the columns."""


def spelled(rows: pl.DataFrame, shape: SchemaObject, stream: Stream) -> pl.DataFrame:
    """A conformed frame with two more columns for each property, see `DELIVERED`.

    Args:
        rows: A conformed frame.
        shape: The contract's schema.
        stream: How the delivery writes missing values.
    """
    given = [
        pl.when(~missing(stream, TEXT + p.name)).then(TEXT + p.name).alias(DELIVERED.given + p.name)
        for p in shape.properties
    ]
    bare = [
        pl.col(DELIVERED.given + p.name).str.strip_chars().alias(DELIVERED.bare + p.name)
        for p in shape.properties
    ]
    return rows.with_columns(given).with_columns(bare)
