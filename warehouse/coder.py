"""Texts to codes and back: a code never changes its meaning, new texts get new codes.

codes/<column>-<hash>.parquet  what codes of a column stand for; a column of many has several files, one after the other
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from contracts.errors import StoreError
from contracts.events import ATTRIBUTE, LARGE_CODES, SMALL_CODES, Codebook, stored_schema
from warehouse.files import intact, keep
from warehouse.held import Held
from warehouse.months import LOST, none_of, packed, spans

FEW = 2**16
"""Up to so many values of a column are one file, and a list."""


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

    def hashes(self, column: str) -> np.ndarray:
        """Hashes of a column's values by code; 0 for the code 0. What a file gives is remembered.

        Raises:
            StoreError: A file is missing or damaged.
        """
        found = [hashed(self._folder / path, "value") for path in self._files.get(column, ())]
        return np.concatenate([np.zeros(1, dtype=np.uint64), *found])

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


_HASHES: Held[Mapping[str, pl.DataFrame]] = Held()


def hashed(path: Path, column: str) -> np.ndarray:
    """Hashes (uint64) of the texts in a kept file's column; held as long as there is room.

    Raises:
        StoreError: It is missing or damaged.
    """
    tables = _HASHES.find(intact(path, LOST))
    if tables is None:
        texts = pl.read_parquet(path, columns=[column], glob=False)
        tables = {column: texts.select(pl.col(column).hash())}
    _HASHES.note(path, tables)
    return tables[column][column].to_numpy()


class Coder:
    """Turns texts into codes, giving new texts new codes."""

    def __init__(self, folder: Path, known: Codebook, files: Mapping[str, Sequence[str]]) -> None:
        self._folder = folder
        self._files = dict(files)
        self._values = {column: _series(values) for column, values in known.values.items()}
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
        return {column: values.len() for column, values in sorted(self._values.items())}

    def codes_of(self, column: str, values: frozenset[str]) -> pl.Series:
        """The codes of those of the values that are known."""
        known = self._values.get(column, _series(()))
        return self._places(known, pl.Series(sorted(values), dtype=pl.String))["code"]

    def written(self) -> dict[str, Sequence[str]]:
        """Files of codes by column: new values are one more, small ones are put together as those of events are."""
        paths = dict(self._files)
        for column in sorted(self._fresh):
            pieces = [*self._heights(column), self._fresh[column].len()]
            few = sum(pieces) <= FEW
            files, begin = [], 0
            for first, last in spans([0] if few else packed(pieces), len(pieces)):
                rows = sum(pieces[first:last])
                if last - first == 1 and last < len(pieces):
                    files.append(paths[column][first])
                else:
                    files.append(self._keep(column, self._values[column].slice(begin, rows)))
                begin += rows
            paths[column] = files
        return paths

    def _heights(self, column: str) -> list[int]:
        files = self._files.get(column, ())
        if len(files) == 1:
            return [self._values[column].len() - self._fresh[column].len()]
        return [frame.height for frame in Texts(self._folder, self._files).frames(column)] if files else []

    def _keep(self, column: str, values: pl.Series) -> str:
        frame = pl.DataFrame({"value": values})
        path = keep(self._folder / "codes", column, ".parquet", frame.write_parquet).path
        return str(path.relative_to(self._folder))

    def _coded(self, values: pl.Series, kind: pl.DataType) -> pl.Series:
        column, values = values.name, values.cast(pl.String)
        known = self._values.get(column, _series(()))
        codes = _codes(values, known) if 0 < known.len() <= FEW else None
        if codes is None or codes.null_count() > values.null_count():
            told = values.unique().drop_nulls()
            # The few that are told are looked for among the many that are known, not the other way round.
            places = self._places(known, told)
            fresh = told.filter(~told.is_in(places["value"].implode())).sort().alias("value")
            if fresh.len():
                self._fresh[column] = fresh
                places = places.vstack(_numbered(fresh, known.len()))
                known = known.clone().append(fresh)
            codes = values.replace_strict(places["value"], places["code"], default=None, return_dtype=kind)
        self._values[column] = known
        if kind == pl.UInt16() and known.len() >= FEW:
            raise StoreError.at(
                column, f"has {known.len():,} different values.", "It is meant for a few: use an attribute."
            )
        return codes.cast(kind).fill_null(0)

    def _places(self, known: pl.Series, told: pl.Series) -> pl.DataFrame:
        """Those of the told values that are known, with their codes: value, code."""
        return _numbered(known, 0).filter(pl.col("value").is_in(told.implode()))

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
    return places.cast(pl.UInt32) + 1


def _series(values: Sequence[str] | pl.Series) -> pl.Series:
    made = values if isinstance(values, pl.Series) else pl.Series(values, dtype=pl.String)
    return made.alias("value")


def _numbered(values: pl.Series, before: int) -> pl.DataFrame:
    """Values with their codes, after so many others."""
    codes = pl.int_range(before + 1, before + values.len() + 1, dtype=pl.UInt32, eager=True)
    return pl.DataFrame({"value": values, "code": codes})
