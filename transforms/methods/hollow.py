"""Improvements that are none: the number rose, and something else explains or contradicts it."""

import polars as pl

REASONS = ("counter_metric_worsened", "map_changed", "mix_moved", "others_answered", "fewer_answered")


def hollow_improvement(share: float = 0.5, fewer: float = 0.7) -> pl.Expr:
    """Why an improvement is hollow, the first reason that holds; null when it is none or there was none.

    An improvement is a change for the better whose whole interval is one. It is hollow when the counter-metric
    (repeat contacts for speed, response rate for a score) got worse with its whole interval, when at least
    `share` of the change is the portfolio's, the mix's or who answered (as `owner_change` splits it), or when
    the response rate fell below `fewer` times what it was. Source: Goodhart 1975; Campbell 1979.
    Convention: a missing counter-metric or split is no reason.

    Needs columns (all oriented so that more is better, null when unknown): `change`, `change_low`,
    `counter_high` (upper end of the counter-metric's change), `portfolio`, `mix`, `who_answered`,
    `response_rate_before`, `response_rate_after`.

    Args:
        share: Of the change that another cause has to explain.
        fewer: Response rate, as a share of the one before, below which the answers are not comparable.
    """
    change = pl.col("change")
    thinner = pl.col("response_rate_after") < fewer * pl.col("response_rate_before")
    holds = (
        pl.col("counter_high") < 0,
        pl.col("portfolio") >= share * change,
        pl.col("mix") >= share * change,
        pl.col("who_answered") >= share * change,
        thinner,
    )
    reason = pl.coalesce(
        pl.when(held.fill_null(value=False)).then(pl.lit(name, dtype=pl.Enum(REASONS)))
        for name, held in zip(REASONS, holds, strict=True)
    )
    improved = (change > 0) & (pl.col("change_low") > 0)
    return pl.when(improved.fill_null(value=False)).then(reason)
