"""What a metric function is asked, and the kinds of answer that wait for the wave's one query."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from .domains import domain_of
from .internals import errors
from .subject import Subject


@dataclass(frozen=True)
class Request:
    """One metric to answer.

    Attributes:
        subject: The data.
        domain: Which rows and columns, as Great Expectations writes it.
        values: The metric's arguments.
        metrics: Answers to the metrics that this one depends on, by name.
        provider: The class that declares the metric.
    """

    subject: Subject
    domain: Mapping[str, Any]
    values: Mapping[str, Any]
    metrics: Mapping[str, Any]
    provider: type

    @cached_property
    def where(self) -> pl.Expr | None:
        """Rows inside the domain, never null; None when that is all of them."""
        return domain_of(self.domain)

    @cached_property
    def names(self) -> list[str]:
        """The domain's columns.

        Raises:
            InvalidMetricAccessorDomainKwargsKeyError: The data has no such column.
        """
        names: list[str]
        if "column" in self.domain:
            names = [self.domain["column"]]
        elif "column_A" in self.domain:
            names = [self.domain["column_A"], self.domain["column_B"]]
        else:
            names = list(self.domain["column_list"])
        self.require(names)
        return names

    def require(self, names: Sequence[str]) -> None:
        """Refuse columns that the data does not have."""
        for name in names:
            if name not in self.subject.schema:
                known = ", ".join(self.subject.schema)
                raise errors.InvalidMetricAccessorDomainKwargsKeyError(
                    message=f'Error: The column "{name}" in BatchData does not exist. Its columns are {known}.'
                )

    @property
    def columns(self) -> list[pl.Expr]:
        """The domain's columns as expressions over the whole frame."""
        return [pl.col(name) for name in self.names]

    @property
    def dtypes(self) -> list[pl.DataType]:
        """Types of the domain's columns."""
        return [self.subject.schema[name] for name in self.names]

    @property
    def inside(self) -> pl.Expr:
        """The domain's one column, only the rows inside the domain; nulls are still there."""
        return self.columns[0] if self.where is None else self.columns[0].filter(self.where)


@dataclass(eq=False)
class Condition:
    """A row rule: which rows are unexpected.

    Attributes:
        unexpected: True for unexpected rows inside the domain, never null. For keys it is only shown.
        where: Rows inside the domain; None when that is all of them.
        names: Columns that samples show.
        keys: Columns that have to be unique together; None for any other rule.
        looks_back: Whether a row is judged by rows before it. polars cannot stream such a rule, and would hold
            the columns of every rule beside it.
        spares_first: Whether the first row of a repeated key is expected, and missing values are keys too.
        mask: The unexpected rows, aligned with the whole frame, once the wave has run.
    """

    unexpected: pl.Expr
    where: pl.Expr | None
    names: list[str]
    keys: list[str] | None = None
    looks_back: bool = False
    spares_first: bool = False
    mask: pl.Series | None = None

    @property
    def found(self) -> pl.Series:
        """The mask.

        Raises:
            RuntimeError: The wave has not run yet.
        """
        if self.mask is None:
            raise RuntimeError("the mask is read before its wave has run")
        return self.mask

    @property
    def rows(self) -> pl.Series:
        """Numbers of the unexpected rows, ascending; not kept, as there may be as many as rows."""
        return self.found.arg_true()


@dataclass(frozen=True)
class Aggregate:
    """Values to be computed together with all others of the wave.

    Attributes:
        parts: Expressions that yield one value each.
        finish: Makes the answer from those values.
    """

    parts: Sequence[pl.Expr]
    finish: Callable[..., Any] = lambda value: value


@dataclass(frozen=True)
class Rows:
    """Rows to be taken from the frame.

    Attributes:
        rows: Their numbers.
        names: Columns to take.
        finish: Makes the answer from the rows, in the frame's order.
    """

    rows: pl.Series
    names: Sequence[str]
    finish: Callable[[pl.DataFrame], Any]
