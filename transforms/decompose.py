"""A score's change split exactly into rate, mix and portfolio.

rate: the parts do better. mix: weight moves between the parts. portfolio: other parts are held. Rate and
mix weigh by midpoints (Kitagawa 1955; Das Gupta 1993); the portfolio's effect is averaged over both
orders of changing it and the world (the Shapley value of two players), so nothing is left over.
"""

from collections.abc import Sequence

import polars as pl

_TIMES = ("before", "after")


def split_change(parts: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Split the change of every score.

    Args:
        parts: One row per key and part: `weight_before`, `weight_after` (observations, not negative),
            `total_before`, `total_after` (sums above the line), `held_before`, `held_after` (whether the
            part counts). A part that is held at one time needs its observations of both.
        keys: Columns that make up one score.

    Returns:
        keys, before, after, rate, mix, portfolio, so that before + rate + mix + portfolio = after. A part
        without observations at one time has the other time's rate. Rate, mix and portfolio are null when
        what is held at one of the times has no observations at one of them.
    """
    whole = [
        pl.col(f"{what}_{world}").filter(f"held_{held}").sum().over(keys).alias(f"__{what}_{world}_{held}")
        for what in ("weight", "total")
        for world in _TIMES
        for held in _TIMES
    ]
    own = [_rate(world).alias(f"__rate_{world}") for world in _TIMES]
    effects = [
        effect.filter(f"held_{held}").sum().alias(f"__{name}_{held}")
        for held in _TIMES
        for name, effect in _effects(held).items()
    ]
    scores = [
        _score(world, held).first().alias(f"__score_{world}_{held}") for world in _TIMES for held in _TIMES
    ]
    found = parts.with_columns(*whole, *own).group_by(keys).agg(*effects, *scores)
    known = pl.all_horizontal(pl.col("^__score_.*$").is_not_null())
    moved = pl.sum_horizontal(
        pl.col(f"__score_{world}_after") - pl.col(f"__score_{world}_before") for world in _TIMES
    )
    return found.select(
        *keys,
        before=pl.col("__score_before_before"),
        after=pl.col("__score_after_after"),
        rate=pl.when(known).then((pl.col("__rate_before") + pl.col("__rate_after")) / 2),
        mix=pl.when(known).then((pl.col("__mix_before") + pl.col("__mix_after")) / 2),
        portfolio=pl.when(known).then(moved / 2),
    )


def _rate(world: str) -> pl.Expr:
    """A part's own rate; the other time's where it has no observations."""
    other = _TIMES[1 - _TIMES.index(world)]
    here, there = (
        pl.when(pl.col(f"weight_{w}") > 0).then(pl.col(f"total_{w}") / pl.col(f"weight_{w}"))
        for w in (world, other)
    )
    return pl.coalesce(here, there, 0.0)


def _score(world: str, held: str) -> pl.Expr:
    weight = pl.col(f"__weight_{world}_{held}")
    return pl.when(weight > 0).then(pl.col(f"__total_{world}_{held}") / weight)


def _effects(held: str) -> dict[str, pl.Expr]:
    """What one part adds to rate and mix while a portfolio stands still."""
    share = {world: pl.col(f"weight_{world}") / pl.col(f"__weight_{world}_{held}") for world in _TIMES}
    rate = {world: pl.col(f"__rate_{world}") for world in _TIMES}
    return {
        "rate": (share["before"] + share["after"]) / 2 * (rate["after"] - rate["before"]),
        "mix": (share["after"] - share["before"]) * (rate["before"] + rate["after"]) / 2,
    }
