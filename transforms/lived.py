"""Who lived through the last 28 days: events by touchpoint, and customers as sets that can be put together.

Customers do not add up over touchpoints, so each touchpoint has a set of them: a bit for everybody who was there at
all. Whatever is asked of owners, stages or rungs of the ladder is then a union of a few sets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np
import polars as pl

from transforms.groups import order_of

SPARSE = 64
"""A set of fewer than one in so many is a list: thousands of sets take no more room than a few."""


@dataclass(frozen=True)
class Lived:
    """Events and customers of the last 28 days, or of anything else that has names.

    Attributes:
        events: Events by touchpoint; those without any are left out.
        many: Customers by touchpoint: a bit for each that is known.
        few: Numbers of their bits, ascending, where they are few.
    """

    events: Mapping[str, int] = field(default_factory=dict)
    many: Mapping[str, np.ndarray] = field(default_factory=dict)
    few: Mapping[str, np.ndarray] = field(default_factory=dict)

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
        events = np.bincount(codes, weights=n, minlength=len(touchpoints)).astype(np.int64)
        # Those who were there are numbered anew: of all customers most were not.
        there = np.zeros(int(customers.max(initial=0)) + 1, dtype=np.bool_)
        there[customers] = True
        there[0] = False
        bit = np.cumsum(there, dtype=np.uint32)
        size = -(-int(bit[-1] + 1) // 64) * 64
        order = order_of(codes, len(touchpoints))
        ends = np.cumsum(np.bincount(codes, minlength=len(touchpoints)))
        told: dict[str, int] = {}
        many, few = {}, {}
        for code, (name, end) in enumerate(zip(touchpoints, ends, strict=True)):
            own = bit[customers[order[(ends[code - 1] if code else 0) : end]]]
            if not own.size:
                continue
            told[name] = int(events[code])
            if own.size * SPARSE < size:
                few[name] = np.unique(own[own > 0])
            else:
                flags = np.zeros(size, dtype=np.bool_)
                flags[own] = True
                flags[0] = False
                many[name] = np.packbits(flags).view(np.uint64)
        return cls(told, many, few)

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
        others: np.ndarray = np.unique(np.concatenate(few)) if few else np.empty(0, dtype=np.uint32)
        if many:
            known = union.view(np.uint8)[others >> 3] >> (7 - (others & 7)).astype(np.uint8)
            others = others[known & 1 == 0]
        return sum(self.events[name] for name in there), int(np.bitwise_count(union).sum()) + others.size

    @cached_property
    def stakes(self) -> Mapping[str, tuple[int, int]]:
        """Events and customers by touchpoint."""
        return {name: self.stake([name]) for name in self.events}
