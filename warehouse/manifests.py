"""Numbered manifests: the truth about which files belong together.

A manifest is created only if its number is free, so of two writers that started from the same parent
one wins and the other learns of it; nobody ever sees half a state. Its last line is the hash of all before it: one that has
changed since is not believed, though it be sound JSON. Where the truth is in an object store, it is
there that a manifest is created, and the folder's own are copies.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection
from itertools import pairwise
from pathlib import Path
from typing import Any

from contracts.errors import StoreError
from warehouse.files import accessing, at_hand, create, fetched, is_older, sweep
from warehouse.mirror import Mirror, mirror_of

_NAME = re.compile(r"(\d{8,})\.json")
_TWO = "Move the folder away, or name another place under 'objects' in answerable.yaml."
_REMEDY = "Restore it from a backup, or delete it: the one before then counts again."
_SEAL = re.compile(rb',\n"(.{6})": "(.{64})"\n}\Z')
"""How a manifest ends that has a hash; those written before have none, and are read as they are."""


class Manifests:
    """The manifests of one folder, numbered from 1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.guard: Callable[[], object] = lambda: None
        """Called right before a manifest is created; it raises when whoever commits no longer may."""
        self.mirror = mirror_of(folder)
        """Where the truth is, if it is not here."""

    def path(self, number: int) -> Path:
        """Where a manifest is or would be."""
        return self.folder / f"{number:08d}.json"

    def head(self) -> int:
        """The newest number; 0 when there is none."""
        return max(self.numbers(), default=0)

    def numbers(self) -> list[int]:
        """Every number there is, oldest first."""
        here = self._here()
        if self.mirror is None or (here and self.folder.absolute() in self.mirror.seen):
            return here
        self.refresh()
        return self._here()

    def _here(self) -> list[int]:
        if not self.folder.exists():
            return []
        with (
            accessing(self.folder),
            os.scandir(self.folder) as entries,
        ):  # thousands, and asked for all the time
            named = [_NAME.fullmatch(entry.name) for entry in entries]
        return sorted(int(name[1]) for name in named if name)

    def read(self, number: int) -> dict[str, Any]:
        """One manifest.

        Raises:
            StoreError: There is none of that number, or it cannot be read.
        """
        path = self.path(number)
        if not at_hand(path).exists():
            raise StoreError.at(str(path), "does not exist.", "It may have been swept: take a newer one.")
        try:
            content = self._content(path)
        except ValueError as error:
            raise StoreError.at(str(path), f"is damaged: {error}.", _REMEDY) from None
        if not isinstance(content, dict) or content.get("number") != number:
            raise self.damaged(number, f"it is not the manifest of number {number}")
        return content

    def _content(self, path: Path) -> Any:  # noqa: ANN401 - whatever stands there
        with accessing(path):
            try:
                return _believed(path.read_bytes())
            except ValueError:
                if not fetched(path):
                    raise
                return _believed(path.read_bytes())

    def damaged(self, number: int, what: str) -> StoreError:
        """The error of a manifest that can be read but not understood."""
        return StoreError.at(str(self.path(number)), f"is damaged: {what}.", _REMEDY)

    def commit(self, parent: int, content: dict[str, Any]) -> int:
        """Create the manifest after `parent`.

        Raises:
            StoreError: Another writer has created it meanwhile, it cannot be written, or the guard says no.
        """
        number = parent + 1
        # A line for each part: to indent all of it takes ten times as long, and there are hundreds of files to name.
        told = {"number": number, "parent": parent, **content}
        body = "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(part)}" for key, part in told.items())
        # The number after a parent that is not the newest may be free again: old ones are swept.
        self.guard()
        with accessing(self.folder):
            is_first = self.head() == parent and self._create(parent, _sealed(body.encode()))
        if not is_first:
            raise self._overtaken(number)
        return number

    def _create(self, parent: int, body: bytes) -> bool:
        path = self.path(parent + 1)
        if self.mirror is None:
            return create(path, body)
        overtaken = self._newer(self.mirror, parent)
        return not overtaken and self.mirror.create(path, body)

    def refresh(self) -> None:
        """Fetch what was committed elsewhere meanwhile.

        Raises:
            StoreError: What this folder has is not what the object store has: they are two warehouses.
        """
        if self.mirror is None:
            return
        here = max(self._here(), default=0)
        there = self._newer(self.mirror, here - 1) or self._newer(self.mirror, 0)
        self.mirror.bring([self.path(number) for number in there if number > here or number == there[-1]])
        if there:
            self._must_be_same(self.mirror, here if here in there else there[-1])
        self.mirror.seen[self.folder.absolute()] = there[-1] if there else 0

    def _newer(self, mirror: Mirror, number: int) -> list[int]:
        """Numbers that the object store has after one, oldest first."""
        after = self.path(number) if number > 0 else None
        named = [_NAME.fullmatch(path.name) for path in mirror.list(self.folder, after)]
        return sorted(int(name[1]) for name in named if name)

    def _must_be_same(self, mirror: Mirror, number: int) -> None:
        path = self.path(number)
        if not path.exists() or mirror.bucket.read(mirror.name(path)) == path.read_bytes():
            return
        try:
            _believed(path.read_bytes())
        except ValueError:  # a copy that was damaged
            mirror.fetch(path)
            return
        what = "is not the one of this folder: they are two warehouses."
        raise StoreError.at(mirror.bucket.at(mirror.name(path)), what, _TWO)

    def catch_up(self, files: Callable[[int], Collection[Path]]) -> None:
        """Fetch what was committed elsewhere, and bring there what only this folder has: it was all there was before.

        Args:
            files: The files that a manifest names.
        """
        if self.mirror is None:
            return
        self.refresh()
        done: set[Path] = set()
        for number in self._here():
            if number > self.mirror.seen[self.folder.absolute()]:
                named = {path for path in files(number) if path not in done}
                self.mirror.push(named)
                self.guard()
                if not self.mirror.create(self.path(number), self.path(number).read_bytes()):
                    raise self._overtaken(number)
                done |= named

    def _overtaken(self, number: int) -> StoreError:
        what = "was written by another run meanwhile."
        return StoreError.at(str(self.path(number)), what, "Run again: nothing is lost.")

    def standing(self, newest: int, since: float) -> list[int]:
        """The newest few, and every one that was the newest at some time since an instant.

        Args:
            newest: How many stay in any case, at least one.
            since: Seconds since 1970. Whoever read the newest one then may still be at it.
        """
        numbers = self.numbers()
        overtaken = {number for number, after in pairwise(numbers) if is_older(self.path(after), since)}
        return [number for number in numbers if number not in overtaken or number in numbers[-newest:]]

    def sweep(self, standing: list[int], older_than: float) -> int:
        """Delete manifests that do not stand, and what killed writers left half written."""
        kept = {str(self.path(number)) for number in standing}
        if self.mirror is not None:
            self.mirror.sweep(self.folder, kept, older_than, restores=False)
        return sweep(self.folder, kept, older_than)

    def same_as_there(self) -> None:
        """Have all manifests here that the object store has, and no others: before anything is swept."""
        if self.mirror is None:
            return
        there = self._newer(self.mirror, 0)
        self.mirror.bring([self.path(number) for number in there])
        for number in set(self._here()) - set(there):
            if number < max(there, default=0):
                self.path(number).unlink(missing_ok=True)


def _sealed(body: bytes) -> bytes:
    """A manifest with the hash of what stands before it."""
    return body + b',\n"sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'"\n}'


def _believed(content: bytes) -> Any:  # noqa: ANN401 - whatever stands there
    """A manifest without its hash.

    Raises:
        ValueError: It is no JSON, or not what its hash says.
    """
    told = json.loads(content)
    if seal := _SEAL.search(content):
        if content != _sealed(content[: seal.start()]):
            message = "its content is not what its hash says"
            raise ValueError(message)
        del told["sha256"]
    return told
