"""Alerts in the ledger: what was decided is written together with the letters that tell of it."""

import uuid
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.alerts import Decision, Episode, Key, Letter, Silence, Told, plain
from warehouse.alert_rows import AlertEventRow, AlertRow, OutboxRow, SilenceRow
from warehouse.ledger import Ledger

NO_CHANNEL = "the settings name no channel for the role {role!r}"
_PLAIN = {one.name for one in fields(Episode)} - {"key", "told", "facts"}

Waited = Literal["waiting", "gathered", "due", "sending", "sent", "dead"]


@dataclass(frozen=True)
class Posted:
    """A letter in the outbox.

    Attributes:
        number: Its place in the order of writing.
        id: Its idempotency key.
        letter: What it says, to whom, through what.
        state: waiting, gathered, due, sending, sent or dead.
        decided_at: The workspace's instant of the decision.
        recorded_at: The real instant it was written.
        not_before: When it is due.
        attempt_count: Attempts so far, a running one included.
        unsure_count: Attempts whose end nobody knows.
        sent_at: When the channel took it.
        error: Why the last attempt failed.
    """

    number: int
    id: str
    letter: Letter
    state: Waited
    decided_at: datetime
    recorded_at: datetime
    not_before: datetime
    attempt_count: int
    unsure_count: int
    sent_at: datetime | None
    error: str | None


@dataclass(frozen=True)
class Happened:
    """One thing that happened to an alert: when, from which state to which, why, by whom."""

    alert: str
    at: datetime
    before: str | None
    after: str
    reason: str
    by: str | None


class AlertLedger:
    """The alerts of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    @contextmanager
    def deciding(self) -> Generator["Book"]:
        """A unit of work in which nobody else decides, acknowledges or silences; commits at the end."""
        with self.ledger.writing() as session:
            if session.get_bind().dialect.name == "postgresql":
                session.execute(sa.text("LOCK TABLE alert IN SHARE ROW EXCLUSIVE MODE"))
            yield Book(session)

    @contextmanager
    def reading(self) -> Generator["Book"]:
        """A unit of work that only reads."""
        with self.ledger.reading() as session:
            yield Book(session)

    def claim(self, worker: str, now: datetime, lease: timedelta) -> Posted | None:
        """Take the oldest letter that is due, for one attempt; None when nothing is.

        A letter whose sender has not come back within its lease is taken over: whether it was sent is
        not known, and that is counted. What is in doubt comes last, so that a sender that is killed again
        and again does not stumble over the same letter.
        """
        with self.ledger.writing() as session:
            is_due = (OutboxRow.state == "due") & (OutboxRow.not_before <= now)
            is_lost = (OutboxRow.state == "sending") & (OutboxRow.claimed_at <= now - lease)
            oldest = sa.select(OutboxRow).where(is_due | is_lost)
            doubt = OutboxRow.unsure_count + sa.case((OutboxRow.state == "sending", 1), else_=0)
            order = oldest.order_by(doubt, OutboxRow.number).limit(1)
            row = session.scalars(order.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            row.unsure_count += row.state == "sending"
            row.state, row.claimed_at, row.claimed_by = "sending", now, worker
            row.attempt_count += 1
            return _posted(row)

    def note_sent(self, id_: str, worker: str, at: datetime, receipt: str | None) -> None:
        """Note that a channel took a letter."""
        self._note(id_, worker, state="sent", sent_at=at, receipt=receipt, error=None)

    def note_again(self, id_: str, worker: str, not_before: datetime, error: str, *, unsure: bool) -> None:
        """Note that an attempt failed and another one is due; `unsure` when it may have arrived all the same."""
        more = {"unsure_count": OutboxRow.unsure_count + 1} if unsure else {}
        self._note(id_, worker, state="due", not_before=not_before, error=error, **more)

    def note_dead(self, id_: str, worker: str, error: str) -> None:
        """Note that no further attempt can help."""
        self._note(id_, worker, state="dead", error=error)

    def revive(self, now: datetime) -> int:
        """Make every dead letter due again; how many there were. Those without a channel stay.

        Whoever asks for it takes it upon them that one in doubt may come once more.
        """
        doubt = sa.case((OutboxRow.unsure_count > 1, 1), else_=OutboxRow.unsure_count)
        anew = {"state": "due", "not_before": now, "attempt_count": 0, "unsure_count": doubt}
        with self.ledger.writing() as session:
            dead = sa.update(OutboxRow).where(OutboxRow.state == "dead", OutboxRow.channel != "")
            done = session.execute(dead.values(anew))
            return int(done.rowcount)  # ty: ignore[missing-attribute]

    def letters(self, *states: Waited, limit: int = 1000) -> list[Posted]:
        """Letters in some states, or all; the newest first."""
        with self.ledger.reading() as session:
            wanted = sa.select(OutboxRow).order_by(OutboxRow.number.desc()).limit(limit)
            if states:
                wanted = wanted.where(OutboxRow.state.in_(states))
            return [_posted(row) for row in session.scalars(wanted)]

    def counts(self) -> dict[str, int]:
        """How many letters there are by state."""
        with self.ledger.reading() as session:
            rows = session.execute(sa.select(OutboxRow.state, sa.func.count()).group_by(OutboxRow.state))
            return {state: int(count) for state, count in rows}

    def unsure(self) -> dict[str, int]:
        """How many attempts ended without anybody knowing how, by channel."""
        with self.ledger.reading() as session:
            count = sa.func.sum(OutboxRow.unsure_count)
            rows = session.execute(sa.select(OutboxRow.channel, count).group_by(OutboxRow.channel))
            return {channel: int(number) for channel, number in rows if number}

    def _note(self, id_: str, worker: str, **values: Any) -> None:  # noqa: ANN401 - columns of the row
        with self.ledger.writing() as session:
            mine = sa.update(OutboxRow).where(OutboxRow.id == id_, OutboxRow.claimed_by == worker)
            session.execute(mine.where(OutboxRow.state == "sending").values(values))


class Book:
    """Alerts, silences and letters within one unit of work."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def episodes(self, *, only_open: bool = False) -> list[Episode]:
        """Alerts, the newest first."""
        wanted = sa.select(AlertRow).order_by(AlertRow.opened_at.desc(), AlertRow.id)
        if only_open:
            wanted = wanted.where(AlertRow.open_key.is_not(None))
        return [_episode(row) for row in self.session.scalars(wanted)]

    def silences(self) -> list[Silence]:
        """Every silence, the oldest first."""
        rows = self.session.scalars(sa.select(SilenceRow).order_by(SilenceRow.number))
        return [
            Silence(
                id=row.number,
                touchpoint=row.touchpoint,
                metric=row.metric,
                reason=row.reason,
                author=row.author,
                starts_at=row.starts_at,
                ends_at=row.ends_at,
            )
            for row in rows
        ]

    def history(self, alert: str) -> list[Happened]:
        """What happened to an alert, the oldest first."""
        rows = self.session.scalars(
            sa.select(AlertEventRow).where(AlertEventRow.alert == alert).order_by(AlertEventRow.number)
        )
        return [Happened(row.alert, row.at, row.before, row.after, row.reason, row.by) for row in rows]

    def spent(self, since: datetime) -> dict[str, int]:
        """Interruptions since an instant, by person."""
        rows = self.session.execute(
            sa.select(OutboxRow.person, sa.func.sum(OutboxRow.interrupts))
            .where(OutboxRow.decided_at >= since)
            .group_by(OutboxRow.person)
        )
        return {person: int(count) for person, count in rows if count}

    def waiting(self, before: datetime) -> list[Posted]:
        """Letters that wait for a digest and were decided before an instant, the oldest first."""
        rows = self.session.scalars(
            sa.select(OutboxRow)
            .where(OutboxRow.state == "waiting", OutboxRow.decided_at < before)
            .order_by(OutboxRow.number)
        )
        return [_posted(row) for row in rows]

    def put(
        self,
        decision: Decision,
        at: datetime,
        recorded_at: datetime,
        *,
        by: str | None = None,
        run: str | None = None,
    ) -> None:
        """Keep what an alert has become, and that it happened when it moved."""
        if decision.after is None:
            return
        before, after = decision.before, decision.after
        if not after.is_open:  # its key is free before another one can take it
            self.session.flush()
        self.session.merge(AlertRow(**_columns(after)))
        self.session.flush()
        if not decision.is_change and by is None:
            return
        self.session.add(
            AlertEventRow(
                alert=after.id,
                at=at,
                recorded_at=recorded_at,
                before=before.state if before else None,
                after=after.state,
                reason=decision.reason,
                by=by,
                run_id=run,
                facts=plain(decision.facts or {}),
            )
        )

    def post(
        self,
        letter: Letter,
        decided_at: datetime,
        recorded_at: datetime,
        not_before: datetime,
        gathers: Sequence[int] = (),
    ) -> str:
        """Put a letter into the outbox; its id. A digest marks what it gathers.

        A letter without a channel is dead at once, so that it is seen instead of never being sent.
        """
        id_ = uuid.uuid4().hex
        state = "waiting" if letter.is_waiting else "due" if letter.channel else "dead"
        row = OutboxRow(
            id=id_,
            kind=letter.kind,
            person=letter.person,
            role=letter.role,
            channel=letter.channel,
            alerts=list(letter.alerts),
            messages=[plain(message) for message in letter.messages],
            interrupts=letter.interrupts,
            decided_at=decided_at,
            recorded_at=recorded_at,
            state=state,
            not_before=not_before,
            attempt_count=0,
            unsure_count=0,
            error=NO_CHANNEL.format(role=letter.role) if state == "dead" else None,
        )
        self.session.add(row)
        if gathers:
            gathered = sa.update(OutboxRow).where(OutboxRow.number.in_(gathers))
            self.session.execute(gathered.values(state="gathered", gathered_in=id_))
        return id_

    def silence(self, silence: Silence, recorded_at: datetime) -> int:
        """Keep a silence; its number."""
        values = {name: value for name, value in asdict(silence).items() if name != "id"}
        row = SilenceRow(**values, recorded_at=recorded_at)
        self.session.add(row)
        self.session.flush()
        return row.number

    def unsilence(self, number: int, at: datetime, by: str | None) -> bool:
        """End a silence now; whether there was one in force."""
        ended = sa.update(SilenceRow).where(SilenceRow.number == number, SilenceRow.ends_at > at)
        done = self.session.execute(ended.values(ends_at=at, ended_by=by))
        return bool(done.rowcount)  # ty: ignore[missing-attribute]


def as_rows(letters: Iterable[Posted]) -> list[dict[str, Any]]:
    """Letters as rows of FactNotification."""
    return [
        {
            "notification_id": one.id,
            "alert_ids": ", ".join(one.letter.alerts),
            "kind": one.letter.kind,
            "owner_id": one.letter.person,
            "role": one.letter.role,
            "channel": one.letter.channel,
            "state": one.state,
            "decided_at": one.decided_at,
            "sent_at": one.sent_at,
            "attempt_count": one.attempt_count,
            "unsure_count": one.unsure_count,
        }
        for one in letters
    ]


def _columns(episode: Episode) -> dict[str, Any]:
    return {
        **{name: getattr(episode, name) for name in _PLAIN},
        **asdict(episode.key),
        "open_key": str(episode.key) if episode.is_open else None,
        "told": [asdict(one) for one in episode.told],
        "facts": plain(episode.facts or {}),
    }


def _episode(row: AlertRow) -> Episode:
    return Episode(
        **{name: getattr(row, name) for name in _PLAIN},
        key=Key(row.scope_type, row.scope, row.metric, row.goal),  # ty: ignore[invalid-argument-type]
        told=tuple(Told(**one) for one in row.told),
        facts=row.facts,
    )


def _posted(row: OutboxRow) -> Posted:
    letter = Letter(
        kind=row.kind,
        person=row.person,
        role=row.role,  # ty: ignore[invalid-argument-type]
        channel=row.channel,
        alerts=tuple(row.alerts),
        messages=tuple(row.messages),
        interrupts=row.interrupts,
        is_waiting=row.state == "waiting",
    )
    return Posted(
        number=row.number,
        id=row.id,
        letter=letter,
        state=row.state,  # ty: ignore[invalid-argument-type]
        decided_at=row.decided_at,
        recorded_at=row.recorded_at,
        not_before=row.not_before,
        attempt_count=row.attempt_count,
        unsure_count=row.unsure_count,
        sent_at=row.sent_at,
        error=row.error,
    )
