"""Texts to codes and back: a code never changes its meaning, new texts get new codes."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from contracts.errors import StoreError
from contracts.events import ATTRIBUTE, LARGE_CODES, SMALL_CODES, Codebook, stored_schema
from warehouse.files import keep
from warehouse.months import none_of


class Coder:
    """Turns texts into codes, giving new texts new codes."""

    def __init__(self, known: Codebook, files: Mapping[str, str]) -> None:
        self._files = dict(files)
        self._values: dict[str, list[str]] = {c: list(v) for c, v in known.values.items()}
        self._grown: set[str] = set()
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
        return {column: len(values) for column, values in sorted(self._values.items())}

    def codes_of(self, column: str, values: frozenset[str]) -> pl.Series:
        """The codes of those of the values that are known."""
        known = self._values.get(column, [])
        numbers = {value: number for number, value in enumerate(known, start=1) if value in values}
        codes = [numbers[value] for value in sorted(numbers)]
        return pl.Series(codes, dtype=pl.UInt32)

    def written(self, folder: Path) -> dict[str, str]:
        """Files of codes by column, those of columns that have new ones written."""
        paths = dict(self._files)
        for column in sorted(self._grown):
            frame = pl.DataFrame({"value": self._values[column]}, schema={"value": pl.String})
            path = keep(folder / "codes", column, ".parquet", frame.write_parquet).path
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
