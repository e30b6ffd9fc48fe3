"""Many comparisons at once: p-values that admit how many were looked at."""

import polars as pl


def benjamini_hochberg(p_value: pl.Expr) -> pl.Expr:
    """Adjusted p-values that hold the false discovery rate: reject where they are at most q.

    p m / rank, made monotone from the largest (a step-up: once a larger rank passes, all smaller ones do).
    Source: Benjamini and Hochberg 1995, JRSS-B 57:289-300. Convention: for independent or positively dependent
    tests; the input's order is kept; null stays null and counts for nothing. Use with `over` for families.
    Reproduces: fdr_01_bh_1995.
    """
    return _step_up(p_value, pl.lit(1.0))


def benjamini_yekutieli(p_value: pl.Expr) -> pl.Expr:
    """Benjamini-Hochberg for tests with any dependence: times the sum of 1 / i up to m.

    Source: Benjamini and Yekutieli 2001, Annals of Statistics 29:1165-1188.
    """
    place = pl.int_range(1, pl.len() + 1)
    harmonic = (1 / place.filter(place <= p_value.count())).sum()
    return _step_up(p_value, harmonic)


def holm(p_value: pl.Expr) -> pl.Expr:
    """Adjusted p-values that hold the chance of any false rejection: (m - rank + 1) p, from the smallest.

    Source: Holm 1979.
    """
    ordered = p_value.sort(nulls_last=True)
    place = pl.int_range(pl.len())
    raised = ((p_value.count() - place) * ordered).cum_max().clip(None, 1.0)
    return raised.gather(p_value.rank("ordinal") - 1)


def bonferroni(p_value: pl.Expr) -> pl.Expr:
    """Adjusted p-values that hold the chance of any false rejection: p times m (Bonferroni 1936).

    Reproduces: fdr_01_bh_1995.
    """
    return (p_value * p_value.count()).clip(None, 1.0)


def expected_by_chance(p_value: pl.Expr, level: float = 0.05) -> pl.Expr:
    """How many of so many comparisons fall below a level when nothing is there: m times the level."""
    return p_value.count() * level


def _step_up(p_value: pl.Expr, factor: pl.Expr) -> pl.Expr:
    ordered = p_value.sort(nulls_last=True)
    place = pl.int_range(1, pl.len() + 1)
    raised = (ordered * p_value.count() * factor / place).clip(None, 1.0)
    return raised.cum_min(reverse=True).gather(p_value.rank("ordinal") - 1)
