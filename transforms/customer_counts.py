"""Customers coming, going and staying as counts by day, which add up over customers: their tables need nothing else.

The readable way is `customers.customer_spans` and what `methods.retention` makes of spans. A customer's moves, in order,
are theirs alone, so counts of some customers can be taken off and those of the same ones, as they are told of now, be
added: a batch costs what it tells, not how many customers there ever were. Counts know no today; who lapses on a day
that is still to come is among them, under that day.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from itertools import chain, pairwise
from math import prod

import numpy as np
import polars as pl

from contracts.accountability import CustomerGroup
from contracts.tables.scorecards import FLOW_PERIODS
from transforms.beside import Order
from transforms.customer_moves import is_told_by_day
from transforms.groups import PLACES_ALWAYS, Columns, grouped
from transforms.groups import order_of as by_number
from transforms.pieces import PIECE_ROWS

BY_PERSON = Order(("group", "customer"), ())
_BY_INSTANT = Order(BY_PERSON.of, ("occurred_at", "is_left", "steps", "reason", "segment"))
"""Of several at one instant, leaving is the last."""
_BY_DAY = Order(BY_PERSON.of, ("day",))

EVERY: Mapping[str, str] = dict(zip(FLOW_PERIODS, ("1w", "1mo", "1q"), strict=True))
"""How long periods are, as polars says it."""

_WHOSE = {"group": pl.UInt8, "segment": pl.UInt32}
_NOTHING = {"is_left": np.False_, **dict.fromkeys(("steps", "reason", "segment"), np.uint8(0))}
"""What a move says where nothing is kept of it."""
_SUMS = {"n": pl.Int64, "value": pl.Int64}
STARTS = {**_WHOSE, "day": pl.Int32, "is_back": pl.Boolean, "is_back_there": pl.Boolean, **_SUMS}
"""Spans that begin on a day (since 1970): not the customer's first one, nor their first one in the segment; how many
they are, and what they are worth in whole thousandths."""
ENDS = {
    **_WHOSE,
    "day": pl.Int32,
    "is_lapsed": pl.Boolean,
    "reason": pl.UInt32,
    **{f"in_{period}": pl.Boolean for period in FLOW_PERIODS},
    **_SUMS,
}
"""Spans that end on a day, or would if the customer lapses: why, and whether they began in the same period."""
MONTHS = {"group": pl.UInt8, "cohort": pl.Int32, "month": pl.Int32, "n": pl.Int64}
"""Customers first active in a month (12 times the year, and the month from 0) who are active in another one."""
LASTS = {"group": pl.UInt8, "cohort": pl.Int32, "last": pl.Int32, "n": pl.Int64}
"""The same by the last month in which they are."""

SCHEMAS: Mapping[str, Mapping[str, type[pl.DataType]]] = {
    "starts": STARTS,
    "ends": ENDS,
    "months": MONTHS,
    "lasts": LASTS,
}
Counts = Mapping[str, pl.DataFrame]
"""A table of every schema."""
_DAYS = 256
"""What days are in is known of so many at once."""
NO_DAY = np.iinfo(np.int32).max
_LONGEST: Mapping[str, int] = dict(zip(FLOW_PERIODS, (7, 31, 92), strict=True))
"""Days that a period has at most."""
_WAITS_MAX = 1 << 16
"""Who waits for more days than these, 179 years, lapses after so many: nobody will look."""


def order_of(groups: Sequence[CustomerGroup]) -> Order:
    """How `counted` takes moves of some groups."""
    return _BY_DAY if is_told_by_day(groups) else _BY_INSTANT


def of_nobody() -> Counts:
    """No customers."""
    return {name: pl.DataFrame(schema=dict(schema)) for name, schema in SCHEMAS.items()}


def together(counts: Sequence[Counts], signs: Sequence[int]) -> Counts:
    """Counts added up or, where the sign is -1, taken off; what comes to nothing is left out."""
    made = {}
    for name, schema in SCHEMAS.items():
        sums = [column for column in schema if column in _SUMS]
        signed = [
            one[name].with_columns(pl.col(sums) * sign) for one, sign in zip(counts, signs, strict=True)
        ]
        by = [column for column in schema if column not in sums]
        added = pl.concat(signed).group_by(by).agg(pl.col(sums).sum())
        made[name] = added.filter(pl.any_horizontal(pl.col(sums) != 0)).select(list(schema))
    return made


@dataclass(frozen=True)
class _Moves:
    """Moves in order, as arrays; what is the same of all of them is told once (`_once`).

    Attributes:
        person: Whose they are: group and customer as one number.
        group: Number of the group.
        day: Local day, days since 1970.
        is_left: Whether it ends being a customer.
        steps: What it is worth.
        reason: Code of why they left.
        segment: Code of the segment.
    """

    person: np.ndarray
    group: np.ndarray
    day: np.ndarray
    is_left: np.ndarray
    steps: np.ndarray
    reason: np.ndarray
    segment: np.ndarray

    def some(self, rows: np.ndarray) -> "_Moves":
        return _Moves(**{one.name: _of(getattr(self, one.name), rows) for one in fields(self)})

    @cached_property
    def leaves(self) -> bool:
        """Whether any ends being a customer."""
        return bool(_once(self.is_left).any())

    @cached_property
    def is_new(self) -> np.ndarray:
        """Whether the move before is of another person."""
        found = np.ones(self.person.size, dtype=bool)
        found[1:] = self.person[1:] != self.person[:-1]
        return found

    def is_over(self, patience: np.ndarray) -> np.ndarray:
        """Whether nothing lasts when it comes: the first one, one after leaving, or one that comes too late."""
        found = self.is_new.copy()
        waited = self.day[1:] - self.day[:-1]
        found[1:] |= waited > patience.take(_once(self.group[1:]))
        if self.leaves:
            found[1:] |= self.is_left[:-1]
        return found


def _once(values: np.ndarray) -> np.ndarray:
    """Values all of which are one (`np.broadcast_to`), as that one; or as they are."""
    return values if values.strides[0] else values[:1]


def _of(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values of some rows, by their places."""
    return values.take(rows) if values.strides[0] else np.broadcast_to(values[:1], rows.size)


def _ends(begins: np.ndarray, size: int) -> np.ndarray:
    """The last place of each of some stretches that follow each other."""
    return np.append(begins[1:], size)[: begins.size] - 1


def counted(moves: pl.DataFrame, groups: Sequence[CustomerGroup]) -> Counts:
    """Counts of customers.

    Args:
        moves: What `customer_moves.as_kept` returns, columns as narrow as their numbers: all of every customer's, as
            `order_of` the groups has them.
        groups: The map's groups.
    """
    return _counts_of(_few_at_once(moves), groups)


def counted_of_packs(pieces: Iterable[Sequence[Columns]], groups: Sequence[CustomerGroup]) -> Counts:
    """Counts of customers, some of them at a time.

    Args:
        pieces: All moves of some customers, in several parts, the earlier ones best first; so few that arrays of them
            stay in the processor's caches.
        groups: The map's groups.
    """
    return _counts_of(chain.from_iterable(_in_order(parts, groups) for parts in pieces), groups)


def _counts_of(pieces: Iterable[_Moves], groups: Sequence[CustomerGroup]) -> Counts:
    """Counts of customers all of whose moves are in one piece."""
    # Who waits for ever does not lapse.
    patience = np.array(
        [NO_DAY if one.lapse_days is None else min(one.lapse_days, _WAITS_MAX) for one in groups],
        dtype=np.int32,
    )
    tallies = {name: _Tally() for name in SCHEMAS}
    for every in pieces:
        last = int(every.day.max()) + int(patience[patience < NO_DAY].max(initial=0)) + 1
        days = _Days.of(int(every.day.min()) // _DAYS, last // _DAYS)
        told = {**_spans(_lasting(every, patience), patience, groups, days), **_months(every, days)}
        for name, rows in told.items():
            tallies[name].add(rows)
    return together([{name: tallies[name].counts(schema) for name, schema in SCHEMAS.items()}], [1])


@dataclass(frozen=True)
class _Days:
    """What days are in.

    Attributes:
        first: The first of them, days since 1970.
        begins: The first day of the period that each is in, by period.
        month: The month that each is in: 12 times the year, and the month from 0.
    """

    first: int
    begins: Mapping[str, np.ndarray]
    month: np.ndarray

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, first: int, last: int) -> "_Days":
        """All days from one of these numbers of `_DAYS` to another."""
        first, last = first * _DAYS, (last + 1) * _DAYS
        dates = pl.int_range(first, last, dtype=pl.Int32, eager=True).cast(pl.Date)
        begins = {
            period: dates.dt.truncate(every).to_physical().to_numpy() for period, every in EVERY.items()
        }
        return cls(first, begins, (dates.dt.year() * 12 + dates.dt.month() - 1).to_numpy())

    def places(self, days: np.ndarray) -> np.ndarray:
        """Where some days stand."""
        return (days - self.first).astype(np.intp)


def _few_at_once(moves: pl.DataFrame) -> Iterator[_Moves]:
    """Moves as arrays that stay in the processor's caches, all of a customer's in one of them."""
    person = BY_PERSON.numbered(moves)
    begins = np.unique(np.searchsorted(person, person[::PIECE_ROWS]))
    for first, end in pairwise([*begins.tolist(), moves.height]):
        some = moves[first:end]
        told = {
            name: some[name].to_numpy() if name in some else np.broadcast_to(nothing, some.height)
            for name, nothing in _NOTHING.items()
        }
        # Days are taken from each other: where they come as narrow as they fit, what is between them may not fit.
        day, group = some["day"].cast(pl.Int32).to_numpy(), some["group"].to_numpy()
        if group[0] == group[-1]:
            group = np.broadcast_to(group[0], group.size)
        yield _Moves(person=person[first:end], day=day, group=group, **told)


def _in_order(parts: Sequence[Columns], groups: Sequence[CustomerGroup]) -> Iterator[_Moves]:
    """Moves in several parts as arrays."""
    told = {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}
    if not is_told_by_day(groups):
        yield from _few_at_once(_BY_INSTANT.in_order(pl.DataFrame(told)))
    elif told["customer"].size:
        yield _by_day(told, several=len(groups) > 1)


def _by_day(told: Columns, *, several: bool) -> _Moves:
    """Moves of which nothing is told but their days and what they are worth, of several groups or one, in order."""
    days, person = told["day"].astype(np.int32, copy=False), told["customer"] - told["customer"].min()
    if several:
        person = person + told["group"].astype(np.uint64) * (int(person.max()) + 1)
    order = by_number(person, int(person.max()) + 1)
    whose, day = person.take(order), days.take(order)
    if ((whose[1:] == whose[:-1]) & (day[1:] < day[:-1])).any():
        order = by_number(days - days.min(), int(days.max() - days.min()) + 1)
        order = order.take(by_number(person.take(order), int(person.max()) + 1))
        whose, day = person.take(order), days.take(order)
    nothing = {name: np.broadcast_to(nothing, order.size) for name, nothing in _NOTHING.items()}
    some = {name: told[name].take(order) for name in ("steps", *["group"] * several) if name in told}
    return _Moves(**{**nothing, "group": nothing["reason"], **some, "person": whose, "day": day})


class _Tally:
    """How many rows are alike, and what they are worth: added up in arrays that have a place for every kind of row."""

    def __init__(self) -> None:
        self._sums: dict[tuple[tuple[str, int, int], ...], np.ndarray] = {}
        self._others: list[Columns] = []

    def add(self, rows: Columns) -> None:
        """More of them."""
        by = {name: one.view(np.uint8) if one.dtype == np.bool_ else one for name, one in rows.items()}
        value = by.pop("value", None)
        if not by["group"].size:
            return
        bounds = tuple((name, *_bounds(values)) for name, values in by.items())
        spans = [span for *_, span in bounds]
        if prod(spans) > PLACES_ALWAYS:
            alike = grouped(by)
            worth = {} if value is None else {"value": alike.add_up(value)}
            self._others.append({**alike.keys, "n": alike.sizes, **worth})
            return
        place = np.zeros(by["group"].size, dtype=np.int32)
        for name, low, span in bounds:
            if span > 1:
                place *= np.int32(span)
                place += by[name] - np.int32(low)
        place = place.astype(np.intp)
        if bounds not in self._sums:
            self._sums[bounds] = np.zeros((2, prod(spans)), dtype=np.int64)
        sums = self._sums[bounds]
        sums[0] += np.bincount(place, minlength=prod(spans))
        if value is not None:
            np.add.at(sums[1], place, value)

    def counts(self, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
        """All of them, some that are alike in several rows."""
        made = [*self._others]
        for bounds, sums in self._sums.items():
            there = np.flatnonzero(sums[0])
            numbers = np.unravel_index(there, [span for *_, span in bounds])
            keys = {name: number + low for (name, low, _), number in zip(bounds, numbers, strict=True)}
            made.append({**keys, "n": sums[0].take(there), "value": sums[1].take(there)})
        frames = [pl.DataFrame({name: one[name] for name in schema}).cast(dict(schema)) for one in made]
        return pl.concat([pl.DataFrame(schema=dict(schema)), *frames])


def _bounds(values: np.ndarray) -> tuple[int, int]:
    """From which number on values are, and how many there may be: about, so that they are the same of most pieces."""
    once = _once(values)
    step = 1 if once.size == 1 else 2 if once.itemsize == 1 else 64
    low = int(once.min()) // step * step
    return low, (int(once.max()) - low) // step * step + step


def _lasting(moves: _Moves, patience: np.ndarray) -> _Moves:
    """Without moves that change nothing: leaving where nothing lasts, or to be back the same day."""
    if not moves.leaves:
        return moves
    moves = moves.some(np.flatnonzero(~(moves.is_left & moves.is_over(patience))))
    is_back = np.zeros(moves.person.size, dtype=bool)
    is_back[:-1] = moves.is_left[:-1] & ~moves.is_new[1:] & (moves.day[1:] == moves.day[:-1])
    return moves.some(np.flatnonzero(~is_back))


def _spans(
    moves: _Moves, patience: np.ndarray, groups: Sequence[CustomerGroup], days: _Days
) -> Mapping[str, Columns]:
    """Starts and ends, a row for every span: the first move is active, and only the last one may be leaving."""
    first = np.flatnonzero(moves.is_over(patience))
    last = _ends(first, moves.person.size)
    has_left, group, segment = _of(moves.is_left, last), _of(moves.group, first), _of(moves.segment, first)
    began, again = moves.day.take(first), ~moves.is_new.take(first)
    value = _worth(moves, first, last, groups)
    starts = {
        "group": group,
        "segment": segment,
        "day": began,
        "is_back": again,
        "is_back_there": _again_in(again, moves, first, segment),
        "value": value,
    }
    waits = patience.take(_once(group))
    day = moves.day.take(last - has_left if moves.leaves else last) + (waits + 1)
    if moves.leaves:
        day = np.where(has_left, moves.day.take(last), day)
    ends_some_day = has_left | (waits < NO_DAY)
    if not ends_some_day.all():
        some = np.flatnonzero(ends_some_day)
        last, has_left, group, segment = (_of(one, some) for one in (last, has_left, group, segment))
        day, began, value = (one.take(some) for one in (day, began, value))
    place, lasted = days.places(day), (day - began).min(initial=NO_DAY)
    never = np.broadcast_to(np.False_, day.size)
    ends = {
        "group": group,
        "segment": segment,
        "day": day,
        "is_lapsed": ~has_left,
        "reason": _of(moves.reason, last) * has_left,
        **{
            f"in_{period}": began >= begins.take(place) if lasted < _LONGEST[period] else never
            for period, begins in days.begins.items()
        },
        "value": value,
    }
    return {"starts": starts, "ends": ends}


def _worth(moves: _Moves, first: np.ndarray, last: np.ndarray, groups: Sequence[CustomerGroup]) -> np.ndarray:
    """What spans, by their first and last moves, are worth, on the basis that their group says."""
    steps = moves.steps
    if not first.size or not _once(steps).any():
        return np.zeros(first.size, np.int64)

    def worth(basis: str) -> np.ndarray:
        if basis == "total":
            paid = steps * ~moves.is_left if moves.leaves else steps
            # Most spans are short: to add each up by itself takes longer.
            upto = np.cumsum(paid, dtype=np.int64)
            return np.diff(upto.take(last), prepend=0)
        return steps.take(first if basis == "first" else last - moves.is_left.take(last)).astype(np.int64)

    by_group = np.array([one.value_basis for one in groups])
    bases = sorted(set(by_group))
    own = [(by_group == basis)[moves.group[first]] for basis in bases[1:]]
    return np.select(own, [worth(basis) for basis in bases[1:]], worth(bases[0])) if own else worth(bases[0])


def _again_in(again: np.ndarray, moves: _Moves, first: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """Whether a span is not its customer's first in its segment."""
    if not _once(segment).any():
        return again
    person, found = moves.person.take(first), np.zeros(first.size, dtype=bool)
    # Most customers have one span: only of those with several it has to be looked up.
    several = np.flatnonzero(again | np.append(again[1:], False))
    order = several[np.lexsort((several, segment[several], person[several]))]
    same = (person[order][1:] == person[order][:-1]) & (segment[order][1:] == segment[order][:-1])
    found[order[1:][same]] = True
    return found


def _months(moves: _Moves, days: _Days) -> Mapping[str, Columns]:
    """Months and lasts, a row for every customer and month in which they are active, and one for every customer."""
    if moves.leaves:
        moves = moves.some(np.flatnonzero(~moves.is_left))
    month, is_new = days.month.take(days.places(moves.day)), moves.is_new
    is_other = is_new.copy()
    is_other[1:] |= month[1:] != month[:-1]
    first, other = np.flatnonzero(is_new), np.flatnonzero(is_other)
    cohort, last = month.take(first), month.take(_ends(first, month.size))
    begins = np.append(np.flatnonzero(is_new.take(other)), other.size)
    months = {
        "group": _of(moves.group, other),
        "cohort": cohort.repeat(np.diff(begins)),
        "month": month.take(other),
    }
    return {"months": months, "lasts": {"group": _of(moves.group, first), "cohort": cohort, "last": last}}
