"""Events to touchpoints and slots."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from contracts.accountability import UNMATCHED
from transforms.pieces import Piece, Some
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

    def looked_up(self, piece: Piece) -> "Matched":
        """The rule and the slot of every event of a piece: what `match` finds, by arrays."""
        rule, slot = self.decision.numbers(piece), self.slots.of(piece.whole("occurred_at"))
        return Matched(piece, rule, slot, self.touchpoints_of_rules)

    @cached_property
    def touchpoints_of_rules(self) -> np.ndarray:
        """Touchpoint code by number of rule."""
        return self.touchpoint_of_rule().to_numpy()

    def touchpoint_of_rule(self) -> pl.Series:
        """Touchpoint code by number of rule."""
        code = {name: index for index, name in enumerate(self.touchpoints, start=1)}
        codes = [0, *(code[rule.touchpoint] for rule in self.decision.rules)]
        return pl.Series("touchpoint", codes, dtype=pl.UInt16)


@dataclass(frozen=True)
class Matched:
    """Some stored events with what they match.

    Attributes:
        events: The events.
        rule: The number of every event's rule; 0 where none matches.
        slot: Every event's slot.
        touchpoints: Touchpoint code by number of rule.
    """

    events: Piece
    rule: np.ndarray
    slot: np.ndarray
    touchpoints: np.ndarray

    def kinds(self, columns: Sequence[str]) -> dict[str, pl.DataType]:
        """Types of some columns, `slot` and `touchpoint` among them."""
        found = {**self.events.events.schema, "slot": pl.UInt32(), "touchpoint": pl.UInt16()}
        return {name: found[name] for name in columns}

    def put(self, rows: np.ndarray, some: Some) -> None:
        """Put some of the events, by their places ascending, with slot and touchpoint among others."""
        touchpoint, slot = self.touchpoints.take(self.rule.take(rows)), self.slot.take(rows)
        some.add(self.events, rows, touchpoint=touchpoint, slot=slot.view(np.uint32))

    def whole(self) -> pl.DataFrame:
        """All of the events with rule, slot and touchpoint, as `match` has them."""
        found = {"rule": self.rule, "slot": self.slot.view(np.uint32)}
        return self.events.events.with_columns(
            **{name: pl.Series(values) for name, values in found.items()},
            touchpoint=pl.Series(self.touchpoints.take(self.rule)),
        )


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
