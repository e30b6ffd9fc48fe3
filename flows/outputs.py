"""Places that people name for what a command writes."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import QuestionError


@contextmanager
def writing_to(path: Path) -> Generator[None]:
    """Tell of a place that cannot be written as an error of ours.

    Raises:
        QuestionError: Its folder is missing, the right is, or it is something else.
    """
    try:
        yield
    except OSError as error:
        what = f"cannot be written: {error.strerror}."
        raise QuestionError.at(str(path), what, "Make its folder, or name another place.") from None
