"""Published tables against those that a rival made, cell by cell."""

from pathlib import Path

import polars as pl

from contracts.tables import TABLES
from flows.published import newest

CLOSE = 1e-9
"""Numbers are alike when they are this close: as a share of ours, or as they are where ours is below 1."""
_COLUMNS_MAX = 6
"""Of a large table so many columns are held against each other at once."""

Found = dict[str, tuple[int, int]]
"""By table how many cells were compared, and how many differ."""


def published(folder: Path, theirs: Path) -> Found:
    """Every table that a rival made against that of the newest release of a workspace, in all columns that it has."""
    release = newest(folder)
    grain = {table.table_name(): table.primary_key() for table in TABLES}
    found = {}
    for path in sorted(theirs.glob("*.parquet")):
        keys, cells, differing = grain[path.stem], 0, 0
        columns = [name for name in pl.read_parquet_schema(path) if name not in keys]
        for first in range(0, len(columns), _COLUMNS_MAX):
            wanted = [*keys, *columns[first : first + _COLUMNS_MAX]]
            ours = release.releases.frame(release.release, path.stem, wanted).select(wanted)
            one, other = unlike(ours, pl.read_parquet(path, columns=wanted).select(wanted), keys)
            cells, differing = cells + one, differing + other
        found[path.stem] = cells, differing
    return found


def unlike(ours: pl.DataFrame, theirs: pl.DataFrame, keys: list[str]) -> tuple[int, int]:
    """How many cells the rows of both have besides their keys, and how many are not alike.

    A row that one of both lacks differs in every cell, and so do all where keys stand more than once. Null is
    alike to null alone.
    """
    mine, told = _plain(ours).with_columns(__ours=True), _plain(theirs).with_columns(__theirs=True)
    both = mine.join(told, on=keys, how="full", coalesce=True, suffix="__theirs", nulls_equal=True)
    values = [name for name in ours.columns if name not in keys]
    cells = both.height * len(values)
    lacking = both.select(pl.col("__ours", "__theirs").null_count()).row(0)
    if [both.height - one for one in lacking] != [mine.height, told.height]:
        return cells, cells
    is_lacking = pl.col("__ours").is_null() | pl.col("__theirs").is_null()
    wrong = both.select(
        (is_lacking | _is_unlike(name, mine.schema[name])).sum().alias(name) for name in values
    )
    return cells, sum(wrong.row(0))


def _is_unlike(name: str, kind: pl.DataType) -> pl.Expr:
    one, other = pl.col(name), pl.col(f"{name}__theirs")
    if kind != pl.Float64:
        return one.ne_missing(other)
    far = (one - other).abs() > CLOSE * pl.max_horizontal(one.abs(), pl.lit(1.0))
    return far.fill_null(value=False) | (one.is_null() != other.is_null())


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers as floats, words as texts."""
    return frame.with_columns(pl.selectors.numeric().cast(pl.Float64), pl.selectors.enum().cast(pl.String))
