"""The pump: takes letters out of the outbox, one by one, and notes what became of each.

A letter is claimed before it is sent and noted afterwards. Killed in between, or without an answer, nobody
knows whether it arrived: it is sent again under the same idempotency key, and that is counted. Where the
channel cannot tell a repeated letter that is done once; in doubt twice it is dead, for somebody to decide.
So none is lost unseen, and none comes more than twice.
"""

import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.alert_settings import Alerts, Channel
from contracts.links import SECRET_MIN, Action, Link, sign
from flows.channels import Outcome, Outgoing, Unset, load
from flows.emitting import Emitted, emit
from flows.workspace import LoadedWorkspace
from views.alert_message import render
from warehouse.alert_ledger import AlertLedger, Posted
from warehouse.signal_ledger import SignalLedger

ATTEMPTS_MAX = 12
"""A letter that failed so often is dead: with the waits in between, after about four hours."""

LEASE = timedelta(minutes=3)
"""Longer than any attempt may take; a letter whose sender is gone for longer is sent again."""

DOUBLES_MAX = 1
"""How often a letter in doubt is sent again on a channel that cannot tell a repeated one."""

_DOUBT_WAIT = 600.0
"""Seconds before it is: long enough for a late answer's cause to pass."""

_FIRST_WAIT, _LONGEST_WAIT = 5.0, 3600.0
_ACTIONS: tuple[Action, ...] = ("ack", "dispute", "silence")


@dataclass(frozen=True)
class Bounds:
    """How much one call of the pump does.

    Attributes:
        letters: At most so many attempts.
        seconds: No attempt begins later than this.
        lease: After how long a claimed letter is taken over.
    """

    letters: int = 200
    seconds: float = 60.0
    lease: timedelta = LEASE


@dataclass
class Sending:
    """What one call of the pump did.

    Attributes:
        counts: Attempts by their end: sent, again, dead.
        errors: What went wrong, by channel.
        signals: What became of signals for Prefect.
    """

    counts: Counter[str] = field(default_factory=Counter)
    errors: dict[str, str] = field(default_factory=dict)
    signals: Emitted = field(default_factory=Emitted)


def pump(
    workspace: LoadedWorkspace,
    ledger: AlertLedger,
    bounds: Bounds = Bounds(),
    environment: Mapping[str, str] = os.environ,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),  # noqa: TID251 - the one real clock
) -> Sending:
    """Send what is due, the oldest first, within bounds; then signals, when Prefect is configured.

    Args:
        workspace: The workspace; without `alerts:` no letter is sent.
        ledger: Where letters are kept.
        bounds: How much to do.
        environment: Where secrets and addresses are.
        clock: The real time.

    Returns:
        What was done. A channel that fails fails its letters, never the caller.
    """
    done, worker = Sending(), uuid.uuid4().hex
    settings = workspace.settings.alerts
    until = time.monotonic() + bounds.seconds
    for _ in range(bounds.letters):
        if settings is None or time.monotonic() >= until:
            break
        posted = ledger.claim(worker, clock(), bounds.lease)
        if posted is None:
            break
        outcome = _attempt(workspace, settings, posted, environment, clock())
        _note(ledger, worker, posted, outcome, clock(), done)
    done.signals = emit(SignalLedger(ledger.ledger), environment, clock)
    return done


def wait_after(attempts: int, asked: float | None) -> timedelta:
    """How long to wait after so many failed attempts: doubling from 5 s to an hour, or longer when asked to."""
    own = min(_FIRST_WAIT * 2.0 ** (attempts - 1), _LONGEST_WAIT)
    return timedelta(seconds=max(own, asked or 0.0))


def recipients(settings: Alerts, environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """People's addresses by channel, from the environment.

    Raises:
        Unset: The settings name a variable that is not set.
        ValueError: It holds no such JSON, nor the path of a file that does.
    """
    if settings.recipients_from is None:
        return {}
    written = environment.get(settings.recipients_from, "")
    if not written:
        raise Unset(settings.recipients_from)
    try:
        text = written if written.lstrip().startswith("{") else Path(written).read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not all(map(_are_addresses, found.values())):
        message = (
            f"{settings.recipients_from} holds no addresses. Write JSON like "
            '{"dana": {"mail": "dana@example.org"}}, or the path of a file that holds it.'
        )
        raise ValueError(message)
    return found


def _are_addresses(ways: object) -> bool:
    return isinstance(ways, dict) and all(isinstance(way, str) for way in ways.values())


def _attempt(
    workspace: LoadedWorkspace,
    settings: Alerts,
    posted: Posted,
    environment: Mapping[str, str],
    now: datetime,
) -> Outcome:
    channel = next((one for one in settings.channels if one.id == posted.letter.channel), None)
    if channel is None:
        return Outcome("refused", f"the settings have no channel {posted.letter.channel!r} any more")
    try:
        kind = load(channel.kind)
        if posted.unsure_count > DOUBLES_MAX and not kind.DEDUPES:
            return Outcome("refused", f"nobody answered {posted.unsure_count} times: it may have arrived")
        outgoing = _outgoing(workspace, settings, channel, posted, environment, now)
        return kind.send(outgoing, channel, environment)
    except (Unset, ValueError) as error:
        return Outcome("refused", str(error))
    except Exception as error:  # noqa: BLE001 - a channel's defect must not keep others from being told
        return Outcome("again", f"defect in channel {channel.kind} ({error!r:.200})", is_unsure=True)


def _outgoing(
    workspace: LoadedWorkspace,
    settings: Alerts,
    channel: Channel,
    posted: Posted,
    environment: Mapping[str, str],
    now: datetime,
) -> Outgoing:
    letter = posted.letter
    links = _links(settings, posted, environment)
    rendered = render(
        letter.messages,
        links,
        workspace.settings.zone,
        str(workspace.root.resolve()),
        is_digest=letter.kind == "digest",
    )
    return Outgoing(
        id=posted.id,
        letter=letter,
        rendered=rendered,
        company=workspace.settings.name,
        address=recipients(settings, environment).get(letter.person, {}).get(channel.id),
        decided_at=posted.decided_at,
        root=workspace.root,
        links=links,
        attempt_at=now,
    )


def _links(settings: Alerts, posted: Posted, environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Signed links of every open alert of a letter; the same at every attempt. None without an address and a key."""
    key = environment.get(settings.link_secret_from or "", "").encode()
    if settings.link_base is None or len(key) < SECRET_MIN:
        return {}
    expires = posted.recorded_at + timedelta(days=settings.link_days)
    base = settings.link_base.rstrip("/")
    return {
        one["alert"]: {
            action: f"{base}/a/{sign(Link(action, one['alert'], posted.letter.person, expires), key)}"
            for action in _ACTIONS
        }
        for one in posted.letter.messages
        if one["kind"] != "resolved"
    }


def _note(
    ledger: AlertLedger, worker: str, posted: Posted, outcome: Outcome, now: datetime, done: Sending
) -> None:
    if outcome.state == "sent":
        ledger.note_sent(posted.id, worker, now, outcome.said)
        done.counts["sent"] += 1
        return
    done.errors[posted.letter.channel] = outcome.said
    if outcome.state == "refused" or posted.attempt_count >= ATTEMPTS_MAX:
        ledger.note_dead(posted.id, worker, outcome.said)
        done.counts["dead"] += 1
        return
    asked = max(outcome.after_seconds or 0.0, _DOUBT_WAIT if outcome.is_unsure else 0.0)
    again = now + wait_after(posted.attempt_count, asked)
    ledger.note_again(posted.id, worker, again, outcome.said, unsure=outcome.is_unsure)
    done.counts["again"] += 1
