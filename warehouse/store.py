"""The event store: canonical events by month, coded small, and everything needed to decode them.

commits/00000007.json          which files make up the store
deliveries/<feed>-<hash>.json  accounts of deliveries, see `warehouse.accounts`
events/2026-05-<hash>.parquet  a month's events, one row group per bucket of customers
codes/<column>-<hash>.parquet  what the codes of a column stand for
identity/<part>-<hash>.parquet who is who
landing/<feed>/<stream>/...    deliveries as they were read, what they tell of, what was rejected
kept/<kind>-<key>-<hash>.zip   what was computed from months, see `warehouse.kept`
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow.parquet as pq

from contracts.deliveries import Delivery
from contracts.errors import PromiseError, StoreError
from contracts.events import ATTRIBUTE, LARGE_CODES, SMALL_CODES, Codebook, stored_schema
from contracts.identity import Resolution
from warehouse import accounts
from warehouse.files import intact, keep, sweep
from warehouse.kept import Kept
from warehouse.manifests import Manifests

BUCKET_ROWS = 65_536
BUCKETS_MAX = 64
_LOST = (
    "Restore it from a backup; or, if the inbox still has every delivery, move the folder `store` away: "
    "the next run makes it anew."
)
_DEFECT = "Nothing was stored. This is a defect: report it."
_MONTH = pl.col("occurred_at").dt.strftime("%Y-%m").alias("__month")
_NAMED: dict[tuple[Path, int, int, int], frozenset[str]] = {}
_NAMED_MAX = 65_536
_IDENTITY = ("tokens", "customers", "aliases", "links")


@dataclass(frozen=True)
class Month:
    """One month's file.

    Attributes:
        path: Below the store.
        rows: Events in it.
        first_at: First event.
        last_at: Last event.
        codes: How many codes of each column were known when it was written: its own are among them.
    """

    path: str
    rows: int
    first_at: str
    last_at: str
    codes: Mapping[str, int] = field(default_factory=dict)


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
    """

    folder: Path
    number: int = 0
    months: Mapping[str, Month] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    deliveries: Sequence[Delivery] = ()
    accounts: Sequence[str] = ()

    @cached_property
    def codebook(self) -> Codebook:
        """What the stored codes stand for."""
        values = {name: self._frame(path)["value"].to_list() for name, path in self.codes.items()}
        return Codebook(values, self.attributes)

    @cached_property
    def resolution(self) -> Resolution:
        """Who is who."""
        return Resolution(**{part: self._frame(path) for part, path in self.identity.items()})

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
        parts = [self._scan_month(self.months[month], columns, schema) for month in wanted]
        frame = pl.concat(parts)
        return frame.with_columns(self.merged()) if "customer" in columns and not as_stored else frame

    def merged(self) -> pl.Expr:
        """The customer that a stored code stands for today."""
        return _merged(self.resolution)

    def _scan_month(
        self, month: Month, columns: Sequence[str], schema: Mapping[str, pl.DataType]
    ) -> pl.LazyFrame:
        scanned = pl.scan_parquet(intact(self.folder / month.path, _LOST), glob=False)
        there = scanned.collect_schema().names() if any(c.startswith(ATTRIBUTE) for c in columns) else columns
        missing = [pl.lit(_missing(schema[c]), dtype=schema[c]).alias(c) for c in columns if c not in there]
        return scanned.select([c for c in columns if c in there]).with_columns(missing).select(columns)

    def _frame(self, path: str) -> pl.DataFrame:
        return pl.read_parquet(intact(self.folder / path, _LOST), glob=False)

    def landed(self, path: str) -> pl.DataFrame:
        """A frame of a delivery.

        Raises:
            StoreError: Its file is missing or damaged.
        """
        return self._frame(path)

    def files(self) -> set[Path]:
        """Every file that the commit refers to."""
        parts = {path for delivery in self.deliveries for path in delivery.parts.values()}
        return {self.folder / path for path in self.named() | parts}

    def named(self) -> set[str]:
        """Every file that the commit names, below the store; files of deliveries are named by their accounts."""
        named = {*self.codes.values(), *self.identity.values(), *self.accounts}
        named |= {month.path for month in self.months.values()}
        is_told_here = not self.accounts
        return named | {path for one in self.deliveries for path in one.parts.values() if is_told_here}


@dataclass(frozen=True)
class Absorbed:
    """What became of the events of some deliveries.

    Attributes:
        state: The store after.
        new: Events that were not known.
        repeated: Events that were known, just so.
        corrected: Events that were known otherwise; the new telling replaced the old.
        withdrawn: Known events that their delivery, read anew, no longer tells of.
    """

    state: State
    new: int = 0
    repeated: int = 0
    corrected: int = 0
    withdrawn: int = 0


class EventStore:
    """The event store in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifests = Manifests(folder / "commits")

    @property
    def kept(self) -> Kept:
        """What was computed from its files."""
        return Kept(self.folder / "kept")

    def head(self) -> State:
        """The newest commit.

        Raises:
            StoreError: Its manifest is damaged.
        """
        return self.at(self.manifests.head())

    def at(self, number: int) -> State:
        """One commit; the empty store at 0.

        Raises:
            StoreError: It has been swept, or its manifest is damaged.
        """
        return self._state(number) if number else State(self.folder)

    def _state(self, number: int) -> State:
        manifest = self.manifests.read(number)
        try:
            blocks, deliveries = self._accounts(manifest["deliveries"])
            return State(
                self.folder,
                number,
                {name: Month(**month) for name, month in manifest["months"].items()},
                manifest["codes"],
                manifest["attributes"],
                manifest["identity"],
                deliveries,
                blocks,
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise self.manifests.damaged(number, f"it cannot be understood: {error!r}") from None

    def _accounts(self, told: Sequence[Any]) -> tuple[tuple[str, ...], tuple[Delivery, ...]]:
        """A commit's blocks and deliveries; commits of before there were blocks say the deliveries themselves."""
        blocks = tuple(one for one in told if isinstance(one, str))
        if len(blocks) == len(told):
            return blocks, accounts.read(self.folder, blocks, _LOST)
        return (), tuple(Delivery.from_dict(delivery) for delivery in told)

    def land(self, feed: str, stream: str, part: str, frame: pl.DataFrame) -> str:
        """Keep a frame of a delivery; returns its path below the store."""
        folder = self.folder / "landing" / feed / stream
        path, _ = keep(folder, part, ".parquet", lambda to: frame.write_parquet(to, compression_level=3))
        return str(path.relative_to(self.folder))

    def landed(self, path: str) -> pl.DataFrame:
        """A frame of a delivery.

        Raises:
            StoreError: Its file is missing or damaged.
        """
        return pl.read_parquet(intact(self.folder / path, _LOST), glob=False)

    def absorb(
        self,
        state: State,
        events: pl.DataFrame,
        deliveries: Sequence[Delivery],
        resolution: Resolution,
        *,
        superseded: frozenset[str] = frozenset(),
    ) -> Absorbed:
        """Add events to the store and commit, unless the store has all of it just so.

        Args:
            state: The commit to build on.
            events: Events as `EVENT` plus attributes and `customer` (code); one row per event_id.
            deliveries: Every delivery after this, those of `state` that still count included.
            resolution: Who is who after this.
            superseded: Ids of deliveries whose events are dropped first: they were read anew.

        Raises:
            PromiseError: Two events have one id, or one has none; nothing was committed.
            StoreError: Another run committed meanwhile, or a file is missing, damaged or cannot be written.
        """
        _promise(events)
        coder = _Coder(state)
        coded = coder.encode(events)
        dropped = coder.codes_of("landing", superseded)
        grown = replace(state, attributes=coder.attributes)
        known = self._known(grown, coded["event_id"], resolution)
        same = _unchanged(coded, known)
        # An event told just so stays where it is, unless the delivery that told of it goes.
        goes = known.join(same, on="event_id", how="anti").vstack(
            known.join(same, on="event_id", how="semi").filter(_in("landing", dropped))
        )
        stays = known.join(goes, on="event_id", how="anti")
        fresh = coded.join(stays, on="event_id", how="anti")
        months, removed = self._months(grown, fresh, goes, dropped, coder.counts())
        after = replace(
            grown,
            months=months,
            codes=coder.written(self.folder),
            identity=self._identity(resolution),
            deliveries=tuple(deliveries),
        )
        told = coded.height - known.height
        counted = (told, same.height, known.height - same.height, removed - goes.height)
        return Absorbed(self._committed(state, after), *counted)

    def _known(self, state: State, ids: pl.Series, resolution: Resolution) -> pl.DataFrame:
        """Stored events with these ids, whatever the month they stand in, by what is now known of customers."""
        stored = state.scan(list(stored_schema(state.attributes)))
        found = stored.join(pl.LazyFrame({"event_id": ids}), on="event_id", how="semi").collect()
        return found.with_columns(_merged(resolution))

    def _months(
        self,
        state: State,
        fresh: pl.DataFrame,
        goes: pl.DataFrame,
        dropped: pl.Series,
        codes: Mapping[str, int],
    ) -> tuple[dict[str, Month], int]:
        """The month files after, and how many events were taken out; what nothing touches stays as it is."""
        months, removed = dict(state.months), 0
        columns = list(stored_schema(state.attributes))
        parts = {
            str(key[0]): part.drop("__month")
            for key, part in fresh.with_columns(_MONTH).partition_by("__month", as_dict=True).items()
        }
        # Any month may hold events of a delivery that goes.
        touched = set(months) if dropped.len() else set(goes.select(_MONTH)["__month"])
        for name in sorted({*touched, *parts}):
            before = state.scan(columns, [name] if name in months else []).collect()
            kept = before.filter(~(_in("landing", dropped) | _in("event_id", goes["event_id"])))
            if name not in parts and kept.height == before.height:
                continue
            removed += before.height - kept.height
            after = pl.concat([kept, parts.get(name, kept.clear()).select(columns)])
            if after.is_empty():
                months.pop(name, None)
            else:
                months[name] = self._write_month(name, after, codes)
        return months, removed

    def _write_month(self, name: str, events: pl.DataFrame, codes: Mapping[str, int]) -> Month:
        buckets = bucket_count(events.height)
        ordered = events.with_columns(__bucket=pl.col("customer") % buckets).sort(
            "__bucket", "customer", "occurred_at", "event_id"
        )
        groups = ordered.partition_by("__bucket", maintain_order=True, as_dict=True, include_key=False)
        empty = ordered.drop("__bucket").clear()

        def write(path: Path) -> None:
            schema = empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema
            with pq.ParquetWriter(path, schema, compression="zstd", compression_level=3) as writer:
                for bucket in range(buckets):
                    # One row group each, an empty one too: readers find a bucket by its number.
                    group = groups.get((bucket,), empty)
                    table = group.to_arrow(compat_level=pl.CompatLevel.oldest())
                    writer.write_table(table, row_group_size=max(group.height, 1))

        path, _ = keep(self.folder / "events", name, ".parquet", write)
        when = events["occurred_at"]
        span = (cast("datetime", when.min()), cast("datetime", when.max()))
        first, last = (moment.astimezone(UTC).isoformat() for moment in span)
        return Month(str(path.relative_to(self.folder)), events.height, first, last, codes)

    def _identity(self, resolution: Resolution) -> dict[str, str]:
        written = {}
        for part in _IDENTITY:
            frame: pl.DataFrame = getattr(resolution, part)
            path, _ = keep(self.folder / "identity", part, ".parquet", frame.write_parquet)
            written[part] = str(path.relative_to(self.folder))
        return written

    def _committed(self, parent: State, state: State) -> State:
        if state == parent:
            return parent
        blocks = accounts.write(self.folder, state.deliveries, parent.accounts, _LOST)
        number = self.manifests.commit(
            parent.number,
            {
                "months": {name: vars(month) for name, month in state.months.items()},
                "codes": dict(state.codes),
                "attributes": dict(state.attributes),
                "identity": dict(state.identity),
                "deliveries": list(blocks),
            },
        )
        return replace(state, number=number, accounts=blocks)

    def _named(self, number: int) -> frozenset[str]:
        """What a commit names; looked up once in a process, for thousands of them may be young enough to stay."""
        path = self.manifests.path(number)
        status = path.stat()
        key = (path, status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in _NAMED:
            if len(_NAMED) >= _NAMED_MAX:
                _NAMED.clear()
            _NAMED[key] = frozenset(sys.intern(name) for name in self._state(number).named())
        return _NAMED[key]

    def sweep(self, older_than: float, commits: int = 5) -> int:
        """Delete old commits beyond the newest few, and files that no commit refers to any more.

        Args:
            older_than: Seconds since 1970. What has been written or was the newest since then stays.
            commits: How many stay in any case.

        Returns:
            How many commits and files were deleted.
        """
        standing = self.manifests.standing(commits, older_than)
        # First the manifests, then what they refer to: killed in between, nothing is missing.
        gone = self.manifests.sweep(standing, older_than)
        named = set[str]().union(*(self._named(number) for number in self.manifests.numbers()))
        blocks = sorted(name for name in named if name.startswith(f"{accounts.FOLDER}/"))
        named |= accounts.parts(self.folder, blocks, _LOST)
        kept = {os.path.join(self.folder, name) for name in named}  # noqa: PTH118 - quick: there are many
        folders = ("events", "codes", "identity", "landing", accounts.FOLDER)
        gone += sum(sweep(self.folder / name, kept, older_than) for name in folders)
        return gone + self.kept.sweep(older_than)


def bucket_count(rows: int) -> int:
    """How many buckets of customers a month of so many events has: a power of two."""
    return min(BUCKETS_MAX, 1 << max((rows // BUCKET_ROWS).bit_length() - 1, 0)) if rows else 1


def _unknown_attributes(columns: Sequence[str]) -> dict[str, str]:
    """Attributes that a feed declares but no event has had yet."""
    return {c.removeprefix(ATTRIBUTE): "text" for c in columns if c.startswith(ATTRIBUTE)}


def _in(column: str, values: pl.Series) -> pl.Expr:
    return pl.col(column).is_in(values.implode())


def _merged(resolution: Resolution) -> pl.Expr:
    """The code of the customer that a stored one is today: an alias may lead to another alias."""
    codes, ends = resolution.aliases["customer"], resolution.aliases["merged_into"]
    for _ in range(codes.len().bit_length()):  # every step doubles how far an end looks ahead
        ends = ends.replace(codes, ends)
    return pl.col("customer").replace(codes, ends)


def _promise(events: pl.DataFrame) -> None:
    """Every event has an id of its own and an instant."""
    for column in ("event_id", "occurred_at"):
        if events[column].null_count():
            raise PromiseError.at("events", f"{events[column].null_count():,} have no {column}.", _DEFECT)
    doubled = events.height - events["event_id"].n_unique()
    if doubled:
        raise PromiseError.at("events", f"{doubled:,} have the event_id of another one.", _DEFECT)


def _missing(kind: pl.DataType) -> int | None:
    return None if kind == pl.Float64() else 0


def _unchanged(coded: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """event_id of events told just as they are known; where they came from does not matter."""
    facts = [c for c in coded.columns if c in known.columns and c not in ("landing", "row")]
    return (
        coded.select(facts)
        .join(known.select(facts), on=facts, how="semi", nulls_equal=True)
        .select("event_id")
    )


class _Coder:
    """Turns texts into codes, giving new texts new codes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._values: dict[str, list[str]] = {c: list(v) for c, v in state.codebook.values.items()}
        self._grown: set[str] = set()
        self.attributes: dict[str, str] = dict(state.attributes)

    def encode(self, events: pl.DataFrame) -> pl.DataFrame:
        self._learn_attributes(events)
        schema = stored_schema(self.attributes)
        coded = [*SMALL_CODES, *LARGE_CODES]
        coded += [ATTRIBUTE + name for name, kind in self.attributes.items() if kind == "text"]
        columns = []
        for name, kind in schema.items():
            if name in coded and name in events.columns:
                columns.append(self._coded(events[name], kind))
            elif name in events.columns:
                columns.append(events[name].cast(kind))
            else:
                columns.append(pl.Series(name, [_missing(kind)], dtype=kind).new_from_index(0, events.height))
        return pl.DataFrame(columns).with_columns(pl.col("sequence").fill_null(0))

    def counts(self) -> dict[str, int]:
        """How many codes every column has."""
        return {column: len(values) for column, values in sorted(self._values.items())}

    def codes_of(self, column: str, values: frozenset[str]) -> pl.Series:
        known = self._values.get(column, [])
        codes = [known.index(value) + 1 for value in sorted(values) if value in known]
        return pl.Series(codes, dtype=pl.UInt32)

    def written(self, folder: Path) -> dict[str, str]:
        paths = dict(self._state.codes)
        for column in sorted(self._grown):
            frame = pl.DataFrame({"value": self._values[column]}, schema={"value": pl.String})
            path, _ = keep(folder / "codes", column, ".parquet", frame.write_parquet)
            paths[column] = str(path.relative_to(folder))
        return paths

    def _coded(self, values: pl.Series, kind: pl.DataType) -> pl.Series:
        values = values.cast(pl.String)
        known = self._values.setdefault(values.name, [])
        seen = pl.Series(values.name, known, dtype=pl.String)
        fresh = values.unique().drop_nulls()
        fresh = fresh.filter(~fresh.is_in(seen.implode())).sort().to_list()
        if fresh:
            known.extend(fresh)
            self._grown.add(values.name)
        if kind == pl.UInt16() and len(known) >= 2**16:
            raise StoreError.at(
                values.name,
                f"has {len(known):,} different values.",
                "It is meant for a few: use an attribute.",
            )
        every = pl.Series(known, dtype=pl.String)
        return values.replace_strict(
            every, pl.int_range(1, len(known) + 1, eager=True), default=0, return_dtype=kind
        )

    def _learn_attributes(self, events: pl.DataFrame) -> None:
        for column, kind in events.schema.items():
            if column.startswith(ATTRIBUTE):
                name, found = column.removeprefix(ATTRIBUTE), "number" if kind.is_numeric() else "text"
                if self.attributes.setdefault(name, found) != found:
                    raise StoreError.at(
                        f"attribute {name!r}",
                        f"is told as {found}, but as {self.attributes[name]} by another feed or before.",
                        "Cast it, or give it another name.",
                    )
