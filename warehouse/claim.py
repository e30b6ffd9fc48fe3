"""Whose a warehouse is: a mark in it says where its workspace lies, so that no other one writes there."""

import os
from pathlib import Path

from contracts.errors import WorkspaceError
from contracts.workspace import FILE
from warehouse.files import accessing, create

MARK = ".workspace"


def claim(folder: Path, root: Path) -> None:
    """Note that a warehouse is this workspace's, unless it is another's. The folder has to be locked.

    The mark says where the workspace lies as seen from the warehouse, so they can move together; where there no
    longer is any it has moved by itself, and the mark follows.

    Args:
        folder: The warehouse.
        root: The workspace.

    Raises:
        WorkspaceError: Another workspace keeps there what it makes; its events would be withdrawn.
    """
    with accessing(folder / MARK):
        own = os.fsencode(os.path.relpath(os.path.realpath(root), os.path.realpath(folder)))
        said = _told(folder)
        if said == own:
            return
        _must_be_free(folder, root, said)
        (folder / MARK).unlink(missing_ok=True)
        create(folder / MARK, own)


def must_be_ours(folder: Path, root: Path) -> None:
    """See whether a warehouse may be written to by a workspace; what nobody has marked yet may.

    Raises:
        WorkspaceError: It is another's.
    """
    with accessing(folder / MARK):
        _must_be_free(folder, root, _told(folder))


def _told(folder: Path) -> bytes:
    mark = folder / MARK
    return mark.read_bytes() if mark.exists() else b""


def _must_be_free(folder: Path, root: Path, said: bytes) -> None:
    other = Path(os.path.normpath(Path(os.path.realpath(folder), os.fsdecode(said))))
    if said and (other / FILE).is_file() and not other.samefile(root):
        what = f"'warehouse' is {str(folder)!r}, where the workspace {str(other)!r} keeps what it makes."
        raise WorkspaceError.at(FILE, what, "Name a folder of its own.")
