"""The event store: canonical events by month, coded small, and everything needed to decode them.

commits/00000007.json          which files make up the store
deliveries/<feed>-<hash>.json  accounts of deliveries, see `warehouse.accounts`
events/2026-05-<hash>.parquet  events of a month, which may have several such files, see `warehouse.months`
events/2026-05-<hash>.ids      where in it which event stands, see `warehouse.event_ids`
codes/<column>-<hash>.parquet  what the codes of a column stand for, see `warehouse.coder`
codes/<column>-<hash>.ids      where in it which text stands, see `warehouse.text_codes`
identity/<part>-<hash>.parquet who is who
landing/<feed>/<stream>/...    deliveries as they were read, what they tell of, what was rejected
kept/<kind>-<key>-<hash>.zip   what was computed from files of events, see `warehouse.kept`
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from contracts.deliveries import Delivery
from contracts.errors import PromiseError, StoreError
from contracts.events import stored_schema
from contracts.identity import Resolution
from warehouse import accounts
from warehouse.arranged import Some, by_month
from warehouse.coder import Coder, files_of_many
from warehouse.event_ids import Wanted, index_of
from warehouse.files import at_hand, intact, keep, sweep
from warehouse.kept import Kept
from warehouse.manifests import Manifests
from warehouse.mirror import Mirror
from warehouse.months import (
    LOST,
    EventFile,
    Month,
    must_stand,
    packed,
    spans,
    write_events,
)
from warehouse.state import PARTS, State, merged_code

_DEFECT = "Nothing was stored. This is a defect: report it."
Piece = EventFile | Some | pl.DataFrame
"""Of what is in a month: a file, what came in, what is left of a file."""
_FILE = "__file"
"""Path of the file that a stored event stands in."""
_NAMED: dict[tuple[Path, int, int, int], frozenset[str]] = {}
_NAMED_MAX = 65_536


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
    def mirror(self) -> Mirror | None:
        """Where the truth is, if it is not in the folder."""
        return self.manifests.mirror

    def catch_up(self, tell: Callable[[int, int], object]) -> None:
        """Go on from where the truth is, if that is not here: what any run needs of the newest commit is fetched.

        Files of events and of deliveries come when they are asked for: most never are.

        Raises:
            StoreError: The object store does not answer, or holds another warehouse.
        """
        if self.mirror is None:
            return
        self.manifests.catch_up(lambda number: self.at(number).files())
        if number := self.manifests.head():
            told = self.manifests.read(number)
            accounts_ = [one for one in told["deliveries"] if isinstance(one, str)]
            self.mirror.bring([self.folder / one for one in accounts_])
            state = self.at(number)
            codes = [self.folder / one for one in chain.from_iterable(state.codes.values())]
            identity = [self.folder / one for one in state.identity.values()]
            self.mirror.bring([*codes, *identity], tell)
            self.mirror.bring([index_of(path) for path in files_of_many(self.folder, state.codes)])

    @property
    def kept(self) -> Kept:
        """What was computed from its files."""
        return self.keeping()

    def keeping(self, *, holds: bool = True) -> Kept:
        """What was computed from its files; with `holds` also in memory, as far as there is room."""
        return Kept(self.folder / "kept", holds=holds)

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
                {name: Month.of(told) for name, told in manifest["months"].items()},
                {name: _files(told) for name, told in manifest["codes"].items()},
                manifest["attributes"],
                manifest["identity"],
                deliveries,
                blocks,
                manifest.get("shared_key_limit", 0),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise self.manifests.damaged(number, f"it cannot be understood: {error!r}") from None

    def _accounts(self, told: Sequence[Any]) -> tuple[tuple[str, ...], tuple[Delivery, ...]]:
        """A commit's blocks and deliveries; commits of before there were blocks say the deliveries themselves."""
        blocks = tuple(one for one in told if isinstance(one, str))
        if len(blocks) == len(told):
            return blocks, accounts.read(self.folder, blocks, LOST)
        return (), tuple(Delivery.from_dict(delivery) for delivery in told)

    def land(self, feed: str, stream: str, part: str, frame: pl.DataFrame) -> str:
        """Keep a frame of a delivery; returns its path below the store."""
        folder = self.folder / "landing" / feed / stream
        path = keep(folder, part, ".parquet", lambda to: frame.write_parquet(to, compression_level=3)).path
        return str(path.relative_to(self.folder))

    def landed(self, path: str) -> pl.DataFrame:
        """A frame of a delivery.

        Raises:
            StoreError: Its file is missing or damaged.
        """
        return pl.read_parquet(intact(self.folder / path, LOST), glob=False)

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
        wanted = _promised(events)
        coder = Coder(self.folder, state.codebook, state.codes)
        coded = coder.encode(events)
        dropped = coder.codes_of("landing", superseded)
        grown = replace(state, attributes=coder.attributes)
        known = self._known(grown, wanted, resolution)
        same = _unchanged(coded, known)
        # An event told just so stays where it is, unless the delivery that told of it goes.
        goes = known.join(same, on="event_id", how="anti").vstack(
            known.join(same, on="event_id", how="semi").filter(_in("landing", dropped))
        )
        stays = known.join(goes, on="event_id", how="anti")
        fresh = coded.join(stays, on="event_id", how="anti") if stays.height else coded
        came = by_month(fresh, None if stays.height else wanted.sought.hashes)
        months, removed = self._months(grown, came, goes, dropped, coder.counts())
        after = replace(
            grown,
            months=months,
            codes=coder.written(),
            identity=self._identity(state, resolution),
            deliveries=tuple(deliveries),
            shared_key_limit=resolution.limit,
        )
        told = coded.height - known.height
        counted = (told, same.height, known.height - same.height, removed - goes.height)
        return Absorbed(self._committed(state, after), *counted)

    def _known(self, state: State, wanted: Wanted, resolution: Resolution) -> pl.DataFrame:
        """Stored events with these ids and the file of each, by what is now known of customers."""
        schema = stored_schema(state.attributes)
        must_stand(self.folder, state.event_files)
        found = [pl.DataFrame(schema={**schema, _FILE: pl.String()})]
        for file in state.event_files:
            events = file.known(self.folder, wanted, schema)
            if events.height:
                found.append(events.with_columns(pl.lit(file.path).alias(_FILE)))
        return pl.concat(found).with_columns(state.merged()).with_columns(merged_code(resolution.aliases))

    def _months(
        self,
        state: State,
        came: Mapping[str, Some],
        goes: pl.DataFrame,
        dropped: pl.Series,
        codes: Mapping[str, int],
    ) -> tuple[dict[str, Month], int]:
        """The months after, and how many events were taken out; what nothing touches stays as it is."""
        months, removed = dict(state.months), 0
        gone = {path: events["event_id"] for path, events in _by(goes, _FILE)}
        for name in sorted({*months, *came}):
            files = months[name].files if name in months else ()
            pieces: list[Piece] = []
            for file in files:
                piece, taken = self._left(state, file, gone.get(file.path), dropped)
                pieces.append(piece)
                removed += taken
            pieces += [came[name]] if name in came else []
            pieces = [piece for piece in pieces if _rows(piece)]
            if len(pieces) != len(files) or not all(isinstance(piece, EventFile) for piece in pieces):
                months[name] = Month(tuple(self._packed(state, name, pieces, codes)))
            if not pieces:
                del months[name]
        return months, removed

    def _left(
        self, state: State, file: EventFile, gone: pl.Series | None, dropped: pl.Series
    ) -> tuple[Piece, int]:
        """What is left of a file, the file itself where that is all of it; and how many events go."""
        if gone is None and not file.may_hold(self.folder, dropped):
            return file, 0
        before = self._events(state, file)
        ids = pl.Series(dtype=pl.String) if gone is None else gone
        left = before.filter(~(_in("landing", dropped) | _in("event_id", ids)))
        return left, before.height - left.height

    def _packed(
        self, state: State, name: str, pieces: Sequence[Piece], codes: Mapping[str, int]
    ) -> Iterator[EventFile]:
        """A month's files, those put together that have become too many or too small."""
        for begin, end in spans(packed([_rows(piece) for piece in pieces]), len(pieces)):
            first, *others = pieces[begin:end]
            if others:
                together = self._together(state, (first, *others))
                # Measured alone: with what came in at the same time, that would be measured again once this is.
                yield write_events(self.folder, name, together, codes, 0)
            elif isinstance(first, EventFile):
                yield first
            else:
                yield write_events(self.folder, name, first, codes, state.number + 1)

    def _together(self, state: State, pieces: Sequence[Piece]) -> pl.DataFrame:
        frames = []
        for piece in pieces:
            if isinstance(piece, EventFile):
                frames.append(self._events(state, piece))
            else:
                frames.append(piece.frame() if isinstance(piece, Some) else piece)
        return pl.concat(frames)

    def _events(self, state: State, file: EventFile) -> pl.DataFrame:
        return state.scan_files([file], list(stored_schema(state.attributes))).collect()

    def _identity(self, state: State, resolution: Resolution) -> dict[str, str]:
        written = {}
        for part in PARTS:
            # What is the stored one is not read to find out that it is.
            if part in state.identity and (
                resolution is state.resolution or getattr(resolution, part) is getattr(state.resolution, part)
            ):
                written[part] = state.identity[part]
                if not at_hand(self.folder / written[part]).exists():
                    raise StoreError.at(str(self.folder / written[part]), "is missing.", LOST)
                continue
            frame: pl.DataFrame = getattr(resolution, part)
            path = keep(self.folder / "identity", part, ".parquet", _writing(frame)).path
            written[part] = str(path.relative_to(self.folder))
        return written

    def _committed(self, parent: State, state: State) -> State:
        if state == parent:
            return parent
        blocks = accounts.write(self.folder, state.deliveries, parent.accounts, LOST)
        if self.mirror is not None:
            self.mirror.push(replace(state, accounts=blocks).files() - parent.files())
        number = self.manifests.commit(
            parent.number,
            {
                "months": {name: month.as_list() for name, month in state.months.items()},
                "codes": dict(state.codes),
                "attributes": dict(state.attributes),
                "identity": dict(state.identity),
                "shared_key_limit": state.shared_key_limit,
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
        self.manifests.same_as_there()
        standing = self.manifests.standing(commits, older_than)
        # First the manifests, then what they refer to: killed in between, nothing is missing.
        gone = self.manifests.sweep(standing, older_than)
        named = set[str]().union(*(self._named(number) for number in self.manifests.numbers()))
        blocks = sorted(name for name in named if name.startswith(f"{accounts.FOLDER}/"))
        named |= accounts.parts(self.folder, blocks, LOST)
        named |= {str(index_of(Path(name))) for name in named if name.startswith("codes/")}
        kept = {os.path.join(self.folder, name) for name in named}  # noqa: PTH118 - quick: there are many
        folders = ("events", "codes", "identity", "landing", accounts.FOLDER)
        if self.mirror is not None:
            gone += sum(self.mirror.sweep(self.folder / name, kept, older_than) for name in folders)
        return gone + sum(sweep(self.folder / name, kept, older_than) for name in folders)


def _writing(frame: pl.DataFrame) -> Callable[[Path], None]:
    """Writes who is who: tokens are random, so nothing makes them much smaller, and nobody searches by them."""
    return lambda to: frame.write_parquet(to, compression="lz4", statistics=False)


def _files(told: str | Sequence[str]) -> Sequence[str]:
    """A column's files of codes; one alone where it was written before there were several."""
    return [told] if isinstance(told, str) else told


def _in(column: str, values: pl.Series) -> pl.Expr:
    return pl.col(column).is_in(values.implode())


def _promised(events: pl.DataFrame) -> Wanted:
    """The ids of events, each of which has one of its own, and an instant."""
    for column in ("event_id", "occurred_at"):
        if events[column].null_count():
            raise PromiseError.at("events", f"{events[column].null_count():,} have no {column}.", _DEFECT)
    wanted = Wanted.of(events["event_id"])
    if wanted.doubled:
        raise PromiseError.at("events", f"{wanted.doubled:,} have the event_id of another one.", _DEFECT)
    return wanted


def _by(events: pl.DataFrame, column: str) -> Iterator[tuple[Any, pl.DataFrame]]:
    """Values of a column, and the events of each, without it."""
    parts = events.partition_by(column, as_dict=True, include_key=False)
    return ((key[0], part) for key, part in parts.items())


def _rows(piece: Piece) -> int:
    return piece.rows if isinstance(piece, EventFile) else piece.height


def _unchanged(coded: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """event_id of events told just as they are known; where they came from does not matter."""
    facts = [c for c in coded.columns if c in known.columns and c not in ("landing", "row")]
    # The few that are known first: to compare every fact of all the others costs as much as storing them.
    told = coded.join(known, on="event_id", how="semi") if known.height else coded.clear()
    return (
        told.select(facts)
        .join(known.select(facts), on=facts, how="semi", nulls_equal=True)
        .select("event_id")
    )
