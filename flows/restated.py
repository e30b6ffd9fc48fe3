"""What differs between two tellings of the same tables, cell by cell."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from contracts.tables import TABLES, FactAlert, FactNotification, GoalHistory, Restatement
from contracts.tables.base import Table

HISTORIES = (FactAlert, FactNotification, GoalHistory, Restatement)
"""Tables with a history of their own: they tell what became known when, and are not made anew."""

COMPARED: tuple[type[Table], ...] = tuple(table for table in TABLES if table not in HISTORIES)

Frames = Callable[[type[Table]], pl.DataFrame]


@dataclass(frozen=True)
class Difference:
    """How one table differs.

    Attributes:
        table: The table.
        rows: Rows after.
        added: Rows whose key is new.
        removed: Rows whose key is gone.
        changed: Rows told otherwise.
        cells: Cells of those rows that differ, by column.
        foreign: Columns that only one of both has, where that is asked.
    """

    table: str
    rows: int
    added: int
    removed: int
    changed: int
    cells: dict[str, int]
    foreign: tuple[str, ...] = ()

    @property
    def is_none(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.removed or self.changed or self.foreign)


def differences(before: Frames, after: Frames, tables: Iterable[type[Table]] = COMPARED) -> list[Difference]:
    """How every table differs, those included that do not."""
    return [difference(table, before(table), after(table)) for table in tables]


def together(parts: Iterable[Difference]) -> Difference:
    """How one table differs, from how its parts do; at least one part.

    A row that is in another part after than it was before is one that is gone and one that came.
    """
    every = list(parts)
    rows, added, removed, changed = (
        sum(getattr(one, name) for one in every) for name in ("rows", "added", "removed", "changed")
    )
    cells = sum((Counter(one.cells) for one in every), Counter[str]())
    return Difference(every[0].table, rows, added, removed, changed, dict(cells), every[0].foreign)


def difference(table: type[Table], before: pl.DataFrame, after: pl.DataFrame) -> Difference:
    """How one table differs. Two numbers differ when their bits do; null equals null, NaN equals NaN.

    Args:
        table: Its class; rows are told apart by its primary key.
        before: Its rows before.
        after: Its rows after.
    """
    columns = [name for name in after.columns if name in before.columns]
    keys = table.primary_key()
    old, new = before.select(columns).unique(keys), after.select(columns).unique(keys)
    both = new.join(old, on=keys, how="inner", nulls_equal=True, suffix="__before")
    values = [name for name in columns if name not in keys]
    cells = both.select(pl.col(name).ne_missing(pl.col(f"{name}__before")).alias(name) for name in values)
    counts = {name: int(cells[name].sum()) for name in values}
    changed = int(cells.select(pl.any_horizontal(values).sum()).item()) if values else 0
    return Difference(
        table=table.table_name(),
        rows=after.height,
        added=after.height - both.height,
        removed=before.height - both.height,
        changed=changed,
        cells={name: count for name, count in counts.items() if count},
    )
