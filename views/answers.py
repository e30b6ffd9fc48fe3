"""Who answers for what, as text and as a table for the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from contracts.answers import Answer


def answer_text(answer: Answer, zone: ZoneInfo, source: str) -> str:
    """One answer in a few lines.

    Args:
        answer: Who is accountable.
        zone: Time zone of the dates.
        source: Which version of the map says so.
    """
    rows = list(_rows(answer, zone, source))
    width = max(len(name) for name, _ in rows)
    head = f"{answer.touchpoint_name} ({answer.touchpoint}) at {moment_text(answer.at, zone)}"
    return "\n".join([head, *(f"  {name:<{width}}  {said}" for name, said in rows)]) + "\n"


def _rows(answer: Answer, zone: ZoneInfo, source: str) -> Iterator[tuple[str, str]]:
    yield "accountable", _accountable(answer)
    if answer.seat:
        yield "seat", f"{answer.seat_name} ({answer.seat})"
        yield "team", f"{answer.team_name} ({answer.team})"
    if answer.is_covered:
        held = _named(answer.holder_name, answer.holder) if answer.holder else "nobody"
        yield "seat held by", held + (f": {answer.reason}" if answer.reason else "")
    if answer.delegates:
        yield "acts for them", ", ".join(answer.delegates)
    if answer.state != "absent":
        yield "since", moment_text(answer.since, zone) if answer.since else "always"
        yield "until", moment_text(answer.until, zone) if answer.until else "further notice"
    yield "says", source
    yield "declared at", ", ".join(answer.declared_at)


def _accountable(answer: Answer) -> str:
    if answer.person is None:
        return f"nobody: {answer.reason}"
    said = _named(answer.person_name, answer.person)
    return f"{said}, covering" if answer.is_covered else said


def _named(name: str | None, identity: str | None) -> str:
    return f"{name} ({identity})"


def answer_table(answers: Sequence[Answer], stages: Mapping[str, str], zone: ZoneInfo, title: str) -> Table:
    """Every touchpoint and who answers for it, by stage.

    Args:
        answers: In the map's order; those that do not exist at the instant are left out.
        stages: Names of the stages, in their order.
        zone: Time zone of the dates.
        title: What stands above.
    """
    table = Table(title=title, title_justify="left")
    for name in ("stage", "touchpoint", "accountable", "seat", "team", "since", "until"):
        table.add_column(name, overflow="fold", no_wrap=name in ("since", "until"))
    nested = list(_nested([one for one in answers if one.state != "absent"]))
    for stage, name in stages.items():
        own = [(one, depth) for one, depth in nested if one.stage == stage]
        for place, (one, depth) in enumerate(own):
            table.add_row(
                "" if place else name,
                f"{'  ' * depth}{one.touchpoint_name}",
                _person_cell(one),
                one.seat_name or "",
                one.team_name or "",
                day_text(one.since, zone),
                day_text(one.until, zone),
                end_section=place == len(own) - 1,
            )
    return table


def _person_cell(one: Answer) -> Text:
    if one.person is None:
        return Text(f"nobody: {one.reason}", "bold red")
    cell = Text(one.person_name or one.person)
    return cell.append(f", covering for {one.holder_name or 'nobody'}", "yellow") if one.is_covered else cell


def _nested(answers: Sequence[Answer]) -> Iterator[tuple[Answer, int]]:
    """Every touchpoint and how deep it is nested, parts below their whole."""
    present = {one.touchpoint for one in answers}
    parts: dict[str | None, list[Answer]] = {}
    for one in answers:
        parts.setdefault(one.parent if one.parent in present else None, []).append(one)
    waiting = [(one, 0) for one in reversed(parts.get(None, []))]
    while waiting:
        one, depth = waiting.pop()
        yield one, depth
        waiting += [(part, depth + 1) for part in reversed(parts.get(one.touchpoint, []))]


def moment_text(moment: datetime, zone: ZoneInfo) -> str:
    """An instant to the second, local."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def day_text(moment: datetime | None, zone: ZoneInfo) -> str:
    """An instant as its local day, with the time unless it is midnight; empty for none."""
    if moment is None:
        return ""
    local = moment.astimezone(zone)
    return f"{local:%Y-%m-%d}" if (local.hour, local.minute) == (0, 0) else f"{local:%Y-%m-%d %H:%M}"
