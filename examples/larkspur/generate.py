"""Generate Larkspur: the exports of its three feeds, and the truth about them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import orjson
import polars as pl

from examples.larkspur import (
    dirt,
    journeys,
    owners,
    plan,
    surveys,
    tickets,
    truths,
    when,
    writing,
)
from examples.larkspur.facts import Facts
from examples.larkspur.people import People, plain_phone
from examples.larkspur.people import build as build_people
from examples.larkspur.tickets import Desk
from examples.larkspur.writing import FileCount

SEED = 20_261_101

CUSTOMER_COLUMNS = "customer_id,full_name,email,phone,segment,region,registered_at"
HISTORY_COLUMNS = (
    "history_id,customer_id,stage,changed_at,channel,segment,order_id,amount_eur,elapsed_minutes"
)
INVITATION_COLUMNS = "invitation_id;survey;email;sent_at;channel;reference;segment"
ANSWER_COLUMNS = "answer_id;invitation_id;survey;email;answered_at;channel;nps;csat;ces;comment"


@dataclass(frozen=True)
class Summary:
    """What was generated.

    Attributes:
        seed: The seed.
        scale: The scale of the volumes.
        customers: How many customers.
        events: Events that count, by feed.
        files: What each file of the inbox holds, by its path in the inbox.

    """

    seed: int
    scale: float
    customers: int
    events: dict[str, int]
    files: dict[str, FileCount]

    @property
    def total(self) -> int:
        """Events that count, over all feeds."""
        return sum(self.events.values())


@dataclass(frozen=True)
class _World:
    """All rows of all feeds, good and broken (column ``fault``), before they are written."""

    people: People
    history: pl.DataFrame
    invitations: pl.DataFrame
    answers: pl.DataFrame
    desk: Desk


def generate(
    folder: Path,
    *,
    seed: int = SEED,
    scale: float = 1.0,
    progress: Callable[[str], None] | None = None,
) -> Summary:
    """Write Larkspur's exports to ``folder/inbox`` and what is true to ``folder/truth``.

    The same seed and scale give the same bytes and file times.

    Args:
        folder: Where to write; created if need be, files of the same name are replaced.
        seed: Seed of all chance.
        scale: Multiplies customers and volumes; planted rows keep their counts.
        progress: Called with a short sentence before each step.

    Returns:
        What was generated.

    Raises:
        ValueError: The scale is too small to plant everything.

    """
    if scale < plan.SMALLEST_SCALE:
        message = f"scale must be at least {plan.SMALLEST_SCALE}, not {scale}"
        raise ValueError(message)
    say = progress or (lambda _: None)
    # A stream of chance for each part: a change in one leaves the others as they are.
    streams = np.random.default_rng(seed).spawn(6)
    say("Inventing customers, orders, tickets and surveys")
    world = _invent(streams, scale)
    say("Writing the inbox")
    files = _write_inbox(folder / "inbox", world, streams[5])
    say("Writing the truth")
    events = _write_truth(folder / "truth", world, files, scale)
    summary = Summary(seed, scale, len(world.people.table), events, files)
    _write_json(folder / "truth" / "summary.json", asdict(summary) | {"total": summary.total})
    return summary


def _invent(streams: list[np.random.Generator], scale: float) -> _World:
    """Let Larkspur live through its eighteen months, and spoil some of the records."""
    for_people, for_history, for_desk, for_surveys, for_dirt = streams[:5]
    people = build_people(for_people, scale)
    rows = journeys.written(journeys.build(for_history, people, scale), people)
    desk = dirt.spoil_tickets(for_dirt, tickets.build(for_desk, people, scale))
    solved = desk.tickets.filter(pl.col("fault").is_null(), pl.col("solved").is_not_null())
    invitations = surveys.invite_all(for_surveys, people, scale, (rows, solved))
    good = surveys.answer(for_surveys, people, invitations.filter("answered"))
    broken = dirt.broken_answers(for_dirt, people, invitations)
    answers = surveys.finish(pl.concat([good, broken], how="diagonal_relaxed"))
    history = dirt.spoil_history(for_dirt, rows, scale)
    return _World(people, history, invitations, answers, desk)


def _write_inbox(inbox: Path, world: _World, rng: np.random.Generator) -> dict[str, FileCount]:
    """Write all exports and return what each holds."""
    history = _rendered(world.history, HISTORY_COLUMNS, pl.col("file"))
    answers = dirt.cut_answers(rng, _rendered_answers(world.answers))
    files = {
        **writing.write_inbox(inbox, _rendered_customers(world.people), CUSTOMER_COLUMNS),
        **writing.write_inbox(inbox, history, HISTORY_COLUMNS),
        **writing.write_inbox(inbox, _rendered_invitations(world.invitations), INVITATION_COLUMNS),
        **writing.write_inbox(inbox, answers, ANSWER_COLUMNS),
        **_write_tickets(inbox, world.desk, rng),
    }
    files |= _deliver_again(inbox, files)
    return dict(sorted(files.items()))


def _rendered(frame: pl.DataFrame, header: str, file: pl.Expr, events: pl.Expr | None = None) -> pl.DataFrame:
    """Render rows as lines: file, line, fault, events (one a row unless told otherwise)."""
    separator = ";" if ";" in header else ","
    fault = pl.col("fault") if "fault" in frame.columns else pl.lit(None, dtype=pl.String)
    return frame.select(
        file.alias("file"),
        fault.alias("fault"),
        (pl.lit(1) if events is None else events).alias("events"),
        writing.csv_lines(frame, header.split(separator), separator).alias("line"),
    )


def _rendered_customers(people: People) -> pl.DataFrame:
    registered = when.wall_text("registered").alias("registered_at")
    rows = people.table.with_columns(plain_phone(), registered)
    return _rendered(rows, CUSTOMER_COLUMNS, pl.lit("crm/customers.csv"), pl.lit(0))


def _rendered_invitations(invitations: pl.DataFrame) -> pl.DataFrame:
    rows = invitations.with_columns(when.offset_text("sent").alias("sent_at"))
    file = pl.format("survey/invitations_{}.csv", when.month("sent"))
    return _rendered(rows, INVITATION_COLUMNS, file)


def _rendered_answers(answers: pl.DataFrame) -> pl.DataFrame:
    rows = answers.with_columns(when.offset_text().alias("answered_at"))
    answered = pl.sum_horizontal(pl.col(owners.QUESTIONS).is_not_null().cast(pl.Int64))
    file = pl.format("survey/answers_{}.csv", when.month())
    return _rendered(rows, ANSWER_COLUMNS, file, answered)


def _write_tickets(inbox: Path, desk: Desk, rng: np.random.Generator) -> dict[str, FileCount]:
    """Write the tickets by month of creation."""
    file = pl.format("tickets/tickets_{}.jsonl", when.month("created"))
    lengths = desk.entries.filter(pl.col("fault").is_null()).group_by("ticket").len("events")
    undated = desk.entries.filter(pl.col("fault").is_not_null())["ticket"]
    lines = desk.tickets.select(
        file.alias("file"),
        "fault",
        pl.int_range(pl.len()).alias("ticket"),
        writing.ticket_lines(desk).alias("line"),
    ).join(lengths, on="ticket", how="left", maintain_order="left")
    files = writing.write_inbox(inbox, dirt.cut_tickets(rng, lines), None)
    for name in lines["file"].gather(undated):
        broken = files[name].broken_entries
        broken["missing_at"] = broken.get("missing_at", 0) + 1
    return files


def _deliver_again(inbox: Path, files: dict[str, FileCount]) -> dict[str, FileCount]:
    """Deliver one CRM file a second time under another name."""
    original = f"crm/history_{plan.COPIED_MONTH}.csv"
    copy = f"crm/history_{plan.COPIED_MONTH} (copy).csv"
    writing.write(inbox / copy, (inbox / original).read_bytes(), plan.COPY_EXPORTED)
    rows = files[original].rows
    return {copy: FileCount(rows=rows, duplicates={"repeated_file": rows})}


def _write_truth(folder: Path, world: _World, files: dict[str, FileCount], scale: float) -> dict[str, int]:
    """Write the owners and the truths; return the events that count, by feed."""
    good = pl.col("fault").is_null()
    history, answers = world.history.filter(good), world.answers.filter(good)
    events = [
        owners.history_events(history),
        owners.survey_events(world.people, world.invitations, answers),
        owners.ticket_events(world.people, world.desk),
    ]
    owned = owners.attribute(pl.concat(events))
    entries = owners.good_entries(world.desk)
    facts = Facts(scale, owned, history, world.invitations, answers, entries, files)
    folder.mkdir(parents=True, exist_ok=True)
    owned.write_parquet(folder / "owners.parquet")
    writing.stamp(folder / "owners.parquet", plan.CLOCK)
    _write_json(folder / "truths.json", truths.build(facts))
    return dict(owned["feed"].value_counts().sort("feed").iter_rows())


def _write_json(path: Path, content: object) -> None:
    writing.write(path, orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n", plan.CLOCK)
