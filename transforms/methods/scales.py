"""Answers on scales: which are valid, which are good. Anything off the scale is null, never clipped."""

import polars as pl


def top_two_box(score: pl.Expr, low: int = 1, high: int = 5) -> pl.Expr:
    """Customer satisfaction (CSAT): whether a valid answer is one of the two best; null off the scale.

    The metric is the mean: good over valid. Source: ISO 10004.
    Convention: "not applicable" and blanks leave the base; report the item's response rate beside it.
    """
    return pl.when(score.is_between(low, high)).then(score >= high - 1)


def effort_agreed(score: pl.Expr) -> pl.Expr:
    """Customer effort score 2.0: whether a valid answer of 1 to 7 agrees (5 to 7) that it was made easy.

    More is better. The metric is the mean of this, or of the valid scores. Source: Dixon, Toman and DeLisi 2013.
    Convention: never mixed with 1.0, whose scale runs the other way.
    """
    return pl.when(score.is_between(1, 7)).then(score >= 5)


def effort_asked(score: pl.Expr) -> pl.Expr:
    """Customer effort score 1.0: a valid answer of 1 (very low) to 5 (very high effort); null off the scale.

    Less is better. The metric is the mean. Source: Dixon, Freeman and Toman 2010.
    """
    return pl.when(score.is_between(1, 5)).then(score)


def item_response(score: pl.Expr, low: int, high: int) -> pl.Expr:
    """Share of those asked whose answer is on the scale: valid over all, for `agg` or `select`."""
    return score.is_between(low, high).fill_null(value=False).mean()
