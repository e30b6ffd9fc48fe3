"""How a run says where it is: one function that any front end can be."""

from typing import Protocol


class Tell(Protocol):
    """Told of progress: what is being done, how many parts are done, of how many."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Take note."""
        ...


def silent(what: str, done: int, total: int) -> None:
    """Take no note."""
