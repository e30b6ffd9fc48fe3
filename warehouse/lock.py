"""One run at a time in a workspace. The operating system frees the lock when a run dies."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import BusyError


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Hold the folder's lock.

    Raises:
        BusyError: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = file.read().strip() or "another process"
            raise BusyError.at(str(folder), f"{who} is running here.", "Wait until it has ended.") from None
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()}")
        file.flush()
        yield
