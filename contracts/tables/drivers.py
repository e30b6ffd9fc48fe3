"""What moves the score for the whole, and where goals look elsewhere."""

import dataframely as dy
import polars as pl

from contracts.tables.base import Table, count, day, flag, key, number, one_of, text

DRIVER_METHODS = ("lmg", "johnson")
REFUSED = ("no_cases", "too_few_cases", "outcome_never_differs", "cannot_tell_apart")
MISMATCHES = ("driver_without_goal", "goal_on_no_driver")


class DriverWeight(Table):
    """How much of the variance of the score for the whole every touchpoint's score explains.

    Grain: analysis (`drivers` in the map), touchpoint.
    Scope: cases opened in the analysis's days up to the running day that have all the scores.
    Late data: every run rewrites all of it.
    Known limits: complete cases only; explained variance is association, not proof of a cause; a touchpoint that
        nobody is asked about is not here.
    Used by: quarterly goal setting; priority_mismatch.
    """

    analysis = key("Analysis.")
    touchpoint_id = key("Touchpoint.")
    rank = count("Its place, the heaviest first.", "places", nullable=True)
    weight = number("Share of variance that this one explains; all of them add up to r_squared.", "share")
    weight_low = number("Lower end of its 95 % bootstrap interval.", "share")
    weight_high = number("Upper end of it.", "share")
    is_clear = flag(
        "Whether it explains more than a score without any meaning would, in 95 % of the bootstrap's samples.",
        nullable=True,
    )
    explained_share = number("Its share of what all explain.", "share")
    r_squared = number("Share of variance that all touchpoints explain together.", "share")
    has_goal = flag("Whether the touchpoint has a goal in force.")
    outcome = text("Number of the case that is explained.")
    attribute = text("Number of the case that is the touchpoint's score.")
    method = one_of(
        DRIVER_METHODS,
        "lmg: R-squared gained, averaged over all orders (Lindeman, Merenda and Gold 1980). johnson: relative weights (2000).",
    )
    window_start_date = day("First day of the cases.")
    window_end_date = day("First day after them.")
    n = count("Cases with all the scores.", "cases")
    excluded_count = count("Cases that lack one, left out.", "cases")
    n_touchpoint = count("Cases with this touchpoint's score and the outcome.", "cases")
    is_priority = flag("Whether the map calls the touchpoint a priority.")
    owner_id = text("Who is accountable now; null for nobody.", nullable=True)
    refused = one_of(
        REFUSED,
        "Why there are no weights; null when there are. too_few_cases: fewer than 50 and 8 a touchpoint (Green 1991). "
        "cannot_tell_apart: scores that always move together.",
        nullable=True,
    )

    @dy.rule()
    def weighed_or_refused(cls) -> pl.Expr:
        """A weight is there, or why not."""
        return pl.col("weight").is_null() == pl.col("refused").is_not_null()

    @dy.rule()
    def weights_add_up(cls) -> pl.Expr:
        """Weights add up to R-squared, to rounding."""
        whole = pl.col("r_squared").fill_null(0)
        return (pl.col("weight").sum().over("analysis") - whole).abs() < 1e-9


class PriorityMismatch(Table):
    """Where the goals that are set and what moves customers disagree.

    Grain: analysis, touchpoint.
    Scope: touchpoints of an analysis; of those that are clear drivers the five heaviest.
    Late data: every run rewrites all of it.
    Known limits: as driver_weight.
    Used by: quarterly goal setting.
    """

    analysis = key("Analysis.")
    touchpoint_id = key("Touchpoint.")
    mismatch = one_of(
        MISMATCHES,
        "driver_without_goal: one of the five heaviest clear drivers has no goal in force. goal_on_no_driver: a goal in "
        "force where the score moves no more than chance does.",
    )
    weight = number("Share of variance that it explains.", "share")
    rank = count("Its place, the heaviest first.", "places")
    owner_id = text("Who is accountable now; null for nobody.", nullable=True)
    sentence = text("The same in words.")
