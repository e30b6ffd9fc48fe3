"""The inbox: what was accepted is kept, once, until it stands in a file."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from contracts.errors import StoreError
from warehouse.inbox import PUT_MAX, Inbox, Pushed
from warehouse.ledger import InboxRow, Ledger

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def pushed(id_: str, body: bytes = b"{}", feed: str = "chat") -> Pushed:
    return Pushed(feed=feed, delivery_id=id_, received_at=NOW, sha256=body.hex(), body=body)


@pytest.fixture
def inbox(ledger: Ledger) -> Inbox:
    return Inbox(ledger)


def test_a_delivery_is_kept_once_and_known_when_it_is_repeated(inbox: Inbox):
    assert inbox.put([pushed("a"), pushed("b")]) == ["accepted", "accepted"]
    assert inbox.put([pushed("b"), pushed("c")]) == ["known", "accepted"]
    assert inbox.waiting() == {"chat": 3}


def test_of_two_with_one_id_in_one_batch_the_first_is_kept(inbox: Inbox):
    batch = [pushed("a"), pushed("a"), pushed("a", b"[]")]
    assert inbox.put(batch) == ["accepted", "known", "other"]
    assert [one.body for one in inbox.accepted("chat", 10, 100)] == [b"{}"]


def test_another_content_under_a_known_id_is_told_apart(inbox: Inbox):
    inbox.put([pushed("a", b'{"score":1}')])
    assert inbox.put([pushed("a", b'{"score":2}')]) == ["other"]


def test_one_id_may_be_used_by_two_feeds(inbox: Inbox):
    assert inbox.put([pushed("a"), pushed("a", feed="mail")]) == ["accepted", "accepted"]
    assert inbox.waiting() == {"chat": 1, "mail": 1}


def test_more_than_one_statement_takes_are_kept_in_their_order(inbox: Inbox):
    many = [pushed(f"{number}") for number in range(2 * PUT_MAX + 7)]
    assert inbox.put(many) == ["accepted"] * len(many)
    found = inbox.accepted("chat", 10_000, 10**9)
    assert [one.delivery_id for one in found] == [one.delivery_id for one in many]
    assert [one.number for one in found] == sorted(one.number for one in found)


def test_a_share_of_what_waits_is_taken_by_number_and_by_size(inbox: Inbox):
    inbox.put([pushed(f"{number}", bytes(10)) for number in range(9)])
    assert len(inbox.accepted("chat", 4, 10**9)) == 4
    assert len(inbox.accepted("chat", 100, 25)) == 3


def test_from_claimed_to_landed_and_the_body_goes_but_the_delivery_stays_known(inbox: Inbox):
    inbox.put([pushed("a"), pushed("b"), pushed("c")])
    first, second, _ = inbox.accepted("chat", 10, 100)
    inbox.claim([first.number, second.number], "inbox/chat/1.jsonl")
    assert [one.delivery_id for one in inbox.accepted("chat", 10, 100)] == ["c"]
    assert {name: [one.delivery_id for one in told] for name, told in inbox.claimed("chat").items()} == {
        "inbox/chat/1.jsonl": ["a", "b"]
    }
    assert inbox.waiting() == {"chat": 3}
    inbox.landed("chat", "inbox/chat/1.jsonl", NOW)
    assert (inbox.claimed("chat"), inbox.waiting()) == ({}, {"chat": 1})
    assert inbox.counts() == {"accepted": 1, "landed": 2}
    assert inbox.newest_file("chat") == "inbox/chat/1.jsonl"
    with inbox.ledger.reading() as session:
        bodies = dict(map(tuple, session.execute(sa.select(InboxRow.delivery_id, InboxRow.body))))
    assert bodies == {"a": None, "b": None, "c": b"{}"}
    assert inbox.put([pushed("a")]) == ["known"]


def test_headers_and_instant_come_back_as_they_were(inbox: Inbox):
    sent = replace(pushed("a"), headers={"content-type": "application/json"})
    inbox.put([sent])
    assert inbox.accepted("chat", 1, 1) == [replace(sent, number=1)]


def test_two_that_put_the_same_at_once_keep_it_once(inbox: Inbox, tmp_path: Path):
    other = Inbox(
        Ledger(tmp_path, inbox.ledger.engine.url.render_as_string(hide_password=False), is_resident=True)
    )
    kept: list[list[str]] = []
    many = [[pushed(f"{number}-{which}") for which in range(10)] for number in range(20)]

    def put(one: Inbox) -> None:
        for batch in many:
            kept.append(one.put(batch))  # noqa: PERF401 - one after the other

    threads = [threading.Thread(target=put, args=(one,)) for one in (inbox, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [state for states in kept for state in states]
    assert (every.count("accepted"), every.count("known")) == (200, 200)
    assert inbox.counts() == {"accepted": 200}
    other.ledger.engine.dispose()


def test_what_cannot_be_kept_is_an_error_and_nothing_of_it_is_kept(inbox: Inbox):
    with pytest.raises(StoreError):
        inbox.put([pushed("a"), replace(pushed("b"), sha256=None)])  # ty: ignore[invalid-argument-type]
    assert inbox.counts() == {}


def test_other_databases_are_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ledger.engine.dialect, "name", "oracle")
    with pytest.raises(StoreError, match=r"cannot be kept in oracle\. Use sqlite or postgresql\."):
        Inbox(ledger)
