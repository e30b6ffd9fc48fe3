"""A release: which files its tables are, and how its manifest says so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl


@dataclass(frozen=True)
class TableFile:
    """A file of a table, which most tables have one of.

    Attributes:
        table: The table's name.
        path: Below the published folder.
        rows: How many rows it has.
        bytes: Its size.
        sha256: Of its bytes.
        is_reused: Whether the same bytes had been published before.
        part: Which part of the table it is, by name; empty when it is all of it.
        key: A hash of all that it was made of, where that is known before it is made.
        state: What its rows stood at, where those of a later state can be made of them.
    """

    table: str
    path: str
    rows: int
    bytes: int
    sha256: str
    is_reused: bool = False
    part: str = ""
    key: str = ""
    state: str = ""

    @property
    def shown(self) -> str:
        """Its path below the release's folder."""
        return f"{self.table}/{Path(self.path).name}"


@dataclass(frozen=True)
class Part:
    """A part of a table that is made only when no file of it is there.

    Attributes:
        name: What it is called; empty when it is all of the table.
        key: A hash of all that it is made of.
        rows: Makes its rows.
        state: What its rows stand at; empty when nothing is made of them later.
        since: States from which on it is known what has changed.
        mend: Makes its rows of those that a file had at such a state, which is told as well; None when it turns out that
            it cannot.
    """

    name: str
    key: str
    rows: Callable[[], pl.DataFrame]
    state: str = ""
    since: frozenset[str] = frozenset()
    mend: Callable[[pl.DataFrame, str], pl.DataFrame | None] = lambda *_: None


WHOLE = Part("", "", pl.DataFrame)
"""All of a table, in one file that nothing is known of before it is made."""


@dataclass(frozen=True)
class Release:
    """A published release.

    Attributes:
        number: Its number.
        folder: The folder that tools read.
        tables: The files of its tables.
    """

    number: int
    folder: Path
    tables: tuple[TableFile, ...]

    @cached_property
    def by_table(self) -> Mapping[str, Sequence[TableFile]]:
        """The files of every table, by its name."""
        found: dict[str, list[TableFile]] = {}
        for one in self.tables:
            found.setdefault(one.table, []).append(one)
        return found

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        return sum(one.rows for one in self.by_table[table])


def files_of(noted: Mapping[str, Mapping[str, Any]]) -> tuple[TableFile, ...]:
    """The files of tables, from what a manifest says of them."""
    return tuple(TableFile(**file) for one in noted.values() for file in one.get("parts", [one]))


def noted(release: Release) -> dict[str, Any]:
    """What the manifest says of every table: its file, or all of its parts together and each of them."""
    told: dict[str, Any] = {}
    for name, files in release.by_table.items():
        parts = [{key: value for key, value in asdict(one).items() if value != ""} for one in files]
        whole = {
            "table": name,
            "rows": release.rows(name),
            "bytes": sum(one.bytes for one in files),
            "is_reused": all(one.is_reused for one in files),
            "parts": parts,
        }
        told[name] = parts[0] if len(parts) == 1 else whole
    return told
