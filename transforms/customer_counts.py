"""Customers coming, going and staying as counts by day, which add up over customers: their tables need nothing else.

The readable way is `customers.customer_spans` and what `methods.retention` makes of spans. A customer's moves, in order,
are theirs alone, so counts of some customers can be taken off and those of the same ones, as they are told of now, be
added: a batch costs what it tells, not how many customers there ever were. Counts know no today; who lapses on a day
that is still to come is among them, under that day.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from contracts.accountability import CustomerGroup
from contracts.tables.scorecards import FLOW_PERIODS
from transforms.beside import Order
from transforms.customer_moves import is_told_by_day
from transforms.groups import Columns, grouped
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
NO_DAY = np.iinfo(np.int32).max
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
    """Moves in order, as arrays.

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

    def some(self, which: np.ndarray) -> "_Moves":
        return _Moves(**{name: values[which] for name, values in vars(self).items()})

    @property
    def is_same(self) -> np.ndarray:
        """Whether the move before is of the same person."""
        found = np.zeros(self.person.size, dtype=bool)
        found[1:] = self.person[1:] == self.person[:-1]
        return found

    def is_over(self, patience: np.ndarray) -> np.ndarray:
        """Whether nothing lasts when it comes: the first one, one after leaving, or one that comes too late."""
        found = ~self.is_same
        waited = self.day[1:] - self.day[:-1]
        found[1:] |= self.is_left[:-1] | (waited > patience[self.group[1:]])
        return found


def counted(moves: pl.DataFrame, groups: Sequence[CustomerGroup]) -> Counts:
    """Counts of customers.

    Args:
        moves: What `customer_moves.as_kept` returns, columns as narrow as their numbers: all of every customer's, as
            `order_of` the groups has them.
        groups: The map's groups.
    """
    if moves.is_empty():
        return of_nobody()
    # Who waits for ever does not lapse.
    patience = np.array(
        [NO_DAY if one.lapse_days is None else min(one.lapse_days, _WAITS_MAX) for one in groups],
        dtype=np.int64,
    )
    first, last = moves.select(pl.col("day").min(), last=pl.col("day").max()).row(0)
    days = _Days.of(first, last + int(patience[patience < NO_DAY].max(initial=0)) + 1)
    made = [_counted(every, patience, groups, days) for every in _few_at_once(moves)]
    found = {name: _added_up([one[name] for one in made]) for name in SCHEMAS}
    return {name: pl.DataFrame(found[name], schema=dict(schema)) for name, schema in SCHEMAS.items()}


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
    def of(cls, first: int, last: int) -> "_Days":
        """All days from one to another."""
        dates = pl.int_range(first, last + 1, dtype=pl.Int32, eager=True).cast(pl.Date)
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
        yield _Moves(person=person[first:end], day=day, group=group, **told)


def _counted(
    every: _Moves, patience: np.ndarray, groups: Sequence[CustomerGroup], days: "_Days"
) -> Mapping[str, Columns]:
    found = {**_spans(_lasting(every, patience), patience, groups, days), **_months(every, days)}
    return {name: _added_up([rows]) for name, rows in found.items()}


def _added_up(parts: Sequence[Columns]) -> Columns:
    """How many rows are alike, and what they are worth; rows of one part, or sums of several."""
    first, *more = parts
    rows = {name: np.concatenate([one[name] for one in parts]) for name in first} if more else first
    by = {name: values for name, values in rows.items() if name not in _SUMS}
    numbers = {name: one.view(np.uint8) if one.dtype == np.bool_ else one for name, one in by.items()}
    alike = grouped(numbers)
    keys = {name: one.astype(by[name].dtype) for name, one in alike.keys.items()}
    sums = {name: alike.add_up(rows[name]) for name in _SUMS if name in rows}
    return {**keys, "n": alike.sizes, **sums}


def _lasting(moves: _Moves, patience: np.ndarray) -> _Moves:
    """Without moves that change nothing: leaving where nothing lasts, or to be back the same day."""
    if not moves.is_left.any():
        return moves
    moves = moves.some(~(moves.is_left & moves.is_over(patience)))
    is_back = np.zeros(moves.person.size, dtype=bool)
    is_back[:-1] = moves.is_left[:-1] & moves.is_same[1:] & (moves.day[1:] == moves.day[:-1])
    return moves.some(~is_back)


def _spans(
    moves: _Moves, patience: np.ndarray, groups: Sequence[CustomerGroup], days: _Days
) -> Mapping[str, Columns]:
    """Starts and ends, a row for every span: the first move is active, and only the last one may be leaving."""
    first = np.flatnonzero(moves.is_over(patience))
    last = np.append(first[1:], moves.person.size)[: first.size] - 1
    has_left = moves.is_left[last]
    active = last - has_left
    group, segment, person = moves.group[first], moves.segment[first], moves.person[first]
    value, again = _worth(moves, first, last, groups), _again(person)
    starts = {
        "group": group,
        "segment": segment,
        "day": moves.day[first],
        "is_back": again,
        "is_back_there": _again_in(again, person, segment),
        "value": value,
    }
    waits = patience[group]
    day = np.where(has_left, moves.day[last], moves.day[active] + waits + 1)
    ends_some_day = has_left | (waits < NO_DAY)
    if not ends_some_day.all():
        some = np.flatnonzero(ends_some_day)
        last, has_left, group, segment, day = (one[some] for one in (last, has_left, group, segment, day))
        first, value = first[some], value[some]
    began, place = moves.day[first], days.places(day)
    ends = {
        "group": group,
        "segment": segment,
        "day": day,
        "is_lapsed": ~has_left,
        "reason": np.where(has_left, moves.reason[last], 0),
        **{f"in_{period}": began >= days.begins[period][place] for period in FLOW_PERIODS},
        "value": value,
    }
    return {"starts": starts, "ends": ends}


def _worth(moves: _Moves, first: np.ndarray, last: np.ndarray, groups: Sequence[CustomerGroup]) -> np.ndarray:
    """What spans, by their first and last moves, are worth, on the basis that their group says."""
    steps = moves.steps
    if not first.size or not steps.any():
        return np.zeros(first.size, np.int64)

    def worth(basis: str) -> np.ndarray:
        if basis == "total":
            paid = steps * ~moves.is_left if moves.is_left.any() else steps
            # Most spans are short: to add each up by itself takes longer.
            upto = np.cumsum(paid, dtype=np.int64)
            return np.diff(upto[last], prepend=0)
        return steps[first if basis == "first" else last - moves.is_left[last]].astype(np.int64)

    by_group = np.array([one.value_basis for one in groups])
    bases = sorted(set(by_group))
    own = [(by_group == basis)[moves.group[first]] for basis in bases[1:]]
    return np.select(own, [worth(basis) for basis in bases[1:]], worth(bases[0])) if own else worth(bases[0])


def _again(person: np.ndarray) -> np.ndarray:
    """Whether a span, in order, is not its customer's first."""
    found = np.zeros(person.size, dtype=bool)
    found[1:] = person[1:] == person[:-1]
    return found


def _again_in(again: np.ndarray, person: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """Whether it is not their first in its segment."""
    if not segment.any():
        return again
    found = np.zeros(person.size, dtype=bool)
    # Most customers have one span: only of those with several it has to be looked up.
    several = np.flatnonzero(again | np.append(again[1:], False))
    order = several[np.lexsort((several, segment[several], person[several]))]
    same = (person[order][1:] == person[order][:-1]) & (segment[order][1:] == segment[order][:-1])
    found[order[1:][same]] = True
    return found


def _months(moves: _Moves, days: _Days) -> Mapping[str, Columns]:
    """Months and lasts, a row for every customer and month in which they are active, and one for every customer."""
    if moves.is_left.any():
        moves = moves.some(~moves.is_left)
    if not moves.person.size:
        nothing = np.empty(0, dtype=np.int32)
        return {
            name: {column: nothing for column in SCHEMAS[name] if column not in _SUMS}
            for name in ("months", "lasts")
        }
    month, is_same = days.month[days.places(moves.day)], moves.is_same
    is_other = ~is_same
    is_other[1:] |= month[1:] != month[:-1]
    is_first, other = np.flatnonzero(~is_same), np.flatnonzero(is_other)
    cohort, last = month[is_first], month[np.append(is_first[1:], month.size) - 1]
    person = np.cumsum(~is_same[other]) - 1
    told = {"group": moves.group[other], "cohort": cohort[person], "month": month[other]}
    return {"months": told, "lasts": {"group": moves.group[is_first], "cohort": cohort, "last": last}}
