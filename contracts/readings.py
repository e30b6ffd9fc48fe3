"""What a feed's file gave when it was read: rows as texts, and what could not be read as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

REJECTS = {
    "line": pl.UInt32,
    "item": pl.UInt32,
    "row": pl.UInt32,
    "reasons": pl.String,
    "raw": pl.String,
    "is_whole": pl.Boolean,
}
"""Columns of rejects. line: in the file, from 1. item: its place among the rows of that line, from 0.
row: its number in the file; null for a line that is no row. reasons: rules broken, joined by `, `. raw:
what was delivered, with whatever tells a person replaced by its token; JSON by column for a row.
is_whole: whether nothing was cut or replaced in it but what the contract declares."""


@dataclass(frozen=True)
class Unreadable:
    """A line that is no row.

    Attributes:
        line: Its number in the file, from 1.
        reason: What is wrong with it, as `line.<what>`.
        raw: The line as text; of one that is too long, where it stands.
    """

    line: int
    reason: str
    raw: str


@dataclass(frozen=True)
class Reading:
    """A file's rows.

    Attributes:
        rows: One text column per property of the contract, under the property's name, and `line`.
        unreadable: Lines that are no rows.
        pushed: Of a file that was poured, the delivery that each of its lines was pushed with; else empty.
    """

    rows: pl.DataFrame
    unreadable: Sequence[Unreadable] = ()
    pushed: Mapping[int, str] = field(default_factory=dict)
