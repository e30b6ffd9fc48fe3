"""Dying on purpose: after so many steps on the disk a process does nothing any more.

A kill at a random moment rarely meets a gap of microseconds; this meets every one of them.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

_STEPS = ("fsync", "link", "mkdir", "rename", "replace", "rmdir", "symlink", "unlink", "utime")


class DiedError(BaseException):
    """No `except Exception` may outlive a kill."""


@contextmanager
def dying(at: int) -> Iterator[None]:
    """From the step of that number on, counted from 1, nothing is written, linked, moved or deleted."""
    steps = count(1)

    def lasting(do: Callable[..., Any], *, opens: bool = False) -> Callable[..., Any]:
        def step(*args: Any, **options: Any) -> Any:
            mode = options.get("mode") or (args[1] if len(args) > 1 else "r")
            if not (opens and not set("wax+") & set(mode)) and next(steps) >= at:
                raise DiedError
            return do(*args, **options)

        return step

    patches = [patch.object(os, name, lasting(getattr(os, name))) for name in _STEPS]
    patches.append(patch.object(io, "open", lasting(io.open, opens=True)))
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def every_death(prepare: Callable[[], Any], work: Callable[[Any], Any], judge: Callable[[Any], Any]) -> int:
    """Let work die at each of its steps, each time on something prepared anew, and judge what is left.

    Returns:
        How many steps the work has.
    """
    for at in count(1):
        prepared = prepare()
        try:
            with dying(at):
                work(prepared)
        except DiedError:
            judge(prepared)
        else:
            return at - 1
    raise AssertionError
