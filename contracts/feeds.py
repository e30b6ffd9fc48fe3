"""A feed: a named stream of facts, where its files are, how to read them, what they tell of.

Every value under `events:` is a SQL expression over the contract's columns, so a constant is quoted:
`kind: "'ticket.opened'"`.
"""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from contracts.accountability import Title
from contracts.documents import Declaration
from contracts.odcs import DataContract, SchemaObject
from contracts.receiving import Receive

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
LINE_LIMIT = 1_000_000
TOO_LONG = "line.too_long"
"""Why a line beyond a stream's limit is a reject; all that is kept of it is its place."""


def _text_encoding(name: str | None) -> str | None:
    try:
        is_text = name is None or isinstance("".encode(name), bytes)
        codecs.getincrementaldecoder(name or "utf-8")
    except (LookupError, ValueError):
        is_text = False
    if not is_text:
        message = "No such text encoding is known. Write one like 'utf-8', 'cp1252' or 'utf-16'."
        raise ValueError(message)
    return name


def _one_byte(separator: str) -> str:
    if len(separator) != 1 or not separator.isascii() or separator.isalnum() or separator in '"\r\n\0':
        message = "Write one ASCII sign that is no letter, digit, quote or line end, like ',' or '\\t'."
        raise ValueError(message)
    return separator


def _relative_glob(pattern: str) -> str:
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if not parts or pattern.startswith("/") or any("**" in part and part != "**" for part in parts):
        message = "Write a path below the workspace with '*' for any text, like 'inbox/tickets*.csv'."
        raise ValueError(message)
    return pattern


Encoding = Annotated[str, AfterValidator(_text_encoding)]


class Melt(Declaration):
    """Turns columns into rows: one row per named column, e.g. one per question of a survey.

    Attributes:
        name: New column with the name of the melted column.
        value: New column with its value.
        columns: Contract column by the name it gets; or a list when the names stay.
    """

    name: Name
    value: Name
    columns: dict[str, str] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _list_keeps_names(cls, written: object) -> object:
        if isinstance(written, dict) and isinstance(written.get("columns"), list):
            return {**written, "columns": {str(name): name for name in written["columns"]}}
        return written

    @model_validator(mode="after")
    def _distinct(self) -> "Melt":
        if self.name == self.value:
            message = "Give 'name' and 'value' different names: one holds the question, one the answer."
            raise ValueError(message)
        columns = list(self.columns.values())
        for column in columns:
            if columns.count(column) > 1:
                message = f"column {column!r} stands twice. Name it once."
                raise ValueError(message)
        return self


class EventTemplate(Declaration):
    """What one row tells of. Every value is a SQL expression; `when` is a SQL predicate.

    Attributes:
        kind: What happened, as `noun.past_participle`.
        occurred_at: When it happened to the customer.
        recorded_at: When the feed recorded it; `occurred_at` when absent.
        when: Rows that tell of it; every row when absent.
        key: What makes the event unique in its stream; the contract's primary key when absent.
            Rows that tell of the same event are one event; the last row counts.
        channel: How it reached the customer.
        score: An answer on its own scale.
        scale: Name of the score's scale, e.g. `'csat'`.
        amount: Money, in the feed's currency.
        duration_minutes: A duration that the feed recorded.
        subject: Id of the thing it is about, e.g. the ticket's number.
        subject_type: What kind of thing that is, e.g. `'ticket'`.
        sequence: Order among events of one subject at the same instant.
        actor: Who acted, as recorded.
        actor_team: Which team they belonged to, as recorded.
        attributes: Further facts for rules and metrics; text or numbers.
    """

    kind: str
    occurred_at: str
    recorded_at: str | None = None
    when: str | None = None
    key: str | None = None
    channel: str | None = None
    score: str | None = None
    scale: str | None = None
    amount: str | None = None
    duration_minutes: str | None = None
    subject: str | None = None
    subject_type: str | None = None
    sequence: str | None = None
    actor: str | None = None
    actor_team: str | None = None
    attributes: dict[Name, str] = Field(default_factory=dict)


class Stream(Declaration):
    """One kind of file in a feed.

    Attributes:
        name: The stream's name; part of every event's id.
        files: Glob below the workspace, e.g. `inbox/tickets/*.jsonl`. `.gz` files are unpacked.
        format: csv (with a header line) or jsonl (one JSON object a line).
        contract: `path/of/contract.odcs.yaml#schema`; the schema may be left out when there is one.
        separator: Between the fields of a CSV line.
        encoding: Of the text. A line that is not valid in it is tried in `fallback_encoding`, then
            quarantined.
        nulls: Texts that stand for a missing value, besides the empty one.
        decimal: Decimal mark of numbers.
        each: Path of a list in every JSON record; each item becomes a row with the record's fields. A
            record whose list is missing or empty is one row without an item.
        melt: Columns that become rows.
        let: Further columns, as SQL expressions, usable by the events.
        settle_seconds: A file that changed less than this ago is still being written: a run waits a
            few seconds for it, else leaves it to the next run.
        line_limit_bytes: A longer line is quarantined by its place, not kept in memory.
    """

    name: Name
    files: Annotated[str, AfterValidator(_relative_glob)]
    format: Literal["csv", "jsonl"]
    contract: str
    separator: Annotated[str, AfterValidator(_one_byte)] = ","
    encoding: Encoding = "utf-8"
    fallback_encoding: Encoding | None = None
    nulls: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    each: str | None = None
    melt: Melt | None = None
    let: dict[Name, str] = Field(default_factory=dict)
    settle_seconds: float = Field(default=2.0, ge=0)
    line_limit_bytes: int = Field(default=LINE_LIMIT, ge=1000)
    events: tuple[EventTemplate, ...] = ()


class FeedFile(Declaration):
    """What one YAML file of the `feeds/` folder says.

    Attributes:
        feed: The feed's name; rules select by it.
        kind: How it is read: the name of a module in `flows/feeds`.
        owner: The seat that answers for the feed. A broken or late feed is theirs to mend.
        receive: For `push`: how deliveries prove where they come from, and how much is taken.
    """

    feed: Name
    kind: str
    owner: str
    name: Title | None = None
    receive: Receive | None = None
    streams: tuple[Stream, ...] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class Feed:
    """A feed with its streams' contracts resolved.

    Attributes:
        declared: What the YAML file says.
        contracts: Each stream's contract, by stream name.
        shapes: Each stream's rows, by stream name: one schema of its contract.
        origin: `file` it was read from.
    """

    declared: FeedFile
    contracts: Mapping[str, DataContract]
    shapes: Mapping[str, SchemaObject]
    origin: str

    @property
    def name(self) -> str:
        """The feed's name."""
        return self.declared.feed

    @property
    def freshness_hours(self) -> float | None:
        """How old the newest event may be; the strictest promise of its contracts."""
        promised = [c.freshness_hours for c in self.contracts.values() if c.freshness_hours]
        return min(promised, default=None)
