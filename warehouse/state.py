"""What the event store holds at one commit, and how it is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl

from contracts.deliveries import Delivery
from contracts.events import ATTRIBUTE, Codebook, stored_schema
from contracts.identity import Resolution
from warehouse.coder import Hashes, Texts, texts_at
from warehouse.event_ids import index_of
from warehouse.files import intact
from warehouse.months import LOST, EventFile, Month

PARTS = ("tokens", "customers", "aliases", "links")
"""Of who is who: each is a file of its own."""


@dataclass(frozen=True)
class State:
    """One commit of the store.

    Attributes:
        folder: The store's folder.
        number: The commit; 0 for an empty store.
        months: Files by month of `occurred_at` (UTC), `2026-05`.
        codes: Files of codes by column.
        attributes: `text` or `number`, by attribute.
        identity: Files of who is who, by part.
        deliveries: Every delivery so far.
        accounts: Files that say so.
        shared_key_limit: With which limit it was found out who is who; 0 when not noted.
    """

    folder: Path
    number: int = 0
    months: Mapping[str, Month] = field(default_factory=dict)
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    deliveries: Sequence[Delivery] = ()
    accounts: Sequence[str] = ()
    shared_key_limit: int = 0

    @cached_property
    def codebook(self) -> Codebook:
        """What the stored codes stand for."""
        return Codebook(Texts(self.folder, self.codes), self.attributes)

    @cached_property
    def resolution(self) -> Resolution:
        """Who is who; every part is read when it is asked for."""
        return _Read(self._frame, self.identity, self.shared_key_limit)

    @cached_property
    def aliases(self) -> pl.DataFrame:
        """Customers that turned out to be another one, as `Resolution` has them."""
        path = self.identity.get("aliases")
        return self._frame(path) if path else Resolution().aliases

    def customer_keys(self) -> pl.Series:
        """Customers' keys, the first of them that of code 1; read whenever it is asked for, for there may be millions.

        Raises:
            StoreError: Their file is missing or damaged.
        """
        if not (path := self.identity.get("customers")):
            return Resolution().customers["customer_key"]
        told = intact(self.folder / path, LOST)
        return pl.read_parquet(told, columns=["customer_key"], glob=False).to_series().rechunk()

    def texts(self, column: str, codes: np.ndarray) -> pl.Series:
        """What some of a column's codes stand for, as `Texts.some`; those of `customer` for their keys."""
        if column != "customer":
            return Texts(self.folder, self.codes).some(column, codes)
        path = self.identity.get("customers")
        return texts_at(self.folder / path, "customer_key", codes - 1) if path else pl.Series(dtype=pl.String)

    def hashes(self, column: str) -> Hashes:
        """Hashes of what a column's codes stand for, as `Texts.hashes`; those of `customer` of their keys.

        Raises:
            StoreError: A file is missing or damaged.
        """
        if column != "customer":
            return Texts(self.folder, self.codes).hashes(column)
        path = self.identity.get("customers")
        return Hashes.of_keys(self.folder / path if path else None)

    @property
    def event_files(self) -> list[EventFile]:
        """Every file of events, by month, the oldest of a month first."""
        return [file for name in sorted(self.months) for file in self.months[name].files]

    @property
    def rows(self) -> int:
        """How many events the store holds."""
        return sum(month.rows for month in self.months.values())

    def span(self) -> tuple[datetime, datetime] | None:
        """First and last event; None when there is none."""
        if not self.months:
            return None
        first = min(month.first_at for month in self.months.values())
        last = max(month.last_at for month in self.months.values())
        return datetime.fromisoformat(first), datetime.fromisoformat(last)

    def scan(
        self, columns: Sequence[str], months: Sequence[str] | None = None, *, as_stored: bool = False
    ) -> pl.LazyFrame:
        """Stored events of some months, as codes, with customers known to be one under one code.

        A month written before an attribute existed has it missing.

        Args:
            columns: Which columns.
            months: Which months; all of them when absent.
            as_stored: Leave customers under the codes they had when the month was written.

        Raises:
            StoreError: A month's file is missing or damaged.
        """
        schema = stored_schema({**_unknown_attributes(columns), **self.attributes})
        wanted = sorted(self.months) if months is None else months
        if not wanted:
            return pl.LazyFrame(schema={name: schema[name] for name in columns})
        files = [file for month in wanted for file in self.months[month].files]
        return self.scan_files(files, columns, as_stored=as_stored)

    def scan_files(
        self, files: Sequence[EventFile], columns: Sequence[str], *, as_stored: bool = False
    ) -> pl.LazyFrame:
        """Stored events of some files, at least one; as `scan`.

        Raises:
            StoreError: A file is missing or damaged.
        """
        schema = stored_schema({**_unknown_attributes(columns), **self.attributes})
        frame = pl.concat([file.scan(self.folder, columns, schema) for file in files])
        return frame.with_columns(self.merged()) if "customer" in columns and not as_stored else frame

    def merged(self) -> pl.Expr:
        """The customer that a stored code stands for today."""
        return merged_code(self.aliases)

    def _frame(self, path: str) -> pl.DataFrame:
        return pl.read_parquet(intact(self.folder / path, LOST), glob=False)

    def landed(self, path: str) -> pl.DataFrame:
        """A frame of a delivery.

        Raises:
            StoreError: Its file is missing or damaged.
        """
        return self._frame(path)

    def files(self) -> set[Path]:
        """Every file that the commit refers to, indexes included: one that is not there is made anew."""
        parts = {path for delivery in self.deliveries for path in delivery.parts.values()}
        indexes = {index_of(self.folder / path) for path in chain.from_iterable(self.codes.values())}
        return {self.folder / path for path in self.named() | parts} | {
            path for path in indexes if path.exists()
        }

    def named(self) -> set[str]:
        """Every file that the commit names, below the store; files of deliveries are named by their accounts."""
        named = {*chain.from_iterable(self.codes.values()), *self.identity.values(), *self.accounts}
        named |= {path for file in self.event_files for path in file.paths()}
        is_told_here = not self.accounts
        return named | {path for one in self.deliveries for path in one.parts.values() if is_told_here}


class _Read(Resolution):
    """Who is who as it is in files."""

    def __init__(self, read: Callable[[str], pl.DataFrame], paths: Mapping[str, str], limit: int) -> None:
        empty = Resolution()
        told = {part: getattr(empty, part) for part in PARTS if part not in paths}
        self.__dict__.update(told, limit=limit, _read=read, _paths=paths)

    def __getattr__(self, name: str) -> pl.DataFrame:
        """A part that was not asked for before."""
        if name not in PARTS:
            raise AttributeError(name)
        frame = self.__dict__["_read"](self.__dict__["_paths"][name])
        self.__dict__[name] = frame
        return frame


def merged_code(aliases: pl.DataFrame) -> pl.Expr:
    """The code of the customer that a stored one is today: an alias may lead to another alias."""
    codes, ends = aliases["customer"], aliases["merged_into"]
    for _ in range(codes.len().bit_length()):  # every step doubles how far an end looks ahead
        ends = ends.replace(codes, ends)
    return pl.col("customer").replace(codes, ends)


def _unknown_attributes(columns: Sequence[str]) -> dict[str, str]:
    """Attributes that a feed declares but no event has had yet."""
    return {c.removeprefix(ATTRIBUTE): "text" for c in columns if c.startswith(ATTRIBUTE)}
