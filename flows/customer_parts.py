"""Counts of customers, from the moves that are kept of each pack of files in order of customer.

Who becomes a customer in one month may leave in another, and two may turn out to be one, so customers are counted from
all of their moves; but what some of them come to can be taken off and added (`transforms.customer_counts`). So counts
are kept, and a batch looks at the moves of those it tells of, as they were and as they are.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from contracts.accountability import CustomerGroup
from flows.parts import MOVED, Frames, PackKeys, Pass, hash_of, part_of, widened
from flows.side_by_side import side_by_side
from transforms.customer_counts import (
    BY_PERSON,
    SCHEMAS,
    Counts,
    counted,
    counted_of_packs,
    of_nobody,
    order_of,
    together,
)
from transforms.groups import Columns
from transforms.pieces import PIECE_ROWS
from warehouse.state import merged_code

CUSTOMERS, MADE_OF, ALIASES = "customers", "made_of", "aliases"
ANEW = 1 / 8
"""Beyond this share of touched customers all are counted anew, bucket by bucket: what they did is looked at all at once."""
AT_ONCE = PIECE_ROWS
"""About so many moves are put in order at once at most, unless one customer has more."""
IN_TURN = 32
"""So many times what packs tell is mapped for: then pages that were looked at are let go of."""
_DRAWN = 1024
"""Of so many moves one says where buckets of customers begin."""
_LAST = 1 << 32


@dataclass(frozen=True)
class _Identity:
    """Who turned out to be who.

    Attributes:
        codes: Codes of customers who are known under another one, ascending.
        ends: Under which.
    """

    codes: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, aliases: pl.DataFrame) -> "_Identity":
        told = aliases.select("customer").unique().sort("customer")
        ends = told.select(merged_code(aliases)).to_series()
        return cls(told["customer"].to_numpy(), ends.to_numpy())

    def is_like(self, other: "_Identity") -> bool:
        """Whether everybody is known under the same codes."""
        return np.array_equal(self.codes, other.codes) and np.array_equal(self.ends, other.ends)

    def now(self, customers: np.ndarray) -> np.ndarray:
        """The codes under which customers are known."""
        if not self.codes.size:
            return customers
        place = np.minimum(np.searchsorted(self.codes, customers), self.codes.size - 1)
        return np.where(self.codes[place] == customers, self.ends[place], customers)

    def whole(self, customers: np.ndarray) -> np.ndarray:
        """Customers with everybody who is the same one, ascending."""
        ends = np.unique(self.now(customers))
        others = self.codes[np.isin(self.ends, ends)]
        return np.unique(np.concatenate([customers, ends, others]))

    def applied(self, moves: pl.DataFrame) -> pl.DataFrame:
        """Moves of customers as they are known."""
        return moves.with_columns(customer=pl.Series(self.now(moves["customer"].to_numpy()), dtype=pl.UInt32))

    def within(self, moves: Columns, codes: tuple[int, int]) -> Columns:
        """Those moves whose customers are known under codes from one up to another, as they are known."""
        told = {**moves, "customer": self.now(moves["customer"])}
        rows = np.flatnonzero((told["customer"] >= codes[0]) & (told["customer"] < codes[1]))
        return {name: values.take(rows) for name, values in told.items()}

    def elsewhere(self, moves: pl.DataFrame, codes: tuple[int, int], groups: int) -> Columns:
        """Moves of customers who are known under codes from one up to another, and are told under others."""
        first, end = codes
        of_them = (self.ends >= first) & (self.ends < end) & ((self.codes < first) | (self.codes >= end))
        others = moves[BY_PERSON.rows_of(moves, _pairs(groups, self.codes[of_them]))]
        return _columns(others)


def customers_of(asked: Pass, keys: Sequence[PackKeys]) -> Counts:
    """Counts of customers, as they are known today.

    Args:
        asked: The pass.
        keys: Keys of every pack, whose parts are kept.
    """
    if not asked.atlas.customers or not keys:
        return of_nobody()
    made_of = [one.facts for one in keys]
    key = hash_of([*made_of, asked.state.identity.get("aliases", "")])
    if (found := asked.kept.find(_kind(asked), key)) is not None:
        asked.kept.use((MOVED, one) for one in made_of)
        return {name: found[name] for name in SCHEMAS}
    before = next(iter(asked.kept.keys(_kind(asked))), None)
    counts = (_mended(asked, keys, before) if before else None) or _made(asked, keys)
    told = {MADE_OF: pl.DataFrame({"key": made_of}), ALIASES: asked.state.aliases}
    asked.kept.put(_kind(asked), key, {**counts, **told})
    return counts


def _kind(asked: Pass) -> str:
    return f"{CUSTOMERS}-{hash_of([asked.asked])[:8]}"


def _made(asked: Pass, keys: Sequence[PackKeys]) -> Counts:
    """Counts of all customers, some of them at a time."""
    identity, groups = _Identity.of(asked.state.aliases), asked.atlas.customers
    drawn, told_from, height = [], {}, 0
    for one in keys:
        moves = part_of(asked, one, MOVED)[MOVED]
        drawn.append(moves["customer"].gather_every(_DRAWN))
        told_from[one.facts] = moves[order_of(groups).then[0]].to_physical().min() or 0
        height += moves.height
    some = np.sort(pl.concat(drawn).to_numpy())
    buckets = height // min(AT_ONCE, asked.in_one_turn or AT_ONCE) + 1
    bounds = [0, *np.unique(some[np.arange(1, buckets) * some.size // buckets]).tolist(), _LAST]
    in_time = sorted(keys, key=lambda one: told_from[one.facts])
    edges = [_edges(part_of(asked, one, MOVED)[MOVED], bounds, len(groups)) for one in in_time]

    def of_turn(turn: range) -> Counts:
        packs = [part_of(asked, one, MOVED)[MOVED] for one in in_time]
        theirs = [
            (_columns(moves[of_group[turn.start] : of_group[turn.stop]]), of_group - of_group[turn.start])
            for moves, of_pack in zip(packs, edges, strict=True)
            for of_group in of_pack
        ]

        def of_bucket(bucket: int) -> Sequence[Columns]:
            told = [
                {name: values[at[bucket] : at[bucket + 1]] for name, values in columns.items()}
                for columns, at in theirs
            ]
            if not identity.codes.size:
                return told
            within = (bounds[bucket], bounds[bucket + 1])
            others = [identity.elsewhere(moves, within, len(groups)) for moves in packs]
            return [identity.within(one, within) for one in (*told, *others)]

        return counted_of_packs(map(of_bucket, turn), groups)

    buckets = len(bounds) - 1
    at_once = min(IN_TURN, -(-buckets // asked.packs_at_once))
    turns = [range(first, min(first + at_once, buckets)) for first in range(0, buckets, at_once)]
    made = list(side_by_side(of_turn, turns, asked.packs_at_once))
    return together(made, [1] * len(made))


def _edges(moves: pl.DataFrame, bounds: Sequence[int], groups: int) -> np.ndarray:
    """Where the moves of customers from each bound on begin, and where the last of them end, group by group."""
    begins = BY_PERSON.edges_of(moves, _pairs(groups, np.array(bounds[:-1])), "left").reshape(groups, -1)
    return np.hstack([begins, np.append(begins[1:, 0], moves.height)[:, None]])


def _mended(asked: Pass, keys: Sequence[PackKeys], before: str) -> Counts | None:
    """The counts made before, those of customers of whom something else is told now taken off and added anew."""
    made = asked.kept.find(_kind(asked), before)
    if made is None:
        return None
    was, now = set(made[MADE_OF]["key"]), {one.facts for one in keys}
    held = {key: asked.kept.find(MOVED, key) for key in sorted(was)}
    old = {key: tables for key, tables in held.items() if tables is not None}
    if not was & now or len(old) < len(was):
        return None
    new = {one.facts: old.get(one.facts) or part_of(asked, one, MOVED) for one in keys}
    gone, came = (
        [widened(tables, MOVED) for key, tables in of.items() if key not in others]
        for of, others in ((old, now), (new, was))
    )
    then, today = _Identity.of(made[ALIASES]), _Identity.of(asked.state.aliases)
    told = (
        BY_PERSON.differing(gone, came)["customer"].unique() if gone or came else pl.Series(dtype=pl.UInt32)
    )
    every = np.union1d(then.codes, today.codes)
    touched = np.union1d(told.to_numpy(), every[then.now(every) != today.now(every)])
    while (more := today.whole(then.whole(touched))).size > touched.size:
        touched = more
    if touched.size > ANEW * int(made["lasts"]["n"].sum()):
        return None
    groups = asked.atlas.customers
    every_pack = {**old, **new}
    theirs = dict(zip(every_pack, _of_some(every_pack.values(), touched, len(groups)), strict=True))
    at_most = asked.in_one_turn
    if at_most is not None and max(sum(theirs[key].height for key in of) for of in (old, new)) > at_most:
        return None  # bucket by bucket they take less memory
    of_whom = [(today, [old, new])] if then.is_like(today) else [(then, [old]), (today, [new])]
    sides = [one for identity, of in of_whom for one in _counted_of(theirs, of, identity, groups)]
    return together([{name: made[name] for name in SCHEMAS}, *sides], [1, -1, 1])


def _counted_of(
    moves: Mapping[str, pl.DataFrame],
    some: Sequence[Collection[str]],
    identity: _Identity,
    groups: Sequence[CustomerGroup],
) -> list[Counts]:
    """Counts of the moves of some packs, and of some others: all of them are put in order once.

    Args:
        moves: Moves by pack.
        some: Which packs, up to eight times.
        identity: Who customers are.
        groups: The map's groups.
    """
    bits = {key: sum((key in of) << place for place, of in enumerate(some)) for key in moves}
    told = [
        identity.applied(moves[key]).with_columns(__of=pl.lit(bit, pl.UInt8))
        for key, bit in bits.items()
        if bit
    ]
    ordered = order_of(groups).together(told)
    is_of = [pl.col("__of") & (1 << place) != 0 for place in range(len(some))]
    return [counted(ordered.filter(one).drop("__of"), groups) for one in is_of]


def _of_some(packs: Iterable[Frames], customers: np.ndarray, groups: int) -> Iterator[pl.DataFrame]:
    """Moves of some customers, by the codes under which they are told."""
    pairs = _pairs(groups, customers)
    return (tables[MOVED][BY_PERSON.rows_of(tables[MOVED], pairs)] for tables in packs)


def _columns(moves: pl.DataFrame) -> Columns:
    """Moves as arrays, instants in microseconds since 1970."""
    return {one.name: one.to_physical().to_numpy() for one in moves}


def _pairs(groups: int, customers: np.ndarray) -> pl.DataFrame:
    """Every one of some customers in every group."""
    return pl.DataFrame(
        {
            "group": np.arange(groups, dtype=np.uint8).repeat(len(customers)),
            "customer": np.tile(customers.astype(np.uint32), groups),
        }
    )
