"""Map, feeds and contracts held against each other: unknown columns, owners, SQL that does not parse.

Expressions are computed here over two rows without values, so what they name, what they are applied to
and what they give is known before any data is read.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from contracts.accountability import AccountabilityMap, Metric
from contracts.documents import Document
from contracts.errors import Problem, did_you_mean
from contracts.events import ATTRIBUTE, CONDITION_COLUMNS, NUMBERS
from contracts.feeds import EventTemplate, Feed, FeedFile, Stream
from contracts.map_checks import Examined
from contracts.odcs import RESERVED_COLUMNS, DataContract, SchemaObject
from contracts.predicates import Condition, Where
from contracts.tables import FactCase
from transforms.conform import has_offset, instant_formats, strptime_format
from transforms.land import for_events, sample
from transforms.normalize import melted

Kind = Literal["text", "number", "flag", "moment"]
Kinds = Mapping[str, Kind]
_EXPRESSIONS = tuple(name for name in EventTemplate.model_fields if name != "attributes")
_NUMERIC = ("score", "amount", "duration_minutes", "sequence")
_MOMENTS = ("occurred_at", "recorded_at")
_IDENTIFYING = (
    "case_id",
    "touchpoint_id",
    "owner_id",
    "team_id",
    "customer_key",
    "first_group",
    "last_group",
)


@dataclass
class PlacedStream:
    """One stream, where it stands, and the contract that it names.

    Attributes:
        stream: What the YAML file says.
        document: The feed's file.
        index: Which of its streams it is.
        contract: The contract; None as long as it is not found.
        promise: The contract's file.
        schema: Which of its schemas has the stream's rows.
    """

    stream: Stream
    document: Document
    index: int
    contract: DataContract | None = None
    promise: Document | None = None
    schema: int = 0

    def resolve(self, promise: Document, contract: DataContract, schema: int) -> None:
        """Note the contract and which of its schemas it is."""
        self.promise, self.contract, self.schema = promise, contract, schema

    @property
    def shape(self) -> SchemaObject | None:
        """The stream's rows; None when the contract cannot be read."""
        return self.contract.schema_[self.schema] if self.contract else None

    def at(self, *path: str | int) -> str:
        """`file:line` of a part of the stream."""
        return self.document.where("streams", self.index, *path)

    def promised(self, *path: str | int) -> str:
        """`file:line` of a part of its rows' schema."""
        return (self.promise or self.document).where("schema", self.schema, *path)


@dataclass
class PlacedFeed:
    """One feed and where it stands.

    Attributes:
        document: Its file.
        declared: What the file says; None when it cannot be understood as a whole.
        name: The feed's name, as far as it can be told.
        streams: Those of its streams that can be understood.
    """

    document: Document
    declared: FeedFile | None
    name: str | None
    streams: list[PlacedStream] = field(default_factory=list)

    def resolved(self) -> Feed:
        """The feed with its contracts; everything has been checked."""
        if self.declared is None:
            message = f"{self.document.file} was not checked"
            raise AssertionError(message)
        return Feed(
            declared=self.declared,
            contracts={s.stream.name: s.contract for s in self.streams if s.contract},
            shapes={s.stream.name: s.shape for s in self.streams if s.shape},
            origin=self.document.file,
        )


def region_known(region: str | None) -> bool:
    """Whether phone numbers of a region can be read."""
    if region is None:
        return True
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 - a large table

    return region in SUPPORTED_REGIONS


def cross_checks(examined: Examined, feeds: Collection[PlacedFeed], *, are_whole: bool) -> Iterator[Problem]:
    """Everything about a workspace that one file alone cannot tell.

    Args:
        examined: The map as far as it can be understood.
        feeds: The feeds as far as they can be understood.
        are_whole: Whether `feeds` is all there is; else attributes may be unknown without being wrong.
    """
    attributes: dict[str, tuple[Kind | None, str]] = {}
    for feed in feeds:
        yield from _owner(feed, examined)
        for placed in feed.streams:
            yield from _stream_checks(placed, attributes)
    declared = [
        name for feed in feeds for s in feed.streams for e in s.stream.events for name in e.attributes
    ]
    kinds = {name: kind for name, (kind, _) in attributes.items() if kind is not None}
    seen = _Seen(kinds, frozenset(declared), is_whole=are_whole and all(feed.declared for feed in feeds))
    yield from _rule_checks(examined, seen)
    yield from _metric_checks(examined, seen)
    yield from _driver_checks(examined, seen)
    yield from _customer_checks(examined, seen)


def _owner(feed: PlacedFeed, examined: Examined) -> Iterator[Problem]:
    seats = examined.names["seats"]
    if feed.declared and seats is not None and feed.declared.owner not in seats:
        owner = feed.declared.owner
        what = f"owner {owner!r} is no seat of the map."
        yield Problem(feed.document.where("owner"), what, did_you_mean(owner, seats))


def _stream_checks(placed: PlacedStream, attributes: dict[str, tuple[Kind | None, str]]) -> Iterator[Problem]:
    stream, shape = placed.stream, placed.shape
    if stream.each is not None and stream.format != "jsonl":
        yield Problem(placed.at("each"), "'each' needs format jsonl.", "Drop it.")
    if shape is None:
        return
    unclear = [*_doubled(placed, shape), *_formats(placed, shape)]
    yield from unclear
    if unclear:
        return  # what its columns are cannot be told
    rows = sample(shape, stream, "UTC")
    for index, rule in enumerate(shape.quality):
        if rule.type != "sql":
            continue
        where, what = placed.promised("quality", index, "query"), f"rule {rule.id!r}"
        yield from _Expression(where, what, rule.broken).flaws(rows, ("flag",))
    dropped = frozenset(p.name for p in shape.properties if p.is_dropped)
    rows, problems = _spread(placed, for_events(rows, shape), dropped)
    yield from problems
    for index, template in enumerate(stream.events):
        yield from _template(placed, index, template, rows, attributes)


def _doubled(placed: PlacedStream, shape: SchemaObject) -> Iterator[Problem]:
    """Columns and rules that stand twice, and keys that never land."""
    for part, names in (
        ("name", [p.name for p in shape.properties]),
        ("physicalName", [p.header for p in shape.properties]),
    ):
        for index, name in enumerate(names):
            if name in names[:index]:
                where = placed.promised("properties", index, part)
                yield Problem(
                    where, f"column {name!r} is described twice.", "Keep one; copies go into 'let'."
                )
    for index, column in enumerate(shape.properties):
        if column.primaryKey and column.is_dropped:
            what = f"{column.name!r} is part of the key, but it is personal and never lands."
            remedy = "Give it an 'identity': then its token is the key."
            yield Problem(placed.promised("properties", index, "primaryKey"), what, remedy)


def _formats(placed: PlacedStream, shape: SchemaObject) -> Iterator[Problem]:
    """Date patterns and regular expressions that cannot be used."""
    for index, column in enumerate(shape.properties):
        where = placed.promised("properties", index, "logicalTypeOptions")
        options, flaws = column.logicalTypeOptions, [_date_flaw(pattern) for pattern in column.formats]
        for flaw in filter(None, flaws):
            yield Problem(where, f"column {column.name!r}: {flaw}")
        if not any(flaws) and column.logicalType == "timestamp" and not instant_formats(column):
            wanted = "an offset" if options.timezone else "no offset"
            what = f"column {column.name!r}: 'timezone: {options.timezone}' wants {wanted}, but no pattern has it."
            yield Problem(where, what.replace("True", "true").replace("False", "false"), "Drop one of them.")
        if options.pattern and (said := _failed(pl.lit("").str.contains(options.pattern))):
            what = f"column {column.name!r}: pattern {options.pattern!r} cannot be searched for: {said}."
            yield Problem(where, what, "Do without look-around and backreferences.")


def _date_flaw(pattern: str) -> str:
    try:
        made = strptime_format(pattern)
    except ValueError as error:
        return str(error)
    if not all(letter in pattern for letter in "yMd"):
        return f"date pattern {pattern!r} tells no day. Use y, M and d."
    if ("%I" in made) != ("%p" in made):
        return (
            f"date pattern {pattern!r} does not tell noon from midnight. Write hours as HH, or as hh with a."
        )
    reads = pl.lit("").str.to_datetime(
        made, time_unit="us", time_zone="UTC" if has_offset(made) else None, strict=False
    )
    said = _failed(reads)
    return (
        f"date pattern {pattern!r} cannot be read: {said}. Write hours as HH, or as hh with a."
        if said
        else ""
    )


def _failed(expression: pl.Expr) -> str:
    """Why an expression cannot be computed; empty when it can."""
    try:
        pl.select(expression)
    except pl.exceptions.PolarsError as error:
        return _short(error)
    return ""


def _short(error: Exception) -> str:
    """The first line of what polars says, without its full stop."""
    said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return re.sub(r"\s+", " ", said).strip().rstrip(".:")


@dataclass(frozen=True)
class _Expression:
    """An SQL expression, and where it stands.

    Attributes:
        where: `file:line`.
        what: What it is, for messages.
        written: Its text.
        dropped: Columns that never land.
    """

    where: str
    what: str
    written: str
    dropped: frozenset[str] = frozenset()

    def flaws(self, rows: pl.DataFrame, wanted: Collection[str]) -> list[Problem]:
        """What keeps it from giving one value of a wanted kind for each row."""
        return self.computed(rows, wanted)[1]

    def computed(
        self, rows: pl.DataFrame, wanted: Collection[str]
    ) -> tuple[pl.DataType | None, list[Problem]]:
        """The type of its values, and what is wrong with it.

        Args:
            rows: Two rows without values.
            wanted: Kinds that it may give.
        """
        try:
            made = pl.sql_expr(self.written)
            names = set(made.meta.root_names())
        except (pl.exceptions.PolarsError, ValueError) as error:
            what = f"is no SQL expression: {_short(error)}."
            return None, [self._problem(what, "A text needs quotes: \"'web'\".")]
        if unknown := names - set(rows.columns) | names & self.dropped:
            return None, [self._unknown(name, rows) for name in sorted(unknown)]
        try:
            values = rows.select(made.alias("value"))["value"]
        except pl.exceptions.PolarsError as error:
            remedy = "Do without look-around and backreferences." if "regex" in str(error) else _TYPES
            return None, [self._problem(f"cannot be computed: {_short(error)}.", remedy)]
        if names and values.len() != rows.height:
            what = "sums rows up, but every row is told by itself."
            return None, [self._problem(what, "Use functions of one row.")]
        kind = _kind(values.dtype)
        if kind is not None and kind not in wanted:
            return None, [self._problem(f"gives a {kind}.", _REMEDIES[next(iter(wanted))])]
        return values.dtype, []

    def _unknown(self, name: str, rows: pl.DataFrame) -> Problem:
        if name.startswith("_POLARS"):
            return self._problem("has a query inside.", "Use columns and functions of one row.")
        if name in self.dropped:
            return self._problem(f"names {name!r}, which is personal and never lands.", "Do without it.")
        known = {column for column in rows.columns if "." not in column} - self.dropped - RESERVED_COLUMNS
        remedy = f"{did_you_mean(name, known)} A text needs quotes: \"'{name}'\"."
        return self._problem(f"names no column {name!r}.", remedy)

    def _problem(self, said: str, remedy: str) -> Problem:
        return Problem(self.where, f"{self.what}: {self.written!r} {said}", remedy)


_TYPES = "Check its columns' types."
_REMEDIES = {
    "flag": "Write a condition, like score >= 9.",
    "number": "Give its column a logicalType, or write TRY_CAST(... AS DOUBLE).",
    "moment": "Give its column logicalType timestamp, or read it with STRPTIME.",
    "text": "Cast it to VARCHAR.",
}
_ANY: tuple[Kind, ...] = ("text", "number", "flag", "moment")


def _kind(dtype: pl.DataType) -> str | None:
    """What values of a type are, in our words; None when there are none."""
    if dtype == pl.Null:
        return None
    if dtype.is_numeric():
        return "number"
    known = {pl.Boolean: "flag", pl.String: "text", pl.Date: "moment", pl.Datetime: "moment"}
    return known.get(dtype.base_type(), dtype.base_type().__name__.lower())


def _spread(
    placed: PlacedStream, rows: pl.DataFrame, dropped: frozenset[str]
) -> tuple[pl.DataFrame, list[Problem]]:
    """The rows with melted columns and those of `let`, as far as they can be computed."""
    stream, problems = placed.stream, list[Problem]()
    if stream.melt is not None:
        problems += _melt(placed, rows)
        if problems:
            return rows, problems
        rows = melted(rows, stream.model_copy(update={"let": {}})).head(2)
    taken = set(rows.columns)
    for name, written in stream.let.items():
        where = placed.at("let", name)
        if name in taken:
            what = f"stream {stream.name!r}: {name!r} in 'let' is a column already."
            problems.append(Problem(where, what, "Choose another name."))
        dtype, flaws = _Expression(where, f"let.{name}", written, dropped).computed(rows, (*_ANY, "duration"))
        problems += flaws
        rows = rows.with_columns(
            pl.lit(None).alias(name) if dtype is None else pl.sql_expr(written).alias(name)
        )
    return rows, problems


def _melt(placed: PlacedStream, rows: pl.DataFrame) -> Iterator[Problem]:
    melt, shape = placed.stream.melt, placed.shape
    if melt is None or shape is None:
        return
    columns = {p.name for p in shape.properties}
    unknown = {name: column for name, column in melt.columns.items() if column not in columns}
    for name, column in unknown.items():
        where = placed.at("melt", "columns", name)
        yield Problem(where, f"melt: no column {column!r}.", did_you_mean(column, columns))
    for part in ("name", "value"):
        name = getattr(melt, part)
        if name in (columns - set(melt.columns.values())) | RESERVED_COLUMNS:
            what = f"melt: {part} {name!r} is a column already."
            yield Problem(placed.at("melt", part), what, "Choose another name.")
    kinds = {_kind(rows.schema[column]) for column in set(melt.columns.values()) - set(unknown.values())}
    if len(kinds) > 1:
        what = f"melt: the columns are {' and '.join(sorted(map(str, kinds)))}."
        yield Problem(placed.at("melt", "columns"), what, "Melt columns of one logicalType.")


def _template(
    placed: PlacedStream,
    index: int,
    template: EventTemplate,
    rows: pl.DataFrame,
    attributes: dict[str, tuple[Kind | None, str]],
) -> Iterator[Problem]:
    shape = placed.shape
    dropped = frozenset(p.name for p in shape.properties if p.is_dropped) if shape else frozenset()
    for name in _EXPRESSIONS:
        written = getattr(template, name)
        if written is not None:
            where = placed.at("events", index, name)
            yield from _Expression(where, name, written, dropped).flaws(rows, _wanted(name))
    for name, written in template.attributes.items():
        where = placed.at("events", index, "attributes", name)
        if name in CONDITION_COLUMNS:
            what = f"attribute {name!r} has the name of a column that every event has."
            yield Problem(where, what, "Choose another name.")
        dtype, flaws = _Expression(where, f"attribute {name!r}", written, dropped).computed(rows, _ANY)
        yield from flaws
        if dtype is None:
            continue
        kind: Kind = "number" if dtype.is_numeric() else "text"
        first, there = attributes.setdefault(name, (kind, where))
        if first is not None and first != kind:
            attributes[name] = (None, there)  # whatever names it is not to blame
            what = f"attribute {name!r} is a {kind} here and a {first} at {there}."
            yield Problem(where, what, "Cast it, or give it another name.")


def _wanted(name: str) -> Collection[str]:
    if name == "when":
        return ("flag",)
    if name in _MOMENTS:
        return ("moment",)
    if name == "duration_minutes":
        return ("number", "duration")
    return ("number", "flag") if name in _NUMERIC else _ANY


@dataclass(frozen=True)
class _Seen:
    """Attributes of events, as far as feeds can be understood.

    Attributes:
        kinds: text or number, by attribute whose expression can be computed.
        declared: Every attribute.
        is_whole: Whether there can be no others.
    """

    kinds: Kinds
    declared: frozenset[str]
    is_whole: bool

    @property
    def of_events(self) -> dict[str, Kind | None]:
        """What the columns of an event hold that a condition may name; None when that is not known."""
        columns: dict[str, Kind | None] = dict.fromkeys(CONDITION_COLUMNS, "text")
        columns |= dict.fromkeys(NUMBERS, "number")
        return columns | {name: self.kinds.get(name) for name in self.declared}


def _rule_checks(examined: Examined, seen: _Seen) -> Iterator[Problem]:
    for rule in examined.atlas.rules:
        where = examined.atlas.where("rules", rule.id)
        yield from _conditions(where, f"rule {rule.id!r}, where", rule.where, seen.of_events, seen)
        for index, example in enumerate(rule.examples):
            where = examined.atlas.where("examples", f"{rule.id}.{index}")
            for name, value in example.event.items():
                yield from _known(where, f"an example of rule {rule.id!r}", name, seen.of_events, seen)
                if name in NUMBERS and value is not None and not isinstance(value, int | float):
                    what = f"an example of rule {rule.id!r}: {name!r} is a number, but {value!r} is none."
                    yield Problem(where, what, "Write a number.")
                if seen.of_events.get(name) == "text" and not isinstance(value, str | None):
                    what = f"an example of rule {rule.id!r}: {name!r} is a text, but {value!r} is none."
                    yield Problem(where, what, _CONDITIONS["text"])


def _kept_on_cases(atlas: AccountabilityMap) -> set[str]:
    return {name for spec in atlas.cases for name in spec.attributes}


def _metric_checks(examined: Examined, seen: _Seen) -> Iterator[Problem]:
    atlas = examined.atlas
    kept = _kept_on_cases(atlas)
    for name in sorted(kept - seen.declared - set(NUMBERS)) if seen.is_whole else ():
        where = atlas.where("cases", "")
        yield Problem(where, f"no feed gives attribute {name!r}.", did_you_mean(name, seen.declared))
    added = {name for spec in atlas.cases for name, how in spec.attributes.items() if how == "sum"}
    for name in sorted(name for name in added if seen.kinds.get(name) == "text"):
        what = f"attribute {name!r} is text and cannot be added up."
        yield Problem(atlas.where("cases", ""), what, "Keep its first, last, min or max.")
    for metric in atlas.metrics:
        where = atlas.where("metrics", metric.id)
        is_case = metric.of == "cases"
        columns = _case_columns() | {n: seen.of_events.get(n) for n in kept} if is_case else seen.of_events
        segments = {"channel", *(kept if is_case else seen.declared)}
        named = f"metric {metric.id!r}"
        yield from _conditions(where, f"{named}, where", metric.where, columns, seen)
        yield from _conditions(where, f"{named}, good", metric.good, columns, seen)
        yield from _conditions(where, f"{named}, exposure", metric.exposure, columns, seen)
        yield from _conditions(where, f"{named}, followed_by", metric.followed_by, columns, seen)
        for name in metric.same:
            yield from _known(where, f"{named}, same", name, {"touchpoint", *segments}, seen)
            yield from _no_number(where, f"{named}, same", name, columns)
        yield from _value(where, metric, columns, seen)
        for name in metric.by:
            if name in segments:
                yield from _no_number(where, f"{named}, by", name, columns)
            yield from _known(where, f"{named}, by", name, segments, seen)
        yield from _sample(where, metric, seen)
        if is_case and not atlas.cases and examined.names["cases"] is not None:
            yield Problem(where, f"{named} is over cases, but the map has no 'cases'.", "Add the section.")


def _driver_checks(examined: Examined, seen: _Seen) -> Iterator[Problem]:
    """The numbers that drivers name are kept on cases."""
    kept = _kept_on_cases(examined.atlas)
    for one in examined.atlas.drivers:
        where = examined.atlas.where("drivers", one.id)
        for name in one.columns if examined.names["cases"] is not None else ():
            named = f"drivers {one.id!r}"
            if name not in kept:
                what = f"{named}: no case keeps {name!r}."
                remedy = f"Add it to the 'attributes' of 'cases'. {did_you_mean(name, kept)}".strip()
                yield Problem(where, what, remedy)
            elif seen.of_events.get(name) == "text":
                told = f"{named}: {name!r} is text."
                yield Problem(where, told, "Make a number of it in the feed: CAST(... AS DOUBLE).")


def _no_number(where: str, what: str, name: str, columns: Mapping[str, Kind | None]) -> Iterator[Problem]:
    """What tells customers or answers apart is text."""
    if columns.get(name) == "number":
        told = f"{what}: {name!r} is a number."
        yield Problem(where, told, "Make a text of it in the feed: CAST(... AS VARCHAR).")


def _sample(where: str, metric: Metric, seen: _Seen) -> Iterator[Problem]:
    """What a metric's `sample` names, of events."""
    if metric.sample is None:
        return
    columns = seen.of_events
    for part in ("asked", "bounced", "lived"):
        named = f"metric {metric.id!r}, sample.{part}"
        yield from _conditions(where, named, getattr(metric.sample, part), columns, seen)
    for name in metric.sample.dimensions:
        named = f"metric {metric.id!r}, sample.{'by' if name in metric.sample.by else 'watch'}"
        yield from _no_number(where, named, name, columns)
        yield from _known(where, named, name, {"channel", *seen.declared}, seen)


def _customer_checks(examined: Examined, seen: _Seen) -> Iterator[Problem]:
    columns = seen.of_events
    for group in examined.atlas.customers:
        where, named = examined.atlas.where("customers", group.id), f"customers {group.id!r}"
        yield from _conditions(where, f"{named}, active", group.active, columns, seen)
        yield from _conditions(where, f"{named}, left", group.left, columns, seen)
        for part in ("reason", "by"):
            name = getattr(group, part)
            if name is not None:
                yield from _known(where, f"{named}, {part}", name, seen.declared, seen)
                yield from _no_number(where, f"{named}, {part}", name, columns)
        if group.value is not None:
            numbers = {name for name, kind in columns.items() if kind in ("number", None)}
            yield from _known(where, f"{named}, value", group.value, numbers, seen)


def _value(where: str, metric: Metric, columns: Mapping[str, Kind | None], seen: _Seen) -> Iterator[Problem]:
    if metric.value is None:
        return
    named = f"metric {metric.id!r}, value"
    numbers = {name for name, kind in columns.items() if kind in ("number", "flag", None)}
    if columns.get(metric.value) in ("text", "moment"):
        what = f"{named}: {metric.value!r} is a {columns[metric.value]}, not a number."
        yield Problem(where, what, did_you_mean(metric.value, numbers))
    else:
        yield from _known(where, named, metric.value, numbers, seen)


def _conditions(
    where: str, what: str, conditions: Where, columns: Mapping[str, Kind | None], seen: _Seen
) -> Iterator[Problem]:
    for name, condition in conditions.items():
        yield from _known(where, what, name, columns, seen)
        if flaw := _never_holds(condition, columns.get(name)):
            yield Problem(
                where, f"{what}: {name!r} is a {columns[name]}, but {flaw}.", _CONDITIONS[columns[name]]
            )


def _known(where: str, what: str, name: str, known: Iterable[str], seen: _Seen) -> Iterator[Problem]:
    # An attribute of a feed that cannot be read may be any.
    if name not in known and seen.is_whole:
        yield Problem(where, f"{what}: no column {name!r}.", did_you_mean(name, list(known)))


_CONDITIONS: Mapping[Kind | None, str] = {
    "number": "Compare it with numbers, like '>= 9'.",
    "flag": "Write true or false.",
    "moment": "Only 'null' can be asked of it.",
    "text": "It has to be a text: put it in quotes.",  # YAML reads no, 01234 and 10:30 as something else
}


def _never_holds(condition: Condition, kind: Kind | None) -> str:
    """What a condition compares a column with that it can never be; empty when it can."""
    given = [value for value in condition.any_of if value is not None]
    if kind is None:
        return ""
    if condition.bounds and kind not in ("number", "text"):
        return f"is compared with '{condition}'"
    fits = {"number": float, "flag": bool, "moment": (), "text": str}[kind]
    wrong = next((value for value in given if not isinstance(value, fits)), None)
    return f"is compared with {wrong!r}" if wrong is not None else ""


def _case_columns() -> dict[str, Kind | None]:
    """What the columns of a case hold that a condition may name."""
    columns: dict[str, Kind | None] = {}
    for name, dtype in FactCase.published_schema().items():
        if name not in _IDENTIFYING and not name.startswith(ATTRIBUTE):
            kind = _kind(dtype)
            columns[name] = next((known for known in _ANY if known == kind), None)
    return columns
