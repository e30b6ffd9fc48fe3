"""The planted truths about what is measured: real changes, and what only looks like one."""

import polars as pl

from examples.larkspur import plan, when
from examples.larkspur.facts import Facts, Truth, truth

_TOP_TWO = pl.col("csat") >= 4


def build(facts: Facts) -> list[Truth]:
    """Return the truths about metrics, actions and sampling."""
    return [
        _metric_drop(facts),
        _healthy_noise(facts),
        _action_worked(facts),
        _action_without_effect(facts),
        _sampling_drift(facts),
    ]


def _counts(answers: pl.DataFrame) -> dict[str, int]:
    """Count answers, and those with a csat of 4 or 5."""
    return {"answers": answers.height, "top_two": answers.filter(_TOP_TWO).height}


def _two_sides(facts: Facts, survey: str) -> dict[str, object]:
    """Return a survey's true shares, and its counts, before its turn and from it on."""
    (_, before), (turn, after) = plan.SURVEY[survey].shares
    answers = facts.answers.filter(pl.col("survey") == survey)
    later = pl.col("at") >= when.seconds(turn)
    return {
        "true_share_before": before,
        "true_share_after": after,
        "before": _counts(answers.filter(~later)),
        "after": _counts(answers.filter(later)),
    }


def _metric_drop(facts: Facts) -> Truth:
    return truth(
        "metric_drop",
        "Satisfaction with delivery falls from 88 % to 70 % on 7 September 2026 and stays there.",
        "verdict",
        where={"touchpoint": "delivery", "survey": "delivery", "question": "csat"},
        when=plan.DELIVERY_DROPS.isoformat(),
        expect=_two_sides(facts, "delivery"),
    )


def _healthy_noise(facts: Facts) -> Truth:
    chat = plan.SURVEY["chat"]
    return truth(
        "healthy_noise",
        "Satisfaction with chat moves from week to week by chance alone; it is above its goal.",
        "verdict",
        where={"touchpoint": "chat", "survey": "chat", "question": "csat"},
        expect={
            "true_share": chat.shares[0][1],
            "goal": plan.CHAT_GOAL,
            "answers_a_week": chat.weekly(facts.scale),
            **_counts(facts.answers.filter(survey="chat")),
        },
    )


def _action_worked(facts: Facts) -> Truth:
    return truth(
        "action_worked",
        "Action A-1 lifts satisfaction with checkout from 84 % to 92 % on 13 April 2026.",
        "verification",
        where={"action": "A-1", "touchpoint": "checkout", "survey": "checkout"},
        when=plan.CHECKOUT_ACTION.isoformat(),
        expect=_two_sides(facts, "checkout"),
    )


def _action_without_effect(facts: Facts) -> Truth:
    return truth(
        "action_without_effect",
        "Action A-2 on 4 May 2026 leaves satisfaction with the help desk at 88 %.",
        "verification",
        where={"action": "A-2", "touchpoint": "help_desk", "survey": "help"},
        when=plan.HELP_ACTION.isoformat(),
        expect=_two_sides(facts, "help"),
    )


def _sampling_drift(facts: Facts) -> Truth:
    sent = facts.invitations.filter(survey="registration")
    later = pl.col("sent") >= when.seconds(plan.REGISTRATION_DRIFTS)
    sides = {"before": sent.filter(~later), "after": sent.filter(later)}
    segment = plan.DRIFT_SEGMENT
    return truth(
        "sampling_drift",
        "From 1 July 2026 the registration survey goes mostly to plus customers, who rate higher.",
        "sampling",
        where={"touchpoint": "account_registration", "survey": "registration", "segment": segment},
        when=plan.REGISTRATION_DRIFTS.isoformat(),
        expect={
            "true_shares": plan.REGISTRATION_SHARES,
            "invitations": {
                name: {"all": rows.height, segment: rows.filter(segment=segment).height}
                for name, rows in sides.items()
            },
            "csat": _registration_csat(facts),
        },
    )


def _registration_csat(facts: Facts) -> dict[str, dict[str, int]]:
    """Count the registration survey's answers before and after the drift."""
    answers = facts.answers.filter(survey="registration")
    later = pl.col("at") >= when.seconds(plan.REGISTRATION_DRIFTS)
    return {"before": _counts(answers.filter(~later)), "after": _counts(answers.filter(later))}
