"""Files that are written once: whole or not at all, on the disk before anybody is told."""

import hashlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from contracts.errors import StoreError

_CHUNK = 1 << 20


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def create(path: Path, content: bytes) -> bool:
    """Create a file, unless it is there. Readers see all of it or nothing.

    Returns:
        Whether it was created; False when somebody else had.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        part.unlink()
    sync_folder(path.parent)
    return True


def replace(path: Path, content: bytes) -> None:
    """Replace a small file that is only a hint: readers see the old or the new one."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    part.write_bytes(content)
    part.replace(path)


def keep(folder: Path, prefix: str, suffix: str, write: Callable[[Path], None]) -> tuple[Path, str, bool]:
    """Write a file under the name of its content: `<prefix>-<hash><suffix>`.

    Args:
        folder: Where.
        prefix: First part of the name.
        suffix: Last part of the name.
        write: Writes the file at the path it is given.

    Returns:
        The path, the SHA-256 of its bytes, and whether it was there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{prefix}.{uuid.uuid4().hex}.part"
    try:
        write(part)
        found = digest(part)
        path = folder / f"{prefix}-{found[:16]}{suffix}"
        if path.exists():
            if path.stat().st_size != part.stat().st_size:
                raise StoreError.at(
                    str(path),
                    "is damaged: its size is not what its name promises.",
                    "Delete it and run again.",
                )
            return path, found, True
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(folder)
    finally:
        part.unlink(missing_ok=True)
    return path, found, False


def sweep(folder: Path, kept: set[Path], older_than: float) -> int:
    """Delete files that nobody refers to and that are older than an instant (seconds since 1970).

    Young ones stay: a run may be about to refer to them.

    Returns:
        How many were deleted.
    """
    gone = 0
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept and path.stat().st_mtime < older_than:
            path.unlink(missing_ok=True)
            gone += 1
    return gone
