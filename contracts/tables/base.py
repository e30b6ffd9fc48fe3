"""What every published table is: a class with a grain, a documented column each, and rules."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Self

import dataframely as dy
import polars as pl


@dataclass(frozen=True, slots=True)
class Column:
    """A column that one workspace adds to a table, e.g. an attribute of its cases."""

    dtype: pl.DataType
    description: str
    unit: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """The column as plain values."""
        return {"type": str(self.dtype), "description": self.description, "unit": self.unit}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The column of plain values."""
        return cls(getattr(pl, values["type"])(), values["description"], values["unit"])


class Table(dy.Schema):
    """A published table. Its primary key is its grain and the order of its rows."""

    @classmethod
    def table_name(cls) -> str:
        """The table's name: the class's, in snake_case."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def published_schema(cls) -> Mapping[str, pl.DataType]:
        """Columns and types, in order."""
        return _schema(cls)

    @classmethod
    def empty(cls) -> pl.DataFrame:
        """The table without rows."""
        return pl.DataFrame(schema=cls.published_schema())


@cache
def _schema(table: type[Table]) -> Mapping[str, pl.DataType]:
    """Made once a table: dataframely looks all its columns up anew whenever it is asked."""
    return MappingProxyType({name: column.dtype for name, column in table.columns().items()})


def text(description: str, **more: Any) -> dy.String:  # noqa: ANN401 - passed through
    """A text column."""
    return dy.String(description=description, **more)


def key(description: str) -> dy.String:
    """A text column of the grain."""
    return dy.String(description=description, primary_key=True)


def count(description: str, unit: str = "rows", **more: Any) -> dy.Int64:  # noqa: ANN401
    """A count: a whole number, never negative."""
    return dy.Int64(description=description, min=0, metadata={"unit": unit}, **more)


def number(description: str, unit: str, **more: Any) -> dy.Float64:  # noqa: ANN401
    """A quantity with a unit; null when it cannot be known."""
    more.setdefault("nullable", True)
    return dy.Float64(description=description, metadata={"unit": unit}, **more)


def instant(description: str, **more: Any) -> dy.Datetime:  # noqa: ANN401
    """An instant, UTC."""
    return dy.Datetime(time_zone="UTC", time_unit="us", description=description, **more)


def day(description: str, **more: Any) -> dy.Date:  # noqa: ANN401
    """A calendar day in the workspace's time zone."""
    return dy.Date(description=description, **more)


def flag(description: str, **more: Any) -> dy.Bool:  # noqa: ANN401
    """A yes or no."""
    return dy.Bool(description=description, **more)


def one_of(values: tuple[str, ...], description: str, **more: Any) -> dy.Enum:  # noqa: ANN401
    """One of a few words."""
    return dy.Enum(values, description=description, **more)
