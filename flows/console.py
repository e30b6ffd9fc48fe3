"""Where a run is, on the terminal: bars while somebody watches, plain lines in a log."""

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import IO, Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.segment import Segment

from flows.progress import Tell, silent
from views.signs import shown


class Shown:
    """A stream that shows what is written to it; all else is the stream's own.

    Attributes:
        stream: The stream, for whoever writes control characters of our own, such as colours.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text."""
        return self.stream.write(shown(text))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self.stream, name)


class Screen(Console):
    """A console whose colours are its own: control characters in what it is given are shown."""

    @property
    def file(self) -> IO[str]:
        """Where it writes, past whatever shows control characters of others."""
        there = super().file
        return there.stream if isinstance(there, Shown) else there

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """What is to be written, piece by piece."""
        for one in super().render(renderable, options):
            yield one if one.control else one._replace(text=shown(one.text))


out = Screen(width=None if sys.stdout.isatty() else 132, markup=False, emoji=False)
"""Standard output. Names of the map and of feeds are printed as they are: `[bold]` and `:tada:` are no markup."""


@contextmanager
def progress(*, quiet: bool = False) -> Generator[Tell]:
    """A teller for one run: bars on a terminal, nothing when quiet or when nobody watches."""
    console = Screen(stderr=True)
    if quiet or not console.is_terminal:
        yield silent
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        known: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=total)
            bars.update(known[what], completed=done, total=total)

        yield tell
