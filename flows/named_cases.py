"""Cases under the names that BI tools read: made month by month, and only where something has changed.

A month's cases are told apart by a hash of all that their rows are made of: of numbers themselves, of codes by what
they stand for. So it is known of a month that its rows are as they were published before a single name is looked up.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from contracts.events import Codebook
from contracts.tables import FactCase
from transforms.case_tables import fact_case
from transforms.credit import Credit

ONE_FILE_ROWS = 200_000
"""Up to so many cases are published as one; more of them by the month in which they were opened."""

HASHED_ROWS = 1 << 18
"""Cases whose hashes are worked out at once."""
PLACES_PER_CASE = 16
"""Up to so many numbers of subjects a case, whether any occurs twice is seen in an array with a place for each."""

_GROUPS = {"first_group": "actor_team", "last_group": "actor_team"}
_DAY = 86_400_000_000
_MADE_OF_OTHERS = ("first_response_hours", "resolution_hours", "closing_hours")

Fingerprints = Callable[[str], np.ndarray]
"""Hashes (uint64) of what the codes of a column stand for, by code; those of `customer` are of their keys."""


@dataclass(frozen=True)
class CaseBlock:
    """Cases that are published as one file.

    Attributes:
        month: In which they were opened (UTC), `2026-05`; empty when these are all cases.
        places: Their places among all cases; None for all of them.
        key: A hash of all that their rows are made of.
    """

    month: str
    places: np.ndarray | None
    key: str


@dataclass(frozen=True)
class NamedCases:
    """Cases, and the names that their codes stand for.

    Attributes:
        cases: Cases with slots, as codes.
        credit: Touchpoints, owners, teams.
        codebook: What the codes stand for.
        customers: customer, customer_key; asked for when names are.
        fingerprints: Hashes of what codes stand for.
    """

    cases: pl.DataFrame
    credit: Credit
    codebook: Codebook
    customers: Callable[[], pl.DataFrame]
    fingerprints: Fingerprints

    def rows(
        self, places: np.ndarray | pl.Expr | None = None, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """FactCase's rows and the attributes' columns, unsorted.

        Args:
            places: Of which cases: their places, or a condition on their columns; all of them when absent.
            columns: Only these columns: no other names are looked up.
        """
        some = self.cases
        if some.is_empty():
            return FactCase.empty() if columns is None else FactCase.empty().select(columns)
        if places is not None:
            some = some.filter(places) if isinstance(places, pl.Expr) else some[places]
        return fact_case(some.lazy(), self.credit, self.codebook, lambda: self.keys, columns).collect()

    @cached_property
    def keys(self) -> pl.Series:
        """Customers' keys by code; null for 0."""
        return pl.concat([pl.Series([None], dtype=pl.String), self.customers()["customer_key"]], rechunk=True)

    def blocks(self, salt: str) -> list[CaseBlock]:
        """Cases by the month in which they were opened, the oldest first; all in one when they are few.

        Args:
            salt: What else their files are made of: it goes into every key.
        """
        hashes = self._hashes() if self.cases.height else np.empty(0, dtype=np.uint64)
        if self.cases.height <= ONE_FILE_ROWS or not self._is_each_once():
            return [CaseBlock("", None, _key(salt, "", hashes))]
        months = self._months()
        order = np.argsort((months - months.min()).astype(np.uint16), kind="stable")
        hashes, ends = hashes[order], np.cumsum(np.bincount(months - months.min()))
        made = []
        for number, (begin, end) in enumerate(zip([0, *ends], ends, strict=False), start=int(months.min())):
            if begin < end:
                month = f"{1970 + number // 12:04}-{number % 12 + 1:02}"
                made.append(CaseBlock(month, order[begin:end], _key(salt, month, hashes[begin:end])))
        return made

    def _months(self) -> np.ndarray:
        """In which month (UTC) every case was opened, months since 1970: looked up by day, of which there are few."""
        days = self.cases["opened_at"].to_physical().to_numpy() // _DAY
        first = int(days.min())
        every = np.arange(first, int(days.max()) + 1).astype("datetime64[D]").astype("datetime64[M]")
        return every.astype(np.int64)[days - first]

    def _is_each_once(self) -> bool:
        """Whether no case is told of twice: a table keeps that promise as a whole, not month by month."""
        feed, subject = (self.cases[name].to_numpy() for name in ("feed", "subject_id"))
        width = int(subject.max()) + 1
        place = feed.astype(np.int64) * width + subject
        if int(feed.max()) * width > PLACES_PER_CASE * place.size:
            return pl.Series(place).n_unique() == place.size
        seen = np.zeros((int(feed.max()) + 1) * width, dtype=np.bool_)
        seen[place] = True
        return int(np.count_nonzero(seen)) == place.size

    def _hashes(self) -> np.ndarray:
        """A hash of every case's row, whatever its codes are; so many cases at a time, for hashes take eight bytes each."""
        meant = self._meanings()
        found = np.empty(self.cases.height, dtype=np.uint64)
        for begin in range(0, self.cases.height, HASHED_ROWS):
            some = self.cases[begin : begin + HASHED_ROWS]
            owned = self.credit.credited(some.lazy().with_columns(slot="slot_opened"))
            found[begin : begin + some.height] = owned.select(meant).collect().hash_rows().to_numpy()
        return found

    def _meanings(self) -> list[pl.Expr]:
        """What rows are made of: columns as they are, or hashes of what their codes stand for."""
        credit = self.credit
        named = {"touchpoint": credit.touchpoints, "owner": credit.owners, "team": credit.teams}
        hashes = {name: pl.Series(texts, dtype=pl.String).hash() for name, texts in named.items()}
        told = [name for name in self.cases.columns if not name.startswith("slot_")]
        for name in told:
            column = _GROUPS.get(name, name)
            if name not in named and (column == "customer" or self.codebook.is_coded(column)):
                hashes[name] = pl.Series(self.fingerprints(column))
        plain = [name for name in told if name not in hashes and name not in _MADE_OF_OTHERS]
        coded = [pl.lit(of).gather(pl.col(name).fill_null(0)).alias(name) for name, of in hashes.items()]
        return [*map(pl.col, plain), *coded]


def _key(salt: str, month: str, hashes: np.ndarray) -> str:
    """A hash of rows in any order: two sums, that no two rows make up for each other."""
    mixed = hashes * (hashes >> np.uint64(32) | np.uint64(1))
    said = [pl.__version__, salt, month, hashes.size, int(hashes.sum()), int(mixed.sum())]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24]
