"""Values of sets by rank: what was looked up once is known of every set that is alike, whichever group it is.

A quantile of a group depends on the set of its values alone. So sets are told apart by a mark, which adds up over
their parts; a set that several cards have, or that a run before has had, is put in order once.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

AT_ONCE = 1 << 15
"""So many values are marked at once: they stay in the processor's cache."""
FEW = 1 << 10
"""Up to so many values it is quicker to sort a set than to find those at a few ranks."""
KEPT_FROM = 1 << 14
"""Of smaller sets nothing is noted: they are put in order as quickly as they are looked up."""
_TURNS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
"""Steele, Lea and Flood 2014 (SplitMix64): whoever differs in one bit differs in half of them, and nobody is alike."""
_FIRST, _LAST = np.uint64(0x9E3779B97F4A7C15), np.uint64(31)

RANKED = {"mark": pl.UInt64, "rank": pl.Int64, "value": pl.Float64}
"""One value of a set: the set's mark, the value's place among its values from 0, the value."""


class Ranked:
    """What is known of sets by rank.

    Args:
        known: `RANKED`, no pair of mark and rank twice; nothing when absent.
    """

    def __init__(self, known: pl.DataFrame | None = None) -> None:
        self._known = pl.DataFrame(schema=RANKED) if known is None else known
        self._asked: list[pl.DataFrame] = []
        self.has_learnt = False

    def find(self, asked: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Values by rank, and whether each is known.

        Args:
            asked: mark, rank.
        """
        known = self._known.with_columns(is_known=pl.lit(value=True))
        found = asked.join(known, on=["mark", "rank"], how="left", maintain_order="left")
        return found["value"].fill_null(0.0).to_numpy(writable=True), found[
            "is_known"
        ].is_not_null().to_numpy()

    def note(self, asked: pl.DataFrame, *, has_learnt: bool) -> None:
        """Note what was asked for.

        Args:
            asked: `RANKED`.
            has_learnt: Whether any of it was not known.
        """
        self._asked.append(asked)
        self.has_learnt |= has_learnt

    def used(self) -> pl.DataFrame:
        """What was asked for, known before or not: `RANKED`, by mark and rank, no pair twice."""
        if not self._asked:
            return self._known.clear()
        return pl.concat(self._asked).unique(["mark", "rank"]).sort("mark", "rank")


def mixed(bits: np.ndarray) -> np.ndarray:
    """Whole numbers of 64 bits as others, which look like drawn by lot; two that differ stay different."""
    found = bits + _FIRST  # so that no bits at all, which 0.0 is, is something as well
    for shift, factor in _TURNS:
        found ^= found >> np.uint64(shift)
        found *= np.uint64(factor)
    found ^= found >> _LAST
    return found


def marks_of(values: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Marks of sets of values: sums, modulo 2^64, of numbers that stand for the values.

    Two of ten million sets have the same mark by chance once in 400,000 times.

    Args:
        values: Set by set.
        begins: Where each set's begin; and how many there are.
    """
    there = np.flatnonzero(np.diff(begins))
    bits, found = np.empty(len(values), dtype=np.uint64), np.zeros(len(begins) - 1, dtype=np.uint64)
    for begin in range(0, len(values), AT_ONCE):
        piece = slice(begin, begin + AT_ONCE)
        bits[piece] = mixed(values[piece].view(np.uint64))
    if there.size:
        found[there] = np.add.reduceat(bits, begins[there])
    return found


def put_in_place(values: np.ndarray, begins: np.ndarray, ranks: Sequence[np.ndarray]) -> None:
    """Move values of sets about until those that are asked for stand at their ranks.

    Args:
        values: Set by set; they are moved.
        begins: Where each set's begin; and how many there are.
        ranks: Which of each set's values are asked for, from 0.
    """
    edges = begins.tolist()
    for begin, end, wanted in zip(edges[:-1], edges[1:], ranks, strict=True):
        if end - begin <= FEW:
            values[begin:end].sort()
        else:
            values[begin:end].partition(wanted)
