"""Checks of a goal's path, baseline and counter-metric, and of re-baselining."""

from collections.abc import Iterator
from itertools import pairwise

from contracts.accountability import AccountabilityMap, Goal
from contracts.errors import Problem
from contracts.map_places import Path, Placed, PlacedItem, said
from contracts.tenures import EARLIEST, LATEST, instant


def paths_lead_to_goals(placed: Placed, atlas: AccountabilityMap) -> Iterator[Problem]:
    """Everything about the way to a goal that the goal itself does not settle."""
    known = {metric.id for metric in atlas.metrics}
    for one in placed["touchpoints"]:
        for index, goal in enumerate(one.item.goals):
            at = ("goals", index)
            yield from _baseline(one, goal, at)
            yield from _waypoints(one, goal, at, atlas)
            if goal.counter_metric == goal.metric:
                what = f"{goal.metric!r} is its own counter-metric."
                yield Problem(one.at(*at, "counter_metric"), what, "Name what could get worse instead.")
            elif goal.counter_metric in known and goal.counter_metric not in one.item.metrics:
                what = (
                    f"touchpoint {one.item.id!r} is not judged by the counter-metric {goal.counter_metric!r}."
                )
                remedy = f"Add {goal.counter_metric!r} to its 'metrics'."
                yield Problem(one.at(*at, "counter_metric"), what, remedy)


def counters_and_rebaselines_fit(placed: Placed, _: AccountabilityMap) -> Iterator[Problem]:
    """A metric's counter-metric is another one; a touchpoint's processes are judged by metrics it has."""
    for one in placed["metrics"]:
        if one.item.counter_metric == one.item.id:
            what = f"{one.item.id!r} is its own counter-metric."
            yield Problem(one.at("counter_metric"), what, "Name what could get worse instead.")
    for one in placed["touchpoints"]:
        for index, change in enumerate(one.item.rebaseline):
            if change.metric is not None and change.metric not in one.item.metrics:
                what = f"touchpoint {one.item.id!r} is not judged by {change.metric!r}."
                remedy = f"Add {change.metric!r} to its 'metrics', or leave 'metric' out."
                yield Problem(one.at("rebaseline", index, "metric"), what, remedy)


def _baseline(one: PlacedItem, goal: Goal, at: Path) -> Iterator[Problem]:
    if (goal.baseline is None) != (goal.baseline_at is None):
        what = f"the goal for {goal.metric!r} has one of 'baseline' and 'baseline_at'."
        yield Problem(one.at(*at), what, "Write both: where the metric stood, and when.")
    if isinstance(goal.path, str) and goal.baseline is None:
        what = f"the goal for {goal.metric!r} has the path {goal.path!r} but no 'baseline' to begin with."
        yield Problem(one.at(*at, "path"), what, "Add 'baseline' and 'baseline_at'.")


def _waypoints(one: PlacedItem, goal: Goal, at: Path, atlas: AccountabilityMap) -> Iterator[Problem]:
    if goal.baseline_at is not None and instant(goal.baseline_at, atlas.zone, EARLIEST) >= instant(
        goal.due, atlas.zone, LATEST
    ):
        what = f"the goal for {goal.metric!r} has its baseline when it is due."
        yield Problem(one.at(*at, "baseline_at"), what, "A baseline is older than the goal.")
    if not isinstance(goal.path, tuple):
        return
    if goal.baseline_at is not None and goal.path and goal.baseline_at.date() >= goal.path[0].by.date():
        days = f"{goal.baseline_at:%Y-%m-%d}, is no older than its first waypoint, {goal.path[0].by:%Y-%m-%d}"
        what = f"the baseline of {goal.metric!r}, {days}."
        yield Problem(one.at(*at, "baseline_at"), what, "Leave waypoints out that lie before it.")
    begins, due = instant(goal.in_force_from, atlas.zone, EARLIEST), instant(goal.due, atlas.zone, LATEST)
    dates = [instant(point.by, atlas.zone, LATEST) for point in goal.path]
    for index, date in enumerate(dates):
        if not begins <= date <= due:
            what = f"a waypoint of {goal.metric!r}, {said(date, atlas.zone)}, lies outside the goal's time."
            yield Problem(one.at(*at, "path", index), what, "Keep between 'from' and 'due'.")
    for index, (earlier, later) in enumerate(pairwise(dates), start=1):
        if later <= earlier:
            what = f"waypoints of {goal.metric!r} are not in the order of their dates."
            yield Problem(one.at(*at, "path", index), what, "Put the earlier one first.")
