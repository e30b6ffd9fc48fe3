"""Net promoter score: who promotes, how far to believe the score, and whether it changed.

Scores are from 0 to 10. Points run from -100 to 100.
"""

from typing import Literal, NamedTuple

import polars as pl

from transforms.methods.distributions import normal_tail

Prior = Literal["uniform", "jeffreys", "one_answer"]
PRIORS = {"uniform": 1.0, "jeffreys": 0.5, "one_answer": 1 / 3}
"""What is added to each of the three counts: one_answer adds one respondent in all."""


class Score(NamedTuple):
    """A score, or a change of one, in points.

    Attributes:
        value: Points.
        error: Standard error, points.
        low: Lower end.
        high: Upper end.
    """

    value: pl.Expr
    error: pl.Expr
    low: pl.Expr
    high: pl.Expr


class Counts(NamedTuple):
    """The answers to the question.

    Attributes:
        promoters: Nines and tens.
        detractors: Zeros to sixes.
        n: All valid answers.
    """

    promoters: pl.Expr
    detractors: pl.Expr
    n: pl.Expr


CATEGORY = pl.Enum(["detractor", "passive", "promoter"])


def category(score: pl.Expr) -> pl.Expr:
    """Promoter for 9 and 10, passive for 7 and 8, detractor for 0 to 6; null for anything else.

    Source: Reichheld 2003. Convention: other codes (11 for blank) are excluded and counted, never clipped.
    Reproduces: nps_01_categories.
    """
    whole = score.is_between(0, 10)
    named = (
        pl.when(score >= 9)
        .then(pl.lit("promoter", dtype=CATEGORY))
        .when(score >= 7)
        .then(pl.lit("passive", dtype=CATEGORY))
        .otherwise(pl.lit("detractor", dtype=CATEGORY))
    )
    return pl.when(whole).then(named)


def variance(counts: Counts) -> pl.Expr:
    """Variance of one answer coded -1, 0, 1: P + D - (P - D)^2, with P and D shares.

    Unit: squared answers; times 10,000 it is in squared points. Source: Rocks 2016, American Statistician
    70:365-372. Convention: n, not n - 1.
    Reproduces: nps_02_wald_one_sample.
    """
    up, down = counts.promoters / counts.n, counts.detractors / counts.n
    return up + down - (up - down) ** 2


def wald(counts: Counts, z: float) -> Score:
    """Net promoter score with its Wald interval, for comparison: zero width when all are passive.

    error = root (variance / n). Source: Rocks 2016; the CRAN package NPS. The scorecards use
    `adjusted_wald_nps`.
    Reproduces: nps_02_wald_one_sample.
    """
    value = 100 * (counts.promoters - counts.detractors) / counts.n
    error = 100 * (variance(counts) / counts.n).sqrt()
    return Score(value, error, value - z * error, value + z * error)


def adjusted(counts: Counts) -> Counts:
    """Three answers added: three quarters promote, three quarters detract, the rest are passive (Rocks 2016)."""
    return Counts(counts.promoters + 0.75, counts.detractors + 0.75, counts.n + 3)


def bayesian(counts: Counts, z: float, prior: float = PRIORS["one_answer"]) -> Score:
    """Posterior mean and deviation of the score under a Dirichlet prior, with a normal interval.

    With A each count plus the prior: mean = (A_pro - A_det) / A, variance =
    ((A_pro + A_det) / A - mean^2) / (A + 1). Source: Gelman et al., Bayesian Data Analysis, third edition.
    Convention: one third each, which adds one answer.

    Args:
        counts: The answers.
        z: Two-sided normal quantile.
        prior: Added to each of the three counts.
    """
    total = counts.n + 3 * prior
    up, down = (counts.promoters + prior) / total, (counts.detractors + prior) / total
    value = 100 * (up - down)
    error = 100 * ((up + down - (up - down) ** 2) / (total + 1)).sqrt()
    return Score(value, error, value - z * error, value + z * error)


def change(first: Counts, second: Counts, z: float) -> Score:
    """Difference of two independent scores, first minus second, in points.

    error = root (error_1^2 + error_2^2). Source: nps.test of the CRAN package NPS.
    Convention: the sign is kept; for small n pass `adjusted` counts.
    """
    one, two = wald(first, z), wald(second, z)
    value, error = one.value - two.value, (one.error**2 + two.error**2).sqrt()
    return Score(value, error, value - z * error, value + z * error)


def p_value(score: Score, against: float = 0.0) -> pl.Expr:
    """Two-sided p-value of a score or a change against a value in points, by its standard error."""
    return 2 * normal_tail(((score.value - against) / score.error).abs())
