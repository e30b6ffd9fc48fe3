"""Facts: daily sums, answers by score, and cases from opening to closing."""

import dataframely as dy
import polars as pl

from contracts.tables.base import Table, count, day, flag, instant, key, number, one_of, text
from contracts.tables.scorecards import PERIODS

SCOPES = ("touchpoint", "owner", "company")
COMPONENTS = ("rate", "mix", "portfolio", "who_answered", "unexplained")


class MeasureDaily(Table):
    """Additive sums a day: re-aggregate these, never a scorecard's values.

    Grain: day, touchpoint, person, team, metric.
    Scope: every metric but quantiles, which do not add.
    Late data: a late event adds to the day it happened.
    Known limits: days are the workspace's; a day with two owners has a row each.
    Used by: BI tools that need another period or grouping.
    """

    date = day("Day.", primary_key=True)
    touchpoint_id = key("Touchpoint, or `unmatched`.")
    owner_id = key("Person accountable at the time, or `nobody`.")
    team_id = key("Team of their seat, or `nobody`.")
    metric = key("Metric; `events` counts what happened.")
    n = count("Observations.", "observations")
    excluded_count = count("Observations left out; the next two columns say why.", "observations")
    excluded_missing_count = count(
        "Left out because there is no value, or none that is known yet.", "observations"
    )
    excluded_outside_count = count(
        "Left out because the score is outside its scale, or the value is of more than 4e14 steps.",
        "observations",
    )
    numerator = number("Sum above the line.", "metric's unit x n")
    denominator = number("Sum below the line.", "observations")
    sum = number("Sum of the observed values.", "metric's unit x n")
    sum_of_squares = number("Sum of their squares.", "square of metric's unit x n")
    promoters = count("NPS answers of 9 and 10.", "answers", nullable=True)
    detractors = count("NPS answers from 0 to 6.", "answers", nullable=True)


class FactAttribution(Table):
    """Why a value changed from one period to the next: the effects of a scope add up to its change.

    Grain: period, scope, metric, component, touchpoint.
    Scope: metrics that are quotients of observations (nps, csat, ces, ces_1, share, mean, rate, followed, repeat,
        fcr); months, quarters and the last 28 days, each against the period before it, where both have
        observations. `rate`: a touchpoint itself got better or worse; `mix`: traffic moved between touchpoints;
        `portfolio`: the map handed touchpoints to or from the owner; `who_answered`: the shares of the metric's
        first `by` dimension moved; `unexplained`: what no order of events can tell apart, and of a rate what is
        counted at touchpoints without any of its exposure, on a row of its own.
    Late data: every run rewrites every row.
    Known limits: who answered is told apart by one dimension, the first that the metric is published by; of a
        rate by none. A part of a touchpoint is held by the share of its observations that was the owner's.
    Used by: reviews with owners; alerts.
    """

    period = one_of(PERIODS, "Length of the period.", primary_key=True)
    period_start = day("First day of the later period.", primary_key=True)
    period_end = day("First day after the later period.", primary_key=True)
    previous_start = day("First day of the earlier period, which ends where the later one starts.")
    scope_type = one_of(SCOPES, "Whose value changed.", primary_key=True)
    scope_id = key("Touchpoint, person (or `nobody`), or `all` for the company.")
    metric = key("Metric.")
    component = one_of(COMPONENTS, "What did it.", primary_key=True)
    touchpoint_id = key("Touchpoint where it happened; `all` for what is unexplained.")
    owner_id = text(
        "Person accountable for the touchpoint when the later period closed; null for `all`.", nullable=True
    )
    effect = number("What it did to the scope's value.", "metric's unit", nullable=False)
    is_empty = flag(
        "Whether the touchpoint, or a segment of it, had no observations in one of the two periods: it takes the "
        "value of the other one."
    )
    value_before = number("The scope's value in the earlier period.", "metric's unit", nullable=False)
    value_after = number("Its value in the later period.", "metric's unit", nullable=False)
    change = number("How much it changed; the effects add up to it.", "metric's unit", nullable=False)
    is_final = flag("Whether the later period has ended.")

    @dy.rule()
    def effects_add_up(cls) -> pl.Expr:
        """The effects of a scope add up to its change, to a billionth."""
        scope = ("period", "period_start", "period_end", "scope_type", "scope_id", "metric")
        return (pl.col("effect").sum().over(scope) - pl.col("change")).abs() < 1e-9


class ScoreDistribution(Table):
    """How many answers every score got.

    Grain: month, touchpoint, metric, score.
    Scope: metrics over scores (nps, csat, ces); scores outside the scale are left out.
    Late data: every run rewrites every month.
    Known limits: none.
    Used by: wall two of the customer room.
    """

    month_start = day("First day of the month.", primary_key=True)
    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    score = count("Score.", "points", primary_key=True)
    answers_count = count("Answers with that score.", "answers")


class FactCase(Table):
    """One case from opening to closing, e.g. a ticket.

    Grain: case.
    Scope: subjects whose opening was recorded.
    Late data: a case changes until it closes, and when it reopens.
    Known limits: durations are elapsed time as the customer lives it: no pauses, no office hours.
    Used by: wall two of the customer room; resolution metrics.
    """

    feed = key("Feed that told of it.")
    case_id = key("The feed's own id, e.g. the ticket's number.")
    touchpoint_id = text("Touchpoint of the event that opened it, or `unmatched`.")
    owner_id = text("Person accountable when it was opened, or `nobody`.")
    team_id = text("Team of their seat, or `nobody`.")
    customer_key = text("Pseudonym of the customer.", nullable=True)
    channel = text("Channel it was opened on.", nullable=True)
    opened_at = instant("When it was opened.")
    first_response_at = instant("First response.", nullable=True)
    resolved_at = instant("Last resolution; null while it is open again.", nullable=True)
    closed_at = instant("Last closing; null while it is open again.", nullable=True)
    first_response_hours = number("From opening to first response.", "hours")
    resolution_hours = number("From opening to last resolution.", "hours")
    closing_hours = number("From opening to last closing.", "hours")
    event_count = count("Events told of it.", "events")
    reopened_count = count("Times it was reopened.", "times")
    group_count = count("Groups that held it.", "groups")
    handoff_count = count("Times it passed from one group to another.", "handoffs")
    is_ping_pong = flag("Whether a group held it again after another had.")
    is_direct_ping_pong = flag("Whether a group held it again after exactly one other had.")
    first_group = text("Group that held it first, as recorded.", nullable=True)
    last_group = text("Group that held it last, as recorded.", nullable=True)


class FactHandoff(Table):
    """Work passed between groups, week by week.

    Grain: week, group it left, group it went to.
    Scope: consecutive events of a case with different groups; events without a group are skipped.
    Late data: every run rewrites every week.
    Known limits: groups are as recorded; a team is known when the map names the group.
    Used by: wall two of the customer room; the gap audit.
    """

    week_start = day("Monday of the week.", primary_key=True)
    from_group = key("Group it left, as recorded.")
    to_group = key("Group it went to, as recorded.")
    from_team_id = text("Team of the first group.", nullable=True)
    to_team_id = text("Team of the second group.", nullable=True)
    handoff_count = count("Handoffs.", "handoffs")
    case_count = count("Cases handed.", "cases")
    return_count = count("Handoffs to a group that had held the case before.", "handoffs")
    held_hours = number("Time the first group had held the cases, summed.", "hours")
    integrator_seat_id = text("Seat that answers for work between the two teams.", nullable=True)


class FactIssueFlow(Table):
    """Cases opened, resolved and closed a day, and how many stay open for how long.

    Grain: day, touchpoint.
    Scope: every day from the first case to the last event; `all` is every touchpoint together.
    Late data: every run rewrites every day.
    Known limits: a case counts as open until its last closing, also between a closing and a reopening.
    Used by: wall two of the customer room.
    """

    date = day("Day.", primary_key=True)
    touchpoint_id = key("Touchpoint of the cases, or `all`.")
    opened_count = count("Cases opened that day.", "cases")
    resolved_count = count("Cases whose last resolution was that day.", "cases")
    closed_count = count("Cases whose last closing was that day.", "cases")
    backlog_count = count("Cases open when the day ended.", "cases")
    unresolved_count = count("Cases open and unresolved when the day ended.", "cases")
    age_p50_days = number("Median age of the open cases when the day ended.", "days")
    age_p90_days = number("Their 90th percentile.", "days")
    age_max_days = number("The oldest.", "days")
    over_30_days_count = count("Cases open for more than 30 days.", "cases")
