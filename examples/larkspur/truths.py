"""The planted truths about the company: who owns what, and what its register lacks."""

import polars as pl

from examples.larkspur import delivered, measured, plan
from examples.larkspur.facts import Facts, Truth, truth


def build(facts: Facts) -> list[Truth]:
    """Return all truths: about the company, its metrics, and the delivery of its data."""
    return [
        _owner_change(facts),
        _vacancy(facts),
        _unowned_touchpoint(facts),
        _no_metric(facts),
        _no_goal(facts),
        _shadowed_rule(facts),
        _unmatched_kind(facts),
        _ping_pong(facts),
        *_of_the_map(),
        *measured.build(facts),
        *delivered.build(facts),
    ]


def _seat(name: str) -> plan.Seat:
    return next(seat for seat in plan.SEATS if seat.name == name)


def _owner_change(facts: Facts) -> Truth:
    before, after = _seat("head_of_last_mile").terms
    events = facts.events_at("delivery")
    berlin_day = pl.col("occurred_at").dt.convert_time_zone(plan.ZONE).dt.date()
    that_day = events.filter(berlin_day == after.since.date())
    people = (before.person, after.person)
    return truth(
        "owner_change",
        "Delivery passes from bo to dana in the middle of 14 August 2026.",
        "attribution",
        where={"touchpoint": "delivery", "seat": "head_of_last_mile"},
        when=after.since.isoformat(),
        expect={
            "before": before.person,
            "after": after.person,
            "events_that_day": {name: that_day.filter(person=name).height for name in people},
            "events": {name: events.filter(person=name).height for name in people},
        },
    )


def _vacancy(facts: Facts) -> Truth:
    before, vacant, after = _seat("head_of_returns").terms
    return truth(
        "vacancy",
        "Nobody holds returns between petra and jonas.",
        "attribution",
        where={"touchpoint": "returns", "seat": "head_of_returns"},
        when={"from": vacant.since.isoformat(), "until": after.since.isoformat()},
        expect={
            "before": before.person,
            "after": after.person,
            "events_of_nobody": facts.events_at("returns")["person"].null_count(),
        },
    )


def _unowned_touchpoint(facts: Facts) -> Truth:
    return truth(
        "unowned_touchpoint",
        "No seat answers for referral.",
        "audit",
        where={"touchpoint": plan.UNOWNED_TOUCHPOINT},
        expect={"events_of_nobody": facts.events_at(plan.UNOWNED_TOUCHPOINT).height},
    )


def _no_metric(facts: Facts) -> Truth:
    return truth(
        "no_metric",
        "Nothing measures order confirmation.",
        "audit",
        where={"touchpoint": "order_confirmation"},
        expect={"metrics": 0, "events": facts.events_at("order_confirmation").height},
    )


def _no_goal(facts: Facts) -> Truth:
    return truth(
        "no_goal",
        "Payment is measured, but no goal is set for it.",
        "audit",
        where={"touchpoint": "payment", "survey": "payment"},
        expect={"goals": 0, "answers": facts.answers.filter(survey="payment").height},
    )


def _shadowed_rule(facts: Facts) -> Truth:
    return truth(
        "shadowed_rule",
        "The rule for refunds by phone never wins: the returns desk's rule takes them first.",
        "audit",
        where={"rule": plan.SHADOWED_RULE},
        expect={
            "shadowed_by": plan.SHADOWED_BY,
            "events_won": 0,
            "refunds_by_phone": facts.history.filter(stage="refund_paid", channel="phone").height,
        },
    )


def _unmatched_kind(facts: Facts) -> Truth:
    return truth(
        "unmatched_kind",
        "Sold gift cards belong to no touchpoint.",
        "audit",
        where={"feed": "crm", "kind": "crm.gift_card_sold"},
        expect={"events": facts.history.filter(stage="gift_card_sold").height},
    )


def _of_the_map() -> list[Truth]:
    """Return what the map itself leaves open, whatever the events are."""
    return [
        _open_end("nobody_responsible", "Nobody is said to do the work in the chat.", "chat"),
        _open_end("no_review", "No review looks at closing the account.", "account_closure"),
        _open_end("few_answers", "Too few answer about closing the account to judge it.", "account_closure"),
        _open_end(
            "judged_collect",
            "The shop selects whom to ask about opening an account, by which it is judged.",
            "account_registration",
        ),
        _open_end(
            "goal_incomplete",
            "The goal for living with Larkspur does not say where it started.",
            "relationship",
        ),
        _open_end(
            "stale_validation", "The front line last confirmed waiting for dispatch in January.", "dispatch"
        ),
        _open_end(
            "waived_gap",
            "Nobody of the front line ever confirmed cancelling; that is waived until February.",
            "cancellation",
            until=plan.WAIVED_UNTIL.isoformat(),
            state="waived",
        ),
        _open_end(
            "expired_waiver",
            "The waiver of the missing goal for payment ran out in September.",
            "payment",
            until=plan.WAIVER_ENDED.isoformat(),
            state="reopened",
        ),
    ]


def _open_end(kind: str, sentence: str, touchpoint: str, **expect: str) -> Truth:
    return truth(kind, sentence, "audit", where={"touchpoint": touchpoint}, expect=expect)


def _ping_pong(facts: Facts) -> Truth:
    pair = [plan.FULFILMENT, plan.CARRIER_DESK]
    moves = facts.entries.filter(field="group").sort("ticket", "seq")
    between = moves.filter(pl.col("from").is_in(pair), pl.col("to").is_in(pair))
    returned = moves.filter(~pl.struct("ticket", "to").is_first_distinct())
    return truth(
        "ping_pong",
        "Missing parcels bounce between fulfilment and the carrier desk.",
        "audit",
        where={"teams": ["fulfilment", "carrier_desk"], "category": plan.PING_PONG_CATEGORY},
        expect={
            "handoffs": between.height,
            "handoffs_to_carrier_desk": between.filter(to=plan.CARRIER_DESK).height,
            "handoffs_to_fulfilment": between.filter(to=plan.FULFILMENT).height,
            "tickets_between": between["ticket"].n_unique(),
            "tickets_returned": returned["ticket"].n_unique(),
        },
    )
