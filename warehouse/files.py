"""Files that are written once: whole or not at all, on the disk before anybody is told.

Every name ends in a hash of the content, so a file is never written over, and one that was cut or
changed since is found out before it is read.
"""

import errno
import hashlib
import os
import re
import uuid
from collections.abc import Callable, Generator, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from blake3 import blake3
from polars.exceptions import ComputeError

from contracts.errors import StoreError

ROOM = "Make room, then run again: nothing that was published is touched."
DISK = "See whether the disk is full or gone, then run again."

BEHIND: dict[Path, Callable[[Path], bool]] = {}
"""What fetches a file of a folder from where the truth is, see `warehouse.mirror`; whether there is such a file."""

Stamp = tuple[int, int, int]

_HASH_LENGTH, _SHA_LENGTH = 20, 16
"""Hexadecimal digits of a name that are of BLAKE3; and of SHA-256, by which files were named before, or of sums."""
_WHOLE: dict[Path, Stamp] = {}
"""Files that were found to be whole, and what they were stamped then."""
_WHOLE_MAX = 65_536
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_PROMISE = re.compile(r"-([0-9a-f]{16}|[0-9a-f]{20})\.(?!(?:ids|tables)$)\w+$")
"""An index has the name of its file, and sums of its own; what lies as it does in memory is named by sums."""
BY_SUMS = (".tables",)
"""Files that are named by sums over their bytes: large ones, of which little is looked at."""
_BLOCK_WORDS, _BLOCKS = 8192, 16
_READ_BYTES = 1 << 18
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def accessing(where: Path) -> Generator[None]:
    """Tell of what the system refuses as an error of ours.

    Raises:
        StoreError: The disk is full, the right is missing, a file is gone.
    """
    try:
        yield
    except (OSError, ComputeError) as error:
        code = _code(error)
        # Polars tells of a disk as of a computation, and not always what it was.
        if code is None and isinstance(error, ComputeError) and not str(error).startswith("parquet:"):
            raise
        said = os.strerror(code) if code else str(error).splitlines()[0]
        named = getattr(error, "filename", None) or where
        raise StoreError.at(str(named), f"cannot be used: {said}.", _remedy(code)) from error


def _code(error: Exception) -> int | None:
    """The system's number of an error; polars only has it in its text."""
    found = _OS_ERROR.search(str(error))
    return getattr(error, "errno", None) or (int(found[1]) if found else None)


def _remedy(code: int | None) -> str:
    if code in _FULL:
        return ROOM
    if code in _REFUSED:
        return "Give this user the right to read and write there, then run again."
    return DISK


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path: Path) -> str:
    """BLAKE3 of a file's bytes, in hexadecimal: as strong as SHA-256, at a quarter of the work."""
    found, room = blake3(), memoryview(bytearray(_READ_BYTES))
    with path.open("rb", buffering=0) as file:
        while read := file.readinto(room):
            found.update(room[:read])
    return found.hexdigest()


def digest_of_sums(path: Path) -> str:
    """SHA-256 of sums over a file's bytes, in hexadecimal: a fifth of the work.

    Any byte that is another one is seen, and any block that is lost, doubled or at another place; not who trades words
    within a block on purpose. So it is for what can be made again.
    """
    # Read, not mapped: pages of a disk that has no room for them end the process.
    room, found = bytearray(_BLOCKS * _BLOCK_WORDS * 8), hashlib.sha256()
    blocks = np.frombuffer(room, np.uint64).reshape(-1, _BLOCK_WORDS)
    with path.open("rb") as file:
        while (read := file.readinto(room)) == len(room):
            found.update(blocks.sum(axis=1).tobytes())
        found.update(room[:read])
    return found.hexdigest()


class Summed:
    """A new file that is written from front to back, and summed up while what is written is in the processor's cache."""

    def __init__(self, file: BinaryIO) -> None:
        """Of no byte yet.

        Args:
            file: Where it is written.
        """
        self._file = file
        self._size = 0
        self._sums: list[tuple[int, np.ndarray]] = []

    def skip_to_multiple(self, of: int) -> int:
        """Leave bytes out, which are 0 then, until so many bytes lie before; returns how many do."""
        self._size = -(-self._size // of) * of
        self._file.seek(self._size)
        return self._size

    def write(self, piece: np.ndarray) -> None:
        """Write numbers as they lie."""
        content, ahead = piece.view(np.uint8), self._size % 8
        self._file.write(content.data)
        behind = -(ahead + content.size) % 8
        if ahead or behind:  # what is missing of a word is 0, so that sums of both of its parts add up
            content = np.concatenate([np.zeros(ahead, np.uint8), content, np.zeros(behind, np.uint8)])
        words, (block, before) = content.view(np.uint64), divmod(self._size // 8, _BLOCK_WORDS)
        if words.size:
            begins = np.maximum(np.arange(-before, words.size, _BLOCK_WORDS), 0)
            self._sums.append((block, np.add.reduceat(words, begins)))
        self._size += piece.nbytes

    def digest(self, path: Path) -> str:
        """What `digest_of_sums` says of the file, whose last bytes are read; it is closed by now."""
        blocks = self._size // (_BLOCKS * _BLOCK_WORDS * 8) * _BLOCKS
        sums = np.zeros(-(-self._size // (_BLOCK_WORDS * 8)), np.uint64)
        for block, some in self._sums:
            sums[block : block + some.size] += some
        found = hashlib.sha256(sums[:blocks].tobytes())
        with path.open("rb") as file:
            file.seek(blocks * _BLOCK_WORDS * 8)
            found.update(file.read())
        return found.hexdigest()


def _named_by(path: Path, suffix: str, length: int = _HASH_LENGTH) -> str:
    """What a file is named by, as far as it stands in the name, whose hash has so many digits."""
    if suffix in BY_SUMS:
        return digest_of_sums(path)[:_SHA_LENGTH]
    return digest(path)[:_SHA_LENGTH] if length == _SHA_LENGTH else fingerprint(path)[:_HASH_LENGTH]


def hash_of_promise(promise: str) -> "hashlib._Hash | blake3":
    """What a promise, see `promised`, was made with: of no bytes yet."""
    return hashlib.sha256() if len(promise) == _SHA_LENGTH else blake3()


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def create(path: Path, content: bytes) -> bool:
    """Create a file, unless it is there. Readers see all of it or nothing.

    Returns:
        Whether it was created; False when somebody else had.
    """
    make_folder(path.parent)
    part = part_of(path)
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def part_of(path: Path) -> Path:
    """A name beside a path that nobody else uses, for what is not finished."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")


class Written(NamedTuple):
    """A file under the name of its content.

    Attributes:
        path: Where it is.
        is_new: Whether there was none of that content.
    """

    path: Path
    is_new: bool


def keep(
    folder: Path, prefix: str, suffix: str, write: Callable[[Path], str | None], *, durable: bool = True
) -> Written:
    """Write a file under the name of its content: `<prefix>-<hash><suffix>`.

    Args:
        folder: Where.
        prefix: First part of the name.
        suffix: Last part of the name.
        write: Writes the file at the path it is given; may return what `digest_of_sums` says of it, if it is named so.
        durable: Whether it has to be on the disk before anybody is told; not for what can be made again.

    Raises:
        StoreError: It cannot be written, or the file of that name is damaged.
    """
    with accessing(folder):
        make_folder(folder)
        part = part_of(folder / prefix)
        try:
            said = write(part)
            named = said[:_SHA_LENGTH] if said and suffix in BY_SUMS else _named_by(part, suffix)
            path = folder / f"{prefix}-{named}{suffix}"
            if path.exists():
                # Somebody is about to refer to it: it counts as young, so that no sweep takes it.
                use(intact(path, "Delete it and run again: it is written anew."))
                return Written(path, is_new=False)
            if durable:
                with part.open("rb") as file:
                    os.fsync(file.fileno())
            part.replace(path)
            _note_whole(path, stamp_of(path))
            if durable:
                sync_folder(folder)
        finally:
            part.unlink(missing_ok=True)
    return Written(path, is_new=True)


def intact(path: Path, remedy: str) -> Path:
    """The path of a kept file whose bytes are what its name promises.

    Args:
        path: The file, as `keep` named it.
        remedy: What to do when it is not.

    Raises:
        StoreError: It is missing or damaged.
    """
    if not path.exists() and not fetched(path):
        raise StoreError.at(str(path), "is missing.", remedy)
    if not _is_whole(path) and not (fetched(path) and _is_whole(path)):
        raise StoreError.at(str(path), "is damaged: its content is not what its name promises.", remedy)
    return path


def fetched(path: Path) -> bool:
    """Whether a file was fetched from where the truth is; where a folder is all there is, there is none to be.

    Raises:
        StoreError: It is damaged there too, or nobody answers.
    """
    there = path.absolute() if BEHIND else path
    return any(fetch(there) for folder, fetch in BEHIND.items() if there.is_relative_to(folder))


def at_hand(path: Path) -> Path:
    """The path of a file, which is fetched first where it is not here."""
    if BEHIND and not path.exists():
        fetched(path)
    return path


def promised(path: Path) -> str:
    """How the hash of a kept file's bytes begins, as its name says; nothing when it was not named by them."""
    found = _PROMISE.search(path.name)
    return found[1] if found else ""


def _hash_in(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def bits_of(path: Path) -> int:
    """64 bits of the hash in a kept file's name: a number that tells it apart."""
    return int(_hash_in(path)[-_SHA_LENGTH:], 16)


def _is_whole(path: Path) -> bool:
    """Whether the content's hash is the one in the name; asked once as long as nothing changes."""
    with accessing(path):
        stamp = stamp_of(path)
        if _WHOLE.get(path) == stamp:
            return True
        told = _hash_in(path)
        is_whole = told == _named_by(path, path.suffix, len(told))
    if is_whole:
        _note_whole(path, stamp)
    return is_whole


def _note_whole(path: Path, stamp: Stamp) -> None:
    if len(_WHOLE) >= _WHOLE_MAX:
        _WHOLE.clear()
    _WHOLE[path] = stamp


def stamp_of(path: Path) -> Stamp:
    """What changes when a file does: its inode, its size and when it was written.

    Raises:
        OSError: The file is gone.
    """
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def use(path: Path) -> None:
    """Have a file count as young, so that no sweep takes it; what is known of its bytes stays known.

    Raises:
        OSError: The file is gone.
    """
    before = stamp_of(path)
    os.utime(path)
    if _WHOLE.get(path) == before:
        _note_whole(path, stamp_of(path))


def sweep(folder: Path, kept: AbstractSet[str], older_than: float) -> int:
    """Delete files that nobody refers to and that are older than an instant (seconds since 1970).

    Young ones stay: a run may be about to refer to them.

    Args:
        folder: Where.
        kept: Names of files that stay, as long as the folder's own.
        older_than: The instant.

    Returns:
        How many were deleted.
    """
    with accessing(folder):
        unnamed = [Path(name) for name in _files(folder) if name not in kept]
        old = [path for path in unnamed if is_older(path, older_than)]
        for path in old:
            path.unlink(missing_ok=True)
    return len(old)


def _files(folder: Path) -> Iterator[str]:
    return (f"{above}/{name}" for above, _, names in os.walk(folder) for name in names)


def is_older(path: Path, instant: float) -> bool:
    """Whether a path was last written before an instant; one that is gone was not."""
    try:
        return path.lstat().st_mtime < instant
    except FileNotFoundError:
        return False
