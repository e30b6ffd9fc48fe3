"""Dimensions: the map as tables."""

from contracts.tables.base import Table, count, day, flag, instant, key, number, one_of, text

WORK = ("execution", "coordination")


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
    owner_id = text("Accountable person, or `nobody`; while a cover is in force, whoever covers.")
    holder_id = text("Person who holds the seat; null when nobody does.", nullable=True)
    is_cover = flag("Whether somebody other than the holder answers.")
    attestation = one_of(
        ("confirmed", "declined", "pending"),
        "What the accountable person says themselves; null for tenures that are not in force now.",
        nullable=True,
    )
    attested_at = instant("When they last said so; null when they never did.", nullable=True)
    map_version = text("Version of the map that says so.")


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
    parent_id = text("Touchpoint it is a part of.", nullable=True)
    former_ids = text("Ids it had before, separated by `, `.")
    kind = one_of(WORK, "Whether customers meet this work, or it only joins what others do.")
    is_priority = flag("Whether the map calls it a priority.")
    owner_id = text("Person accountable now, or `nobody`.")
    seat_id = text("Seat accountable now.", nullable=True)
    metric_count = count("Metrics it is judged by.", "metrics")
    goal_count = count("Goals in force now.", "goals")
    validated_by_id = text("Person who last confirmed that it happens as the map says.", nullable=True)
    validated_role = one_of(("frontline", "lead"), "Whether they work with customers or lead.", nullable=True)
    validated_date = day("When they did.", nullable=True)
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
    owner_id = text("Person who answers in it now, or `nobody`; while a cover is in force, whoever covers.")
    holder_id = text("Person who holds it now; null when nobody does.", nullable=True)


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
    lead_seat_id = text("Seat that leads it.", nullable=True)
    kind = one_of(WORK, "Whether it does work that customers meet, or joins what other teams do.")
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
    metric_version = count("Version of its formula.", "version")
    counter_metric = text("What tends to get worse when this one is pushed.", nullable=True)
    minimum_trust = one_of(("A", "B", "C", "D"), "Weakest grade of trust at which it may be relied on.")
    windows = text("Lengths in weeks of the windows it may be told over, separated by `, `.")
    tolerance = number("Half the widest interval that is still useful, when declared.", "metric's unit")
    formula = text("How its value is computed.")
    per = number("Of a rate: against how many of its exposure it is counted.", "exposures")
    after_days = number("How much later at the earliest what follows counts.", "days")
    within_days = number("How much later at the latest; what is younger is not known yet.", "days")
    definition = text("Changes with what the map says is counted and how; the same while that is the same.")


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
    baseline = number("Where the metric stood when the goal was set.", "metric's unit")
    baseline_date = day("When it stood there.", nullable=True)
    path = one_of(
        ("linear", "step", "waypoints"), "What to expect before it is due; null: the level.", nullable=True
    )
    success_looks_like = text("What a customer would notice.", nullable=True)
    what_is_in_it_for_us = text("What the team gains.", nullable=True)
    set_by = text("Seat or person who set it.", nullable=True)
    approved_by = text("Seat or person who agreed to it.", nullable=True)
    counter_metric = text(
        "What must not get worse meanwhile: the goal's own counter-metric, or its metric's.", nullable=True
    )
    lever = text("What will make the difference.", nullable=True)


class DimFeedColumn(Table):
    """Columns of every delivery: what we call them, and what the delivery calls them.

    Grain: feed, stream, column.
    Scope: every column that a contract promises; further ones are not read.
    Late data: rewritten with the contracts.
    Known limits: the contract in force only; a stream whose headers change needs a schema for each.
    Used by: whoever has to find a figure again in the file it came from.
    """

    feed = key("Feed.")
    stream = key("Stream of the feed.")
    column_name = key("Its name in the contract, which the feed's expressions use.")
    delivered_as = text("Its header in the delivery, or its path in a JSON record.")
    place = count("Its place in the contract, from 1.", "place")
    logical_type = text("Type of its values.")
    is_required = flag("Whether every row has to have one.")
    is_primary_key = flag("Whether it is a part of what tells rows apart.")
    classification = text(
        "How guarded it is, e.g. `personal`; null when the contract says nothing.", nullable=True
    )
    description = text("What it means; null when the contract says nothing.", nullable=True)
    contract = text("Contract that promises it, as `id@version`.")
