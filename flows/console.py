"""Where a run is, on the terminal: bars while somebody watches, plain lines in a log."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from flows.progress import Tell, silent

out = Console(width=None if sys.stdout.isatty() else 132, markup=False, emoji=False)
"""Standard output. Names of the map and of feeds are printed as they are: `[bold]` and `:tada:` are no markup."""


@contextmanager
def progress(*, quiet: bool = False) -> Generator[Tell]:
    """A teller for one run: bars on a terminal, nothing when quiet or when nobody watches."""
    console = Console(stderr=True)
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
