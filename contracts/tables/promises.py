"""Whether rows keep their table's contract, answered without a column of what every rule says of every row.

`Table.is_valid` says the same and asks polars for one expression a rule; tables have up to eighty rules and often few
rows. Here what bounds a column is read off the column, what is promised of numbers that may be no numbers and by the
table's own rules is one query, and the key is compared from row to row. Which rules are broken is told by `Table.filter`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import polars as pl

from contracts.tables.base import Table


@dataclass(frozen=True)
class _Promises:
    """A table's rules, by how they are asked.

    Attributes:
        filled: Columns without null.
        least: The least that a column may hold, inclusive.
        most: The most.
        others: What is true of rows that keep everything else, one value each.
    """

    filled: Sequence[str]
    least: Sequence[tuple[str, float]]
    most: Sequence[tuple[str, float]]
    others: Sequence[pl.Expr]

    def are_kept(self, rows: pl.DataFrame) -> bool:
        if any(rows[name].null_count() for name in self.filled):
            return False
        for name, bound in self.least:
            if (found := rows[name].min()) is not None and not found >= bound:  # ty: ignore[unsupported-operator]
                return False
        for name, bound in self.most:
            if (found := rows[name].max()) is not None and not found <= bound:  # ty: ignore[unsupported-operator]
                return False
        return all(rows.select(self.others).row(0))


def keeps(table: type[Table], rows: pl.DataFrame) -> bool:
    """Whether every promise of a table is kept.

    Args:
        table: The table's class.
        rows: At least one row, with the table's exact types, in the order of its key; other columns are not looked at.
    """
    return _promises(table).are_kept(rows)


@cache
def _promises(table: type[Table]) -> _Promises:
    rules = table._validation_rules(with_cast=False)  # noqa: SLF001 - dataframely lists them nowhere else
    columns, kinds = table.columns(), table.published_schema()
    filled, least, most = [], [], []
    others = {"primary_key": _is_unique(table.primary_key())}
    for rule, how in rules.items():
        column, _, what = rule.partition("|")
        # A number that is none is no minimum: where one may stand, the expression decides.
        is_number = column in kinds and (kinds[column].is_integer() or f"{column}|nan" in rules)
        if what == "nullability":
            filled.append(column)
        elif what == "min" and is_number:
            least.append((column, vars(columns[column])["min"]))
        elif what == "max" and is_number:
            most.append((column, vars(columns[column])["max"]))
        elif rule not in others:
            # A rule that says null says yes.
            others[rule] = how.expr.all()
    return _Promises(filled, least, most, [expression.alias(rule) for rule, expression in others.items()])


def _is_unique(key: Sequence[str]) -> pl.Expr:
    """Whether no row has the key of the row before it."""
    same = [pl.col(name) == pl.col(name).shift() for name in key]
    return ~pl.all_horizontal(same).any()
