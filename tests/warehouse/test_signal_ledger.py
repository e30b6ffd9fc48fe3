"""Signals in the ledger: once each, in order, until they were read back or are too old."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.signals import BY_NAME, KINDS, Signal, slug
from warehouse.ledger import Ledger
from warehouse.signal_ledger import GOOD_FOR, KEPT_FOR, SEEN_AFTER, SignalLedger, add_signals

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def landed(key: str = "r1", at: datetime = NOW, feed: str = "survey") -> Signal:
    return Signal(
        name="answerable.feed.landed", workspace="shop", subject=feed, occurred_at=at, key=key,
        payload={"run": key}, owner="ada",
    )  # fmt: skip


@pytest.fixture
def signals(ledger: Ledger) -> SignalLedger:
    return SignalLedger(ledger)


def test_a_fact_told_twice_is_one_signal(signals: SignalLedger):
    signals.add([landed(), landed(), landed("r2")], NOW)
    signals.add([landed()], NOW + timedelta(hours=1))
    signals.add([], NOW)
    assert signals.counts() == {"due": 2}


def test_a_unit_of_work_that_fails_tells_nothing(signals: SignalLedger):
    def fail() -> None:
        with signals.ledger.writing() as session:
            add_signals(session, [landed()], NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert signals.counts() == {}


def test_one_that_was_taken_but_never_seen_is_emitted_again_and_one_that_was_seen_is_not(
    signals: SignalLedger,
):
    signals.add([landed("lost"), landed("kept")], NOW)
    lost, kept = [one.id for one in signals.claim(NOW)]
    signals.note_emitted([lost, kept], NOW)
    assert signals.claim(NOW + SEEN_AFTER / 2) == []
    assert signals.unconfirmed() == [lost, kept]
    signals.note_confirmed([kept])
    again = signals.claim(NOW + SEEN_AFTER)
    assert [(one.id, one.event["id"]) for one in again] == [(lost, lost)]


def test_what_a_killed_emitter_claimed_is_due_still(signals: SignalLedger):
    signals.add([landed()], NOW)
    assert [one.id for one in signals.claim(NOW)] == [one.id for one in signals.claim(NOW)]


def test_a_late_note_does_not_make_a_seen_one_due_again(signals: SignalLedger):
    signals.add([landed()], NOW)
    (one,) = signals.claim(NOW)
    signals.note_confirmed([one.id])
    signals.note_emitted([one.id], NOW)
    assert signals.counts() == {"confirmed": 1}


def test_a_wake_up_of_yesterday_wakes_nobody_and_is_forgotten_in_time(signals: SignalLedger):
    signals.add([landed("old"), landed("new", NOW + GOOD_FOR)], NOW)
    signals.expire(NOW + GOOD_FOR + timedelta(seconds=1))
    assert signals.counts() == {"due": 1, "expired": 1}
    signals.expire(NOW + KEPT_FOR + timedelta(seconds=1))
    assert signals.counts() == {}, "both were written at one instant"


def test_an_event_has_the_resource_labels_and_owner_that_the_page_promises():
    event = landed().event()
    assert event["resource"] == {
        "prefect.resource.id": "answerable.feed.shop.survey",
        "prefect.resource.name": "survey",
        "answerable.workspace": "shop",
    }
    assert event["related"] == [
        {"prefect.resource.id": "answerable.workspace.shop", "prefect.resource.role": "workspace"},
        {"prefect.resource.id": "answerable.person.shop.ada", "prefect.resource.role": "owner"},
    ]
    assert (event["id"], event["occurred"]) == (landed().id, "2026-11-22T08:00:00+00:00")


def test_every_word_is_a_noun_and_what_happened_to_it():
    assert len(BY_NAME) == len(KINDS)
    for kind in KINDS:
        product, _, happened = kind.name.split(".")
        assert product == "answerable"
        assert happened.endswith("ed") or happened in ("broken", "overdue")


@pytest.mark.parametrize(
    ("name", "short"),
    [("Larkspur (synthetic)", "larkspur-synthetic"), ("Ä & Ö", None), ("  ", None), ("a" * 80, "a" * 48)],
)
def test_a_workspace_is_told_by_a_short_name(name: str, short: str | None):
    assert slug(name) == short if short else slug(name)
