"""Answers that hang on one value alone, kept while that very value is asked about again."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

A = TypeVar("A")
R = TypeVar("R")
_LAST = 4
"""Of so many values: what compares two maps asks about the one and the other in turn."""


def remembered(work: Callable[[A], R]) -> Callable[[A], R]:
    """A function that does its work once for each of the values that it was asked about last.

    For values that never change, e.g. a map, which cannot be looked up by what they hold: the same object counts as
    the same. What the function returns is shared by all who ask, and must not be changed either.
    """
    last: tuple[tuple[A, R], ...] = ()

    @wraps(work)
    def answer(value: A) -> R:
        nonlocal last
        for known, answered in last:
            if known is value:
                return answered
        made = work(value)
        last = ((value, made), *last[: _LAST - 1])
        return made

    return answer
