"""What somebody decides about rows that wait in quarantine: judge them again, or give them up."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from contracts.deliveries import Delivery
from transforms.land import PLACE

MENDED_COLUMNS = ("source", "_row", "_item")
"""Columns of a file of mended rows that say which row each one is."""


@dataclass(frozen=True)
class Decision:
    """One decision about some rows in quarantine.

    Attributes:
        what: replay judges them again and re-admits those that keep the contract; drop gives them up.
        feed: Only this feed's.
        stream: Only this stream's; every stream of the feed when absent.
        source: Only this delivery's.
        rule: Only rows that broke this rule.
        mended: Rows mended by hand: `MENDED_COLUMNS` and whatever columns of the contract they mend.
    """

    what: Literal["replay", "drop"]
    feed: str
    stream: str | None = None
    source: str | None = None
    rule: str | None = None
    mended: pl.DataFrame | None = None

    def is_about(self, delivery: Delivery) -> bool:
        """Whether rows of a delivery may be meant."""
        return (
            delivery.feed == self.feed
            and self.stream in (None, delivery.stream)
            and self.source in (None, delivery.source)
        )

    def choose(self, rejects: pl.DataFrame, source: str) -> pl.DataFrame:
        """Those of a delivery's rejects that are meant."""
        chosen = rejects
        if self.rule is not None:
            chosen = chosen.filter(pl.col("reasons").str.split(", ").list.contains(self.rule))
        mended = self.rows_of(source)
        if mended is None:
            return chosen
        return chosen.join(mended, on=PLACE, how="semi", nulls_equal=True, maintain_order="left")

    def rows_of(self, source: str) -> pl.DataFrame | None:
        """The mended rows of one delivery, by `PLACE`; None when nothing was mended by hand."""
        if self.mended is None:
            return None
        own = self.mended.filter(pl.col("source") == source).drop("source")
        place = (pl.col("_row").cast(pl.UInt32).alias("line"), pl.col("_item").cast(pl.UInt32).alias("item"))
        return own.with_columns(place).drop("_row", "_item")
