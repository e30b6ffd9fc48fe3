"""Bad-experience budgets: how many may go wrong in a period, how much is used, how fast it burns."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

_CLOSE = 1e-9
"""A budget that burns exactly as fast as allowed does not burn too fast, whatever the last bit says."""


def error_budget(n: pl.Expr, goal_share: pl.Expr) -> pl.Expr:
    """How many of n may be bad under a goal for the share of good ones: n (1 - goal).

    Source: Google SRE Workbook, chapter 2. `budget_used` is the bad ones over it.
    """
    return n * (1 - goal_share)


def burn_rate(bad: pl.Expr, n: pl.Expr, goal_share: pl.Expr) -> pl.Expr:
    """How many times faster than allowed the budget burns: (bad / n) / (1 - goal).

    1 uses the budget up exactly at the period's end. No unit; null without observations or with a goal of
    1, whose budget is nothing. Source: Google SRE Workbook, chapter 5.
    """
    return pl.when((n > 0) & (goal_share < 1)).then(bad / n / (1 - goal_share))


def bad_share_at(burn: pl.Expr, goal_share: pl.Expr) -> pl.Expr:
    """The share of bad ones at a burn rate: burn (1 - goal). Above 1 cannot happen.

    Reproduces: burn_01_sre_table.
    """
    return burn * (1 - goal_share)


def time_to_exhaust(burn: pl.Expr, period: pl.Expr, left_share: pl.Expr | float = 1.0) -> pl.Expr:
    """When the budget is used up at a burn rate: share left x period / burn, in the period's unit; null at none.

    Reproduces: burn_01_sre_table.
    """
    return pl.when(burn > 0).then(left_share * period / burn)


def burn_threshold(budget_share: float, window: float, period: float) -> float:
    """The burn rate that uses a share of the budget within a window: share x period / window.

    2 % of a month's budget in an hour is 14.4. Window and period in the same unit.
    Source: Google SRE Workbook, chapter 5.
    """
    return budget_share * period / window


def budget_share_at(burn: float, window: float, period: float) -> float:
    """The share of the budget that a burn rate uses within a window: burn x window / period."""
    return burn * window / period


@dataclass(frozen=True)
class BurnRule:
    """When a burning budget is worth a word.

    Attributes:
        name: What it is called.
        long: Columns of the long window: bad and n.
        short: Columns of the short window: whether it still burns.
        threshold: Burn rate that both windows exceed.
        least: Observations that the long window needs.
    """

    name: str
    long: tuple[str, str]
    short: tuple[str, str]
    threshold: float
    least: int = 30


def burning(sums: pl.LazyFrame, rules: Sequence[BurnRule], goal: str = "goal") -> pl.LazyFrame:
    """Which rule of burning a row meets: the long and the short window both burn faster than its threshold.

    Source: Google SRE Workbook, chapter 5, multiwindow and multi-burn-rate alerts.
    Convention: strictly faster, and only with enough observations in the long window; the first rule
    that is met names the row. Low volume: widen the windows rather than lower `least`.

    Args:
        sums: One row a series, with every window's bad and n, and the goal's share.
        rules: From the most to the least urgent.
        goal: Column of the goal.

    Returns:
        The rows with `burn` (null where none burns), `burn_long`, `burn_short` (of that rule).
    """
    level = pl.col(goal)
    named, long_of, short_of = [], [], []
    for rule in rules:
        rates = [burn_rate(pl.col(bad), pl.col(n), level) for bad, n in (rule.long, rule.short)]
        met = (pl.col(rule.long[1]) >= rule.least) & pl.all_horizontal(
            rate > rule.threshold * (1 + _CLOSE) for rate in rates
        )
        named.append(pl.when(met).then(pl.lit(rule.name)))
        long_of.append(pl.when(met).then(rates[0]))
        short_of.append(pl.when(met).then(rates[1]))
    return sums.with_columns(
        burn=pl.coalesce(named), burn_long=pl.coalesce(long_of), burn_short=pl.coalesce(short_of)
    )
