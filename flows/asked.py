"""What people ask on the command line: instants, touchpoints, how many rows, which release."""

from datetime import datetime, timedelta
from typing import TypeVar

from contracts.accountability import AccountabilityMap
from contracts.documents import read_moment
from contracts.errors import QuestionError, did_you_mean
from contracts.tenures import LATEST, instant
from flows.beliefs import Belief
from flows.workspace import LoadedWorkspace

_LAST = LATEST - timedelta(microseconds=1)
_ROWS_MAX = 2**32 - 1
"""More rows than a table has."""
Default = TypeVar("Default", datetime, None)


def asked_moment(
    written: str | None, name: str, workspace: LoadedWorkspace, default: Default
) -> datetime | Default:
    """The instant that somebody wrote, in UTC; local to the workspace without an offset.

    Args:
        written: A date, which means its first moment, or an instant.
        name: The option it was written for.
        workspace: The workspace.
        default: What nothing written means.

    Raises:
        QuestionError: It is neither.
    """
    if written is None:
        return default
    try:
        # What lasts for good has no last instant: the end of the calendar means the one before.
        return min(instant(read_moment(written), workspace.settings.zone, LATEST), _LAST)
    except ValueError as error:
        raise QuestionError.at(name, f"{written!r} is no date.", str(error)) from None


def asked_touchpoint(written: str, atlas: AccountabilityMap) -> str:
    """The id of a touchpoint from any id it has or had.

    Raises:
        QuestionError: The map has no such touchpoint.
    """
    known = {touchpoint.id for touchpoint in atlas.touchpoints}
    name = atlas.current(written)
    if name not in known:
        raise QuestionError.at(written, "is no touchpoint of the map.", did_you_mean(written, known))
    return name


def asked_limit(limit: int) -> int:
    """How many rows are shown at most.

    Raises:
        QuestionError: It is no count, or none.
    """
    if limit < 1:
        raise QuestionError.at("--limit", f"{limit} shows nothing.", "Write a number from 1 on.")
    return min(limit, _ROWS_MAX)


def asked_release(number: int | None) -> int | None:
    """The number of a release; none for the newest.

    Raises:
        QuestionError: No release has such a number.
    """
    if number is not None and number < 1:
        raise QuestionError.at("--release", f"{number} is no release.", "Write a number from 1 on.")
    return number


def source(belief: Belief, workspace: LoadedWorkspace) -> str:
    """Which version of the map an answer is from, and since when it has been believed."""
    if belief.record is None:
        return f"map {belief.atlas.version}, as it lies in {workspace.root}"
    noted = belief.record.recorded_at.astimezone(workspace.settings.zone)
    by = f" by {belief.record.recorded_by}" if belief.record.recorded_by else ""
    return f"map {belief.record.version}, recorded {noted:%Y-%m-%d %H:%M:%S}{by}"
