"""Events to touchpoints and slots."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from contracts.accountability import UNMATCHED
from transforms.rules import Decision
from transforms.slots import Slots


@dataclass(frozen=True)
class Matcher:
    """Everything that matching needs.

    Attributes:
        decision: The compiled rules.
        slots: Slots that hold every event.
        touchpoints: Touchpoint ids; the i-th has code i + 1, and 0 is `unmatched`.
    """

    decision: Decision
    slots: Slots
    touchpoints: Sequence[str]

    @property
    def names(self) -> list[str]:
        """What touchpoint codes stand for, from 0."""
        return [UNMATCHED, *self.touchpoints]

    @property
    def columns(self) -> list[str]:
        """Stored columns that matching reads."""
        return ["occurred_at", *self.decision.columns]

    def touchpoint_of_rule(self) -> pl.Series:
        """Touchpoint code by number of rule."""
        code = {name: index for index, name in enumerate(self.touchpoints, start=1)}
        codes = [0, *(code[rule.touchpoint] for rule in self.decision.rules)]
        return pl.Series("touchpoint", codes, dtype=pl.UInt16)


def match(events: pl.LazyFrame, matcher: Matcher) -> pl.LazyFrame:
    """Find each event's rule, touchpoint and slot.

    Args:
        events: Stored events, any order.
        matcher: The compiled map.

    Returns:
        The same rows in the same order with `rule` (0 where none matched), `touchpoint` (0 for
        unmatched) and `slot`.
    """
    return events.with_columns(
        matcher.decision.rule.alias("rule"), matcher.slots.look_up(pl.col("occurred_at")).alias("slot")
    ).with_columns(pl.lit(matcher.touchpoint_of_rule()).gather(pl.col("rule")).alias("touchpoint"))
