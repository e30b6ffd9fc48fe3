"""Findings: what nobody owns, measures or aims for, and what the feeds did not deliver."""

import dataframely as dy

from contracts.tables.base import Table, count, day, flag, instant, key, number, one_of, text
from contracts.tables.scorecards import PERIODS

GRADES = ("A", "B", "C", "D")
COMPONENTS = ("n", "precision", "freshness", "quarantine", "response", "representation")
SEVERITIES = ("critical", "warning", "info")
STATES = ("open", "waived", "reopened")


class GapFinding(Table):
    """What the map leaves open, held against what customers lived through.

    Grain: rule, object.
    Scope: the map in force, and events of the whole history. A waived finding stays, and is reopened by
        itself when its waiver has ended.
    Late data: every run rewrites every finding.
    Known limits: events and customers at stake are those of the last 28 days, or, for a vacancy or a
        kind of event, of the time it lasted; of work handed over, those at all touchpoints of the two teams.
    Used by: weekly review; wall three of the customer room.
    """

    rule = key("Rule of the audit.")
    object_type = key(
        "What it is about: touchpoint, stage, seat, person, rule, metric, kind, teams, feed, waiver."
    )
    object_id = key("Which one.")
    severity = one_of(SEVERITIES, "How bad it is.")
    state = one_of(STATES, "open; waived: somebody accepts it for now; reopened: the waiver has ended.")
    place = count("Place among all findings, the most customers at stake first.", "place")
    sentence = text("What is wrong, in one sentence.")
    remedy = text("What to do.")
    fixed_by = text(
        "Seats that have to act: the accountable one, the feed's owner, or whoever has the right to decide; "
        "null when the map names none.",
        nullable=True,
    )
    since_at = instant("Since when; null when always, or when it is not known.", nullable=True)
    until_at = instant("Until when; null while it lasts.", nullable=True)
    event_count = count("Events at stake.", "events")
    customer_count = count("Customers at stake.", "customers")
    declared_at = text("Where the map says so: `file:line`.", nullable=True)
    waived_until_at = instant("First moment the waiver no longer holds; null without one.", nullable=True)
    waived_by = text("Person who accepted it.", nullable=True)
    waiver_reason = text("Why.", nullable=True)


class FactEventUnmatched(Table):
    """Events that no rule matched, by what they look like.

    Grain: feed, kind, channel.
    Scope: the whole history.
    Late data: every run rewrites every row.
    Known limits: none.
    Used by: whoever keeps the rules.
    """

    feed = key("Feed.")
    kind = key("Kind of event.")
    channel = key("Channel; `(none)` when the feed gave none.")
    event_count = count("Events.", "events")
    customer_count = count("Customers.", "customers")
    kind_customer_count = count("Customers of the kind, over all its channels.", "customers")
    first_at = instant("First of them.")
    last_at = instant("Last of them.")
    suggested_rule = text("A rule to paste into the map.")


class RuleHit(Table):
    """How often every rule matched.

    Grain: rule.
    Scope: the whole history and the last 28 days.
    Late data: every run rewrites every row.
    Known limits: none.
    Used by: whoever keeps the rules.
    """

    rule_id = key("Rule in the map.")
    touchpoint_id = text("Touchpoint it leads to.")
    position = count("Its place; the first rule that matches wins.", "place")
    event_count = count("Events it matched.", "events")
    event_28d_count = count("Events it matched in the last 28 days.", "events")
    is_shadowed = flag("Whether earlier rules accept everything that it accepts.")
    shadowed_by = text("Those rules.", nullable=True)


class DataTrust(Table):
    """What every stream delivered, and whether it is late.

    Grain: feed, stream.
    Scope: every delivery so far.
    Late data: every run rewrites every row.
    Known limits: rows_read = rows_accepted + rows_quarantined + rows_duplicate + rows_dropped, asserted
        every run.
    Used by: the header of the customer room; the feeds' owners.
    """

    feed = key("Feed.")
    stream = key("Stream of the feed.")
    owner_seat_id = text("Seat that answers for the feed.")
    file_count = count("Deliveries read.", "files")
    held_file_count = count("Deliveries that could not be read.", "files")
    rows_read = count("Rows read.")
    rows_accepted = count("Rows that kept the contract.")
    rows_quarantined = count("Rows that broke it; they wait in quarantine.")
    rows_duplicate = count("Rows that repeat another row of their delivery or an earlier one.")
    rows_dropped = count("Rows that waited in quarantine and were given up by hand.")
    quarantine_share = number("Share of rows read that broke the contract.", "share", min=0, max=1)
    newest_event_at = instant("Newest event of the feed.", nullable=True)
    age_hours = number("How old it is; 0 when it lies ahead of our clock.", "hours", min=0)
    age_max_hours = number("How old the contract lets it be.", "hours")
    is_late = flag("Whether it is older than that.")
    is_stale = flag(
        "Whether it is late, or a delivery of the feed is held and its last good data counts: verdicts "
        "of periods that reach beyond the newest event are `no_data`."
    )


class QuarantineReason(Table):
    """Why rows wait in quarantine.

    Grain: feed, stream, reason.
    Scope: every row in quarantine; a row with two reasons counts under both.
    Late data: every run rewrites every row.
    Known limits: none.
    Used by: the feeds' owners.
    """

    feed = key("Feed.")
    stream = key("Stream of the feed.")
    reason = key("Rule that the rows broke, as `column.rule`.")
    row_count = count("Rows that broke it.")


class MetricTrust(Table):
    """How far to believe every number of scorecard_touchpoint, from A to D.

    Grain: period, touchpoint, metric.
    Scope: every metric but `events`. The grade is that of the weakest component; what is not known (a
        feed that promises no freshness, a metric that does not say whom it asks) is not graded.
    Late data: every run rewrites every row.
    Known limits: the ends of the grades stand under `grades` in answerable.yaml. The quarantine share is
        that of all deliveries, not of the period's. Independence is shown, not graded.
    Used by: whoever reads a number; reviews; metric_standing.
    """

    period = one_of(PERIODS, "Length of the period.", primary_key=True)
    period_start = day("First day of the period.", primary_key=True)
    period_end = day("First day after the period.", primary_key=True)
    touchpoint_id = key("Touchpoint.")
    metric = key("Metric.")
    grade = one_of(GRADES, "The weakest component's grade.")
    weakest = one_of(COMPONENTS, "The component that it comes from; the first of several.")
    n = count("Observations.", "observations")
    n_grade = one_of(GRADES, "A from 100 observations, B from 30, C from 10.")
    half_width = number(
        "Half the 95 % interval: of a share as it is, of points by the width of their scale (NPS's 100, 4 of a scale "
        "from 1 to 5), else by the value.",
        "share of scale",
    )
    precision_grade = one_of(GRADES, "A up to 0.05, B up to 0.10, C up to 0.20; D beyond, or unknown.")
    is_stale = flag("Whether the period reaches beyond the newest event of a late or broken feed.")
    freshness_grade = one_of(GRADES, "A, or D when stale; null when no feed promises any.", nullable=True)
    quarantine_share = number("Rows in quarantine of the worst feed behind it.", "share")
    quarantine_grade = one_of(
        GRADES, "A up to 1 %, B up to 5 %, C up to 10 %; null when unknown.", nullable=True
    )
    asked_count = count(
        "People asked in the period whose time to answer is over, bounces left out; null when the map does "
        "not say whom the metric asks.",
        "people asked",
        nullable=True,
    )
    answered_count = count("Those of them who answered in time.", "people asked", nullable=True)
    response_rate = number(
        "Share of those asked who answered: AAPOR's RR1, everybody asked in the base but bounces.",
        "share",
        min=0,
        max=1,
    )
    response_grade = one_of(
        GRADES, "A from 30 %, B from 15 %, C from 5 %; null when nobody asked is known.", nullable=True
    )
    mix_excess = number(
        "Share of the answers that would have to come from other kinds of customers for those who answered to "
        "look like those who were there, beyond chance; of the worst dimension.",
        "share",
        min=0,
        max=1,
    )
    mix_dimension = text("That dimension.", nullable=True)
    held_against = text("Those who were there: `lived` through it, or were `asked`.", nullable=True)
    representation_grade = one_of(
        GRADES, "A up to 0.05, B up to 0.10, C up to 0.20; null when nobody there is known.", nullable=True
    )
    is_conflicted = flag(
        "Whether the judged select who is asked, or analyse or report alone; null when the map does not say.",
        nullable=True,
    )
    feeds = text("Feeds behind it, joined by `, `.")


class Quarantine(Table):
    """Rows that broke their contract, with what was delivered and why they wait.

    Grain: feed, stream, delivery, line, place in the line, whether it is held.
    Scope: every row in quarantine now; of a delivery that is held whole those that broke a rule.
    Late data: a row leaves once it is re-admitted, given up, or its delivery is replaced.
    Known limits: whatever tells a person is hidden; a line that is too long is told by its place.
    Used by: the feeds' owners; `answerable quarantine`.
    """

    feed = key("Feed.")
    stream = key("Stream of the feed.")
    source = key("Delivery: the file's name below the workspace.")
    row = dy.Int64(
        alias="_row", primary_key=True, description="Line in the file, from 1.", metadata={"unit": "line"}
    )
    item = dy.Int64(
        alias="_item",
        primary_key=True,
        description="Place among the rows of that line, from 0; -1 for a line that is no row.",
        metadata={"unit": "place"},
    )
    reasons = dy.String(alias="_reasons", description="Rules that it broke, joined by `, `.")
    contract = dy.String(alias="_contract", description="Contract that it broke, as `id@version`.")
    raw = dy.String(alias="_raw", description="What was delivered; JSON by column for a row.")
    is_whole = flag("Whether it can be judged again as it lies: nothing was cut or hidden by force.")
    is_held = flag("Whether its whole delivery is held.", primary_key=True)


class DqRuleResults(Table):
    """How every rule of every contract fared on every delivery.

    Grain: feed, stream, delivery, rule, whether it is held.
    Scope: deliveries that could be read, files with the bytes of another one left out.
    Late data: a delivery that is read anew is judged anew.
    Known limits: the usual size is only judged from four earlier deliveries of the same weekday on.
    Used by: the feeds' owners; the data-quality page.
    """

    feed = key("Feed.")
    stream = key("Stream of the feed.")
    source = key("Delivery: the file's name below the workspace.")
    rule = key("Rule, as `column.rule` or the rule's id.")
    contract = text("Contract, as `id@version`.")
    severity = one_of(
        ("error", "warning"), "error sets rows aside or holds the delivery; warning is counted."
    )
    state = one_of(
        ("passed", "failed", "error"),
        "Whether it was kept; error when it could not be computed on some rows, which counts as broken.",
    )
    checked_count = count("Rows it was held against.")
    failed_count = count("Rows that broke it.")
    failed_share = number("Share of rows that broke it.", "share", min=0, max=1)
    owner_seat_id = text("Seat that answers for the rule.")
    is_held = flag("Whether the whole delivery is held.", primary_key=True)
