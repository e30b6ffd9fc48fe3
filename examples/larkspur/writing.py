"""Writing export files: CSV and JSON lines, byte for byte the same for the same rows."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson
import polars as pl

from examples.larkspur import plan, when
from examples.larkspur.dirt import LATIN_BYTE, LATIN_MARK
from examples.larkspur.tickets import Desk

REPEATS = (*plan.REPEATED_HISTORY, "repeated_file")


@dataclass
class FileCount:
    """What one file of the inbox holds, header aside.

    Attributes:
        rows: Data rows (records, not lines of text); always valid + broken + duplicates.
        valid: Rows that count.
        events: Events in the rows that count.
        broken: Rows that break the contract, by reason.
        duplicates: Rows that repeat another, by reason.
        broken_entries: Broken parts of rows that count otherwise, by reason.

    """

    rows: int = 0
    valid: int = 0
    events: int = 0
    broken: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    broken_entries: dict[str, int] = field(default_factory=dict)


def csv_lines(frame: pl.DataFrame, columns: Sequence[str], separator: str) -> pl.Series:
    """Render rows as CSV lines, quoting only the fields that need it."""
    return frame.select(
        pl.concat_str([_csv_field(name, separator) for name in columns], separator=separator)
    ).to_series()


def ticket_lines(desk: Desk) -> pl.Series:
    """Render tickets as JSON lines, each with its history."""
    at = pl.when(pl.col("fault").is_null()).then(when.zulu_text()).alias("at")
    entries = desk.entries.select("ticket", "seq", at, "field", "from", "to", "by")
    histories: list[list[dict]] = [[] for _ in range(len(desk.tickets))]
    for entry in entries.iter_rows(named=True):
        histories[entry.pop("ticket")].append(entry)
    tickets = desk.tickets.with_columns(when.zulu_text("created").alias("created"))
    rows = zip(tickets.iter_rows(named=True), histories, strict=True)
    return pl.Series([_ticket_line(ticket, history) for ticket, history in rows])


def write_inbox(folder: Path, lines: pl.DataFrame, header: str | None) -> dict[str, FileCount]:
    """Write rendered rows to their files, in the order given.

    Args:
        folder: The inbox.
        lines: One row a data row: file (path in the inbox), line, fault, events.
        header: First line of every file, if any.

    Returns:
        What each file holds.

    """
    counts = {}
    for (file,), rows in lines.partition_by("file", as_dict=True, maintain_order=True).items():
        head = [] if header is None else [header]
        text = "\n".join([*head, *rows["line"], ""]).encode()
        write(folder / file, text.replace(LATIN_MARK.encode(), LATIN_BYTE), exported(file))
        counts[file] = _count(rows)
    return counts


def write(path: Path, content: bytes, moment: datetime) -> None:
    """Write a file as if it had been exported at ``moment``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    stamp(path, moment)


def stamp(path: Path, moment: datetime) -> None:
    """Set when a file seems to have been written."""
    os.utime(path, (when.seconds(moment), when.seconds(moment)))


def exported(file: str) -> datetime:
    """Return the instant at which a file of the inbox was exported.

    Monthly CRM and survey files leave their system in the night after the month; customers
    and tickets, which tell the present state, in the night before the clock.
    """
    feed, name = file.split("/")
    if name == plan.LATE_FILE:
        return plan.LATE_EXPORTED
    if feed == "tickets" or name == "customers.csv":
        return plan.CLOCK.replace(hour=4)
    month = name.rpartition("_")[2].removesuffix(".csv")
    if feed == "survey" and when.month_end(month) > plan.SURVEYS_STOP:
        return plan.SURVEYS_STOP.replace(hour=19)
    return when.month_end(month).replace(hour=3)


def _csv_field(column: str, separator: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String).fill_null("")
    quoted = '"' + text.str.replace_all('"', '""', literal=True) + '"'
    return pl.when(text.str.contains(f'[{separator}"\n]')).then(quoted).otherwise(text)


def _ticket_line(ticket: dict, history: list[dict]) -> str:
    record = {
        "id": ticket["ticket_id"],
        "created_at": ticket["created"],
        "channel": ticket["channel"],
        "category": ticket["category"],
        "priority": ticket["priority"],
        "requester": {name: ticket[name] for name in ("email", "phone") if ticket[name]},
        "history": history,
    }
    return orjson.dumps(record).decode()


def _count(rows: pl.DataFrame) -> FileCount:
    faults = dict(rows["fault"].drop_nulls().value_counts().sort("fault").iter_rows())
    return FileCount(
        rows=len(rows),
        valid=rows["fault"].null_count(),
        events=int(rows.filter(pl.col("fault").is_null())["events"].sum()),
        broken={name: count for name, count in faults.items() if name not in REPEATS},
        duplicates={name: count for name, count in faults.items() if name in REPEATS},
    )
