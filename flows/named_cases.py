"""Cases under the names that BI tools read: made by months, quarters or years, and only where something has changed.

The cases of one of these are told apart by a hash of all that their rows are made of: of numbers themselves, of codes by
what they stand for. So it is known that its rows are as they were published before a single name is looked up.
"""

import hashlib
import json
from collections import ChainMap
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from itertools import pairwise
from typing import cast

import numpy as np
import polars as pl

from contracts.events import INSTANT, Codebook
from contracts.tables import FactCase
from transforms.case_tables import fact_case
from transforms.cases import SUBJECT
from transforms.credit import Credit
from transforms.groups import grouped
from transforms.renewed import Renewed
from transforms.slots import microseconds
from warehouse.coder import Hashes
from warehouse.promises import is_in_order

ONE_FILE_ROWS = 200_000
"""Up to so many cases are published as one; more of them by when they were opened."""
PART_ROWS = 32_000
"""So many cases a file has on average at least, of a month where there are so many, else of a quarter or a year: smaller
ones cost more to write, and to read, than there is in them."""
_PERIODS = (1, 3, 12)
"""Months of a month, a quarter and a year."""

STEP = 1 << 14
"""So many cases are told of by when the first and the last of them were opened: who numbers cases mostly goes by that."""
HASHED_ROWS = 1 << 18
"""Cases whose hashes are worked out at once."""
STRETCHES = 256
"""Rows that are mended are put together of up to so many stretches; with more of them every row is looked up."""
PLACES_PER_CASE = 16
"""Up to so many numbers of subjects a case, whether any occurs twice is seen in an array with a place for each."""

_FACTOR, _HALF, _MISSING = np.uint64(0x9E3779B97F4A7C15), np.uint64(32), np.uint64(0xD1B54A32D192ED03)
"""Of hashes: an odd number of many ones and zeros, half of the bits, and what stands for null."""
_DAY = 86_400_000_000
"""Microseconds."""

_GROUPS = {"first_group": "actor_team", "last_group": "actor_team"}
_CREDITED = ("touchpoint", "slot_opened")
"""Codes that say whom a case is credited to."""
_BY, _SUMMED = ("month", "touchpoint", "slot_opened"), ("count", "hashes", "mixed")
_MADE_OF_OTHERS = ("first_response_hours", "resolution_hours", "closing_hours")

Fingerprints = Callable[[str], Hashes]
"""Hashes of what the codes of a column stand for; those of `customer` are of their keys."""


Texts = Callable[[str, np.ndarray], pl.Series]
"""What some codes of a column stand for, which are above 0 and ascending; those of `customer` for their keys."""


@dataclass(frozen=True)
class CaseBlock:
    """Cases that are published as one file.

    Attributes:
        period: In which they were opened (UTC), `2026-05`, `2026-Q2` or `2026`; empty when these are all cases.
        key: A hash of all that their rows are made of.
        count: How many they are.
        within: First instant of the period, and the first after it, microseconds since 1970; None for all cases.
    """

    period: str
    key: str
    count: int
    within: tuple[int, int] | None = None

    @property
    def places(self) -> pl.Expr | None:
        """Which they are among all cases: a condition; None for all of them."""
        if self.within is None:
            return None
        opened, (first, end) = pl.col("opened_at").to_physical(), self.within
        return (opened >= first) & (opened < end)


@dataclass(frozen=True)
class NamedCases:
    """Cases, and the names that their codes stand for.

    Attributes:
        made: Cases with slots, as codes, and how they come from those made long before.
        credit: Touchpoints, owners, teams.
        codebook: What the codes stand for.
        customer_keys: Customers' keys, the first of them that of code 1; asked for when names are.
        fingerprints: Hashes of what codes stand for.
        texts: What some codes stand for.
    """

    made: Renewed
    credit: Credit
    codebook: Codebook
    customer_keys: Callable[[], pl.Series]
    fingerprints: Fingerprints
    texts: Texts

    def rows(
        self,
        places: pl.Expr | None = None,
        columns: Sequence[str] | None = None,
        *,
        within: tuple[int, int] | None = None,
        as_few: bool = False,
    ) -> pl.DataFrame:
        """FactCase's rows and the attributes' columns, in the order of their key.

        Args:
            places: Of which cases: a condition on their columns; all of them when absent.
            columns: Only these columns, in any order: no other names are looked up.
            within: When they were opened, as of a block: all others need not be asked.
            as_few: Whether texts of columns that have few are Enum, for whoever writes them.
        """
        if not self.made.height:
            return FactCase.empty() if columns is None else FactCase.empty().select(columns)
        among = None if within is None else self._among(*within)
        some = self.made.lazy().collect() if places is None else self.made.where(places, among=among)

        def named(cases: pl.DataFrame) -> pl.DataFrame:
            plan = fact_case(
                cases.lazy(), self.credit, self.codebook, lambda: self.keys, columns, as_few=as_few
            )
            return plan.collect(engine="in-memory")

        rows, by = named(some), FactCase.primary_key()
        if columns is None and not is_in_order(rows, by):
            # Who numbers cases mostly has them in order; and codes are moved more quickly than what they stand for.
            rows = named(some[rows.select(pl.arg_sort_by(by)).to_series()])
        return rows

    def _among(self, first: int, end: int) -> tuple[int, int]:
        """From which of the old cases on, and up to which, some may be opened within a period."""
        earliest, latest = self._opened
        hits = np.flatnonzero((earliest < end) & (latest >= first))
        return (int(hits[0]) * STEP, (int(hits[-1]) + 1) * STEP) if hits.size else (0, 0)

    @cached_property
    def _opened(self) -> tuple[np.ndarray, np.ndarray]:
        """When the first and the last of every `STEP` old cases were opened, microseconds since 1970."""
        opened = self.made.old["opened_at"].to_physical().to_numpy()
        begins = np.arange(0, opened.size, STEP)
        return np.minimum.reduceat(opened, begins), np.maximum.reduceat(opened, begins)

    def counted(self, places: pl.Expr, columns: Sequence[str]) -> pl.DataFrame:
        """How many cases are alike: some of FactCase's columns, n. Only what they come to gets its names.

        Args:
            places: Of which cases: a condition on their columns.
            columns: The columns: touchpoint, owner, team, and groups.
        """
        codes = [*_CREDITED, *(name for name in columns if name in _GROUPS)]
        if not self.made.height:
            return FactCase.empty().select(columns).with_columns(n=pl.lit(0, pl.Int64))
        alike = self.made.where(places, codes).lazy().group_by(codes).agg(n=pl.len().cast(pl.Int64))
        named = fact_case(alike, self.credit, self.codebook, lambda: self.keys, [*columns, "n"])
        return named.group_by(columns).agg(pl.col("n").sum()).collect()

    def by_month(self) -> list[pl.Expr | None]:
        """Conditions on `opened_at`, of cases or FactCase's rows, one of which holds for each: by months that have any, where there are many."""
        if self.made.height <= ONE_FILE_ROWS:
            return [None]
        opened = pl.col("opened_at")
        months = self.made.lazy().select(opened.dt.truncate("1mo").unique().sort()).collect().to_series()
        edges = [pl.lit(begin).cast(INSTANT) for begin in months.to_physical()[1:]]
        if not edges:
            return [None]
        between = [(opened >= first) & (opened < end) for first, end in pairwise(edges)]
        return [(opened < edges[0]) | opened.is_null(), *between, opened >= edges[-1]]

    @cached_property
    def keys(self) -> pl.Series:
        """Customers' keys, the first of them that of code 1."""
        return self.customer_keys()

    def blocks(self, salt: str) -> list[CaseBlock]:
        """Cases by when they were opened, the oldest first; all in one when they are few.

        Args:
            salt: What else their files are made of: it goes into every key.
        """
        if not self.made.height:
            return [CaseBlock("", _key(salt, "", pl.DataFrame()), 0)]
        # Who is who is in the first state, and in nothing else that is remembered.
        name = f"hashes-{self._told_by(salt)}-{''.join(one for one, _ in self.made.been[:1])}"
        # What codes mean is asked for of rows that came, and of those that are gone.
        hashed = partial(self._hashed, cache(self.fingerprints))
        sums = self._credited(self.made.summed(name, hashed, _BY))
        if self.made.height <= ONE_FILE_ROWS or not self._is_each_once():
            return [CaseBlock("", _key(salt, "", sums.drop("month")), self.made.height)]
        months = _months_of_a_file(sums)
        parts = sums.with_columns(part=pl.col("month") // months).partition_by("part", as_dict=True)
        return [_block(part * months, months, salt, told) for (part,), told in sorted(parts.items())]

    def states(self, block: CaseBlock, salt: str) -> tuple[str, dict[str, int]]:
        """States that a block's rows have been in: whatever differs from any of them is of subjects touched since.

        Args:
            block: The block.
            salt: As of `blocks`.

        Returns:
            The state of now, empty when it is not known what has changed; and of every state how many changes there had
            been by then.
        """
        by = f"{self._told_by(salt)} {self._accountable(block)}"
        been = [
            (hashlib.sha256(f"{one} {by}".encode()).hexdigest()[:24], changes)
            for one, changes in self.made.been
        ]
        return been[-1][0] if been else "", dict(been)

    def _accountable(self, block: CaseBlock) -> str:
        """A hash of who was accountable for what, and when, while the cases of a block were opened."""
        slots = self.credit.slots
        low, high = 0, slots.starts.size
        if block.within is not None:
            first, end = block.within
            found = np.maximum(np.searchsorted(slots.starts, [first, end - 1], side="right"), 1)
            low, high = int(found[0]) - 1, int(found[1])
        told = hashlib.sha256(json.dumps(self.credit.touchpoints).encode())
        # When the first of them began is before the block, and may be told otherwise.
        told.update(slots.starts[low + 1 : high].tobytes())
        for names in self._accountable_names:
            told.update(names[:, low:high].tobytes())
        return told.hexdigest()

    @cached_property
    def _accountable_names(self) -> list[np.ndarray]:
        """Hashes of who was accountable, and of their teams, by touchpoint and slot."""
        slots, by_tenure = self.credit.slots, self.credit.slots.owners()
        return [by_tenure[name].hash().to_numpy()[slots.tenure_of] for name in ("owner_id", "team_id")]

    def mended(self, block: CaseBlock, before: pl.DataFrame, changes: int) -> pl.DataFrame | None:
        """A block's rows, of those that were published at a state before: what was touched since is replaced.

        Args:
            block: The block.
            before: FactCase's rows and the attributes' columns, in the order of their key.
            changes: How many changes there had been by then.

        Returns:
            The rows; None when they are not as many as there should be.
        """
        touched, all_that_came = self._since(changes)
        came = all_that_came if block.places is None else all_that_came.filter(block.places)
        rows = _spliced(before, touched, came.select(before.columns).cast(dict(before.schema)))
        return rows if rows.height == block.count else None

    def _since(self, changes: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """What later changes touched: names of subjects (feed, case_id), and their rows of FactCase in the order of their key."""
        if changes not in self._found:
            subjects = self.made.touched.filter(pl.col("change") > changes)
            rows = self.made.came.join(subjects, on=SUBJECT, how="semi")
            touched, names = self._of_few(subjects, "subject_id")
            came, codebook = self._of_few(rows, "subject_id", "customer")
            keys = codebook.values["customer"]
            named = fact_case(came.lazy(), self.credit, codebook, lambda: cast("pl.Series", keys))
            self._found[changes] = (
                touched.select(_case_names(names)),
                named.collect().sort(FactCase.primary_key()),
            )
        return self._found[changes]

    @cached_property
    def _found(self) -> dict[int, tuple[pl.DataFrame, pl.DataFrame]]:
        """What was found by `_since`: most blocks were published at the same state."""
        return {}

    def _of_few(self, rows: pl.DataFrame, *columns: str) -> tuple[pl.DataFrame, Codebook]:
        """Few rows with codes of their own in columns of many, and what all of their codes stand for."""
        texts, local = {}, {}
        for name in columns:
            codes = rows[name].fill_null(0).to_numpy()
            told = np.unique(codes[codes > 0])
            texts[name] = self.texts(name, told)
            local[name] = pl.Series(np.where(codes > 0, np.searchsorted(told, codes) + 1, 0), dtype=pl.UInt32)
        book = Codebook(
            ChainMap(texts, cast("MutableMapping", self.codebook.values)), self.codebook.attributes
        )
        return rows.with_columns(**local), book

    def _told_by(self, salt: str) -> str:
        """What rows' hashes are made of besides the rows."""
        coded = [name for name in self.made.old.columns if self.codebook.is_coded(_GROUPS.get(name, name))]
        return hashlib.sha256(json.dumps([pl.__version__, salt, self._told, coded]).encode()).hexdigest()[:24]

    def _credited(self, sums: pl.DataFrame) -> pl.DataFrame:
        """Sums by month and by who they are credited to, whatever the numbers of these are."""
        credit = self.credit
        named = {"touchpoint": credit.touchpoints, "owner": credit.owners, "team": credit.teams}
        names = [
            pl.lit(pl.Series(of, dtype=pl.String)).gather(name).alias(name) for name, of in named.items()
        ]
        told = credit.credited(sums.lazy().rename({"slot_opened": "slot"})).with_columns(names)
        return told.group_by("month", *named).agg(pl.col(_SUMMED).sum()).sort("month", *named).collect()

    def _is_each_once(self) -> bool:
        """Whether no case is told of twice: a table keeps that promise as a whole, not file by file."""
        # Those that came are all that there is of their subjects.
        old = self.made.remember("once", lambda: pl.DataFrame({"is_once": [_is_each_once(self.made.old)]}))
        return old["is_once"].item() and _is_each_once(self.made.came)

    def _hashed(self, fingerprints: Fingerprints, cases: pl.DataFrame) -> pl.DataFrame:
        """Sums over hashes of rows, whatever codes are: two, that no two rows make up for each other.

        So many rows at a time: hashes take eight bytes each. Who is accountable is not in them: of that there are few.
        """
        none = dict.fromkeys(_SUMMED, pl.Int64)
        found = [pl.DataFrame(schema={"month": pl.Int32, **{n: cases.schema[n] for n in _BY[1:]}, **none})]
        for begin in range(0, cases.height, HASHED_ROWS):
            some = cases[begin : begin + HASHED_ROWS]
            hashes = self._hashes(some, fingerprints)
            mixed = hashes * (hashes >> np.uint64(32) | np.uint64(1))
            by = {"month": _month_of(some["opened_at"]), **{name: some[name].to_numpy() for name in _BY[1:]}}
            alike = grouped(by)
            sums = (alike.add_up(one.view(np.int64)) for one in (hashes, mixed))
            found.append(
                pl.DataFrame({**alike.keys, **dict(zip(_SUMMED, (alike.sizes, *sums), strict=True))})
            )
        return pl.concat(found).group_by(_BY).agg(pl.col(_SUMMED).sum())

    @property
    def _told(self) -> list[str]:
        """Columns that rows are made of, besides who they are credited to."""
        others = {"touchpoint", *_MADE_OF_OTHERS}
        return [name for name in self.made.old.columns if not name.startswith("slot_") and name not in others]

    def _hashes(self, cases: pl.DataFrame, fingerprints: Fingerprints) -> np.ndarray:
        """A hash of what every row is made of: of columns as they are, or hashes of what their codes stand for."""
        found, upper = np.zeros((2, cases.height), dtype=np.uint64)
        for name in self._told:
            column = _GROUPS.get(name, name)
            if column == "customer" or self.codebook.is_coded(column):
                found ^= fingerprints(column).look_up(_filled(cases[name], 0))
            else:
                found ^= _bits(cases[name])
            # Whatever one column differs in is all over the bits before the next one is told.
            found *= _FACTOR
            found ^= np.right_shift(found, _HALF, out=upper)
        return found


def _months_of_a_file(sums: pl.DataFrame) -> int:
    """How many months' cases are published as one file: as many as the months before the newest one say.

    The newest grows from nothing, and files would be of other months whenever one begins.
    """
    whole = sums.filter(pl.col("month") < pl.col("month").max())
    cases, month = int(whole["count"].sum()), whole["month"]
    enough = (months for months in _PERIODS if cases >= PART_ROWS * (month // months).n_unique())
    return next(enough, _PERIODS[-1])


def _block(month: int, months: int, salt: str, sums: pl.DataFrame) -> CaseBlock:
    """The cases of some months, from one on by its number since the year 0."""
    (year, place), within = divmod(month, 12), (_begin_of(month), _begin_of(month + months))
    name = {1: f"{year:04}-{place + 1:02}", 3: f"{year:04}-Q{place // 3 + 1}", 12: f"{year:04}"}[months]
    told = sums.drop("part")
    return CaseBlock(name, _key(salt, name, told), told.select(pl.col("count").sum()).item(), within)


def _begin_of(month: int) -> int:
    """When a month begins, microseconds since 1970."""
    year, place = divmod(month, 12)
    return microseconds(datetime(year, place + 1, 1, tzinfo=UTC))


def _case_names(codebook: Codebook) -> list[pl.Expr]:
    """feed, case_id: the key of FactCase, of subjects."""
    return [codebook.decoded("feed"), codebook.decoded("subject_id").alias("case_id")]


def _month_of(instants: pl.Series) -> np.ndarray:
    """The months (UTC) of instants by their number since the year 0: a day is looked up, for days are few."""
    days = (instants.to_physical().to_numpy() // _DAY).astype(np.int32)
    first, last = days.min(), days.max()
    months = np.arange(first, last + 1).astype("datetime64[D]").astype("datetime64[M]").astype(np.int32)
    return months.take(days - first) + np.int32(1970 * 12)


def _bits(values: pl.Series) -> np.ndarray:
    """Numbers, instants and flags as 64 bits; null as bits of which no number is made."""
    plain = values.to_physical()
    if plain.dtype.is_float():
        bits = _filled(plain.cast(pl.Float64), _MISSING.view(np.float64).item()).view(np.uint64)
        # What whole numbers differ in is among the lower bits, what others do is among the upper ones.
        return bits ^ bits >> _HALF
    return _filled(plain.cast(pl.Int64), _MISSING.view(np.int64).item()).view(np.uint64)


def _filled(values: pl.Series, null: float) -> np.ndarray:
    """Numbers, and what stands in place of null."""
    return (values.fill_null(null) if values.null_count() else values).to_numpy()


def _is_each_once(cases: pl.DataFrame) -> bool:
    if cases.is_empty():
        return True
    feed, subject = (cases[name].to_numpy() for name in ("feed", "subject_id"))
    width = int(subject.max()) + 1
    place = feed.astype(np.int64) * width + subject
    if int(feed.max()) * width > PLACES_PER_CASE * place.size:
        return pl.Series(place).n_unique() == place.size
    seen = np.zeros((int(feed.max()) + 1) * width, dtype=np.bool_)
    seen[place] = True
    return int(np.count_nonzero(seen)) == place.size


def _spliced(before: pl.DataFrame, touched: pl.DataFrame, came: pl.DataFrame) -> pl.DataFrame:
    """Rows without those that were touched, and others in their places.

    Args:
        before: FactCase's rows, in the order of their key.
        touched: feed, case_id.
        came: Others, in the same order.
    """
    gone, at = _rows_of(before, touched), np.zeros(came.height, dtype=np.int64)
    feeds = before["feed"]
    for feed in came["feed"].unique():
        first, end = (feeds.search_sorted(feed, side=side) for side in ("left", "right"))
        own = (came["feed"] == feed).to_numpy()
        ids = before["case_id"][first:end]
        at[own] = first + ids.search_sorted(came["case_id"].filter(pl.Series(own))).to_numpy()
    stay = np.delete(np.arange(before.height), gone)
    order = np.insert(stay, np.searchsorted(stay, at), before.height + np.arange(came.height))
    both, begins = pl.concat([before, came]), np.flatnonzero(np.diff(order, prepend=-2) != 1)
    if begins.size > STRETCHES:
        # To look rows up in several pieces takes three times as long as to join them first.
        return both.rechunk()[order]
    # Rows that follow each other are not copied: texts are looked up one by one.
    sizes = np.diff(begins, append=order.size)
    stretches = zip(order[begins].tolist(), sizes.tolist(), strict=True)
    return pl.concat([both.clear(), *(both.slice(begin, size) for begin, size in stretches)])


def _rows_of(rows: pl.DataFrame, named: pl.DataFrame) -> np.ndarray:
    """Which rows are of the subjects named: feed, case_id."""
    maybe = pl.Series(np.flatnonzero(rows["case_id"].is_in(named["case_id"].implode()).to_numpy()))
    is_one = rows.select("feed", "case_id")[maybe].with_columns(row=maybe)
    return is_one.join(named, on=("feed", "case_id"), how="semi", maintain_order="left")["row"].to_numpy()


def _key(salt: str, period: str, sums: pl.DataFrame) -> str:
    """A hash of sums over rows, which may have been in any order."""
    said = [pl.__version__, salt, period, sums.rows()]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24]
