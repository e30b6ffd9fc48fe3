"""What is validated: a polars frame, eager or lazy, and afterwards the rows that broke each rule."""

from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Literal, Self

import polars as pl
import polars.selectors as cs

from .internals import BatchData, ExecutionEngine, Expectation, condition_identity

ROW = "__gx_polars_row"
"""Name of the row number that lazy frames are given while rows are taken from them."""


class Subject:
    """A frame to validate, the references its rules look values up in, and what the rules found.

    Hand it to a batch in place of the bare frame when rules need references, or when you want the rows that
    broke a rule: `Subject.unexpected` returns the very mask that the verdict was counted from.

    A lazy frame is run several times and has to yield the same rows in the same order each time: a scan does, a
    `group_by` or `unique` without `maintain_order` does not.

    NaN counts as missing, as it does in Great Expectations' other engines.

    Attributes:
        frame: The data. Rows keep their order; a lazy frame is never held as a whole.
        references: Known values by the name that rules use for them; each without duplicates and nulls.
        engine: How polars collects. `streaming` for lazy frames unless told otherwise.
    """

    def __init__(
        self,
        frame: pl.DataFrame | pl.LazyFrame,
        references: Mapping[str, pl.Series] | None = None,
        *,
        engine: Literal["in-memory", "streaming"] | None = None,
    ) -> None:
        self.frame = _without_nan(frame)
        self.references = {name: known.drop_nulls().unique() for name, known in (references or {}).items()}
        self.engine = engine or ("streaming" if isinstance(frame, pl.LazyFrame) else "in-memory")
        self._masks: dict[Hashable, pl.Series] = {}

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __repr__(self) -> str:
        return f"Subject({len(self.schema)} columns)"

    @cached_property
    def schema(self) -> pl.Schema:
        """Names and types of the columns."""
        return self.frame.collect_schema()

    @cached_property
    def height(self) -> int:
        """Number of rows. A lazy frame is counted once."""
        if isinstance(self.frame, pl.DataFrame):
            return self.frame.height
        return self.collect(self.frame.select(pl.len())).item()

    def collect(self, query: pl.LazyFrame) -> pl.DataFrame:
        """Run one query."""
        return query.collect(engine=self.engine)

    def collect_all(self, queries: list[pl.LazyFrame]) -> list[pl.DataFrame]:
        """Run several queries. A frame in memory is read once; a streamed one anew, as sharing would hold it."""
        if self.engine == "streaming":
            return [self.collect(query) for query in queries]
        return pl.collect_all(queries, engine=self.engine)

    def keep(self, rule: Hashable, mask: pl.Series) -> None:
        """Remember the rows that broke a rule."""
        self._masks[rule] = mask

    def unexpected(self, expectation: Expectation) -> pl.Series:
        """The rows that broke an expectation, as a mask over the whole frame, without nulls.

        Args:
            expectation: One that was validated against this subject, with the same arguments.

        Raises:
            TypeError: The expectation judges the table or a whole column, not single rows.
            LookupError: It has not been validated here, or could not be evaluated.
        """
        rule = condition_identity(expectation)
        if rule not in self._masks:
            kind = type(expectation).__name__
            raise LookupError(
                f"{kind} was not evaluated on this subject. Validate it first, or see its error."
            )
        return self._masks[rule]


class PolarsBatchData(BatchData):
    """A subject as Great Expectations hands it around, with an engine that serves no other batch."""

    def __init__(self, execution_engine: ExecutionEngine, subject: Subject) -> None:
        super().__init__(execution_engine)
        self.subject = subject


def subject_of(data: pl.DataFrame | pl.LazyFrame | Subject) -> Subject:
    """A subject, made from a bare frame where need be.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(data, Subject):
        return data
    if isinstance(data, pl.DataFrame | pl.LazyFrame):
        return Subject(data)
    raise TypeError(
        f"the data is a {type(data).__name__}. Pass a polars DataFrame or LazyFrame, or a Subject."
    )


def _without_nan(frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame | pl.LazyFrame:
    if isinstance(frame, pl.LazyFrame):
        return frame.with_columns(cs.float().fill_nan(None))
    columns = [column.name for column in frame if column.dtype.is_float() and column.is_nan().any()]
    return frame.with_columns(pl.col(columns).fill_nan(None)) if columns else frame
