"""A delivery's rows judged and told: what is accepted, what is set aside, which events they make."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from contracts.events import ATTRIBUTE, TOKENS
from contracts.feeds import TOO_LONG, Stream
from contracts.odcs import SchemaObject
from contracts.readings import REJECTS, Reading, Unreadable
from transforms.conform import TEXT, conform, missing, violations, with_reasons
from transforms.identity import Hasher
from transforms.normalize import ambiguous, event_violations, normalize

REPEATED_KEY = "primary_key.unique"
TOLD = "token."
"""Prefix under which a row keeps the token of a column that tells a person."""
_RAW_MAX = 2_000


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
    shape, stream = recipe.shape, recipe.stream
    numbered = reading.rows.with_row_index("row")
    told = numbered.with_columns(_tokens(numbered, recipe, hasher))
    distinct = _without_copies(told, shape)
    conformed = conform(distinct, shape, stream, recipe.timezone)
    judged = with_reasons(conformed, [*violations(shape, stream), *_repeated(shape)])
    landed = _landed(judged, recipe, hasher, delivery, reading.unreadable)
    copies = told.height - distinct.height
    return replace(landed, rows_read=landed.rows_read + copies, rows_duplicate=copies)


def retell(rows: pl.DataFrame, recipe: Recipe, hasher: Hasher, delivery: str) -> Landed:
    """What rows tell that were accepted before, by expressions or column types that have changed since.

    They keep the judgement they had; but those that cannot be told any more are rejects. A column that
    the contract did not have then is missing; columns that tell a person hold tokens.

    Args:
        rows: `Landed.rows` of before.
        recipe: Contract, expressions, time zone.
        hasher: Replaces what tells a person.
        delivery: The delivery's id.
    """
    shape = recipe.shape
    known = {name: _text_or_null(rows, name) for name in (p.name for p in shape.properties)}
    told = {TOLD + p.name: known[p.name] for p in shape.properties if p.identity is not None}
    conformed = conform(rows.with_columns(**known, **told), shape, recipe.stream, recipe.timezone)
    types = {f"{p.name}.type" for p in shape.properties if p.identity is None}
    unread = [rule for rule in violations(shape, recipe.stream) if rule[0] in types]
    return _landed(with_reasons(conformed, unread), recipe, hasher, delivery)


def _landed(
    judged: pl.DataFrame,
    recipe: Recipe,
    hasher: Hasher,
    delivery: str,
    unreadable: Sequence[Unreadable] = (),
) -> Landed:
    """What became of rows with `reasons`, once they were told too; without copies."""
    events, bad = _events(judged.filter(pl.col("reasons").is_null()), recipe, delivery)
    judged = _with_event_reasons(judged, bad)
    accepted = judged.filter(pl.col("reasons").is_null())
    rejected = _rejects(judged.filter(pl.col("reasons").is_not_null()), recipe.shape, hasher)
    rejects = pl.concat([_unreadable(unreadable, hasher), rejected]).sort("line", maintain_order=True)
    return Landed(
        rows=_texts(accepted, recipe.shape),
        rejects=rejects,
        events=events,
        links=_links(accepted),
        rows_read=accepted.height + rejects.height,
        rows_duplicate=0,
        reasons=_counted(rejects),
    )


def last_told(events: pl.DataFrame) -> pl.DataFrame:
    """One row per event: of several tellings the last delivered counts."""
    return events.unique("event_id", keep="last", maintain_order=True)


def sample(shape: SchemaObject, stream: Stream, timezone: str) -> pl.DataFrame:
    """Two rows without values, typed as the contract's rules meet them: what `for_events` takes."""
    nothing = pl.Series([None, None], dtype=pl.String)
    names = [p.name for p in shape.properties]
    told = [TOLD + p.name for p in shape.properties if p.identity is not None]
    rows = pl.DataFrame(dict.fromkeys((*names, *told, *TOKENS), nothing))
    numbered = rows.with_row_index("row").with_columns(line=pl.col("row"))
    return conform(numbered, shape, stream, timezone)


def for_events(rows: pl.DataFrame, shape: SchemaObject) -> pl.DataFrame:
    """Rows as the feed's expressions meet them: people as tokens, or not at all."""
    told = [pl.col(TOLD + p.name).alias(p.name) for p in shape.properties if p.identity is not None]
    dropped = [pl.lit(None, dtype=pl.String).alias(p.name) for p in shape.properties if p.is_dropped]
    return rows.with_columns(*told, *dropped)


def _text_or_null(rows: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name) if name in rows.columns else pl.lit(None, dtype=pl.String)


def _tokens(rows: pl.DataFrame, recipe: Recipe, hasher: Hasher) -> list[pl.Series]:
    """Each column that tells a person as tokens, under `TOLD`, and the columns `TOKENS`.

    Of several columns of one kind the first that tells somebody counts.
    """
    found = {name: pl.Series(name, [None], dtype=pl.String).new_from_index(0, rows.height) for name in TOKENS}
    told = []
    for column in reversed(recipe.shape.properties):
        if column.identity is not None:
            there = pl.when(~missing(recipe.stream, column.name)).then(column.name).alias(column.name)
            made = hasher.tokens(rows.select(there).to_series(), column.identity, recipe.feed)
            name = f"token_{column.identity.partition(':')[0]}"
            found[name] = made.alias(name).fill_null(found[name])
            told.append(made.alias(TOLD + column.name))
    return [*told, *found.values()]


def _links(accepted: pl.DataFrame) -> pl.DataFrame:
    named = accepted.select(TOKENS).filter(pl.any_horizontal(pl.col(*TOKENS).is_not_null()))
    return named.unique().sort(TOKENS)


def _without_copies(rows: pl.DataFrame, shape: SchemaObject) -> pl.DataFrame:
    """Rows that are no exact copy of an earlier one. Without a primary key every row is a fact."""
    if not shape.key:
        return rows
    return rows.filter(pl.struct([p.name for p in shape.properties]).is_first_distinct())


def _repeated(shape: SchemaObject) -> list[tuple[str, pl.Expr]]:
    """Rows whose key stood in an earlier row with other content: nobody can tell which one is right."""
    rules = []
    if shape.key:
        # Typed: 7 and 07 are one key. Without all of its parts it is required, and missing.
        rules.append((REPEATED_KEY, ~pl.struct(shape.key).is_first_distinct() & _has_key(shape)))
    for column in shape.properties:
        if column.unique and shape.key != [column.name]:
            value = pl.col(TEXT + column.name)
            rules.append((f"{column.name}.unique", ~value.is_first_distinct() & value.is_not_null()))
    return rules


def _has_key(shape: SchemaObject) -> pl.Expr:
    return pl.all_horizontal(pl.col(name).is_not_null() for name in shape.key)


def _events(rows: pl.DataFrame, recipe: Recipe, delivery: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The events of rows whose events are all sound, and the unsound events."""
    shape = recipe.shape
    told = normalize(for_events(rows, shape), recipe.feed, recipe.stream, shape, delivery, recipe.timezone)
    numbers = [c for c, kind in told.schema.items() if c.startswith(ATTRIBUTE) and kind.is_numeric()]
    judged = with_reasons(told, event_violations(recipe.latest, numbers))
    bad = judged.filter(pl.col("reasons").is_not_null()).select("row", "reasons")
    bad = pl.concat([bad, ambiguous(told)])
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
        pl.col((TEXT if p.identity is None else TOLD) + p.name).alias(p.name)
        for p in shape.properties
        if not p.is_dropped
    ]
    dropped = [pl.lit(None, dtype=pl.String).alias(p.name) for p in shape.properties if p.is_dropped]
    return rows.select("line", "row", *kept, *dropped, *TOKENS)


def _rejects(rejected: pl.DataFrame, shape: SchemaObject, hasher: Hasher) -> pl.DataFrame:
    texts = _texts(rejected, shape).drop("line", "row", *TOKENS)
    raw = texts.select(pl.struct(pl.all()).struct.json_encode().alias("raw"))["raw"]
    # A row whose columns slipped has an e-mail where nobody looks for one.
    hidden = pl.Series("raw", [hasher.redact(text) for text in raw], dtype=pl.String)
    made = rejected.select("line", "reasons", hidden)
    return made.select(pl.col(name).cast(kind) for name, kind in REJECTS.items())


def _unreadable(lines: Sequence[Unreadable], hasher: Hasher) -> pl.DataFrame:
    rows = [(one.line, one.reason, _without_people(one, hasher)) for one in lines]
    return pl.DataFrame(rows, schema=REJECTS, orient="row")


def _without_people(line: Unreadable, hasher: Hasher) -> str:
    # Of a line that is too long there is only its place, and numbers that are no phone's.
    return line.raw if line.reason == TOO_LONG else hasher.redact(_cut(line.raw))


def _cut(raw: str) -> str:
    """The beginning of a long line, up to a blank or separator: half an e-mail would not be recognised."""
    return raw if len(raw) <= _RAW_MAX else re.split(r"[\s,;|]+(?=[^\s,;|]*$)", raw[:_RAW_MAX])[0] + " ..."


def _counted(rejects: pl.DataFrame) -> dict[str, int]:
    counted = Counter(reason for reasons in rejects["reasons"] for reason in reasons.split(", "))
    return dict(sorted(counted.items()))
