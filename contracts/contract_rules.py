"""Rules that a contract writes out, and the custom properties that are ours."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.documents import Declaration

_IDENTITY = re.compile(r"^(email|phone|external_id(:[a-z][a-z0-9_]*)?)$")
IDENTITIES = ("email", "phone", "external_id")
_COUNT = re.compile(
    r"^\s*SELECT\s+COUNT\(\*\)\s+FROM\s+\$?\{\w+\}\s+WHERE\s+(.+)$", re.IGNORECASE | re.DOTALL
)


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Severity = Literal["error", "warning"]
REPEATED_KEY = "primary_key.unique"
"""Name of the rule that no two rows with other content have one key."""


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


def regular(pattern: str | None) -> str | None:
    """A pattern, once it is known to be a regular expression."""
    try:
        re.compile(pattern or "")
    except re.error as error:
        message = f"It is no regular expression: {error}."
        raise ValueError(message) from None
    return pattern


def only_known(found: tuple[CustomProperty, ...], known: tuple[str, ...]) -> None:
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
    pattern: Annotated[str | None, AfterValidator(regular)] = None


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
        only_known(self.customProperties, ("owner",))
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


NOT_EMPTY = Quality(
    id="row_count",
    type="library",
    metric="rowCount",
    mustBeGreaterThan=0,
    description="A delivery without rows replaces nothing: it is held, and the last good one stays.",
)
"""The volume rule of a contract that has none: every other rule is kept by an empty delivery."""
