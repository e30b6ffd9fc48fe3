"""Dimensions: the map as tables."""

from contracts.tables.base import Table, count, day, flag, instant, key, number, one_of, text


class BridgeAssignment(Table):
    """Who has been accountable for every touchpoint, and when.

    Grain: touchpoint, beginning of the tenure.
    Scope: the map's whole past and declared future.
    Late data: a corrected map rewrites the past; the ledger keeps what was believed.
    Known limits: the accountable role only.
    Used by: joins that need the owner at an instant.
    """

    touchpoint_id = key("Touchpoint.")
    valid_from_at = instant("First instant.", primary_key=True)
    valid_to_at = instant("First instant after; null while it lasts.", nullable=True)
    state = one_of(("owned", "vacant", "unowned"), "Whether somebody is accountable.")
    seat_id = text("Accountable seat.", nullable=True)
    team_id = text("Its team.", nullable=True)
    owner_id = text("Accountable person, or `nobody`.")


class DimTouchpoint(Table):
    """Touchpoints of the map.

    Grain: touchpoint.
    Scope: the map in force.
    Late data: rewritten with the map.
    Known limits: names are today's.
    Used by: every join.
    """

    touchpoint_id = key("Touchpoint.")
    touchpoint_name = text("Its name.")
    stage_id = text("Its stage.")
    is_priority = flag("Whether the map calls it a priority.")
    owner_id = text("Person accountable now, or `nobody`.")
    seat_id = text("Seat accountable now.", nullable=True)
    metric_count = count("Metrics it is judged by.", "metrics")
    goal_count = count("Goals in force now.", "goals")
    declared_at = text("Where the map declares it: `file:line`.")


class DimStage(Table):
    """Stages of the journey.

    Grain: stage.
    Scope: the map in force.
    Late data: rewritten with the map.
    Known limits: none.
    Used by: every join.
    """

    stage_id = key("Stage.")
    stage_name = text("Its name.")
    stage_order = count("Its place in the journey, from 1.", "place")


class DimSeat(Table):
    """Seats that can be accountable.

    Grain: seat.
    Scope: the map in force.
    Late data: rewritten with the map.
    Known limits: none.
    Used by: every join.
    """

    seat_id = key("Seat.")
    seat_name = text("Its name.")
    team_id = text("Its team.")
    owner_id = text("Person who holds it now, or `nobody`.")


class DimPerson(Table):
    """People who can be accountable.

    Grain: person.
    Scope: the map in force.
    Late data: rewritten with the map.
    Known limits: names of staff, as the map has them.
    Used by: every join.
    """

    owner_id = key("Person.")
    owner_name = text("Their name.")


class DimTeam(Table):
    """Teams.

    Grain: team.
    Scope: the map in force.
    Late data: rewritten with the map.
    Known limits: none.
    Used by: every join.
    """

    team_id = key("Team.")
    team_name = text("Its name.")
    groups = text("Its names as feeds record them, separated by `, `.")


class DimMetric(Table):
    """Metrics of the map.

    Grain: metric.
    Scope: the map in force.
    Late data: rewritten with the map.
    Known limits: none.
    Used by: every join.
    """

    metric = key("Metric.")
    metric_name = text("Its name.")
    estimator = text("How it is made.")
    of = one_of(("events", "cases"), "What it judges.")
    unit = text("Unit of its value.")
    direction = one_of(("higher", "lower"), "Which way is better.")


class DimGoal(Table):
    """Goals of the map, past and present.

    Grain: touchpoint, metric, beginning.
    Scope: every goal the map has.
    Late data: rewritten with the map.
    Known limits: none.
    Used by: every join.
    """

    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    in_force_from_date = day("First day it counts.", primary_key=True)
    in_force_until_date = day("First day it no longer counts; null while it does.", nullable=True)
    due_date = day("When it is due.")
    level = number("Level to reach.", "metric's unit", nullable=False)
    direction = one_of(("higher", "lower"), "Which way is better.")
    why = text("Why it matters.")
