"""Who lived through the last 28 days: events by touchpoint, and customers as sets that can be put together.

Customers do not add up over touchpoints, so each touchpoint has a set of them: a bit for everybody who was there at
all. Whatever is asked of owners, stages or rungs of the ladder is then a union of a few sets. More events can be put
among those that are told already: a few are worked in at the cost of what they are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np
import polars as pl

from transforms.groups import order_of

ROOM = 8192
"""There is room for so many more customers: a few new ones do not have every set copied."""
SPARSE = 64
"""A set of fewer than one in so many is a list: thousands of sets take no more room than a few."""

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Touchpoints by code, customers and numbers of events, row by row."""


@dataclass(frozen=True)
class Lived:
    """Events and customers of the last 28 days, or of anything else that has names.

    Attributes:
        events: Events by touchpoint; those without any are left out.
        many: Customers by touchpoint: a bit for each that is known, the first of each byte the highest.
        few: Numbers of their bits, ascending, where they are few.
        customers: Codes of those who were there, ascending; the first has bit 1.
    """

    events: Mapping[str, int] = field(default_factory=dict)
    many: Mapping[str, np.ndarray] = field(default_factory=dict)
    few: Mapping[str, np.ndarray] = field(default_factory=dict)
    customers: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.uint32))

    @classmethod
    def of(
        cls, touchpoints: Sequence[str], codes: np.ndarray, customers: np.ndarray, n: np.ndarray
    ) -> "Lived":
        """What rows tell.

        Args:
            touchpoints: Ids of touchpoints by code.
            codes: Every row's touchpoint.
            customers: Its customer; 0 for unknown.
            n: Its events.
        """
        return cls.of_parts(touchpoints, [(codes, customers, n)])

    @classmethod
    def of_parts(cls, touchpoints: Sequence[str], parts: Iterable[Rows]) -> "Lived":
        """What rows tell that come in parts: of all of them nothing stands in memory but whose they are, four bytes each.

        Args:
            touchpoints: As of `of`.
            parts: Codes, customers and n of every part; gone over twice, so nothing that is used up.
        """
        if iter(parts) is parts:
            raise TypeError("Parts are gone over twice: an iterator is empty the second time.")
        # Those who were there are numbered anew: of all customers most were not.
        there = np.zeros(1, dtype=np.bool_)
        for _, customers, _ in parts:
            if (lacking := int(customers.max(initial=0)) + 1 - there.size) > 0:
                there = np.pad(there, (0, lacking))
            there[customers] = True
        there[0] = False
        bit = np.cumsum(there, dtype=np.uint32)
        size = (int(bit[-1]) + ROOM) // 64 * 64
        events = np.zeros(len(touchpoints), dtype=np.int64)
        told: list[list[np.ndarray]] = [[] for _ in touchpoints]
        for codes, customers, n in parts:
            events += np.bincount(codes, weights=n, minlength=len(touchpoints)).astype(np.int64)
            bits = bit.take(customers)
            for code, of_it in _by_code(codes, len(touchpoints)):
                told[code].append(bits.take(of_it))
        named, many, few = {}, {}, {}
        for name, sets, count in zip(touchpoints, told, events.tolist(), strict=True):
            if not sets:
                continue
            named[name] = count
            own = np.concatenate(sets)
            sets.clear()
            if own.size * SPARSE < size:
                few[name] = np.unique(own[own > 0])
            else:
                flags = np.zeros(size, dtype=np.bool_)
                flags[own] = True
                flags[0] = False
                many[name] = np.packbits(flags).view(np.uint64)
        return cls(named, many, few, np.flatnonzero(there).astype(np.uint32))

    def with_more(
        self, touchpoints: Sequence[str], codes: np.ndarray, customers: np.ndarray, n: np.ndarray
    ) -> "Lived":
        """What is told already, and what more rows tell: as of `of`. It is done once: new customers' bits are not noted."""
        events, many, few = dict(self.events), dict(self.many), dict(self.few)
        bits, last = self._bits(customers)
        if many:
            size = len(next(iter(many.values())))
            if (lacking := last // 64 + 1 - size) > 0:
                many = {name: np.pad(own, (0, lacking)) for name, own in many.items()}
        for code, of_it in _by_code(codes, len(touchpoints)):
            name, own = touchpoints[code], bits[of_it]
            own = own[own > 0]
            events[name] = events.get(name, 0) + int(n[of_it].sum())
            if name in many:
                words = many[name].copy()
                np.bitwise_or.at(
                    words.view(np.uint8), own >> 3, np.right_shift(128, own & 7).astype(np.uint8)
                )
                many[name] = words
            else:
                few[name] = _together([few.get(name, own), own]).astype(np.uint32)
        return Lived(events, many, few, self.customers)

    def _bits(self, customers: np.ndarray) -> tuple[np.ndarray, int]:
        """Every row's bit, 0 for unknown customers, and the last bit there is: new ones come behind those there are."""
        known = self.customers
        place = np.searchsorted(known, customers)
        is_known = np.append(known, 0).take(place, mode="clip") == customers
        new = np.unique(customers[~is_known & (customers > 0)])
        bits = np.where(is_known, place, known.size + np.searchsorted(new, customers)) + 1
        bits[customers == 0] = 0
        return bits, known.size + new.size

    def frames(self) -> dict[str, pl.DataFrame]:
        """All of it as tables of numbers; its names are numbers written as texts."""
        names = list(self.events)
        few = [(int(name), own) for name, own in self.few.items()]
        return {
            "events": pl.DataFrame(
                {"name": [*map(int, names)], "n": [*self.events.values()]},
                schema=dict.fromkeys(("name", "n"), pl.Int64),
            ),
            "many": pl.DataFrame(dict(self.many)),
            "few": pl.DataFrame(
                {
                    "name": np.repeat([name for name, _ in few], [own.size for _, own in few]),
                    "bit": np.concatenate([np.empty(0, np.uint32), *(own for _, own in few)]),
                },
                schema={"name": pl.Int64, "bit": pl.UInt32},
            ),
            "customers": pl.DataFrame({"customer": self.customers}, schema={"customer": pl.UInt32}),
        }

    @classmethod
    def from_frames(cls, told: Mapping[str, pl.DataFrame]) -> "Lived":
        """What `frames` returned."""
        few = told["few"].partition_by("name", as_dict=True, maintain_order=True)
        return cls(
            {str(name): n for name, n in told["events"].iter_rows()},
            {one.name: one.to_numpy() for one in told["many"]},
            {str(name): own["bit"].to_numpy() for (name,), own in few.items()},
            told["customers"]["customer"].to_numpy(),
        )

    def named(self, names: Mapping[str, str]) -> "Lived":
        """The same under other names."""
        events = {names[name]: n for name, n in self.events.items()}
        many, few = ({names[name]: own for name, own in of.items()} for of in (self.many, self.few))
        return Lived(events, many, few, self.customers)

    @classmethod
    def told(cls, rows: pl.DataFrame) -> "Lived":
        """What rows of touchpoint_id, customer (0: unknown) and n tell."""
        names = rows["touchpoint_id"].unique().sort()
        codes = rows["touchpoint_id"].cast(pl.Enum(names)).to_physical()
        return cls.of(names.to_list(), codes.to_numpy(), rows["customer"].to_numpy(), rows["n"].to_numpy())

    def stake(self, touchpoints: Iterable[str]) -> tuple[int, int]:
        """Events and customers at touchpoints; a customer counts once, an unknown one not at all."""
        there = [name for name in dict.fromkeys(touchpoints) if name in self.events]
        many = [self.many[name] for name in there if name in self.many]
        few = [self.few[name] for name in there if name in self.few]
        union = reduce(np.bitwise_or, many) if many else np.empty(0, dtype=np.uint64)
        others = _together(few)
        if many:
            known = union.view(np.uint8)[others >> 3] >> (7 - (others & 7)).astype(np.uint8)
            others = others[known & 1 == 0]
        return sum(self.events[name] for name in there), int(np.bitwise_count(union).sum()) + others.size

    @cached_property
    def stakes(self) -> Mapping[str, tuple[int, int]]:
        """Events and customers by touchpoint."""
        return {name: self.stake([name]) for name in self.events}


def _by_code(codes: np.ndarray, count: int) -> Iterator[tuple[int, np.ndarray]]:
    """Every code that there is, of so many from 0 on, and its rows."""
    order, sizes = order_of(codes, count), np.bincount(codes, minlength=count)
    ends = np.cumsum(sizes)
    for code in np.flatnonzero(sizes).tolist():
        yield code, order[ends[code] - sizes[code] : ends[code]]


def _together(sets: Sequence[np.ndarray]) -> np.ndarray:
    """The numbers of several sets, each of them once, ascending: sorted, where `np.unique` looks each of them up."""
    if not sets:
        return np.empty(0, dtype=np.uint32)
    every = np.sort(np.concatenate(sets))
    is_other = np.ones(every.size, dtype=bool)
    is_other[1:] = every[1:] != every[:-1]
    return every[is_other]
