"""One run at a time in a workspace. The operating system frees the lock when a run dies."""

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from contracts.errors import BusyError
from warehouse.files import accessing, make_folder

_LOOKS, _PAUSE_S = 20, 0.01


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Hold the folder's lock.

    Raises:
        BusyError: Another process holds it.
        StoreError: The folder cannot be written, or its file system knows no locks.
    """
    path = folder / ".lock"
    with accessing(path):
        make_folder(folder)
        file = path.open("a+b", buffering=0)
    with file:
        with accessing(path):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                who = _holder(file) or "another process"
                raise BusyError.at(
                    str(folder), f"{who} is running here.", "Wait until it has ended, then run again."
                ) from None
            file.truncate(0)
            file.write(f"process {os.getpid()}".encode())
        try:
            yield
        finally:
            with suppress(OSError):  # the name goes with the lock; what ended the run matters more
                file.truncate(0)


def _holder(file: FileIO) -> str:
    """Who holds a lock; whoever has just come by it is a moment away from saying so."""
    for _ in range(_LOOKS):
        file.seek(0)
        if told := file.read().decode():
            return told
        time.sleep(_PAUSE_S)
    return ""
