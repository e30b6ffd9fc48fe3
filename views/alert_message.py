"""A message about alerts as text, Markdown and HTML: the same lines in each."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import escape

from views.units import plural

Message = Mapping[str, Any]
Links = Mapping[str, Mapping[str, str]]
"""Address by action, by the alert's id."""

_HEADS = {
    "breach": "BREACH",
    "escalated": "ESCALATED",
    "no_data": "NO DATA",
    "handed_over": "HANDED OVER",
    "resolved": "RESOLVED",
}
_ROLES = {
    "owner": "accountable",
    "delegate": "acting for the accountable person",
    "lead": "team lead",
    "integrator": "integrator",
    "stage": "stage review",
    "sponsor": "sponsor",
    "fallback": "fallback",
    "feed_owner": "feed owner",
}


@dataclass(frozen=True)
class Line:
    """One line of a message: what it is about, and what it says."""

    label: str
    text: str

    def __str__(self) -> str:
        return f"{self.label} {self.text}" if self.text.startswith("->") else f"{self.label}: {self.text}"


@dataclass(frozen=True)
class Rendered:
    """A message in every form that a channel may want.

    Attributes:
        subject: One line.
        text: Plain text.
        markdown: Markdown.
        html: A fragment of HTML without scripts, styles or images.
    """

    subject: str
    text: str
    markdown: str
    html: str


def render(
    messages: Sequence[Message], links: Links, zone: ZoneInfo, folder: str = "", *, is_digest: bool = False
) -> Rendered:
    """Every alert of one letter, the gravest first.

    Args:
        messages: Plain values of `AlertMessage`.
        links: One-click links; may be empty.
        zone: Time zone of every time shown.
        folder: The workspace's folder, for commands to be typed; where they are typed when empty.
        is_digest: Whether this is the week's digest.
    """
    blocks = [
        (headline(one), list(lines(one, links.get(one["alert"], {}), zone, folder))) for one in messages
    ]
    subject = blocks[0][0] if len(blocks) == 1 else _summary(messages)
    if is_digest:
        subject = f"Digest: {subject}"
    intro = [subject, ""] if is_digest or len(blocks) > 1 else []
    text = "\n\n".join("\n".join([head, *map(str, body)]) for head, body in blocks)
    marked = "\n\n".join(
        "\n".join([f"**{_marked(head)}**", *(f"- *{line.label}:* {_marked(line.text)}" for line in body)])
        for head, body in blocks
    )
    html = "".join(
        f"<h3>{escape(head)}</h3><ul>"
        + "".join(f"<li><b>{escape(line.label)}:</b> {_linked(line.text)}</li>" for line in body)
        + "</ul>"
        for head, body in blocks
    )
    head_html = f"<p>{escape(subject)}</p>" if intro else ""
    return Rendered(
        subject, "\n".join([*intro, text]) + "\n", "\n".join([*intro, marked]) + "\n", head_html + html
    )


def headline(one: Message) -> str:
    """The first line: what happened, where, how bad, against which goal."""
    head, facts = _HEADS[one["kind"]], one["facts"]
    if one["scope_type"] == "feed":
        where = f"{head}  feed {one['scope_name']}"
        if one["kind"] == "resolved":
            return f"{head} after {_days(one['days'])}  feed {one['scope_name']}: it delivers again as its contract says"
        return f"{where} | {'; '.join(_in_the_way(facts))}"
    place = " > ".join(part for part in (one["stage_name"], one["scope_name"]) if part)
    what = f"{one['metric_name']} {_four_weeks(facts)}"
    if facts["value_high"] is not None and facts["value_low"] is not None:
        ends = (value_text(facts[name], facts["unit"], bare=True) for name in ("value_low", "value_high"))
        what += f" ({'-'.join(ends)}, n={facts['n']:,}, 4 weeks)"
    else:
        what += f" (n={facts['n']:,}, 4 weeks)"
    sign = ">=" if facts["direction"] == "higher" else "<="
    due = f" by {_day(facts['due_date'])}" if facts["due_date"] else ""
    goal = f"goal {sign} {value_text(facts['goal'], facts['unit'])}{due}"
    if one["kind"] == "resolved":
        head += f" after {_days(one['days'])}"
    # Alerts of earlier runs do not know it.
    trust = f"  trust {facts['trust']}" if facts.get("trust") else ""
    return f"{head}  {place} | {what}  {goal}{trust}"


def _in_the_way(facts: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a feed; alerts of earlier runs know of its age alone."""
    if held := facts.get("held_files"):
        yield f"{plural(held, 'delivery', 'deliveries')} could not be taken in"
    if facts.get("is_late", True):
        age = "never delivered" if facts["age_hours"] is None else f"late: {facts['age_hours']:,.0f} h old"
        yield f"{age}, its contract allows {facts['age_max_hours']:g} h"


def lines(one: Message, links: Mapping[str, str], zone: ZoneInfo, folder: str = "") -> Iterator[Line]:
    """What stands below the first line: who, evidence, customers, what changed, what to do, why you."""
    place = f" {shlex.quote(folder)}" if folder else ""
    is_feed = one["scope_type"] == "feed"
    yield Line("Accountable", _accountable(one, zone))
    if one["kind"] == "resolved":
        yield Line("Why", _resolved(one))
        if one["history"]:
            yield Line("Meanwhile", "; ".join(one["history"]))
    else:
        if is_feed:
            held = one["facts"]["held"]
            newest = one["facts"]["newest_event_at"]
            since = f"newest event {_time(newest, zone)}; " if newest else ""
            yield Line(
                "Confidence", f"{since}{held} goal{'s' if held != 1 else ''} cannot be judged meanwhile"
            )
        else:
            yield Line("Confidence", _evidence(one["facts"]) + _doubted(one["facts"]))
            yield from _on_its_way(one["facts"])
            yield from _stakes(one)
            yield from _changes(one)
        if one["history"]:
            yield Line("So far", "; ".join(one["history"]))
        yield Line("Do one of", _to_do(one, links, place, is_feed=is_feed))
        if one["due_at"]:
            due = datetime.fromisoformat(one["due_at"]).astimezone(zone)
            yield Line(f"If nobody acknowledges by {due:%a %Y-%m-%d %H:%M}", _climbs(one))
    yield Line(
        "Why you",
        f"map@{one['map_version'][:7]} {one['scope_type']} {one['scope']}, {one['why_you']}.  "
        f"explain: answerable alerts why {one['alert']}{place}",
    )


_PLAIN = ("count", "value")
"""Units that say nothing of what is counted or measured: a number stands alone."""


def value_text(value: float | None, unit: str, *, bare: bool = False) -> str:
    """A value in its unit, as people read it; `bare` leaves the unit out."""
    if value is None:
        return "no value yet"
    if unit == "share":
        return f"{value * 100:.0f}" + ("" if bare else " %")
    number = f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:,.1f}"
    return number if bare or unit in _PLAIN else f"{number} {unit}"


def _four_weeks(facts: Mapping[str, Any]) -> str:
    """The value of four weeks, or what is known of it while too many of their cases are open."""
    value, low = facts["value"], facts["value_low"]
    beyond = value is None and low is not None
    return f"beyond {value_text(low, facts['unit'])}" if beyond else value_text(value, facts["unit"])


def _accountable(one: Message, zone: ZoneInfo) -> str:
    if one["person"] is None:
        why = one["unowned"] or "the map names nobody"
        return (
            f"NOBODY ({why}).  Began {_day(one['began'])}.  The gap is a finding: answerable show gap_finding"
        )
    seat = f" ({one['seat_name']})" if one["seat_name"] else ""
    said = f"{one['person_name'] or one['person']}{seat}"
    if one["holder_name"]:
        said += f", covering for {one['holder_name']}"
    if one["since"]:
        since = datetime.fromisoformat(one["since"])
        days = (datetime.fromisoformat(one["at"]) - since).days
        said += f", since {since.astimezone(zone):%Y-%m-%d} ({_days(days)})"
    cover = next((step["name"] for step in one["next"] if step["role"] == "delegate"), None)
    tail = f"  Cover: {cover}." if cover else ""
    if one["scope_type"] == "feed":
        return f"{said}.{tail}"
    under = one["began_under"] or "nobody"
    if one["is_inherited"]:
        held = f": inherited, held since {_time(one['since'], zone)}" if one["since"] else ": inherited"
        return f"{said}.  Began {_day(one['began'])}, under {under}{held}.{tail}"
    return f"{said}.  Began {_day(one['began'])}, under {under}.{tail}"


def _evidence(facts: Mapping[str, Any]) -> str:
    unit, is_higher = facts["unit"], facts["direction"] == "higher"
    side, sign = ("upper", "<") if is_higher else ("lower", ">")
    week = f"last week ({value_text(facts['week_value'], unit)}, n={facts['week_n']:,})"
    if facts["bound"] is None:
        return f"no interval over 4 weeks; {week}"
    bound, goal = (value_text(facts[name], unit) for name in ("bound", "goal"))
    misses = facts["bound"] < facts["goal"] if is_higher else facts["bound"] > facts["goal"]
    if not misses:
        return f"one-sided 95 % {side} bound {bound} over 4 weeks reaches {goal}; {week}"
    return (
        f"one-sided 95 % {side} bound {bound} {sign} {goal} over 4 weeks, and {week} misses the goal too"
        if facts["breach_weeks"]
        else f"one-sided 95 % {side} bound {bound} {sign} {goal} over 4 weeks; {week}"
    )


def _doubted(facts: Mapping[str, Any]) -> str:
    """What of the four weeks cannot be believed, of an alert that fired on earlier ones."""
    doubts = facts.get("doubts")
    return f"; graded D for {', '.join(doubts)}, so no alert would fire on it" if doubts else ""


def _on_its_way(facts: Mapping[str, Any]) -> Iterator[Line]:
    """Where the goal's path is, the chance to meet it, and its budget; alerts of earlier runs do not know."""
    said = []
    if facts.get("expected") is not None and facts["expected"] != facts["goal"]:
        said.append(f"its path expects {value_text(facts['expected'], facts['unit'])} by now")
    if facts.get("p_meet") is not None:
        said.append(f"chance to meet it when it is due {_chance(facts['p_meet'])}, as the weeks go")
    if said:
        yield Line("Goal", "; ".join(said))
    if facts.get("budget_used_share") is not None:
        used, passed = (round(100 * facts[name]) for name in ("budget_used_share", "budget_time_share"))
        burns = [
            f"{facts[f'burn_{side}']:.1f} times as fast as allowed over {_weeks(facts[f'burn_{side}_weeks'])}"
            for side in ("long", "short")
            if facts.get(f"burn_{side}") is not None
        ]
        burnt = f"; burning {', '.join(burns)}" if burns else ""
        yield Line(
            "Budget", f"{used} % of the quarter's bad experiences are used at {passed} % of its time{burnt}"
        )


def _chance(share: float) -> str:
    return "below 1 %" if share < 0.01 else "above 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def _weeks(count: int) -> str:
    return f"{count} week{'' if count == 1 else 's'}"


def _stakes(one: Message) -> Iterator[Line]:
    customers, bad = one["facts"]["customers"], one["expected_dissatisfied"]
    if customers:
        scaled = f", about {bad:,} of them dissatisfied (scaled from the answers)" if bad else ""
        yield Line("Customers", f"{customers:,} in the last 28 days{scaled}")


def _changes(one: Message) -> Iterator[Line]:
    facts = one["facts"]
    before, now, unit = facts["before_value"], facts["value"], facts["unit"]
    if before is None or now is None:
        return
    moved = (now - before) * (100 if unit == "share" else 1)
    by = "" if unit in _PLAIN else " points" if unit in ("share", "points") else f" {unit}"
    yield Line(
        f"What changed since {_day(facts['before_end'])}",
        f"{value_text(before, unit)} (n={facts['before_n']:,}) in the 4 weeks before it, "
        f"{value_text(now, unit)} in the last 4: {moved:+.1f}{by}",
    )


def _to_do(one: Message, links: Mapping[str, str], place: str, *, is_feed: bool) -> str:
    name = one["alert"]
    typed = {
        "ack": f"answerable alerts ack {name}{place} --by {one['to']}",
        "dispute": f'answerable alerts dispute {name}{place} --by {one["to"]} --reason "..."',
        "silence": f'answerable alerts silence {one["scope"]}{place} --until DATE --reason "..."',
    }
    offered = ("ack", "silence") if is_feed else ("ack", "dispute", "silence")
    words = {"ack": "ack", "dispute": "dispute evidence", "silence": "silence until a date, with a reason"}
    return "  |  ".join(
        f"{words[action]} {links[action]}" if action in links else typed[action] for action in offered
    )


def _climbs(one: Message) -> str:
    said = " -> ".join(
        f"{_ROLES[step['role']]} {step['seat_name'] or ''} ({step['name']})".replace("  ", " ")
        for step in one["next"]
    )
    return f"-> {said or 'nobody: the map names nobody further up'}"


def _resolved(one: Message) -> str:
    facts = one["facts"]
    weeks = facts.get("goal_weeks")
    if one["reason"] == "back_at_goal":
        return f"back at its goal for {weeks} windows of four weeks in a row"
    return one["reason_text"]


def _summary(messages: Sequence[Message]) -> str:
    counted: dict[str, int] = {}
    for one in messages:
        counted[one["kind"]] = counted.get(one["kind"], 0) + 1
    told = ", ".join(f"{count} {_HEADS[kind].lower()}" for kind, count in counted.items())
    return f"{len(messages)} alerts: {told}" if len(messages) != 1 else told


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _day(written: str | date) -> str:
    return written if isinstance(written, str) else written.isoformat()


def _time(written: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(written).astimezone(zone):%Y-%m-%d %H:%M}"


def _marked(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|" else sign for sign in text)


def _linked(text: str) -> str:
    """Escaped text whose addresses can be clicked."""
    return " ".join(
        f'<a href="{escape(word)}">{escape(word)}</a>'
        if word.startswith(("https://", "http://"))
        else str(escape(word))
        for word in text.split(" ")
    )
