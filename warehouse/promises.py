"""Tables as their files have them: exact types, every promise kept, columns and rows in their order."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl
from polars.io.plugins import register_io_source

from contracts.dictionary import ordered_columns
from contracts.errors import PromiseError
from contracts.tables import Column, FactCase, Table
from contracts.tables.promises import keeps

BY_ROW: tuple[type[Table], ...] = (FactCase,)
"""Tables that may have millions of rows, and whose contract is of each of them alone, but for the key."""
LARGE_ROWS, SLICE_ROWS = 200_000, 100_000
"""From so many rows on those are checked and written by slices of so many: at once, both take as much memory again."""


def as_published(table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column]) -> pl.DataFrame:
    """A table's rows as its file has them: every promise checked, columns and rows in their order.

    Raises:
        PromiseError: The rows break the table's contract.
    """
    columns = ordered_columns(table, extra)
    rows = _in_order(table, _typed(table, frame, extra).select(columns))
    if rows.height and not keeps(table, rows):
        raise _refused(table, rows)
    return rows


def is_large(table: type[Table], frame: pl.DataFrame) -> bool:
    """Whether rows are so many that `by_slices` takes less memory."""
    return table in BY_ROW and frame.height > LARGE_ROWS


def by_slices(table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column]) -> pl.LazyFrame:
    """As `as_published`, for a large table of `BY_ROW`: a slice at a time is checked or written.

    Rows that stand in the order of their key are not copied.

    Raises:
        PromiseError: The rows break the table's contract.
    """
    columns, keys = ordered_columns(table, extra), table.primary_key()
    rows = _in_order(table, _typed(table, frame, extra).select(columns))
    begins = range(0, rows.height, SLICE_ROWS)
    again = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in keys)
    is_doubled = rows.select(again.any()).item()
    promised = rows.select(table.column_names())
    if is_doubled or not all(table.is_valid(promised[begin : begin + SLICE_ROWS]) for begin in begins):
        raise _refused(table, promised)

    def slices(*_: object) -> Iterator[pl.DataFrame]:
        return (rows[begin : begin + SLICE_ROWS] for begin in begins)

    return register_io_source(slices, schema=rows.schema)


def _in_order(table: type[Table], rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the order of their key; millions of them are made so, and seen to be."""
    keys = table.primary_key()
    return rows if table in BY_ROW and is_in_order(rows, keys) else rows.sort(keys, nulls_last=True)


def is_in_order(rows: pl.DataFrame, keys: Sequence[str]) -> bool:
    """Whether rows stand in the order of their key, which none of them lacks: to see it is cheaper than to sort."""
    if any(rows[name].null_count() for name in keys):
        return False
    may_follow = pl.lit(value=True)
    for name in reversed(keys):
        before = pl.col(name).shift()
        may_follow = (before < pl.col(name)) | ((before == pl.col(name)) & may_follow)
    return bool(rows.select(may_follow.all()).item())


def _refused(table: type[Table], rows: pl.DataFrame) -> PromiseError:
    """What is wrong with rows that break their contract."""
    promised = rows.select(table.column_names())
    kept, failure = table.filter(promised)
    broken = ", ".join(f"{rule} {count:,}" for rule, count in failure.counts().items())
    return _broken(table, f"{promised.height - kept.height:,} rows break its contract ({broken})")


def _typed(table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column]) -> pl.DataFrame:
    """The columns that are promised, as the types that are promised; no value changes on the way."""
    schema = {**table.published_schema(), **{name: column.dtype for name, column in extra.items()}}
    if frame.schema == schema:
        return frame
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        raise _broken(table, f"it lacks {', '.join(missing)}")
    wrong = [
        f"{name} is {frame.schema[name]}, not {kind}"
        for name, kind in schema.items()
        if not _means_the_same(frame.schema[name], kind)
    ]
    if wrong:
        raise _broken(table, "; ".join(wrong))
    try:
        return frame.select(pl.col(name).cast(kind) for name, kind in schema.items())
    except pl.exceptions.InvalidOperationError as error:
        raise _broken(table, str(error).splitlines()[0]) from None


def _means_the_same(found: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether a cast keeps every value or fails: it must not round, cut or print."""
    if found in (wanted, pl.Null):
        return True
    if isinstance(wanted, pl.Datetime):
        is_instant = isinstance(found, pl.Datetime) and found.time_zone == wanted.time_zone
        return is_instant and found.time_unit != "ns"
    if isinstance(wanted, pl.String | pl.Enum):
        return isinstance(found, pl.String | pl.Enum | pl.Categorical)
    if wanted.is_float():
        return found.is_integer() or found.is_float()
    return wanted.is_integer() and found.is_integer()


def _broken(table: type[Table], what: str) -> PromiseError:
    return PromiseError.at(
        table.table_name(),
        f"not published: {what}.",
        "The last release stands. This is a defect: report it.",
    )
