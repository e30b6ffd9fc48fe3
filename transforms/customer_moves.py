"""Events that make somebody a customer, or end it, as their map says.

`customer_moves` is the readable way. The pass finds the same events piece by piece, by the codes of the columns that are
asked of them (`Finder`); what is kept of these is said by the same expressions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from contracts.accountability import CustomerGroup
from contracts.events import INSTANT, Codebook
from contracts.predicates import Where
from transforms.match import Matched
from transforms.pieces import Piece, Some
from transforms.predicates import all_hold, coded, holds_by_code, where_coded
from transforms.slots import Slots

STEPS = 1000
"""Values are added up in whole thousandths, so that their order never matters."""

MOVES = {
    "group": pl.UInt8,
    "customer": pl.UInt32,
    "occurred_at": INSTANT,
    "date": pl.Date,
    "is_left": pl.Boolean,
    "steps": pl.Int64,
    "reason": pl.UInt32,
    "segment": pl.UInt32,
}
"""Events that make or end a customer. Grain: group (its number in the map) and event."""

_ALWAYS = ("customer", "occurred_at")


def moves_columns(groups: Sequence[CustomerGroup], codebook: Codebook) -> set[str]:
    """Stored columns that `customer_moves` reads."""
    named = (
        {*group.active, *group.left, *(name for name in (group.reason, group.value, group.by) if name)}
        for group in groups
    )
    return {codebook.column(name) for names in named for name in names}


def customer_moves(
    matched: pl.LazyFrame, groups: Sequence[CustomerGroup], slots: Slots, codebook: Codebook
) -> pl.LazyFrame:
    """Events that make or end a customer, unsorted: `MOVES`. Those of nobody known are left out."""
    told = matched.filter(pl.col("customer") > 0)
    made = [
        told.filter(where_coded(one.where, codebook)).select(one.told(slots, codebook))
        for one in _moves_of(groups)
    ]
    return pl.concat(made) if made else pl.LazyFrame(schema=MOVES)


def is_told_by_day(groups: Sequence[CustomerGroup]) -> bool:
    """Whether nothing hangs on which of a customer's moves of one day is the later one: all of them only lapse."""
    return not any(one.left or one.by or one.value_basis != "total" for one in groups)


def stored(moves: pl.DataFrame, groups: Sequence[CustomerGroup]) -> pl.DataFrame:
    """Moves as they are kept and counted: `day`, days since 1970, for `date`, and of all else what groups make use of."""
    dated = moves.with_columns(day=pl.col("date").to_physical()).drop("date")
    if not is_told_by_day(groups):
        return dated
    return dated.select("group", "customer", "day", *(["steps"] if any(one.value for one in groups) else []))


class Found:
    """The moves among some events, found piece by piece."""

    def __init__(self, groups: Sequence[CustomerGroup], slots: Slots, codebook: Codebook) -> None:
        """None yet.

        Args:
            groups: The map's groups.
            slots: Slots that hold every event.
            codebook: What the codes stand for.
        """
        self._groups, self._slots, self._codebook = groups, slots, codebook
        self._finders = [Finder.of(one, codebook) for one in _moves_of(groups)]
        self._some: dict[int, Some] = {}

    def add(self, matched: Matched) -> None:
        """Those among a piece of events."""
        for number, finder in enumerate(self._finders):
            rows = finder.rows(matched.events)
            if not rows.size:
                continue
            if number not in self._some:
                kinds = matched.kinds([*_ALWAYS, "slot", *finder.move.columns(self._codebook)])
                self._some[number] = Some(kinds)
            slot = matched.slot.take(rows).view(np.uint32)
            self._some[number].add(matched.events, rows, slot=slot)

    def moves(self) -> pl.DataFrame:
        """All of them, as `stored` has them."""
        made = [
            some.frame().select(self._finders[number].move.told(self._slots, self._codebook))
            for number, some in self._some.items()
        ]
        return stored(pl.concat([pl.DataFrame(schema=MOVES), *made], rechunk=True), self._groups)


@dataclass(frozen=True)
class _Move:
    """A way to become a customer of a group, or to stop being one.

    Attributes:
        number: The group's number in the map.
        group: The group.
        is_left: Whether it ends being a customer.
    """

    number: int
    group: CustomerGroup
    is_left: bool

    @property
    def where(self) -> Where:
        """What is asked of an event."""
        return self.group.left if self.is_left else self.group.active

    def columns(self, codebook: Codebook) -> set[str]:
        """Stored columns of which something is kept, besides those of every move."""
        named = [self.group.reason] if self.is_left else [self.group.value, self.group.by]
        return {codebook.column(name) for name in named if name}

    def told(self, slots: Slots, codebook: Codebook) -> list[pl.Expr]:
        """`MOVES` of such events."""
        nothing, group = pl.lit(0), self.group
        made = {
            "group": pl.lit(self.number),
            "date": slots.day(),
            "is_left": pl.lit(self.is_left),
            "steps": nothing if self.is_left else _steps(group, codebook),
            "reason": _code(group.reason, codebook) if self.is_left else nothing,
            "segment": nothing if self.is_left else _code(group.by, codebook),
        }
        return [made.get(name, pl.col(name)).cast(kind).alias(name) for name, kind in MOVES.items()]


@dataclass(frozen=True)
class Finder:
    """Finds events that are such a move.

    Attributes:
        move: The way.
        by_code: By column of few values, whether what is asked of it holds, by code.
        rest: Whether all else that is asked holds; None where nothing is.
    """

    move: _Move
    by_code: Mapping[str, np.ndarray]
    rest: pl.Expr | None

    @classmethod
    def of(cls, move: _Move, codebook: Codebook) -> "Finder":
        """The finder of a way."""
        by_code: dict[str, np.ndarray] = {}
        others = []
        for name, condition in move.where.items():
            column, holds = codebook.column(name), holds_by_code(name, condition, codebook)
            if holds is None:
                others.append(coded(name, condition, codebook))
            else:
                by_code[column] = holds & by_code.get(column, True)
        return cls(move, by_code, all_hold(others) if others else None)

    def rows(self, events: Piece) -> np.ndarray:
        """Their places among some events, ascending; only those of somebody known."""
        found = events.whole("customer") > 0
        for column, holds in self.by_code.items():
            found &= holds.take(events.whole(column))
        rows = np.flatnonzero(found)
        if self.rest is None or not rows.size:
            return rows
        return rows[events.events[rows].with_columns(__holds=self.rest)["__holds"].to_numpy()]


def _moves_of(groups: Sequence[CustomerGroup]) -> Iterator[_Move]:
    for number, group in enumerate(groups):
        yield _Move(number, group, is_left=False)
        if group.left:
            yield _Move(number, group, is_left=True)


def _steps(group: CustomerGroup, codebook: Codebook) -> pl.Expr:
    if group.value is None:
        return pl.lit(0)
    value = pl.col(codebook.column(group.value)).cast(pl.Float64)
    return (value * STEPS).round().cast(pl.Int64).fill_null(0)


def _code(name: str | None, codebook: Codebook) -> pl.Expr:
    return pl.col(codebook.column(name)) if name else pl.lit(0)
