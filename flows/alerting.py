"""Alerts: what a run's evidence makes of them, and the letters that tell of it, in one transaction.

Without `alerts:` in answerable.yaml they are decided and listed, and nothing is sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time

import polars as pl

from contracts.alert_settings import Alerts
from contracts.alerts import Decision, Episode, Evidence, FeedEvidence, Rung, Silence
from contracts.signals import Signal
from contracts.tenures import EARLIEST, LATEST, in_force, instant
from contracts.workspace import FILE
from flows.signalling import of_alerts
from flows.workspace import LoadedWorkspace
from transforms.alert_decision import Around, decide
from transforms.alert_evidence import Numbers, evidence, feed_evidence
from transforms.alert_letters import Waiting, apportion, digests, letters
from transforms.alert_messages import Telling, message
from transforms.alert_pace import with_pace
from transforms.alert_path import Ends, feed_path, path
from transforms.business_days import WorkCalendar, after_quiet, monday
from warehouse.alert_ledger import AlertLedger, Book
from warehouse.lease import Lease
from warehouse.signal_ledger import add_signals


@dataclass(frozen=True)
class Grounds:
    """What a run's alerts are decided on.

    Attributes:
        evidence: One for each goal in force.
        feeds: One for each feed that promises freshness.
    """

    evidence: Sequence[Evidence]
    feeds: Sequence[FeedEvidence]


@dataclass(frozen=True)
class Decided:
    """What was decided.

    Attributes:
        decisions: One for each key, also where nothing happens.
        posted: Letters that were put into the outbox.
    """

    decisions: Sequence[Decision] = ()
    posted: int = 0

    @property
    def changes(self) -> list[Decision]:
        """Those that moved an alert."""
        return [one for one in self.decisions if one.is_change]


@dataclass(frozen=True)
class Surroundings:
    """A workspace as alerts see it at its instant.

    Attributes:
        workspace: The workspace.
        settings: Its `alerts:`, or the defaults.
        calendar: Its working days.
        owners: Who is accountable now, by scope type and scope.
        paths: Whom an alert climbs to, likewise.
    """

    workspace: LoadedWorkspace
    settings: Alerts
    calendar: WorkCalendar
    owners: Mapping[tuple[str, str], str | None] = field(default_factory=dict)
    paths: Mapping[tuple[str, str], tuple[Rung, ...]] = field(default_factory=dict)

    def around(self, book: Book) -> Around:
        """What stands around the decisions: silences, and what keeps as quiet as one."""
        silences = [*book.silences(), *self._waived(), *self._unsettled()]
        return Around(self.workspace.now, self.settings, self.calendar, silences, self.owners, self.paths)

    def _waived(self) -> Iterator[Silence]:
        """Late feeds that somebody accepts until a date, as the map's waivers say."""
        for waiver in self.workspace.atlas.waivers:
            if waiver.rule == "late_feed":
                yield Silence(
                    id=0,
                    touchpoint=waiver.object,
                    metric="freshness",
                    reason=f"waived: {waiver.reason}",
                    author=waiver.approver,
                    starts_at=EARLIEST,
                    ends_at=instant(waiver.until, self.workspace.settings.zone, LATEST),
                )

    def _unsettled(self) -> Iterator[Silence]:
        """Without `alerts:` nobody can be told; what still stands once it is there is told then."""
        if self.workspace.settings.alerts is None:
            yield Silence(
                id=0,
                touchpoint=None,
                metric=None,
                reason=f"{FILE} has no 'alerts:'",
                author="answerable",
                starts_at=EARLIEST,
                ends_at=LATEST,
            )

    def telling(self) -> Telling:
        """What messages need."""
        one = self.workspace
        return Telling(one.atlas, one.feeds, one.tenures, one.now, self.paths)


def surroundings(workspace: LoadedWorkspace) -> Surroundings:
    """Who is accountable for what now, and whom alerts climb to."""
    settings = workspace.settings.alerts or Alerts()
    atlas, now = workspace.atlas, workspace.now
    ends = Ends(settings.sponsor, settings.fallback)
    held = in_force(workspace.tenures, now)
    owners: dict[tuple[str, str], str | None] = {}
    paths: dict[tuple[str, str], tuple[Rung, ...]] = {}
    for touchpoint in atlas.touchpoints:
        tenure = held.get(touchpoint.id)
        owners["touchpoint", touchpoint.id] = tenure.person if tenure else None
        paths["touchpoint", touchpoint.id] = path(atlas, touchpoint.id, tenure, now, ends)
    for feed in workspace.feeds:
        rungs = feed_path(atlas, feed.declared.owner, now, ends)
        paths["feed", feed.name] = rungs
        owners["feed", feed.name] = next((one.person for one in rungs if one.role == "feed_owner"), None)
    return Surroundings(
        workspace, settings, WorkCalendar.of(settings, workspace.settings.zone), owners, paths
    )


def grounds(
    workspace: LoadedWorkspace,
    numbers: Numbers,
    customers: Mapping[str, int] | None = None,
    pacing: pl.DataFrame | None = None,
) -> Grounds:
    """The evidence of published tables.

    Args:
        workspace: The workspace.
        numbers: They.
        customers: Customers of the last 28 days by touchpoint.
        pacing: FactGoalPacing.
    """
    found = evidence(numbers, workspace.atlas, workspace.feeds, workspace.now, customers)
    if pacing is not None:
        found = with_pace(found, pacing)
    return Grounds(found, feed_evidence(numbers.trust))


def judge(around: Surroundings, found: Grounds, book: Book) -> list[Decision]:
    """What becomes of every alert; nothing is written."""
    decisions = decide(found.evidence, found.feeds, book.episodes(only_open=True), around.around(book))
    return apportion(decisions, book.spent(_week(around)), around.settings.interrupts_per_week)


def foreseen(workspace: LoadedWorkspace, found: Grounds, ledger: AlertLedger) -> list[Episode]:
    """Every alert as it will stand once what is decided now is written; the newest first.

    For the release, which is published first.
    """
    with ledger.reading() as book:
        decisions = judge(surroundings(workspace), found, book)
        known = {one.id: one for one in book.episodes()}
    known |= {one.after.id: one.after for one in decisions if one.after is not None}
    return sorted(known.values(), key=lambda one: (one.opened_at, one.id), reverse=True)


def settle(
    workspace: LoadedWorkspace,
    found: Grounds,
    ledger: AlertLedger,
    run: str | None = None,
    more: Sequence[Signal] = (),
    lease: Lease | None = None,
) -> Decided:
    """Decide on what stands in the ledger now, and write transitions, letters and signals together.

    Args:
        workspace: The workspace.
        found: The evidence.
        ledger: Where alerts are kept.
        run: The run's id.
        more: What else there is to tell, written in the same transaction.
        lease: The right to decide, looked at in the same transaction.

    Raises:
        StoreError: The lease no longer holds; nothing was written.
    """
    around = surroundings(workspace)
    written = datetime.now(UTC)  # noqa: TID251 - the ledger notes the real time
    with ledger.deciding() as book:
        if lease is not None:
            lease.check(book.session)
        decisions = judge(around, found, book)
        # Ended ones first: their keys are free for what opens.
        for one in sorted(decisions, key=lambda one: one.after is None or one.after.is_open):
            book.put(one, workspace.now, written, run=run)
        posted = _post(around, decisions, book, written) if workspace.settings.alerts else 0
        moved = of_alerts(workspace, decisions, written, run or written.isoformat())
        add_signals(book.session, [*more, *moved], written)
    return Decided(decisions, posted)


def _post(around: Surroundings, decisions: Sequence[Decision], book: Book, written: datetime) -> int:
    """Put letters and the digests of past weeks into the outbox."""
    telling, now = around.telling(), around.workspace.now
    due = after_quiet(written, around.settings.quiet_hours, around.calendar.zone)
    fresh = letters(decisions, around.settings, lambda decision, notice: message(decision, notice, telling))
    for letter in fresh:
        book.post(letter, now, written, due)
    kept = [Waiting(one.number, one.letter) for one in book.waiting(_week(around))]
    gathered = digests(kept)
    for letter, numbers in gathered:
        book.post(replace(letter, is_waiting=False), now, written, due, numbers)
    return sum(not one.is_waiting for one in fresh) + len(gathered)


def _week(around: Surroundings) -> datetime:
    """The first instant of the running week."""
    zone = around.calendar.zone
    return datetime.combine(monday(around.workspace.now, zone), time(), zone).astimezone(UTC)
