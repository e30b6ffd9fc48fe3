"""Where two maps name different holders: interval algebra over their tenures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from contracts.accountability import AccountabilityMap
from contracts.tenures import LATEST, Tenure

_Held = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A half-open stretch of time in which two maps differ about one touchpoint.

    Attributes:
        touchpoint: Its id in the new map, or in the old one when it was removed.
        start: First instant, UTC; `EARLIEST` when unbounded.
        end: First instant after, UTC; `LATEST` when unbounded.
        before: The old map's tenure at its start; None where the touchpoint does not exist.
        after: The new map's.
    """

    touchpoint: str
    start: datetime
    end: datetime
    before: Tenure | None
    after: Tenure | None


def renames(before: AccountabilityMap, after: AccountabilityMap) -> dict[str, str]:
    """New id by old id: touchpoints that the new map says had another id before."""
    old = {touchpoint.id for touchpoint in before.touchpoints}
    return {
        was: touchpoint.id
        for touchpoint in after.touchpoints
        for was in touchpoint.was
        if was in old and touchpoint.id not in old
    }


def stretches(before: Sequence[Tenure], after: Sequence[Tenure], renamed: Mapping[str, str]) -> list[Stretch]:
    """Every stretch in which person, seat or team differ, by touchpoint in the maps' order, then by time.

    Args:
        before: The old map's tenures.
        after: The new map's.
        renamed: New id by old id.
    """
    old, new = _by_touchpoint(before, renamed), _by_touchpoint(after, {})
    return [
        found
        for touchpoint in dict.fromkeys([*new, *old])
        for found in _differing(touchpoint, old.get(touchpoint, []), new.get(touchpoint, []))
    ]


def settled_at(found: Iterable[Stretch], now: datetime) -> datetime:
    """When everything that differs for good has begun: now, or the last such beginning if it is later."""
    return max([now, *(stretch.start for stretch in found if stretch.end == LATEST)])


def _by_touchpoint(tenures: Sequence[Tenure], renamed: Mapping[str, str]) -> dict[str, list[Tenure]]:
    found: dict[str, list[Tenure]] = {}
    for tenure in tenures:
        found.setdefault(renamed.get(tenure.touchpoint, tenure.touchpoint), []).append(tenure)
    return found


def _differing(touchpoint: str, old: Sequence[Tenure], new: Sequence[Tenure]) -> Iterator[Stretch]:
    edges = sorted({edge for tenure in (*old, *new) for edge in (tenure.start, tenure.end)})
    last: Stretch | None = None
    for start, end in pairwise(edges):
        one, other = _at(old, start), _at(new, start)
        if _held(one) == _held(other):
            continue
        if (
            last
            and last.end == start
            and (_held(last.before), _held(last.after)) == (_held(one), _held(other))
        ):
            last = Stretch(touchpoint, last.start, end, last.before, last.after)
            continue
        if last:
            yield last
        last = Stretch(touchpoint, start, end, one, other)
    if last:
        yield last


def _at(tenures: Sequence[Tenure], moment: datetime) -> Tenure | None:
    return next((tenure for tenure in tenures if tenure.start <= moment < tenure.end), None)


def _held(tenure: Tenure | None) -> _Held | None:
    return None if tenure is None else (tenure.person, tenure.seat, tenure.team)
