"""What was computed from files that never change, kept under a hash of all that went into it.

kept/<kind>-<key>-<hash>.zip       tables as Arrow IPC streams, one member each
kept/<kind>-<key>-<hash>.tables    tables as they are in memory, see `warehouse.mapped`

Nothing refers to these files and nothing is lost with them: whoever misses one, finds it damaged or made of
something else computes it again. So they need no manifest, and a run that is killed leaves nothing to mend.
Where the truth is in an object store, they are kept there as well: a machine reads what others computed.
"""

import io
import time
import zipfile
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import polars as pl

from contracts.errors import StoreError
from warehouse import mapped
from warehouse.files import at_hand, intact, keep, sweep, use
from warehouse.held import Held
from warehouse.mirror import mirror_of

YOUNG_SECONDS = 300.0
"""What was used since then counts as young as it is."""
_DAMAGED = "Delete it: it is computed again."
_ZIP, _MAPPED = ".zip", ".tables"
Frames = Mapping[str, pl.DataFrame]
_HELD: Held[Frames] = Held()


class Kept:
    """The kept tables of one folder; or of this process alone, without one.

    With `holds` what was read or written stays in memory as well, as far as there is room.
    """

    def __init__(self, folder: Path | None = None, *, holds: bool = True) -> None:
        self.folder = folder
        self.mirror = mirror_of(folder) if folder is not None else None
        self._holds = holds
        self._held: dict[str, Frames] = {}
        self._lent: dict[str, Frames] = {}
        self._paths: dict[str, Path] = {}
        self._there: dict[str, Path] = {}
        self.look()

    def look(self) -> None:
        """See what is there by now: others keep tables in the same folder."""
        found = [] if self.folder is None else sorted(filter(_is_kept, self.folder.glob("*")))
        self._paths = {_prefix(path): path for path in found}
        if self.mirror is not None and self.folder is not None:
            there = filter(_is_kept, self.mirror.list(self.folder))
            self._there = {_prefix(path): self.folder / path.name for path in there}
            self._paths = self._there | self._paths

    def bring(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Fetch what is kept elsewhere under some kinds and keys, several files at once."""
        if self.mirror is not None:
            named = (self._paths.get(f"{kind}-{key}") for kind, key in wanted)
            self.mirror.bring([path for path in named if path is not None])

    def share(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Bring there what is kept here alone under some kinds and keys: whoever kept it may have died right after."""
        if self.mirror is not None:
            named = {f"{kind}-{key}" for kind, key in wanted} - self._there.keys()
            for path in (self._paths[name] for name in sorted(named) if name in self._paths):
                self.mirror.push_later(path)
            self.mirror.settle()

    def has(self, kind: str, key: str) -> bool:
        """Whether tables are kept under a key; they may still turn out to be damaged."""
        return f"{kind}-{key}" in self._paths or f"{kind}-{key}" in self._held

    def find(self, kind: str, key: str, names: Collection[str] | None = None) -> Frames | None:
        """The tables kept under a key; None when there are none, or when they are damaged.

        Args:
            kind: What they are.
            key: What they were made of.
            names: Which of them; all when absent. Those that there are not are left out.
        """
        name = f"{kind}-{key}"
        path = self._paths.get(name)
        if path is None:
            held = self._lent.pop(name, None) or self._held.get(name)
            return held if held is None or names is None else {n: held[n] for n in names if n in held}
        try:
            if path.suffix == _MAPPED:
                return mapped.read(_used(intact(path, _DAMAGED)), names)
            tables = _HELD.find(at_hand(path))
            if tables is None:
                tables = _read(path, names)
            _used(path)
            if names is None and self._holds:
                _HELD.note(path, tables)
            return tables if names is None else {n: tables[n] for n in names if n in tables}
        except (StoreError, OSError, pl.exceptions.PolarsError):  # the last: written by another version
            self._drop(name)
            return None

    def use(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Have what is kept under some kinds and keys count as young: it is not swept."""
        found = (self._paths.get(f"{kind}-{key}") for kind, key in wanted)
        for path in filter(None, found):
            with suppress(FileNotFoundError):
                _used(path)

    def _drop_damaged(self, name: str) -> None:
        """Make room for a table whose file is damaged and has not been asked for since."""
        if (path := self._paths.get(name)) is not None:
            try:
                intact(path, _DAMAGED)
            except StoreError:
                self._drop(name)

    def _drop(self, name: str) -> None:
        # Another thread may have found it out, too.
        if (path := self._paths.pop(name, None)) is not None:
            path.unlink(missing_ok=True)

    def put(self, kind: str, key: str, tables: Frames, *, as_in_memory: bool = False) -> None:
        """Keep tables under a key.

        Args:
            kind: What they are.
            key: What they were made of.
            tables: The tables, by name.
            as_in_memory: Whether they are kept as they are in memory, if that is possible: nothing is read then but
                what is looked at, and they take a multiple of the disk.

        Raises:
            StoreError: They cannot be written.
        """
        if self.folder is None:
            self._held[f"{kind}-{key}"] = tables
            return
        name = f"{kind}-{key}"
        self._drop_damaged(name)
        is_mapped = as_in_memory and mapped.is_mappable(tables)
        suffix, write = (_MAPPED, mapped.write) if is_mapped else (_ZIP, _write)
        path = keep(self.folder, name, suffix, lambda to: write(to, tables), durable=False).path
        self._paths[name] = path
        if self.mirror is not None:
            self.mirror.push_later(path)
            self._there[name] = path
        if self._holds and not is_mapped:
            _HELD.note(path, tables)

    def lend(self, kind: str, key: str, tables: Frames) -> None:
        """Hold tables in this process alone, for the one who asks for them next."""
        self._lent[f"{kind}-{key}"] = tables

    def drop(self, kind: str) -> None:
        """Let go of what is kept of a kind in this process alone."""
        self._held = {name: held for name, held in self._held.items() if not name.startswith(f"{kind}-")}

    def keys(self, kind: str) -> list[str]:
        """Keys of a kind, the one used last first."""
        # A copy, which nobody comes between: other threads keep tables meanwhile.
        found = [path for name, path in self._paths.copy().items() if name.startswith(f"{kind}-")]
        return [_prefix(path).rpartition("-")[2] for path in sorted(found, key=_used_at, reverse=True)]

    def forget(self) -> None:
        """Delete everything that is kept."""
        if self.mirror is not None and self.folder is not None:
            self.mirror.bucket.delete([one.name for one in self.mirror.list(self.folder).values()])
        for path in self._paths.values():
            path.unlink(missing_ok=True)
        self._paths, self._held, self._lent, self._there = {}, {}, {}, {}

    def sweep(self, older_than: float) -> int:
        """Delete what was last used before an instant (seconds since 1970); returns how many files."""
        return sweep(self.folder, set(), older_than) if self.folder is not None else 0

    def sweep_there(self, older_than: float) -> int:
        """Delete where the truth is what was written before an instant, and is not in use here; after `sweep`."""
        if self.folder is None or self.mirror is None:
            return 0
        used = {str(path) for path in self.folder.glob("[!.]*")}
        return self.mirror.sweep(self.folder, used, older_than)


def _read(path: Path, names: Collection[str] | None) -> Frames:
    with zipfile.ZipFile(intact(path, _DAMAGED)) as parts:
        there = [n for n in parts.namelist() if names is None or n in names]
        return {n: pl.read_ipc_stream(io.BytesIO(parts.read(n))) for n in there}


def _is_kept(path: Path) -> bool:
    return path.suffix in (_ZIP, _MAPPED)


def _used(path: Path) -> Path:
    """A path that counts as young: what is in use is not swept."""
    if abs(time.time() - path.stat().st_mtime) > YOUNG_SECONDS:  # noqa: TID251 - the files' clock
        use(path)
    return path


def _prefix(path: Path) -> str:
    return path.stem.rpartition("-")[0]


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _write(path: Path, tables: Frames) -> None:
    with zipfile.ZipFile(path, "w") as parts:
        for name, frame in tables.items():
            content = io.BytesIO()
            # Not Parquet: nobody else reads it, and it is read and written in a fraction of the time. A clone: who
            # writes a frame holds it alone and waits for the interpreter, which others have who ask the frame for its
            # columns, and would wait for each other forever.
            frame.clone().write_ipc_stream(content, compression="zstd")
            # Without the clock: the same tables are the same bytes.
            parts.writestr(zipfile.ZipInfo(name), content.getvalue())
