"""A delivery's rows judged and told: what is accepted, what is set aside, which events they make."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from contracts.deliveries import RuleResult
from contracts.events import ATTRIBUTE, TOKENS
from contracts.feeds import TOO_LONG, Stream
from contracts.odcs import SchemaObject
from contracts.readings import REJECTS, Reading, Unreadable
from transforms.conform import TEXT, conform, missing, violations, with_reasons
from transforms.identity import Hasher
from transforms.judge import FORMER, STANDS, TOKEN, TOLD, Find, References, judge, row_rules
from transforms.normalize import ambiguous, event_violations, normalize

PLACE = ("line", "item")
"""What tells a row of a file, whatever else is read of it: its line, and its place among that line's rows."""
_RAW_MAX = 2_000
_BEYOND = 1 << 31


@dataclass(frozen=True)
class Recipe:
    """How one stream's deliveries are judged and told.

    Attributes:
        feed: The feed's name.
        stream: The stream.
        shape: The contract's schema.
        timezone: Of times without an offset.
        latest: Events later than this are rejected as being in the future.
        references: Values that relationships point to.
        find: What says which rows break which rule; the rules' own expressions when absent.
    """

    feed: str
    stream: Stream
    shape: SchemaObject
    timezone: str
    latest: datetime
    references: References = field(default_factory=dict)
    find: Find | None = None


@dataclass(frozen=True)
class Amendments:
    """What was decided by hand about rows of a delivery that had waited in quarantine.

    Attributes:
        mended: Rows that were re-admitted, as `Landed.rows`: they take the place of the file's.
        dropped: `REJECTS` of rows that were given up.
    """

    mended: pl.DataFrame | None = None
    dropped: pl.DataFrame | None = None

    @property
    def places(self) -> pl.DataFrame | None:
        """`PLACE` of every such row; None when there is none."""
        frames = [frame.select(PLACE) for frame in (self.mended, self.dropped) if frame is not None]
        return pl.concat(frames) if frames else None


NO_AMENDMENTS = Amendments()


@dataclass(frozen=True)
class Landed:
    """What became of a delivery.

    Attributes:
        rows: Accepted rows as texts, people replaced by tokens: `line`, `item`, `row`, the contract's
            columns, `TOKENS`.
        rejects: `REJECTS`.
        events: `EVENT` plus attributes.
        links: Distinct combinations of `TOKENS` in accepted rows.
        rows_read: Rows in the file, unreadable lines included.
        rows_duplicate: Rows that repeat another one.
        reasons: Rows in quarantine by rule they broke.
        rows_dropped: Rows that had been given up by hand.
        results: How every rule fared.
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame
    events: pl.DataFrame
    links: pl.DataFrame
    rows_read: int
    rows_duplicate: int
    reasons: dict[str, int]
    rows_dropped: int = 0
    results: tuple[RuleResult, ...] = ()

    @property
    def quarantine_share(self) -> float:
        """Share of rows read that broke their contract."""
        return self.rejects.height / self.rows_read if self.rows_read else 0.0


def land(
    reading: Reading, recipe: Recipe, hasher: Hasher, delivery: str, amended: Amendments = NO_AMENDMENTS
) -> Landed:
    """Judge a delivery's rows by their contract and make its events.

    Args:
        reading: What was read.
        recipe: Contract, expressions, time zone.
        hasher: Replaces what tells a person.
        delivery: The delivery's id.
        amended: What was decided by hand about some of its rows.
    """
    shape = recipe.shape
    rows = numbered(reading.rows)
    unreadable = list(reading.unreadable)
    if (places := amended.places) is not None:
        rows = rows.join(places, on=PLACE, how="anti", maintain_order="left")
        gone = set(places.filter(pl.col("item").is_null())["line"])
        unreadable = [one for one in unreadable if one.line not in gone]
        rows = rows.filter(~pl.col("line").is_in(list(gone)))
    told = rows.with_columns(_tokens(rows, recipe, hasher))
    distinct = _without_copies(told, shape)
    if amended.mended is not None:
        again = _from_landing(amended.mended, shape).with_columns(pl.lit("").alias(FORMER))
        distinct = pl.concat([distinct, again], how="diagonal_relaxed")
    landed = _judged(distinct, recipe, hasher, delivery, unreadable)
    copies = told.height - _height(distinct, amended)
    dropped = 0 if amended.dropped is None else amended.dropped.height
    return replace(
        landed,
        rows_read=landed.rows_read + copies + dropped,
        rows_duplicate=copies,
        rows_dropped=dropped,
    )


def numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """A file's rows with `row`, their number in it, and `item`; some of them that were numbered with the others keep theirs."""
    return rows if "item" in rows.columns else placed(rows.with_row_index("row"))


def placed(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with `line` and `row`, and `item`: their place among the rows of their line, from 0."""
    begins = pl.when(pl.col("line").ne_missing(pl.col("line").shift())).then("row").forward_fill()
    return rows.with_columns(item=(pl.col("row") - begins).cast(pl.UInt32))


def readmit(
    accepted: pl.DataFrame, candidates: pl.DataFrame, recipe: Recipe, hasher: Hasher, delivery: str
) -> Landed:
    """Judge rows that wait in quarantine once more, among those that were accepted.

    The accepted keep the judgement they had. A rule over what is not kept in clear is broken if it was.

    Args:
        accepted: `Landed.rows` of before.
        candidates: Rows in quarantine as `candidates_of` gives them.
        recipe: Contract, expressions, time zone.
        hasher: Replaces what tells a person.
        delivery: The delivery's id.
    """
    shape = recipe.shape
    before = _from_landing(accepted, shape).with_columns(
        pl.lit("").alias(FORMER), pl.lit(value=True).alias(STANDS)
    )
    again = _with_tokens(candidates, recipe, hasher).with_columns(pl.lit(value=False).alias(STANDS))
    return _judged(pl.concat([before, again], how="diagonal_relaxed"), recipe, hasher, delivery)


def candidates_of(rejects: pl.DataFrame, shape: SchemaObject, mended: pl.DataFrame | None) -> pl.DataFrame:
    """Rows in quarantine that can be judged again: those kept whole, and those that were mended by hand.

    Args:
        rejects: `REJECTS`.
        shape: The contract's schema.
        mended: Rows by `PLACE` with one text column for each column that they mend; null keeps what was.

    Returns:
        line, item, row, the contract's columns as texts, and `FORMER`: the rules each row broke.
    """
    names = [p.name for p in shape.properties]
    texts = pl.Struct(dict.fromkeys(names, pl.String))
    is_row = pl.col("row").is_not_null()
    readable = rejects.with_columns(pl.when(is_row).then("raw").str.json_decode(texts).alias("__texts"))
    rows = readable.unnest("__texts").rename({"reasons": FORMER})
    if mended is None:
        return rows.filter(is_row, pl.col("is_whole")).select(*PLACE, "row", *names, FORMER)
    joined = rows.join(
        mended.with_columns(__mended=True),
        on=PLACE,
        how="left",
        suffix=".new",
        nulls_equal=True,
        maintain_order="left",
    )
    news = [n for n in names if n + ".new" in joined.columns]
    hands = joined.with_columns(pl.coalesce(n + ".new", n).alias(n) for n in news)
    # A line that was no row becomes one, with a number that no row of the file has.
    place = pl.col("line").cast(pl.Int64) + _BEYOND
    return (
        hands.filter(pl.col("__mended") | (is_row & pl.col("is_whole")))
        .with_columns(row=pl.coalesce("row", place.cast(pl.UInt32)))
        .select(*PLACE, "row", *names, FORMER)
    )


def _height(distinct: pl.DataFrame, amended: Amendments) -> int:
    return distinct.height - (0 if amended.mended is None else amended.mended.height)


def _judged(
    rows: pl.DataFrame,
    recipe: Recipe,
    hasher: Hasher,
    delivery: str,
    unreadable: Sequence[Unreadable] = (),
) -> Landed:
    shape, stream = recipe.shape, recipe.stream
    conformed = conform(rows, shape, stream, recipe.timezone)
    rules = row_rules(shape, stream, recipe.references, landed=FORMER in rows.columns)
    judged = judge(conformed, rules, shape, recipe.find)
    landed = _landed(judged.rows, recipe, hasher, delivery, unreadable)
    return replace(landed, results=tuple(_with_others(judged.results, landed.reasons, landed.rows_read)))


def _with_others(
    results: Sequence[RuleResult], reasons: Mapping[str, int], rows: int
) -> Iterator[RuleResult]:
    """The contract's rules, and why other rows are in quarantine: no row at all, or no sound event."""
    yield from results
    known = {result.name for result in results}
    for name, count in reasons.items():
        if name not in known:
            yield RuleResult(name, "error", rows, count, "failed")


def _from_landing(rows: pl.DataFrame, shape: SchemaObject) -> pl.DataFrame:
    """Landed rows as `_judged` takes them: tokens also where a column tells a person."""
    known = {p.name: _text_or_null(rows, p.name) for p in shape.properties}
    told = {TOLD + p.name: known[p.name] for p in shape.properties if p.identity is not None}
    return rows.with_columns(**known, **told).select(
        *(n for n in (*PLACE, "row") if n in rows.columns), *known, *told, *TOKENS
    )


def _with_tokens(rows: pl.DataFrame, recipe: Recipe, hasher: Hasher) -> pl.DataFrame:
    """Rows of which some tell people in clear, with `TOLD` and `TOKENS`; tokens stay as they are."""
    made = rows.with_columns(_tokens(rows, recipe, hasher))
    for column in recipe.shape.properties:
        if column.identity is not None:
            told, own = TOLD + column.name, f"token_{column.identity.partition(':')[0]}"
            kept = pl.when(pl.col(column.name).str.contains(TOKEN)).then(column.name)
            made = made.with_columns(pl.coalesce(kept, told).alias(told))
            made = made.with_columns(pl.coalesce(kept, own).alias(own))
    return made


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
    broken = judged.filter(pl.col("reasons").is_not_null())
    rejected = rejects_of(_texts(broken, recipe.shape).with_columns(broken["reasons"]), hasher)
    rejects = pl.concat([_unreadable(unreadable, hasher), rejected]).sort("line", maintain_order=True)
    return Landed(
        rows=_texts(accepted, recipe.shape),
        rejects=rejects,
        events=events,
        links=links_of(accepted),
        rows_read=accepted.height + rejects.height,
        rows_duplicate=0,
        reasons=counted(rejects),
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


def links_of(accepted: pl.DataFrame) -> pl.DataFrame:
    """Distinct combinations of `TOKENS` in accepted rows."""
    named = accepted.select(TOKENS).filter(pl.any_horizontal(pl.col(*TOKENS).is_not_null()))
    return named.unique().sort(TOKENS)


def _without_copies(rows: pl.DataFrame, shape: SchemaObject) -> pl.DataFrame:
    """Rows that are no exact copy of an earlier one. Without a primary key every row is a fact."""
    if not shape.key:
        return rows
    return rows.filter(pl.struct([p.name for p in shape.properties]).is_first_distinct())


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
    return rows.select("line", "item", "row", *kept, *dropped, *TOKENS)


def rejects_of(rejected: pl.DataFrame, hasher: Hasher) -> pl.DataFrame:
    """`REJECTS` of rows as `Landed.rows`, with `reasons`."""
    texts = rejected.drop("line", "item", "row", "reasons", *TOKENS)
    raw = texts.select(pl.struct(pl.all()).struct.json_encode().alias("raw"))["raw"]
    # A row whose columns slipped has an e-mail where nobody looks for one.
    hidden = pl.Series("raw", [hasher.redact(text) for text in raw], dtype=pl.String)
    made = rejected.select("line", "item", "row", "reasons", hidden, is_whole=hidden == raw)
    return made.select(pl.col(name).cast(kind) for name, kind in REJECTS.items())


def _unreadable(lines: Sequence[Unreadable], hasher: Hasher) -> pl.DataFrame:
    rows = [(one.line, None, None, one.reason, _without_people(one, hasher), False) for one in lines]
    return pl.DataFrame(rows, schema=REJECTS, orient="row")


def _without_people(line: Unreadable, hasher: Hasher) -> str:
    # Of a line that is too long there is only its place, and numbers that are no phone's.
    return line.raw if line.reason == TOO_LONG else hasher.redact(_cut(line.raw))


def _cut(raw: str) -> str:
    """The beginning of a long line, up to a blank or separator: half an e-mail would not be recognised."""
    return raw if len(raw) <= _RAW_MAX else re.split(r"[\s,;|]+(?=[^\s,;|]*$)", raw[:_RAW_MAX])[0] + " ..."


def counted(rejects: pl.DataFrame) -> dict[str, int]:
    """Rejects by rule they broke; one that broke two counts under both."""
    counted = Counter(reason for reasons in rejects["reasons"] for reason in reasons.split(", "))
    return dict(sorted(counted.items()))
