"""Conformed rows to canonical events, by the SQL expressions of the feed's YAML."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import polars as pl

from contracts.events import ATTRIBUTE, EVENT, INSTANT, NUMBERS, TOKENS
from contracts.feeds import EventTemplate, Stream
from contracts.odcs import SchemaObject
from transforms.conform import in_utc
from transforms.durations import MINUTE, in_units

_FIELDS = tuple(name for name in EventTemplate.model_fields if name not in ("when", "key", "attributes"))
_TYPES = {name.removesuffix("_id") if name == "subject_id" else name: kind for name, kind in EVENT.items()}
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
NUMBER_MAX = 1e12
"""Sums count in whole steps of a metric; a larger number would not fit."""
AMBIGUOUS_KEY = "key.ambiguous"
"""Two expressions tell one row's event of one key and kind, but not the same of it."""


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


def normalize(
    rows: pl.DataFrame,
    feed: str,
    stream: Stream,
    shape: SchemaObject,
    landing: str,
    timezone: str = "UTC",
) -> pl.DataFrame:
    """What a delivery's rows tell of.

    Args:
        rows: Conformed rows with `row` (their number) and the columns `TOKENS`.
        feed: The feed's name.
        stream: The stream, with its event templates.
        shape: The contract's schema: its primary key makes events unique.
        landing: The delivery's id, which makes them unique when there is no key.
        timezone: Of dates and times without an offset that an expression gives.

    Returns:
        Events as `EVENT` plus attributes, in no particular order. An event that two rows tell of is
        there twice.

    Raises:
        polars.exceptions.PolarsError: An expression cannot be computed of these rows.
    """
    spread = melted(rows, stream)
    key = [*shape.key, *([stream.melt.name] if stream.melt and shape.key else [])]
    made = [_of_template(spread, template, key, landing, timezone) for template in stream.events]
    if made:
        return _named(pl.concat(made, how="diagonal_relaxed"), feed, stream)
    empty = [pl.lit(None, dtype=kind).alias(name) for name, kind in EVENT.items()]
    return rows.clear().select(empty)


def _of_template(
    rows: pl.DataFrame, template: EventTemplate, key: Sequence[str], landing: str, timezone: str
) -> pl.DataFrame:
    if template.when is not None:
        rows = rows.filter(pl.sql_expr(template.when).fill_null(value=False))
    fields = [_expression(getattr(template, name)).alias(name) for name in _FIELDS]
    attributes = [pl.sql_expr(e).alias(ATTRIBUTE + name) for name, e in template.attributes.items()]
    own = pl.sql_expr(template.key).cast(pl.String) if template.key else _joined(key, landing)
    told = rows.select(
        *fields, *attributes, *TOKENS, "row", own.alias("__key"), pl.lit(landing).alias("landing")
    )
    kinds = told.collect_schema()
    columns = [ATTRIBUTE + name for name in template.attributes]
    return told.with_columns(
        *(_field(name, kinds[name], timezone).alias(name) for name in _FIELDS),
        *(pl.col(name).cast(pl.Float64 if kinds[name].is_numeric() else pl.String) for name in columns),
    )


def _named(told: pl.DataFrame, feed: str, stream: Stream) -> pl.DataFrame:
    attributes = [name for name in told.columns if name.startswith(ATTRIBUTE)]
    made = told.with_columns(
        recorded_at=pl.coalesce("recorded_at", "occurred_at"),
        feed=pl.lit(feed),
        event_id=pl.concat_str(pl.lit(f"{feed}|{stream.name}"), "__key", "kind", separator="|"),
    )
    return made.rename({"subject": "subject_id"}).select(*EVENT, *attributes)


def _expression(written: str | None) -> pl.Expr:
    return pl.lit(None) if written is None else pl.sql_expr(written)


def _field(name: str, kind: pl.DataType, timezone: str) -> pl.Expr:
    """A field in its own type: days begin and clocks run in the time zone, durations become minutes."""
    value, wanted = pl.col(name), _TYPES[name]
    if wanted == INSTANT and (kind == pl.Date or (isinstance(kind, pl.Datetime) and kind.time_zone is None)):
        return in_utc(value.cast(pl.Datetime("us")), timezone)
    if name == "duration_minutes" and kind == pl.Duration:
        return in_units(value.dt.total_microseconds(), MINUTE)
    return value.cast(wanted, strict=wanted == pl.String)


def _joined(key: Sequence[str], landing: str) -> pl.Expr:
    """The parts of a key as one text; a part that holds the joint itself cannot pass for two."""
    if not key:
        return pl.concat_str(pl.lit(landing[:12]), pl.col("row").cast(pl.String), separator="#")
    parts = [pl.col(name).cast(pl.String).fill_null("") for name in key]
    if len(parts) > 1:
        parts = [
            p.str.replace_all("\\", "\\\\", literal=True).str.replace_all("~", "\\~", literal=True)
            for p in parts
        ]
    return pl.concat_str(parts, separator="~")


def event_violations(latest: datetime, attributes: Iterable[str] = ()) -> list[tuple[str, pl.Expr]]:
    """What no event may be, as (name, what a broken event satisfies). Never null.

    Args:
        latest: Events later than this are in the future.
        attributes: Columns of attributes that are numbers.
    """
    when = pl.col("occurred_at")
    rules = [
        ("kind.missing", pl.col("kind").is_null()),
        ("key.missing", pl.col("event_id").is_null()),
        ("occurred_at.missing", when.is_null()),
        ("occurred_at.before_1970", when < _BEGINNING),
        ("occurred_at.in_the_future", when > latest),
    ]
    numbers = {name: name for name in NUMBERS} | {name.removeprefix(ATTRIBUTE): name for name in attributes}
    rules += [(f"{name}.not_finite", ~pl.col(column).is_finite()) for name, column in numbers.items()]
    rules += [
        (f"{name}.too_large", pl.col(column).is_finite() & (pl.col(column).abs() > NUMBER_MAX))
        for name, column in numbers.items()
    ]
    return [(name, broken.fill_null(value=False)) for name, broken in rules]


def ambiguous(told: pl.DataFrame) -> pl.DataFrame:
    """row, reasons: rows that tell one event in two ways, of which one would be lost."""
    ids = ["row", "event_id"]
    if not told.select(pl.struct(ids).is_duplicated().any()).item():
        return pl.DataFrame(schema={"row": told.schema["row"], "reasons": pl.String})
    different = told.unique()
    twice = different.filter(pl.struct(ids).is_duplicated())
    return twice.select(pl.col("row").unique(), reasons=pl.lit(AMBIGUOUS_KEY))
