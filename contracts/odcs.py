"""A feed's contract: the part of the Open Data Contract Standard v3.2 that we keep.

What is outside this part is refused aloud, by line: a rule that is read but not enforced would be a
false promise. An error sets rows aside, or holds the delivery when the rule is about all of it; a
warning is counted. A rule with a tolerance (`mustBeLessThan: 2`, `unit: percent`) lets rows through as
long as it is kept; once it is exceeded every row that breaks the rule counts as broken.

Custom properties that are ours: `identity` on a property names how it tells a customer (`email`,
`phone`, `external_id`), `formats` gives further date patterns; `maxQuarantineRate` on a schema is the
share of rejected rows above which a whole delivery is held, `volumeBaseline` how far a delivery's size
may be from the usual one; `owner` on a rule is the seat that answers for it; `references` on the
contract names files that relationships may point to. An external id belongs to its feed;
`external_id:crm` says that it is the one the feed `crm` gives out.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.documents import Declaration
from contracts.events import TOKENS

IDENTITIES = ("email", "phone", "external_id")
RESERVED_COLUMNS = frozenset({"line", "row", "item", "reasons", *TOKENS})
"""Names of columns that landing adds to every row."""
DEFAULT_QUARANTINE_RATE = 0.05
_IDENTITY = re.compile(r"^(email|phone|external_id(:[a-z][a-z0-9_]*)?)$")
_COUNT = re.compile(
    r"^\s*SELECT\s+COUNT\(\*\)\s+FROM\s+\$?\{\w+\}\s+WHERE\s+(.+)$", re.IGNORECASE | re.DOTALL
)


class EnumValue(Declaration):
    """One accepted value."""

    value: str
    description: str | None = None


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Severity = Literal["error", "warning"]


class VolumeBaseline(Declaration):
    """The usual size of a delivery: median +- k median absolute deviations, weekday by weekday.

    Attributes:
        weeks: How far back deliveries count.
        k: How many deviations are still usual.
    """

    weeks: int = Field(default=8, ge=1)
    k: float = Field(default=5, gt=0)


def _not_a_flag(value: object) -> object:
    if isinstance(value, bool):
        message = "Write a text, a number or a list."
        raise ValueError(message)  # noqa: TRY004 - pydantic reports only ValueError
    return value


class CustomProperty(Declaration):
    """A key and value that the standard leaves to us."""

    property: Literal["identity", "maxQuarantineRate", "formats", "volumeBaseline", "owner", "references"]
    value: Annotated[
        str | float | tuple[str, ...] | VolumeBaseline | dict[Name, str], BeforeValidator(_not_a_flag)
    ]

    @model_validator(mode="after")
    def _fits(self) -> "CustomProperty":
        value = self.value
        if self.property == "maxQuarantineRate" and not (isinstance(value, float) and 0 <= value <= 1):
            message = "Write maxQuarantineRate as a share from 0 to 1."
            raise ValueError(message)
        if self.property == "identity" and not _IDENTITY.match(str(value)):
            message = f"identity is {value!r}. Write one of {', '.join(IDENTITIES)}, or external_id:FEED."
            raise ValueError(message)
        if self.property == "formats" and not isinstance(value, str | tuple):
            message = "Write formats as a list of date patterns."
            raise ValueError(message)
        if self.property == "owner" and not isinstance(value, str):
            message = "Write owner as the id of a seat."
            raise ValueError(message)
        if self.property == "volumeBaseline" and not isinstance(value, VolumeBaseline):
            message = "Write volumeBaseline as {weeks: 8, k: 5}."
            raise ValueError(message)
        if self.property == "references" and not isinstance(value, dict):
            message = "Write references as a name and a CSV file each: {regions: references/regions.csv}."
            raise ValueError(message)
        return self


def _regular(pattern: str | None) -> str | None:
    try:
        re.compile(pattern or "")
    except re.error as error:
        message = f"It is no regular expression: {error}."
        raise ValueError(message) from None
    return pattern


def _zone(name: str | None) -> str | None:
    if name is not None and name not in available_timezones():
        message = "Write a name of the time zone database, like 'Europe/Berlin' or 'UTC'."
        raise ValueError(message)
    return name


class Options(Declaration):
    """Limits of a logical type.

    `format` is a JDK date pattern (`d/M/yyyy HH:mm`), as the standard asks. `timezone: true` wants an
    offset on every time, `false` none; `defaultTimezone` reads times that carry none.
    """

    pattern: Annotated[str | None, AfterValidator(_regular)] = None
    minimum: float | None = None
    maximum: float | None = None
    minLength: Annotated[int | None, Field(ge=0)] = None  # noqa: N815 - the standard's own spelling
    maxLength: Annotated[int | None, Field(ge=0)] = None  # noqa: N815
    format: str | None = None
    timezone: bool | None = None
    defaultTimezone: Annotated[str | None, AfterValidator(_zone)] = None  # noqa: N815


_TYPES_OF = {
    "pattern": ("string",),
    "minLength": ("string",),
    "maxLength": ("string",),
    "minimum": ("integer", "number"),
    "maximum": ("integer", "number"),
    "format": ("date", "timestamp"),
    "timezone": ("timestamp",),
    "defaultTimezone": ("timestamp",),
}
"""Logical types that an option limits; on any other it would be read and never enforced."""


def _only(found: tuple[CustomProperty, ...], known: tuple[str, ...]) -> None:
    """Refuse custom properties that mean nothing here, and those that stand twice."""
    names = [one.property for one in found]
    for name in names:
        if name not in known:
            message = f"custom property {name!r} means nothing here. Known here: {', '.join(known)}."
            raise ValueError(message)
        if names.count(name) > 1:
            message = f"custom property {name!r} stands twice. Keep one."
            raise ValueError(message)


Metric = Literal["nullValues", "invalidValues", "duplicateValues", "rowCount"]


class Arguments(Declaration):
    """What a library metric needs to know.

    Attributes:
        properties: Columns that together repeat no value.
        validValues: Accepted values.
        pattern: Regular expression that a value matches somewhere.
    """

    properties: tuple[str, ...] = ()
    validValues: tuple[str, ...] = ()  # noqa: N815 - the standard's own spelling
    pattern: Annotated[str | None, AfterValidator(_regular)] = None


_LIMITS = ("mustBe", "mustBeLessThan", "mustBeLessOrEqualTo")
_RANGES = (*_LIMITS, "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeBetween")


class Quality(Declaration):
    """A rule of its own: over rows, over a column's values, or over the number of rows.

    `sql` counts the rows that a predicate finds broken: `SELECT COUNT(*) FROM ${object} WHERE <broken>`.
    `library` counts null, invalid or repeated values of a column, or all rows. The limit is `mustBe: 0`
    or an upper one; for `rowCount` any.
    """

    id: Annotated[str, Field(pattern=r"^[^,\s]+$")]
    type: Literal["sql", "library"]
    query: str | None = None
    metric: Metric | None = None
    arguments: Arguments = Arguments()
    mustBe: int | None = Field(default=None, ge=0)  # noqa: N815 - the standard's own spelling
    mustBeLessThan: float | None = Field(default=None, gt=0)  # noqa: N815
    mustBeLessOrEqualTo: float | None = Field(default=None, ge=0)  # noqa: N815
    mustBeGreaterThan: float | None = Field(default=None, ge=0)  # noqa: N815
    mustBeGreaterOrEqualTo: float | None = Field(default=None, ge=0)  # noqa: N815
    mustBeBetween: tuple[float, float] | None = None  # noqa: N815
    unit: Literal["rows", "percent"] = "rows"
    name: str | None = None
    description: str | None = None
    dimension: str | None = None
    severity: Severity = "error"
    customProperties: tuple[CustomProperty, ...] = ()  # noqa: N815

    @model_validator(mode="after")
    def _whole(self) -> "Quality":
        _only(self.customProperties, ("owner",))
        if (self.type == "sql") != (self.query is not None) or (self.type == "library") != bool(self.metric):
            message = "Write type sql with a 'query', or type library with a 'metric'."
            raise ValueError(message)
        if self.query is not None and _COUNT.match(self.query) is None:
            message = "Write it as: SELECT COUNT(*) FROM ${object} WHERE <what a broken row looks like>."
            raise ValueError(message)
        given = [name for name in _RANGES if getattr(self, name) is not None]
        known = _RANGES if self.metric == "rowCount" else _LIMITS
        if len(given) != 1 or given[0] not in known or (self.mustBe and self.metric != "rowCount"):
            message = f"Write one limit: {', '.join(known)}" + (
                "." if self.metric == "rowCount" else "; mustBe can only be 0."
            )
            raise ValueError(message)
        if self.metric == "rowCount" and self.unit == "percent":
            message = "rowCount counts rows; drop 'unit: percent'."
            raise ValueError(message)
        self._arguments_fit()
        return self

    def _arguments_fit(self) -> None:
        given = self.arguments.model_fields_set
        if self.metric == "invalidValues" and len(given & {"validValues", "pattern"}) != 1:
            message = "invalidValues needs 'arguments' with either validValues or pattern."
            raise ValueError(message)
        known = {"invalidValues": {"validValues", "pattern"}, "duplicateValues": {"properties"}}
        if over := sorted(given - known.get(self.metric or "", set())):
            message = f"argument {over[0]!r} means nothing for {self.metric or self.type}. Drop it."
            raise ValueError(message)

    @property
    def broken(self) -> str:
        """The SQL predicate that a broken row satisfies."""
        match = _COUNT.match(self.query or "")
        return match[1] if match else "FALSE"

    @property
    def owner(self) -> str | None:
        """The seat that answers for the rule; the feed's owner when there is none."""
        return next((str(p.value) for p in self.customProperties), None)

    @property
    def said_limit(self) -> str:
        """The limit as it is written, e.g. `mustBeLessThan 2 percent`."""
        name = next(name for name in _RANGES if getattr(self, name) is not None)
        value = getattr(self, name)
        shown = " and ".join(f"{part:g}" for part in value) if isinstance(value, tuple) else f"{value:g}"
        return f"{name} {shown}{' percent' if self.unit == 'percent' else ''}"

    def keeps(self, count: int, rows: int) -> bool:
        """Whether a count is within the limit.

        Args:
            count: Broken rows; for `rowCount` all rows.
            rows: Rows that were judged, for limits in percent.
        """
        measured = count * 100 / rows if self.unit == "percent" and rows else float(count)
        low, high = self.mustBeBetween or (measured, measured)
        return (
            (self.mustBe is None or measured == self.mustBe)
            and (self.mustBeLessThan is None or measured < self.mustBeLessThan)
            and (self.mustBeLessOrEqualTo is None or measured <= self.mustBeLessOrEqualTo)
            and (self.mustBeGreaterThan is None or measured > self.mustBeGreaterThan)
            and (self.mustBeGreaterOrEqualTo is None or measured >= self.mustBeGreaterOrEqualTo)
            and low <= measured <= high
        )


class Relationship(Declaration):
    """Values of a column stand in another one.

    Attributes:
        to: `stream.column` of the same feed, `feed.stream.column`, or `reference.column` of a file that
            the contract's `references` names. A missing value refers to nothing and is sound.
        severity: error sets rows aside, warning counts them.
    """

    to: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){1,2}$")]
    type: Literal["foreignKey"] = "foreignKey"
    severity: Severity = "error"


LogicalType = Literal["string", "integer", "number", "boolean", "date", "timestamp"]


class Property(Declaration):
    """One column of a delivery.

    Attributes:
        name: Name used in the feed's expressions.
        physicalName: Header (or path in a JSON record) in the delivery; `name` when absent.
        classification: `personal` columns are hashed when they tell a customer, else dropped,
            before anything lands.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    physicalName: str | None = None  # noqa: N815 - the standard's own spelling
    logicalType: LogicalType = "string"  # noqa: N815
    logicalTypeOptions: Options = Options()  # noqa: N815
    physicalType: str | None = None  # noqa: N815
    description: str | None = None
    required: bool = False
    unique: bool = False
    primaryKey: bool = False  # noqa: N815
    primaryKeyPosition: int | None = None  # noqa: N815
    classification: str | None = None
    enum: tuple[EnumValue, ...] = ()
    quality: tuple[Quality, ...] = ()
    relationships: tuple[Relationship, ...] = Field(default=(), max_length=1)
    customProperties: tuple[CustomProperty, ...] = ()  # noqa: N815

    @model_validator(mode="after")
    def _can_be_kept(self) -> "Property":
        if self.name in RESERVED_COLUMNS:
            message = (
                f"{self.name!r} is the name of a column of ours. Choose another; keep it as physicalName."
            )
            raise ValueError(message)
        for option in sorted(self.logicalTypeOptions.model_fields_set):
            if self.logicalType not in _TYPES_OF[option]:
                types = " or ".join(_TYPES_OF[option])
                message = f"{option!r} is for {types}, and {self.name!r} is {self.logicalType}. Drop it."
                raise ValueError(message)
        _only(self.customProperties, ("identity", "formats"))
        for rule in self.quality:
            if rule.metric in (None, "rowCount") or rule.arguments.properties:
                message = f"rule {rule.id!r} is about whole rows. Move it to the schema's 'quality'."
                raise ValueError(message)
        if self.logicalType not in ("date", "timestamp") and any(
            one.property == "formats" for one in self.customProperties
        ):
            message = f"'formats' is for date or timestamp, and {self.name!r} is {self.logicalType}. Drop it."
            raise ValueError(message)
        return self

    @property
    def header(self) -> str:
        """The column's name in the delivery."""
        return self.physicalName or self.name

    @property
    def identity(self) -> str | None:
        """How the column tells a customer: email, phone, external_id[:feed]; None when it does not."""
        return next((str(p.value) for p in self.customProperties if p.property == "identity"), None)

    @property
    def formats(self) -> tuple[str, ...]:
        """JDK patterns to try, in order."""
        more = next((p.value for p in self.customProperties if p.property == "formats"), ())
        first = (self.logicalTypeOptions.format,) if self.logicalTypeOptions.format else ()
        return (*first, *(more if isinstance(more, tuple) else (str(more),)))

    @property
    def is_dropped(self) -> bool:
        """Whether the column is personal and tells no customer: it never lands."""
        return self.classification == "personal" and self.identity is None


NOT_EMPTY = Quality(
    id="row_count",
    type="library",
    metric="rowCount",
    mustBeGreaterThan=0,
    description="A delivery without rows replaces nothing: it is held, and the last good one stays.",
)
"""The volume rule of a contract that has none: every other rule is kept by an empty delivery."""


class SchemaObject(Declaration):
    """The rows of one stream."""

    name: str
    physicalType: str | None = None  # noqa: N815 - the standard's own spelling
    logicalType: Literal["object"] = "object"  # noqa: N815
    description: str | None = None
    properties: tuple[Property, ...] = Field(min_length=1)
    quality: tuple[Quality, ...] = ()
    customProperties: tuple[CustomProperty, ...] = ()  # noqa: N815

    @model_validator(mode="after")
    def _own_properties(self) -> "SchemaObject":
        _only(self.customProperties, ("maxQuarantineRate", "volumeBaseline"))
        names = {one.name for one in self.properties}
        for rule in self.quality:
            if rule.metric in ("nullValues", "invalidValues"):
                message = f"rule {rule.id!r} is about one column. Move it to the property's 'quality'."
                raise ValueError(message)
            if rule.metric == "duplicateValues" and not set(rule.arguments.properties or ("",)) <= names:
                message = (
                    f"rule {rule.id!r} needs 'arguments: {{properties: [...]}}' with columns of the schema."
                )
                raise ValueError(message)
        return self

    @property
    def key(self) -> list[str]:
        """Names of the primary key's columns, in their declared position."""
        keyed = [p for p in self.properties if p.primaryKey]
        return [p.name for p in sorted(keyed, key=lambda p: p.primaryKeyPosition or 0)]

    @property
    def rules(self) -> tuple[Quality, ...]:
        """Rules of their own, those of columns first."""
        return (*(rule for column in self.properties for rule in column.quality), *self.quality)

    @property
    def volume(self) -> tuple[Quality, ...]:
        """Rules over the number of rows; at least one row when the contract says nothing."""
        return tuple(rule for rule in self.quality if rule.metric == "rowCount") or (NOT_EMPTY,)

    @property
    def volume_baseline(self) -> VolumeBaseline | None:
        """The usual size of a delivery; None when nothing is promised."""
        return next((p.value for p in self.customProperties if isinstance(p.value, VolumeBaseline)), None)

    @property
    def quarantine_rate_max(self) -> float:
        """Share of rejected rows above which a whole delivery is held."""
        given = (p.value for p in self.customProperties if p.property == "maxQuarantineRate")
        return next((v for v in given if isinstance(v, float)), DEFAULT_QUARANTINE_RATE)


class ServiceLevel(Declaration):
    """How fresh the feed has to be: the newest event may be at most this old."""

    property: Literal["freshness"]
    value: float = Field(gt=0)
    unit: Literal["h", "d"]
    element: str | None = None
    description: str | None = None


class Team(Declaration):
    """Who answers for the feed."""

    name: str
    description: str | None = None


class Description(Declaration):
    """Why the delivery exists and what it is good for."""

    purpose: str | None = None
    usage: str | None = None
    limitations: str | None = None


class DataContract(Declaration):
    """One contract file."""

    apiVersion: Annotated[str, Field(pattern=r"^v3\.[012]\.\d+$")]  # noqa: N815 - the standard's own
    kind: Literal["DataContract"]
    id: str
    name: str | None = None
    version: Annotated[str, BeforeValidator(str)]
    status: str
    domain: str | None = None
    dataProduct: str | None = None  # noqa: N815
    description: Description | None = None
    team: Team | None = None
    schema_: tuple[SchemaObject, ...] = Field(alias="schema", min_length=1)
    slaProperties: tuple[ServiceLevel, ...] = ()  # noqa: N815
    customProperties: tuple[CustomProperty, ...] = ()  # noqa: N815

    @model_validator(mode="after")
    def _own_properties(self) -> "DataContract":
        _only(self.customProperties, ("references",))
        return self

    @property
    def references(self) -> Mapping[str, str]:
        """CSV files below the workspace that relationships may point to, by name."""
        return next((p.value for p in self.customProperties if isinstance(p.value, dict)), {})

    @property
    def label(self) -> str:
        """Which contract it is: `id@version`."""
        return f"{self.id}@{self.version}"

    @property
    def freshness_hours(self) -> float | None:
        """How old the newest event may be, in hours: the strictest promise; None when there is none."""
        promised = (level.value * (24 if level.unit == "d" else 1) for level in self.slaProperties)
        return min(promised, default=None)
