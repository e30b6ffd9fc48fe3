"""A feed's contract: the part of the Open Data Contract Standard v3.2 that we keep.

What is outside this part is refused aloud, by line: a rule that is read but not enforced would be a
false promise. Three custom properties are ours: `identity` on a property names how it tells a customer
(`email`, `phone`, `external_id`), `formats` gives further date patterns, and `maxQuarantineRate` on a
schema is the share of rejected rows above which a whole delivery is held. An external id belongs to
its feed; `external_id:crm` says that it is the one the feed `crm` gives out.
"""

import re
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.documents import Declaration
from contracts.events import TOKENS

IDENTITIES = ("email", "phone", "external_id")
RESERVED_COLUMNS = frozenset({"line", "row", "reasons", *TOKENS})
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


def _not_a_flag(value: object) -> object:
    if isinstance(value, bool):
        message = "Write a text, a number or a list."
        raise ValueError(message)  # noqa: TRY004 - pydantic reports only ValueError
    return value


class CustomProperty(Declaration):
    """A key and value that the standard leaves to us."""

    property: Literal["identity", "maxQuarantineRate", "formats"]
    value: Annotated[str | float | tuple[str, ...], BeforeValidator(_not_a_flag)]

    @model_validator(mode="after")
    def _fits(self) -> "CustomProperty":
        value = self.value
        if self.property == "maxQuarantineRate" and not (isinstance(value, float) and 0 <= value <= 1):
            message = "Write maxQuarantineRate as a share from 0 to 1."
            raise ValueError(message)
        if self.property == "identity" and not _IDENTITY.match(str(value)):
            message = f"identity is {value!r}. Write one of {', '.join(IDENTITIES)}, or external_id:FEED."
            raise ValueError(message)
        if self.property == "formats" and isinstance(value, float):
            message = "Write formats as a list of date patterns."
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


class Quality(Declaration):
    """A rule over whole rows: `SELECT COUNT(*) FROM ${object} WHERE <broken>` must be 0."""

    id: Annotated[str, Field(pattern=r"^[^,\s]+$")]
    type: Literal["sql"]
    query: str
    mustBe: Literal[0]  # noqa: N815 - the standard's own spelling
    description: str | None = None
    severity: Literal["error", "warning"] = "error"

    @model_validator(mode="after")
    def _counts_rows(self) -> "Quality":
        if _COUNT.match(self.query) is None:
            message = "Write it as: SELECT COUNT(*) FROM ${object} WHERE <what a broken row looks like>."
            raise ValueError(message)
        return self

    @property
    def broken(self) -> str:
        """The SQL predicate that a broken row satisfies."""
        match = _COUNT.match(self.query)
        return match[1] if match else "FALSE"


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
        _only(self.customProperties, ("maxQuarantineRate",))
        return self

    @property
    def key(self) -> list[str]:
        """Names of the primary key's columns, in their declared position."""
        keyed = [p for p in self.properties if p.primaryKey]
        return [p.name for p in sorted(keyed, key=lambda p: p.primaryKeyPosition or 0)]

    @property
    def quarantine_rate_max(self) -> float:
        """Share of rejected rows above which a whole delivery is held."""
        given = (p.value for p in self.customProperties if p.property == "maxQuarantineRate")
        return next((v for v in given if isinstance(v, float)), DEFAULT_QUARANTINE_RATE)


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

    @property
    def freshness_hours(self) -> float | None:
        """How old the newest event may be, in hours: the strictest promise; None when there is none."""
        promised = (level.value * (24 if level.unit == "d" else 1) for level in self.slaProperties)
        return min(promised, default=None)
