"""What the points of a chart signal: runs, trends and zones, by named sets of rules.

A rule marks the point that completes its pattern, and every further point while the pattern lasts.
"Beyond" is strict: a point on a limit is not beyond it, and a point on the centre is on neither side, so it
ends a run on one side. "k of m beyond" asks for a full window of m points of which the marked one is
beyond, as in Western Electric 1956 and the qcc package.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from transforms.methods.charts import first_of_series

Kind = Literal["beyond", "side", "trend", "alternating", "inside", "outside"]
_CLOSE = 1e-9
"""Points within this many sigmas of a line lie on it: limits are sums, which float."""


@dataclass(frozen=True)
class RunRule:
    """One rule.

    Attributes:
        name: What a signal is called.
        kind: beyond: `hits` of `window` points beyond `sigmas` on one side. side: `window` points on one
            side. trend: `window` points, each higher (lower) than the one before. alternating: `window`
            points that go up and down in turn. inside: `window` points within `sigmas`. outside: `window`
            points beyond `sigmas`, on both sides.
        window: Points looked at.
        hits: How many of them have to be beyond.
        sigmas: Where the line is.
    """

    name: str
    kind: Kind
    window: int
    hits: int = 0
    sigmas: float = 0.0


def beyond(name: str, hits: int, window: int, sigmas: float) -> RunRule:
    """So many of so many points beyond a line, on one side."""
    return RunRule(name, "beyond", window, hits, sigmas)


BEYOND_LIMIT = beyond("beyond_limit", 1, 1, 3)
TWO_OF_THREE = beyond("two_of_three", 2, 3, 2)
FOUR_OF_FIVE = beyond("four_of_five", 4, 5, 1)
THREE_OF_FOUR = beyond("three_of_four", 3, 4, 1.5)

RULE_SETS: Mapping[str, Sequence[RunRule]] = {
    "western_electric": (BEYOND_LIMIT, TWO_OF_THREE, FOUR_OF_FIVE, RunRule("eight_on_side", "side", 8)),
    "nelson": (
        BEYOND_LIMIT,
        RunRule("nine_on_side", "side", 9),
        RunRule("six_trending", "trend", 6),
        RunRule("fourteen_alternating", "alternating", 14),
        TWO_OF_THREE,
        FOUR_OF_FIVE,
        RunRule("fifteen_inside", "inside", 15, sigmas=1),
        RunRule("eight_outside", "outside", 8, sigmas=1),
    ),
    "nhs": (
        BEYOND_LIMIT,
        RunRule("seven_on_side", "side", 7),
        RunRule("seven_trending", "trend", 7),
        TWO_OF_THREE,
    ),
    "wheeler": (BEYOND_LIMIT, RunRule("eight_on_side", "side", 8), THREE_OF_FOUR),
}
"""Rule sets by name, each in its published numbering.

western_electric: rules 1 to 4 (Western Electric 1956). nelson: rules 1 to 8 (Nelson 1984). nhs: Making Data
Count: beyond a limit, 7 on a side, 7 trending, 2 of 3 near a limit. wheeler: beyond a limit, 8 on a side, 3
of 4 nearer to the limit than to the centre (Wheeler 1993).
"""


FALSE_SIGNAL_AFTER: Mapping[str, float] = {"western_electric": 92, "nelson": 73, "nhs": 81, "wheeler": 127}
"""Points of a stable normal process until a set's first false signal, on average; 370 for beyond_limit alone.

What every further rule costs: 50 series a week under western_electric give a false signal every two weeks.
"""


def signals(charted: pl.LazyFrame, keys: Sequence[str], rules: Sequence[RunRule]) -> pl.LazyFrame:
    """The points with the rules they complete.

    Source: Western Electric 1956; Nelson 1984, Journal of Quality Technology 16:238-239.
    Convention: 8, 9 or 7 on a side is a choice: the rule set's name says which.
    Reproduces: rules_01_western_electric.

    Args:
        charted: Points in the order of the series, with the keys, `value` and `z` as a chart of
            `charts` gives them. Only zones use z; trends use the values.
        keys: Columns that name a series; windows do not reach over their changes.
        rules: For instance one of `RULE_SETS`.

    Returns:
        The points with one boolean column a rule, by the rule's name, and `signal`, the first of the rules
        that the point completes; null where it completes none.
    """
    numbered = charted.with_columns(__place=_place(keys), __step=pl.col("value").diff().sign())
    marks = [_mark(rule).fill_null(value=False).alias(rule.name) for rule in rules]
    kind = pl.Enum([rule.name for rule in rules])
    named = [pl.when(pl.col(rule.name)).then(pl.lit(rule.name, dtype=kind)) for rule in rules]
    return numbered.with_columns(marks).with_columns(signal=pl.coalesce(named)).drop("__place", "__step")


def _place(keys: Sequence[str]) -> pl.Expr:
    """Position in the series, from 1: one pass over neighbours, however many series there are."""
    index = pl.int_range(pl.len())
    return index - pl.when(first_of_series(keys)).then(index).forward_fill() + 1


def _mark(rule: RunRule) -> pl.Expr:
    z, place = pl.col("z"), pl.col("__place")
    if rule.kind == "beyond":
        sides = [z > rule.sigmas + _CLOSE, z < -rule.sigmas - _CLOSE]
        return pl.any_horizontal(*[side & _window(side, rule.window, rule.hits) for side in sides])
    if rule.kind == "side":
        return pl.any_horizontal(_all(z > _CLOSE, rule.window), _all(z < -_CLOSE, rule.window))
    if rule.kind == "inside":
        return _all(z.abs() <= rule.sigmas + _CLOSE, rule.window)
    if rule.kind == "outside":
        over, under = z > rule.sigmas + _CLOSE, z < -rule.sigmas - _CLOSE
        both = _window(over, rule.window, 1) & _window(under, rule.window, 1)
        return both & _all(over | under, rule.window)
    step = pl.col("__step")
    whole = place >= rule.window
    if rule.kind == "trend":
        return whole & (_window(step > 0, rule.window - 1) | _window(step < 0, rule.window - 1))
    return whole & _window(step * step.shift() < 0, rule.window - 2)


def _all(condition: pl.Expr, window: int) -> pl.Expr:
    return _window(condition, window)


def _window(condition: pl.Expr, window: int, hits: int | None = None) -> pl.Expr:
    """Whether at least `hits` (all, when absent) of the last `window` points meet a condition."""
    met = condition.fill_null(value=False).cast(pl.Int32).cum_sum()
    inside = met - met.shift(window, fill_value=0)
    return (inside >= (window if hits is None else hits)) & (pl.col("__place") >= window)
