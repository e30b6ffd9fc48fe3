"""Findings: what nobody owns, measures or aims for, and what the feeds did not deliver."""

from contracts.tables.base import Table, count, flag, instant, key, number, one_of, text

SEVERITIES = ("critical", "warning", "info")
STATES = ("open", "waived", "reopened")


class GapFinding(Table):
    """What the map leaves open, held against what customers lived through.

    Grain: rule, object.
    Scope: the map in force, and events of the whole history. A waived finding stays, and is reopened by
        itself when its waiver has ended.
    Late data: every run rewrites every finding.
    Known limits: events and customers at stake are those of the last 28 days, or, for a vacancy or a
        kind of event, of the time it lasted.
    Used by: weekly review; wall three of the customer room.
    """

    rule = key("Rule of the audit.")
    object_type = key("What it is about: touchpoint, stage, seat, person, rule, kind, teams, feed, waiver.")
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
    Known limits: rows_read = rows_accepted + rows_quarantined + rows_duplicate, asserted every run.
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
    quarantine_share = number("Share of rows read that broke the contract.", "share", min=0, max=1)
    newest_event_at = instant("Newest event of the feed.", nullable=True)
    age_hours = number("How old it is.", "hours")
    age_max_hours = number("How old the contract lets it be.", "hours")
    is_late = flag("Whether it is older than that.")


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
