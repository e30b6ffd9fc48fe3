"""Goals and processes of a run: pacing, history, behaviour, and the window to quote a metric over."""

from collections.abc import Sequence

import polars as pl

from contracts.map_content import Recorded
from contracts.map_parts import former_ids
from contracts.tables import FactGoalPacing, GoalHistory, MeasureDaily, ProcessBehaviour, ScorecardTouchpoint
from flows.engine import suited
from flows.passes import Measured
from flows.stages import Tables, score
from flows.workspace import LoadedWorkspace
from transforms.behaviour import process_behaviour
from transforms.goal_history import goal_history, moved_goals
from transforms.map_tables import dim_goal
from transforms.pacing import Pacing, aspects, fact_goal_pacing, goal_weeks
from transforms.periods import Calendar
from warehouse.store import State


@suited()
def scored(
    workspace: LoadedWorkspace, measured: Measured, state: State, recorded: Sequence[Recorded]
) -> Tables:
    """Scorecards, cases and daily measures, and where goals stand on their way by the maps that were believed."""
    made = score(workspace, measured, state)
    return {**made, **judged(workspace, made, measured.calendar, recorded)}


def judged(
    workspace: LoadedWorkspace, scored: Tables, calendar: Calendar, recorded: Sequence[Recorded]
) -> Tables:
    """Where goals stand on their way, how they came to be what they are, and what weeks signal.

    Args:
        workspace: The workspace.
        scored: What scoring made.
        calendar: The days that are reported on.
        recorded: Versions of the map that were believed.
    """
    atlas, zone = workspace.atlas, workspace.settings.zone
    history = goal_history(recorded, zone, former_ids(atlas.touchpoints))
    card = scored[ScorecardTouchpoint]
    rests_on = Pacing(card, scored[MeasureDaily], dim_goal(atlas), atlas)
    weeks, moved, behaviour = pl.collect_all(
        [
            goal_weeks(rests_on),
            moved_goals(history.lazy(), zone),
            process_behaviour(card.lazy(), atlas, calendar.first),
        ]
    )
    told = pl.collect_all(aspects(weeks, rests_on))
    return {
        FactGoalPacing: fact_goal_pacing(weeks, told, moved).collect(),
        GoalHistory: history,
        ProcessBehaviour: behaviour,
    }
