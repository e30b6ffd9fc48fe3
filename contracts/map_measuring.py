"""Checks of whose hands a metric goes through, and the seats, teams and touchpoints that are named there."""

from collections.abc import Iterator

from contracts.accountability import AccountabilityMap, Metric
from contracts.errors import Problem
from contracts.map_parts import former_ids
from contracts.map_places import Placed
from contracts.sampling import STEPS, is_external


def named_by_metric(item: Metric) -> Iterator[tuple[tuple[str, ...], str | None, tuple[str | int, ...]]]:
    """Every seat, team and touchpoint under `independence`: sections, name, and where it is named."""
    for index, held in enumerate(item.independence):
        for place, name in enumerate(held.touchpoints):
            yield ("touchpoints",), name, ("independence", index, "touchpoints", place)
        for step in STEPS:
            for place, unit in enumerate(getattr(held, step)):
                known = None if is_external(unit) else unit
                yield ("seats", "teams"), known, ("independence", index, step, place)


def hands_judge_there(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    """A touchpoint named under a metric's `independence` is judged by that metric."""
    judged = {one.id: set(one.metrics) for one in atlas.touchpoints}
    now = former_ids(atlas.touchpoints)
    for one in placed["metrics"]:
        for index, held in enumerate(one.item.independence):
            for place, name in enumerate(held.touchpoints):
                if one.item.id not in judged.get(now.get(name, name), {one.item.id}):
                    what = f"touchpoint {name!r} is not judged by {one.item.id!r}."
                    remedy = f"Add {one.item.id!r} to its 'metrics', or leave it out here."
                    yield Problem(one.at("independence", index, "touchpoints", place), what, remedy)
