"""Customers who come and go, by volume and value, and cohorts that stay."""

import dataframely as dy
import polars as pl

from contracts.tables.base import Table, count, day, flag, key, number, one_of, text
from contracts.tables.scorecards import FLOW_PERIODS

_VALUE = "group's unit"


def _share(description: str) -> dy.Float64:
    return number(description, "share", min=0, max=1)


class FactCustomerFlow(Table):
    """Opening, gained, back, lost, closing: by volume and value, and what share stayed.

    Grain: group, segment, period.
    Scope: the map's groups of customers (`customers:`); `all` is every segment together. The release is not
        published unless opening + gained + back - lost = closing, in volume and value, and a period
        closes with what the next one opens with; opening and closing are counted by themselves.
    Late data: every run rewrites every period.
    Known limits: nobody is a customer before their first event; where nobody says goodbye, losing
        somebody is known so many days later (`lapse_days`), and counts then. A customer's value is fixed on
        its basis for all their time as one, so it moves with what is told later.
    Used by: wall one of the customer room.
    """

    customer_group = key("Group of customers in the map.")
    segment = key("Segment of the group, `(none)` when the event has none, or `all`.")
    period = one_of(FLOW_PERIODS, "Length of the period.", primary_key=True)
    period_start = day("First day of the period.", primary_key=True)
    period_end = day("First day after the period.")
    unit = text("Unit of the values.")
    opening_count = count("Customers when the period began.", "customers")
    gained_count = count("Those who became one for the first time.", "customers")
    back_count = count("Those who had been lost and came back.", "customers")
    lost_count = count("Those who left or lapsed.", "customers")
    lost_new_count = count("Of the lost those who had come within the period.", "customers")
    closing_count = count("Customers when the period ended, or now.", "customers")
    opening_value = number("What they were worth.", _VALUE, nullable=False)
    gained_value = number("What those gained are worth.", _VALUE, nullable=False)
    back_value = number("What those who came back are worth.", _VALUE, nullable=False)
    lost_value = number("What those lost were worth.", _VALUE, nullable=False)
    lost_new_value = number(
        "What those of them were worth who had come within the period.", _VALUE, nullable=False
    )
    closing_value = number("What those there at the end are worth.", _VALUE, nullable=False)
    retained_count = count(
        "Of those at the beginning those who stayed until the end; who left and came back within the period did not.",
        "customers",
    )
    retention_share = _share("Retained of opening; null without opening customers.")
    retention_low = _share("Lower end of its 95 % interval (Wilson).")
    retention_high = _share("Upper end.")
    churn_share = _share("Lost from the opening of opening: 1 less retention.")
    value_churn_share = number("The same by value.", "share")
    is_final = flag("Whether the period has ended.")

    @dy.rule()
    def balances(cls) -> pl.Expr:
        """Opening and gained and back less lost is closing."""
        came = pl.col("opening_count") + pl.col("gained_count") + pl.col("back_count")
        return came - pl.col("lost_count") == pl.col("closing_count")

    @dy.rule()
    def value_balances(cls) -> pl.Expr:
        """So are the values, to a thousandth of the unit."""
        came = pl.col("opening_value") + pl.col("gained_value") + pl.col("back_value")
        return (came - pl.col("lost_value") - pl.col("closing_value")).abs() < 1e-3 + 1e-12 * came.abs()

    @dy.rule()
    def closes_with_the_next_opening(cls) -> pl.Expr:
        """A period closes with what the next one opens with."""
        series = ("customer_group", "segment", "period")
        following = pl.col("opening_count").shift(-1).over(series, order_by="period_start")
        return following.is_null() | (following == pl.col("closing_count"))


class FactCustomerLoss(Table):
    """Why customers were lost.

    Grain: group, period, reason.
    Scope: as fact_customer_flow, all segments together.
    Late data: every run rewrites every period.
    Known limits: a reason is what the event that ended it says; who lapsed gives none.
    Used by: wall one of the customer room.
    """

    customer_group = key("Group of customers in the map.")
    period = one_of(FLOW_PERIODS, "Length of the period.", primary_key=True)
    period_start = day("First day of the period.", primary_key=True)
    reason = key("Reason as recorded, `lapsed`, or `(none)` when the event gives none.")
    lost_count = count("Customers lost for it.", "customers")
    lost_value = number("What they were worth.", _VALUE, nullable=False)
    unit = text("Unit of the value.")


class FactCustomerCohort(Table):
    """Of the customers first active in a month, how many are active so many months later.

    Grain: group, month of the first active event, months after it.
    Scope: every month up to the running one, zeros included.
    Late data: every run rewrites every row.
    Known limits: a month that is not over shows too few; `is_partial` says so. Who is active in a later month counts
        as active until then only in the unbounded share, whose newest cells still grow.
    Used by: wall one of the customer room.
    """

    customer_group = key("Group of customers in the map.")
    cohort_start = day("First day of the month of their first active event.", primary_key=True)
    months_after = count("Months after it.", "months", primary_key=True)
    cohort_count = count("Customers of the cohort.", "customers")
    active_count = count("Those active in exactly that month.", "customers")
    active_or_later_count = count("Those active in that month or later.", "customers")
    retention_share = _share("Active in exactly that month, of the cohort (bounded).")
    retention_low = _share("Lower end of its 95 % interval (Wilson).")
    retention_high = _share("Upper end.")
    unbounded_share = _share("Active in that month or later, of the cohort.")
    is_partial = flag("Whether the month is not over.")
