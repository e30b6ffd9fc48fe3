"""A file of one JSON line a letter, for whatever reads it. A letter that is in it is not written again."""

import fcntl
import json
import os
from typing import BinaryIO

from contracts.alert_settings import Channel
from flows.channels import Environment, Outcome, Outgoing

NEEDS = frozenset({"path"})
DEDUPES = True


def send(outgoing: Outgoing, channel: Channel, environment: Environment) -> Outcome:  # noqa: ARG001
    """Append it, and wait until it is on disk. A retry helps when the disk was full."""
    path = outgoing.root / (channel.path or "alerts.jsonl")
    line = json.dumps(outgoing.as_dict(), ensure_ascii=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _has(file, outgoing.id):
                return Outcome("sent", "was written before")
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Outcome("again", f"cannot be written: {error.strerror}")
    return Outcome("sent", "written")


def _has(file: BinaryIO, id_: str) -> bool:
    """Whether a letter is in the file; a line that was cut off by a kill is ended first."""
    file.seek(0)
    needle, last = f'{{"id": "{id_}"'.encode(), b"\n"
    for last in file:
        if last.startswith(needle) and last.endswith(b"\n"):
            return True
    if not last.endswith(b"\n"):
        file.write(b"\n")
    return False
