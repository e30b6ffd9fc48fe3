"""What people do to alerts at the command line: find one, acknowledge it, dispute it, silence a place."""

from dataclasses import replace
from datetime import UTC, datetime

from contracts.alerts import Decision, Episode, Silence
from contracts.errors import QuestionError, StoreError, did_you_mean
from flows.alerting import Grounds, grounds, judge, surroundings
from flows.beliefs import actor
from flows.lost_ledger import reached
from flows.signalling import of_acknowledgement
from flows.workspace import LoadedWorkspace
from transforms.alert_decision import acknowledge
from transforms.alert_evidence import Numbers
from warehouse.alert_ledger import AlertLedger, Book
from warehouse.claim import must_be_ours
from warehouse.signal_ledger import add_signals


def desk(workspace: LoadedWorkspace) -> AlertLedger:
    """The alerts of a workspace.

    Raises:
        QuestionError: It has none yet, because it never ran.
        WorkspaceError: The warehouse is another workspace's.
    """
    ledger = reached(workspace)
    if ledger is None:
        raise QuestionError.at(str(workspace.root), "has no alerts yet.", "Run 'answerable run' first.")
    must_be_ours(workspace.warehouse, workspace.root)
    return AlertLedger(ledger)


def answer(
    workspace: LoadedWorkspace, written: str, by: str, note: str | None, *, disputes: bool = False
) -> Episode:
    """Acknowledge an alert, or dispute its evidence.

    Args:
        workspace: The workspace.
        written: The alert's id, or its first signs.
        by: Who does it, a person of the map.
        note: What they say.
        disputes: Whether they dispute the evidence.

    Returns:
        The alert as it stands.

    Raises:
        QuestionError: There is no such person, no such alert, or it has ended.
    """
    people = [one.id for one in workspace.atlas.people]
    if by not in people:
        raise QuestionError.at(by, "is nobody of the map.", did_you_mean(by, people))
    with desk(workspace).deciding() as book:
        before = find(book, written)
        if not before.is_open:
            raise QuestionError.at(
                before.id, f"has ended on {before.resolved_at:%Y-%m-%d}.", "There is nothing to acknowledge."
            )
        after = acknowledge(before, by, workspace.now, note, disputes=disputes)
        decision = Decision(
            key=before.key, reason="acknowledged", before=before, after=after, facts=before.facts
        )
        now = _now()
        book.put(decision, workspace.now, now, by=by)
        add_signals(book.session, of_acknowledgement(workspace, decision, now, by), now)
    return after


def find(book: Book, written: str) -> Episode:
    """The one alert whose id begins with some signs.

    Raises:
        QuestionError: There is none, or there are several.
    """
    every = book.episodes()
    found = [one for one in every if written and one.id.startswith(written)]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(one.id for one in found)
        raise QuestionError.at(
            written, f"is the beginning of {len(found)} alerts.", f"Write one of {several}."
        )
    raise QuestionError.at(written, "is no alert.", did_you_mean(written, [one.id for one in every]))


def silence(
    workspace: LoadedWorkspace,
    place: str | None,
    metric: str | None,
    until: datetime,
    reason: str,
    author: str | None,
) -> Silence:
    """Silence a touchpoint or feed, or everything, until an instant.

    Raises:
        QuestionError: The instant has passed, or the reason is empty.
    """
    if until <= workspace.now:
        raise QuestionError.at("--until", f"{until:%Y-%m-%d %H:%M} has passed.", "Write a later one.")
    if not reason.strip():
        raise QuestionError.at("--reason", "gives no reason.", 'Write one: --reason "..."')
    asked = Silence(
        id=0,
        touchpoint=place,
        metric=metric,
        reason=reason,
        author=author or actor() or "unknown",
        starts_at=workspace.now,
        ends_at=until,
    )
    with desk(workspace).deciding() as book:
        return replace(asked, id=book.silence(asked, _now()))


def unsilence(workspace: LoadedWorkspace, number: int, by: str | None) -> None:
    """End a silence now.

    Raises:
        QuestionError: There is none of that number in force.
    """
    with desk(workspace).deciding() as book:
        if not book.unsilence(number, workspace.now, by or actor()):
            raise QuestionError.at(
                str(number), "is no silence in force.", "'answerable alerts list' shows them."
            )


def published_grounds(workspace: LoadedWorkspace) -> Grounds:
    """The evidence of the newest release.

    Raises:
        StoreError: There is none.
    """
    from warehouse.releases import Releases  # noqa: PLC0415 - loads polars

    releases = Releases(workspace.warehouse / "published")
    chosen = releases.head()
    if chosen is None:
        raise StoreError.at(str(workspace.root), "has no release yet.", "Run 'answerable run' first.")
    names = ("scorecard_touchpoint", "data_trust", "metric_trust")
    return grounds(workspace, Numbers(*(releases.frame(chosen, name) for name in names)))


def judged(workspace: LoadedWorkspace) -> list[Decision]:
    """What would be decided now on the newest release; nothing is written."""
    found = published_grounds(workspace)
    with desk(workspace).reading() as book:
        return judge(surroundings(workspace), found, book)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the ledger notes the real time
