"""A month of events: one large file, and small ones with what came since.

events/2026-05-<hash>.parquet  events, one row group per bucket of customers
events/2026-05-<hash>.ids      where in it which event stands, see `warehouse.event_ids`

What comes in is one more file. Once there are too many of them the last ones become one; once they are no longer small
beside the first one, all do: the bytes of a file depend on its events, not on how they came.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import StoreError
from contracts.events import ATTRIBUTE
from warehouse.arranged import Arranged, Some
from warehouse.event_ids import GROUPS_MAX, Wanted, found_in, index_of, write_index
from warehouse.files import at_hand, fetched, intact, keep
from warehouse.mirror import mirror_of

BUCKET_ROWS = 65_536
BUCKETS_MAX = GROUPS_MAX
ENCODED_BY_ROWS = 8192
"""How Parquet writes a column is decided on so many events of a file."""
DELTAS_MAX = 8
"""Beyond so many small files the last of them become one."""
DELTAS_SHARE = 1 / 4
"""From this share of a month's first file on, what came since is put into it."""
_MANY = ("event_id", "recorded_at", "occurred_at", "customer", "subject_id", "amount", "row")
"""Columns that nearly every event has another value in: written with a dictionary they are larger, and twice the work."""
_MOSTLY = 3 / 4
_NONE = pl.DataFrame()
LOST = (
    "Restore it from a backup; or, if the inbox still has every delivery, move the folder `store` away: "
    "the next run makes it anew."
)


@dataclass(frozen=True)
class EventFile:
    """One file of events of a month.

    Attributes:
        path: Below the store.
        rows: Events in it.
        first_at: First event.
        last_at: Last event.
        codes: How many codes of each column were known when it was written: its own are among them.
        landings: Lowest and highest code of the deliveries that told of its events; None when not noted.
        size: Bytes; 0 when not noted.
        commit: The commit that it was written for, as what came in at the same time; 0 when not noted, and where it was
            put together of what came in at several times.
    """

    path: str
    rows: int
    first_at: str
    last_at: str
    codes: Mapping[str, int] = field(default_factory=dict)
    landings: Sequence[int] | None = None
    size: int = 0
    commit: int = 0

    def paths(self) -> Iterable[str]:
        """The file and its index, below the store."""
        return self.path, str(index_of(Path(self.path)))

    def scan(self, folder: Path, columns: Sequence[str], schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """Its events; columns that it was written without are missing.

        Raises:
            StoreError: It is missing or damaged.
        """
        scanned = pl.scan_parquet(intact(folder / self.path, LOST), glob=False)
        has_attributes = any(column.startswith(ATTRIBUTE) for column in columns)
        there = scanned.collect_schema().names() if has_attributes else columns
        return filled(scanned.select([c for c in columns if c in there]), columns, there, schema)

    def buckets(self, folder: Path) -> list[int]:
        """How many events each of its buckets of customers has, in their order."""
        held = pq.read_metadata(at_hand(folder / self.path))
        return [held.row_group(number).num_rows for number in range(held.num_row_groups)]

    def turns(self, folder: Path, at_once: int | None) -> list[tuple[int, int]]:
        """Its events in turns of whole buckets of customers: first row and count of each.

        Args:
            folder: The store.
            at_once: How many events in one turn, unless a single bucket has more; None for all of them.
        """
        if at_once is None or self.rows <= at_once:
            return [(0, self.rows)]
        found, first, count = [], 0, 0
        for rows in self.buckets(folder):
            if count and count + rows > at_once:
                found.append((first, count))
                first, count = first + count, 0
            count += rows
        return [*found, (first, count)]

    def known(self, folder: Path, wanted: Wanted, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """Its events that have one of the ids, with `schema`, or nothing; only row groups with a hit are read.

        Raises:
            StoreError: There is a hit, and the file is missing or damaged.
        """
        hits, columns = found_in(folder / self.path, self.rows, wanted), list(schema)
        if not hits:
            return _NONE
        file = pq.ParquetFile(intact(folder / self.path, LOST))
        there = [name for name in columns if name in file.schema_arrow.names]
        found = []
        for group, ids in hits.items():
            told = pl.DataFrame(file.read_row_group(group, columns=["event_id"]))["event_id"]
            is_wanted = told.is_in(ids.implode())
            if is_wanted.any():
                found.append(pl.DataFrame(file.read_row_group(group, columns=there)).filter(is_wanted))
        if not found:
            return _NONE
        return filled(pl.concat(found).lazy(), columns, there, schema).cast(dict(schema)).collect()

    def may_hold(self, folder: Path, landings: pl.Series) -> bool:
        """Whether any of its events was told of by one of these deliveries (codes)."""
        if self.landings and not landings.is_empty():
            low, high = self.landings
            landings = landings.filter(landings.is_between(low, high))
        if landings.is_empty():
            return False
        told = self.scan(folder, ["landing"], {"landing": pl.UInt32()})
        return not told.filter(pl.col("landing").is_in(landings.implode())).head(1).collect().is_empty()


def must_stand(folder: Path, files: Iterable[EventFile]) -> None:
    """See that files are there and as long as they were: much less than reading them.

    Where the truth is in an object store, what is not here has to stand there; their indexes are fetched, for what
    comes next is a look into each.

    Raises:
        StoreError: One is missing or was cut.
    """
    absent = []
    for file in files:
        path = folder / file.path
        if not path.exists():
            absent.append(file)
        elif file.size and path.stat().st_size != file.size:
            _refuse_cut(path, file)
    if absent:
        mirror = mirror_of(folder)
        there = {} if mirror is None else mirror.list(folder / "events")
        for file in absent:
            path = folder / file.path
            found = there.get(path.absolute())
            if found is None:
                raise StoreError.at(str(path), "is missing.", LOST)
            if file.size and found.size != file.size:
                raise StoreError.at(str(path), "is damaged: its content is not what its name promises.", LOST)
        if mirror is not None:
            mirror.bring([index_of(folder / file.path) for file in absent])


def _refuse_cut(path: Path, file: EventFile) -> None:
    """A file that was cut is fetched again where the truth is elsewhere; where it is here, it is lost."""
    if not fetched(path) or path.stat().st_size != file.size:
        raise StoreError.at(str(path), "is damaged: its content is not what its name promises.", LOST)


@dataclass(frozen=True)
class Month:
    """A month's files, the oldest first: where events stand in several, they are together all of them."""

    files: Sequence[EventFile] = ()

    @property
    def rows(self) -> int:
        """Events in it."""
        return sum(file.rows for file in self.files)

    @property
    def first_at(self) -> str:
        """First event."""
        return min(file.first_at for file in self.files)

    @property
    def last_at(self) -> str:
        """Last event."""
        return max(file.last_at for file in self.files)

    def as_list(self) -> list[dict[str, Any]]:
        """Its files as plain values."""
        return [vars(file) for file in self.files]

    @classmethod
    def of(cls, told: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Self:
        """The month of plain values; of one file alone where it was written before there were several."""
        files = [told] if isinstance(told, Mapping) else told
        return cls(tuple(EventFile(**one) for one in files))


def filled(
    events: pl.LazyFrame, columns: Sequence[str], there: Iterable[str], schema: Mapping[str, pl.DataType]
) -> pl.LazyFrame:
    """Events with all the columns, those that are not there missing."""
    missing = [pl.lit(none_of(schema[c]), dtype=schema[c]).alias(c) for c in columns if c not in there]
    return events.with_columns(missing).select(columns)


def none_of(kind: pl.DataType) -> int | None:
    """What stands for a missing value in a stored column: null for numbers, code 0."""
    return None if kind == pl.Float64() else 0


def bucket_count(rows: int) -> int:
    """How many buckets of customers a file of so many events has at most."""
    return min(BUCKETS_MAX, 1 << max((rows // BUCKET_ROWS).bit_length() - 1, 0)) if rows else 1


def packed(rows: Sequence[int]) -> list[int]:
    """Where files begin once those that have become too small or too many are put together.

    Args:
        rows: Events in every file, the oldest first.

    Returns:
        The first of the old files in every new one, ascending: `[0]` puts all of them together.
    """
    if not rows:
        return []
    since = sum(rows[1:])
    if since and since >= rows[0] * DELTAS_SHARE:
        return [0]
    last = len(rows) - 1
    if last > DELTAS_MAX:
        # Two at least; and one before them only if they are as much: else it is written again for little.
        last -= 1
        while last > 1 and rows[last - 1] <= sum(rows[last:]):
            last -= 1
    return list(range(last + 1))


def spans(starts: Sequence[int], end: int) -> list[tuple[int, int]]:
    """Where every part begins and ends."""
    return list(pairwise([*starts, end]))


def write_events(
    folder: Path, name: str, events: pl.DataFrame | Some, codes: Mapping[str, int], commit: int
) -> EventFile:
    """Write events of one month as a file, with its index.

    Args:
        folder: The store.
        name: The month.
        events: At least one, as they are stored, any order.
        codes: How many codes of each column are known.
        commit: The commit that it is for.
    """
    some = events if isinstance(events, Some) else Some.all(events)
    arranged = Arranged.of(some, bucket_count(some.height))
    ends = _Ends()
    path = keep(folder / "events", name, ".parquet", lambda to: _write(to, arranged, ends)).path
    write_index(path, arranged.keys, [end - begin for begin, end in arranged.ends])
    first, last = (moment.astimezone(UTC).isoformat() for moment in (min(ends.first), max(ends.last)))
    size = path.stat().st_size
    return EventFile(
        str(path.relative_to(folder)), some.height, first, last, codes, ends.landings(), size, commit
    )


class _Ends:
    """The first and last instant and landing of events that come in several frames."""

    def __init__(self) -> None:
        self.first: list[datetime] = []
        self.last: list[datetime] = []
        self._landings: list[int] = []

    def note(self, events: pl.DataFrame) -> pl.DataFrame:
        """Look at a frame of at least one."""
        when, told = events["occurred_at"], events["landing"]
        self.first.append(cast("datetime", when.min()))
        self.last.append(cast("datetime", when.max()))
        self._landings += [cast("int", told.min()), cast("int", told.max())]
        return events

    def landings(self) -> list[int]:
        """The least and the greatest landing."""
        return [min(self._landings), max(self._landings)]


def _write(path: Path, arranged: Arranged, ends: _Ends) -> None:
    """Write a row group for every bucket."""
    some = arranged.sample(ENCODED_BY_ROWS)
    with pq.ParquetWriter(path, _as_arrow(some).schema, **_encodings(some)) as writer:
        for group in map(ends.note, arranged.buckets()):
            writer.write_table(_as_arrow(group), row_group_size=group.height)


def _as_arrow(events: pl.DataFrame) -> pa.Table:
    """Texts as they lie in memory: they would be copied for the sake of older readers, and the file is the same."""
    return events.to_arrow(compat_level=pl.CompatLevel.newest())


def _encodings(some: pl.DataFrame) -> dict[str, Any]:
    """How Parquet writes each column, which depends on the events alone: on some of them.

    Measured for each of them, CPU of writing, of reading and of hashing what is written: see `DECISIONS.md`.
    """
    coded = [name for name in some.columns if name not in _MANY]
    few = [name for name in coded if not _is_mostly_one(some[name])]
    plain = {"occurred_at", *few}
    return {
        "compression": {name: "none" if name in plain else "lz4" for name in some.columns}
        | {"event_id": "zstd"},
        "compression_level": {"event_id": 1},
        "use_dictionary": few,
        "column_encoding": {"recorded_at": "BYTE_STREAM_SPLIT"},
        "write_statistics": ["landing"],
        "write_batch_size": BUCKET_ROWS,
    }


def _is_mostly_one(column: pl.Series) -> bool:
    """Whether most rows have one value, the least one: they compress to next to nothing, without a dictionary."""
    return column.null_count() == 0 and (column == column.min()).sum() >= column.len() * _MOSTLY
