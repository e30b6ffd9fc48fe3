"""Tables and reports for the terminal, as rich renderables."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
from rich.table import Table
from rich.text import Text

from contracts.deliveries import Delivery
from views.signs import shown
from views.units import value_text

_STYLES = {
    "met": "green",
    "missed": "bold red",
    "cannot_tell": "yellow",
    "no_goal": "dim",
    "no_data": "dim",
    "critical": "bold red",
    "warning": "yellow",
    "info": "dim",
    "found": "green",
    "not looked for yet": "dim",
}
_WORDS = {"cannot_tell": "cannot tell yet", "no_goal": "no goal", "no_data": "no data"}


_FIRST = ("period", "period_start", "touchpoint_id", "owner_id", "metric", "n", "value", "goal", "verdict")
"""Columns that are shown before others when there is no room for all of them."""
_CELL_MAX = 40


def fitting(frame: pl.DataFrame, limit: int, width: int) -> list[str]:
    """The columns of a frame that a terminal of a width has room for, in their order; at least one."""
    cells = frame.head(limit)
    ordered = [name for name in _FIRST if name in frame.columns]
    ordered += [name for name in frame.columns if name not in ordered]
    kept, left = set[str](), width - 1
    for name in ordered:
        longest = max((len(_cell(value)) for value in cells[name]), default=0)
        left -= min(max(longest, len(name)), _CELL_MAX) + 3
        if left < 0 and kept:
            break
        kept.add(name)
    return [name for name in frame.columns if name in kept]


def profile(costs: Mapping[str, Mapping[str, Any]]) -> Table:
    """What every stage of a run cost, and all of them together."""
    table = Table(title="What the run cost", title_justify="left")
    table.add_column("stage")
    for name in ("wall s", "CPU s", "rows"):
        table.add_column(name, justify="right")
    for stage, cost in costs.items():
        wall = "" if cost["seconds"] is None else f"{cost['seconds']:.2f}"
        table.add_row(stage, wall, f"{cost['cpu_seconds']:.2f}", f"{cost['rows']:,}" if cost["rows"] else "")
    wall, cpu = (sum(cost[name] or 0 for cost in costs.values()) for name in ("seconds", "cpu_seconds"))
    table.add_row("together", f"{wall:.2f}", f"{cpu:.2f}", "")
    return table


def any_table(frame: pl.DataFrame, title: str, limit: int, hidden: int = 0) -> Table:
    """A frame as a table, its first rows only; `hidden` columns are said to be left out."""
    caption = _caption(frame, limit)
    if hidden:
        caption = f"{caption or ''} {hidden} more columns: name yours with --columns, or ask for --csv or --json.".strip()
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for name, kind in frame.schema.items():
        table.add_column(name, justify="right" if kind.is_numeric() else "left", overflow="fold")
    for row in frame.head(limit).iter_rows():
        table.add_row(*(Text(_cell(value)) for value in row))
    return table


def scorecard(card: pl.DataFrame, title: str) -> Table:
    """The judged touchpoints of one period.

    Args:
        card: Rows of scorecard_touchpoint, one period. Where `waits` is true the period itself is stale,
            and the row is the last one that was judged.
        title: What stands above.
    """
    waits = card.filter("waits")["period_end"].unique().sort() if "waits" in card.columns else []
    note = "no data: a feed behind it is late or broken; the row, and its verdict then, are of the 28 days until "
    caption = note + ", ".join(map(str, waits)) if len(waits) else None
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    left, right = ("touchpoint", "accountable", "metric", "verdict"), ("n", "value", "95 % interval", "goal")
    for name in ("touchpoint", "accountable", "metric", *right, "verdict"):
        table.add_column(name, justify="right" if name in right else "left", no_wrap=name in left)
    for row in card.iter_rows(named=True):
        table.add_row(
            row["touchpoint_name"],
            Text("nobody", "bold red") if row["owner_id"] == "nobody" else row["owner_name"],
            row["metric"],
            f"{row['n']:,}",
            value_text(row["value"], row["unit"]),
            _interval(row),
            value_text(row["goal"], row["unit"]) if row["goal"] is not None else "",
            _verdict(row),
        )
    return table


def findings(found: pl.DataFrame, title: str = "What nobody owns, measures or aims for") -> Table:
    """The gap audit in short, without what is merely worth knowing."""
    table = Table(title=title, title_justify="left")
    table.add_column("severity")
    table.add_column("finding", overflow="fold")
    table.add_column("events", justify="right")
    table.add_column("customers", justify="right")
    worst = found.filter(pl.col("severity") != "info").sort("severity", "place")
    for row in worst.iter_rows(named=True):
        counts = [f"{row[name]:,}" if row[name] else "" for name in ("event_count", "customer_count")]
        table.add_row(_styled(row["severity"]), Text(shown(row["sentence"])), *counts)
    return table


def rule_table(hits: pl.DataFrame) -> Table:
    """Rules in their order with how often they matched; rows of rule_hit."""
    table = Table(title="Rules, the first that matches wins", title_justify="left")
    for name in ("", "rule", "touchpoint", "events", "in 28 days", "note"):
        table.add_column(name, justify="right" if name in ("", "events", "in 28 days") else "left")
    for row in hits.iter_rows(named=True):
        table.add_row(
            str(row["position"]),
            row["rule_id"],
            row["touchpoint_id"],
            f"{row['event_count']:,}",
            f"{row['event_28d_count']:,}",
            _rule_note(row),
        )
    return table


def _rule_note(row: Mapping[str, Any]) -> Text:
    if row["is_shadowed"]:
        return Text(f"shadowed by {row['shadowed_by']}", "bold red")
    if not row["event_count"]:
        return Text("dead: never matched", "yellow")
    return Text("" if row["event_28d_count"] else "quiet: none in 28 days", "yellow")


def deliveries(read: Sequence[Delivery]) -> Table:
    """What a run read, stream by stream."""
    table = Table(title="Deliveries read", title_justify="left")
    for name in ("stream", "files", "rows read", "accepted", "quarantined", "duplicates", "events"):
        table.add_column(name, justify="left" if name == "stream" else "right")
    streams: dict[str, list[Delivery]] = {}
    for one in read:
        streams.setdefault(f"{one.feed}.{one.stream}", []).append(one)
    for stream, own in streams.items():
        sums = [
            sum(getattr(one, name) for one in own)
            for name in ("rows_read", "rows_accepted", "rows_quarantined", "rows_duplicate", "event_count")
        ]
        table.add_row(stream, f"{len(own):,}", *(f"{total:,}" for total in sums))
    return table


def feeds_quality(trust: pl.DataFrame) -> Table:
    """What every stream delivered and whether it came in time: rows of data_trust."""
    table = Table(title="Feeds", title_justify="left")
    counts = ("read", "accepted", "quarantined", "duplicate", "dropped")
    for name in ("stream", *counts, "held", "newest event", "state"):
        table.add_column(name, justify="right" if name in (*counts, "held") else "left")
    for row in trust.iter_rows(named=True):
        word = "late" if row["is_late"] else "a delivery is held" if row["is_stale"] else "in time"
        state = word if row["age_max_hours"] or row["is_stale"] else "no promise"
        table.add_row(
            f"{row['feed']}.{row['stream']}",
            *(f"{row[f'rows_{name}']:,}" for name in counts),
            f"{row['held_file_count']:,}",
            _cell(row["newest_event_at"]),
            Text(state, "bold red" if row["is_stale"] else "green" if state == "in time" else "dim"),
        )
    return table


def rules_quality(broken: pl.DataFrame, limit: int) -> Table:
    """Rules that were broken: what `quality.broken_rules` returned, its first rows only."""
    table = Table(title="Rules that were broken", title_justify="left", caption=_caption(broken, limit))
    for name in ("stream", "rule", "severity", "rows", "share", "deliveries", "state", "answers for it"):
        table.add_column(name, justify="right" if name in ("rows", "share", "deliveries") else "left")
    for row in broken.head(limit).iter_rows(named=True):
        table.add_row(
            f"{row['feed']}.{row['stream']}",
            row["rule"],
            _styled(row["severity"]),
            f"{row['failed']:,}",
            f"{row['share']:.3%}",
            f"{row['broken']:,} of {row['deliveries']:,}",
            row["state"],
            row["owner_seat_id"],
        )
    return table


def grades_quality(graded: pl.DataFrame) -> Table:
    """How many numbers have which grade, and what is their weakest part."""
    table = Table(title="How far to believe the numbers of the last 28 days", title_justify="left")
    for name in ("grade", "weakest", "numbers"):
        table.add_column(name, justify="right" if name == "numbers" else "left")
    counted = graded.group_by("grade", "weakest").len("numbers").sort("grade", "weakest")
    for grade, weakest, numbers in counted.iter_rows():
        table.add_row(grade, "" if grade == "A" else weakest, f"{numbers:,}")
    return table


def planted_and_found(lines: Iterable[tuple[str, str, str]]) -> Table:
    """Truths and what became of them: planted, status, what the tables say."""
    table = Table(title="Planted and found", title_justify="left", show_lines=True)
    table.add_column("planted", overflow="fold", ratio=5)
    table.add_column("", no_wrap=True)
    table.add_column("what the tables say", overflow="fold", ratio=5)
    for planted, status, said in lines:
        table.add_row(planted, _styled(status), said)
    return table


def checks(lines: Iterable[tuple[bool | None, str, str]]) -> Table:
    """Doctor's findings: whether it is well (None: does not apply), what was looked at, what to do."""
    table = Table(show_header=False, box=None, pad_edge=False)
    marks = {True: Text("ok", "green"), False: Text("wrong", "bold red"), None: Text("-", "dim")}
    for is_well, what, remedy in lines:
        table.add_row(marks[is_well], what, Text("" if is_well else remedy, "dim" if is_well is None else ""))
    return table


def _interval(row: Mapping[str, Any]) -> str:
    if row["value_low"] is None:
        return ""
    if row["value_high"] is None:
        return f"from {value_text(row['value_low'], row['unit'])}"
    return f"{value_text(row['value_low'], row['unit'])} to {value_text(row['value_high'], row['unit'])}"


def _verdict(row: Mapping[str, Any]) -> Text:
    said = _styled(row["verdict"])
    if row.get("waits"):
        word = "undecided" if row["verdict"] == "cannot_tell" else row["verdict"]
        return _styled("no_data").append(f" ({word})", _STYLES.get(row["verdict"], ""))
    if row["answers_needed"]:
        said.append(f": {row['answers_needed']:,} more", "dim")
        if row["answers_expected_date"]:
            said.append(f", by {row['answers_expected_date']}", "dim")
    if row["is_inherited"]:
        said.append(f"; inherited, theirs for {row['owner_days']:,} days", "dim")
    return said


def _styled(word: str) -> Text:
    return Text(_WORDS.get(word, word), _STYLES.get(word, "bold red" if word == "missed" else ""))


def _caption(frame: pl.DataFrame, limit: int) -> str | None:
    return f"{frame.height - limit:,} more rows: raise --limit" if frame.height > limit else None


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else shown(str(value))
