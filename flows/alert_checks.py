"""Checks of `alerts:` in answerable.yaml: what the section alone cannot know."""

from collections.abc import Iterator

from contracts.accountability import AccountabilityMap
from contracts.alert_settings import Alerts, Channel
from contracts.documents import Document
from contracts.errors import Problem, did_you_mean
from contracts.tenures import EARLIEST, LATEST, instant
from flows import channels


def alert_checks(
    alerts: Alerts, document: Document, atlas: AccountabilityMap, *, is_whole: bool
) -> Iterator[Problem]:
    """Everything that is wrong with a section that can be read.

    Args:
        alerts: The section.
        document: The file it stands in.
        atlas: The map, as far as it can be understood.
        is_whole: Whether all of it can: else names that are not in it are not called unknown.
    """
    known: set[str] = set()
    for index, channel in enumerate(alerts.channels):
        if channel.id in known:
            what = f"channel {channel.id!r} stands twice."
            yield Problem(document.where("alerts", "channels", index, "id"), what, "Rename one.")
        known.add(channel.id)
        yield from _channel(channel, index, alerts, document)
    for role, names in alerts.roles.items():
        for name in names:
            if name not in known:
                where = document.where("alerts", "roles", role)
                yield Problem(where, f"unknown channel {name!r}.", did_you_mean(name, known))
    if alerts.channels and not alerts.roles:
        what = "'alerts' has channels, but no role is told through any."
        yield Problem(document.where("alerts", "channels"), what, "Add 'roles: {default: CHANNEL}'.")
    if alerts.link_base is not None and alerts.link_secret_from is None:
        what = "'link_base' is set, but nothing to sign links with."
        yield Problem(document.where("alerts", "link_base"), what, "Add 'link_secret_from: VARIABLE'.")
    if is_whole:
        yield from _names(alerts, document, atlas)
    yield from _times(alerts, document, atlas)


def _channel(channel: Channel, index: int, alerts: Alerts, document: Document) -> Iterator[Problem]:
    where = document.where("alerts", "channels", index, "kind")
    if channel.kind not in channels.names():
        yield Problem(where, f"unknown kind {channel.kind!r}.", did_you_mean(channel.kind, channels.names()))
        return
    for name in sorted(channels.load(channel.kind).NEEDS):
        if getattr(channel, name) is None:
            yield Problem(where, f"a channel of kind {channel.kind!r} needs {name!r}.", f"Add '{name}: ...'.")
    if channel.kind == "smtp" and alerts.recipients_from is None:
        what = "mail is to be sent, but nobody's address is known."
        yield Problem(where, what, "Add 'recipients_from: VARIABLE' below 'alerts'.")
    if (channel.user_from is None) != (channel.password_from is None):
        yield Problem(where, "one of 'user_from' and 'password_from' is missing.", "Write both or none.")


def _names(alerts: Alerts, document: Document, atlas: AccountabilityMap) -> Iterator[Problem]:
    seats = [seat.id for seat in atlas.seats]
    for name in ("sponsor", "fallback"):
        seat = getattr(alerts, name)
        if seat is not None and seat not in seats:
            yield Problem(
                document.where("alerts", name), f"unknown seat {seat!r}.", did_you_mean(seat, seats)
            )
    known = {
        "touchpoints": [one.id for one in atlas.touchpoints],
        "metrics": [one.id for one in atlas.metrics],
    }
    for index, change in enumerate(alerts.planned_changes):
        for part, ids in known.items():
            for name in getattr(change, part):
                if name not in ids:
                    where = document.where("alerts", "planned_changes", index, part)
                    yield Problem(where, f"unknown {part[:-1]} {name!r}.", did_you_mean(name, ids))


def _times(alerts: Alerts, document: Document, atlas: AccountabilityMap) -> Iterator[Problem]:
    for index, change in enumerate(alerts.planned_changes):
        if instant(change.starts, atlas.zone, EARLIEST) >= instant(change.ends, atlas.zone, LATEST):
            where = document.where("alerts", "planned_changes", index)
            yield Problem(where, "a planned change ends before it begins.", "Mend 'from' or 'until'.")
    if alerts.quiet_hours and alerts.quiet_hours.begins == alerts.quiet_hours.ends:
        where = document.where("alerts", "quiet_hours")
        yield Problem(where, "quiet hours end when they begin.", "Write two different times.")
