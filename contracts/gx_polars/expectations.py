"""Five expectations that Great Expectations does not have."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl

from .answers import Request
from .internals import (
    BatchExpectation,
    ColumnMapExpectation,
    ColumnMapMetricProvider,
    MulticolumnMapMetricProvider,
    Shape,
    pydantic,
)
from .rows import repeat_rule, row_rule
from .tolerance import TolerantRows

CASTABLE: Mapping[str, pl.DataType] = {
    str(dtype): dtype
    for dtype in (
        *(pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64()),
        *(pl.Float32(), pl.Float64(), pl.String(), pl.Date(), pl.Time()),
    )
} | {"Datetime": pl.Datetime("us")}
"""Types that a column may be asked to be castable to, by name."""
ISO = {
    "Date": ("%Y-%m-%d",),
    "Time": ("%H:%M:%S%.f",),
    "Datetime": ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"),
}
"""How text tells a date, a time or an instant, unless an expectation names formats."""


class ExpectColumnValuesToBeInReference(ColumnMapExpectation):
    """Every value occurs in a named reference, which the subject holds.

    A reference of any length costs the same to declare: unlike a value set it is neither copied nor hashed
    with the expectation.

    Attributes:
        reference: Its name in `Subject.references`.
    """

    reference: str
    map_metric: ClassVar[str] = "column_values.in_reference"
    success_keys: ClassVar[tuple[str, ...]] = ("reference", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("column", "reference")


class ExpectColumnValuesToBeCastable(ColumnMapExpectation):
    """Every value that is there survives a cast.

    Attributes:
        dtype: A type by its polars name, see `CASTABLE`.
        formats: Patterns of `chrono`, tried one after the other, for text that tells a date, a time or an instant.
            Without any, those of `ISO`.
    """

    dtype: str
    formats: tuple[str, ...] = ()
    map_metric: ClassVar[str] = "column_values.castable"
    success_keys: ClassVar[tuple[str, ...]] = ("dtype", "formats", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("column", "dtype")

    @pydantic.validator("dtype")
    def _known(cls, dtype: str) -> str:  # noqa: N805 - as pydantic 1 calls it
        if dtype not in CASTABLE:
            raise ValueError(f"dtype is {dtype!r}. Write one of {', '.join(CASTABLE)}.")
        return dtype


class ExpectRowsToSatisfy(TolerantRows):
    """Every row satisfies a predicate in SQL. A predicate that is null for a row is not satisfied.

    Some may be tolerated, see `TolerantRows`.

    Attributes:
        expression: The predicate, such as `solved_at >= created_at OR solved_at IS NULL`.
        column_list: Columns shown with rows that break it: those the predicate names.
    """

    expression: str
    column_list: list[str] = []  # noqa: RUF012 - pydantic copies defaults
    ignore_row_if: Literal["all_values_are_missing", "any_value_is_missing", "never"] = "never"
    map_metric: ClassVar[str] = "rows.satisfy"
    success_keys: ClassVar[tuple[str, ...]] = ("expression", *TolerantRows.tolerance_keys)
    args_keys: ClassVar[tuple[str, ...]] = ("expression",)

    @pydantic.root_validator(pre=True)
    def _columns(cls, values: dict[str, Any]) -> dict[str, Any]:  # noqa: N805 - as pydantic 1 calls it
        if not values.get("column_list") and "expression" in values:
            named = pl.sql_expr(values["expression"]).meta.root_names()
            return values | {"column_list": list(dict.fromkeys(named))}
        return values

    @pydantic.validator("column_list")
    def _validate_column_list(cls, names: list[str]) -> list[str]:  # noqa: N805 - as pydantic 1 calls it
        if not names:
            raise ValueError("the expression names no column. Name at least one.")
        return names


class ExpectRowsToRepeatNothing(TolerantRows):
    """No row has the values of an earlier one in some columns. The first of them keeps the rule.

    Great Expectations' own rules of uniqueness find every copy broken, the first one included. Missing values
    are equal to each other; `ignore_row_if` leaves rows out. Some may be tolerated, see `TolerantRows`.

    Attributes:
        column_list: The columns, one or more.
    """

    column_list: list[str]
    ignore_row_if: Literal["all_values_are_missing", "any_value_is_missing", "never"] = "any_value_is_missing"
    map_metric: ClassVar[str] = "rows.repeat_nothing"
    success_keys: ClassVar[tuple[str, ...]] = TolerantRows.tolerance_keys
    args_keys: ClassVar[tuple[str, ...]] = ("column_list",)

    @pydantic.validator("column_list")
    def _validate_column_list(cls, names: list[str]) -> list[str]:  # noqa: N805 - as pydantic 1 calls it
        if not names:
            raise ValueError("column_list is empty. Name at least one column.")
        return names


class ExpectTableSchemaToBe(BatchExpectation):
    """The columns have exactly these types.

    Attributes:
        dtypes: Types by column, as polars writes them: `Int64`, `Datetime(time_unit='us', time_zone='UTC')`.
        allow_extra: Whether further columns may stand in the table.
    """

    dtypes: dict[str, str]
    allow_extra: bool = False
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.column_types",)
    success_keys: ClassVar[tuple[str, ...]] = ("dtypes", "allow_extra")
    args_keys: ClassVar[tuple[str, ...]] = ("dtypes", "allow_extra")

    def _validate(
        self,
        metrics: Mapping[str, Any],
        runtime_configuration: object = None,  # noqa: ARG002 - the class above names it
        execution_engine: object = None,  # noqa: ARG002 - as above
    ) -> dict[str, Any]:
        observed = {column["name"]: column["type"] for column in metrics["table.column_types"]}
        mismatched = {
            name: {"expected": dtype, "observed": observed.get(name)}
            for name, dtype in self.dtypes.items()
            if observed.get(name) != dtype
        }
        extra = [] if self.allow_extra else [name for name in observed if name not in self.dtypes]
        return {
            "success": not mismatched and not extra,
            "result": {"observed_value": observed, "details": {"mismatched": mismatched, "extra": extra}},
        }


class _InReference(ColumnMapMetricProvider):
    condition_metric_name = ExpectColumnValuesToBeInReference.map_metric
    condition_value_keys = ("reference",)


class _Castable(ColumnMapMetricProvider):
    condition_metric_name = ExpectColumnValuesToBeCastable.map_metric
    condition_value_keys = ("dtype", "formats")


class _RepeatNothing(MulticolumnMapMetricProvider):
    condition_metric_name = ExpectRowsToRepeatNothing.map_metric
    condition_domain_keys = (*MulticolumnMapMetricProvider.condition_domain_keys, "ignore_row_if")
    condition_value_keys = ()


class _Satisfy(MulticolumnMapMetricProvider):
    condition_metric_name = ExpectRowsToSatisfy.map_metric
    condition_domain_keys = (*MulticolumnMapMetricProvider.condition_domain_keys, "ignore_row_if")
    condition_value_keys = ("expression",)


def in_reference(request: Request) -> pl.Expr:
    """The value occurs in a reference.

    Raises:
        LookupError: The subject has no reference of that name.
        TypeError: Reference and column are of different types.
    """
    name = request.values["reference"]
    if name not in request.subject.references:
        known = ", ".join(request.subject.references) or "none"
        raise LookupError(f"reference {name!r} is unknown; known are: {known}. Pass it to the Subject.")
    reference, dtype = request.subject.references[name], request.dtypes[0]
    if reference.dtype != dtype:
        raise TypeError(
            f"reference {name!r} is {reference.dtype}, column {request.names[0]!r} is {dtype}. Cast one."
        )
    return request.columns[0].is_in(reference.implode())


def castable(request: Request) -> pl.Expr:
    """The value is missing or survives a cast."""
    name = request.values["dtype"]
    column, dtype = request.columns[0], CASTABLE[name]
    if request.dtypes[0] == pl.String and isinstance(dtype, pl.Date | pl.Time | pl.Datetime):
        formats = request.values.get("formats") or ISO[name]
        casts = [column.str.strptime(dtype, pattern, strict=False) for pattern in formats]
        return column.is_null() | pl.any_horizontal([cast.is_not_null() for cast in casts])
    return column.is_null() | column.cast(dtype, strict=False).is_not_null()


def register_expectations() -> None:
    """Register the rules behind the expectations of this module."""
    for provider, rule, null_passes in (
        (_InReference, in_reference, True),
        (_Castable, castable, True),
        (_Satisfy, lambda request: pl.sql_expr(request.values["expression"]), False),
    ):
        shape = Shape(provider, provider.condition_domain_keys, provider.condition_value_keys)
        row_rule(provider.condition_metric_name, rule, shape=shape, null_passes=null_passes)
    repeats = Shape(_RepeatNothing, _RepeatNothing.condition_domain_keys, ())
    repeat_rule(_RepeatNothing.condition_metric_name, repeats)
