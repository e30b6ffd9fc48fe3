"""A change split exactly: rate and mix over segments, or k factors of any formula."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import factorial

import numpy as np
import polars as pl

_MOST = 12


def rate_and_mix(segments: pl.LazyFrame, keys: Sequence[str] = (), *, centred: bool = False) -> pl.LazyFrame:
    """A change of a ratio as what got better or worse (rate) and what moved between segments (mix).

    rate = (r1 - r0) (w0 + w1) / 2, mix = (w1 - w0) (r0 + r1) / 2, w a segment's share of the weight; over all
    segments they add up to the change of sum w r exactly. Unit: the rate's.
    Source: Kitagawa 1955; Das Gupta 1993, two components.
    Convention: midpoint weights, so that nothing is left over. A segment that is empty in one period has no
    rate there: it takes the other period's, and `is_empty` says so. `centred` measures each segment's mix
    from the mean of both wholes, so that a segment below it counts as a loss when it grows; the sum is the
    same.
    Reproduces: decomp_02_kitagawa_mix_rate.

    Args:
        segments: keys, `size_before`, `rate_before`, `size_after`, `rate_after`: one row a segment; sizes in
            any unit, rates null or anything where the size is zero.
        keys: Columns that name a whole.
        centred: Whether each segment's mix is measured from the mean.

    Returns:
        The segments with share_before, share_after, mix, rate, change (their sum) and is_empty.
    """
    over = (lambda term: term.over(keys)) if keys else (lambda term: term)
    size_0, size_1 = pl.col("size_before"), pl.col("size_after")
    empty_0, empty_1 = size_0 == 0, size_1 == 0
    rate_0, rate_1 = pl.col("__rate_before"), pl.col("__rate_after")
    share_0, share_1 = pl.col("share_before"), pl.col("share_after")
    middle = over((share_0 * rate_0 + share_1 * rate_1).sum()) / 2 if centred else pl.lit(0.0)
    neither = pl.when(empty_0 & empty_1).then(0.0)
    return (
        segments.with_columns(
            share_before=size_0 / over(size_0.sum()),
            share_after=size_1 / over(size_1.sum()),
            __rate_before=neither.when(empty_0).then(pl.col("rate_after")).otherwise(pl.col("rate_before")),
            __rate_after=neither.when(empty_1).then(pl.col("rate_before")).otherwise(pl.col("rate_after")),
            is_empty=empty_0 | empty_1,
        )
        .with_columns(
            mix=(share_1 - share_0) * ((rate_0 + rate_1) / 2 - middle),
            rate=(rate_1 - rate_0) * (share_0 + share_1) / 2,
        )
        .with_columns(change=pl.col("mix") + pl.col("rate"))
        .drop("__rate_before", "__rate_after")
    )


Formula = Callable[[Mapping[str, np.ndarray]], np.ndarray | float]


def product(factors: Mapping[str, np.ndarray]) -> float:
    """The sum over segments of the product of the factors."""
    return float(np.prod(np.stack(np.broadcast_arrays(*factors.values())), axis=0).sum())


def factor_effects(
    before: Mapping[str, np.ndarray | float],
    after: Mapping[str, np.ndarray | float],
    formula: Formula = product,
) -> dict[str, float]:
    """How much each of k factors did to a change of a formula of them; the effects add up to the change.

    The effect of a factor is its change of the formula, averaged over all orders in which the factors may
    change, which for products is Das Gupta's form (and Shapley's value). Unit: the formula's.
    Source: Das Gupta 1993, Census P23-186; Shapley 1953. Two factors give Kitagawa's form.
    Reproduces: decomp_01_dasgupta_2factor.

    Args:
        before: Factors at first: numbers, or one number a segment.
        after: The same factors afterwards.
        formula: The whole from its factors; the sum over segments of their product when absent.

    Raises:
        ValueError: More than 12 factors: the formula is asked 2 ** k times.
    """
    names = list(before)
    if len(names) > _MOST:
        raise ValueError(f"{len(names)} factors: at most {_MOST} can be told apart. Join some.")
    early = {name: np.asarray(before[name], dtype=float) for name in names}
    late = {name: np.asarray(after[name], dtype=float) for name in names}
    wholes = {
        chosen: formula({name: (late if name in chosen else early)[name] for name in names})
        for chosen in _subsets(names)
    }
    return {name: float(_average_effect(wholes, name, len(names))) for name in names}


def _average_effect(
    wholes: Mapping[frozenset[str], np.ndarray | float], name: str, k: int
) -> np.ndarray | float:
    return sum(
        factorial(len(chosen)) * factorial(k - len(chosen) - 1) / factorial(k)
        * (wholes[chosen | {name}] - wholes[chosen])
        for chosen in wholes
        if name not in chosen
    )  # fmt: skip


def _subsets(names: Sequence[str]) -> list[frozenset[str]]:
    return [frozenset(c) for size in range(len(names) + 1) for c in combinations(names, size)]
