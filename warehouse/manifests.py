"""Numbered manifests: the truth about which files belong together.

A manifest is created only if its number is free, so of two writers that started from the same parent
one wins and the other learns of it; nobody ever sees half a state.
"""

import json
from pathlib import Path
from typing import Any

from contracts.errors import StoreError
from warehouse.files import create, replace

_HINT = "_latest.json"


class Manifests:
    """The manifests of one folder, numbered from 1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, number: int) -> Path:
        """Where a manifest is or would be."""
        return self.folder / f"{number:08d}.json"

    def head(self) -> int:
        """The newest number; 0 when there is none.

        The hint may be stale after a kill, so the numbers after it are probed.
        """
        number = self._hinted()
        while self.path(number + 1).exists():
            number += 1
        return number

    def read(self, number: int) -> dict[str, Any]:
        """One manifest.

        Raises:
            StoreError: There is none of that number, or it cannot be read.
        """
        try:
            return json.loads(self.path(number).read_bytes())
        except FileNotFoundError:
            raise StoreError.at(
                str(self.path(number)), "does not exist.", "It may have been swept."
            ) from None
        except ValueError as error:
            raise StoreError.at(str(self.path(number)), f"is damaged: {error}.", "Restore it.") from None

    def commit(self, parent: int, content: dict[str, Any]) -> int:
        """Create the manifest after `parent`.

        Raises:
            StoreError: Another writer has created it meanwhile.
        """
        number = parent + 1
        body = json.dumps({"number": number, "parent": parent, **content}, indent=1, sort_keys=True)
        if not create(self.path(number), body.encode()):
            raise StoreError.at(
                str(self.path(number)), "was written by another run meanwhile.", "Run again: nothing is lost."
            )
        replace(self.folder / _HINT, json.dumps({"number": number}).encode())
        return number

    def numbers(self) -> list[int]:
        """Every number there is, oldest first."""
        return sorted(int(path.stem) for path in self.folder.glob("[0-9]*.json"))

    def _hinted(self) -> int:
        try:
            number = int(json.loads((self.folder / _HINT).read_bytes())["number"])
        except (FileNotFoundError, ValueError, KeyError):
            number = 0
        if number and self.path(number).exists():
            return number
        return max(self.numbers(), default=0)
