"""What `answerable doctor` says of alerts: channels that cannot work, letters that are dead or may be doubled."""

from collections import Counter
from collections.abc import Iterator, Mapping

from contracts.alert_settings import Alerts
from flows import channels
from flows.workspace import LoadedWorkspace
from views.units import plural

Line = tuple[bool | None, str, str]


def alert_lines(workspace: LoadedWorkspace, environment: Mapping[str, str]) -> Iterator[Line]:
    """Each thing that was looked at: whether it is well, what it is, what to do."""
    from flows.lost_ledger import tell_of_loss  # noqa: PLC0415 - loads SQLAlchemy

    if tell_of_loss(workspace):
        yield False, "the ledger is empty or gone", "restore it from a backup; the next run begins a new one"
    settings = workspace.settings.alerts
    if settings is None:
        yield None, "alerts are decided and listed, not sent", "add 'alerts:' to answerable.yaml"
        return
    yield from _variables(settings, environment)
    yield from _outbox(workspace, settings)


def _variables(settings: Alerts, environment: Mapping[str, str]) -> Iterator[Line]:
    named = {
        getattr(channel, name)
        for channel in settings.channels
        for name in ("url_from", "secret_from", "user_from", "password_from")
    }
    named |= {settings.recipients_from, settings.link_secret_from}
    missing = sorted(name for name in named if name is not None and not environment.get(name))
    shown = (
        f"alerts: {', '.join(missing)} not set"
        if missing
        else plural(len(settings.channels), "alert channel")
    )
    yield not missing, shown, "set it in the environment of whatever runs answerable"


def _outbox(workspace: LoadedWorkspace, settings: Alerts) -> Iterator[Line]:
    from warehouse.alert_ledger import AlertLedger  # noqa: PLC0415 - loads SQLAlchemy
    from warehouse.ledger import Ledger, has_ledger  # noqa: PLC0415

    if not has_ledger(workspace.warehouse):
        return
    ledger = AlertLedger(Ledger(workspace.warehouse))
    dead = Counter((one.letter.channel, one.error or "") for one in ledger.letters("dead"))
    for (channel, error), count in sorted(dead.items()):
        where = f"channel {channel}" if channel else "no channel"
        yield (
            False,
            f"{count} dead letters, {where}: {error}",
            "mend it, then answerable alerts send --revive",
        )
    waits = ledger.counts().get("due", 0)
    yield None, f"{waits} letters wait in the outbox", "every run sends them, or answerable alerts send"
    kinds = {channel.id: channel.kind for channel in settings.channels}
    for channel, count in sorted(ledger.unsure().items()):
        if channel in kinds and not channels.load(kinds[channel]).DEDUPES:
            yield None, f"{count} letters on channel {channel} may have come twice", "nobody answered in time"
