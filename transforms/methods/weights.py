"""Answers weighted to the people they stand for: weights, what they cost, and errors that admit it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from transforms.intervals import Ends


def effective_n(weight: pl.Expr) -> pl.Expr:
    """How many equally weighted answers are worth as much: (sum w)^2 / sum w^2.

    Unit: answers. Source: Kish 1965.
    """
    return weight.sum() ** 2 / (weight**2).sum()


def design_effect(weight: pl.Expr) -> pl.Expr:
    """What unequal weights multiply the variance by: n over the effective n (Kish 1965)."""
    return weight.count() / effective_n(weight)


def weighted_mean(value: pl.Expr, weight: pl.Expr) -> pl.Expr:
    """Sum of weight times value over the sum of weights; rows without a value count in neither."""
    return (weight * value).sum() / weight.filter(value.is_not_null()).sum()


def linearised_error(value: pl.Expr, weight: pl.Expr) -> pl.Expr:
    """Design-based standard error of a weighted mean, by linearisation, for `agg` or `select`.

    root (n / (n - 1) sum of (w (y - mean) / sum w)^2). Source: Lumley's survey package, svymean.
    Convention: sampled with replacement, no strata or clusters; see `clustered_error` for those.
    """
    known = value.is_not_null()
    kept, mass = value.filter(known), weight.filter(known)
    influence = mass * (kept - weighted_mean(value, weight)) / mass.sum()
    n = kept.count()
    return pl.when(n > 1).then((n / (n - 1) * (influence**2).sum()).sqrt())


def clustered_error(influence: pl.LazyFrame) -> pl.LazyFrame:
    """Standard error of an estimate from its observations' influence, by strata and clusters.

    In each stratum with m clusters, m / (m - 1) (1 - fraction) times the squared deviations of the clusters'
    sums. Source: Lumley's survey package, svyrecvar (ultimate clusters).

    Args:
        influence: `stratum`, `cluster`, `influence` (what the observation adds to the estimate's error) and
            `fraction` (share of the stratum's clusters that was sampled; 0 for sampling with replacement).

    Returns:
        One row: `error`.
    """
    sums = influence.group_by("stratum", "cluster").agg(pl.col("influence").sum(), pl.col("fraction").first())
    m, total = pl.len(), pl.col("influence")
    within = m / (m - 1) * (1 - pl.col("fraction").first()) * ((total - total.mean()) ** 2).sum()
    return sums.group_by("stratum").agg(variance=within).select(error=pl.col("variance").sum().sqrt())


def post_stratify(sample: pl.LazyFrame, population: pl.LazyFrame, keys: list[str]) -> pl.LazyFrame:
    """Weights that give every cell its share of the population: N_h / n_h.

    Unit: people an answer stands for. Source: Lumley 2010, chapter 7.
    Convention: a cell of the population that nobody answered from has a null weight, for the caller to
    refuse or merge: an empty cell is an error, not a zero.
    Reproduces: weight_01_poststratify.

    Args:
        sample: keys and `n`, answers in each cell.
        population: keys and `size`, people in each cell.
        keys: Columns that name a cell.

    Returns:
        keys, n, size and `weight`, one row a cell of the population.
    """
    cells = population.join(sample, on=keys, how="left", nulls_equal=True, maintain_order="left")
    n = pl.col("n").fill_null(0)
    return cells.with_columns(n=n, weight=pl.when(n > 0).then(pl.col("size") / n))


def trim(weight: pl.Expr, times_median: float) -> pl.Expr:
    """Weights cut at so many medians, the cut part shared out in proportion, so that their sum is kept.

    Convention: once, then report `design_effect`; Potter 1990.
    """
    cut = weight.clip(None, times_median * weight.median())
    return cut * weight.sum() / cut.sum()


@dataclass(frozen=True)
class Raked:
    """Weights raked to margins.

    Attributes:
        weights: One a row.
        rounds: Rounds until every margin held.
        error: Largest remaining distance to a margin, relative.
    """

    weights: np.ndarray
    rounds: int
    error: float


def rake(
    rows: pl.DataFrame,
    margins: Mapping[str, Mapping[str, float]],
    *,
    weights: np.ndarray | None = None,
    tolerance: float = 1e-12,
    rounds: int = 1000,
) -> Raked:
    """Weights whose sums hit several margins at once, by iterative proportional fitting.

    In turn, every category's weights are multiplied by its total over their sum.
    Source: Deming and Stephan 1940; Lumley's survey package, rake.
    Convention: until every margin holds to 1e-12. R's default stops earlier and leaves errors of 2e-5.

    Args:
        rows: One row an answer (or a cell with a weight), one column a margin.
        margins: For every column its categories' totals.
        weights: Where to start; one each when absent.
        tolerance: Relative distance to a margin that is near enough.
        rounds: After so many, give up.

    Raises:
        ValueError: A category without an answer, an answer in no category, totals that contradict each
            other, or no convergence.
    """
    fitted = np.ones(rows.height) if weights is None else np.array(weights, dtype=float)
    coded = [_coded(rows, name, totals) for name, totals in margins.items()]
    error = np.inf
    for turn in range(1, rounds + 1):
        for codes, totals in coded:
            fitted *= (totals / np.bincount(codes, fitted, len(totals)))[codes]
        error = max(
            float(np.max(np.abs(np.bincount(codes, fitted, len(totals)) / totals - 1)))
            for codes, totals in coded
        )
        if error <= tolerance:
            return Raked(fitted, turn, error)
    raise ValueError(
        f"margins {list(margins)}: still {error:.1e} off after {rounds} rounds. Check that the totals agree."
    )


def _coded(rows: pl.DataFrame, name: str, totals: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    places = {category: place for place, category in enumerate(totals)}
    values = rows[name].to_list()
    if strange := sorted({repr(value) for value in values if value not in places}):
        raise ValueError(f"margin {name!r}: no total for {', '.join(strange)}. Add it or drop those rows.")
    codes = np.array([places[value] for value in values], dtype=np.int64)
    if empty := [category for category, place in places.items() if place not in set(codes.tolist())]:
        raise ValueError(f"margin {name!r}: nobody answered in {empty}. Merge it with another category.")
    return codes, np.array(list(totals.values()), dtype=float)


def weighted_nps_interval(score: pl.Expr, weight: pl.Expr, z: float) -> Ends:
    """Interval of a weighted net promoter score, in points, with the effective n in place of n.

    root (variance / effective n), variance = P + D - (P - D)^2 of the weighted shares.
    Source: Kish 1965; Rocks 2016. `score` is 1 for promoters, -1 for detractors, 0 for passives.
    """
    mean = weighted_mean(score, weight)
    spread = weighted_mean(score * score, weight) - mean**2
    half = z * (spread / effective_n(weight.filter(score.is_not_null()))).sqrt()
    return 100 * (mean - half), 100 * (mean + half)
