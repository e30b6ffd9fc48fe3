"""Who gets which letter: one for each person and run, a few interruptions a week, the rest in a digest."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from contracts.alert_settings import Alerts
from contracts.alerts import AlertMessage, Decision, Letter, Notice, Role, plain

GRAVITY = ("breach", "escalated", "no_data", "handed_over", "resolved", "digest")
_INTERRUPTS = ("breach", "escalated", "no_data")

Say = Callable[[Decision, Notice], AlertMessage]


@dataclass(frozen=True)
class Waiting:
    """Something that waits for a person's digest.

    Attributes:
        number: Its number in the outbox.
        letter: What it says.
    """

    number: int
    letter: Letter


def apportion(decisions: Iterable[Decision], spent: Mapping[str, int], limit: int) -> list[Decision]:
    """Decisions whose notices keep to every person's budget of interruptions.

    Of what would interrupt a person, the alerts with most customers do; the overflow waits for the
    digest, and what follows from it (its end) does too. Ends and hand-overs never count.

    Args:
        decisions: What was decided.
        spent: Interruptions of the running week, by person.
        limit: How many a person may have a week.
    """
    decisions = list(decisions)
    asked = sorted(
        (
            (-(decision.facts or {}).get("customers", 0) if _counted(decision) else 0, place, decision)
            for place, decision in enumerate(decisions)
        ),
        key=lambda one: one[:2],
    )
    used = dict(spent)
    kept = list(decisions)
    for _, place, decision in asked:
        notices = []
        after = decision.after
        for notice in decision.notices:
            person = notice.rung.person
            if notice.kind in _INTERRUPTS and not notice.is_digest:
                if used.get(person, 0) >= limit:
                    notices.append(replace(notice, is_digest=True))
                    if after is not None:
                        told = (
                            replace(one, is_interrupt=False) if one.person == person else one
                            for one in after.told
                        )
                        after = replace(after, told=tuple(told))
                    continue
                used[person] = used.get(person, 0) + 1
            notices.append(notice)
        kept[place] = replace(decision, notices=tuple(notices), after=after)
    return kept


def letters(decisions: Iterable[Decision], settings: Alerts, say: Say) -> list[Letter]:
    """One letter for each person and channel with all that interrupts them now; the rest waits, one by one.

    Args:
        decisions: What `apportion` returned.
        settings: Channels by role.
        say: Makes the message of one notice.
    """
    told = [(decision, notice) for decision in decisions for notice in decision.notices]
    now: list[Letter] = []
    waiting: list[Letter] = []
    for decision, notice in told:
        if decision.after is None:
            continue
        for channel in settings.channels_of(notice.rung.role) or ("",):
            letter = Letter(
                kind=notice.kind,
                person=notice.rung.person,
                role=notice.rung.role,
                channel=channel,
                alerts=(decision.after.id,),
                messages=(plain(say(decision, notice)),),
                interrupts=int(notice.kind in _INTERRUPTS and not notice.is_digest),
                is_waiting=notice.is_digest,
            )
            (waiting if notice.is_digest else now).append(letter)
    return [*_together(now), *waiting]


def digests(waiting: Sequence[Waiting]) -> list[tuple[Letter, tuple[int, ...]]]:
    """One digest for each person and channel, with the numbers of what it holds; most customers first."""
    found = []
    ordered = sorted(waiting, key=lambda one: (one.letter.person, one.letter.channel, one.number))
    for (person, channel), group in groupby(ordered, key=lambda one: (one.letter.person, one.letter.channel)):
        items = list(group)
        messages = [message for one in items for message in one.letter.messages]
        messages.sort(key=lambda one: -((one.get("facts") or {}).get("customers") or 0))
        letter = Letter(
            kind="digest",
            person=person,
            role=items[0].letter.role,
            channel=channel,
            alerts=tuple(dict.fromkeys(alert for one in items for alert in one.letter.alerts)),
            messages=tuple(messages),
        )
        found.append((letter, tuple(one.number for one in items)))
    return found


def _together(apart: Iterable[Letter]) -> list[Letter]:
    ordered = sorted(apart, key=lambda one: (one.person, one.channel, GRAVITY.index(one.kind)))
    found = []
    counted: set[tuple[str, str]] = set()  # an alert that comes on two channels interrupts once
    for (person, channel), group in groupby(ordered, key=lambda one: (one.person, one.channel)):
        parts = list(group)
        role: Role = parts[0].role
        fresh = {(person, one.alerts[0]) for one in parts if one.interrupts} - counted
        counted |= fresh
        found.append(
            Letter(
                kind=parts[0].kind,
                person=person,
                role=role,
                channel=channel,
                alerts=tuple(alert for one in parts for alert in one.alerts),
                messages=tuple(message for one in parts for message in one.messages),
                interrupts=len(fresh),
            )
        )
    return found


def _counted(decision: Decision) -> bool:
    return (decision.facts or {}).get("customers") is not None
