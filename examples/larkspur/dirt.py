"""Rows that break contracts, rows that come twice, and a file that comes late.

A row's ``fault`` says why it must not count; it is null for good rows.
"""

import numpy as np
import polars as pl

from examples.larkspur import plan, surveys, when
from examples.larkspur.people import People
from examples.larkspur.tickets import Desk

# What a broken history row says instead of the truth.
_SAYS = {
    "unknown_stage": {"stage": "teleported"},
    "unreadable_time": {"changed_at": "2026-02-31 25:61:00"},
    "negative_amount": {},  # its own amount, with a minus
    "missing_customer": {"customer_id": ""},
    "time_before_1970": {"changed_at": "1907-05-03 10:00:00"},
    "time_in_future": {"changed_at": "2031-02-11 09:30:00"},
}
_OUT_OF_RANGE = 9
_CUT_FIELDS = (3, 7)  # a cut answer row keeps at least 3 and fewer than 7 of its fields
_CUT_TEXT = (0.3, 0.8)  # share of its text a cut ticket line keeps

# A private-use character that no text contains stands for the Latin-1 byte until the file
# is encoded: text alone cannot hold bytes that are not UTF-8.
LATIN_MARK, LATIN_BYTE = "\ue000", b"\xe4"
_LATIN_COMMENT = f"Lieferung kam zu sp{LATIN_MARK}t"


def spoil_history(rng: np.random.Generator, rows: pl.DataFrame, scale: float) -> pl.DataFrame:
    """Give the history its ids and files, and plant its dirt.

    Args:
        rng: Source of chance.
        rows: Good rows, as ``journeys.written`` returns them.
        scale: Multiplies the rows of the late file.

    Returns:
        One row a line, in the order of the files: the columns of ``rows``, history_id,
        file (path in the inbox) and fault.

    """
    good = rows.with_columns(pl.lit(None, dtype=pl.String).alias("fault"))
    whole = pl.concat([good, _broken_history(rng, good)])
    whole = whole.sort("at", "customer_id", "stage", "order_id", maintain_order=True)
    numbers = pl.int_range(1, pl.len() + 1).cast(pl.String).str.zfill(8)
    whole = whole.with_columns(
        pl.format("H{}", numbers).alias("history_id"),
        pl.format("crm/history_{}.csv", when.month()).alias("file"),
        pl.int_range(pl.len()).cast(pl.Float64).alias("position"),
    )
    whole = _hold_back(rng, whole, scale)
    return pl.concat([whole, _repeated_history(rng, whole)]).sort("file", "position")


def broken_answers(rng: np.random.Generator, people: People, invitations: pl.DataFrame) -> pl.DataFrame:
    """Answer some unanswered invitations, each answer with a fault.

    Args:
        rng: Source of chance.
        people: The customers.
        invitations: One row an invitation, as ``surveys.invite_all`` returns them.

    Returns:
        One row an answer, as ``surveys.answer`` returns them, and its fault.

    """
    faults = np.repeat(list(plan.BROKEN_ANSWERS), list(plan.BROKEN_ANSWERS.values()))
    # Early enough to be answered before the feed stops; with csat as their one question,
    # so that a faulty answer leaves no second, good one behind.
    only_csat = [survey.name for survey in plan.SURVEYS if survey.questions == plan.CSAT]
    early = pl.col("sent") < when.seconds(plan.SURVEYS_STOP) - 10 * plan.DAY
    pool = invitations.filter(~pl.col("answered"), early, pl.col("survey").is_in(only_csat))
    rows = surveys.answer(rng, people, pool[rng.choice(len(pool), len(faults), replace=False)])
    fault = pl.col("fault")
    return rows.with_columns(pl.Series("fault", faults)).with_columns(
        pl.when(fault == "csat_out_of_range").then(_OUT_OF_RANGE).otherwise("csat").alias("csat"),
        pl.when(fault == "not_utf8").then(pl.lit(_LATIN_COMMENT)).otherwise("comment").alias("comment"),
    )


def cut_answers(rng: np.random.Generator, lines: pl.DataFrame) -> pl.DataFrame:
    """Cut the lines (columns line, fault) of answers whose fault is a cut row."""
    fields = pl.lit(pl.Series(rng.integers(*_CUT_FIELDS, len(lines))))
    kept = pl.col("line").str.split(";").list.head(fields).list.join(";")
    return lines.with_columns(
        pl.when(pl.col("fault") == "cut_row").then(kept).otherwise("line").alias("line")
    )


def spoil_tickets(rng: np.random.Generator, desk: Desk) -> Desk:
    """Mark the tickets whose lines will be cut, and the entries that lose their instant.

    Args:
        rng: Source of chance.
        desk: Tickets and entries.

    Returns:
        The same with a column fault each: ``not_json`` and ``missing_at``.

    """
    count = len(desk.tickets)
    cut = np.isin(np.arange(count), rng.choice(count, plan.CUT_TICKETS, replace=False))
    # The first assignment always exists and neither times nor moves a ticket.
    first = (pl.col("field") == "assignee") & pl.col("from").is_null()
    entries = desk.entries.with_row_index("row")
    whole = ~pl.lit(pl.Series(cut)).gather("ticket")
    rows = entries.filter(first & whole)["row"].to_numpy()
    undated = np.isin(np.arange(len(entries)), rng.choice(rows, plan.UNDATED_ENTRIES, replace=False))
    return Desk(
        desk.tickets.with_columns(_fault(cut, "not_json")),
        desk.entries.with_columns(_fault(undated, "missing_at")),
    )


def cut_tickets(rng: np.random.Generator, lines: pl.DataFrame) -> pl.DataFrame:
    """Cut the lines (columns line, fault) of tickets in the middle of their JSON."""
    share = pl.lit(pl.Series(rng.uniform(*_CUT_TEXT, len(lines))))
    kept = (pl.col("line").str.len_chars() * share).cast(pl.Int64)
    short = pl.col("line").str.slice(0, kept)
    return lines.with_columns(pl.when(pl.col("fault").is_null()).then("line").otherwise(short).alias("line"))


def _fault(where: np.ndarray, name: str) -> pl.Expr:
    return pl.when(pl.lit(pl.Series(where))).then(pl.lit(name)).alias("fault")


def _broken_history(rng: np.random.Generator, good: pl.DataFrame) -> pl.DataFrame:
    """Return rows that resemble good ones but for one fault each."""
    # The row lands up to an hour after its model, which must not lead out of the window.
    usable = good.filter(pl.col("at") < when.WINDOW[1] - plan.DAY)
    frames = []
    for fault, count in plan.BROKEN_HISTORY.items():
        pool = usable.filter(pl.col("amount_eur") != "") if fault == "negative_amount" else usable
        rows = pool[rng.choice(len(pool), count, replace=False)]
        later = rows["at"].to_numpy() + rng.integers(60, plan.HOUR, count)
        rows = rows.with_columns(
            pl.Series("at", when.clear_of_clock_changes(later)), pl.lit(fault).alias("fault")
        ).with_columns(when.wall_text().alias("changed_at"))
        if fault == "negative_amount":
            rows = rows.with_columns(("-" + pl.col("amount_eur")).alias("amount_eur"))
        frames.append(rows.with_columns(pl.lit(v).alias(k) for k, v in _SAYS[fault].items()))
    return pl.concat(frames)


def _hold_back(rng: np.random.Generator, rows: pl.DataFrame, scale: float) -> pl.DataFrame:
    """Move some good rows of one month into the late file."""
    wanted = max(plan.FEWEST_LATE_ROWS, round(plan.LATE_ROWS * scale))
    of_month = pl.col("file") == f"crm/history_{plan.LATE_MONTH}.csv"
    pool = rows.with_row_index("row").filter(of_month & pl.col("fault").is_null())
    held = rng.choice(pool["row"].to_numpy(), min(wanted, len(pool)), replace=False)
    late = pl.lit(pl.Series(np.isin(np.arange(len(rows)), held)))
    file = pl.when(late).then(pl.lit(f"crm/{plan.LATE_FILE}")).otherwise("file")
    return rows.with_columns(file.alias("file"))


def _repeated_history(rng: np.random.Generator, rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows that repeat a good row of their file, or only its history_id, further down."""
    usable = rows.filter(pl.col("fault").is_null(), pl.col("file") != f"crm/{plan.LATE_FILE}")
    usable = usable.filter(pl.col("at") < when.WINDOW[1] - plan.DAY)
    identical, reused = plan.REPEATED_HISTORY.values()
    picked = rng.choice(len(usable), identical + reused, replace=False)
    below = pl.Series(rng.integers(0, 40, len(picked)) + 0.5)
    again = usable[picked].with_columns(pl.col("position") + below)
    later = again["at"].to_numpy() + rng.integers(60, plan.HOUR, len(again))
    changed = again.with_columns(
        pl.Series("at", when.clear_of_clock_changes(later)),
        pl.when(pl.col("channel") == "web").then(pl.lit("app")).otherwise(pl.lit("web")).alias("channel"),
    ).with_columns(when.wall_text().alias("changed_at"))
    names = [pl.lit(name).alias("fault") for name in plan.REPEATED_HISTORY]
    return pl.concat(
        [again.head(identical).with_columns(names[0]), changed.tail(reused).with_columns(names[1])]
    )
