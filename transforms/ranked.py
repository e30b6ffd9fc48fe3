"""Values of sets by rank: what was looked up once is known of every set that is alike, whichever group it is.

A quantile of a group depends on the set of its values alone. So sets are told apart by a mark, which adds up over
their parts; a set that several cards have, or that a run before has had, is put in order once.
"""

import numpy as np
import polars as pl

from transforms.known import Known

AT_ONCE = 1 << 15
"""So many values are marked at once: they stay in the processor's cache."""
FEW = 1 << 10
"""Sets of up to so many values are sorted at once with those of the same size, where there are many."""
SORTED = 1 << 15
"""Up to so many values it is quicker to sort them all than to find those at ranks one after the other."""
MANY_SETS = 1 << 10
"""Beyond so many sets, those of one size are sorted at once."""
KEPT_FROM = 1 << 14
"""Of smaller sets nothing is noted: they are put in order as quickly as they are looked up."""
_TURNS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
"""Steele, Lea and Flood 2014 (SplitMix64): whoever differs in one bit differs in half of them, and nobody is alike."""
_FIRST, _LAST = np.uint64(0x9E3779B97F4A7C15), np.uint64(31)

RANKED = {"mark": pl.UInt64, "rank": pl.Int64, "value": pl.Float64}
"""One value of a set: the set's mark, the value's place among its values from 0, the value."""


class Ranked(Known):
    """What is known of sets by rank.

    Args:
        known: `RANKED`, no pair of mark and rank twice; nothing when absent.
    """

    def __init__(self, known: pl.DataFrame | None = None) -> None:
        super().__init__(RANKED, ("mark", "rank"), known)

    def find(self, marks: np.ndarray, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values of sets by rank, and of which sets all are known.

        Args:
            marks: The sets' marks.
            ranks: A column for every set; -1 for none.
        """
        found, is_known = self._look_up(_pairs(marks, ranks))
        is_known = is_known.reshape(ranks.shape) | (ranks < 0)
        return found["value"].fill_null(0.0).to_numpy().reshape(ranks.shape), is_known.all(axis=0)

    def note(self, marks: np.ndarray, ranks: np.ndarray, values: np.ndarray, *, has_learnt: bool) -> None:
        """Note what was asked for.

        Args:
            marks: The sets' marks.
            ranks: A column for every set; -1 for none.
            values: Their values.
            has_learnt: Whether any of it was not known.
        """
        told = _pairs(marks, ranks).with_columns(value=pl.Series(values.reshape(-1)))
        self._note(told.filter(pl.col("rank") >= 0), has_learnt=has_learnt)


def _pairs(marks: np.ndarray, ranks: np.ndarray) -> pl.DataFrame:
    """mark, rank: row by row of the ranks."""
    return pl.DataFrame({"mark": np.tile(marks, len(ranks)), "rank": ranks.reshape(-1)})


def mixed(bits: np.ndarray) -> np.ndarray:
    """Whole numbers of 64 bits as others, which look like drawn by lot; two that differ stay different."""
    found = bits + _FIRST  # so that no bits at all, which 0.0 is, is something as well
    for shift, factor in _TURNS:
        found ^= found >> np.uint64(shift)
        found *= np.uint64(factor)
    found ^= found >> _LAST
    return found


def marked(values: np.ndarray) -> np.ndarray:
    """Numbers that stand for values; the mark of a set of values is the sum of theirs, modulo 2^64.

    Two of ten million sets have the same mark by chance once in 400,000 times.
    """
    found = np.empty(len(values), dtype=np.uint64)
    for begin in range(0, len(values), AT_ONCE):
        piece = slice(begin, begin + AT_ONCE)
        found[piece] = mixed(values[piece].view(np.uint64))
    return found


def put_in_place(values: np.ndarray, begins: np.ndarray, ranks: np.ndarray) -> None:
    """Move values of sets about until those that are asked for stand at their ranks.

    Args:
        values: Set by set; they are moved.
        begins: Where each set's begin; and how many there are.
        ranks: Which of each set's values are asked for, from 0, a column for every set; -1 for none.
    """
    sizes = np.diff(begins)
    several = np.flatnonzero(sizes > 1)
    few = several[sizes[several] <= FEW]
    if few.size > MANY_SETS:
        for size in np.unique(sizes[few]):
            at = begins[few[sizes[few] == size]][:, None] + np.arange(size)
            values[at] = np.sort(values[at], axis=1)
        several = several[sizes[several] > FEW]
    for own, begin, end in zip(several, begins[several].tolist(), begins[several + 1].tolist(), strict=True):
        asked = ranks[:, own]
        select(values[begin:end], asked[asked >= 0])


def select(values: np.ndarray, ranks: np.ndarray) -> None:
    """Move values about until those that are asked for stand at their ranks, as `np.partition` does.

    That looks for one rank by wide registers, as a sort does, and for several without: a sort of all takes a third of
    the time then. So one is looked for, and the others on both sides of it.

    Args:
        values: They are moved.
        ranks: Which are asked for, from 0, in any order.
    """
    if not ranks.size:
        return
    if values.size <= SORTED:
        values.sort()
    else:
        middle = int(np.sort(ranks)[ranks.size // 2])
        values.partition(middle)
        select(values[:middle], ranks[ranks < middle])
        select(values[middle + 1 :], ranks[ranks > middle] - (middle + 1))
