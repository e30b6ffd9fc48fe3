"""Trust: who was asked and answered, whose hands a number goes through, what was published and changed."""

from contracts.sampling import STEPS
from contracts.tables.base import Table, count, day, flag, instant, key, number, one_of, text
from contracts.tables.scorecards import PERIODS

SENTINELS = ("response_rate", "asked_share", "asked_count", "mix", "delay")
AGAINST = ("lived", "asked")


class WhoAnswered(Table):
    """Who answered, held against who was there, and what that does to a score.

    Grain: period, touchpoint, metric, dimension.
    Scope: metrics whose `sample` in the map has dimensions (`by`).
    Late data: every run rewrites every period.
    Known limits: one dimension at a time. What a dimension does not tell apart is not adjusted for. Needs four
        of five events of either side to have a value of the dimension.
    Used by: metric_trust; the data-quality page; whoever explains a change.
    """

    period = one_of(PERIODS, "Length of the period.", primary_key=True)
    period_start = day("First day of the period.", primary_key=True)
    period_end = day("First day after the period.", primary_key=True)
    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    dimension = key("Dimension of the sample, e.g. `segment`.")
    held_against = one_of(
        AGAINST,
        "lived: everybody who could have been asked; asked: who was, when the former is not known; null when "
        "neither is.",
        nullable=True,
    )
    n = count("Answers whose value of the dimension is known.", "answers")
    mix_distance = number(
        "Share of the answers that would have to come from others for those who answered to look like them.",
        "share",
        min=0,
        max=1,
    )
    mix_by_chance = number("What that share would be by chance alone.", "share", min=0)
    mix_excess = number("What it is above chance: this is graded.", "share", min=0, max=1)
    value = number("The metric's value, of these answers.", "metric's unit")
    adjusted_value = number(
        "The value with every answer weighted to those it stands for (post-stratified); null when nobody "
        "answered from where more than 5 % of them are.",
        "metric's unit",
    )
    effective_n = number("Equally weighted answers that are worth as much (Kish).", "answers")
    change = number("The value less that of one whole period earlier.", "metric's unit")
    change_by_who = number(
        "Of that change, what is a change in who answered: the mix part of Kitagawa's split.", "metric's unit"
    )
    change_by_rest = number("The rest: each kind of customer answered otherwise.", "metric's unit")
    share_by_who = number("Share of the change explained by who answered; null without a change.", "share")


class SampleMix(Table):
    """How many of each kind were there, were asked and answered.

    Grain: period, touchpoint, metric, dimension, segment.
    Scope: metrics with a `sample` in the map; dimension and segment are `all` for the whole.
    Late data: every run rewrites every period.
    Known limits: an answer counts in the period in which it came, in `n`, and in that in which it was asked for,
        in `answered_count`. Add the counts, never the shares.
    Used by: who_answered; BI.
    """

    period = one_of(PERIODS, "Length of the period.", primary_key=True)
    period_start = day("First day of the period.", primary_key=True)
    period_end = day("First day after the period.", primary_key=True)
    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    dimension = key("Dimension, or `all`.")
    segment = key("Its value, `(none)` when it is not told, or `all`.")
    lived_count = count("Events of everybody who could have been asked.", "events")
    asked_count = count("Who was asked; bounces left out.", "people asked")
    ripe_count = count("Of them those whose time to answer is over.", "people asked")
    answered_count = count("Of the latter those who answered in time.", "people asked")
    n = count("Answers that came in the period.", "answers")
    response_rate = number("answered_count over ripe_count (AAPOR RR1).", "share", min=0, max=1)
    value = number("The metric's value, of these answers.", "metric's unit")


class SamplingSentinel(Table):
    """Whether those asked, how many of them answer, and how soon, have left their usual range.

    Grain: week, touchpoint, metric, sentinel, dimension, segment.
    Scope: metrics with a `sample`, whole weeks that are known whole; of response_rate and delay those whose time
        to answer is over. Usual are up to 13 weeks before that lie within their own limits.
    Late data: every run rewrites every week.
    Known limits: a change so slow that no week lies beyond its limits is not seen; who_answered sees it.
    Used by: the gap audit (`sampling_drift`); the data-quality page.
    """

    week_start = day("First day of the week.", primary_key=True)
    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    sentinel = one_of(
        SENTINELS,
        "response_rate: of those asked; asked_share: asked for each event of those who could have been; "
        "asked_count: how many; mix: the segment's share of those asked, each person once a week; delay: "
        "median hours to an answer.",
        primary_key=True,
    )
    dimension = key("Dimension of a mix, else `all`.")
    segment = key("Segment of a mix, else `all`.")
    value = number("The week's value: a share, a count, or hours.", "share, count or hours")
    n = count("What it rests on: people asked, events or answers.", "observations")
    usual = number("Centre of the usual weeks; null when there are fewer than 8.", "share, count or hours")
    usual_low = number("Lower limit, three sigmas.", "share, count or hours")
    usual_high = number("Upper limit.", "share, count or hours")
    usual_count = count("Usual weeks that the limits are made of.", "weeks")
    is_beyond = flag("Whether the week lies beyond its limits; null without limits.", nullable=True)
    is_drift = flag("Whether three of the last four weeks do, on one side.")
    is_standing = flag(
        "Whether this is the last judged week of a drift that has not come back. How many are asked stands only "
        "when their number and their share have left to one side: a quota keeps the one, a rate the other."
    )
    drift_since_date = day(
        "First day of the first of those weeks of this drift; null without one.", nullable=True
    )


class Independence(Table):
    """Whose hands every number goes through, and where the judged hold the pen.

    Grain: touchpoint, metric, step.
    Scope: every metric that a touchpoint is judged by, all four steps; the map as it stands now.
    Late data: rewritten with the map.
    Known limits: it is what the map declares, not what was seen. Judged are the accountable person, their seat
        and its team; who is `responsible` is not. Setting the motive is no conflict.
    Used by: metric_trust; the gap audit; the quarterly review.
    """

    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    step = one_of(
        STEPS,
        "motive: who wants to know; collection: who selects whom to ask, and collects; analysis; reporting.",
        primary_key=True,
    )
    step_order = count("Its place, from 1.", "place")
    unit = text("Seats, teams or outsiders, joined by `, `; null when the map does not say.", nullable=True)
    unit_name = text("Their names.", nullable=True)
    judged_team_id = text("Team of the seat that is judged; null when nobody is accountable.", nullable=True)
    judged_owner_id = text("Person who is judged.", nullable=True)
    is_conflict = flag(
        "Whether the judged select who is asked, or analyse or report alone; null when the map does not say.",
        nullable=True,
    )
    why = text("The conflict in one sentence.", nullable=True)


class Restatement(Table):
    """Published values of periods that had ended, and what they were changed to.

    Grain: scorecard, scope, metric, period, release.
    Scope: value and n of scorecards by touchpoint, owner, team, stage and company, of periods that a release had
        published as final. Of windows of 28 days those that both releases have: the last ones of a day that is no
        Monday are gone on the next, and so is one that reaches before the first event.
    Late data: only added to. Like fact_alert it has a history of its own: it cannot be made anew from
        deliveries, and is carried from release to release for `retention.restatement_days`. A file of 131,072
        rows or more is full: the next rows come into another one, and its own leave together, once all are so old.
    Known limits: why names what changed in between and can have moved the value; of several causes the shares
        are not told apart. Begins with the second release.
    Used by: `is_restated` in scorecard_touchpoint; reviews; the data-quality page.
    """

    scorecard = key("Scorecard, by the name of its table.")
    scope_id = key("Touchpoint, owner, team or stage; `all` for the company.")
    metric = key("Metric.")
    period = one_of(PERIODS, "Length of the period.", primary_key=True)
    period_start = day("First day of the period.", primary_key=True)
    period_end = day("First day after the period.", primary_key=True)
    release_number = count("Release that changed it.", "release", primary_key=True)
    restated_at = instant("When, by the workspace's clock.")
    value_was = number("The value in the release before; null when there was none.", "metric's unit")
    value_is = number("The value from this release on; null when there is none any more.", "metric's unit")
    n_was = count("Observations it rested on.", "observations")
    n_is = count("Observations it rests on now.", "observations")
    why = text(
        "What changed in between: late events (n rose), withdrawn (it fell), late or corrected events (it "
        "stayed: an answer was told anew, or what follows one came late), metric changed, map changed, joined by "
        "`, `; else program or settings changed."
    )
