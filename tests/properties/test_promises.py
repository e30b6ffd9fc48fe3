"""Promises read off columns are those that dataframely asks of every row."""

from math import inf, nan

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.tables import TABLES, ScorecardCompany, Table
from contracts.tables.promises import keeps
from tests.conftest import Company

_ODD = (None, -1, 0, 1, 2, 10**9, -0.5, 0.5, inf, -inf, nan)


def ordered(table: type[Table], rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort(table.primary_key(), nulls_last=True)


def with_cell(rows: pl.DataFrame, column: str, value: float | None) -> pl.DataFrame:
    """The first row with another value; null where the column holds no numbers."""
    kind = rows.schema[column]
    other = pl.Series([value if kind.is_numeric() else None], strict=False).cast(kind, strict=False)
    is_first = pl.int_range(pl.len()) == 0
    return rows.with_columns(pl.when(is_first).then(pl.lit(other)).otherwise(column).alias(column))


@pytest.fixture(scope="module")
def published(company: Company) -> dict[type[Table], pl.DataFrame]:
    """Tables that have rows, as the demo's company published them."""
    every = {table: company.table(table.table_name()).select(table.column_names()) for table in TABLES}
    return {table: rows for table, rows in every.items() if rows.height}


def test_whatever_is_published_keeps_its_promises(published: dict[type[Table], pl.DataFrame]):
    assert all(keeps(table, rows) for table, rows in published.items())


@given(st.data())
@settings(deadline=None)
def test_promises_are_kept_when_dataframely_says_so(
    published: dict[type[Table], pl.DataFrame], data: st.DataObject
):
    table = data.draw(st.sampled_from(list(published)))
    rows = published[table]
    some = rows.slice(data.draw(st.integers(0, rows.height - 1)), data.draw(st.integers(1, 5)))
    changed = with_cell(some, data.draw(st.sampled_from(rows.columns)), data.draw(st.sampled_from(_ODD)))
    if data.draw(st.booleans()):
        changed = pl.concat([changed, changed[:1]])
    assert keeps(table, ordered(table, changed)) == table.is_valid(changed)


def test_a_row_twice_and_a_rule_of_the_tables_own_are_noticed(published: dict[type[Table], pl.DataFrame]):
    rows = published[ScorecardCompany][:3]
    method = pl.lit("wilson").cast(rows.schema["interval_method"])
    outside = with_cell(rows, "value", 1e6).with_columns(
        value_low=0.0, value_high=1.0, interval_method=method
    )
    assert keeps(ScorecardCompany, rows)
    assert not keeps(ScorecardCompany, ordered(ScorecardCompany, pl.concat([rows, rows[:1]])))
    assert not keeps(ScorecardCompany, outside)
