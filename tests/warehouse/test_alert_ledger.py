"""Alerts in the ledger: a transition and its letters are written together, and no letter is lost or sent twice."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from contracts.alerts import Decision, Episode, Key, Letter, Silence, Told
from contracts.errors import StoreError
from warehouse.alert_ledger import AlertLedger
from warehouse.alert_rows import AlertRow, OutboxRow
from warehouse.ledger import Ledger

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
LEASE = timedelta(minutes=3)
KEY = Key("touchpoint", "delivery", "csat", "always")
EPISODE = Episode(
    id=KEY.episode(NOW),
    key=KEY,
    state="firing",
    reason="breach_on_evidence",
    opened_at=NOW,
    began=NOW.date(),
    fired_at=NOW,
    owner_at_open="ben",
    owner="ben",
    told=(Told("ben", "owner", is_interrupt=True),),
    due_at=NOW + timedelta(days=2),
    facts={"n": 281, "value": 0.68, "week_end": "2026-03-02"},
)
FIRED = Decision(key=KEY, reason="breach_on_evidence", after=EPISODE, facts=EPISODE.facts)
LETTER = Letter(
    kind="breach",
    person="ben",
    role="owner",
    channel="mail",
    alerts=(EPISODE.id,),
    messages=({"alert": EPISODE.id},),
    interrupts=1,
)


@pytest.fixture
def alerts(ledger: Ledger) -> AlertLedger:
    return AlertLedger(ledger)


def post(alerts: AlertLedger, *letters: Letter, due: datetime = NOW) -> list[str]:
    with alerts.deciding() as book:
        return [book.post(letter, NOW, NOW, due) for letter in letters]


def test_an_alert_comes_back_as_it_was_written(alerts: AlertLedger):
    with alerts.deciding() as book:
        book.put(FIRED, NOW, NOW)
    with alerts.reading() as book:
        assert book.episodes() == [EPISODE]
        assert [(one.before, one.after, one.reason) for one in book.history(EPISODE.id)] == [
            (None, "firing", "breach_on_evidence")
        ]


def test_looking_at_it_again_is_no_event_but_what_people_do_is(alerts: AlertLedger):
    acked = replace(EPISODE, state="acknowledged", acked_by="ben", acked_at=NOW, due_at=None)
    with alerts.deciding() as book:
        book.put(FIRED, NOW, NOW)
        seen = replace(EPISODE, facts={"n": 290})
        book.put(Decision(key=KEY, reason="still_missed", before=EPISODE, after=seen), NOW, NOW)
        book.put(Decision(key=KEY, reason="acknowledged", before=seen, after=acked), NOW, NOW, by="ben")
        book.put(Decision(key=KEY, reason="acknowledged", before=acked, after=acked), NOW, NOW, by="ben")
    with alerts.reading() as book:
        told = [(one.reason, one.by) for one in book.history(EPISODE.id)]
        assert told == [("breach_on_evidence", None), ("acknowledged", "ben"), ("acknowledged", "ben")]
        assert book.episodes() == [acked]


def test_two_open_alerts_of_one_key_cannot_be_kept(alerts: AlertLedger):
    with alerts.deciding() as book:
        book.put(FIRED, NOW, NOW)
    second = replace(EPISODE, id="other", opened_at=NOW + timedelta(days=1))
    with pytest.raises(StoreError), alerts.deciding() as book:
        book.put(replace(FIRED, after=second), NOW, NOW)
    ended = replace(EPISODE, state="resolved", resolved_at=NOW)
    with alerts.deciding() as book:
        book.put(Decision(key=KEY, reason="back_at_goal", before=EPISODE, after=ended), NOW, NOW)
        book.put(replace(FIRED, after=second), NOW, NOW)
    with alerts.reading() as book:
        assert book.episodes(only_open=True) == [second]
        assert len(book.episodes()) == 2


def test_a_transition_that_fails_leaves_no_letter(alerts: AlertLedger):
    def fail() -> None:
        with alerts.deciding() as book:
            book.put(FIRED, NOW, NOW)
            book.post(LETTER, NOW, NOW, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert alerts.letters() == []
    with alerts.reading() as book:
        assert book.episodes() == []


def test_letters_are_sent_once_the_oldest_first_and_not_before_they_are_due(alerts: AlertLedger):
    first, second = post(alerts, LETTER, replace(LETTER, person="ada"))
    (later,) = post(alerts, LETTER, due=NOW + timedelta(hours=1))
    claimed = [alerts.claim("w", NOW, LEASE) for _ in range(3)]
    assert [one.id if one else None for one in claimed] == [first, second, None]
    assert claimed[0] is not None
    assert claimed[0].letter == LETTER
    for id_ in (first, second):
        alerts.note_sent(id_, "w", NOW, "taken")
    assert alerts.counts() == {"sent": 2, "due": 1}
    due = alerts.claim("w", NOW + timedelta(hours=1), LEASE)
    assert due is not None
    assert (due.id, due.attempt_count, due.unsure_count) == (later, 1, 0)


def test_a_letter_whose_sender_was_killed_is_sent_again_and_counted(alerts: AlertLedger):
    (id_,) = post(alerts, LETTER)
    assert alerts.claim("killed", NOW, LEASE) is not None
    assert alerts.claim("other", NOW + LEASE - timedelta(seconds=1), LEASE) is None
    again = alerts.claim("other", NOW + LEASE, LEASE)
    assert again is not None
    assert (again.id, again.attempt_count, again.unsure_count) == (id_, 2, 1)
    alerts.note_sent(id_, "killed", NOW, "late news")
    assert alerts.counts() == {"sending": 1}, "whoever lost it can no longer say what became of it"
    alerts.note_sent(id_, "other", NOW, None)
    assert alerts.counts() == {"sent": 1}
    assert alerts.unsure() == {"mail": 1}


def test_what_is_in_doubt_comes_after_what_is_not(alerts: AlertLedger):
    first, second, third = post(alerts, LETTER, LETTER, LETTER)
    alerts.claim("killed", NOW, LEASE)
    claimed = [alerts.claim("w", NOW + LEASE, LEASE) for _ in range(3)]
    assert [one.id if one else None for one in claimed] == [second, third, first]


def test_a_failed_letter_waits_a_refused_one_is_dead_and_can_be_revived(alerts: AlertLedger):
    (id_,) = post(alerts, LETTER)
    alerts.claim("w", NOW, LEASE)
    alerts.note_again(id_, "w", NOW + timedelta(minutes=1), "HTTP 503", unsure=False)
    assert alerts.claim("w", NOW, LEASE) is None
    alerts.claim("w", NOW + timedelta(minutes=1), LEASE)
    alerts.note_dead(id_, "w", "HTTP 410")
    (dead,) = alerts.letters("dead")
    assert (dead.error, dead.attempt_count) == ("HTTP 410", 2)
    assert alerts.claim("w", NOW + timedelta(days=1), LEASE) is None
    assert alerts.revive(NOW) == 1
    assert alerts.claim("w", NOW, LEASE) is not None


def test_a_letter_without_a_channel_is_dead_at_once_and_says_why(alerts: AlertLedger):
    post(alerts, replace(LETTER, channel=""))
    (dead,) = alerts.letters("dead")
    assert dead.error == "the settings name no channel for the role 'owner'"
    assert alerts.revive(NOW) == 0, "sending it is no use until the settings change"


def test_what_waits_is_gathered_into_one_digest(alerts: AlertLedger):
    post(alerts, replace(LETTER, is_waiting=True), replace(LETTER, is_waiting=True))
    assert alerts.claim("w", NOW, LEASE) is None
    with alerts.deciding() as book:
        assert book.waiting(NOW) == []
        waiting = book.waiting(NOW + timedelta(days=7))
        digest = replace(LETTER, kind="digest")
        book.post(digest, NOW, NOW, NOW, [one.number for one in waiting])
    assert alerts.counts() == {"gathered": 2, "due": 1}


def test_interruptions_are_counted_by_person_since_the_week_began(alerts: AlertLedger):
    post(alerts, LETTER, replace(LETTER, interrupts=2), replace(LETTER, person="ada", interrupts=0))
    with alerts.reading() as book:
        assert book.spent(NOW) == {"ben": 3}
        assert book.spent(NOW + timedelta(seconds=1)) == {}


def test_a_silence_ends_when_it_says_or_when_somebody_ends_it(alerts: AlertLedger):
    asked = Silence(
        id=0,
        touchpoint="delivery",
        metric=None,
        reason="strike",
        author="ben",
        starts_at=NOW,
        ends_at=NOW + timedelta(days=3),
    )
    with alerts.deciding() as book:
        number = book.silence(asked, NOW)
        (kept,) = book.silences()
        assert kept == replace(asked, id=number)
        assert book.unsilence(number, NOW + timedelta(days=1), "ada")
        assert not book.unsilence(number, NOW + timedelta(days=2), "ada")
        (kept,) = book.silences()
        assert not kept.covers(KEY, NOW + timedelta(days=1))


def test_two_pumps_never_take_the_same_letter(alerts: AlertLedger):
    ids = post(alerts, *[LETTER] * 24)
    taken: list[str] = []

    def work(name: str) -> None:
        while (one := alerts.claim(name, NOW, LEASE)) is not None:
            taken.append(one.id)
            alerts.note_sent(one.id, name, NOW, None)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(ids)


def test_two_who_decide_at_once_open_one_alert(alerts: AlertLedger):
    barrier = threading.Barrier(2)
    opened: list[int] = []

    def decide() -> None:
        barrier.wait()
        with alerts.deciding() as book:
            if not book.episodes(only_open=True):
                book.put(FIRED, NOW, NOW)
                book.post(LETTER, NOW, NOW, NOW)
                opened.append(1)

    threads = [threading.Thread(target=decide) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [1]
    assert len(alerts.letters()) == 1


def test_the_database_itself_refuses_a_second_open_alert(alerts: AlertLedger):
    with alerts.deciding() as book:
        book.put(FIRED, NOW, NOW)
    columns = {column.key: column for column in AlertRow.__table__.columns}
    with alerts.ledger.engine.connect() as connection:
        row = connection.execute(sa.select(AlertRow.__table__)).mappings().one()
        with pytest.raises(IntegrityError):
            connection.execute(sa.insert(AlertRow), [{**row, "id": "twin"}])
    assert set(columns) == set(row)
    assert "id" in OutboxRow.__table__.columns
