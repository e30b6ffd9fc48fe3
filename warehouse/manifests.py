"""Numbered manifests: the truth about which files belong together.

A manifest is created only if its number is free, so of two writers that started from the same parent
one wins and the other learns of it; nobody ever sees half a state.
"""

import json
import os
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from contracts.errors import StoreError
from warehouse.files import accessing, create, is_older, sweep

_NAME = re.compile(r"(\d{8,})\.json")
_REMEDY = "Restore it from a backup, or delete it: the one before then counts again."


class Manifests:
    """The manifests of one folder, numbered from 1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.guard: Callable[[], object] = lambda: None
        """Called right before a manifest is created; it raises when whoever commits no longer may."""

    def path(self, number: int) -> Path:
        """Where a manifest is or would be."""
        return self.folder / f"{number:08d}.json"

    def head(self) -> int:
        """The newest number; 0 when there is none."""
        return max(self.numbers(), default=0)

    def numbers(self) -> list[int]:
        """Every number there is, oldest first."""
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
        if not path.exists():
            raise StoreError.at(str(path), "does not exist.", "It may have been swept: take a newer one.")
        try:
            with accessing(path):
                content = json.loads(path.read_bytes())
        except ValueError as error:
            raise StoreError.at(str(path), f"is damaged: {error}.", _REMEDY) from None
        if not isinstance(content, dict) or content.get("number") != number:
            raise self.damaged(number, f"it is not the manifest of number {number}")
        return content

    def damaged(self, number: int, what: str) -> StoreError:
        """The error of a manifest that can be read but not understood."""
        return StoreError.at(str(self.path(number)), f"is damaged: {what}.", _REMEDY)

    def commit(self, parent: int, content: dict[str, Any]) -> int:
        """Create the manifest after `parent`.

        Raises:
            StoreError: Another writer has created it meanwhile, it cannot be written, or the guard says no.
        """
        number = parent + 1
        body = json.dumps({"number": number, "parent": parent, **content}, indent=1)
        # The number after a parent that is not the newest may be free again: old ones are swept.
        self.guard()
        with accessing(self.folder):
            is_first = self.head() == parent and create(self.path(number), body.encode())
        if not is_first:
            raise StoreError.at(
                str(self.path(number)), "was written by another run meanwhile.", "Run again: nothing is lost."
            )
        return number

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
        return sweep(self.folder, {str(self.path(number)) for number in standing}, older_than)
