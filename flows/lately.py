"""What is told of single customers over all packs: who lived through the last 28 days, and what no rule matched.

There is a row for every customer in every pack, of which large packs have nearly all and seldom change. So what these
come to together is kept, and what small packs tell is put among it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import polars as pl

from contracts.events import INSTANT
from flows.parts import BY_STAKES, MISSED, RECENT, PackKeys, Pass, hash_of, part_of
from transforms.found import SIGNATURE, Unmatched
from transforms.lived import Lived, Rows

LARGE_ROWS = 262_144
"""A pack with more events is a large one."""
_KIND = "lately"
_N = {"customer": pl.UInt32(), "n": pl.Int64()}
_ROWS: Mapping[str, Mapping[str, pl.DataType]] = {
    MISSED: {**dict.fromkeys(SIGNATURE, pl.UInt16()), **_N, "first_at": INSTANT, "last_at": INSTANT},
    RECENT: {"touchpoint": pl.UInt16(), "rule": pl.UInt16(), **_N},
}
_HITS = {"rule": pl.UInt16(), "n": pl.Int64()}


@dataclass(frozen=True)
class Lately:
    """What is told of single customers.

    Attributes:
        hits: rule, n: events of the last 28 days; a rule may be there more than once.
        lived: Who lived through them, by code of touchpoint as text.
        unmatched: Events that no rule matched, of all times.
    """

    hits: pl.DataFrame
    lived: Lived
    unmatched: Unmatched

    def with_more(self, names: Sequence[str], recent: pl.DataFrame, missed: pl.DataFrame) -> "Lately":
        """What is told already, and what more rows tell."""
        lived = self.lived.with_more(names, *_by_touchpoint(recent)) if recent.height else self.lived
        return Lately(pl.concat([self.hits, _hits(recent)]), lived, self.unmatched.with_more(missed))

    @classmethod
    def of(cls, names: Sequence[str], recent: "_Parts", missed: "_Parts") -> "Lately":
        """What rows tell, pack by pack."""
        hits = _hits(pl.concat([_hits(rows) for rows in recent]))
        return cls(hits, Lived.of_parts(names, _ByTouchpoint(recent)), Unmatched.of(missed))


@dataclass(frozen=True)
class _Parts:
    """Rows of one kind, pack by pack, customers as they are known today: read whenever they are gone over.

    Attributes:
        asked: The pass.
        keys: Keys of the packs.
        kind: The kind.
    """

    asked: Pass
    keys: Sequence[PackKeys]
    kind: str

    def __iter__(self) -> Iterator[pl.DataFrame]:
        yield pl.DataFrame(schema=dict(_ROWS[self.kind]))
        merged = self.asked.state.merged()
        for one in self.keys:
            if one.stakes or self.kind not in BY_STAKES:
                rows = part_of(self.asked, one, self.kind)[self.kind]
                yield rows.with_columns(merged).select(list(_ROWS[self.kind]))


@dataclass(frozen=True)
class _ByTouchpoint:
    """Rows of the last 28 days as `Lived.of_parts` goes over them."""

    parts: _Parts

    def __iter__(self) -> Iterator[Rows]:
        return map(_by_touchpoint, self.parts)


def _by_touchpoint(recent: pl.DataFrame) -> Rows:
    touchpoint, customer, n = (recent[name].to_numpy() for name in ("touchpoint", "customer", "n"))
    return touchpoint, customer, n


def lately_of(asked: Pass, keys: Sequence[PackKeys]) -> Lately:
    """What all packs tell, customers as they are known today.

    Args:
        asked: The pass.
        keys: Keys of every pack, whose parts are kept.
    """
    names = [str(code) for code in range(len(asked.matcher.names))]
    large = [one for one in keys if one.rows > LARGE_ROWS]
    small = [one for one in keys if one.rows <= LARGE_ROWS]
    told = _told(asked, small)
    if not large:
        return Lately.of(names, *told)
    found = _of_large(asked, names, large)
    return found.with_more(names, *map(pl.concat, told)) if small else found


def _of_large(asked: Pass, names: Sequence[str], large: Sequence[PackKeys]) -> Lately:
    told = chain.from_iterable((one.facts, str(one.stakes)) for one in large)
    key = hash_of([*told, asked.state.identity.get("aliases", "")])
    found = asked.kept.find(_KIND, key)
    if found is None:
        made = Lately.of(names, *_told(asked, large))
        asked.kept.put(_KIND, key, _frames(made), as_in_memory=True)
        return made
    asked.kept.use((kind, one.under(kind)) for kind in (MISSED, RECENT) for one in large)
    lived, missed = (
        Lived.from_frames(
            {name.removeprefix(of): frame for name, frame in found.items() if name.startswith(of)}
        )
        for of in ("lived/", "missed/")
    )
    return Lately(found["hits"], lived, Unmatched(found["seen"], missed))


def _told(asked: Pass, keys: Sequence[PackKeys]) -> tuple[_Parts, _Parts]:
    """Rows of the last 28 days, and those that no rule matched."""
    return _Parts(asked, keys, RECENT), _Parts(asked, keys, MISSED)


def _frames(made: Lately) -> dict[str, pl.DataFrame]:
    lived, missed = made.lived.frames(), made.unmatched.lived.frames()
    return {
        "hits": made.hits,
        "seen": made.unmatched.seen,
        **{f"lived/{name}": frame for name, frame in lived.items()},
        **{f"missed/{name}": frame for name, frame in missed.items()},
    }


def _hits(recent: pl.DataFrame) -> pl.DataFrame:
    return recent.group_by("rule").agg(pl.col("n").sum()).select(pl.col(n).cast(k) for n, k in _HITS.items())
