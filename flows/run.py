"""One run: the stages in their order, each a method, so that Prefect can schedule them too."""

import os
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from typing import TypeVar, cast

from contracts.deliveries import Delivery
from contracts.errors import AnswerableError, StoreError
from contracts.feeds import Feed
from contracts.map_content import Recorded
from contracts.signals import Signal
from contracts.tables import (
    TABLES,
    DataTrust,
    FactAlert,
    FactCase,
    FactGoalPacing,
    FactNotification,
    GapFinding,
    MetricTrust,
    Restatement,
    ScorecardTouchpoint,
)
from flows.alerting import Decided, Grounds, foreseen, grounds, settle, surroundings
from flows.allowance import Allowance, allowance_of
from flows.attesting import standing
from flows.auditing import audited
from flows.beliefs import actor
from flows.beside import beside
from flows.cost import STARTING, Cost, Watch, started
from flows.decisions import Decision
from flows.engine import suited
from flows.goals import scored
from flows.interpreter import give_back
from flows.joining import join, settle_joined
from flows.landing import FeedLanding, Setting, land_feed
from flows.lost_ledger import tell_of_loss
from flows.map_history import map_history
from flows.mapped import mapped
from flows.passes import Measured, measure
from flows.pouring import pour
from flows.progress import Tell, silent
from flows.pump import Bounds, pump
from flows.references import waves
from flows.restating import restated
from flows.signalling import of_deliveries, of_failure, of_gaps, of_release
from flows.stages import Tables, absorb, case_attributes, customers_by_touchpoint, named_cases
from flows.unread import patterns, unclaimed
from flows.validation import Validated
from flows.window import Window
from flows.workspace import LoadedWorkspace
from flows.writing import Writers
from transforms.alert_evidence import Numbers
from transforms.alert_tables import fact_alert, fact_notification
from views.beside import EXTRA_COLUMNS
from views.quality import LOST
from warehouse.alert_ledger import AlertLedger, as_rows
from warehouse.claim import claim
from warehouse.executors import executor_of
from warehouse.inbox import Inbox
from warehouse.lease import Lease, leased
from warehouse.ledger import Ledger
from warehouse.lock import held
from warehouse.memory import Memory
from warehouse.mirror import Mirror
from warehouse.releases import Release, Releases, TableFile
from warehouse.signal_ledger import add_signals
from warehouse.store import Absorbed, EventStore, State

CODE_VERSION = version("answerable")
SENDING = Bounds(letters=100, seconds=20.0)
"""How much a run sends at its end; the rest is for `answerable alerts send` and the next run."""

TIDIED = ".tidied"
"""Of this file in a warehouse the time of change says when it was swept last."""

_TIDY_SECONDS = 3600.0
FEW_READ = 1 << 21
"""After so many events that were measured, at most, cases are written while scores are made."""
NOTIFICATIONS_MAX = 100_000
"""Notifications that a release shows: the newest ones."""

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    Attributes:
        release: The release it published.
        absorbed: What became of fresh events.
        read: Deliveries that this run read.
        costs: What every stage cost.
        alerts: What became of alerts.
        letters: Attempts to send letters, by their end; those of earlier runs included.
        validated: What Great Expectations judged, by stream.
        unclaimed: Files in inbox folders that no stream reads.
    """

    release: Release
    absorbed: Absorbed
    read: tuple[Delivery, ...]
    costs: dict[str, Cost]
    alerts: Decided = field(default_factory=Decided)
    letters: Mapping[str, int] = field(default_factory=dict)
    validated: tuple[Validated, ...] = ()
    unclaimed: tuple[str, ...] = ()

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Every delivery so far."""
        return self.absorbed.state.deliveries

    @property
    def held(self) -> list[Delivery]:
        """Deliveries that could not be read."""
        return [delivery for delivery in self.deliveries if delivery.state == "held"]

    @property
    def left_out(self) -> list[str]:
        """Why deliveries do not count: those that are held, and of what this run read those that were pushed."""
        pushed = [one for one in self.read if one.state == "accepted" and one.reason]
        return [one.reason or one.source for one in (*self.held, *pushed)]

    @property
    def is_unchanged(self) -> bool:
        """Whether every table has the bytes of a release before."""
        return all(table.is_reused for table in self.release.tables)


@dataclass
class Run:
    """A run under way.

    Attributes:
        workspace: The workspace.
        tell: Told of progress.
        occasion: What the release is for.
        decision: What was decided by hand about rows in quarantine.
        window: Days whose deliveries are read anew.
        memory: What this process published last, if it stays.
        posted: Called once letters are in the outbox; the run has only to tidy up then.
        id: The run's id.
        costs: What every stage has cost so far.
    """

    workspace: LoadedWorkspace
    tell: Tell = silent
    occasion: str = "refresh"
    decision: Decision | None = None
    window: Window | None = None
    memory: Memory[TableFile] | None = None
    posted: Callable[[], None] = lambda: None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    costs: dict[str, Cost] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.costs[STARTING] = started()
        folder = self.workspace.warehouse
        self.store = EventStore(folder / "store")
        self.releases = Releases(folder / "published", self.memory)
        self.ledger = Ledger(folder)
        self.alerts = AlertLedger(self.ledger)
        self._follows: int | None = None
        self._lease: Lease | None = None
        self._writers: Writers | None = None

    @cached_property
    def recorded(self) -> Sequence[Recorded]:
        """Every version of the map that was believed, this run's included once it is under way."""
        return map_history(self.workspace, self.ledger)

    @cached_property
    def allowance(self) -> Allowance:
        """How much memory it may take."""
        return allowance_of(self.workspace, os.environ)

    @contextmanager
    def underway(self) -> Generator[None]:
        """Hold the workspace and the lease, note the run in the ledger, and how it ended.

        Raises:
            BusyError: Another run holds the workspace, here or on another machine.
            WorkspaceError: The warehouse is another workspace's.
        """
        with (
            held(self.workspace.warehouse),
            leased(self.ledger, "run", self.id) as lease,
            Writers(self.releases) as self._writers,
        ):
            self._hold(lease)
            claim(self.workspace.warehouse, self.workspace.root)
            if self.store.mirror is not None:
                self._timed("fetch", lambda: self._catch_up(cast("Mirror", self.store.mirror)))
            if self.allowance.limit is not None:
                self.allowance.at_once(self.workspace, self.store.head())  # refused before anything begins
            self._begin()
            try:
                yield
            except BaseException as error:
                self._writers.stop()
                if self.store.mirror is not None:
                    self.store.mirror.drop()
                said = str(error) if isinstance(error, AnswerableError) else repr(error)
                failed = of_failure(self.workspace, self.id, said, now := _now())
                self.ledger.end_run(
                    self.id, now, said[:2000], also=lambda session: add_signals(session, [failed], now)
                )
                raise

    def land(self, feed: Feed, before: Sequence[FeedLanding] = ()) -> FeedLanding:
        """Read what a feed offers, after the feeds that it refers to; what was pushed to it stands in files first."""
        setting = Setting(
            self.workspace, self.store, self.store.head(), self.tell, self.decision, self.window
        )
        if feed.declared.kind == "push":
            inbox = Inbox(self.ledger)
            self._timed("land", lambda: join(setting, feed, before, inbox))
            self._timed("land", lambda: pour(inbox, feed, self.workspace.root, _now()))
        return self._timed("land", lambda: land_feed(setting, feed, before))

    def absorb(self, landings: Sequence[FeedLanding]) -> Absorbed:
        """Add fresh events to the store."""
        return self._timed("absorb", lambda: absorb(self.workspace, self.store, self.store.head(), landings))

    def measure(self, state: State) -> Measured:
        """Match every event and sum it up."""
        executor, at_once = executor_of(os.environ), self.allowance.at_once(self.workspace, state)
        kept = self.store.keeping(holds=self.allowance.limit is None)
        return self._timed(
            "measure", lambda: measure(self.workspace, state, self.tell, kept, executor, at_once)
        )

    def score(self, state: State, measured: Measured) -> Tables:
        """Make scorecards and daily measures, and say where goals stand on their way; what is made is being written."""
        writers = self._writers
        # Cases need no score, so they are written meanwhile; not where memory is short, or just was for many events.
        if writers is not None and measured.read <= FEW_READ and self.allowance.limit is None:
            self._begin_cases(writers, state, measured)
        made = self._timed("score", lambda: scored(self.workspace, measured, state, self.recorded))
        if writers is not None:
            give_back()
            self._begin_cases(writers, state, measured)
            # The touchpoints' scorecard is held against the release before, when all is known.
            writers.begin({t: frame for t, frame in made.items() if t is not ScorecardTouchpoint})
        return made

    def _begin_cases(self, writers: Writers, state: State, measured: Measured) -> None:
        extra = case_attributes(self.workspace, measured)
        writers.begin_cases(named_cases(self.workspace, measured, state), extra)

    def audit(self, state: State, measured: Measured, scored: Tables) -> Tables:
        """Hold the map against the events, and tell it as tables."""

        def audit() -> Tables:
            said = standing(self.workspace, self.ledger)
            found = audited(self.workspace, measured, state, scored, self.recorded, said)
            return {**found, **mapped(self.workspace, said)}

        return self._timed("audit", audit)

    def alert(self, measured: Measured, scored: Tables, audits: Tables) -> tuple[Grounds, Tables]:
        """What alerts are decided on, and the tables that show them as they will stand after this run."""
        with suited(scored[ScorecardTouchpoint].height):
            return self._timed("alert", lambda: self._alerted(measured, scored, audits))

    def publish(self, state: State, measured: Measured, *tables: Tables) -> Release:
        """Check every table's promises, write it, and publish all as one release."""
        with suited():
            return self._timed("publish", lambda: self._published(state, measured, tables))

    def finish(
        self, landings: Sequence[FeedLanding], absorbed: Absorbed, release: Release, found: Grounds
    ) -> Outcome:
        """Note the release and its alerts in the ledger, and sweep what nobody refers to any more.

        Alerts are decided anew on what the ledger holds now: somebody may have acknowledged one meanwhile.
        """
        self._note_releases()
        self.settle(absorbed.state)
        read = tuple(delivery for landing in landings for delivery in landing.read)
        told = self._told(read, release)
        decided = self._timed(
            "alert", lambda: settle(self.workspace, found, self.alerts, self.id, told, self._lease)
        )
        commit, number = absorbed.state.number, release.number
        self.ledger.end_run(self.id, _now(), store_commit=commit, release_number=number)
        self.posted()
        self._timed("tidy", self._tidy)
        validated = tuple(one for landing in landings for one in landing.validated)
        left = {name for landing in landings for name in landing.left}
        free = tuple(unclaimed(patterns(self.workspace.feeds), left, self.workspace.root))
        return Outcome(release, absorbed, read, self.costs, decided, validated=validated, unclaimed=free)

    def settle(self, state: State) -> None:
        """Delete files that stand in a joined one, now that a commit knows it."""
        setting, inbox = Setting(self.workspace, self.store, state), Inbox(self.ledger)
        for feed in self.workspace.feeds:
            if feed.declared.kind == "push":
                settle_joined(setting, feed, inbox)

    def notify(self, outcome: Outcome) -> Outcome:
        """Send what is due now that the release is visible; what a channel does not take is sent later."""
        sending = self._timed("notify", lambda: pump(self.workspace, self.alerts, SENDING))
        return replace(outcome, letters=dict(sending.counts))

    def _catch_up(self, mirror: Mirror) -> None:
        """Go on from where the truth is, which is an object store."""
        mirror.must_be_ours()
        self.store.catch_up(lambda done, total: self.tell("fetch", done, total))
        self.releases.catch_up()

    def _tidy(self) -> None:
        """Sweep what nobody refers to any more; every hour is enough, and of a day's many runs each would look at all."""
        retention, now = self.workspace.settings.retention, _now().timestamp()
        mark = self.workspace.warehouse / TIDIED
        if mark.exists() and abs(now - mark.stat().st_mtime) < _TIDY_SECONDS:
            return
        old = now - timedelta(hours=retention.grace_hours).total_seconds()
        self.releases.sweep(retention.releases, old)
        self.store.sweep(old)
        kept = self.store.kept
        kept.sweep(now - _TIDY_SECONDS)  # every part that this run needed counts as young
        kept.sweep_there(old)
        mark.touch()

    def _hold(self, lease: Lease) -> None:
        """From here on nothing is committed that the lease does not cover."""
        self._lease = lease
        self.store.manifests.guard = lease.check
        self.releases.manifests.guard = lease.check

    def _told(self, read: Sequence[Delivery], release: Release) -> list[Signal]:
        """What there is to tell of what was read, and of gaps that opened or closed."""
        now, name = _now(), GapFinding.table_name()
        owners = {
            feed: owner
            for (kind, feed), owner in surroundings(self.workspace).owners.items()
            if kind == "feed"
        }
        told = list(of_deliveries(self.workspace, read, now, self.id, owners))
        if self._follows:
            with suppress(StoreError):  # the release before may be damaged: what it said is then not compared
                old, new = self.releases.read(self._follows), release
                if _path(old, name) != _path(new, name):
                    frames = (self.releases.frame(one, name) for one in (old, new))
                    told += of_gaps(self.workspace, *frames, now, new.number)
        return told

    def _begin(self) -> None:
        self.releases.repair(beside(self.releases))
        self._follows = self.releases.manifests.head()
        tell_of_loss(self.workspace, self.ledger)
        self._note_releases()
        atlas = self.workspace.atlas
        self.ledger.note_map(
            atlas.version,
            _now(),
            self.workspace.map_texts,
            by=actor(),
            timezone=self.workspace.settings.timezone,
        )
        self.ledger.start_run(self.id, _now(), CODE_VERSION, atlas.version)

    def _alerted(self, measured: Measured, scored: Tables, audits: Tables) -> tuple[Grounds, Tables]:
        customers = customers_by_touchpoint(measured)
        numbers = Numbers(scored[ScorecardTouchpoint], audits[DataTrust], audits[MetricTrust])
        found = grounds(self.workspace, numbers, customers, scored[FactGoalPacing])
        tables: Tables = {
            FactAlert: fact_alert(foreseen(self.workspace, found, self.alerts)),
            FactNotification: fact_notification(as_rows(self.alerts.letters(limit=NOTIFICATIONS_MAX))),
        }
        return found, tables

    def _published(self, state: State, measured: Measured, tables: Sequence[Tables]) -> Release:
        extra = case_attributes(self.workspace, measured)
        every = {table: frame for part in tables for table, frame in part.items()}
        facts = {
            "run": self.id,
            "occasion": self.occasion,
            "published_at": _now().isoformat(),
            "as_of": self.workspace.now.isoformat(),
            "map_version": self.workspace.atlas.version,
            "store_commit": state.number,
            "code_version": CODE_VERSION,
            EXTRA_COLUMNS: {FactCase.table_name(): {name: one.as_dict() for name, one in extra.items()}},
        }
        follows, kept = self._follows or 0, measured.kept
        told = restated(self.workspace, self.releases, follows, every, facts, kept)
        every[ScorecardTouchpoint] = told.card
        if told.lost:
            facts[LOST] = told.lost
        if self.store.mirror is not None:
            self.store.mirror.settle()
        writers = cast("Writers", self._writers)
        writers.begin_parts(Restatement, told.log)
        files = writers.files({t: every[t] for t in TABLES if t not in (FactCase, Restatement)})
        return self.releases.publish(files, facts, beside(self.releases), self._follows)

    def _note_releases(self) -> None:
        manifests = self.releases.manifests
        self.ledger.note_releases(
            manifests.numbers(),
            manifests.read,
            also=lambda session, one: add_signals(session, [of_release(self.workspace, one)], _now()),
        )

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        watch, made = Watch.started(), None
        self.tell(stage, 0, 1)
        try:
            made = work()
            return made
        finally:
            cost = watch.cost(made)
            self.costs[stage] = self.costs[stage] + cost if stage in self.costs else cost
            self.tell(stage, 1, 1)


def run_inline(
    workspace: LoadedWorkspace,
    tell: Tell = silent,
    decision: Decision | None = None,
    *,
    window: Window | None = None,
    occasion: str = "refresh",
) -> Outcome:
    """Run every stage in this process."""
    run = Run(workspace, tell, occasion, decision, window)
    return run.notify(publish_inline(run))


def publish_inline(run: Run) -> Outcome:
    """Run every stage in this process but the last: what is due is in the outbox, and not sent yet."""
    with run.underway():
        landings: list[FeedLanding] = []
        for wave in waves(run.workspace.feeds):
            landings += [run.land(feed, landings) for feed in wave]
        absorbed = run.absorb(landings)
        _, release, found = released(run, absorbed.state)
        return run.finish(landings, absorbed, release, found)


def released(run: Run, state: State) -> tuple[Measured, Release, Grounds]:
    """Every stage from measuring to publishing, of a run that is under way."""
    measured = run.measure(state)
    scored = run.score(state, measured)
    audits = run.audit(state, measured, scored)
    found, alerts = run.alert(measured, scored, audits)
    release = run.publish(state, measured, scored, audits, alerts)
    return measured, release, found


def _path(release: Release, table: str) -> str | None:
    files = release.by_table.get(table)
    return files[0].path if files else None


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the ledger notes the real time
