"""Which names of time zones there are."""

from functools import cache
from importlib.resources import files
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator


@cache
def is_zone(name: str) -> bool:
    """Whether a name is one of the time zone database, like `Europe/Berlin`.

    What tzdata lists is asked first: to look for all that the system has reads a folder of six hundred files.
    """
    return name in files("tzdata").joinpath("zones").read_text().split() or name in available_timezones()


def _zone(name: str) -> str:
    if not is_zone(name):
        message = "Write a name of the time zone database, like 'Europe/Berlin' or 'UTC'."
        raise ValueError(message)
    return name


Zone = Annotated[str, AfterValidator(_zone)]
"""The name of a time zone."""
