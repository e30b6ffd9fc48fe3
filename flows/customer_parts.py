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
from transforms.customer_counts import BY_PERSON, SCHEMAS, Counts, counted, of_nobody, order_of, together
from warehouse.state import merged_code

CUSTOMERS, MADE_OF, ALIASES = "customers", "made_of", "aliases"
ANEW = 1 / 8
"""Beyond this share of touched customers all are counted anew, bucket by bucket: what they did is looked at all at once."""
AT_ONCE = 1 << 20
"""About so many moves are put in order at once at most, unless one customer has more."""
_DRAWN = 4096
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
    """Counts of all customers, bucket by bucket."""
    identity, groups = _Identity.of(asked.state.aliases), asked.atlas.customers
    order = order_of(groups)
    drawn = [part_of(asked, one, MOVED)[MOVED]["customer"].gather_every(_DRAWN) for one in keys]
    some = np.sort(pl.concat(drawn).to_numpy())
    at_once = min(AT_ONCE, asked.in_one_turn or AT_ONCE)
    buckets = sum(part_of(asked, one, MOVED)[MOVED].height for one in keys) // at_once + 1
    bounds = [0, *np.unique(some[np.arange(1, buckets) * some.size // buckets]).tolist(), _LAST]
    edges = [_edges(part_of(asked, one, MOVED)[MOVED], bounds, len(groups)) for one in keys]

    def of_bucket(bucket: int) -> Counts:
        within = (bounds[bucket], bounds[bucket + 1])
        moves = [
            _between(part_of(asked, one, MOVED)[MOVED], stretches[bucket], within, identity, len(groups))
            for one, stretches in zip(keys, edges, strict=True)
        ]
        return counted(order.together(moves), groups)

    made = list(side_by_side(of_bucket, range(len(bounds) - 1), asked.packs_at_once))
    return together(made, [1] * len(made))


def _edges(moves: pl.DataFrame, bounds: Sequence[int], groups: int) -> list[list[slice]]:
    """Where the moves of customers between every two bounds are, group by group."""
    begins = BY_PERSON.edges_of(moves, _pairs(groups, np.array(bounds[:-1])), "left").reshape(groups, -1)
    ends = np.append(begins[1:, 0], moves.height)
    edges = np.hstack([begins, ends[:, None]])
    return [
        [slice(first, end) for first, end in edges[:, bucket : bucket + 2].tolist()]
        for bucket in range(len(bounds) - 1)
    ]


def _between(
    moves: pl.DataFrame,
    stretches: Sequence[slice],
    within: tuple[int, int],
    identity: _Identity,
    groups: int,
) -> pl.DataFrame:
    """Moves of customers who are known under codes from one up to another, of which `stretches` are told under these."""
    theirs, (low, high) = pl.concat(moves[stretch] for stretch in stretches), within
    if not identity.codes.size:
        return theirs
    is_theirs = (identity.ends >= low) & (identity.ends < high)
    elsewhere = identity.codes[is_theirs & ((identity.codes < low) | (identity.codes >= high))]
    others = moves[BY_PERSON.rows_of(moves, _pairs(groups, elsewhere))]
    known = identity.applied(pl.concat([theirs, others]))
    return known.filter(pl.col("customer") >= low, pl.col("customer") < high)


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


def _pairs(groups: int, customers: np.ndarray) -> pl.DataFrame:
    """Every one of some customers in every group."""
    return pl.DataFrame(
        {
            "group": np.arange(groups, dtype=np.uint8).repeat(len(customers)),
            "customer": np.tile(customers.astype(np.uint32), groups),
        }
    )
