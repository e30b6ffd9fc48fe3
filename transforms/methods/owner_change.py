"""Why an owner's value changed: they did better, traffic moved, their map changed, or others answered."""

from collections.abc import Sequence

import polars as pl

from transforms.methods.distributions import in_order

PARTS = ("rate", "mix", "portfolio", "who_answered")
"""What a change is split into, besides what is unexplained."""
_SUMS = ("n_before", "sum_before", "n_after", "sum_after")


def owner_change(cells: pl.LazyFrame, by: Sequence[str] = ("owner",)) -> pl.LazyFrame:
    """An owner's change of a ratio, split exactly by touchpoint into four parts.

    portfolio: the owner's touchpoints changed. Its effect is the mean of measuring it with the first and
    with the second period's data (Shapley over portfolio and world); what is left is the mean, over both
    portfolios, of the world's change. That is split by midpoint weights (Kitagawa 1955) into mix (traffic moved
    between touchpoints) and each touchpoint's own change, and this one again into who_answered (segments'
    shares of the answers moved) and rate (a segment's own value changed). Unit: the ratio's.

    Convention: a touchpoint or segment that is empty in one period takes the other period's value and
    `is_empty` says so. Mix and portfolio are measured from the owner's mean, so that a gained weak touchpoint
    counts as a loss. If one order cannot be measured, since a portfolio had no data in a period, the
    other is taken; if none can, the parts are null and the whole change is unexplained.

    Args:
        cells: `owner`, `touchpoint`, `segment`, `n_before`, `sum_before`, `n_after`, `sum_after`,
            `is_held_before`, `is_held_after`: one row a segment of every touchpoint that the owner held in either
            period, with what was observed in both, whoever held it. sum over n is the value (good answers,
            promoters less detractors, a total). Instead of whether it was held, which share of the touchpoint's
            observations was the owner's, from 0 to 1.
        by: Columns that name one value, for instance owner and metric.

    Returns:
        `by`, touchpoint, `PARTS`, is_empty, and the owner's value_before, value_after, change and unexplained
        (the change less all the owner's parts; rounding, or all of it), the last four on every row.
    """
    touchpoints = _touchpoints(cells, by)
    worlds = [_world(touchpoints, held, by) for held in ("is_held_before", "is_held_after")]
    portfolios = [_portfolio(touchpoints, side, by) for side in ("before", "after")]
    here = [*by, "touchpoint"]
    joined = touchpoints
    for index, part in enumerate((*worlds, *portfolios)):
        named = part.rename({name: f"{name}_{index}" for name in part.collect_schema() if name not in here})
        joined = joined.join(named, on=here)
    forward, backward = _order(0, 3), _order(1, 2)
    parts = [_mean_of(forward[name], backward[name]).alias(name) for name in PARTS]
    split = joined.select(*here, "is_empty", *parts).join(_owners(touchpoints, by), on=by).sort(here)
    total = pl.sum_horizontal(in_order(pl.col(*PARTS)).over(by))
    return split.with_columns(unexplained=pl.col("change") - total)


def _order(world: int, portfolio: int) -> dict[str, pl.Expr]:
    """The parts when the world changes under one portfolio and the portfolio in the other period."""
    measured = pl.col(f"is_known_{world}") & pl.col(f"is_known_{portfolio}")
    places = {"rate": world, "mix": world, "who_answered": world, "portfolio": portfolio}
    return {name: pl.when(measured).then(pl.col(f"{name}_{place}")) for name, place in places.items()}


def _mean_of(first: pl.Expr, second: pl.Expr) -> pl.Expr:
    return pl.mean_horizontal(first, second)


def _touchpoints(cells: pl.LazyFrame, by: Sequence[str]) -> pl.LazyFrame:
    """One row an owner and touchpoint: its sums, and its own change as rate and who_answered."""
    here = [*by, "touchpoint"]
    n_0, n_1, rate_0, rate_1 = _filled(*_SUMS)
    mass_0, mass_1 = (in_order(pl.col(name)).over(here) for name in ("n_before", "n_after"))
    share_0, share_1 = n_0 / mass_0, n_1 / mass_1
    both = (mass_0 > 0) & (mass_1 > 0)
    return (
        # By what is added up, since a segment's number is a matter of what came first: sums of fractions come out
        # alike whatever the order and the numbers they were given in.
        cells.sort(*here, *_SUMS)
        .with_columns(
            __rate=pl.when(both).then((rate_1 - rate_0) * (share_0 + share_1) / 2).otherwise(0.0),
            __who=pl.when(both).then((share_1 - share_0) * (rate_0 + rate_1) / 2).otherwise(0.0),
            is_empty=(n_0 == 0) | (n_1 == 0),
        )
        .group_by(here)
        .agg(
            in_order(pl.col(*_SUMS, "__rate", "__who")),
            pl.col("is_held_before", "is_held_after").cast(pl.Float64).max(),
            pl.col("is_empty").any(),
        )
        .sort(here)
    )


def _filled(n_0: str, sum_0: str, n_1: str, sum_1: str) -> tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr]:
    """Sizes and rates of both periods; where one is empty, its rate is the other's."""
    before, after = pl.col(n_0), pl.col(n_1)
    rate_0 = pl.when(before > 0).then(pl.col(sum_0) / before)
    rate_1 = pl.when(after > 0).then(pl.col(sum_1) / after)
    return before, after, pl.coalesce(rate_0, rate_1, pl.lit(0.0)), pl.coalesce(rate_1, rate_0, pl.lit(0.0))


def _world(touchpoints: pl.LazyFrame, held: str, by: Sequence[str]) -> pl.LazyFrame:
    """The world's change under one portfolio: rate, who_answered and mix of its touchpoints."""
    n_0, n_1, rate_0, rate_1 = _filled(*_SUMS)
    holds = pl.col(held)
    mass_0, mass_1 = _held_sum(n_0, holds, by), _held_sum(n_1, holds, by)
    share_0, share_1 = _held(n_0, holds) / mass_0, _held(n_1, holds) / mass_1
    weight = (share_0 + share_1) / 2
    middle = (
        _held_sum(pl.col("sum_before"), holds, by) / mass_0
        + _held_sum(pl.col("sum_after"), holds, by) / mass_1
    ) / 2
    return touchpoints.select(
        *by,
        "touchpoint",
        rate=weight * pl.col("__rate"),
        who_answered=weight * pl.col("__who"),
        mix=(share_1 - share_0) * ((rate_0 + rate_1) / 2 - middle),
        is_known=(mass_0 > 0) & (mass_1 > 0),
    )


def _portfolio(touchpoints: pl.LazyFrame, side: str, by: Sequence[str]) -> pl.LazyFrame:
    """What the change of portfolio does with one period's data, by touchpoint."""
    n, total = pl.col(f"n_{side}"), pl.col(f"sum_{side}")
    masses = {held: _held_sum(n, pl.col(held), by) for held in ("is_held_before", "is_held_after")}
    shares = [_held(n, pl.col(held)) / mass for held, mass in masses.items()]
    wholes = [_held_sum(total, pl.col(held), by) / mass for held, mass in masses.items()]
    value = pl.when(n > 0).then(total / n).otherwise(0.0)
    return touchpoints.select(
        *by,
        "touchpoint",
        portfolio=(shares[1] - shares[0]) * (value - (wholes[0] + wholes[1]) / 2),
        is_known=pl.all_horizontal(mass > 0 for mass in masses.values()),
    )


def _owners(touchpoints: pl.LazyFrame, by: Sequence[str]) -> pl.LazyFrame:
    values = {
        f"value_{side}": in_order(_held(pl.col(f"sum_{side}"), pl.col(f"is_held_{side}")))
        / in_order(_held(pl.col(f"n_{side}"), pl.col(f"is_held_{side}")))
        for side in ("before", "after")
    }
    known = touchpoints.group_by(by).agg(value.fill_nan(None).alias(name) for name, value in values.items())
    return known.with_columns(change=pl.col("value_after") - pl.col("value_before"))


def _held(term: pl.Expr, holds: pl.Expr) -> pl.Expr:
    return holds * term


def _held_sum(term: pl.Expr, holds: pl.Expr, by: Sequence[str]) -> pl.Expr:
    return in_order(_held(term, holds)).over(by)


def summarise(split: pl.LazyFrame, by: Sequence[str] = ("owner",)) -> pl.LazyFrame:
    """The parts added up by fewer columns, for instance by owner."""
    return split.group_by(by).agg(in_order(pl.col(*PARTS))).sort(by)
