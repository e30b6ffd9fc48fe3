"""How far accountability reaches: the ladder, its gaps, the load on people, who really does the work."""

import dataframely as dy
import polars as pl

from contracts.tables.base import Table, count, day, flag, instant, key, number, one_of, text
from contracts.tables.scorecards import VERDICTS

STEPS = ("unmatched", "owner", "metric", "goal", "review", "outcome", "none")
"""What an event's touchpoint lacks first, in the order of the rungs; `none` when nothing."""

SCOPES = ("company", "stage")


class AccountabilityLadder(Table):
    """How far accountability reaches at every touchpoint, and what is missing first.

    Grain: touchpoint; what no rule matched stands under `unmatched`.
    Scope: touchpoints that exist now, and any that had events in the last 28 days; one that has ended is
        judged as it stood last. Rungs build on each other: (1) exactly one named, active person is
        accountable; (2) a metric is to be trusted, see metric_standing, and where goals are in force it is one
        of theirs; (3) a goal is in force on such a metric; (4) a review covers the touchpoint and its chair's seat is held; (5) every such goal was
        met on evidence over 28 days.
    Late data: every run rewrites every row.
    Known limits: the state is that of now, the weight that of the last 28 days and the running day. Whether
        a breach was acted on is not part of rung 4 yet, because actions are not recorded.
    Used by: gap_waterfall; wall three of the customer room; weekly review.
    """

    as_of_date = day("Day of the judgement.")
    touchpoint_id = key("Touchpoint in the map, or `unmatched`.")
    touchpoint_name = text("Its name.")
    stage_id = text("Its stage.", nullable=True)
    owner_id = text("Accountable person, or `nobody`.")
    rung = count("Highest rung reached without a gap below it, 0 to 5.", "rungs", max=5)
    first_fail = one_of(STEPS, "What is missing first.")
    why = text("The same in words; null when nothing is missing.", nullable=True)
    event_count = count("Events of the last 28 days.", "events")
    customer_count = count("Customers among them.", "customers")
    event_share = number("Share of all events of the last 28 days.", "share", min=0, max=1)


class GapWaterfall(Table):
    """What customers lived through, split by what is missing first: it adds up to 100 exactly.

    Grain: scope, step.
    Scope: events of the last 28 days and the running day; `company` holds every event, a stage those of its
        touchpoints.
    Late data: every run rewrites every row.
    Known limits: percents are whole numbers by largest remainder (Hamilton): every share is rounded down, and
        the points that are left go to the largest remainders, of equal ones to the earlier step. All are 0
        in a scope without events.
    Used by: the sentence that a run ends with; the header of the customer room.
    """

    as_of_date = day("Day of the judgement.")
    scope_type = one_of(SCOPES, "Kind of scope.", primary_key=True)
    scope_id = key("Stage, or `all`.")
    step_order = count("Place of the step, from 1.", "place", primary_key=True)
    step = one_of(STEPS, "What is missing first; `none`: nothing is.")
    touchpoint_count = count("Touchpoints that stop here.", "touchpoints")
    event_count = count("Their events.", "events")
    customer_count = count("Customers among them; one may stand at several steps.", "customers")
    event_share = number("Their share of the scope's events.", "share", min=0, max=1)
    percent = count("The share in whole percent; a scope's add up to 100.", "percent", max=100)
    remaining_percent = count(
        "What is left of 100 after this step: how much reaches the rung.", "percent", max=100
    )

    @dy.rule()
    def percents_add_up(cls) -> pl.Expr:
        """A scope's percents add up to 100, or to 0 when it has no events."""
        scope = ("scope_type", "scope_id")
        total = pl.when(pl.col("event_count").sum().over(scope) > 0).then(100).otherwise(0)
        return pl.col("percent").sum().over(scope) == total


class MetricStanding(Table):
    """Whether a touchpoint's metric can be believed: rung two of the ladder.

    Grain: touchpoint, metric.
    Scope: metrics that the map judges the touchpoint by. Trusted: no feed that ever gave it an observation
        is late, none has a delivery held for breaking its contract, the last 28 whole days gave at least
        `limits.answers` observations, and their sample is not graded D in metric_trust (response rate,
        representation). Freshness and deliveries are those that metric_trust grades.
    Late data: every run rewrites every row.
    Known limits: of a metric that does not say whom it asks nothing is known about who answered.
    Used by: accountability_ladder; the gap audit.
    """

    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    feeds = text("Feeds that give its observations.", nullable=True)
    n = count("Observations in the last 28 whole days.", "observations")
    is_fresh = flag("Whether none of the feeds is late.")
    keeps_contract = flag("Whether none of them has a delivery held.")
    has_enough = flag("Whether there are enough observations.")
    is_sampled_well = flag(
        "Whether neither response rate nor representation is graded D; true when not known."
    )
    is_trusted = flag("All of it, and at least one feed.")
    why_not = text("What is in the way; null when it is trusted.", nullable=True)
    newest_event_at = instant("Newest event of the feed that is furthest behind.", nullable=True)


class PersonLoad(Table):
    """What every accountable person carries, and where nobody could step in.

    Grain: person.
    Scope: everybody who holds or covers a seat now.
    Late data: every run rewrites every row.
    Known limits: events and customers are those of the last 28 days at the touchpoints they answer for now,
        whoever answered for them then. Somebody can step in when a touchpoint names a responsible seat,
        team or person other than the accountable one, or its seat has a cover or a delegate now.
    Used by: monthly review; the gap audit.
    """

    owner_id = key("Person.")
    owner_name = text("Their name.")
    seat_count = count("Seats they hold or cover.", "seats")
    touchpoint_count = count("Touchpoints they answer for.", "touchpoints")
    event_28d_count = count("Events at them in the last 28 days.", "events")
    customer_28d_count = count("Customers at them in the last 28 days.", "customers")
    event_28d_share = number("Share of all matched events.", "share", min=0, max=1)
    goals_missed_count = count("Goals at them missed over 28 days.", "goals")
    alone_count = count("Touchpoints at which nobody could step in.", "touchpoints")
    alone_at = text("Those touchpoints.", nullable=True)
    is_over_limit = flag("Whether it is more than `limits` in answerable.yaml allow.")


class ObservedAccountability(Table):
    """Which group really resolves a touchpoint's cases, against the team that answers for it.

    Grain: touchpoint, group.
    Scope: cases resolved in the last 91 days whose last group is recorded. A case agrees when that group
        belongs to the team that was accountable when it was opened.
    Late data: every run rewrites every row.
    Known limits: the group is the one that held the case last. Nothing here changes the map: an edit is
        proposed, and a person has to make it.
    Used by: quarterly review of the map.
    """

    touchpoint_id = key("Touchpoint.")
    observed_group = key("Group that resolved the cases, as recorded.")
    observed_team_id = text("Its team; null when the map names no team with that group.", nullable=True)
    declared_team_id = text("Team of the seat accountable now; null when there is none.", nullable=True)
    is_responsible = flag("Whether the map names the observed team as responsible.")
    case_count = count("Cases it resolved.", "cases")
    case_share = number("Share of the touchpoint's cases.", "share", min=0, max=1)
    agreed_count = count("Those that its own team was accountable for.", "cases")
    touchpoint_case_count = count("Cases of the touchpoint, whoever resolved them.", "cases")
    agreement_share = number("Share of them resolved by the team accountable.", "share", min=0, max=1)
    agreement_low = number("Lower end of its 95 % Wilson interval.", "share", min=0, max=1)
    agreement_high = number("Upper end.", "share", min=0, max=1)
    disagreement_rank = count(
        "Place among all disagreements, by cases; null where they agree.", "place", nullable=True
    )
    proposed_edit = text("A change to the map for a person to decide on.", nullable=True)


class UnmatchedShare(Table):
    """Which share of what happened matches no rule, against its goal.

    Grain: period.
    Scope: every event, period by period.
    Late data: every run rewrites every period.
    Known limits: the goal is the one of today, `limits.unmatched_share`.
    Used by: whoever keeps the rules; the gap audit.
    """

    period = key("Length of the period, as in the scorecards.")
    period_start = day("First day of the period.", primary_key=True)
    period_end = day("First day after the period.", primary_key=True)
    event_count = count("Events.", "events")
    unmatched_count = count("Events that no rule matched.", "events")
    value = number("Their share.", "share", min=0, max=1)
    value_low = number("Lower end of its 95 % Wilson interval.", "share", min=0, max=1)
    value_high = number("Upper end.", "share", min=0, max=1)
    goal = number("At most this.", "share", min=0, max=1)
    direction = one_of(("higher", "lower"), "Which way is better.")
    verdict = one_of(VERDICTS, "met or missed when the whole interval is on one side of the goal.")
    is_final = flag("Whether the period has ended.")
