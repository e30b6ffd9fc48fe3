"""The canonical event: what happened to a customer, when, and who told us.

Events come from feeds as text and numbers (`EVENT`), and are stored with small integer codes
(`stored_schema`): code 0 is "missing", code i is the i-th value ever seen in that column. Codes are
never reused, so a month written a year ago needs no rewriting when a new value appears.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

ATTRIBUTE = "attribute_"
"""Prefix of the columns that hold a feed's own attributes."""

INSTANT = pl.Datetime("us", "UTC")

SMALL_CODES = ("feed", "kind", "channel", "scale", "subject_type", "actor_team")
"""Columns of few distinct values, stored as 16-bit codes."""

LARGE_CODES = ("subject_id", "actor", "landing")
"""Columns of many distinct values, stored as 32-bit codes. `customer` is one too, but opaque."""

NUMBERS = ("score", "amount", "duration_minutes")

TOKENS = ("token_external_id", "token_email", "token_phone")
"""Keyed hashes of what tells a customer, strongest first. They never leave the warehouse."""

EVENT: Mapping[str, pl.DataType] = {
    "event_id": pl.String(),
    "occurred_at": INSTANT,
    "recorded_at": INSTANT,
    "feed": pl.String(),
    "kind": pl.String(),
    "channel": pl.String(),
    "score": pl.Float64(),
    "scale": pl.String(),
    "amount": pl.Float64(),
    "duration_minutes": pl.Float64(),
    "subject_type": pl.String(),
    "subject_id": pl.String(),
    "sequence": pl.Int64(),
    "actor": pl.String(),
    "actor_team": pl.String(),
    "token_external_id": pl.String(),
    "token_email": pl.String(),
    "token_phone": pl.String(),
    "landing": pl.String(),
    "row": pl.UInt32(),
}
"""Columns of an event as a feed tells of it, and their types; attributes come on top.

event_id: feed, stream, the feed's own key and the kind. occurred_at, recorded_at: UTC. subject_id:
the thing it is about (a ticket). sequence: order among one subject's events at one instant. landing,
row: the delivery and the row it came from.
"""

CONDITION_COLUMNS = (*SMALL_CODES, "actor", *NUMBERS)
"""Columns that a `where:` may name, besides attributes."""


def stored_schema(attributes: Mapping[str, str]) -> dict[str, pl.DataType]:
    """Columns of a stored event and their types.

    Args:
        attributes: `text` or `number`, by attribute name without prefix.
    """
    columns: dict[str, pl.DataType] = {
        "event_id": pl.String(),
        "occurred_at": INSTANT,
        "recorded_at": INSTANT,
        "customer": pl.UInt32(),
        **{name: pl.UInt16() for name in SMALL_CODES},
        **{name: pl.UInt32() for name in LARGE_CODES},
        **{name: pl.Float64() for name in NUMBERS},
        "sequence": pl.Int64(),
        "row": pl.UInt32(),
    }
    for name, kind in sorted(attributes.items()):
        columns[ATTRIBUTE + name] = pl.Float64() if kind == "number" else pl.UInt32()
    return columns


@dataclass(frozen=True)
class Codebook:
    """What the codes of stored events stand for.

    Attributes:
        values: Values by column, in the order of their codes; the first has code 1. Of columns of many
            values as a series.
        attributes: `text` or `number`, by attribute name without prefix.
    """

    values: Mapping[str, Sequence[str] | pl.Series]
    attributes: Mapping[str, str] = field(default_factory=dict)

    def code(self, column: str, value: str) -> int | None:
        """The code of a value, or None when no event ever had it."""
        known = self.values.get(column, ())
        if isinstance(known, pl.Series):
            place = known.index_of(value)
            return None if place is None else place + 1
        try:
            return known.index(value) + 1
        except ValueError:
            return None

    def column(self, name: str) -> str:
        """The stored column of a name as people write it: attributes get their prefix."""
        return ATTRIBUTE + name if name in self.attributes else name

    def is_coded(self, column: str) -> bool:
        """Whether the stored column holds codes rather than numbers."""
        name = column.removeprefix(ATTRIBUTE)
        return column in (*SMALL_CODES, *LARGE_CODES) or self.attributes.get(name) == "text"

    def series(self, column: str) -> pl.Series:
        """The column's values by code: index 0 is null."""
        if column not in self._series:
            missing, known = pl.Series(column, [None], dtype=pl.String), self.values.get(column, ())
            texts = known if isinstance(known, pl.Series) else pl.Series(known, dtype=pl.String)
            self._series[column] = missing.append(texts).rechunk()
        return self._series[column]

    @cached_property
    def _series(self) -> dict[str, pl.Series]:
        """What was asked for: of many values it takes a while, and a look-up in two pieces takes longer."""
        return {}

    def decoded(self, column: str) -> pl.Expr:
        """The column's values instead of its codes."""
        return pl.lit(self.series(column)).gather(pl.col(column)).alias(column)
