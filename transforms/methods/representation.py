"""Whether those who answered resemble those they are to stand for."""

import math
from collections.abc import Sequence

import polars as pl

from transforms.exact import summed


def mix_distance(
    cells: pl.LazyFrame, keys: Sequence[str] = (), *, answered: str = "answered", there: str = "there"
) -> pl.LazyFrame:
    """How far who answered is from who was there, and how far chance alone would make it.

    distance = half the sum of |a - p|, a a cell's share of the answers, p its share of everybody: the share
    of the answers that would have to come from other cells. by_chance = half the sum of
    root (2 p (1 - p) (1 / n + 1 / N) / pi), the mean of |a - p| when n are drawn at random from N. excess = what
    the distance is above that, at least 0.
    Unit: share of the answers. Source: Duncan and Duncan 1955 (index of dissimilarity); the mean absolute
    deviation of a normal variable for chance.
    Convention: excess is what is graded, so that few answers are not blamed for their chance. A response rate
    alone says little about bias (Groves and Peytcheva 2008), and an R-indicator (Schouten, Cobben and Bethlehem
    2009) is near 1 for every survey that few answer, which is why it is not used.

    Args:
        cells: keys and two counts, one row a cell; a cell that nobody answered from is a row too.
        keys: Columns that name a survey.
        answered: Name of the column with the answers.
        there: Name of the column with everybody.

    Returns:
        One row a survey: keys, `distance`, `by_chance` and `excess`; null where nobody answered or was there.
    """
    whole = (lambda name: pl.col(name).sum().over(keys)) if keys else (lambda name: pl.col(name).sum())
    n, size, p = pl.col("__n"), pl.col("__size"), pl.col("__share")
    # Column by column: what is divided by one number may end otherwise.
    terms = (
        cells.with_columns(__n=whole(answered), __size=whole(there))
        .with_columns(__share=pl.col(there) / size)
        .with_columns(
            __apart=(pl.col(answered) / n - p).abs(),
            __chance=(2 / math.pi * p * (1 - p) * (1 / n + 1 / size)).sqrt(),
        )
    )
    known = (n.first() > 0) & (size.first() > 0)
    sums = {
        "distance": pl.when(known).then(summed(pl.col("__apart")) / 2),
        "by_chance": pl.when(known).then(summed(pl.col("__chance")) / 2),
    }
    grouped = terms.group_by(keys).agg(**sums) if keys else terms.select(**sums)
    return grouped.with_columns(excess=(pl.col("distance") - pl.col("by_chance")).clip(0, None))
