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

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.contract_rules import (
    NOT_EMPTY,
    CustomProperty,
    Quality,
    Relationship,
    VolumeBaseline,
    only_known,
    regular,
)
from contracts.documents import Declaration
from contracts.events import TOKENS
from contracts.zones import Zone

RESERVED_COLUMNS = frozenset({"line", "row", "item", "reasons", *TOKENS})
"""Names of columns that landing adds to every row."""
DEFAULT_QUARANTINE_RATE = 0.05


class EnumValue(Declaration):
    """One accepted value."""

    value: str
    description: str | None = None


class Options(Declaration):
    """Limits of a logical type.

    `format` is a JDK date pattern (`d/M/yyyy HH:mm`), as the standard asks. `timezone: true` wants an
    offset on every time, `false` none; `defaultTimezone` reads times that carry none.
    """

    pattern: Annotated[str | None, AfterValidator(regular)] = None
    minimum: float | None = None
    maximum: float | None = None
    minLength: Annotated[int | None, Field(ge=0)] = None  # noqa: N815 - the standard's own spelling
    maxLength: Annotated[int | None, Field(ge=0)] = None  # noqa: N815
    format: str | None = None
    timezone: bool | None = None
    defaultTimezone: Zone | None = None  # noqa: N815


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
        only_known(self.customProperties, ("identity", "formats"))
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
    def is_required(self) -> bool:
        """Whether a value has to be there: in a key it has to, whether the contract says so or not."""
        return self.required or self.primaryKey

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
        only_known(self.customProperties, ("maxQuarantineRate", "volumeBaseline"))
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

    def hours(self) -> float:
        """The age in hours."""
        return self.value * (24 if self.unit == "d" else 1)


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
        only_known(self.customProperties, ("references",))
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
        return min((level.hours() for level in self.slaProperties), default=None)
