"""Scorecards: how every touchpoint, owner, team and stage is doing, period by period."""

import dataframely as dy
import polars as pl

from contracts.tables.base import Table, count, day, flag, instant, key, number, one_of, text

PERIODS = ("week", "month", "quarter", "rolling_28d", "to_date")
FLOW_PERIODS = ("week", "month", "quarter")
"""Periods that follow each other without gap or overlap."""

VERDICTS = ("met", "missed", "cannot_tell", "no_goal", "no_data")
METHODS = (
    "wilson",
    "adjusted_wald",
    "student_t",
    "byar",
    "compound_poisson",
    "order_statistic",
    "brookmeyer_crowley",
    "none",
)


class Scorecard(Table):
    """Columns that every scorecard has; a subclass adds its grain."""

    period = one_of(PERIODS, "Length of the period.", primary_key=True)
    period_start = day("First day of the period.", primary_key=True)
    period_end = day("First day after the period.", primary_key=True)
    metric = key("Metric; `events` counts what happened.")
    unit = text("Unit of the value.")
    n = count("Observations the value rests on.", "observations")
    excluded_count = count("Observations left out; the next two columns say why.", "observations")
    excluded_missing_count = count(
        "Left out because there is no value, or none that is known yet.", "observations"
    )
    excluded_outside_count = count(
        "Left out because the score is outside its scale, or the value is of more than 4e14 steps.",
        "observations",
    )
    numerator = number("Sum above the line. Add these, never the values.", "metric's unit x n")
    denominator = number("Sum below the line.", "observations")
    sum = number("Sum of the observed values.", "metric's unit x n")
    sum_of_squares = number("Sum of their squares.", "square of metric's unit x n")
    promoters = count("NPS answers of 9 and 10.", "answers", nullable=True)
    passives = count("NPS answers of 7 and 8.", "answers", nullable=True)
    detractors = count("NPS answers from 0 to 6.", "answers", nullable=True)
    value = number(
        "The metric's value; null when nothing was observed, or too many cases are open to tell how long they "
        "take: it is beyond the longest wait so far then.",
        "metric's unit",
    )
    value_low = number(
        "Lower end of the 95 % interval; while too many cases are open for one, what the value is not below even if "
        "they ended now.",
        "metric's unit",
    )
    value_high = number("Upper end of the 95 % interval.", "metric's unit")
    interval_method = one_of(METHODS, "How the interval was made.")
    previous_value = number("The value one whole period earlier.", "metric's unit")
    previous_n = count("Observations one whole period earlier.", "observations", nullable=True)
    is_final = flag("Whether the period has ended.")

    @dy.rule()
    def value_in_interval(cls) -> pl.Expr:
        """The value lies in its interval, where the method centres on it."""
        inside = pl.col("value").is_between(pl.col("value_low") - 1e-9, pl.col("value_high") + 1e-9)
        # The adjusted Wald interval is centred on the adjusted score: at n = 1 it may miss the raw one.
        return inside | (pl.col("interval_method") == "adjusted_wald") | pl.col("value_low").is_null()

    @dy.rule()
    def value_needs_observations(cls) -> pl.Expr:
        """A value rests on at least one observation."""
        return pl.col("value").is_null() | (pl.col("n") > 0)

    @dy.rule()
    def exclusions_add_up(cls) -> pl.Expr:
        """Every observation that is left out is left out for one reason."""
        reasons = pl.col("excluded_missing_count") + pl.col("excluded_outside_count")
        return pl.col("excluded_count") == reasons

    @dy.rule()
    def value_has_its_interval(cls) -> pl.Expr:
        """What rests on a share of observations has the interval that its method names."""
        always = pl.col("interval_method").cast(pl.String).is_in(["wilson", "adjusted_wald", "byar"])
        known = pl.col("value_low").is_not_null() & pl.col("value_high").is_not_null()
        return pl.col("value").is_null() | ~always | known

    @dy.rule()
    def quotient_has_its_parts(cls) -> pl.Expr:
        """A value that is a quotient stands beside what it is made of."""
        is_quotient = (
            pl.col("interval_method").cast(pl.String).is_in(["wilson", "adjusted_wald", "student_t"])
        )
        parts = pl.col("numerator").is_not_null() & pl.col("denominator").eq_missing(pl.col("n"))
        return pl.col("value").is_null() | ~is_quotient | parts

    @dy.rule()
    def answers_add_up(cls) -> pl.Expr:
        """Promoters, passives and detractors are all the answers."""
        parts = pl.col("promoters") + pl.col("passives") + pl.col("detractors")
        return parts.is_null() | (parts == pl.col("n"))


class ScorecardTouchpoint(Scorecard):
    """How every touchpoint is doing against its goal, and who answers for it.

    Grain: period, touchpoint, metric.
    Scope: every matched event; what no rule matched stands under `unmatched`, as `events` only.
    Late data: every run rewrites every period; `is_final` tells the ones still open.
    Known limits: the owner is the one in force when the period closed; a period's observations may
        belong to several, see scorecard_owner.
    Used by: weekly, monthly and quarterly review; wall three of the customer room.
    """

    touchpoint_id = key("Touchpoint in the map, or `unmatched`.")
    touchpoint_name = text("Its name.")
    stage_id = text("Its stage.", nullable=True)
    owner_id = text("Accountable person when the period closed, or `nobody`.")
    owner_name = text("Their name.", nullable=True)
    seat_id = text("Accountable seat when the period closed.", nullable=True)
    owner_since_at = instant(
        "Since when they have been accountable; null when nobody is, or when the map knows no beginning.",
        nullable=True,
    )
    owner_days = count(
        "Days that they had been accountable when the period closed, or have been until now; null when "
        "nobody is, or when the map knows no beginning.",
        "days",
        nullable=True,
    )
    goal = number("Goal in force when the period closed.", "metric's unit")
    goal_due_date = day("When the goal is due.", nullable=True)
    direction = one_of(("higher", "lower"), "Which way is better.")
    verdict = one_of(
        VERDICTS,
        "met or missed when the whole interval is on one side of the goal, else cannot_tell; of a value that is "
        "beyond the longest wait so far the lower end is judged; no_data when nothing was observed, or the "
        "period is stale.",
    )
    is_stale = flag(
        "Whether the period reaches beyond the newest event of a feed behind it that is late or broken: "
        "the value is the last known one, and is not judged."
    )
    answers_needed = count(
        "Further observations after which this value would be told from the goal; null when it has "
        "been, or when it equals the goal.",
        "observations",
        nullable=True,
    )
    answers_expected_date = day(
        "When they will have come at the rate of the last 28 days; open periods only.", nullable=True
    )
    is_below_goal = flag(
        "Whether the value alone misses the goal: what a naive rule would say.", nullable=True
    )
    is_breach = flag(
        "Whether the goal is missed on evidence: over the four weeks to the period's end the one-sided "
        "95 % bound misses it, and so does the last week's value. Weeks only. `verdict` is of the week alone, and "
        "may be cannot_tell beside it.",
        nullable=True,
    )
    breach_bound = number(
        "That bound: the upper one where higher is better, the lower one where lower is. Weeks only.",
        "metric's unit",
    )
    breach_began_date = day(
        "First day of the breach that stood when the period closed: of the weeks below the goal that led up "
        "to it, at most three; null when none stood.",
        nullable=True,
    )
    is_inherited = flag(
        "Whether that breach began before the owner took over, and they are still in their days of grace "
        "(`inherited` in answerable.yaml); null when none stood.",
        nullable=True,
    )
    is_restated = flag(
        "Whether the value or its n was changed after a release had published it as final; see restatement. "
        "What a release said is history: it cannot be made anew from deliveries."
    )

    @dy.rule()
    def stale_is_not_judged(cls) -> pl.Expr:
        """A stale period is neither met nor missed, below its goal nor a breach."""
        is_judged = pl.col("verdict").cast(pl.String).is_in(["met", "missed", "cannot_tell"])
        said = pl.col("is_below_goal").is_not_null() | pl.col("is_breach").is_not_null()
        return ~pl.col("is_stale") | ~(is_judged | said)


class _GoalCounts(Scorecard):
    """Columns of scorecards that roll touchpoints up."""

    touchpoint_count = count(
        "Touchpoints the value rests on; those of which all is excluded are none.", "touchpoints"
    )
    goals_met_count = count("Goals met by the part that belongs to this row.", "goals")
    goals_missed_count = count("Goals missed by it.", "goals")
    goals_cannot_tell_count = count("Goals of which it cannot be told yet.", "goals")
    goals_no_data_count = count("Goals without data: nothing observed, or a feed is late or broken.", "goals")


class ScorecardOwner(_GoalCounts):
    """What every accountable person answers for.

    Grain: period, person, metric.
    Scope: events and cases credited to the person in force when they happened; what happened while
        nobody was accountable stands under `nobody`.
    Late data: every run rewrites every period.
    Known limits: goals are judged on the person's own part of each touchpoint; only quotients of observations
        have their change split, see fact_attribution.
    Used by: reviews with owners.
    """

    owner_id = key("Person, or `nobody`.")
    owner_name = text("Their name.", nullable=True)
    goals_inherited_count = count(
        "Of the goals missed those that they inherited: the breach began before they took over.", "goals"
    )
    change = number("Change of the value since one whole period earlier.", "metric's unit")
    rate_effect = number("Part of the change that touchpoints themselves did.", "metric's unit")
    mix_effect = number("Part that traffic moving between touchpoints did.", "metric's unit")
    portfolio_effect = number("Part that touchpoints handed to or from them did.", "metric's unit")
    who_answered_effect = number("Part that a change of who answered did.", "metric's unit")
    unexplained_effect = number("What of the change cannot be told apart.", "metric's unit")

    @dy.rule()
    def effects_add_up(cls) -> pl.Expr:
        """The parts of a change add up to it, to a billionth."""
        parts = ("rate", "mix", "portfolio", "who_answered", "unexplained")
        total = pl.sum_horizontal(pl.col(f"{part}_effect") for part in parts)
        return pl.col("change").is_null() | ((total - pl.col("change")).abs() < 1e-9)


class ScorecardTeam(_GoalCounts):
    """What every team answers for, through its seats.

    Grain: period, team, metric.
    Scope: as scorecard_owner; a vacant seat's events still belong to its team.
    Late data: every run rewrites every period.
    Known limits: goals are judged on the team's own part of each touchpoint.
    Used by: monthly review.
    """

    team_id = key("Team, or `nobody` for unowned touchpoints.")
    team_name = text("Its name.", nullable=True)


class ScorecardStage(_GoalCounts):
    """How every stage of the journey is doing.

    Grain: period, stage, metric.
    Scope: events matched to the stage's touchpoints.
    Late data: every run rewrites every period.
    Known limits: touchpoints weigh by their observations, not by their importance.
    Used by: quarterly review.
    """

    stage_id = key("Stage in the map.")
    stage_name = text("Its name.")
    stage_order = count("Its place in the journey, from 1.", "place")


class ScorecardCompany(_GoalCounts):
    """The company as a whole.

    Grain: period, metric.
    Scope: every matched event, and under `events` the unmatched too.
    Late data: every run rewrites every period.
    Known limits: touchpoints weigh by their observations.
    Used by: wall one of the customer room.
    """


class ScorecardSegment(Scorecard):
    """Metrics by the dimensions their declaration asks for (`by:`).

    Grain: period, dimension, segment, touchpoint, metric.
    Scope: metrics with `by:` only; `all` is every touchpoint together. A case belongs to the segment
        it had last.
    Late data: every run rewrites every period.
    Known limits: one dimension at a time. Many segments are many comparisons: read `q_value`, not `p_value`;
        shares, net promoter scores and means only, with 10 observations on either side.
    Used by: analysts; BI filters.
    """

    dimension = key("Dimension, e.g. `channel`.")
    segment = key("Value of the dimension; `(none)` when the event has none.")
    touchpoint_id = key("Touchpoint, or `all`.")
    rest_n = count("Observations of the other segments together.", "observations")
    rest_value = number("Their value, where it adds up.", "metric's unit")
    p_value = number("Chance of a difference as large if there were none.", "share")
    q_value = number(
        "The same once it is admitted how many were looked at: of those up to 0.05, at most 5 % are expected to "
        "be chance (Benjamini and Hochberg).",
        "share",
    )
    compared_count = count("Comparisons of this metric in this period.", "comparisons")
    expected_by_chance = number("How many of them fall below 0.05 if nothing is there.", "comparisons")
