"""The file that comes late: out of the inbox until a first release has been published without it."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from examples.larkspur import plan


@contextmanager
def held_back(folder: Path) -> Generator[None]:
    """Keep the late file out of the inbox, and deliver it at the end.

    Args:
        folder: The company's workspace.

    """
    late, aside = folder / "inbox/crm" / plan.LATE_FILE, folder / plan.LATE_FILE
    late.rename(aside)
    try:
        yield
    finally:
        aside.rename(late)
