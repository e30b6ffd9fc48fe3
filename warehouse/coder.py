"""Texts to codes and back: a code never changes its meaning, new texts get new codes.

codes/<column>-<hash>.parquet  what codes of a column stand for; a column of many has several files, one after the other
codes/<column>-<hash>.ids      where in it which text stands, for a column of many: see `warehouse.text_codes`
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from contracts.errors import StoreError
from contracts.events import ATTRIBUTE, LARGE_CODES, SMALL_CODES, Codebook, stored_schema
from warehouse.files import intact, keep
from warehouse.held import Held
from warehouse.months import LOST, none_of, packed, spans
from warehouse.text_codes import height_of, places_of, texts_of, write_index

FEW = 2**16
"""Up to so many values of a column are one file, and a list."""
SPARSE = 16
"""Texts of fewer than one in so many are looked up beside their file, which is unpacked for more of them."""
READ_ROWS = 1 << 19
"""So many texts are read at once where few of them are wanted."""


class Texts(Mapping[str, Sequence[str] | pl.Series]):
    """What the codes of columns stand for, read when it is asked for."""

    def __init__(self, folder: Path, files: Mapping[str, Sequence[str]]) -> None:
        self._folder, self._files = folder, files
        self._known: dict[str, Sequence[str] | pl.Series] = {}

    def __getitem__(self, column: str) -> Sequence[str] | pl.Series:
        """The values of a column.

        Raises:
            StoreError: A file is missing or damaged.
        """
        if column not in self._known:
            texts = pl.concat(self.frames(column)).to_series()
            self._known[column] = texts if texts.len() > FEW else texts.to_list()
        return self._known[column]

    def hashes(self, column: str) -> "Hashes":
        """Hashes of what the codes of a column stand for.

        Raises:
            StoreError: A file is missing or damaged.
        """
        paths = [self._folder / path for path in self._files.get(column, ())]
        return Hashes(column, [_hashed(path, "value") for path in paths])

    def some(self, column: str, codes: np.ndarray) -> pl.Series:
        """What some codes of a column stand for.

        Args:
            column: The column.
            codes: Codes above 0, ascending.

        Raises:
            StoreError: A file is missing or damaged.
        """
        found, before = [pl.Series(column, dtype=pl.String)], 1
        for path in (self._folder / path for path in self._files.get(column, ())):
            first, end = np.searchsorted(codes, [before, before + height_of(path)])
            rows = codes[first:end].astype(np.int64) - before
            told = texts_of(path, rows) if rows.size * SPARSE < height_of(path) else None
            found.append(texts_at(path, "value", rows) if told is None else told)
            before += height_of(path)
        return pl.concat(found)

    def __iter__(self) -> Iterator[str]:
        """The columns."""
        return iter(self._files)

    def __len__(self) -> int:
        """How many columns."""
        return len(self._files)

    def frames(self, column: str) -> list[pl.DataFrame]:
        """A column's files, each as a frame of `value`."""
        paths = [intact(self._folder / path, LOST) for path in self._files[column]]
        return [pl.read_parquet(path, glob=False) for path in paths]


def texts_at(path: Path, column: str, rows: np.ndarray) -> pl.Series:
    """Texts in some rows of a kept file, of which a piece is read at a time: room for all of them costs more than to read them.

    Args:
        path: The file.
        column: Where in it the texts stand.
        rows: Numbers of rows, ascending.

    Raises:
        StoreError: It is missing or damaged.
    """
    texts = pl.scan_parquet(intact(path, LOST), glob=False).select(column)
    found = [pl.Series(column, dtype=pl.String)]
    for begin in range(0, height_of(path) if rows.size else 0, READ_ROWS):
        first, end = np.searchsorted(rows, [begin, begin + READ_ROWS])
        if first < end:
            piece = texts.slice(begin, READ_ROWS).collect(engine="in-memory").to_series()
            found.append(piece.gather(rows[first:end] - begin))
    return pl.concat(found)


_HASHES: Held[Mapping[str, pl.DataFrame]] = Held()


@dataclass(frozen=True)
class Hashes:
    """Hashes (uint64) of the texts that codes stand for, in kept files one after the other.

    Attributes:
        column: Whose codes they are.
        of_files: Those of every file's texts.
    """

    column: str
    of_files: Sequence[np.ndarray]

    @classmethod
    def of_keys(cls, path: Path | None) -> "Hashes":
        """Those of customers' keys, from the file that has them.

        Raises:
            StoreError: It is missing or damaged.
        """
        return cls("customer", [_hashed(path, "customer_key")] if path else [])

    def look_up(self, codes: np.ndarray) -> np.ndarray:
        """The hashes of some codes in any order; 0 for the code 0.

        Raises:
            StoreError: There is no text for a code.
        """
        size = sum(hashes.size for hashes in self.of_files)
        if (last := int(codes.max(initial=0))) > size:
            raise StoreError.at(self.column, f"has {size:,} texts and none for the code {last}.", LOST)
        if size <= FEW:
            return np.concatenate([np.zeros(1, dtype=np.uint64), *self.of_files]).take(codes)
        found, before = np.zeros(codes.size, dtype=np.uint64), 1
        for hashes in self.of_files:
            # Codes of files before, and 0, wrap around: they are beyond the last one as well.
            places = codes.astype(np.uint32, copy=False) - np.uint32(before)
            if (is_own := places < hashes.size).any():
                np.copyto(found, hashes.take(places, mode="clip"), where=is_own)
            before += hashes.size
        return found


def _hashed(path: Path, column: str) -> np.ndarray:
    """Hashes of the texts in a kept file's column; held as long as there is room."""
    tables = _HASHES.find(intact(path, LOST))
    if tables is None:
        texts = pl.read_parquet(path, columns=[column], glob=False)
        tables = {column: texts.select(pl.col(column).hash())}
    _HASHES.note(path, tables)
    return tables[column][column].to_numpy()


def files_of_many(folder: Path, files: Mapping[str, Sequence[str]]) -> list[Path]:
    """Files of codes that are looked up by their indexes: those of columns of many values."""
    of_each = [[folder / path for path in paths] for paths in files.values()]
    return [path for paths in of_each if sum(map(height_of, paths)) > FEW for path in paths]


class Coder:
    """Turns texts into codes, giving new texts new codes.

    What a column of few values has stands in memory; of one of many it is looked up, so a batch costs what it tells.
    """

    def __init__(self, folder: Path, known: Codebook, files: Mapping[str, Sequence[str]]) -> None:
        self._folder = folder
        self._files = dict(files)
        self._heights = {
            column: [height_of(folder / path) for path in paths] for column, paths in files.items()
        }
        self._counts = {column: sum(heights) for column, heights in self._heights.items()}
        few = {column for column in known.values if self._counts.get(column, 0) <= FEW}
        self._values = {column: _series(known.values[column]) for column in few}
        self._counts |= {column: values.len() for column, values in self._values.items()}
        self._fresh: dict[str, pl.Series] = {}
        self.attributes: dict[str, str] = dict(known.attributes)

    def encode(self, events: pl.DataFrame) -> pl.DataFrame:
        """Events as they are stored."""
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
                columns.append(pl.Series(name, [none_of(kind)], dtype=kind).new_from_index(0, events.height))
        return pl.DataFrame(columns).with_columns(pl.col("sequence").fill_null(0))

    def counts(self) -> dict[str, int]:
        """How many codes every column has."""
        return dict(sorted(self._counts.items()))

    def codes_of(self, column: str, values: frozenset[str]) -> pl.Series:
        """The codes of those of the values that are known."""
        codes = self._known(column, pl.Series(sorted(values), dtype=pl.String))
        return codes.filter(codes > 0)

    def written(self) -> dict[str, Sequence[str]]:
        """Files of codes by column: new values are one more, small ones are put together as those of events are."""
        paths = dict(self._files)
        for column in sorted(self._fresh):
            pieces = [*self._heights.get(column, ()), self._fresh[column].len()]
            is_few = sum(pieces) <= FEW
            files = []
            for first, last in spans([0] if is_few else packed(pieces), len(pieces)):
                if last - first == 1 and last < len(pieces):
                    files.append(paths[column][first])
                else:
                    files.append(self._keep(column, self._together(column, first, last), is_few=is_few))
            paths[column] = files
        return paths

    def _together(self, column: str, first: int, last: int) -> pl.Series:
        """The values of some of a column's files; after the last one come the new values."""
        held = [self._folder / path for path in self._files.get(column, ())[first:last]]
        found = [pl.read_parquet(intact(path, LOST), glob=False).to_series() for path in held]
        return pl.concat([*found, self._fresh[column]] if last > len(held) + first else found)

    def _keep(self, column: str, values: pl.Series, *, is_few: bool) -> str:
        frame = pl.DataFrame({"value": values})
        path = keep(self._folder / "codes", column, ".parquet", frame.write_parquet).path
        if not is_few:
            write_index(path, values)
        return str(path.relative_to(self._folder))

    def _coded(self, values: pl.Series, kind: pl.DataType) -> pl.Series:
        column, values = values.name, values.cast(pl.String)
        is_few = self._counts.get(column, 0) <= FEW
        codes = self._of_few(column, values) if is_few else self._of_many(column, values)
        if kind == pl.UInt16() and self._counts[column] >= FEW:
            raise StoreError.at(
                column,
                f"has {self._counts[column]:,} different values.",
                "It is meant for a few: use an attribute.",
            )
        return codes.cast(kind).fill_null(0).alias(column)

    def _of_few(self, column: str, values: pl.Series) -> pl.Series:
        """Codes of values, new ones given to those that are new; null for null."""
        known = self._values.get(column, _series(()))
        codes = _codes(values, known) if known.len() else None
        if codes is None or codes.null_count() > values.null_count():
            told = values if codes is None else values.filter(codes.is_null())
            known = known.clone().append(self._add(column, told.drop_nulls().unique()))
            codes = _codes(values, known)
        self._values[column] = known
        self._counts.setdefault(column, 0)
        return codes

    def _of_many(self, column: str, values: pl.Series) -> pl.Series:
        told = values.drop_nulls().unique()
        codes = self._known(column, told)
        new = self._add(column, told.filter(codes == 0))
        # New ones are in order, the known ones anyhow: both are looked for by what was told.
        places = pl.concat([told.filter(codes > 0), new]).cast(pl.Enum(told)).to_physical()
        after = pl.int_range(self._counts[column] - new.len() + 1, self._counts[column] + 1, eager=True)
        by_place = np.zeros(told.len(), dtype=np.uint32)
        by_place[places.to_numpy()] = pl.concat([codes.filter(codes > 0), after.cast(pl.UInt32)]).to_numpy()
        return pl.Series(by_place).gather(values.cast(pl.Enum(told)).to_physical())

    def _add(self, column: str, told: pl.Series) -> pl.Series:
        """Give new values codes, in their order."""
        fresh = told.sort().alias("value")
        if fresh.len():
            self._fresh[column] = fresh
        self._counts[column] = self._counts.get(column, 0) + fresh.len()
        return fresh

    def _known(self, column: str, told: pl.Series) -> pl.Series:
        """The codes that told values had before; 0 for those that are new."""
        if self._counts.get(column, 0) <= FEW:
            return _codes(told, self._values.get(column, _series(()))).cast(pl.UInt32).fill_null(0)
        codes, before = np.zeros(told.len(), dtype=np.uint32), 0
        for path, rows in zip(self._files[column], self._heights[column], strict=True):
            left = np.flatnonzero(codes == 0)
            places = places_of(self._folder / path, told.gather(left))
            codes[left] = np.where(places > 0, places + before, 0)
            before += rows
        return pl.Series(codes)

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


def _codes(values: pl.Series, known: pl.Series) -> pl.Series:
    """The codes of values; null for those that are not known."""
    places = values.cast(pl.Enum(known), strict=False).to_physical()
    # As narrow as there is room for: it is done for every event.
    return places.cast(pl.UInt16 if known.len() < FEW else pl.UInt32) + 1


def _series(values: Sequence[str] | pl.Series) -> pl.Series:
    made = values if isinstance(values, pl.Series) else pl.Series(values, dtype=pl.String)
    return made.alias("value")
