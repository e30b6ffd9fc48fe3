"""What a change of the map would do, for the terminal."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from contracts.map_change import Flip, Holder, Judged, Load, MapChange, Move, Rung
from views.ladder import STEPS
from views.units import plural, value_text

SHOWN_MAX = 30
_STYLES = {"met": "green", "missed": "bold red", "cannot_tell": "yellow"}
_WORDS = {"cannot_tell": "cannot tell yet", "no_goal": "no goal", "no_data": "no data"}
_SEVERITIES = {"critical": "bold red", "warning": "yellow", "info": "dim"}


def terminal(change: MapChange) -> Iterator[RenderableType]:
    """The change, section by section; a section without anything in it is left out."""
    yield Text(headline(change), "bold")
    sections = (
        _moves(change),
        _reroutes(change),
        _flips(change),
        _loads(change),
        _scores(change),
        _ladder(change),
        _gaps(change),
    )
    for section in sections:
        if section.row_count:
            yield section
    if not any(section.row_count for section in sections):
        yield Text("Nothing changes for anybody.")


def headline(change: MapChange) -> str:
    """What it comes to, in a few sentences."""
    touchpoints = len({move.touchpoint for move in change.moves})
    days = (change.last_date - change.first_date).days
    counts = {status: len(change.gaps_that(status)) for status in ("new", "closed", "known")}
    said = [
        f"{change.base} to {change.head}: {plural(touchpoints, 'touchpoint')} {'changes' if touchpoints == 1 else 'change'} hands.",
        f"Of {plural(change.events, 'event')} of the last {days} days {change.events_changed:,} would be credited to somebody else ({plural(change.customers_changed, 'customer')}).",
        f"{plural(len(change.flips), 'verdict')} would turn.",
        f"{plural(counts['new'], 'new gap')}, {counts['closed']:,} closed, {counts['known']:,} as before.",
    ]
    if change.renamed:
        said.insert(
            1, "Renamed: " + ", ".join(f"{old} is now {new}" for old, new in change.renamed.items()) + "."
        )
    if not change.events:
        said[-3:-1] = ["There are no events to measure it by: only the maps are compared."]
    if change.not_asked:
        said.append(
            f"{plural(len(change.not_asked), 'rule')} of the audit were not asked: only a whole run can."
        )
    return " ".join(said)


def holder_text(holder: Holder | None) -> str:
    """Who holds it, and in which seat."""
    if holder is None:
        return "does not exist"
    name = holder.owner_name or holder.owner
    return f"{name} ({holder.seat})" if holder.seat else name


def when_text(change: MapChange, move: Move) -> str:
    """From when until when, in the map's zone."""
    starts, ends = (
        f"{change.local(moment):%Y-%m-%d %H:%M}" if moment else ""
        for moment in (move.starts_at, move.ends_at)
    )
    said = [f"from {starts}"] * bool(starts) + [f"until {ends}"] * bool(ends)
    return " ".join(said) or "always"


def judged_text(judged: Judged | None, unit: str) -> str:
    """A verdict with what it rests on."""
    if judged is None:
        return "-"
    said = f"{_WORDS.get(judged.verdict, judged.verdict)} ({value_text(judged.value, unit)}, n {judged.n:,}"
    return said + (f", goal {value_text(judged.goal, unit)})" if judged.goal is not None else ")")


def flip_text(flip: Flip) -> str:
    """Whose verdict it is."""
    return flip.touchpoint if flip.owner is None else f"{flip.touchpoint}: {flip.owner}'s part"


def load_row(load: Load) -> Sequence[str]:
    """Name, and touchpoints, events, customers and missed goals before and after."""
    names = ("touchpoints", "events", "customers", "goals_missed")
    counts = [(getattr(load.before, name), getattr(load.after, name)) for name in names]
    return [load.name or load.owner, *(_step(old, new) for old, new in counts)]


LOAD_HEADS = ("person", "touchpoints", "events", "customers", "goals missed")


def _step(old: int, new: int) -> str:
    return f"{new:,}" if old == new else f"{old:,} -> {new:,}"


def _table(title: str, *heads: str) -> Table:
    table = Table(title=title, title_justify="left")
    for head in heads:
        is_number = head in ("events", "customers", "at stake", *LOAD_HEADS[1:])
        table.add_column(head, justify="right" if is_number else "left", overflow="fold")
    return table


def _cut(table: Table, count: int) -> Table:
    if count > SHOWN_MAX:
        table.caption = f"{count - SHOWN_MAX:,} more: --format json has them all"
        table.caption_justify = "left"
    return table


def _moves(change: MapChange) -> Table:
    table = _table(
        "Touchpoints that change hands",
        "touchpoint",
        "when",
        "before",
        "after",
        "events",
        "customers",
        "at stake",
        "open",
    )
    told = change.moves_that_matter
    for move in told[:SHOWN_MAX]:
        table.add_row(
            move.touchpoint,
            when_text(change, move),
            holder_text(move.before),
            holder_text(move.after),
            f"{move.events:,}",
            f"{move.customers:,}",
            f"{move.window_events:,}",
            open_text(move),
        )
    return _cut(table, len(told))


def open_text(move: Move) -> str:
    """What the next holder takes over besides: open cases and alerts."""
    counts = ((move.open_cases, "case"), (move.open_alerts, "alert"))
    return ", ".join(plural(count, noun) for count, noun in counts if count)


def _reroutes(change: MapChange) -> Table:
    table = _table("Events that go to another touchpoint", "before", "after", "events", "customers")
    for one in change.reroutes[:SHOWN_MAX]:
        table.add_row(one.touchpoint_before, one.touchpoint_after, f"{one.events:,}", f"{one.customers:,}")
    return _cut(table, len(change.reroutes))


def _flips(change: MapChange) -> Table:
    table = _table("Verdicts that turn", "of", "metric", "before", "after")
    for flip in change.flips[:SHOWN_MAX]:
        sides = (
            Text(judged_text(side, flip.unit), _STYLES.get(side.verdict, "") if side else "")
            for side in (flip.before, flip.after)
        )
        table.add_row(flip_text(flip), flip.metric, *sides)
    return _cut(table, len(change.flips))


def _loads(change: MapChange) -> Table:
    table = _table(
        f"What everybody answers for, as of {change.local(change.settled_at):%Y-%m-%d}", *LOAD_HEADS
    )
    for load in change.loads[:SHOWN_MAX]:
        table.add_row(*load_row(load))
    return _cut(table, len(change.loads))


def _scores(change: MapChange) -> Table:
    table = _table(
        "Scores that change, and how much of it is earned", "person", "metric", "before", "after", "earned"
    )
    for one in change.scores[:SHOWN_MAX]:
        values = (value_text(value, one.unit) for value in (one.before, one.after, one.earned))
        table.add_row(one.owner, one.metric, *values)
    return _cut(table, len(change.scores))


def _ladder(change: MapChange) -> Table:
    table = _table("Where accountability ends", *LADDER_HEADS)
    for rung in change.rungs_that_move:
        table.add_row(*rung_row(rung))
    return table


LADDER_HEADS = ("what is missing first", "events", "% before", "% after")


def rung_row(rung: Rung) -> Sequence[str]:
    """One step of the waterfall, before and after."""
    counts = _step(rung.events_before, rung.events_after)
    return STEPS[rung.step], counts, str(rung.percent_before), str(rung.percent_after)


def _gaps(change: MapChange) -> Table:
    table = _table("Gaps that open and close", "", "severity", "finding", "events", "customers")
    told = [*change.gaps_that("new"), *change.gaps_that("closed")]
    for gap in told[:SHOWN_MAX]:
        counts = (f"{count:,}" if count else "" for count in (gap.events, gap.customers))
        table.add_row(gap.status, Text(gap.severity, _SEVERITIES[gap.severity]), gap.sentence, *counts)
    return _cut(table, len(told))
