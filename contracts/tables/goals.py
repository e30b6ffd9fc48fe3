"""Goals and processes: where a goal stands on its way, who moved it, and what a metric's weeks signal."""

import dataframely as dy
import polars as pl

from contracts.tables.base import Table, count, day, flag, instant, key, number, one_of, text
from contracts.tables.scorecards import METHODS, VERDICTS

DIRECTIONS = ("higher", "lower")
CHARTS = ("xmr", "laney_p")
SIGNALS = ("beyond_limit", "eight_on_side", "three_of_four")
HOLLOW = ("counter_metric_worsened", "map_changed", "mix_moved", "others_answered", "fewer_answered")
LETTERS = ("S", "M", "A", "R", "T")
CHANGES = ("set", "changed", "replaced", "withdrawn")


class FactGoalPacing(Table):
    """Where every goal stands on its way, week by week: path, projection, budget, counter-metric.

    Grain: touchpoint, metric, beginning of the goal, week.
    Scope: whole weeks at whose end the goal was in force; weeks without observations included.
    Late data: every run rewrites every week.
    Known limits: the projection is a straight line through the weeks so far; a budget's observations still to
        come are taken to come at the rate of the last 28 days.
    Used by: weekly and quarterly review; breach messages; wall three of the customer room.
    """

    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    in_force_from_date = day(
        "First day the goal counts; with touchpoint and metric its key.", primary_key=True
    )
    period_start = day("First day of the week.", primary_key=True)
    period_end = day("First day after the week.")
    unit = text("Unit of the values.")
    direction = one_of(DIRECTIONS, "Which way is better.")
    level = number("Level to reach.", "metric's unit", nullable=False)
    due_date = day("When it is due.")
    expected = number(
        "Where the goal's path is when the week ends; the level where it has no path.", "metric's unit"
    )
    expected_in_window = number(
        "Where the path was in the middle of the 28 days that end with the week: what their value is held against.",
        "metric's unit",
    )
    n = count(
        "Observations of those 28 days; null where they begin before the first event.",
        "observations",
        nullable=True,
    )
    excluded_count = count("Observations left out of them; null likewise.", "observations", nullable=True)
    numerator = number("Their sum above the line.", "metric's unit x n")
    denominator = number("Their sum below the line.", "observations")
    value = number("Their value.", "metric's unit")
    value_low = number("Lower end of its 95 % interval.", "metric's unit")
    value_high = number("Upper end of its 95 % interval.", "metric's unit")
    interval_method = one_of(METHODS, "How the interval was made.")
    is_stale = flag("Whether a feed behind the window is late or broken: nothing is judged.")
    is_on_path = flag("Whether the value alone reaches what the path expects of the window.", nullable=True)
    path_verdict = one_of(VERDICTS, "The same on evidence: met or missed when the whole interval says so.")
    attainment_share = number(
        "Share of the way from baseline to level that is done; null without a baseline.", "share"
    )
    point_count = count("Weeks that the projection rests on: those of the goal so far, at most 26.", "weeks")
    projection = number("Where a straight line through them is on the due date.", "metric's unit")
    projection_low = number("Lower end of its 95 % prediction interval.", "metric's unit")
    projection_high = number("Upper end of it.", "metric's unit")
    p_meet = number("Chance that the level is reached then.", "share")
    projection_refused = one_of(
        ("too_few_points", "is_due", "is_stale"),
        "Why there is no projection; null when there is.",
        nullable=True,
    )
    budget_start_date = day("First day of the budget: the quarter's, or the goal's.", nullable=True)
    budget_end_date = day("First day after it.", nullable=True)
    budget_time_share = number("Share of its time that has passed.", "share")
    budget_count = number(
        "Bad experiences that the goal allows in it: of those so far and those still to come. Shares only.",
        "observations",
    )
    budget_used_count = count("Bad experiences so far.", "observations", nullable=True)
    budget_used_share = number("Share of the budget that they are; above 1 when it is overspent.", "share")
    burn_long = number("How many times faster than allowed the budget burnt in the long window.", "times")
    burn_short = number("The same in the short window, which says whether it still does.", "times")
    burn_long_weeks = count(
        "Weeks of the long window: 4, or 13 where answers are few.", "weeks", nullable=True
    )
    burn_short_weeks = count("Weeks of the short window: 1, or 4.", "weeks", nullable=True)
    burn = one_of(
        ("fast", "slow"),
        "fast: both windows burn more than twice as fast as allowed. slow: both faster. Null: neither.",
        nullable=True,
    )
    counter_metric = text("What must not get worse meanwhile.", nullable=True)
    counter_n = count("Its observations of the 28 days.", "observations", nullable=True)
    counter_value = number("Its value.", "counter-metric's unit")
    counter_value_low = number("Lower end of its 95 % interval.", "counter-metric's unit")
    counter_value_high = number("Upper end of it.", "counter-metric's unit")
    change = number(
        "How much better the value is than before the goal; below 0 when it is worse.", "metric's unit"
    )
    change_low = number("Lower end of its 95 % interval.", "metric's unit")
    change_high = number("Upper end of it.", "metric's unit")
    change_since_date = day("First day after the 28 days that it is compared with.", nullable=True)
    counter_change = number("How much better the counter-metric is, likewise.", "counter-metric's unit")
    counter_change_low = number("Lower end of its 95 % interval.", "counter-metric's unit")
    counter_change_high = number("Upper end of it.", "counter-metric's unit")
    is_hollow = flag(
        "Whether the metric got better on evidence while its counter-metric got worse on evidence; null when "
        "it did not get better, or has no counter-metric.",
        nullable=True,
    )
    hollow_reason = one_of(HOLLOW, "What contradicts the improvement.", nullable=True)
    is_moved = flag("Whether the goal was made easier while it ran: see goal_history.")
    moved_date = day("When it was made easier last.", nullable=True)

    @dy.rule()
    def value_needs_observations(cls) -> pl.Expr:
        """A value rests on at least one observation."""
        return pl.col("value").is_null() | (pl.col("n") > 0)

    @dy.rule()
    def chance_is_a_share(cls) -> pl.Expr:
        """A chance lies between 0 and 1."""
        return pl.col("p_meet").is_null() | pl.col("p_meet").is_between(0, 1)

    @dy.rule()
    def stale_is_not_judged(cls) -> pl.Expr:
        """A stale week is neither on its path nor off it."""
        judged = pl.col("path_verdict").cast(pl.String).is_in(["met", "missed", "cannot_tell"])
        return ~pl.col("is_stale") | ~(judged | pl.col("is_on_path").is_not_null())


class GoalHistory(Table):
    """How every goal came to be what it is: each version of the map that changed it, and who agreed.

    Grain: touchpoint, metric, beginning of the goal, number of the map's record in the ledger.
    Scope: versions of the map that a run has loaded; a version that was never run was never in force.
    Late data: rows are only added. A lost ledger loses them.
    Known limits: the first row of a goal is when a run first saw it, which may be later than when it was set;
        the real time is recorded, whatever the workspace's clock says.
    Used by: quarterly review; charts that mark a goal that moved.
    """

    touchpoint_id = key("Touchpoint, by its present id.")
    metric = key("Metric.")
    in_force_from_date = day("First day the goal counts.", primary_key=True)
    record_number = dy.Int64(
        description="Place of the map's version among those that were believed.",
        primary_key=True,
        min=0,
        metadata={"unit": "record"},
    )
    recorded_at = instant("Since when that version has been believed.")
    recorded_by = text("Who ran it.", nullable=True)
    map_version = text("The version.")
    change = one_of(
        CHANGES,
        "set: first seen. changed: other words under the same beginning. replaced: it takes over from an earlier "
        "goal that had not been due. withdrawn: it is no longer in the map.",
    )
    level = number("Level to reach.", "metric's unit", nullable=False)
    level_before = number("Level before.", "metric's unit")
    due_date = day("When it is due.")
    due_date_before = day("When it was due before.", nullable=True)
    direction = one_of(DIRECTIONS, "Which way is better.")
    set_by = text("Seat or person who set it.", nullable=True)
    approved_by = text("Seat or person who agreed to it.", nullable=True)
    is_level_eased = flag("Whether the level became easier to reach.")
    is_due_postponed = flag("Whether it became due later.")
    is_path_changed = flag("Whether baseline or path changed.")
    is_mid_period = flag("Whether that happened while the goal ran: after its beginning, before it was due.")
    is_moved = flag("Whether the goalposts were moved: eased, postponed or withdrawn while the goal ran.")


class GoalLint(Table):
    """The letters of SMART that goals in force miss.

    Grain: touchpoint, metric, beginning of the goal, letter, reason.
    Scope: goals in force now.
    Late data: rewritten with every run.
    Known limits: it reads what is declared and measured, not whether the words convince.
    Used by: quarterly goal setting.
    """

    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    in_force_from_date = day("First day the goal counts.", primary_key=True)
    letter = one_of(LETTERS, "Specific, measurable, achievable, relevant, time-bound.", primary_key=True)
    reason = key("Name of what is wrong.")
    sentence = text("What is wrong.")


class ProcessBehaviour(Table):
    """What the weeks of every metric signal: natural limits, and the points that complete a rule.

    Grain: touchpoint, metric, week.
    Scope: whole weeks with observations, of metrics that the map judges a touchpoint by or has a goal for; of counts and sums also
        those between in which nothing was counted, which are zero.
    Late data: every run rewrites every week; a week that a late feed does not know whole is left out.
    Known limits: with 26 weeks of baseline a stable process still gives a false signal about once a year
        (DECISIONS.md), a share near 0 or 1 of few answers about twice (97 % of 30 a week): signals are for the
        agenda, never for paging.
    Used by: weekly review; charts.
    """

    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    period_start = day("First day of the week.", primary_key=True)
    period_end = day("First day after the week.")
    unit = text("Unit of the value.")
    chart = one_of(
        CHARTS,
        "How the limits are made. laney_p: of shares, whose limits follow every week's n, widened by how much "
        "they really vary (Laney 2002). xmr: of all others, from moving ranges (Wheeler 1993).",
    )
    n = count("Observations of the week.", "observations")
    value = number("The week's value.", "metric's unit", nullable=False)
    centre = number("Centre of the baseline.", "metric's unit")
    limit_low = number("Lower natural process limit.", "metric's unit")
    limit_high = number("Upper natural process limit.", "metric's unit")
    moving_range = number("Distance from the week before; xmr only.", "metric's unit")
    moving_range_high = number("Upper limit of moving ranges; xmr only.", "metric's unit")
    signal = one_of(
        SIGNALS,
        "Rule that the week completes: beyond a limit, the eighth in a row on one side, three of four nearer to a "
        "limit than to the centre. Null: routine variation, or fewer than 12 weeks of baseline.",
        nullable=True,
    )
    signal_direction = one_of(("better", "worse"), "Which way the signal points.", nullable=True)
    is_onset = flag("Whether the signal begins with this week; the same rule goes on in the weeks after.")
    is_baseline = flag("Whether the limits are worked out from this week too.")
    baseline_start_date = day("First day of the first week of the baseline.")
    baseline_weeks = count("Weeks of the baseline.", "weeks")
    baseline_why = text("What had changed, as the map says; null for the first baseline.", nullable=True)


class MetricWindow(Table):
    """What can be said of every metric now: over the shortest window whose interval is narrow enough.

    Grain: touchpoint, metric.
    Scope: metrics that the map judges a touchpoint by or has a goal for, observed in any of the windows.
    Late data: rewritten with every run.
    Known limits: a wider window is slower to show a change; where even the longest is too wide it is told,
        and `is_narrow_enough` is false.
    Used by: whoever quotes one number a metric.
    """

    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    unit = text("Unit of the value.")
    window_weeks = count("Length of the window that was used.", "weeks")
    window_start_date = day("Its first day.")
    window_end_date = day("First day after it: today.")
    n = count("Observations in it.", "observations")
    excluded_count = count("Observations left out: no score, or one outside its scale.", "observations")
    numerator = number("Sum above the line.", "metric's unit x n")
    denominator = number("Sum below the line.", "observations")
    value = number("The metric's value.", "metric's unit")
    value_low = number("Lower end of the 95 % interval.", "metric's unit")
    value_high = number("Upper end of the 95 % interval.", "metric's unit")
    interval_method = one_of(METHODS, "How the interval was made.")
    half_width = number("Half the interval.", "metric's unit")
    tolerance = number("The widest half that is still useful.", "metric's unit")
    is_narrow_enough = flag("Whether the interval is no wider than that.")
    goal = number("Goal in force.", "metric's unit")
    direction = one_of(DIRECTIONS, "Which way is better.")
    is_stale = flag("Whether a feed behind it is late or broken.")
    verdict = one_of(VERDICTS, "Verdict over this window.")
    answers_needed = count(
        "Further observations after which the value would be told from the goal.",
        "observations",
        nullable=True,
    )
    answers_expected_date = day("When they will have come at the window's own rate.", nullable=True)
