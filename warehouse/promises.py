"""Tables as their files have them: exact types, every promise kept, columns and rows in their order."""

from collections.abc import Mapping, Sequence

import polars as pl

from contracts.dictionary import ordered_columns
from contracts.errors import PromiseError
from contracts.tables import Column, FactCase, Table
from contracts.tables.promises import keeps
from warehouse.by_row import SLICE_ROWS

BY_ROW: tuple[type[Table], ...] = (FactCase,)
"""Tables that may have millions of rows, and whose contract is of each of them alone, but for the key."""


def as_published(table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column]) -> pl.DataFrame:
    """A table's rows as its file has them: every promise checked, columns and rows in their order.

    Of a table of `BY_ROW` texts may be told as Enum, and stay so. Rows that stand in the order of their key are not
    copied, and are checked by slices: all at once would take as much memory again.

    Raises:
        PromiseError: The rows break the table's contract.
    """
    rows, keys = _typed(table, frame, extra).select(ordered_columns(table, extra)), table.primary_key()
    is_kept = table in BY_ROW and is_in_order(rows, keys)
    if not is_kept:
        rows = rows.sort(keys, nulls_last=True)
        is_kept = table not in BY_ROW or is_in_order(rows, keys)
    size = SLICE_ROWS if table in BY_ROW else max(rows.height, 1)
    slices = (rows[begin : begin + size] for begin in range(0, rows.height, size))
    if not (is_kept and all(keeps(table, one) for one in slices)):
        raise _refused(table, rows)
    return rows


def is_in_order(rows: pl.DataFrame, keys: Sequence[str]) -> bool:
    """Whether rows stand in the order of their key, which none lacks and no two have: to see it is cheaper than to sort."""
    if any(rows[name].null_count() for name in keys):
        return False
    *others, last = keys
    follows = pl.col(last).shift() < pl.col(last)
    for name in reversed(others):
        before = pl.col(name).shift()
        follows = (before < pl.col(name)) | ((before == pl.col(name)) & follows)
    return bool(rows.select(follows.all()).item())


def _refused(table: type[Table], rows: pl.DataFrame) -> PromiseError:
    """What is wrong with rows that break their contract."""
    promised = rows.select(table.column_names()).cast(dict(table.published_schema()))
    kept, failure = table.filter(promised)
    broken = ", ".join(f"{rule} {count:,}" for rule, count in failure.counts().items())
    return _broken(table, f"{promised.height - kept.height:,} rows break its contract ({broken})")


def _typed(table: type[Table], frame: pl.DataFrame, extra: Mapping[str, Column]) -> pl.DataFrame:
    """The columns that are promised, as the types that are promised; no value changes on the way."""
    schema = {**table.published_schema(), **{name: column.dtype for name, column in extra.items()}}
    found = dict(frame.schema)
    if table in BY_ROW:
        few = [name for name, kind in found.items() if kind == pl.Enum and schema.get(name) == pl.String]
        schema |= {name: found[name] for name in few}
    if found == schema:
        return frame
    missing = [name for name in schema if name not in found]
    if missing:
        raise _broken(table, f"it lacks {', '.join(missing)}")
    wrong = [
        f"{name} is {found[name]}, not {kind}"
        for name, kind in schema.items()
        if not _means_the_same(found[name], kind)
    ]
    if wrong:
        raise _broken(table, "; ".join(wrong))
    try:
        return frame.select(
            name if found[name] == kind else pl.col(name).cast(kind) for name, kind in schema.items()
        )
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
