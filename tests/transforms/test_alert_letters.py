"""Letters: one a person and run, a budget of interruptions by customers, the rest in one digest."""

from dataclasses import replace
from datetime import UTC, datetime

from contracts.alert_settings import Alerts
from contracts.alerts import AlertMessage, Decision, Episode, Key, Letter, Notice, NoticeKind, Rung, Told
from tests.flows.letters import BREACH
from transforms.alert_letters import Waiting, apportion, digests, letters

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
SETTINGS = Alerts.model_validate(
    {
        "channels": [{"id": "mail", "kind": "console"}, {"id": "chat", "kind": "console"}],
        "roles": {"owner": ["mail", "chat"], "default": "mail"},
    }
)


def decided(
    name: str, customers: int | None, person: str = "ann", kind: NoticeKind = "breach", **more: object
) -> Decision:
    """A decision that tells one person."""
    key = Key("touchpoint", name, "csat", "always")
    after = Episode(
        id=name,
        key=key,
        state="firing",
        reason="breach_on_evidence",
        opened_at=NOW,
        began=NOW.date(),
        told=(Told(person, "owner", is_interrupt=True),),
    )
    rung = Rung("owner", person, "seat", "role accountable")
    return Decision(
        key=key,
        reason="breach_on_evidence",
        after=after,
        notices=(Notice(kind, rung, **more),),
        facts={"customers": customers},
    )


def say(decision: Decision, notice: Notice) -> AlertMessage:
    return replace(BREACH, alert=decision.after.id if decision.after else "", kind=notice.kind)


def written(decisions: list[Decision], spent: dict[str, int] | None = None, limit: int = 3) -> list[Letter]:
    return letters(apportion(decisions, spent or {}, limit), SETTINGS, say)


def test_what_a_person_is_told_in_one_run_is_one_letter_a_channel():
    found = written([decided("a", 5), decided("b", 9), decided("c", 1, "ben")])
    assert [(one.person, one.channel, sorted(one.alerts)) for one in found] == [
        ("ann", "chat", ["a", "b"]),
        ("ann", "mail", ["a", "b"]),
        ("ben", "chat", ["c"]),
        ("ben", "mail", ["c"]),
    ]
    assert sum(one.interrupts for one in found if one.person == "ann") == 2, "two channels interrupt once"


def test_beyond_the_budget_those_with_fewest_customers_wait():
    decisions = apportion([decided("a", 5), decided("b", 900), decided("c", None), decided("d", 70)], {}, 2)
    assert [one.notices[0].is_digest for one in decisions] == [True, False, True, False]
    told = [one.after.told[0].is_interrupt for one in decisions if one.after]
    assert told == [False, True, False, True], "their end will wait for the digest, too"


def test_what_was_spent_this_week_counts_and_ends_do_not():
    ended = decided("z", 5, kind="resolved")
    first, second = apportion([decided("a", 5), ended], {"ann": 3}, 3)
    assert first.notices[0].is_digest
    assert not second.notices[0].is_digest
    assert not apportion([decided("a", 5, "ben")], {"ann": 3}, 3)[0].notices[0].is_digest


def test_a_role_without_a_channel_is_a_letter_that_goes_nowhere_and_is_seen():
    settings = SETTINGS.model_copy(update={"roles": {}})
    (letter,) = letters([decided("a", 5)], settings, say)
    assert letter.channel == ""


def test_a_digest_holds_all_that_waits_those_with_most_customers_first():
    waiting = [
        Waiting(number, replace(one, messages=({**one.messages[0], "facts": {"customers": number}},)))
        for number, one in enumerate(written([decided("a", 5), decided("b", 9)], limit=0))
        if one.channel == "mail"
    ]
    ((digest, numbers),) = digests(waiting)
    assert (digest.kind, digest.person, digest.interrupts) == ("digest", "ann", 0)
    assert sorted(numbers) == sorted(one.number for one in waiting)
    assert [one["facts"]["customers"] for one in digest.messages] == sorted(numbers, reverse=True)
