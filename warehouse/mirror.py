"""A warehouse's folder where the truth is in an object store: what is missing here is fetched, what is new is brought there.

s3://bucket/prefix/store/...       as the event store's folder, see `warehouse.store`
s3://bucket/prefix/published/...   as the releases' folder, see `warehouse.releases`; `latest.json` tells of the newest

Files never change, so the folder is a cache: any file of it may go and comes again when it is asked for. What belongs
together is said by manifests, and a manifest counts once the object store has created it; the folder's own follow.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from contracts.errors import StoreError
from warehouse.bucket import Bucket, Listed
from warehouse.files import BEHIND, accessing, create, hash_of_promise, make_folder, part_of, promised
from warehouse.places import PLACES

THREADS = 8
"""So many objects go to and fro at once."""
PARTS = ("store", "published")
"""What of a warehouse's folder is there; all else is the machine's own, or the ledger's."""
MARK = ".objects"
"""This file in a folder says which place it is a cache of."""
CACHE = "ANSWERABLE_CACHE"

_OTHER = "Move the folder away, or name another place in answerable.yaml."
_DAMAGED = (
    "Delete it; where the inbox still has every delivery, a new place under 'objects' is filled from there."
)


@dataclass(eq=False)
class Mirror:
    """A folder and its place in an object store.

    Attributes:
        folder: The folder, absolute.
        bucket: The place.
        seen: Folders of manifests that were looked at, with the newest number that the place has.
    """

    folder: Path
    bucket: Bucket
    seen: dict[Path, int] = field(default_factory=dict)
    _later: list[Future[None]] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def name(self, path: Path) -> str:
        """The name of a file's object."""
        return path.absolute().relative_to(self.folder).as_posix()

    def fetch(self, path: Path) -> bool:
        """Fetch a file, over what is there; whether there is such an object.

        Raises:
            StoreError: The object is damaged, or the store does not answer.
        """
        if PLACES.get(self.folder) != self.bucket.url:  # no longer
            return False
        name, part, promise = self.name(path), part_of(path), promised(path)
        found = hash_of_promise(promise)
        with accessing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("wb") as file:
                    at = self.bucket.pour(name, lambda some: (file.write(some), found.update(some)))
                if at is None:
                    return False
                if promise and not found.hexdigest().startswith(promise):
                    what = "is damaged: its content is not what its name promises."
                    raise StoreError.at(self.bucket.at(name), what, _DAMAGED)
                if path.suffix == ".json":
                    os.utime(part, (at.timestamp(), at.timestamp()))  # how old a manifest is counts
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        return True

    def bring(self, paths: Collection[Path], tell: Callable[[int, int], object] = lambda *_: None) -> None:
        """Fetch those of some files that are not here, several at once; what the place does not have is left out.

        Args:
            paths: The files.
            tell: Told of every one that has come, and of how many there are.
        """
        missing = [path for path in sorted(set(paths)) if not path.exists()]
        self._all(missing, self.fetch, tell)

    def push(self, paths: Collection[Path]) -> None:
        """Write some files there, several at once; what stands only there already is fine.

        Raises:
            StoreError: A file is neither here nor there.
        """
        self._all(sorted(set(paths)), self._push)

    def _push(self, path: Path) -> None:
        name = self.name(path)
        if path.exists():
            with accessing(path):
                self.bucket.write(name, path)
        elif path.suffix != ".ids" and not self.bucket.has(name):  # an index is made anew
            raise StoreError.at(str(path), "is missing, and the object store does not have it.", _DAMAGED)

    def push_later(self, path: Path) -> None:
        """Write a file there meanwhile; `settle` waits for it."""
        with self._turn:
            self._later.append(_pool().submit(self._push_if_there, path))

    def _push_if_there(self, path: Path) -> None:
        if path.exists():  # what is kept may be swept at any time
            self.bucket.write(self.name(path), path)

    def settle(self) -> None:
        """Wait until everything is there that was to be written meanwhile.

        Raises:
            StoreError: Something could not be written.
        """
        with self._turn:
            waiting, self._later = self._later, []
        for one in waiting:
            one.result()

    def drop(self) -> None:
        """Leave what has not been begun to be written meanwhile: it is made again by whoever needs it."""
        with self._turn:
            waiting, self._later = self._later, []
        for one in waiting:
            one.cancel()

    def create(self, path: Path, content: bytes) -> bool:
        """Create an object, unless it is there, then its file here; whether it was created."""
        if not self.bucket.create(self.name(path), content):
            return False
        create(path, content)
        return True

    def list(self, folder: Path, after: Path | None = None) -> dict[Path, Listed]:
        """What the place has of a folder, by path here; what comes after a path where one is given."""
        found = self.bucket.list(self.name(folder), self.name(after) if after else None)
        return {self.folder / one.name: one for one in found}

    def sweep(self, folder: Path, kept: Collection[str], older_than: float, *, restores: bool = True) -> int:
        """Delete objects of a folder that nobody refers to and that are older than an instant; as `files.sweep`.

        With `restores` what somebody refers to and is not there, by whatever hand, is brought there again if it
        is here: files, that is, and no manifests, which are only ever created.
        """
        there, own = self.list(folder), folder.absolute()
        named = {path for one in kept if (path := Path(one).absolute()).is_relative_to(own)}
        if restores:
            self._all(sorted(path for path in named - there.keys() if path.exists()), self._push)
        unnamed = [one for path, one in there.items() if path not in named]
        gone = [one.name for one in unnamed if one.at.timestamp() < older_than]
        self.bucket.delete(gone)
        return len(gone)

    def must_be_ours(self) -> None:
        """See that the folder is a cache of this place, or of none so far.

        Raises:
            StoreError: It is a cache of another one.
        """
        mark = self.folder / MARK
        if not mark.exists():
            make_folder(self.folder)
            create(mark, self.bucket.url.encode())
        elif (said := mark.read_text(encoding="utf-8")) != self.bucket.url:
            what = f"is a cache of {said}, and 'objects' is {self.bucket.url}."
            raise StoreError.at(str(self.folder), what, _OTHER)

    def _all(
        self,
        paths: Iterable[Path],
        work: Callable[[Path], object],
        tell: Callable[[int, int], object] = lambda *_: None,
    ) -> None:
        begun = [_pool().submit(work, path) for path in paths]
        try:
            for done, one in enumerate(begun, start=1):
                one.result()
                tell(done, len(begun))
        finally:
            for one in begun:
                one.cancel()


_POOL: list[ThreadPoolExecutor] = []


def _pool() -> ThreadPoolExecutor:
    if not _POOL:
        _POOL.append(ThreadPoolExecutor(THREADS, thread_name_prefix="objects"))
    return _POOL[0]


_MIRRORS: dict[Path, Mirror] = {}


def mirror_of(path: Path) -> Mirror | None:
    """What stands behind a folder of a warehouse; None where the folder is all there is."""
    if not PLACES:
        return None
    path = path.absolute()
    for folder, url in PLACES.items():
        if any(path.is_relative_to(folder / part) for part in PARTS):
            known = _MIRRORS.get(folder)
            if known is None or known.bucket.url != url:
                known = _MIRRORS[folder] = Mirror(folder, Bucket(url))
                BEHIND.update({folder / part: known.fetch for part in PARTS})
            return known
    return None


def cache_name(url: str) -> str:
    """How a worker's own cache of a place is called."""
    return f"of-{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def cache_for(url: str, folder: Path) -> Path:
    """The folder in which a worker keeps what it fetches of a place.

    `ANSWERABLE_CACHE` names it; else it is the one of the machine that asks, where that is to be seen here; else it
    is one in the user's own cache.

    Args:
        url: The place.
        folder: The warehouse's folder where the task was made.
    """
    own = cache_name(url)
    if named := os.environ.get(CACHE, "").strip():
        return Path(named).absolute() / own
    mark = folder / MARK
    if mark.is_file() and mark.read_text(encoding="utf-8") == url:
        return folder
    return Path.home() / ".cache" / "answerable" / own
