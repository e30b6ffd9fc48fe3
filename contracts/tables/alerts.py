"""Alerts and the messages that told of them."""

from contracts.alerts import ROLES, STATES
from contracts.tables.base import Table, count, day, flag, instant, key, number, one_of, text
from contracts.tables.findings import GRADES


class FactAlert(Table):
    """One alert from its opening to its end.

    Grain: alert.
    Scope: every breach on evidence, and every feed that was late or had a delivery held; silenced ones too.
    Late data: an alert changes until it is resolved.
    Known limits: decided once a run, by the owners of that instant; what people did shows with the next
        release. It rests on the ledger: a warehouse that is made anew opens its alerts anew.
    Used by: weekly review; alert precision of the monthly review.
    """

    alert_id = key("Alert.")
    scope_type = one_of(("touchpoint", "feed"), "What it is about.")
    scope_id = text("Which touchpoint or feed.")
    metric = text("Metric; `freshness` for a feed.")
    goal_from = text("Beginning of the goal, as a day, or `always`; `contract` for a feed.")
    state = one_of(STATES, "Where it stands.")
    escalation_count = count("Times it climbed because nobody acknowledged it.", "times")
    opened_at = instant("When it was first seen.")
    began_date = day("First day of the weeks below the goal; of a feed, the day of its newest event.")
    fired_at = instant("When it fired; null while pending.", nullable=True)
    owner_at_open_id = text("Person accountable when it opened, or `nobody`.")
    owner_id = text("Person accountable when it was last looked at, or `nobody`.")
    told_count = count("People who know of it.", "people")
    is_silenced = flag("Whether it fired in a silence and nobody has been told since.")
    acked_at = instant("When it was acknowledged.", nullable=True)
    acked_by = text("By whom.", nullable=True)
    is_disputed = flag("Whether they dispute its evidence.")
    resolved_at = instant("When it ended.", nullable=True)
    n = count("Observations of the four weeks it was last decided on.", "observations", nullable=True)
    value = number("Value of those four weeks.", "metric's unit")
    value_low = number("Lower end of its 95 % interval.", "metric's unit")
    value_high = number("Upper end of its 95 % interval.", "metric's unit")
    goal = number("Level of the goal.", "metric's unit")
    trust_grade = one_of(GRADES, "Grade of trust of those four weeks, see metric_trust.", nullable=True)
    customer_count = count("Customers of the touchpoint in the last 28 days.", "customers", nullable=True)
    evidence = text("Every number it was last decided on, as JSON.")


class FactNotification(Table):
    """One message to one person on one channel.

    Grain: notification.
    Scope: whatever was to be told; none without `alerts:` in answerable.yaml.
    Late data: a notification changes until it is sent.
    Known limits: what is sent after a release shows with the next one.
    Used by: alert precision of the monthly review.
    """

    notification_id = key("Notification: its idempotency key.")
    alert_ids = text("Alerts it tells of, separated by `, `.")
    kind = text("breach, escalated, no_data, handed_over, resolved or digest.")
    owner_id = text("Person it is for.")
    role = one_of(ROLES, "As what they are told.")
    channel = text("Channel; empty when the settings name none for the role.")
    state = one_of(("waiting", "gathered", "due", "sending", "sent", "dead"), "Where it stands.")
    decided_at = instant("When it was decided.")
    sent_at = instant("When the channel took it.", nullable=True)
    attempt_count = count("Attempts.", "attempts")
    unsure_count = count("Attempts whose end nobody knows: it may have come more than once.", "attempts")
