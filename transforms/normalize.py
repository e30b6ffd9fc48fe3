"""Conformed rows to canonical events, by the SQL expressions of the feed's YAML."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from contracts.events import ATTRIBUTE, EVENT, NUMBERS, TOKENS
from contracts.feeds import EventTemplate, Stream
from contracts.odcs import SchemaObject

_FIELDS = tuple(name for name in EventTemplate.model_fields if name not in ("when", "key", "attributes"))
_TYPES = {name.removesuffix("_id") if name == "subject_id" else name: kind for name, kind in EVENT.items()}
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def melted(rows: pl.DataFrame, stream: Stream) -> pl.DataFrame:
    """The rows with their `let` columns, one for each melted column if the stream melts any."""
    if stream.melt is not None:
        names = {column: name for name, column in stream.melt.columns.items()}
        rows = rows.unpivot(
            on=list(names),
            index=[c for c in rows.collect_schema() if c not in names],
            variable_name=stream.melt.name,
            value_name=stream.melt.value,
        ).with_columns(pl.col(stream.melt.name).replace_strict(names, return_dtype=pl.String))
    for name, expression in stream.let.items():
        rows = rows.with_columns(pl.sql_expr(expression).alias(name))
    return rows


def spread_columns(stream: Stream, shape: SchemaObject) -> set[str]:
    """Columns that a stream's expressions may name: the contract's, melted, and those of `let`."""
    columns = {column.name for column in shape.properties}
    if stream.melt is not None:
        columns = (columns - set(stream.melt.columns.values())) | {stream.melt.name, stream.melt.value}
    return columns | set(stream.let) | {"line", "row"}


def normalize(
    rows: pl.DataFrame, feed: str, stream: Stream, shape: SchemaObject, landing: str
) -> pl.DataFrame:
    """What a delivery's rows tell of.

    Args:
        rows: Conformed rows with `row` (their number) and the columns `TOKENS`.
        feed: The feed's name.
        stream: The stream, with its event templates.
        shape: The contract's schema: its primary key makes events unique.
        landing: The delivery's id, which makes them unique when there is no key.

    Returns:
        Events as `EVENT` plus attributes, in no particular order. An event that two rows tell of is
        there twice.
    """
    spread = melted(rows, stream)
    key = [*shape.key, *([stream.melt.name] if stream.melt and shape.key else [])]
    made = [_of_template(spread, template, feed, stream, key, landing) for template in stream.events]
    if made:
        return pl.concat(made, how="diagonal_relaxed")
    empty = [pl.lit(None, dtype=kind).alias(name) for name, kind in EVENT.items()]
    return rows.clear().select(empty)


def _of_template(
    rows: pl.DataFrame, template: EventTemplate, feed: str, stream: Stream, key: Sequence[str], landing: str
) -> pl.DataFrame:
    if template.when is not None:
        rows = rows.filter(pl.sql_expr(template.when).fill_null(value=False))
    columns = [_field(name, getattr(template, name)) for name in _FIELDS]
    attributes = [pl.sql_expr(e).alias(ATTRIBUTE + name) for name, e in template.attributes.items()]
    own = pl.sql_expr(template.key).cast(pl.String) if template.key else _joined(key, landing)
    made = rows.select(
        *columns, *attributes, *TOKENS, "row", own.alias("__key"), pl.lit(landing).alias("landing")
    )
    typed = (
        {
            name: pl.Float64() if kind.is_numeric() else pl.String()
            for name, kind in made.select(a.meta.output_name() for a in attributes).collect_schema().items()
        }
        if attributes
        else {}
    )
    made = made.with_columns(
        *(pl.col(name).cast(kind) for name, kind in typed.items()),
        recorded_at=pl.coalesce("recorded_at", "occurred_at"),
        feed=pl.lit(feed),
        event_id=pl.concat_str(pl.lit(f"{feed}|{stream.name}"), "__key", "kind", separator="|"),
    )
    return made.rename({"subject": "subject_id"}).select(*EVENT, *typed)


def _field(name: str, expression: str | None) -> pl.Expr:
    made = pl.lit(None) if expression is None else pl.sql_expr(expression)
    return made.cast(_TYPES[name]).alias(name)


def _joined(key: Sequence[str], landing: str) -> pl.Expr:
    if not key:
        return pl.concat_str(pl.lit(landing[:12]), pl.col("row").cast(pl.String), separator="#")
    return pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in key], separator="~")


def event_violations(latest: datetime) -> list[tuple[str, pl.Expr]]:
    """What no event may be, as (name, what a broken event satisfies). Never null.

    Args:
        latest: Events later than this are in the future.
    """
    when = pl.col("occurred_at")
    rules = [
        ("kind.missing", pl.col("kind").is_null()),
        ("key.missing", pl.col("event_id").is_null()),
        ("occurred_at.missing", when.is_null()),
        ("occurred_at.before_1970", when < _BEGINNING),
        ("occurred_at.in_the_future", when > latest),
    ]
    rules += [(f"{name}.not_finite", pl.col(name).is_nan() | pl.col(name).is_infinite()) for name in NUMBERS]
    return [(name, broken.fill_null(value=False)) for name, broken in rules]
