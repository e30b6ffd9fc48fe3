"""Events that make somebody a customer, or end it, as their map says.

`customer_moves` is the readable way. The pass finds the same events piece by piece, by the codes of the columns that are
asked of them (`Finder`); what is kept of these is said by the same expressions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from contracts.accountability import CustomerGroup
from contracts.events import INSTANT, Codebook
from contracts.predicates import Where
from transforms.match import Matched
from transforms.pieces import Piece, Some
from transforms.predicates import Split, split, where_coded
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

HELD_ROWS = 1_000_000
"""So many moves are held as columns of their events before they become what is kept of them."""
_OF_EVENTS = ("customer", "occurred_at")
"""What moves have as their events have it."""


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
        told.filter(where_coded(one.where, codebook)).select(one.told(slots, codebook).values())
        for one in _moves_of(groups)
    ]
    return pl.concat(made) if made else pl.LazyFrame(schema=MOVES)


def is_told_by_day(groups: Sequence[CustomerGroup]) -> bool:
    """Whether nothing hangs on which of a customer's moves of one day is the later one: all of them only lapse."""
    return not any(one.left or one.by or one.value_basis != "total" for one in groups)


def as_kept(moves: pl.DataFrame, groups: Sequence[CustomerGroup]) -> pl.DataFrame:
    """Moves as they are kept and counted: `day`, days since 1970, for `date`, and of all else what groups make use of."""
    told = moves.select(_used_by(groups))
    return told.with_columns(day=pl.col("date").to_physical()).drop("date")


def _used_by(groups: Sequence[CustomerGroup]) -> list[str]:
    """What of `MOVES` groups make use of."""
    if not is_told_by_day(groups):
        return list(MOVES)
    return ["group", "customer", "date", *(["steps"] if any(one.value for one in groups) else [])]


@dataclass(frozen=True)
class Finders:
    """What finds moves.

    Attributes:
        groups: The map's groups.
        slots: Slots that hold every event.
        codebook: What the codes stand for.
    """

    groups: Sequence[CustomerGroup]
    slots: Slots
    codebook: Codebook

    @cached_property
    def every(self) -> Sequence["Finder"]:
        """One for each way to move."""
        return [Finder(one, split(one.where, self.codebook)) for one in _moves_of(self.groups)]

    def begin(self) -> "FoundMoves":
        """Nothing found yet."""
        return FoundMoves(self)


class FoundMoves:
    """The moves among some events, found piece by piece."""

    def __init__(self, of: Finders) -> None:
        self._of = of
        self._some: dict[int, Some] = {}
        self._kept: list[pl.DataFrame] = [as_kept(pl.DataFrame(schema=MOVES), of.groups)]

    def add(self, matched: Matched) -> None:
        """Those among a piece of events."""
        for number, finder in enumerate(self._of.every):
            rows = finder.rows(matched.events)
            if not rows.size:
                continue
            if number not in self._some:
                told = [name for name in _OF_EVENTS if name in _used_by(self._of.groups)]
                kinds = matched.kinds([*told, "slot", *finder.move.columns(self._of.codebook)])
                self._some[number] = Some(kinds)
            slot = matched.slot.take(rows).view(np.uint32)
            self._some[number].add(matched.events, rows, slot=slot)
        if sum(some.rows for some in self._some.values()) > HELD_ROWS:
            self._keep()

    def moves(self) -> pl.DataFrame:
        """All of them, as `as_kept` has them."""
        self._keep()
        return pl.concat(self._kept, rechunk=True)

    def _keep(self) -> None:
        for number, some in self._some.items():
            told = self._of.every[number].move.told(self._of.slots, self._of.codebook)
            used = some.frame().select(told[name] for name in _used_by(self._of.groups))
            self._kept.append(as_kept(used, self._of.groups))
        self._some = {}


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

    def told(self, slots: Slots, codebook: Codebook) -> dict[str, pl.Expr]:
        """`MOVES` of such events, by name."""
        nothing, group = pl.lit(0), self.group
        made = {
            "group": pl.lit(self.number),
            "date": slots.day(),
            "is_left": pl.lit(self.is_left),
            "steps": nothing if self.is_left else _steps(group, codebook),
            "reason": _code(group.reason, codebook) if self.is_left else nothing,
            "segment": nothing if self.is_left else _code(group.by, codebook),
        }
        return {name: made.get(name, pl.col(name)).cast(kind).alias(name) for name, kind in MOVES.items()}


@dataclass(frozen=True)
class Finder:
    """Finds events that are such a move.

    Attributes:
        move: The way.
        where: What is asked of them.
    """

    move: _Move
    where: Split

    def rows(self, events: Piece) -> np.ndarray:
        """Their places among some events, ascending; only those of somebody known."""
        found = events.whole("customer") > 0
        for column, holds in self.where.by_code.items():
            found &= holds.take(events.whole(column))
        rows = np.flatnonzero(found)
        if self.where.rest is None or not rows.size:
            return rows
        told = events.events.select(self.where.columns)[rows]
        return rows[told.with_columns(__holds=self.where.rest)["__holds"].to_numpy()]


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
