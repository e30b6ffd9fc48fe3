"""Why an owner's value changed: they did better, traffic moved, their map changed, or others answered."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from transforms.exact import summed

PARTS = ("rate", "mix", "portfolio", "who_answered")
"""What a change is split into, besides what is unexplained."""
_SUMS = ("n_before", "sum_before", "n_after", "sum_after")
_SIDES = ("before", "after")
_GROUP = "__group"


@dataclass(frozen=True)
class _Parts:
    """Some parts of a change in one order of changing things, and whether that order can be measured."""

    effects: Mapping[str, pl.Expr]
    is_known: pl.Expr


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
        (the change less all the owner's parts; rounding, what is summed where n is 0, or all of it), the last four on
        every row.
    """
    here = [*by, "touchpoint"]
    sums = _with_sums(_touchpoints(cells, by), by)
    worlds = [_world(held) for held in _SIDES]
    portfolios = [_portfolio(side) for side in _SIDES]
    parts = {name: _mean_of(*(order[name] for order in _orders(worlds, portfolios))) for name in PARTS}
    values = {
        f"value_{side}": pl.when(_sum("n", side, side) > 0).then(
            _sum("sum", side, side) / _sum("n", side, side)
        )
        for side in _SIDES
    }
    split = sums.select(*here, "is_empty", _GROUP, **parts, **values).with_columns(
        change=pl.col("value_after") - pl.col("value_before")
    )
    total = pl.sum_horizontal(summed(pl.col(*PARTS)).over(_GROUP))
    return split.with_columns(unexplained=pl.col("change") - total).drop(_GROUP)


def _orders(worlds: Sequence[_Parts], portfolios: Sequence[_Parts]) -> Iterator[dict[str, pl.Expr]]:
    """The parts when the world changes under one portfolio and the portfolio with the other period's data."""
    for world, portfolio in ((worlds[0], portfolios[1]), (worlds[1], portfolios[0])):
        measured = world.is_known & portfolio.is_known
        effects = {**world.effects, **portfolio.effects}
        yield {name: pl.when(measured).then(effect) for name, effect in effects.items()}


def _mean_of(first: pl.Expr, second: pl.Expr) -> pl.Expr:
    return pl.mean_horizontal(first, second)


def _touchpoints(cells: pl.LazyFrame, by: Sequence[str]) -> pl.LazyFrame:
    """One row an owner and touchpoint: its sums, and its own change as rate and who_answered; in that order."""
    here = [*by, "touchpoint"]
    n_0, n_1, rate_0, rate_1 = _filled()
    mass_0, mass_1 = (summed(pl.col(name)).over(_GROUP) for name in ("n_before", "n_after"))
    share_0, share_1 = n_0 / mass_0, n_1 / mass_1
    both = (mass_0 > 0) & (mass_1 > 0)
    return (
        # Sums are in whole steps: alike whatever the order, since a segment's number is a matter of what came first.
        cells.sort(here)
        .with_columns(_run(here))
        .with_columns(
            __rate=pl.when(both).then((rate_1 - rate_0) * (share_0 + share_1) / 2).otherwise(0.0),
            __who=pl.when(both).then((share_1 - share_0) * (rate_0 + rate_1) / 2).otherwise(0.0),
            is_empty=(n_0 == 0) | (n_1 == 0),
        )
        .group_by(_GROUP, maintain_order=True)
        .agg(
            pl.col(here).first(),
            summed(pl.col(*_SUMS, "__rate", "__who")),
            pl.col("is_held_before", "is_held_after").cast(pl.Float64).max(),
            pl.col("is_empty").any(),
        )
        .drop(_GROUP)
    )


def _run(keys: Sequence[str]) -> pl.Expr:
    """The number of a run of equal keys, of sorted rows: one whole number to group by instead of many names."""
    return pl.any_horizontal(pl.col(keys).ne_missing(pl.col(keys).shift())).cum_sum().alias(_GROUP)


def _filled() -> tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr]:
    """Sizes and rates of both periods; where one is empty, its rate is the other's."""
    before, after = pl.col("n_before"), pl.col("n_after")
    rate_0 = pl.when(before > 0).then(pl.col("sum_before") / before)
    rate_1 = pl.when(after > 0).then(pl.col("sum_after") / after)
    return before, after, pl.coalesce(rate_0, rate_1, pl.lit(0.0)), pl.coalesce(rate_1, rate_0, pl.lit(0.0))


def _with_sums(touchpoints: pl.LazyFrame, by: Sequence[str]) -> pl.LazyFrame:
    """Touchpoints with what either portfolio holds of either period, added up over the owner."""
    grouped = touchpoints.with_columns(_run(by))
    return grouped.with_columns(
        summed(pl.col(f"is_held_{held}") * pl.col(f"{what}_{side}"))
        .over(_GROUP)
        .alias(_name(what, held, side))
        for what in ("n", "sum")
        for held in _SIDES
        for side in _SIDES
    )


def _name(what: str, held: str, side: str) -> str:
    return f"__{what}_{held}_{side}"


def _sum(what: str, held: str, side: str) -> pl.Expr:
    """What one period's portfolio holds of n or sum with one period's data."""
    return pl.col(_name(what, held, side))


def _world(held: str) -> _Parts:
    """The world's change under one portfolio: rate, who_answered and mix of its touchpoints."""
    n_0, n_1, rate_0, rate_1 = _filled()
    holds = pl.col(f"is_held_{held}")
    mass_0, mass_1 = (_sum("n", held, side) for side in _SIDES)
    share_0, share_1 = holds * n_0 / mass_0, holds * n_1 / mass_1
    weight = (share_0 + share_1) / 2
    middle = (_sum("sum", held, "before") / mass_0 + _sum("sum", held, "after") / mass_1) / 2
    effects = {
        "rate": weight * pl.col("__rate"),
        "mix": (share_1 - share_0) * ((rate_0 + rate_1) / 2 - middle),
        "who_answered": weight * pl.col("__who"),
    }
    return _Parts(effects, (mass_0 > 0) & (mass_1 > 0))


def _portfolio(side: str) -> _Parts:
    """What the change of portfolio does with one period's data, by touchpoint."""
    n, total = pl.col(f"n_{side}"), pl.col(f"sum_{side}")
    masses = [_sum("n", held, side) for held in _SIDES]
    share_0, share_1 = (
        pl.col(f"is_held_{held}") * n / mass for held, mass in zip(_SIDES, masses, strict=True)
    )
    whole_0, whole_1 = (_sum("sum", held, side) / mass for held, mass in zip(_SIDES, masses, strict=True))
    value = pl.when(n > 0).then(total / n).otherwise(0.0)
    effects = {"portfolio": (share_1 - share_0) * (value - (whole_0 + whole_1) / 2)}
    return _Parts(effects, (masses[0] > 0) & (masses[1] > 0))


def summarise(split: pl.LazyFrame, by: Sequence[str] = ("owner",)) -> pl.LazyFrame:
    """The parts added up by fewer columns, for instance by owner."""
    return split.group_by(by).agg(summed(pl.col(*PARTS))).sort(by)
