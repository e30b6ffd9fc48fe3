"""Checks of waivers, and of who may change what: nobody alone decides on what judges them."""

from collections.abc import Iterable, Iterator, Mapping

from contracts.accountability import AccountabilityMap, Waiver
from contracts.errors import Problem
from contracts.map_parts import former_ids
from contracts.map_places import Placed, PlacedItem, once, said
from contracts.tenures import Seated, Span, Tenure, seated, tenures

_JUDGING = ("goals", "metrics", "weights")
"""Parts of the map that decide how an owner is judged."""


def waived_once(placed: Placed, _: AccountabilityMap) -> Iterator[Problem]:
    """A finding is waived in one place."""
    waivers: list[tuple[str, str]] = []
    for one in placed["waivers"]:
        waiver: Waiver = one.item
        waivers.append((f"{waiver.rule} of {waiver.object}", one.at("object")))
    yield from once(waivers, "waiver for", "Keep the one that counts.")


def nobody_judges_themselves(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    """Whoever is judged is never the only one who may change the goal, metric or weight."""
    judging = [one for one in placed["decision_rights"] if one.item.what in _JUDGING]
    if not judging:
        return
    names = {name for one in judging for name in one.item.seats}
    answering = {seat.id: seated(seat, atlas.zone) for seat in atlas.seats if seat.id in names}
    judged = {touchpoint.id for touchpoint in atlas.touchpoints if touchpoint.metrics}
    held = [tenure for tenure in tenures(atlas) if tenure.person and tenure.touchpoint in judged]
    now = former_ids(atlas.touchpoints)
    for what in _JUDGING:
        rights = [(one, _about(one, now)) for one in judging if one.item.what == what]
        told: set[str] = set()
        for tenure in held:
            # Several declarations of one right add up.
            apply = [one for one, about in rights if not about or tenure.touchpoint in about]
            spans = [span for one in apply for seat in one.item.seats for span in answering.get(seat, ())]
            if _decides_alone(tenure, spans) and apply[-1].at() not in told:
                told.add(apply[-1].at())
                yield _told(apply[-1], tenure, atlas)


def _about(one: PlacedItem, now: Mapping[str, str]) -> set[str]:
    return {now.get(name, name) for name in one.item.touchpoints}


def _decides_alone(tenure: Tenure, spans: Iterable[Span[Seated]]) -> bool:
    deciding = {
        span.value.person for span in spans if max(span.start, tenure.start) < min(span.end, tenure.end)
    }
    return deciding - {None} == {tenure.person}


def _told(one: PlacedItem, tenure: Tenure, atlas: AccountabilityMap) -> Problem:
    what = (
        f"only {tenure.person!r} may change the {one.item.what} of touchpoint {tenure.touchpoint!r}, for "
        f"which they answer from {said(tenure.start, atlas.zone)}."
    )
    return Problem(one.at("seats"), what, "Add a seat that somebody else holds.")
