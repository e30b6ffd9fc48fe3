"""`answerable init`."""

import shutil
import sys
from pathlib import Path

from contracts.errors import WorkspaceError


def init(folder: Path) -> None:
    """Make a new workspace that runs: a map of three touchpoints, one feed, some synthetic answers.

    Read its files, change them to yours, and run it after every change.

    Args:
        folder: A folder that does not exist yet or is empty.
    """
    from examples.starter.create import create  # noqa: PLC0415 - loaded when needed

    try:
        if folder.exists() and any(folder.iterdir()):
            raise WorkspaceError.at(str(folder), "is not empty.", "Choose a new folder.")
        written = create(folder)
    except OSError as error:
        what = f"cannot be made a workspace: {error.strerror}."
        raise WorkspaceError.at(str(folder), what, "Choose a new folder.") from None
    for path in written:
        sys.stdout.write(f"{folder / path}\n")
    sys.stdout.write(f"\nNow: {_called()} run {folder}\n")


def _called() -> str:
    """The command as it can be typed here: its name, or where it is when no shell finds it by that."""
    beside = Path(sys.executable).parent / "answerable"
    if shutil.which("answerable") or not beside.exists():
        return "answerable"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)
