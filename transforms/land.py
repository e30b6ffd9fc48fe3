"""A delivery's rows judged and told: what is accepted, what is set aside, which events they make."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from contracts.events import TOKENS
from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from contracts.readings import REJECTS, Reading
from transforms.conform import TEXT, conform, violations, with_reasons
from transforms.identity import Hasher
from transforms.normalize import event_violations, normalize

REPEATED_KEY = "primary_key.unique"


@dataclass(frozen=True)
class Recipe:
    """How one stream's deliveries are judged and told.

    Attributes:
        feed: The feed's name.
        stream: The stream.
        shape: The contract's schema.
        timezone: Of times without an offset.
        latest: Events later than this are rejected as being in the future.
    """

    feed: str
    stream: Stream
    shape: SchemaObject
    timezone: str
    latest: datetime


@dataclass(frozen=True)
class Landed:
    """What became of a delivery.

    Attributes:
        rows: Accepted rows as texts, people replaced by tokens: `line`, `row`, the contract's
            columns, `TOKENS`.
        rejects: `REJECTS`.
        events: `EVENT` plus attributes.
        links: Distinct combinations of `TOKENS` in accepted rows.
        rows_read: Rows in the file, unreadable lines included.
        rows_duplicate: Rows that repeat another one.
        reasons: Rows by rule they broke.
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame
    events: pl.DataFrame
    links: pl.DataFrame
    rows_read: int
    rows_duplicate: int
    reasons: dict[str, int]

    @property
    def quarantine_share(self) -> float:
        """Share of rows read that broke their contract."""
        return self.rejects.height / self.rows_read if self.rows_read else 0.0


def land(reading: Reading, recipe: Recipe, hasher: Hasher, delivery: str) -> Landed:
    """Judge a delivery's rows by their contract and make its events.

    Args:
        reading: What was read.
        recipe: Contract, expressions, time zone.
        hasher: Replaces what tells a person.
        delivery: The delivery's id.
    """
    shape = recipe.shape
    told = reading.rows.with_row_index("row").with_columns(_tokens(reading.rows, recipe, hasher))
    distinct = _without_copies(told, shape)
    conformed = conform(distinct, shape, recipe.stream, recipe.timezone)
    judged = with_reasons(conformed, [*violations(shape), *_repeated(shape)])
    kept = judged.filter(pl.col("reasons").is_null())
    events, bad = _events(kept, recipe, delivery)
    judged = _with_event_reasons(judged, bad)
    accepted = judged.filter(pl.col("reasons").is_null())
    rejects = pl.concat(
        [_unreadable(reading, hasher), _rejects(judged.filter(pl.col("reasons").is_not_null()), shape)]
    )
    return Landed(
        rows=_texts(accepted, shape),
        rejects=rejects,
        events=events,
        links=accepted.select(TOKENS).unique().sort(TOKENS),
        rows_read=reading.rows.height + len(reading.unreadable),
        rows_duplicate=told.height - distinct.height,
        reasons=_counted(rejects),
    )


def retell(rows: pl.DataFrame, recipe: Recipe, delivery: str) -> pl.DataFrame:
    """The events of rows that were accepted before, by expressions that have changed since."""
    return _events(conform(rows, recipe.shape, recipe.stream, recipe.timezone), recipe, delivery)[0]


def last_told(events: pl.DataFrame) -> pl.DataFrame:
    """One row per event: of several tellings the last delivered counts."""
    return events.unique("event_id", keep="last", maintain_order=True)


def _tokens(rows: pl.DataFrame, recipe: Recipe, hasher: Hasher) -> list[pl.Series]:
    """The columns `TOKENS`: of several columns of one kind, the first that tells somebody."""
    found = {name: pl.Series(name, [None], dtype=pl.String).new_from_index(0, rows.height) for name in TOKENS}
    for column in reversed(recipe.shape.properties):
        if column.identity is not None:
            name = f"token_{column.identity.partition(':')[0]}"
            made = hasher.tokens(rows[column.name], column.identity, recipe.feed)
            found[name] = made.alias(name).fill_null(found[name]) if made.len() else found[name]
    return list(found.values())


def _without_copies(rows: pl.DataFrame, shape: SchemaObject) -> pl.DataFrame:
    """Rows that are no exact copy of an earlier one. Without a primary key every row is a fact."""
    if not shape.key:
        return rows
    return rows.filter(pl.struct([p.name for p in shape.properties]).is_first_distinct())


def _repeated(shape: SchemaObject) -> list[tuple[str, pl.Expr]]:
    """Rows whose key stood in an earlier row with other content: nobody can tell which one is right."""
    rules = []
    if shape.key:
        rules.append((REPEATED_KEY, ~pl.struct(TEXT + name for name in shape.key).is_first_distinct()))
    for column in shape.properties:
        if column.unique and shape.key != [column.name]:
            value = pl.col(TEXT + column.name)
            rules.append((f"{column.name}.unique", ~value.is_first_distinct() & value.is_not_null()))
    return rules


def _events(rows: pl.DataFrame, recipe: Recipe, delivery: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The events of rows whose events are all sound, and the unsound events."""
    told = normalize(rows, recipe.feed, recipe.stream, recipe.shape, delivery)
    judged = with_reasons(told, event_violations(recipe.latest))
    bad = judged.filter(pl.col("reasons").is_not_null())
    return told.filter(~pl.col("row").is_in(bad["row"].implode())), bad


def _with_event_reasons(judged: pl.DataFrame, bad: pl.DataFrame) -> pl.DataFrame:
    if bad.is_empty():
        return judged
    by_row = bad.group_by("row").agg(pl.col("reasons").unique().sort().str.join(", ").alias("__told"))
    joined = judged.join(by_row, on="row", how="left", maintain_order="left")
    return joined.with_columns(reasons=pl.coalesce("reasons", "__told")).drop("__told")


def _texts(rows: pl.DataFrame, shape: SchemaObject) -> pl.DataFrame:
    """Rows as they may be kept: as delivered, but for what tells a person."""
    kept = [
        pl.col(TEXT + p.name).alias(p.name) if p.identity is None else _token_of(p.identity).alias(p.name)
        for p in shape.properties
        if not p.is_dropped
    ]
    dropped = [pl.lit(None, dtype=pl.String).alias(p.name) for p in shape.properties if p.is_dropped]
    return rows.select("line", "row", *kept, *dropped, *TOKENS)


def _token_of(identity: str) -> pl.Expr:
    return pl.col(f"token_{identity.partition(':')[0]}")


def _rejects(rejected: pl.DataFrame, shape: SchemaObject) -> pl.DataFrame:
    texts = _texts(rejected, shape).drop("line", "row", *TOKENS)
    raw = texts.select(pl.struct(pl.all()).struct.json_encode().alias("raw"))["raw"]
    made = rejected.select("line", "reasons", raw)
    return made.select(pl.col(name).cast(kind) for name, kind in REJECTS.items())


def _unreadable(reading: Reading, hasher: Hasher) -> pl.DataFrame:
    rows = [(one.line, one.reason, hasher.redact(one.raw)) for one in reading.unreadable]
    return pl.DataFrame(rows, schema=REJECTS, orient="row")


def _counted(rejects: pl.DataFrame) -> dict[str, int]:
    counted = Counter(reason for reasons in rejects["reasons"] for reason in reasons.split(", "))
    return dict(sorted(counted.items()))
