"""How many rows may break a rule: a number of rows, or a share of all of them."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from .internals import MulticolumnMapExpectation


class TolerantRows(MulticolumnMapExpectation):
    """A rule over rows that tolerates some broken ones, counted over the whole table.

    `mostly` is a share of the rows that a rule looks at, and reaches its limit inclusively; contracts also
    speak of rows, of all rows, and of *fewer than*. With `at_most` it alone decides, and `mostly` does not.

    Attributes:
        at_most: Most rows that may break the rule; None leaves it to `mostly`.
        unit: What `at_most` counts: rows, or percent of all rows of the table.
        is_strict: Whether there have to be fewer than `at_most`.
    """

    at_most: float | None = None
    unit: Literal["rows", "percent"] = "rows"
    is_strict: bool = False
    tolerance_keys: ClassVar[tuple[str, ...]] = ("mostly", "at_most", "unit", "is_strict")

    def _validate(
        self,
        metrics: Mapping[str, Any],
        runtime_configuration: dict | None = None,
        execution_engine: Any = None,  # noqa: ANN401 - as the class above
    ) -> dict[str, Any]:
        result = super()._validate(
            metrics=dict(metrics),
            runtime_configuration=runtime_configuration,
            execution_engine=execution_engine,
        )
        if self.at_most is None:
            return result
        broken, rows = metrics[f"{self.map_metric}.unexpected_count"], metrics["table.row_count"]
        return {**result, "success": self.tolerates(broken, rows)}

    def tolerates(self, broken: int, rows: int) -> bool:
        """Whether so many broken rows of so many are tolerated."""
        measured = broken * 100 / rows if self.unit == "percent" and rows else float(broken)
        limit = self.at_most or 0.0
        return measured < limit if self.is_strict else measured <= limit
